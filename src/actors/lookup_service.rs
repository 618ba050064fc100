//! Answers questions about one queue or one message: bounds, offsets by time, a message by where it lies; and about all
//! queues of a topic: what they hold.
//!
//! Runs in the connections' tasks and waits in tasks of its own: a question may have to open a queue first.

mod query;

use std::sync::Arc;

use actix::Recipient;
use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::dispatch_actor::QueueOf;
use super::fault::ask;
use super::index_actor::IndexSnapshotOf;
use super::live::Live;
use super::published::Published;
use super::queue_actor::{BoundsOf, QueuePorts, SnapshotOf};
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use super::requests::{answer, success};
use crate::broker::topics::TopicTable;
use crate::net::bulk::Slices;
use crate::net::reply::{ReplyTo, when_ready};
use crate::net::router::{Request, Service};
use crate::protocol::body::Body;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::{TopicOffset, TopicStatsTable};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::frame;
use crate::protocol::headers::offset::{
    OffsetReply, QueueOf as QueueHeader, SearchOffset, TimestampReply, ViewMessage,
};
use crate::protocol::headers::topic::OfTopic;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::{LogView, QueueSnapshot, StoreError};

/// The codes that a LookupService answers.
pub(super) const CODES: [i32; 7] = [
    request::QUERY_MESSAGE,
    request::GET_MAX_OFFSET,
    request::GET_MIN_OFFSET,
    request::SEARCH_OFFSET_BY_TIMESTAMP,
    request::GET_EARLIEST_MSG_STORETIME,
    request::GET_TOPIC_STATS_INFO,
    request::VIEW_MESSAGE_BY_ID,
];

/// Those that read the disk, or hold a snapshot of every queue of a topic.
const LONG: [i32; 4] = [
    request::QUERY_MESSAGE,
    request::SEARCH_OFFSET_BY_TIMESTAMP,
    request::GET_EARLIEST_MSG_STORETIME,
    request::GET_TOPIC_STATS_INFO,
];

/// What GET_EARLIEST_MSG_STORETIME says of a queue without messages.
const NO_TIME: i64 = -1;
/// Queues that GET_TOPIC_STATS_INFO tells of: their entries stay well below the largest frame.
const STATS_QUEUES_MAX: u32 = 65_536;

/// Long ones that are under way at once.
const LONG_AT_ONCE: usize = 16;

/// Permits for all long ones of a broker.
pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LONG_AT_ONCE))
}

/// What a LookupService is made of.
#[derive(Clone)]
pub(super) struct LookupService {
    /// Name of the broker, which is part of the name of each of its queues.
    pub(super) broker_name: Arc<str>,
    /// The topics there are.
    pub(super) topics: Published<TopicTable>,
    /// The DispatchActor.
    pub(super) queue_of: Recipient<QueueOf>,
    /// Reads single messages.
    pub(super) pool: ReadPool,
    /// The IndexActor; none when no index is kept.
    pub(super) index: Option<Recipient<IndexSnapshotOf>>,
    /// The rules: how many results a query by id gives.
    pub(super) live: Published<Live>,
    /// Where they lie.
    pub(super) log: LogView,
    /// So many of the [`LONG`] ones are under way at once.
    pub(super) permits: Arc<Semaphore>,
}

impl Service for LookupService {
    fn serve(&self, requests: Vec<Request>) {
        for request in requests {
            let lookup = self.clone();
            actix_rt::spawn(async move {
                let is_long = LONG.contains(&request.command.code);
                let _permit = if is_long { lookup.permits.acquire().await.ok() } else { None };
                let again = || {
                    let lookup = lookup.clone();
                    move |request| lookup.serve(vec![request])
                };
                let Some(request) = when_ready(request, |request| &request.reply, again) else { return };
                match request.command.code {
                    request::VIEW_MESSAGE_BY_ID => lookup.view_message(request),
                    request::QUERY_MESSAGE => lookup.query_message(request).await,
                    _ => {
                        let outcome = lookup.ask(&request.command).await;
                        answer(request.reply, outcome);
                    }
                }
            });
        }
    }
}

impl LookupService {
    async fn ask(&self, command: &Command) -> Result<Command, Refusal> {
        match command.code {
            request::SEARCH_OFFSET_BY_TIMESTAMP => {
                let header = SearchOffset::parse(&command.ext)?;
                let Some(queue) = self.queue(&header.topic, header.queue_id).await? else { return Ok(offset(0)) };
                let snapshot = ask(&queue.snapshot, SnapshotOf).await?;
                let time = StoreTime(header.timestamp);
                let found = self.pool.ask(move |log| {
                    let stored = |at, _| log.with_record(at, |record| record.store_time);
                    snapshot.offset_by_time(time, log.min(), stored)
                });
                Ok(offset(found.await??.0 as i64))
            }
            request::GET_EARLIEST_MSG_STORETIME => {
                let header = QueueHeader::parse(&command.ext)?;
                let Some(queue) = self.queue(&header.topic, header.queue_id).await? else { return Ok(time(NO_TIME)) };
                let snapshot = ask(&queue.snapshot, SnapshotOf).await?;
                let oldest = self.pool.ask(move |log| stored(log, &snapshot, snapshot.min_offset())).await??;
                Ok(time(oldest.map_or(NO_TIME, |oldest| oldest.0)))
            }
            request::GET_TOPIC_STATS_INFO => {
                let stats = self.topic_stats(&OfTopic::parse(&command.ext)?.topic).await?;
                Ok(success().with_body(stats.encode()))
            }
            code => {
                let header = QueueHeader::parse(&command.ext)?;
                let Some(queue) = self.queue(&header.topic, header.queue_id).await? else { return Ok(offset(0)) };
                let bounds = ask(&queue.bounds, BoundsOf).await?;
                Ok(offset(if code == request::GET_MAX_OFFSET { bounds.max.0 } else { bounds.min.0 } as i64))
            }
        }
    }

    async fn topic_stats(&self, name: &str) -> Result<TopicStatsTable, Refusal> {
        let queues = self.topics.load().config(name).map(|config| config.write_queue_nums);
        let queues = queues.ok_or_else(|| unknown_topic(name))?;
        if queues > STATS_QUEUES_MAX {
            let remark = format!("topic[{name}] has {queues} queues, more than {STATS_QUEUES_MAX} fit no answer");
            return Err(Refusal::error(remark));
        }
        let mut snapshots = Vec::new();
        for queue_id in (0..).take(queues as usize) {
            snapshots.push(match self.queue(name, queue_id).await? {
                Some(queue) => Some(ask(&queue.snapshot, SnapshotOf).await?),
                None => None,
            });
        }
        let held = self.pool.ask(move |log| {
            let held = snapshots.iter().map(|queue| match queue {
                Some(queue) => held_by(log, queue),
                None => Ok(TopicOffset::default()),
            });
            held.collect::<Result<Vec<_>, StoreError>>()
        });
        let mut stats = TopicStatsTable::default();
        for (queue_id, held) in (0..).zip(held.await??) {
            let queue = MessageQueue { broker_name: self.broker_name.to_string(), queue_id, topic: name.into() };
            stats.offset_table.insert(queue, held);
        }
        Ok(stats)
    }

    /// A queue that holds or has held something; a name that nobody can have used has none.
    async fn queue(&self, topic: &str, queue_id: i32) -> Result<Option<Arc<QueuePorts>>, Refusal> {
        let (Ok(topic), Ok(queue_id)) = (Topic::parse(topic), u32::try_from(queue_id)) else { return Ok(None) };
        let key = QueueKey { topic, queue_id: QueueId(queue_id) };
        Ok(ask(&self.queue_of, QueueOf { key }).await??)
    }

    fn view_message(&self, request: Request) {
        let header = match ViewMessage::parse(&request.command.ext) {
            Ok(header) => header,
            Err(error) => return request.reply.refuse(error.into()),
        };
        let log = self.log.clone();
        self.pool.run(move |scratch| view(&log, header.offset, request.reply, scratch));
    }
}

fn held_by(log: &LogView, queue: &QueueSnapshot) -> Result<TopicOffset, StoreError> {
    let newest = queue.max_offset().0.checked_sub(1).map(QueueOffset);
    let newest = newest.map_or(Ok(None), |newest| stored(log, queue, newest))?;
    Ok(TopicOffset {
        last_update_timestamp: newest.map_or(0, |time| time.0),
        max_offset: queue.max_offset().0 as i64,
        min_offset: queue.min_offset().0 as i64,
    })
}

/// When an entry's record was stored; `None` when it or its record is not there.
fn stored(log: &LogView, queue: &QueueSnapshot, offset: QueueOffset) -> Result<Option<StoreTime>, StoreError> {
    let entry = queue.entry(offset)?.filter(|entry| !entry.is_blank());
    Ok(entry.and_then(|entry| log.with_record(entry.physical, |record| record.store_time)))
}

fn unknown_topic(name: &str) -> Refusal {
    Refusal::new(response::TOPIC_NOT_EXIST, format!("topic[{name}] not exist"))
}

/// Answers with the record at `offset`. It is read into `scratch`, so that its pages are in memory, and leaves as a slice
/// of the log: who does not read it holds no copy.
fn view(log: &LogView, offset: i64, reply: ReplyTo, scratch: &mut BytesMut) {
    match read(log, offset, scratch) {
        Ok(record) => reply.send_in_bulk(Box::new(Slices::new([record.clone()])), move |out, opaque, serialization| {
            frame::encode_prefix(&success().with_opaque(opaque), serialization, record.len(), out);
        }),
        Err(refusal) => reply.refuse(refusal),
    }
}

fn read(log: &LogView, offset: i64, scratch: &mut BytesMut) -> Result<Bytes, Refusal> {
    let missing = || Refusal::error(format!("can not find message by the offset, {offset}"));
    let at = u64::try_from(offset).map(PhysicalOffset).ok().filter(|at| *at < log.visible()).ok_or_else(missing)?;
    let size = log.record_size(at).ok_or_else(missing)?;
    scratch.clear();
    match log.read_cold(at, size, scratch)? {
        true => log.slice(at, size).ok_or_else(missing),
        false => Err(missing()),
    }
}

fn offset(offset: i64) -> Command {
    success().with_ext(OffsetReply { offset }.to_ext())
}

fn time(timestamp: i64) -> Command {
    success().with_ext(TimestampReply { timestamp }.to_ext())
}
