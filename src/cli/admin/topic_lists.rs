//! topicList, topicClusterList, topicRoute, topicStatus, statsAll: what topics there are, and what is in them.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::page::{Cell, Page, Rows, row};
use super::several::told_by_each;
use crate::admin::{AdminError, BrokerAt};
use crate::broker::stats::Counter;
use crate::client::route::master_address;
use crate::protocol::names::{GroupName, Topic, is_of_a_group};

/// List all topics that the name servers know.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct TopicListArgs {
    /// With the clusters that have them and the groups that consume them.
    #[arg(short, long)]
    cluster_model: bool,
}

impl TopicListArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let topics = context.admin.topics().await?.topic_list;
        if !self.cluster_model {
            let mut rows = Rows::new(&["topic"]);
            topics.into_iter().for_each(|topic| rows.add(row![topic]));
            return Ok(rows.into());
        }
        let mut rows = Rows::new(&["cluster", "topic", "consumerGroup"]);
        for topic in of_applications(&topics) {
            match clusters_and_groups(context, &topic).await {
                Ok(found) => {
                    for (cluster, group) in found {
                        rows.add(row![cluster, topic.as_str(), group]);
                    }
                }
                Err(error) => {
                    warn_of(&topic, &error);
                    rows.add(row![Cell::Nothing, topic.as_str(), Cell::Nothing]);
                }
            }
        }
        Ok(rows.into())
    }
}

/// Each cluster that has a topic with each group that consumes it, or with none if there is none.
async fn clusters_and_groups(context: &Context, topic: &Topic) -> Result<Vec<(String, Option<String>)>, AdminError> {
    let groups: Vec<_> = groups_of(context, topic).await?.into_iter().map(Some).collect();
    let groups = if groups.is_empty() { vec![None] } else { groups };
    let clusters = clusters_of(context, topic).await?.into_iter();
    Ok(clusters.flat_map(|cluster| groups.iter().map(move |group| (cluster.clone(), group.clone()))).collect())
}

/// List the clusters that have a topic.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct TopicClusterListArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
}

impl TopicClusterListArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["cluster"]);
        clusters_of(context, &self.topic).await?.into_iter().for_each(|cluster| rows.add(row![cluster]));
        Ok(rows.into())
    }
}

/// Show the brokers and queues of a topic, as name servers tell clients of them.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct TopicRouteArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// As a table and not as JSON.
    #[arg(short, long)]
    list: bool,
}

impl TopicRouteArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let route = context.admin.routes().of(&self.topic).await?;
        if !self.list {
            return Ok(Page::Json(serde_json::to_value(route)?));
        }
        let mut rows = Rows::new(&["cluster", "broker", "address", "readQueueNums", "writeQueueNums", "perm"]);
        for queues in &route.queue_datas {
            let set = route.broker_datas.iter().find(|set| set.broker_name == queues.broker_name);
            rows.add(row![
                set.map(|set| set.cluster.as_str()),
                &*queues.broker_name,
                master_address(&route, &queues.broker_name),
                queues.read_queue_nums,
                queues.write_queue_nums,
                queues.perm.to_string(),
            ]);
        }
        Ok(rows.into())
    }
}

/// Show how many messages each queue of a topic has.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct TopicStatusArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
}

impl TopicStatusArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["broker", "queue", "minOffset", "maxOffset", "lastUpdated"]);
        let brokers = context.admin.masters_of_topic(&self.topic).await?;
        let ask = async |broker: &BrokerAt| context.admin.topic_stats(&broker.address, &self.topic).await;
        let answers = told_by_each(brokers, ask).await?;
        for (_, stats) in answers {
            for (queue, at) in stats.offset_table.iter() {
                let stored = Cell::time(at.last_update_timestamp);
                rows.add(row![&*queue.broker_name, queue.queue_id, at.min_offset, at.max_offset, stored]);
            }
        }
        Ok(rows.into())
    }
}

/// Show how fast messages come and go, by topic and group.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct StatsAllArgs {
    /// Topics and groups only that had messages within the last day.
    #[arg(short, long)]
    active_topic: bool,
    /// This topic only.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Option<Topic>,
}

impl StatsAllArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let columns = &["topic", "consumerGroup", "accumulation", "inTps", "outTps", "in24Hours", "out24Hours"];
        let mut rows = Rows::new(columns);
        let topics = context.admin.topics().await?.topic_list;
        for topic in of_applications(&topics).filter(|topic| self.topic.as_ref().is_none_or(|wanted| wanted == topic)) {
            match self.rows_of(context, &topic).await {
                Ok(found) => found.into_iter().for_each(|row| rows.add(row)),
                Err(error) => {
                    warn_of(&topic, &error);
                    let mut row = row![topic.as_str()];
                    row.resize(columns.len(), Cell::Nothing);
                    rows.add(row);
                }
            }
        }
        Ok(rows.into())
    }

    /// The rows of a topic: one for each group that consumes it, or one if there is none.
    async fn rows_of(&self, context: &Context, topic: &Topic) -> Result<Vec<Vec<Cell>>, AdminError> {
        let mut rows = Vec::new();
        let put = rate(context, topic, Counter::TopicPutNums, topic.as_str()).await?;
        let groups = groups_of(context, topic).await?;
        for group in groups.iter().filter_map(|name| GroupName::parse(name).ok()) {
            let got = rate(context, topic, Counter::GroupGetNums, &format!("{topic}@{group}")).await?;
            if !self.active_topic || put.of_day > 0 || got.of_day > 0 {
                let behind = behind(context, topic, &group).await?;
                rows.push(row![topic.as_str(), group.as_str(), behind, put.tps, got.tps, put.of_day, got.of_day]);
            }
        }
        if groups.is_empty() && (!self.active_topic || put.of_day > 0) {
            let nothing = Cell::Nothing;
            rows.push(row![topic.as_str(), nothing.clone(), 0, put.tps, nothing.clone(), put.of_day, nothing]);
        }
        Ok(rows)
    }
}

/// How fast something is counted, at all brokers of a topic together.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    tps: f64,
    of_day: i64,
}

async fn rate(context: &Context, topic: &Topic, counter: Counter, key: &str) -> Result<Rate, AdminError> {
    let mut rate = Rate::default();
    for broker in context.admin.masters_of_topic(topic).await? {
        // A broker refuses what it has never counted.
        match context.admin.broker_stats(&broker.address, counter.name(), key).await {
            Err(error) if error.refusal().is_some() => {}
            stats => {
                let stats = stats?;
                rate.tps += stats.stats_minute.tps;
                rate.of_day = rate.of_day.saturating_add(stats.sum_within_a_day());
            }
        }
    }
    Ok(rate)
}

/// By how many messages a group is behind.
async fn behind(context: &Context, topic: &Topic, group: &GroupName) -> Result<i64, AdminError> {
    let mut behind = 0_i64;
    for broker in context.admin.masters_of_topic(topic).await? {
        let stats = context.admin.consume_stats(&broker.address, group, Some(topic)).await?;
        behind = behind.saturating_add(stats.total_diff());
    }
    Ok(behind)
}

async fn groups_of(context: &Context, topic: &Topic) -> Result<BTreeSet<String>, AdminError> {
    let mut groups = BTreeSet::new();
    for broker in context.admin.masters_of_topic(topic).await? {
        groups.extend(context.admin.groups_of_topic(&broker.address, topic).await?.group_list);
    }
    Ok(groups)
}

async fn clusters_of(context: &Context, topic: &Topic) -> Result<BTreeSet<String>, AdminError> {
    let route = context.admin.routes().of(topic).await?;
    Ok(route.broker_datas.into_iter().map(|set| set.cluster).collect())
}

/// The topics of a list but for those that hold what consumers of a group could not handle.
fn of_applications(names: &BTreeSet<String>) -> impl Iterator<Item = Topic> {
    names.iter().filter(|name| !is_of_a_group(name)).filter_map(|name| Topic::parse(name).ok())
}

/// Says why a topic's row is empty: a broker that cannot be asked ends no listing.
fn warn_of(topic: &Topic, error: &AdminError) {
    tracing::warn!("topic {topic}: {error}");
}
