//! Owns the conditions of consumer groups that choose messages by their properties. Publishes them for those who pull, and
//! writes `consumerFilter.json`.
//!
//! Takes [`RegisterFilters`] and [`UnregisterFilters`] from the ClientActor, [`PersistFilters`] when the broker stops. Sends
//! to nobody. When it dies it goes on with the table that it published last.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, Supervised};

use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::published::Publisher;
use super::requests::Share;
use crate::broker::filter::ConsumerFilters;
use crate::protocol::body::subscription::SubscriptionData;
use crate::time::SharedClock;

/// What a group's heartbeat says that it wants.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RegisterFilters {
    /// The group.
    pub group: Arc<str>,
    /// Its subscriptions, those by tag among them.
    pub subscriptions: Vec<Arc<SubscriptionData>>,
    /// The heartbeat: its client pulls with these conditions next.
    pub share: Share,
}

/// Nobody of a group is online any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct UnregisterFilters {
    /// The group.
    pub group: Arc<str>,
}

/// Writes the table down now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PersistFilters;

/// How to reach a FilterActor, or what stands in for one.
#[derive(Clone)]
pub struct FilterPorts {
    /// Takes conditions in.
    pub register: Recipient<RegisterFilters>,
    /// Lets go of them.
    pub unregister: Recipient<UnregisterFilters>,
    /// Writes the table down.
    pub persist: Recipient<PersistFilters>,
}

impl From<Addr<FilterActor>> for FilterPorts {
    fn from(filters: Addr<FilterActor>) -> Self {
        Self {
            register: filters.clone().recipient(),
            unregister: filters.clone().recipient(),
            persist: filters.recipient(),
        }
    }
}

/// The parts that a FilterActor is made of.
pub struct FilterParts {
    /// What the file said.
    pub filters: ConsumerFilters,
    /// Where the table is published.
    pub published: Publisher<ConsumerFilters>,
    /// Where it is written,
    pub file: ConfigWriter,
    /// and how often.
    pub persist_every: Duration,
    /// `filterDataCleanTimeSpan`: how long a condition is kept that nobody wants any more.
    pub keep_dead: Duration,
    /// Tells when conditions come and go.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Keeps conditions.
pub struct FilterActor {
    parts: FilterParts,
}

impl FilterActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: FilterParts) -> Self {
        Self { parts }
    }

    fn register(&mut self, register: &RegisterFilters) {
        let subscriptions = register.subscriptions.iter().map(|subscription| &**subscription);
        let now_ms = self.parts.clock.now_ms();
        let group = &register.group;
        for (topic, error) in self.parts.filters.register_all(group, subscriptions, now_ms) {
            tracing::warn!(%group, topic, %error, "a condition cannot be used; the group gets nothing of this topic");
        }
        self.publish();
    }

    fn unregister(&mut self, group: &str) {
        self.parts.filters.unregister(group, self.parts.clock.now_ms());
        self.publish();
    }

    fn publish(&self) {
        self.parts.published.publish(self.parts.filters.clone());
    }

    fn persist(&mut self) {
        let span_ms = i64::try_from(self.parts.keep_dead.as_millis()).unwrap_or(i64::MAX);
        self.parts.filters.clean(self.parts.clock.now_ms(), span_ms);
        if let Some(text) = self.parts.filters.changed_json()
            && let Err(error) = self.parts.file.write(&text)
        {
            tracing::error!(%error, "cannot write the conditions of consumers; trying again");
            self.parts.filters.mark_changed();
        }
    }
}

impl Actor for FilterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.parts.persist_every, |actor, ctx| {
            guarded(actor, ctx, "persist interval", |actor, _| actor.persist());
        });
    }
}

impl Supervised for FilterActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.parts.filters = ConsumerFilters::clone(&self.parts.published.last());
        self.parts.filters.mark_changed();
    }
}

impl Guarded for FilterActor {
    const NAME: &'static str = "FilterActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<RegisterFilters> for FilterActor {
    type Result = ();

    fn handle(&mut self, register: RegisterFilters, ctx: &mut Context<Self>) {
        guarded(self, ctx, "RegisterFilters", |actor, _| actor.register(&register));
        drop(register.share);
    }
}

impl Handler<UnregisterFilters> for FilterActor {
    type Result = ();

    fn handle(&mut self, unregister: UnregisterFilters, ctx: &mut Context<Self>) {
        guarded(self, ctx, "UnregisterFilters", |actor, _| actor.unregister(&unregister.group));
    }
}

impl Handler<PersistFilters> for FilterActor {
    type Result = ();

    fn handle(&mut self, _: PersistFilters, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PersistFilters", |actor, _| actor.persist());
    }
}
