//! queryMsgTraceById: what clients have recorded of a message.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clap::Args;

use super::Context;
use super::find::look;
use super::page::{Cell, Page, Rows, row};
use crate::admin::MessageQuery;
use crate::client::TraceRecord;
use crate::client::trace::ConsumeOutcome;
use crate::protocol::names::Topic;

/// Show what producers and consumers have recorded of a message, if they leave traces.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgTraceByIdArgs {
    /// The id that the message's producer gave it.
    #[arg(short = 'i', long, value_name = "ID")]
    msg_id: String,
    /// The topic of the records.
    #[arg(short, long, value_name = "TOPIC", value_parser = Topic::parse, default_value = "RMQ_SYS_TRACE_TOPIC")]
    trace_topic: Topic,
}

impl QueryMsgTraceByIdArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let (id, topic) = (&*self.msg_id, &self.trace_topic);
        let mut found = Vec::new();
        for (_, message) in look(context, &MessageQuery::by_key(topic.clone(), id)).await? {
            let client_host = message.born_host.ip().to_string();
            for record in TraceRecord::decode_each(&String::from_utf8_lossy(&message.body)) {
                match record {
                    Ok(record) => found.push(Found { record, client_host: client_host.clone() }),
                    Err(error) => tracing::warn!("message {}: {error}", message.offset_id()),
                }
            }
        }
        let rows = table(id, found);
        ensure!(!rows.is_empty(), "topic {topic} has no trace of a message with the id {id}");
        Ok(rows.into())
    }
}

/// A record, and where it came from.
struct Found {
    record: TraceRecord,
    client_host: String,
}

const COLUMNS: &[&str] =
    &["type", "time", "group", "clientHost", "costMs", "status", "retries", "topic", "broker", "offsetMsgId"];

/// The records that are about a message, by their times; a call of a listener has one row, whether or not it is over.
fn table(id: &str, found: Vec<Found>) -> Rows {
    let mut timed = Vec::new();
    let mut calls: BTreeMap<String, Call> = BTreeMap::new();
    for Found { record, client_host } in found {
        // A batch has one record for all its messages. Java's clients make one key of all their ids as well, so that whoever
        // looks for such a batch has to name them all.
        let ids = record.message_id();
        if ids != id && !ids.split(',').any(|one| one == id) {
            continue;
        }
        match record {
            TraceRecord::Sent { time_ms, group, cost_ms, is_stored, topic, broker, offset_id, .. } => {
                let status = if is_stored { "success" } else { "failed" };
                let (time, retries) = (Cell::time(time_ms), Cell::Nothing);
                let row = row!["Pub", time, group, client_host, cost_ms, status, retries, topic, broker, offset_id];
                timed.push((time_ms, row));
            }
            TraceRecord::TransactionEnded { time_ms, group, state, topic, broker, .. } => {
                let (time, status, none) = (Cell::time(time_ms), format!("{state:?}").to_lowercase(), Cell::Nothing);
                let kind = "EndTransaction";
                let row = row![kind, time, group, client_host, none.clone(), status, none.clone(), topic, broker, none];
                timed.push((time_ms, row));
            }
            TraceRecord::Consuming { time_ms, group, call_id, retries, .. } => {
                let call = calls.entry(call_id).or_default();
                (call.begun_ms, call.retries) = (Some(time_ms), Some(retries));
                (call.group, call.client_host) = (Some(group), client_host);
            }
            TraceRecord::Consumed { call_id, cost_ms, outcome, time_ms, group, .. } => {
                let call = calls.entry(call_id).or_default();
                (call.ended_ms, call.cost_ms, call.outcome) = (time_ms, Some(cost_ms), Some(outcome));
                // Old clients leave their group out here.
                (call.group, call.client_host) = (group.or_else(|| call.group.take()), client_host);
            }
        }
    }
    timed.extend(calls.into_values().map(|call| (call.time_ms(), call.into_row())));
    timed.sort_by_key(|(time_ms, _)| *time_ms);
    let mut rows = Rows::new(COLUMNS);
    timed.into_iter().for_each(|(_, row)| rows.add(row));
    rows
}

/// A call of a listener, of which two records tell.
#[derive(Default)]
struct Call {
    begun_ms: Option<i64>,
    ended_ms: Option<i64>,
    group: Option<String>,
    client_host: String,
    cost_ms: Option<u64>,
    outcome: Option<ConsumeOutcome>,
    retries: Option<i32>,
}

impl Call {
    /// When it began; when it ended, if that is all that is known.
    fn time_ms(&self) -> i64 {
        self.begun_ms.or(self.ended_ms).unwrap_or_default()
    }

    fn into_row(self) -> Vec<Cell> {
        let status = match self.outcome {
            Some(outcome) => format!("{outcome:?}").to_lowercase(),
            None => "begun".into(),
        };
        let (time, none) = (Cell::time(self.time_ms()), Cell::Nothing);
        let (group, host, cost) = (self.group, self.client_host, self.cost_ms);
        row!["Sub", time, group, host, cost, status, self.retries, none.clone(), none.clone(), none]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::TransactionState;
    use crate::client::trace::MessageKind;

    const AT_MS: i64 = 1_709_164_800_000;

    fn sent(message_id: &str) -> TraceRecord {
        TraceRecord::Sent {
            time_ms: AT_MS,
            region: "R".into(),
            group: "P".into(),
            topic: "T".into(),
            message_id: message_id.into(),
            tag: None,
            keys: None,
            broker: "b:1".into(),
            body_bytes: 4,
            cost_ms: 7,
            kind: MessageKind::Normal,
            offset_id: Some("O".into()),
            is_stored: true,
        }
    }

    fn consuming(call_id: &str, after_ms: i64) -> TraceRecord {
        let (region, group, call_id, message_id) = ("R".into(), "G".into(), call_id.into(), "ID".into());
        TraceRecord::Consuming { time_ms: AT_MS + after_ms, region, group, call_id, message_id, retries: 2, keys: None }
    }

    fn consumed(call_id: &str, after_ms: i64) -> TraceRecord {
        TraceRecord::Consumed {
            call_id: call_id.into(),
            message_id: "ID".into(),
            cost_ms: 9,
            is_consumed: false,
            keys: None,
            outcome: ConsumeOutcome::Exception,
            time_ms: Some(AT_MS + after_ms),
            group: Some("G".into()),
        }
    }

    fn ended() -> TraceRecord {
        TraceRecord::TransactionEnded {
            time_ms: AT_MS + 5,
            region: "R".into(),
            group: "P".into(),
            topic: "T".into(),
            message_id: "ID".into(),
            tag: None,
            keys: None,
            broker: "b:1".into(),
            kind: MessageKind::Ended,
            transaction_id: None,
            state: TransactionState::Commit,
            is_answer: false,
        }
    }

    /// The rows that are made of records, for a message with the id `ID`.
    fn check(records: Vec<TraceRecord>, expected: Vec<Vec<Cell>>) {
        check_of("ID", records, expected);
    }

    fn check_of(id: &str, records: Vec<TraceRecord>, expected: Vec<Vec<Cell>>) {
        let found = records.into_iter().map(|record| Found { record, client_host: "10.0.0.1".into() }).collect();
        let mut rows = Rows::new(COLUMNS);
        expected.into_iter().for_each(|row| rows.add(row));
        assert_eq!(table(id, found), rows);
    }

    #[test]
    fn a_call_is_one_row_and_rows_go_by_their_times() {
        let (none, host, time) = (Cell::Nothing, "10.0.0.1", |after_ms| Cell::time(AT_MS + after_ms));
        let nowhere = || [none.clone(), none.clone(), none.clone()];
        let sub = |cells: Vec<Cell>| cells.into_iter().chain(nowhere()).collect();
        check(
            vec![consumed("2", 30), consumed("1", 20), consuming("1", 10), ended(), consuming("3", 40), sent("ID")],
            vec![
                row!["Pub", time(0), "P", host, 7, "success", none.clone(), "T", "b:1", "O"],
                row![
                    "EndTransaction",
                    time(5),
                    "P",
                    host,
                    none.clone(),
                    "commit",
                    none.clone(),
                    "T",
                    "b:1",
                    none.clone()
                ],
                sub(row!["Sub", time(10), "G", host, 9, "exception", 2]),
                sub(row!["Sub", time(30), "G", host, 9, "exception", none.clone()]),
                sub(row!["Sub", time(40), "G", host, none.clone(), "begun", 2]),
            ],
        );
    }

    #[test]
    fn a_batch_is_of_each_of_its_messages_and_others_are_passed_over() {
        let row = || row!["Pub", Cell::time(AT_MS), "P", "10.0.0.1", 7, "success", Cell::Nothing, "T", "b:1", "O"];
        check(vec![sent("A,ID,B"), sent("IDA"), sent("A")], vec![row()]);
        check_of("A,ID", vec![sent("A,ID"), sent("A,ID,B"), sent("A")], vec![row()]);
    }
}
