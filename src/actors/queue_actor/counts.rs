//! What a queue's pulls got, gathered for a second before it is told: a message for each would cost as much as the pull.

use std::sync::Arc;

use actix::{AsyncContext, Context};

use super::{Pull, QueueActor};
use crate::actors::fault::{guarded, notify};
use crate::actors::stats_actor::{GotByGroup, GotCounted, TELL_EVERY};
use crate::broker::pull::Selection;
use crate::broker::stats::Amount;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;

/// What was got and is not told yet. Few groups pull from one queue, so they stand in a row.
#[derive(Default)]
pub(super) struct Counts {
    groups: Vec<GotByGroup>,
    missed: u64,
    timed: bool,
}

impl Counts {
    fn of(&mut self, group: &Arc<SubscriptionGroupConfig>) -> Option<&mut GotByGroup> {
        // The settings of a group are replaced when they change; its counts then come in two parts.
        let known = self.groups.iter().position(|counted| Arc::ptr_eq(&counted.group, group));
        let at = known.unwrap_or_else(|| {
            self.groups.push(GotByGroup { group: Arc::clone(group), amount: Amount::default(), answers: 0 });
            self.groups.len() - 1
        });
        self.groups.get_mut(at)
    }
}

impl QueueActor {
    /// A pull is answered with messages.
    pub(super) fn count_found(&mut self, pull: &Pull, selection: &Selection, ctx: &mut Context<Self>) {
        if let Some(counted) = self.counts.of(&pull.group) {
            counted.amount.add(Amount { messages: selection.records.len() as u64, bytes: selection.bytes });
            counted.answers += 1;
        }
        self.tell_counts_later(ctx);
    }

    /// A pull found nothing, for now.
    pub(super) fn count_missed(&mut self, ctx: &mut Context<Self>) {
        self.counts.missed += 1;
        self.tell_counts_later(ctx);
    }

    fn tell_counts_later(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.counts.timed, true) {
            ctx.run_later(TELL_EVERY, |actor, ctx| {
                guarded(actor, ctx, "counts", |actor, _| {
                    let Counts { groups, missed, .. } = std::mem::take(&mut actor.counts);
                    let topic = actor.queue.topic().clone();
                    notify(&actor.shared.got_counted, GotCounted { topic, groups, missed });
                });
            });
        }
    }
}
