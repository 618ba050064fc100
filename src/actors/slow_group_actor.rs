//! Switches off consumer groups that have fallen too far behind, so that what they read from the disk does not slow the
//! others down (`disableConsumeIfConsumerReadSlowly`).
//!
//! Takes [`CheckGroups`], which it also does by itself from time to time. Asks the OffsetActor for offsets, DispatchActor
//! and QueueActors for queues, reads them in the pool, and sends [`SwitchOff`] to the GroupActor. When it dies it begins
//! anew.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, Supervised};
use tokio::task::JoinHandle;

use super::fault::{Faults, Guarded, OnPanic, ask, guarded, notify};
use super::group_actor::SwitchOff;
use super::live::Live;
use super::offset_actor::OffsetsOf;
use super::published::Published;
use super::store_reads::StoreReads;
use crate::broker::clients::SubscriptionTable;
use crate::broker::groups::GroupTable;
use crate::broker::offsets::ConsumerOffsets;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, QueueOffset};
use crate::store::{LogView, QueueSnapshot, StoreError};

/// Look at the groups now; answered when all were looked at.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CheckGroups;

/// How to reach a SlowGroupActor, or what stands in for one.
#[derive(Clone)]
pub struct SlowGroupPorts {
    /// Has the groups looked at.
    pub check: Recipient<CheckGroups>,
}

impl From<Addr<SlowGroupActor>> for SlowGroupPorts {
    fn from(actor: Addr<SlowGroupActor>) -> Self {
        Self { check: actor.recipient() }
    }
}

/// The parts that a SlowGroupActor is made of.
#[derive(Clone)]
pub struct SlowGroupParts {
    /// The rules: how many bytes of the log a group may have before it, beyond which it is switched off.
    pub live: Published<Live>,
    /// How often groups are looked at.
    pub every: Duration,
    /// Their settings.
    pub groups: Published<GroupTable>,
    /// Which of them are online.
    pub subscriptions: Published<SubscriptionTable>,
    /// The OffsetActor.
    pub offsets_of: Recipient<OffsetsOf>,
    /// The GroupActor.
    pub switch_off: Recipient<SwitchOff>,
    /// Reads queues.
    pub(super) reads: StoreReads,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Looks at how far groups are behind.
pub struct SlowGroupActor {
    parts: SlowGroupParts,
    round: Option<JoinHandle<()>>,
}

impl SlowGroupActor {
    /// An actor that looks at groups with these parts.
    #[must_use]
    pub fn new(parts: SlowGroupParts) -> Self {
        Self { parts, round: None }
    }

    /// Looks at the groups, unless that is going on.
    fn check(&mut self) {
        if self.round.as_ref().is_none_or(JoinHandle::is_finished) {
            self.round = Some(actix_rt::spawn(self.parts.clone().check()));
        }
    }
}

impl SlowGroupParts {
    async fn check(self) {
        let Some(behind_max) = self.live.load().rules.behind_bytes_max else { return };
        // A group that is away reads nothing, and is left as it is for when it comes back.
        let subscriptions = self.subscriptions.load();
        let groups = self.groups.load();
        let reading = groups.names().filter(|group| {
            groups.find(group).is_some_and(|config| config.consume_enable) && subscriptions.group(group).is_some()
        });
        for group in reading {
            match self.behind(group).await {
                Ok(behind) if behind > behind_max => {
                    tracing::warn!(%group, behind, behind_max, "the group is too far behind and is switched off");
                    notify(&self.switch_off, SwitchOff { group: Arc::clone(group) });
                }
                Ok(_) => {}
                Err(refusal) => tracing::warn!(%group, ?refusal, "cannot find out how far the group is behind"),
            }
        }
    }

    /// Bytes of the log from the oldest message that waits for the group on.
    async fn behind(&self, group: &Arc<str>) -> Result<u64, Refusal> {
        let offsets = ask(&self.offsets_of, OffsetsOf { topic: None, group: Some(group.to_string()) }).await?;
        let mut behind = 0;
        for (topic, queue_id, consumed) in stored(&offsets, group) {
            let Some(queue) = self.reads.snapshot(&topic, queue_id).await? else { continue };
            let in_queue = self.reads.pool.ask(move |log| bytes_before(log, &queue, consumed)).await??;
            behind = in_queue.max(behind);
        }
        Ok(behind)
    }
}

/// Topic, queue and offset of everything that a group has stored.
fn stored(offsets: &ConsumerOffsets, group: &str) -> Vec<(String, i32, ConsumedOffset)> {
    let mut stored = Vec::new();
    for topic in offsets.topics_of(group) {
        let queues = offsets.queues(topic, group).into_iter().flatten();
        stored.extend(queues.map(|(id, consumed)| (topic.to_owned(), id.0.cast_signed(), *consumed)));
    }
    stored
}

/// Bytes of the log from the record on that is consumed next; 0 when there is none.
fn bytes_before(log: &LogView, queue: &QueueSnapshot, consumed: ConsumedOffset) -> Result<u64, StoreError> {
    let next = queue.min_offset().max(QueueOffset(consumed.0.max(0).cast_unsigned()));
    let entry = queue.entry(next)?;
    Ok(entry.map_or(0, |entry| log.visible().0.saturating_sub(entry.physical.0)))
}

impl Actor for SlowGroupActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.every, |actor, ctx| {
            guarded(actor, ctx, "interval", |actor, _| actor.check());
        });
    }
}

impl Supervised for SlowGroupActor {}

impl Guarded for SlowGroupActor {
    const NAME: &'static str = "SlowGroupActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<CheckGroups> for SlowGroupActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: CheckGroups, _: &mut Context<Self>) -> Self::Result {
        Box::pin(self.parts.clone().check())
    }
}
