//! Finds messages by their keys.

use bytes::{Bytes, BytesMut};

use super::LookupService;
use crate::actors::fault::ask;
use crate::actors::index_actor::IndexSnapshotOf;
use crate::actors::requests::success;
use crate::net::bulk::Slices;
use crate::net::router::Request;
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::frame::{self, ANSWER_BODY_BYTES_MAX};
use crate::protocol::headers::query::{QueryMessage, QueryMessageReply};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::StoreTime;
use crate::store::index::Found;
use crate::store::{IndexSnapshot, LogView, StoreError};

/// How often a query looks further back when all that it has found was removed from the log.
const LOOKS_MAX: usize = 3;

/// The messages that a query has found, oldest first.
struct Answer {
    found: Found,
    records: Vec<Bytes>,
}

impl LookupService {
    /// Answers QUERY_MESSAGE.
    ///
    /// # Source
    /// `QueryMessageProcessor.queryMessage`, `DefaultMessageStore.queryMessage` 4.9.7 (read). An answer that no frame could
    /// carry has the newest messages only.
    pub(super) async fn query_message(&self, request: Request) {
        match self.query(&request.command).await {
            Ok(answer) => {
                let head = answer_head(&answer.found);
                let bytes = answer.records.iter().map(Bytes::len).sum();
                request.reply.send_in_bulk(Box::new(Slices::new(answer.records)), move |out, opaque, serialization| {
                    frame::encode_prefix(&head.with_opaque(opaque), serialization, bytes, out);
                });
            }
            Err(refusal) => request.reply.refuse(refusal),
        }
    }

    async fn query(&self, command: &Command) -> Result<Answer, Refusal> {
        let header = QueryMessage::parse(&command.ext)?;
        let max = {
            let rules = &self.live.load().rules;
            let asked = if header.unique_key { rules.unique_key_results } else { header.max_num };
            usize::try_from(asked.min(rules.query_results_max)).unwrap_or(0)
        };
        let Some(index) = &self.index else { return Err(not_found()) };
        let index = ask(index, IndexSnapshotOf).await?;
        let answer = self.reads.pool.ask(move |log| look(log, &index, &header, max)).await??;
        if answer.records.is_empty() { Err(not_found()) } else { Ok(answer) }
    }
}

fn answer_head(found: &Found) -> Command {
    let ext = QueryMessageReply {
        index_last_update_timestamp: found.newest_time.0,
        index_last_update_phyoffset: found.newest.0 as i64,
    };
    success().with_ext(ext.to_ext())
}

fn not_found() -> Refusal {
    Refusal::new(response::QUERY_NOT_FOUND, "can not find message, maybe time range not correct")
}

fn look(log: &LogView, index: &IndexSnapshot, header: &QueryMessage, max: usize) -> Result<Answer, StoreError> {
    let begin = StoreTime(header.begin_timestamp);
    let mut end = StoreTime(header.end_timestamp);
    let mut answer = Answer { found: Found::default(), records: Vec::new() };
    for _ in 0..LOOKS_MAX {
        answer.found = index.lookup(&header.topic, &header.key, max, begin, end)?;
        answer.records = read(log, &answer.found)?;
        let oldest = answer.found.records.first().and_then(|at| log.with_record(*at, |record| record.store_time));
        match oldest {
            Some(oldest) if answer.records.is_empty() && oldest >= begin => end = oldest,
            _ => break,
        }
    }
    Ok(answer)
}

/// The records that were found, as slices of the log whose pages are in memory.
fn read(log: &LogView, found: &Found) -> Result<Vec<Bytes>, StoreError> {
    let mut records = Vec::with_capacity(found.records.len());
    let (mut scratch, mut total) = (BytesMut::new(), 0);
    // What is in the index may be behind what consumers are shown.
    let shown = found.records.iter().rev().filter(|at| **at < log.visible());
    for at in shown {
        let Some(size) = log.record_size(*at) else { continue };
        total += size as usize;
        if total > ANSWER_BODY_BYTES_MAX && !records.is_empty() {
            break;
        }
        scratch.clear();
        if log.read_cold(*at, size, &mut scratch)? {
            records.extend(log.slice(*at, size));
        }
    }
    records.reverse();
    Ok(records)
}
