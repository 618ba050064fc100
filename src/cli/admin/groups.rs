//! updateSubGroup, deleteSubGroup, getConsumerConfig.

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::Context;
use super::page::{Page, Rows, row};
use super::several::{HalfDone, ask_each};
use super::target::Target;
use super::topics;
use crate::admin::Brokers;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::names::{GroupName, Topic};

const COLUMNS: &[&str] = &[
    "broker",
    "groupName",
    "consumeEnable",
    "consumeFromMinEnable",
    "consumeBroadcastEnable",
    "retryQueueNums",
    "retryMaxTimes",
    "brokerId",
    "whichBrokerWhenConsumeSlowly",
    "notifyConsumerIdsChanged",
];

/// Make a consumer group, or give it other settings.
///
/// What is not named gets its default, also where the group was there already.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateSubGroupArgs {
    #[command(flatten)]
    target: Target,
    /// The group.
    #[arg(short, long, value_parser = GroupName::parse)]
    group_name: GroupName,
    /// Whether it may consume.
    #[arg(short = 's', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    consume_enable: bool,
    /// Carried along; no broker heeds it.
    #[arg(short = 'm', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    consume_from_min_enable: bool,
    /// Whether each of its members may consume all messages.
    #[arg(short = 'd', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    consume_broadcast_enable: bool,
    /// Queues for messages that are tried again.
    #[arg(short = 'q', long, value_name = "N", default_value_t = 1)]
    retry_queue_nums: u32,
    /// How often a message is tried again.
    #[arg(short, long, value_name = "N", default_value_t = 16)]
    retry_max_times: i32,
    /// The broker of a set to read from: 0 is the master.
    #[arg(short = 'i', long, value_name = "ID", default_value_t = 0)]
    broker_id: i64,
    /// The one to read from for who is far behind.
    #[arg(short, long, value_name = "ID", default_value_t = 1)]
    which_broker_when_consume_slowly: i64,
    /// Whether members are told when others come and go.
    #[arg(short = 'a', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    notify_consumer_ids_changed: bool,
}

impl UpdateSubGroupArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let config = SubscriptionGroupConfig {
            broker_id: self.broker_id,
            consume_broadcast_enable: self.consume_broadcast_enable,
            consume_enable: self.consume_enable,
            consume_from_min_enable: self.consume_from_min_enable,
            group_name: self.group_name.to_string(),
            notify_consumer_ids_changed_enable: self.notify_consumer_ids_changed,
            retry_max_times: self.retry_max_times,
            retry_queue_nums: self.retry_queue_nums,
            which_broker_when_consume_slowly: self.which_broker_when_consume_slowly,
        };
        let mut rows = Rows::new(COLUMNS);
        for broker in context.admin.masters(&self.target.brokers()).await? {
            context.admin.save_group(&broker, &config).await.map_err(HalfDone::behind(&rows))?;
            add(&mut rows, &broker, &config);
        }
        Ok(rows.into())
    }
}

/// Delete a consumer group. From a whole cluster, its messages that wait to be tried again, and those given up, go too.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct DeleteSubGroupArgs {
    #[command(flatten)]
    target: Target,
    /// The group.
    #[arg(short, long, value_parser = GroupName::parse)]
    group_name: GroupName,
    /// Whether what it has stored of its progress goes too.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    remove_offset: bool,
}

impl DeleteSubGroupArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(topics::DELETED);
        for broker in context.admin.masters(&self.target.brokers()).await? {
            let deleted = context.admin.delete_group(&broker, &self.group_name, self.remove_offset).await;
            deleted.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, self.group_name.as_str()]);
        }
        if let Some(cluster) = self.target.cluster() {
            for topic in [Topic::retry_of(&self.group_name)?, Topic::dead_letters_of(&self.group_name)?] {
                let deleted = topics::delete(context, &topic, cluster, &mut rows).await;
                deleted.map_err(HalfDone::behind(&rows))?;
            }
        }
        Ok(rows.into())
    }
}

/// Show a consumer group's settings at each broker that has it.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct GetConsumerConfigArgs {
    /// The group.
    #[arg(short, long, value_parser = GroupName::parse)]
    group_name: GroupName,
}

impl GetConsumerConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let brokers = context.admin.masters(&Brokers::All).await?;
        let (answers, failures) = ask_each(brokers, async |broker| context.admin.groups(broker).await).await;
        let mut rows = Rows::new(COLUMNS);
        for (broker, groups) in &answers {
            let config = groups.subscription_group_table.get(self.group_name.as_str());
            config.into_iter().for_each(|config| add(&mut rows, broker, config));
        }
        failures.beside(!rows.is_empty())?;
        ensure!(!rows.is_empty(), "no broker knows a group {}", self.group_name);
        Ok(rows.into())
    }
}

fn add(rows: &mut Rows, broker: &str, config: &SubscriptionGroupConfig) {
    rows.add(row![
        broker,
        &*config.group_name,
        config.consume_enable,
        config.consume_from_min_enable,
        config.consume_broadcast_enable,
        config.retry_queue_nums,
        config.retry_max_times,
        config.broker_id,
        config.which_broker_when_consume_slowly,
        config.notify_consumer_ids_changed_enable,
    ]);
}
