//! Owns the locks of queues that are consumed in order.
//!
//! Takes [`Requests`] to lock and unlock. Sends to nobody. When it dies it goes on with the locks that it knows: each is one
//! insert, which leaves nothing half done.

use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Recipient, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::requests::{Requests, answer, success};
use crate::broker::queue_locks::QueueLocks;
use crate::protocol::body::Body;
use crate::protocol::body::lock::{LockBatchRequestBody, LockBatchResponseBody};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::refusal::Refusal;
use crate::time::SharedClock;

/// The codes that a QueueLockActor answers.
pub const CODES: [i32; 2] = [request::LOCK_BATCH_MQ, request::UNLOCK_BATCH_MQ];

/// How often locks are looked for whose lease is over.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// How to reach a QueueLockActor, or what stands in for one.
#[derive(Clone)]
pub struct QueueLockPorts {
    /// Serves consumers.
    pub requests: Recipient<Requests>,
}

impl From<Addr<QueueLockActor>> for QueueLockPorts {
    fn from(locks: Addr<QueueLockActor>) -> Self {
        Self { requests: locks.recipient() }
    }
}

/// The parts that a QueueLockActor is made of.
pub struct QueueLockParts {
    /// Tells how long a lock was not renewed.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps locks.
pub struct QueueLockActor {
    parts: QueueLockParts,
    locks: QueueLocks,
}

impl QueueLockActor {
    /// An actor that knows no lock yet.
    #[must_use]
    pub fn new(parts: QueueLockParts) -> Self {
        Self { parts, locks: QueueLocks::default() }
    }

    fn serve(&mut self, command: &Command) -> Result<Command, Refusal> {
        let asked = LockBatchRequestBody::decode(&command.body)
            .map_err(|error| Refusal::error(format!("the queues cannot be read: {error}")))?;
        let (group, client) = (&asked.consumer_group, &asked.client_id);
        if !asked.mq_set.is_empty() && (group.is_empty() || client.is_empty()) {
            // Otherwise all that leave a field out would share their locks.
            return Err(Refusal::error("consumerGroup and clientId are needed to lock or unlock queues"));
        }
        if command.code == request::UNLOCK_BATCH_MQ {
            self.locks.unlock(group, client, &asked.mq_set);
            return Ok(success());
        }
        let held = self.locks.lock(self.parts.clock.now_ms(), group, client, asked.mq_set);
        Ok(success().with_body(LockBatchResponseBody { lock_ok_mq_set: held }.encode()))
    }
}

impl Actor for QueueLockActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(EXPIRE_EVERY, |actor, ctx| {
            guarded(actor, ctx, "expiry", |actor, _| actor.locks.expire(actor.parts.clock.now_ms()));
        });
    }
}

impl Supervised for QueueLockActor {
    fn restarting(&mut self, _: &mut Context<Self>) {}
}

impl Guarded for QueueLockActor {
    const NAME: &'static str = "QueueLockActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for QueueLockActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                let outcome = actor.serve(&request.command);
                answer(request.reply, outcome);
            }
        });
    }
}
