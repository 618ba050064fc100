//! exportMetadata, exportConfigs: what is configured, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, Value, json};

use super::Context;
use super::page::{Page, Rows, row};
use super::target::Target;
use crate::admin::of_cluster;
use crate::broker::groups::is_system_group;
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::body::topic_config::TopicConfig;
use crate::protocol::names::is_of_a_group;

/// Where files are written unless told otherwise, as by mqadmin.
pub(super) const DIRECTORY: &str = "/tmp/rocketmq/export";

/// Write the topics and groups of a broker to a file, or those of a cluster's masters together, with as many queues as they all
/// have.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ExportMetadataArgs {
    #[command(flatten)]
    target: Target,
    /// The directory of the file.
    #[arg(short, long, value_name = "DIR", default_value = DIRECTORY)]
    file_path: PathBuf,
    /// Topics only.
    #[arg(short, long, conflicts_with = "subscription_group")]
    topic: bool,
    /// Groups only.
    #[arg(short = 'g', long)]
    subscription_group: bool,
    /// With the topics of what is tried again and what was given up.
    #[arg(short, long)]
    special_topic: bool,
}

impl ExportMetadataArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let (mut topics, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for broker in context.admin.masters(&self.target.brokers()).await? {
            let own = context.admin.system_topics_of_broker(&broker).await?.topic_list;
            let is_wanted = |name: &str| !own.contains(name) && (self.special_topic || !is_of_a_group(name));
            let table = context.admin.topic_configs(&broker).await?.topic_config_table;
            table
                .values()
                .filter(|config| is_wanted(&config.topic_name))
                .for_each(|config| add_topic(&mut topics, config));
            let table = context.admin.groups(&broker).await?.subscription_group_table;
            let others = table.values().filter(|config| !is_system_group(&config.group_name));
            others.for_each(|config| add_group(&mut groups, config));
        }
        let now_ms = context.clock.now_ms();
        let (name, content) = match (self.topic, self.subscription_group) {
            (true, _) => ("topic.json", json!({ "topicConfigTable": topics, "exportTime": now_ms })),
            (_, true) => ("subscriptionGroup.json", json!({ "subscriptionGroupTable": groups, "exportTime": now_ms })),
            _ => (
                "metadata.json",
                json!({ "topicConfigTable": topics, "subscriptionGroupTable": groups, "exportTime": now_ms }),
            ),
        };
        written(&self.file_path, name, &content)
    }
}

/// Adds a broker's topic: its queues to those that other brokers have of it.
fn add_topic(topics: &mut BTreeMap<String, TopicConfig>, config: &TopicConfig) {
    let known =
        topics.remove(&config.topic_name).map_or((0, 0), |known| (known.read_queue_nums, known.write_queue_nums));
    let read_queue_nums = config.read_queue_nums.saturating_add(known.0);
    let write_queue_nums = config.write_queue_nums.saturating_add(known.1);
    topics.insert(config.topic_name.clone(), TopicConfig { read_queue_nums, write_queue_nums, ..config.clone() });
}

/// The same of a group.
fn add_group(groups: &mut BTreeMap<String, SubscriptionGroupConfig>, config: &SubscriptionGroupConfig) {
    let known = groups.remove(&config.group_name).map_or(0, |known| known.retry_queue_nums);
    let retry_queue_nums = config.retry_queue_nums.saturating_add(known);
    groups.insert(config.group_name.clone(), SubscriptionGroupConfig { retry_queue_nums, ..config.clone() });
}

/// The keys that another cluster needs to serve the same clients in the same way.
const KEYS: [&str; 16] = [
    "autoCreateSubscriptionGroup",
    "autoCreateTopicEnable",
    "brokerClusterName",
    "brokerId",
    "brokerName",
    "brokerRole",
    "fileReservedTime",
    "filterServerNums",
    "flushDiskType",
    "maxMessageSize",
    "messageDelayLevel",
    "msgTraceTopicName",
    "slaveReadEnable",
    "traceOn",
    "traceTopicEnable",
    "useTLS",
];

/// Write what is configured at a cluster's masters, and how large the cluster is, to a file.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ExportConfigsArgs {
    /// The cluster.
    #[arg(short, long, value_name = "NAME")]
    cluster_name: String,
    /// The directory of the file.
    #[arg(short, long, value_name = "DIR", default_value = DIRECTORY)]
    file_path: PathBuf,
}

impl ExportConfigsArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let info = context.admin.cluster_info().await?;
        let brokers = of_cluster(&info, &self.cluster_name)?;
        let (masters, slaves): (Vec<_>, Vec<_>) = brokers.into_iter().partition(|broker| broker.id == MASTER_ID);
        let mut configs = Map::new();
        for master in &masters {
            let mut config = context.admin.broker_config(&master.address).await?;
            config.retain(|key, _| KEYS.contains(&key.as_str()));
            configs.insert(master.name.clone(), serde_json::to_value(config)?);
        }
        let content = json!({
            "brokerConfigs": configs,
            "clusterScale": {
                "namesrvSize": context.admin.name_servers().len(),
                "masterBrokerSize": masters.len(),
                "slaveBrokerSize": slaves.len(),
            },
        });
        written(&self.file_path, "configs.json", &content)
    }
}

pub(super) fn written(directory: &Path, name: &str, content: &Value) -> Result<Page> {
    let path = directory.join(name);
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    std::fs::write(&path, format!("{content:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    let mut rows = Rows::new(&["written"]);
    rows.add(row![path.display().to_string()]);
    Ok(rows.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::topic_config::Permission;

    #[test]
    fn the_queues_of_all_brokers_are_counted() {
        let (mut topics, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for (read_queue_nums, write_queue_nums) in [(4, 3), (8, 2)] {
            let config = TopicConfig { write_queue_nums, ..TopicConfig::new("T", read_queue_nums, Permission::READ) };
            add_topic(&mut topics, &config);
            add_group(
                &mut groups,
                &SubscriptionGroupConfig { retry_queue_nums: 2, ..SubscriptionGroupConfig::new("G") },
            );
        }
        let topic = TopicConfig { write_queue_nums: 5, ..TopicConfig::new("T", 12, Permission::READ) };
        assert_eq!(topics.into_values().collect::<Vec<_>>(), [topic]);
        assert_eq!(groups["G"].retry_queue_nums, 4);
    }
}
