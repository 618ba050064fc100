//! Answers questions about one queue or one message: bounds, offsets by time, a message by where it lies; and about all
//! queues of a topic: what they hold.
//!
//! Runs in the connections' tasks and waits in tasks of its own: a question may have to open a queue first.

mod query;

use std::sync::Arc;

use actix::Recipient;
use bytes::BytesMut;
use tokio::sync::Semaphore;

use super::fault::ask;
use super::index_actor::IndexSnapshotOf;
use super::live::Live;
use super::published::Published;
use super::queue_actor::{BoundsOf, SnapshotOf};
use super::read_pool::QUESTION_THREADS;
use super::requests::{answer, serve_each, success};
use super::store_reads::{StoreReads, nearest, record, stored};
use crate::broker::consume_stats::{QueueCount, no_topic};
use crate::broker::topics::TopicTable;
use crate::net::bulk::Slices;
use crate::net::reply::ReplyTo;
use crate::net::router::{Request, Service};
use crate::protocol::body::Body;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::{TopicOffset, TopicStatsTable};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::frame;
use crate::protocol::headers::offset::{
    OffsetReply, QueueOf as QueueHeader, SearchOffset, TimestampReply, ViewMessage,
};
use crate::protocol::headers::topic::OfTopic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{QueueOffset, StoreTime};
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

/// Long ones that are under way at once: a thread is left for the others.
const LONG_AT_ONCE: usize = QUESTION_THREADS - 1;

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
    /// Reads queues and single messages.
    pub(super) reads: StoreReads,
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
        let permits = |code: i32| LONG.contains(&code).then(|| Arc::clone(&self.permits));
        serve_each(self, requests, permits, async |lookup: &Self, request| match request.command.code {
            request::VIEW_MESSAGE_BY_ID => lookup.view_message(request),
            request::QUERY_MESSAGE => lookup.query_message(request).await,
            _ => answer(request.reply, lookup.ask(&request.command).await),
        });
    }
}

impl LookupService {
    async fn ask(&self, command: &Command) -> Result<Command, Refusal> {
        match command.code {
            request::SEARCH_OFFSET_BY_TIMESTAMP => {
                let header = SearchOffset::parse(&command.ext)?;
                let Some(queue) = self.reads.queue(&header.topic, header.queue_id).await? else { return Ok(offset(0)) };
                let snapshot = ask(&queue.seldom.snapshot(), SnapshotOf).await?;
                let time = StoreTime(header.timestamp);
                let found = self.reads.pool.ask(move |log| nearest(log, &snapshot, time));
                Ok(offset(found.await??.0 as i64))
            }
            request::GET_EARLIEST_MSG_STORETIME => {
                let header = QueueHeader::parse(&command.ext)?;
                let Some(queue) = self.reads.queue(&header.topic, header.queue_id).await? else {
                    return Ok(time(NO_TIME));
                };
                let snapshot = ask(&queue.seldom.snapshot(), SnapshotOf).await?;
                let oldest = self.reads.pool.ask(move |log| stored(log, &snapshot, snapshot.min_offset())).await??;
                Ok(time(oldest.map_or(NO_TIME, |oldest| oldest.0)))
            }
            request::GET_TOPIC_STATS_INFO => {
                let stats = self.topic_stats(&OfTopic::parse(&command.ext)?.topic).await?;
                Ok(success().with_body(stats.encode()))
            }
            code => {
                let header = QueueHeader::parse(&command.ext)?;
                let Some(queue) = self.reads.queue(&header.topic, header.queue_id).await? else { return Ok(offset(0)) };
                let bounds = ask(&queue.seldom.bounds(), BoundsOf).await?;
                Ok(offset(if code == request::GET_MAX_OFFSET { bounds.max.0 } else { bounds.min.0 } as i64))
            }
        }
    }

    async fn topic_stats(&self, name: &str) -> Result<TopicStatsTable, Refusal> {
        let queues = self.topics.load().config(name).map(|config| config.write_queue_nums);
        let queues = queues.ok_or_else(|| no_topic(name))?;
        QueueCount::new().add(name, queues)?;
        let snapshots = self.reads.snapshots(name, queues).await?;
        let held = self.reads.pool.ask(move |log| {
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

    fn view_message(&self, request: Request) {
        let header = match ViewMessage::parse(&request.command.ext) {
            Ok(header) => header,
            Err(error) => return request.reply.refuse(error.into()),
        };
        let log = self.log.clone();
        self.reads.pool.run(move |scratch| view(&log, header.offset, request.reply, scratch));
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

/// Answers with the record at `offset`, which leaves as a slice of the log.
fn view(log: &LogView, offset: i64, reply: ReplyTo, scratch: &mut BytesMut) {
    match record(log, offset, scratch) {
        Ok(record) => reply.send_in_bulk(Box::new(Slices::new([record.clone()])), move |out, opaque, serialization| {
            frame::encode_prefix(&success().with_opaque(opaque), serialization, record.len(), out);
        }),
        Err(refusal) => reply.refuse(refusal),
    }
}

fn offset(offset: i64) -> Command {
    success().with_ext(OffsetReply { offset }.to_ext())
}

fn time(timestamp: i64) -> Command {
    success().with_ext(TimestampReply { timestamp }.to_ext())
}
