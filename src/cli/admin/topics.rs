//! updateTopic, updateTopicPerm, deleteTopic.

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::order;
use super::page::{Page, Rows, row};
use super::several::HalfDone;
use super::target::Target;
use super::{Context, Usage};
use crate::admin::{AdminError, Brokers};
use crate::client::route::master_address;
use crate::protocol::body::topic_config::{Permission, TopicConfig, topic_sys_flag};
use crate::protocol::names::Topic;

/// Make a topic, or give it other settings.
///
/// Name servers hear of it a moment after the brokers have it.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateTopicArgs {
    #[command(flatten)]
    target: Target,
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// Queues that consumers see, on each broker.
    #[arg(short, long, value_name = "N", default_value_t = 8)]
    read_queue_nums: u32,
    /// Queues that producers see, on each broker.
    #[arg(short, long, value_name = "N", default_value_t = 8)]
    write_queue_nums: u32,
    /// What may be done with it: 2 send, 4 read, 6 both.
    #[arg(short, long, value_parser = permission, default_value = "6")]
    perm: Permission,
    /// Whether producers and consumers are to rely on the number of its queues, for messages in order.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    order: bool,
    /// Whether it belongs to one unit of a cross-unit deployment.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    unit: bool,
    /// Whether consumers of another unit subscribe to it.
    #[arg(short = 's', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    has_unit_sub: bool,
}

impl UpdateTopicArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let flag = |set: bool, flag: i32| if set { flag } else { 0 };
        let unit = flag(self.unit, topic_sys_flag::UNIT);
        let config = TopicConfig {
            read_queue_nums: self.read_queue_nums,
            write_queue_nums: self.write_queue_nums,
            topic_sys_flag: unit | flag(self.has_unit_sub, topic_sys_flag::UNIT_SUBSCRIPTION),
            order: self.order,
            ..TopicConfig::new(self.topic.as_str(), self.read_queue_nums, self.perm)
        };
        let brokers = context.admin.masters(&self.target.brokers()).await?;
        // Looked up first: what cannot be noted as ordered is not made.
        let sets = if self.order { order::sets_of(&context.admin, &brokers).await? } else { Vec::new() };
        let mut rows = Rows::new(&["broker", "topic", "readQueueNums", "writeQueueNums", "perm", "order"]);
        for broker in &brokers {
            context.admin.save_topic(broker, &config).await.map_err(HalfDone::behind(&rows))?;
            let numbers = (config.read_queue_nums, config.write_queue_nums);
            rows.add(row![&**broker, self.topic.as_str(), numbers.0, numbers.1, config.perm.to_string(), self.order]);
        }
        if self.order {
            let kept = order::keep(&context.admin, &self.topic, &sets, self.write_queue_nums).await;
            kept.map_err(HalfDone::behind(&rows))?;
        }
        Ok(rows.into())
    }
}

/// Change what may be done with a topic.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateTopicPermArgs {
    #[command(flatten)]
    target: Target,
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// What may be done with it: 2 send, 4 read, 6 both.
    #[arg(short, long, value_parser = permission)]
    perm: Permission,
}

impl UpdateTopicPermArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let route = context.admin.routes().of(&self.topic).await?;
        let wanted = context.admin.masters(&self.target.brokers()).await?;
        let mut rows = Rows::new(&["broker", "topic", "permBefore", "perm"]);
        // What else is configured is taken from the route: brokers before RocketMQ 5 do not tell of one topic alone.
        for queues in &route.queue_datas {
            let master = master_address(&route, &queues.broker_name);
            let Some(broker) = master.filter(|master| wanted.iter().any(|wanted| wanted == master)) else { continue };
            let config = TopicConfig {
                read_queue_nums: queues.read_queue_nums,
                write_queue_nums: queues.write_queue_nums,
                topic_sys_flag: queues.topic_sys_flag,
                order: route.order_topic_conf.is_some(),
                ..TopicConfig::new(self.topic.as_str(), queues.read_queue_nums, self.perm)
            };
            context.admin.save_topic(broker, &config).await.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, self.topic.as_str(), queues.perm.to_string(), self.perm.to_string()]);
        }
        ensure!(!rows.is_empty(), "topic {} is at none of {}", self.topic, wanted.join(", "));
        Ok(rows.into())
    }
}

/// Delete a topic with its messages from a cluster.
///
/// Brokers first, then name servers, which would hear of it again otherwise; then what is configured of its order at those brokers.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct DeleteTopicArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The cluster that it is deleted from.
    #[arg(short, long, value_name = "NAME")]
    cluster_name: String,
}

impl DeleteTopicArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(DELETED);
        let deleted = delete(context, &self.topic, &self.cluster_name, &mut rows).await;
        deleted.map_err(HalfDone::behind(&rows))?;
        Ok(rows.into())
    }
}

/// The columns that tell of what was deleted.
pub(super) const DELETED: &[&str] = &["broker", "deleted"];

/// Deletes a topic from a cluster; adds the brokers that it was deleted at to the rows.
pub(super) async fn delete(context: &Context, topic: &Topic, cluster: &str, rows: &mut Rows) -> Result<(), AdminError> {
    let admin = &context.admin;
    let brokers = admin.masters(&Brokers::OfCluster(cluster.into())).await?;
    let sets = order::sets_of(admin, &brokers).await?;
    for broker in &brokers {
        admin.delete_topic(broker, topic).await?;
        rows.add(row![&**broker, topic.as_str()]);
    }
    admin.delete_route(topic, Some(cluster)).await?;
    order::forget(admin, topic, &sets).await
}

fn permission(text: &str) -> Result<Permission, Usage> {
    match text {
        "2" => Ok(Permission::WRITE),
        "4" => Ok(Permission::READ),
        "6" => Ok(Permission::READ_WRITE),
        _ => Err(Usage("expected 2 (send), 4 (read) or 6 (both)".into())),
    }
}
