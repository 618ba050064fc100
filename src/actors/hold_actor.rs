//! Owns the pulls that found nothing and wait.
//!
//! Takes [`Park`], [`Wake`] and [`Release`] from QueueActors and [`ConnectionClosed`] from the connections; sends [`Pull`]s
//! back to the queue they came from. When it dies every parked pull is answered (a client pulls again), and it starts
//! empty.

use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::queue_actor::Pull;
use super::queue_actor::pulls::in_memory;
use crate::broker::filter::Filter;
use crate::broker::hold::{Arrival, HoldLimits, HoldTable, Wait};
use crate::protocol::codes::response;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConnectionId, QueueId};
use crate::store::{LogView, QueueEntry};
use crate::time::SharedClock;

/// Parks a pull until its queue grows or its time is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Park {
    /// What it waits for.
    pub wait: Wait,
    /// The pull, to be run again.
    pub pull: Pull,
    /// The queue that runs it.
    pub queue: Recipient<Pull>,
}

/// A queue has grown.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Wake {
    /// The topic of the queue.
    pub topic: Topic,
    /// The queue.
    pub queue_id: QueueId,
    /// What has come.
    pub arrival: Arrival,
}

/// A queue is no more: who waits there is sent back to it, which says so.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Release {
    /// The topic of the queue.
    pub topic: Topic,
    /// The queue.
    pub queue_id: QueueId,
}

/// A connection is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ConnectionClosed {
    /// Which.
    pub connection: ConnectionId,
}

/// How to reach a HoldActor, or what stands in for one.
#[derive(Clone)]
pub struct HoldPorts {
    /// Parks a pull.
    pub park: Recipient<Park>,
    /// Tells of new entries.
    pub wake: Recipient<Wake>,
    /// Tells of queues that are no more.
    pub release: Recipient<Release>,
    /// Tells of connections that ended.
    pub connection_closed: Recipient<ConnectionClosed>,
}

impl From<Addr<HoldActor>> for HoldPorts {
    fn from(hold: Addr<HoldActor>) -> Self {
        Self {
            park: hold.clone().recipient(),
            wake: hold.clone().recipient(),
            release: hold.clone().recipient(),
            connection_closed: hold.recipient(),
        }
    }
}

/// The parts that a HoldActor is made of.
#[derive(Clone)]
pub struct HoldParts {
    /// Tells when a pull has waited long enough.
    pub clock: SharedClock,
    /// How many may wait.
    pub limits: HoldLimits,
    /// Reads what has come, where a filter needs more than its queue entry.
    pub log: LogView,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Holds long polls.
pub struct HoldActor {
    parts: HoldParts,
    table: HoldTable<(Pull, Recipient<Pull>)>,
    timer: Option<(SpawnHandle, Duration)>,
}

impl HoldActor {
    /// An actor that holds nothing yet.
    #[must_use]
    pub fn new(parts: HoldParts) -> Self {
        let table = HoldTable::new(parts.limits);
        Self { parts, table, timer: None }
    }

    fn expire(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        for (pull, queue) in self.table.expire(self.parts.clock.elapsed()) {
            notify(&queue, pull);
        }
        self.set_timer(ctx);
    }

    /// One timer for the pull that expires first: a thousand parked pulls are one sleeping future.
    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(next) = self.table.next_expiry() else { return };
        if self.timer.is_some_and(|(_, set)| set <= next) {
            return;
        }
        if let Some((handle, _)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        let wait = next.saturating_sub(self.parts.clock.elapsed());
        let handle = ctx.run_later(wait, |actor, ctx| {
            guarded(actor, ctx, "expiry", Self::expire);
        });
        self.timer = Some((handle, next));
    }
}

fn too_many(limits: &HoldLimits) -> Refusal {
    let HoldLimits { total, per_connection, .. } = limits;
    let remark = format!(
        "[PULL_HOLD]broker busy, {per_connection} pulls of one connection or {total} in all wait already, or fewer with \
         large filters"
    );
    Refusal::new(response::SYSTEM_BUSY, remark)
}

impl Actor for HoldActor {
    type Context = Context<Self>;
}

impl Supervised for HoldActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // The table may be torn; what it held is answered here, and the clients come again.
        self.timer = None;
        let mut table = std::mem::replace(&mut self.table, HoldTable::new(self.parts.limits));
        for (pull, _) in table.take_all() {
            pull.answer_not_found();
        }
    }
}

impl Guarded for HoldActor {
    const NAME: &'static str = "HoldActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Park> for HoldActor {
    type Result = ();

    fn handle(&mut self, park: Park, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Park", |actor, ctx| {
            if park.pull.reply.handle().peer().is_closed() {
                // The news of that may have come before, and will not come again.
                return;
            }
            match actor.table.park(park.wait, (park.pull, park.queue)) {
                Ok(()) => actor.set_timer(ctx),
                // Told that there is nothing, a client would ask again at once; told this, it waits first.
                Err((pull, _)) => pull.reply.refuse(too_many(&actor.parts.limits)),
            }
        });
    }
}

impl Handler<Wake> for HoldActor {
    type Result = ();

    fn handle(&mut self, wake: Wake, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Wake", |actor, _| {
            let log = &actor.parts.log;
            // What has just been written is in memory, and these entries still have their tag codes.
            let passes = |filter: &Filter, entry: &QueueEntry| filter.passes(entry, None, in_memory(log, entry));
            for (pull, queue) in actor.table.arrived(&wake.topic, wake.queue_id, &wake.arrival, passes) {
                notify(&queue, pull);
            }
        });
    }
}

impl Handler<Release> for HoldActor {
    type Result = ();

    fn handle(&mut self, release: Release, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Release", |actor, _| {
            for (pull, queue) in actor.table.of_queue(&release.topic, release.queue_id) {
                notify(&queue, pull);
            }
        });
    }
}

impl Handler<ConnectionClosed> for HoldActor {
    type Result = ();

    fn handle(&mut self, closed: ConnectionClosed, ctx: &mut Context<Self>) {
        guarded(self, ctx, "ConnectionClosed", |actor, _| actor.table.connection_closed(closed.connection));
    }
}
