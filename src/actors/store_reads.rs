//! How services read queues and records: from whoever owns the queue, and through the pool.

use std::sync::Arc;

use actix::Recipient;
use bytes::{Bytes, BytesMut};

use super::dispatch_actor::QueueOf;
use super::fault::ask;
use super::queue_actor::{QueuePorts, SnapshotOf};
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::{LogView, QueueSnapshot, StoreError};

/// Finds queues; cloning shares it.
#[derive(Clone)]
pub(super) struct StoreReads {
    /// The DispatchActor.
    pub(super) queue_of: Recipient<QueueOf>,
    /// Reads what may not be in memory.
    pub(super) pool: ReadPool,
}

impl StoreReads {
    /// A queue that holds or has held something; a name that nobody can have used has none.
    pub(super) async fn queue(&self, topic: &str, queue_id: i32) -> Result<Option<Arc<QueuePorts>>, Refusal> {
        let (Ok(topic), Ok(queue_id)) = (Topic::parse(topic), u32::try_from(queue_id)) else { return Ok(None) };
        let key = QueueKey { topic, queue_id: QueueId(queue_id) };
        Ok(ask(&self.queue_of, QueueOf { key }).await??)
    }

    /// What the pool needs to read such a queue.
    pub(super) async fn snapshot(&self, topic: &str, queue_id: i32) -> Result<Option<QueueSnapshot>, Refusal> {
        match self.queue(topic, queue_id).await? {
            Some(queue) => Ok(Some(ask(&queue.seldom.snapshot(), SnapshotOf).await?)),
            None => Ok(None),
        }
    }

    /// The same of the first queues of a topic, by their numbers. How many there may be is for the caller to bound.
    pub(super) async fn snapshots(&self, topic: &str, queues: u32) -> Result<Vec<Option<QueueSnapshot>>, Refusal> {
        let mut snapshots = Vec::new();
        for queue_id in (0..).take(queues as usize) {
            snapshots.push(self.snapshot(topic, queue_id).await?);
        }
        Ok(snapshots)
    }
}

/// When an entry's record was stored; `None` when it or its record is not there.
pub(super) fn stored(
    log: &LogView,
    queue: &QueueSnapshot,
    offset: QueueOffset,
) -> Result<Option<StoreTime>, StoreError> {
    let entry = queue.entry(offset)?.filter(|entry| !entry.is_blank());
    Ok(entry.and_then(|entry| log.with_record(entry.physical, |record| record.store_time)))
}

/// The offset whose record was stored nearest to a time.
pub(super) fn nearest(log: &LogView, queue: &QueueSnapshot, time: StoreTime) -> Result<QueueOffset, StoreError> {
    queue.offset_by_time(time, log.min(), |at, _| log.with_record(at, |record| record.store_time))
}

/// The record at `offset` as a slice of the log. It is read into `scratch`, so that its pages are in memory: who does not
/// read it holds no copy.
pub(super) fn record(log: &LogView, offset: i64, scratch: &mut BytesMut) -> Result<Bytes, Refusal> {
    let missing = || Refusal::error(format!("can not find message by the offset, {offset}"));
    let at = u64::try_from(offset).map(PhysicalOffset).ok().filter(|at| *at < log.visible()).ok_or_else(missing)?;
    let size = log.record_size(at).ok_or_else(missing)?;
    scratch.clear();
    match log.read_cold(at, size, scratch)? {
        true => log.slice(at, size).ok_or_else(missing),
        false => Err(missing()),
    }
}
