//! consumerProgress, brokerConsumeStats: how far groups have come.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use clap::{ArgAction, Args};

use super::connections::{by_id, of_group};
use super::page::{Cell, Page, Rows, row};
use super::{Context, wire_name};
use crate::admin::{Admin, AdminError};
use crate::client::ClientError;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::ConsumeStats;
use crate::protocol::names::{GroupName, RETRY_PREFIX};

/// Show how far a consumer group has come in each queue; without a group, how far all of them are behind.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ConsumerProgressArgs {
    /// The group.
    #[arg(short, long, value_parser = GroupName::parse)]
    group_name: Option<GroupName>,
    /// Whether to show which client reads each queue.
    #[arg(short, long = "showClientIP", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    show_client_ip: bool,
}

impl ConsumerProgressArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        match &self.group_name {
            Some(group) => self.of_one(context, group).await,
            None => of_all(context).await,
        }
    }

    async fn of_one(&self, context: &Context, group: &GroupName) -> Result<Page> {
        let stats = stats_of(&context.admin, group).await?;
        let readers = if self.show_client_ip { readers(context, group).await? } else { BTreeMap::new() };
        let columns = &["topic", "broker", "queue", "brokerOffset", "consumerOffset", "clientIp", "diff", "lastTime"];
        let mut rows = Rows::new(columns);
        for (queue, at) in stats.offset_table.iter() {
            let reader = readers.get(queue).cloned();
            let (queue_id, last) = (queue.queue_id, Cell::time(at.last_timestamp));
            let (topic, broker) = (&*queue.topic, &*queue.broker_name);
            rows.add(row![topic, broker, queue_id, at.broker_offset, at.consumer_offset, reader, at.diff(), last]);
        }
        let totals = vec![
            ("consumeTps".to_owned(), stats.consume_tps.into()),
            ("diffTotal".to_owned(), stats.total_diff().into()),
        ];
        Ok(Page::Parts(vec![("queues".into(), rows.into()), ("total".into(), Page::Pairs(totals))]))
    }
}

/// How far a group has come, at all its brokers together.
async fn stats_of(admin: &Admin, group: &GroupName) -> Result<ConsumeStats, AdminError> {
    let mut all = ConsumeStats::default();
    for broker in admin.masters_of_group(group).await? {
        let stats = admin.consume_stats(&broker.address, group, None).await?;
        all.consume_tps += stats.consume_tps;
        all.offset_table.0.extend(stats.offset_table.0);
    }
    Ok(all)
}

/// The address of the client that reads each queue, as the clients say themselves.
async fn readers(context: &Context, group: &GroupName) -> Result<BTreeMap<MessageQueue, String>> {
    let mut readers = BTreeMap::new();
    for broker in context.admin.masters_of_group(group).await? {
        let Ok(told) = of_group(context, group, Some(&broker.address)).await else { continue };
        for (id, client) in by_id(told.connection_set) {
            // A client that does not answer leaves its queues without a name, and no others.
            let Ok(info) = context.admin.consumer_running_info(&broker.address, group, &id, false).await else {
                continue;
            };
            let host = client.client_addr.rsplit_once(':').map_or(&*client.client_addr, |(host, _)| host);
            readers.extend(info.mq_table.0.into_keys().map(|queue| (queue, host.to_owned())));
        }
    }
    Ok(readers)
}

/// Whether a broker has said that nobody of a group is there.
fn is_refusal(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|error| error.refusal().is_some())
}

async fn of_all(context: &Context) -> Result<Page> {
    let columns = &["consumerGroup", "clients", "consumeType", "messageModel", "consumeTps", "diffTotal"];
    let mut rows = Rows::new(columns);
    for topic in context.admin.topics().await?.topic_list {
        let Some(group) = topic.strip_prefix(RETRY_PREFIX).and_then(|name| GroupName::parse(name).ok()) else {
            continue;
        };
        // A group that cannot be told of hides none of the others.
        let stats = stats_of(&context.admin, &group).await;
        let stats = stats.inspect_err(|error| tracing::warn!("group {group}: {error}")).ok();
        let (tps, diff) = (stats.as_ref().map(|stats| stats.consume_tps), stats.as_ref().map(ConsumeStats::total_diff));
        let online = of_group(context, &group, None).await;
        let clients = match &online {
            Ok(told) => Some(by_id(told.connection_set.clone()).collect::<BTreeMap<_, _>>().len()),
            Err(error) => is_refusal(error).then_some(0),
        };
        let online = online.ok();
        let consume_type = online.as_ref().map(|told| wire_name(&told.consume_type));
        let model = online.as_ref().map(|told| wire_name(&told.message_model));
        rows.add(row![group.as_str(), clients, consume_type, model, tps, diff]);
    }
    Ok(rows.into())
}

/// Show how far every group has come in every topic of a broker.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct BrokerConsumeStatsArgs {
    /// The broker's address, as host:port.
    #[arg(short, long, value_name = "ADDRESS")]
    broker_addr: String,
    /// Whether to show ordered topics only.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    order: bool,
    /// Queues only in which a group is behind by so many messages, or more.
    #[arg(short, long, value_name = "MESSAGES", default_value_t = 0)]
    level: i64,
    /// How long the broker has for its answer, in milliseconds.
    #[arg(short, long, value_name = "MS", default_value_t = 50_000)]
    timeout_millis: u64,
}

impl BrokerConsumeStatsArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let limit = Duration::from_millis(self.timeout_millis);
        let admin = Admin::on(context.access.connections(), &context.name_servers)?.with_limit(limit);
        let told = admin.broker_consume_stats(&self.broker_addr, self.order).await?;
        let columns =
            &["topic", "consumerGroup", "broker", "queue", "brokerOffset", "consumerOffset", "diff", "lastTime"];
        let mut rows = Rows::new(columns);
        for (group, stats) in told.consume_stats_list.iter().flatten() {
            for (queue, at) in stats.iter().flat_map(|stats| stats.offset_table.iter()) {
                if at.diff() >= self.level {
                    let (topic, broker, last) = (&*queue.topic, &*queue.broker_name, Cell::time(at.last_timestamp));
                    let offsets = (at.broker_offset, at.consumer_offset);
                    rows.add(row![topic, &**group, broker, queue.queue_id, offsets.0, offsets.1, at.diff(), last]);
                }
            }
        }
        let total = vec![("diffTotal".to_owned(), told.total_diff.into())];
        Ok(Page::Parts(vec![("queues".into(), rows.into()), ("total".into(), Page::Pairs(total))]))
    }
}
