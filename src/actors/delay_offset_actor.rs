//! Owns how far each delay level has come, and writes `delayOffset.json`.
//!
//! Takes [`Delivered`] from the ScheduleActors, [`Requests`] for the file's content, [`LevelsDelivered`] from the
//! BrokerActor, [`PersistDelays`] when the broker stops. Sends to nobody. When it dies it goes on with its table: a note is
//! one insert.

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised};
use std::time::Duration;

use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::requests::{Requests, success};
use crate::broker::schedule::DelayOffsets;
use crate::protocol::codes::request;
use crate::protocol::units::{PhysicalOffset, QueueOffset};
use crate::store::LogView;

/// The codes that a DelayOffsetActor answers.
pub const CODES: [i32; 1] = [request::GET_ALL_DELAY_OFFSET];

/// A level has delivered messages.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Delivered {
    /// The level.
    pub level: u32,
    /// What it delivers next.
    pub next: QueueOffset,
    /// The end of what it has delivered in the log.
    pub end: PhysicalOffset,
}

/// Writes the table down now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PersistDelays;

/// What does each level deliver next that ever delivered anything?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<(u32, QueueOffset)>")]
pub struct LevelsDelivered;

/// How to reach a DelayOffsetActor, or what stands in for one.
#[derive(Clone)]
pub struct DelayOffsetPorts {
    /// Serves slaves and tools.
    pub requests: Recipient<Requests>,
    /// Notes what was delivered.
    pub delivered: Recipient<Delivered>,
    /// Writes the table down.
    pub persist: Recipient<PersistDelays>,
    /// Tells of the levels.
    pub levels: Recipient<LevelsDelivered>,
}

impl From<Addr<DelayOffsetActor>> for DelayOffsetPorts {
    fn from(offsets: Addr<DelayOffsetActor>) -> Self {
        Self {
            requests: offsets.clone().recipient(),
            delivered: offsets.clone().recipient(),
            persist: offsets.clone().recipient(),
            levels: offsets.recipient(),
        }
    }
}

/// The parts that a DelayOffsetActor is made of.
pub struct DelayOffsetParts {
    /// What the file said.
    pub offsets: DelayOffsets,
    /// Where the table is written.
    pub file: ConfigWriter,
    /// How often (`flushDelayOffsetInterval`).
    pub persist_every: Duration,
    /// Tells what is synced.
    pub log: LogView,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps the offsets of delay levels.
pub struct DelayOffsetActor {
    parts: DelayOffsetParts,
}

impl DelayOffsetActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: DelayOffsetParts) -> Self {
        Self { parts }
    }

    fn persist(&mut self) {
        let synced = self.parts.log.positions().synced();
        if let Some(text) = self.parts.offsets.changed_json(synced)
            && let Err(error) = self.parts.file.write(&text)
        {
            tracing::error!(%error, "cannot write how far delayed messages are delivered; trying again");
            self.parts.offsets.mark_changed();
        }
    }
}

impl Actor for DelayOffsetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.persist_every, |actor, ctx| {
            guarded(actor, ctx, "persist interval", |actor, _| actor.persist());
        });
    }
}

impl Supervised for DelayOffsetActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // What panicked may have been the writing of the table, which counts as written by then.
        self.parts.offsets.mark_changed();
    }
}

impl Guarded for DelayOffsetActor {
    const NAME: &'static str = "DelayOffsetActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for DelayOffsetActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                request.reply.send(success().with_body(actor.parts.offsets.to_json().into()));
            }
        });
    }
}

impl Handler<Delivered> for DelayOffsetActor {
    type Result = ();

    fn handle(&mut self, delivered: Delivered, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Delivered", |actor, _| {
            actor.parts.offsets.delivered(delivered.level, delivered.next, delivered.end);
        });
    }
}

impl Handler<LevelsDelivered> for DelayOffsetActor {
    type Result = MessageResult<LevelsDelivered>;

    fn handle(&mut self, _: LevelsDelivered, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.parts.offsets.iter().collect())
    }
}

impl Handler<PersistDelays> for DelayOffsetActor {
    type Result = ();

    fn handle(&mut self, _: PersistDelays, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PersistDelays", |actor, _| actor.persist());
    }
}
