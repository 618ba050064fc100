//! resetOffsetByTime, skipAccumulatedMessage, cloneGroupOffset: groups that are sent elsewhere.

use anyhow::Result;
use clap::{ArgAction, Args};

use super::page::{Page, Rows, row};
use super::several::HalfDone;
use super::{Context, Usage, moment};
use crate::admin::{Reset, ResetTo};
use crate::protocol::codes::response;
use crate::protocol::command::Language;
use crate::protocol::names::{GroupName, Topic};

/// The group and the topic in which it goes on elsewhere.
#[derive(Args, Clone, Debug)]
struct Whose {
    /// The group.
    #[arg(short, long, value_parser = GroupName::parse)]
    group: GroupName,
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// Whether it may go forward, and not only back.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    force: bool,
}

/// Have a consumer group go on at a time.
///
/// Consumers that are online are told by their brokers; of a group without any, what is stored of its progress is changed.
#[derive(Args, Clone, Debug)]
pub(super) struct ResetOffsetByTimeArgs {
    #[command(flatten)]
    whose: Whose,
    /// The time: now, or -1, for the end; milliseconds, 2026-11-21#05:51:06:000 of this place, or 2026-11-21T05:51:06Z.
    #[arg(short = 's', long, value_name = "TIME", allow_negative_numbers = true)]
    timestamp: String,
    /// Consumers written in C++ are told.
    #[arg(short, long)]
    cplus: bool,
}

impl ResetOffsetByTimeArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let to = match self.timestamp.as_str() {
            "now" | "-1" => ResetTo::End,
            text => ResetTo::Time(moment::parse(text).map_err(|error| Usage(format!("--timestamp: {error}")))?),
        };
        let consumers = if self.cplus { Language::Cpp } else { Language::Java };
        reset(context, &self.whose, Reset { to, force: self.whose.force, consumers }).await
    }
}

/// Have a consumer group pass over all messages that it has not consumed.
#[derive(Args, Clone, Debug)]
pub(super) struct SkipAccumulatedMessageArgs {
    #[command(flatten)]
    whose: Whose,
}

impl SkipAccumulatedMessageArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let consumers = Language::Java;
        reset(context, &self.whose, Reset { to: ResetTo::End, force: self.whose.force, consumers }).await
    }
}

async fn reset(context: &Context, whose: &Whose, reset: Reset) -> Result<Page> {
    let (admin, Whose { group, topic, .. }) = (&context.admin, whose);
    let mut rows = Rows::new(&["broker", "queue", "offsetBefore", "offset", "told"]);
    for broker in admin.masters_of_topic(topic).await? {
        match admin.reset_offsets(&broker.address, group, topic, reset).await {
            Err(error) if error.refusal() == Some(response::CONSUMER_NOT_ONLINE) => {
                let stored = admin.reset_stored_offsets(&broker.address, group, topic, reset).await;
                for (queue, at) in stored.map_err(HalfDone::behind(&rows))? {
                    rows.add(row![queue.broker_name, queue.queue_id, at.before.0, at.now.0, "broker"]);
                }
            }
            told => {
                for (queue, offset) in told.map_err(HalfDone::behind(&rows))?.0 {
                    rows.add(row![queue.broker_name, queue.queue_id, None::<i64>, offset, "consumers"]);
                }
            }
        }
    }
    Ok(rows.into())
}

/// Give a consumer group the progress of another one.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct CloneGroupOffsetArgs {
    /// The group that has it.
    #[arg(short, long, value_parser = GroupName::parse)]
    src_group: GroupName,
    /// The group that gets it.
    #[arg(short, long, value_parser = GroupName::parse)]
    dest_group: GroupName,
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// Whether what the groups subscribe to does not matter.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    offline: bool,
}

impl CloneGroupOffsetArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["broker", "topic", "srcGroup", "destGroup"]);
        for broker in context.admin.masters_of_topic(&self.topic).await? {
            let (source, target) = (&self.src_group, &self.dest_group);
            let (topic, admin) = (Some(&self.topic), &context.admin);
            let cloned = admin.clone_offsets(&broker.address, source, target, topic, self.offline).await;
            cloned.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker.name, self.topic.as_str(), source.as_str(), target.as_str()]);
        }
        Ok(rows.into())
    }
}
