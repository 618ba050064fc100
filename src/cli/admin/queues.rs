//! queryCq, allocateMQ.

use anyhow::{Context as _, Result};
use clap::Args;

use super::Context;
use super::page::{Page, Rows, row};
use crate::client::Queue;
use crate::client::allocation::{Average, share_of};
use crate::client::route::subscribe_queues;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::{QueueId, QueueOffset};

/// Show a consume queue entry by entry: where the messages lie in the log.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryCqArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The queue.
    #[arg(short, long, value_name = "ID")]
    queue: u32,
    /// The first entry.
    #[arg(short, long, value_name = "OFFSET")]
    index: u64,
    /// How many entries.
    #[arg(short, long, value_name = "N", default_value_t = 10)]
    count: u32,
    /// The broker's address, as host:port; without it, the first that has the topic.
    #[arg(short, long, value_name = "ADDRESS")]
    broker: Option<String>,
    /// A group, of which is shown what it wants.
    #[arg(short = 'g', long, value_parser = GroupName::parse)]
    consumer: Option<GroupName>,
}

impl QueryCqArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let broker = match &self.broker {
            Some(address) => address.clone(),
            None => context.admin.masters_of_topic(&self.topic).await?.remove(0).address,
        };
        let (queue, from) = (QueueId(self.queue), QueueOffset(self.index));
        let group = self.consumer.as_ref();
        let page = context.admin.consume_queue(&broker, &self.topic, queue, from, self.count, group).await?;
        let page = page.with_context(|| format!("queue {queue} of {} at {broker} has no entry {from}", self.topic))?;
        let mut entries = Rows::new(&["index", "physicOffset", "physicSize", "tagsCode", "passesFilter"]);
        for (index, entry) in (self.index..).zip(&page.queue_data) {
            entries.add(row![index, entry.physic_offset, entry.physic_size, entry.tags_code, entry.eval]);
        }
        let wanted = page.subscription_data.as_ref().map(|wanted| wanted.sub_string.clone());
        let bounds = vec![
            ("minQueueIndex".to_owned(), page.min_queue_index.into()),
            ("maxQueueIndex".to_owned(), page.max_queue_index.into()),
            ("subscription".to_owned(), wanted.into()),
            ("filterData".to_owned(), page.filter_data.into()),
        ];
        Ok(Page::Parts(vec![("queue".into(), Page::Pairs(bounds)), ("entries".into(), entries.into())]))
    }
}

/// Show which queues of a topic each of some consumers would read.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct AllocateMqArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The consumers' addresses, with commas between them.
    #[arg(short, long, value_name = "ADDRESSES", value_delimiter = ',', required = true)]
    ip_list: Vec<String>,
}

impl AllocateMqArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let queues = subscribe_queues(&context.admin.routes().of(&self.topic).await?);
        let named = |queue: &Queue| MessageQueue {
            broker_name: queue.broker_name.to_string(),
            queue_id: queue.id.0.cast_signed(),
            topic: self.topic.to_string(),
        };
        let queues: Vec<_> = queues.iter().map(named).collect();
        let mut rows = Rows::new(&["ip", "broker", "queue"]);
        for ip in &self.ip_list {
            for queue in share_of(ip, self.ip_list.clone(), queues.clone(), &Average) {
                rows.add(row![&**ip, queue.broker_name, queue.queue_id]);
            }
        }
        Ok(rows.into())
    }
}
