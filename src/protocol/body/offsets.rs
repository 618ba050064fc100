//! How far consumers have come, as bodies: the broker's table, resets, corrections, a client's own view.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::queue_table::{MessageQueue, QueueTable};
use super::{Body, json, plain_body, write_list};

/// All consumer offsets of a broker: answer of GET_ALL_CONSUMER_OFFSET, and `consumerOffset.json`.
///
/// # Source
/// `ConsumerOffsetSerializeWrapper` 4.9.7 (read), which leaves queue numbers without quotes; ours have them, which the
/// reference reads as well (tried with 4.7.1 and 4.9.7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerOffsetTable {
    /// By `topic@group` and queue number: the next offset wanted.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// Answer of QUERY_CORRECTION_OFFSET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CorrectionOffsets {
    /// By queue number.
    pub correction_offsets: BTreeMap<i32, i64>,
}

/// How far each delay level has come: answer of GET_ALL_DELAY_OFFSET, and `delayOffset.json`.
///
/// # Source
/// `org.apache.rocketmq.store.schedule.DelayOffsetSerializeWrapper` 4.9.7 (read).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DelayOffsetTable {
    /// By level, which is a queue of the topic of waiting messages: the next offset that is delivered.
    pub offset_table: BTreeMap<i32, i64>,
}

/// Body of a message in OFFSET_MOVED_EVENT: a group asked for an offset that a queue does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OffsetMovedEvent {
    /// The group.
    pub consumer_group: String,
    /// The queue.
    pub message_queue: MessageQueue,
    /// Where it is told to go on.
    pub offset_new: i64,
    /// What it asked for.
    pub offset_request: i64,
}

plain_body!(ConsumerOffsetTable, CorrectionOffsets, DelayOffsetTable, OffsetMovedEvent);

/// Request of RESET_CONSUMER_CLIENT_OFFSET and answer of INVOKE_BROKER_TO_RESET_OFFSET; also a broadcast consumer's
/// `offsets.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetOffsetBody {
    /// Where to go on, by queue.
    pub offset_table: QueueTable<i64>,
}

impl Body for ResetOffsetBody {
    fn encode(&self) -> Bytes {
        let mut out = br#"{"offsetTable":"#.to_vec();
        self.offset_table.write(&mut out);
        out.push(b'}');
        out.into()
    }
}

/// The same for clients that name CPP as their language: a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetOffsetList {
    /// Where to go on, a line per queue.
    pub offset_table: Vec<ResetOffsetLine>,
}

/// One queue of a [`ResetOffsetList`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetOffsetLine {
    /// The queue's broker.
    pub broker_name: String,
    /// Where to go on.
    pub offset: i64,
    /// The queue's number.
    pub queue_id: i32,
    /// The queue's topic.
    pub topic: String,
}

plain_body!(ResetOffsetList);

impl From<&ResetOffsetBody> for ResetOffsetList {
    fn from(body: &ResetOffsetBody) -> Self {
        let line = |(queue, offset): (&MessageQueue, &i64)| ResetOffsetLine {
            broker_name: queue.broker_name.clone(),
            offset: *offset,
            queue_id: queue.queue_id,
            topic: queue.topic.clone(),
        };
        Self { offset_table: body.offset_table.iter().map(line).collect() }
    }
}

/// Answer of GET_CONSUMER_STATUS_FROM_CLIENT (the first table) and of INVOKE_BROKER_TO_GET_CONSUMER_STATUS (the second).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerStatusBody {
    /// What each client answered, by client id.
    pub consumer_table: BTreeMap<String, QueueTable<i64>>,
    /// How far the client has come.
    pub message_queue_table: QueueTable<i64>,
}

impl Body for ConsumerStatusBody {
    fn encode(&self) -> Bytes {
        let mut out = br#"{"consumerTable":"#.to_vec();
        write_list(&mut out, b'{', &self.consumer_table, b'}', |out, (client_id, table)| {
            out.extend(json(client_id));
            out.push(b':');
            table.write(out);
        });
        out.extend(br#","messageQueueTable":"#);
        self.message_queue_table.write(&mut out);
        out.push(b'}');
        out.into()
    }
}
