//! Tells administrators how far consumer groups have come, and gives one group the offsets of another.
//!
//! Runs in the connections' tasks and waits in tasks of its own. Asks the OffsetActor for offsets, DispatchActor and
//! QueueActors for queues; reads them in the pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Recipient;
use tokio::sync::Semaphore;

use super::fault::ask;
use super::offset_actor::{CloneOffsets, OffsetsOf};
use super::published::Published;
use super::requests::{answer, serve_each, success};
use super::stats_actor::GroupRates;
use super::store_reads::{StoreReads, stored};
use crate::broker::clients::SubscriptionTable;
use crate::broker::consume_stats::{self, QueueCount, named};
use crate::broker::filter::ConsumerFilters;
use crate::broker::groups::GroupTable;
use crate::broker::offsets::ConsumerOffsets;
use crate::broker::topics::TopicTable;
use crate::net::router::{Request, Service};
use crate::protocol::body::Body;
use crate::protocol::body::consume_queue::ConsumeQueuePage;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::{ConsumeStats, ConsumeStatsList, ConsumeTimeSpans};
use crate::protocol::body::topic_config::TopicConfig;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::consumer::{
    BrokerConsumeStats, CloneOffset, ConsumeStatsOf, ConsumeTimeSpan, CorrectionOffset, QueryConsumeQueue,
};
use crate::protocol::headers::topic::OfTopic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{QueueId, QueueOffset};
use crate::store::{LogView, QueueSnapshot, StoreError};
use crate::time::SharedClock;

/// The codes that a ConsumeStatsService answers.
pub(super) const CODES: [i32; 7] = [
    request::GET_CONSUME_STATS,
    request::GET_BROKER_CONSUME_STATS,
    request::QUERY_CONSUME_TIME_SPAN,
    request::QUERY_TOPIC_CONSUME_BY_WHO,
    request::QUERY_CORRECTION_OFFSET,
    request::CLONE_GROUP_OFFSET,
    request::QUERY_CONSUME_QUEUE,
];

/// Those that hold no queues and do not read the disk.
const SHORT: [i32; 2] = [request::QUERY_TOPIC_CONSUME_BY_WHO, request::CLONE_GROUP_OFFSET];

/// What a ConsumeStatsService is made of.
#[derive(Clone)]
pub(super) struct ConsumeStatsService {
    /// Name of the broker, which is part of the name of each of its queues.
    pub(super) broker_name: Arc<str>,
    /// Where the broker says that it is reached.
    pub(super) address: Arc<str>,
    /// The topics there are.
    pub(super) topics: Published<TopicTable>,
    /// The groups there are.
    pub(super) groups: Published<GroupTable>,
    /// What those want that are online.
    pub(super) subscriptions: Published<SubscriptionTable>,
    /// Their conditions on properties.
    pub(super) filters: Published<ConsumerFilters>,
    /// The OffsetActor.
    pub(super) offsets_of: Recipient<OffsetsOf>,
    /// The same.
    pub(super) clone_offsets: Recipient<CloneOffsets>,
    /// The StatsActor.
    pub(super) group_rates: Recipient<GroupRates>,
    /// Reads queues.
    pub(super) reads: StoreReads,
    /// Tells the time of day.
    pub(super) clock: SharedClock,
    /// So many of those that are not [`SHORT`] are under way at once.
    pub(super) permits: Arc<Semaphore>,
}

/// A group, and the topics of which its progress is told, each with as many queues.
struct Wanted {
    group: String,
    topics: Vec<(String, u32)>,
}

impl Service for ConsumeStatsService {
    fn serve(&self, requests: Vec<Request>) {
        let permits = |code: i32| (!SHORT.contains(&code)).then(|| Arc::clone(&self.permits));
        serve_each(self, requests, permits, async |service: &Self, request| {
            answer(request.reply, service.ask(&request.command).await);
        });
    }
}

impl ConsumeStatsService {
    async fn ask(&self, command: &Command) -> Result<Command, Refusal> {
        let ext = &command.ext;
        let body = match command.code {
            request::GET_CONSUME_STATS => self.of_group(&ConsumeStatsOf::parse(ext)?).await?.encode(),
            request::GET_BROKER_CONSUME_STATS => self.of_all(&BrokerConsumeStats::parse(ext)?).await?.encode(),
            request::QUERY_CONSUME_TIME_SPAN => self.time_spans(ConsumeTimeSpan::parse(ext)?).await?.encode(),
            request::QUERY_TOPIC_CONSUME_BY_WHO => self.groups_of(&OfTopic::parse(ext)?.topic).await?,
            request::QUERY_CORRECTION_OFFSET => self.corrections(&CorrectionOffset::parse(ext)?).await?,
            request::CLONE_GROUP_OFFSET => return self.clone_group(CloneOffset::parse(ext)?).await,
            _ => return self.consume_queue(&QueryConsumeQueue::parse(ext)?).await,
        };
        Ok(success().with_body(body))
    }

    async fn of_group(&self, asked: &ConsumeStatsOf) -> Result<ConsumeStats, Refusal> {
        let (group, topic) = (&asked.consumer_group, named(asked.topic.as_deref()));
        let offsets = self.offsets(topic, Some(group)).await?;
        let mut count = QueueCount::new();
        let topics = self.topics_of(group, topic, &offsets);
        let wanted = self.wanted(group, topics, |config| Some(config.read_queue_nums), &mut count)?;
        let mut all = ConsumeStats::default();
        for stats in self.stats(vec![wanted], offsets).await?.into_iter().flat_map(|(_, stats)| stats) {
            all.consume_tps += stats.consume_tps;
            all.offset_table.0.extend(stats.offset_table.0);
        }
        Ok(all)
    }

    async fn of_all(&self, asked: &BrokerConsumeStats) -> Result<ConsumeStatsList, Refusal> {
        let offsets = self.offsets(None, None).await?;
        // In the pool: there may be thousands of groups with as many topics each.
        let (service, is_order) = (self.clone(), asked.is_order);
        let gather = move |_: &LogView| Ok::<_, Refusal>((service.wanted_by_all(is_order, &offsets)?, offsets));
        let (wanted, offsets) = self.reads.pool.ask(gather).await??;
        let told = self.stats(wanted, offsets).await?;
        let behind = told.iter().flat_map(|(_, stats)| stats).map(ConsumeStats::total_diff);
        let total_diff = behind.fold(0, i64::saturating_add);
        let consume_stats_list = told.into_iter().map(|line| BTreeMap::from([line])).collect();
        Ok(ConsumeStatsList { broker_addr: self.address.to_string(), consume_stats_list, total_diff })
    }

    fn wanted_by_all(&self, is_order: bool, offsets: &ConsumerOffsets) -> Result<Vec<Wanted>, Refusal> {
        let groups = self.groups.load_full();
        let mut count = QueueCount::new();
        let queues = |config: &TopicConfig| (config.order || !is_order).then_some(config.write_queue_nums);
        let wanted = groups.names().map(|group| {
            let topics = self.topics_of(group, None, offsets);
            self.wanted(group, topics, queues, &mut count)
        });
        wanted.collect()
    }

    /// The topics with as many queues as `queues_of` says; it leaves topics out.
    fn wanted(
        &self,
        group: &str,
        topics: Vec<String>,
        queues_of: impl Fn(&TopicConfig) -> Option<u32>,
        count: &mut QueueCount,
    ) -> Result<Wanted, Refusal> {
        let table = self.topics.load();
        let mut wanted = Wanted { group: group.to_owned(), topics: Vec::new() };
        for topic in topics {
            let Some(queues) = table.config(&topic).and_then(|config| queues_of(config)) else { continue };
            count.add(&topic, queues)?;
            wanted.topics.push((topic, queues));
        }
        Ok(wanted)
    }

    /// Each group's progress by topic.
    async fn stats(
        &self,
        wanted: Vec<Wanted>,
        offsets: ConsumerOffsets,
    ) -> Result<Vec<(String, Vec<ConsumeStats>)>, Refusal> {
        let mut snapshots: BTreeMap<String, Vec<Option<QueueSnapshot>>> = BTreeMap::new();
        for (topic, queues) in wanted.iter().flat_map(|wanted| &wanted.topics) {
            if !snapshots.contains_key(topic) {
                snapshots.insert(topic.clone(), self.reads.snapshots(topic, *queues).await?);
            }
        }
        let pairs = wanted
            .iter()
            .flat_map(|Wanted { group, topics }| topics.iter().map(move |(topic, _)| (topic.clone(), group.clone())));
        let of = pairs.collect();
        let mut rates = ask(&self.group_rates, GroupRates { of }).await?.into_iter();
        let broker_name = Arc::clone(&self.broker_name);
        let told = self.reads.pool.ask(move |log| {
            let mut of_group = |wanted: Wanted| {
                let of_topic = |(topic, _): &(String, u32)| {
                    let queues = snapshots.get(topic).map_or(&[][..], Vec::as_slice);
                    let stats = progress_in(log, &broker_name, topic, &wanted.group, queues, &offsets)?;
                    Ok(ConsumeStats { consume_tps: rates.next().unwrap_or(0.0), ..stats })
                };
                let stats = wanted.topics.iter().map(of_topic).collect::<Result<Vec<_>, StoreError>>()?;
                Ok((wanted.group, stats))
            };
            wanted.into_iter().map(&mut of_group).collect::<Result<Vec<_>, StoreError>>()
        });
        Ok(told.await??)
    }

    async fn time_spans(&self, asked: ConsumeTimeSpan) -> Result<ConsumeTimeSpans, Refusal> {
        let ConsumeTimeSpan { topic, group } = asked;
        let queues = self.topics.load().config(&topic).map(|config| config.write_queue_nums);
        let queues = queues.ok_or_else(|| consume_stats::no_topic(&topic))?;
        QueueCount::new().add(&topic, queues)?;
        let offsets = self.offsets(Some(&topic), Some(&group)).await?;
        let snapshots = self.reads.snapshots(&topic, queues).await?;
        let (broker_name, now_ms) = (Arc::clone(&self.broker_name), self.clock.now_ms());
        let spans = self.reads.pool.ask(move |log| {
            let span = |(queue_id, queue): (u32, &Option<QueueSnapshot>)| {
                let consumed = offsets.stored(&topic, &group, QueueId(queue_id));
                let named = queue_named(&broker_name, &topic, queue_id);
                let stored_at = |offset| queue.as_ref().map_or(Ok(None), |queue| stored(log, queue, offset));
                consume_stats::time_span(named, bounds(queue.as_ref()), consumed, now_ms, stored_at)
            };
            (0..).zip(&snapshots).map(span).collect::<Result<Vec<_>, StoreError>>()
        });
        Ok(ConsumeTimeSpans { consume_time_span_set: spans.await?? })
    }

    async fn groups_of(&self, topic: &str) -> Result<bytes::Bytes, Refusal> {
        let offsets = self.offsets(Some(topic), None).await?;
        let subscriptions = self.subscriptions.load();
        let online = subscriptions.groups_of(topic).map(|group| &**group);
        Ok(consume_stats::groups_of(topic, online, &offsets).encode())
    }

    async fn corrections(&self, asked: &CorrectionOffset) -> Result<bytes::Bytes, Refusal> {
        let offsets = self.offsets(Some(&asked.topic), None).await?;
        let counted = consume_stats::counted(&asked.topic, &offsets, asked.filter_groups.as_deref());
        let mut starts = BTreeMap::new();
        for queue in counted.iter().flat_map(|queues| queues.keys()) {
            if starts.contains_key(queue) {
                continue;
            }
            QueueCount::new().add(&asked.topic, u32::try_from(starts.len()).unwrap_or(u32::MAX))?;
            let snapshot = self.reads.snapshot(&asked.topic, queue.0.cast_signed()).await?;
            starts.insert(*queue, bounds(snapshot.as_ref()).0);
        }
        let min_of = |queue: QueueId| starts.get(&queue).copied().unwrap_or(QueueOffset(0));
        Ok(consume_stats::corrections(&counted, min_of).encode())
    }

    /// It is in the table when this is answered.
    async fn clone_group(&self, asked: CloneOffset) -> Result<Command, Refusal> {
        let topic = named(asked.topic.as_deref());
        let offsets = self.offsets(topic, Some(&asked.source)).await?;
        let topics = match asked.offline {
            true => consume_stats::topics_of(&asked.source, topic, &offsets, &self.topics.load(), None),
            false => self.topics_of(&asked.source, topic, &offsets),
        };
        ask(&self.clone_offsets, CloneOffsets { source: asked.source, target: asked.target, topics }).await?;
        Ok(success())
    }

    /// The queue that is not there is refused; the entry that is not there only remarked on, as in the reference.
    async fn consume_queue(&self, asked: &QueryConsumeQueue) -> Result<Command, Refusal> {
        let (topic, queue_id) = (&asked.topic, asked.queue_id.unwrap_or(0));
        let queue = self.reads.snapshot(topic, queue_id).await?;
        let queue = queue.ok_or_else(|| Refusal::error(format!("{queue_id}@{topic} is not exist!")))?;
        let (min, max) = bounds(Some(&queue));
        let (index, count) = (asked.index.unwrap_or(0), consume_stats::shown(asked.count));
        let from = QueueOffset(u64::try_from(index).unwrap_or(u64::MAX));
        let read = move |_: &LogView| match queue.entry(from)? {
            Some(_) => queue.entries(from, count).map(Some),
            None => Ok(None),
        };
        let Some(entries) = self.reads.pool.ask(read).await?? else {
            return Ok(success().with_remark(format!("Index {index} of {queue_id}@{topic} is not exist!")));
        };
        let mut page = ConsumeQueuePage {
            max_queue_index: max.0 as i64,
            min_queue_index: min.0 as i64,
            queue_data: entries.iter().map(consume_stats::line).collect(),
            ..ConsumeQueuePage::default()
        };
        if let Some(group) = &asked.consumer_group {
            let subscriptions = self.subscriptions.load();
            let wanted = subscriptions.group(group).and_then(|group| group.topics.get(&**topic));
            page.subscription_data = wanted.map(|wanted| Arc::clone(&wanted.data));
            page.filter_data = Some(match page.subscription_data {
                Some(_) => self.filters.load().describe(topic, group).unwrap_or_else(|| "null".into()),
                None => format!("{group}@{topic} is not online!"),
            });
        }
        Ok(success().with_body(page.encode()))
    }

    async fn offsets(&self, topic: Option<&str>, group: Option<&str>) -> Result<ConsumerOffsets, Refusal> {
        let (topic, group) = (topic.map(ToOwned::to_owned), group.map(ToOwned::to_owned));
        ask(&self.offsets_of, OffsetsOf { topic, group }).await
    }

    fn topics_of(&self, group: &str, topic: Option<&str>, offsets: &ConsumerOffsets) -> Vec<String> {
        let subscriptions = self.subscriptions.load();
        let online = subscriptions.group(group).map(|online| &**online);
        consume_stats::topics_of(group, topic, offsets, &self.topics.load(), online)
    }
}

fn progress_in(
    log: &LogView,
    broker_name: &str,
    topic: &str,
    group: &str,
    queues: &[Option<QueueSnapshot>],
    offsets: &ConsumerOffsets,
) -> Result<ConsumeStats, StoreError> {
    let mut stats = ConsumeStats::default();
    for (queue_id, queue) in (0..).zip(queues) {
        let consumed = offsets.stored(topic, group, QueueId(queue_id));
        let stored_at = |offset| queue.as_ref().map_or(Ok(None), |queue| stored(log, queue, offset));
        let progress = consume_stats::progress(bounds(queue.as_ref()).1, consumed, stored_at)?;
        stats.offset_table.insert(queue_named(broker_name, topic, queue_id), progress);
    }
    Ok(stats)
}

/// The first entry of a queue that is still there, and the one that will be written next.
fn bounds(queue: Option<&QueueSnapshot>) -> (QueueOffset, QueueOffset) {
    queue.map_or((QueueOffset(0), QueueOffset(0)), |queue| (queue.min_offset(), queue.max_offset()))
}

fn queue_named(broker_name: &str, topic: &str, queue_id: u32) -> MessageQueue {
    MessageQueue { broker_name: broker_name.into(), queue_id: queue_id.cast_signed(), topic: topic.into() }
}
