//! Owns the broker's statistics.
//!
//! Takes [`PutCounted`] from the DispatchActor and [`GotCounted`] from the QueueActors, who gather what they have to tell
//! for a second; [`SentBack`] from the service that brings messages back; [`Requests`] for a counter, [`RuntimeFigures`]
//! from the BrokerActor, [`GroupRates`] from the service that tells of consumers. Sends to nobody. When it dies it goes on
//! with its counters: a count is a few additions.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult, Recipient, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::requests::{Requests, answer, success};
use crate::broker::stats::{Amount, Stats};
use crate::protocol::body::Body;
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::query::ViewStats;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::time::SharedClock;

/// The codes that a StatsActor answers.
pub const CODES: [i32; 1] = [request::VIEW_BROKER_STATS_DATA];

/// How long whoever counts gathers before telling.
pub(super) const TELL_EVERY: Duration = Duration::from_secs(1);

/// Messages were put into topics.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PutCounted {
    /// How many into which; one topic may come several times.
    pub topics: Vec<(Topic, Amount)>,
}

/// Messages of a topic were got.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct GotCounted {
    /// The topic.
    pub topic: Topic,
    /// How many by which group.
    pub groups: Vec<GotByGroup>,
    /// Pulls that found nothing.
    pub missed: u64,
}

/// What a group got.
#[derive(Clone, Debug)]
pub struct GotByGroup {
    /// The group.
    pub group: Arc<SubscriptionGroupConfig>,
    /// What.
    pub amount: Amount,
    /// With how many answers.
    pub answers: u64,
}

/// A message could not be handled by its consumer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SentBack {
    /// The topic that it was first sent to.
    pub topic: String,
    /// The group.
    pub group: String,
}

/// What is there to tell of the broker as a whole?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<(&'static str, String)>")]
pub struct RuntimeFigures;

/// How many messages does each group get of a topic in a second?
#[derive(Debug, Message)]
#[rtype(result = "Vec<f64>")]
pub struct GroupRates {
    /// Topic and group of each.
    pub of: Vec<(String, String)>,
}

/// How to reach a StatsActor, or what stands in for one.
#[derive(Clone)]
pub struct StatsPorts {
    /// Serves tools.
    pub requests: Recipient<Requests>,
    /// Counts what was put.
    pub put: Recipient<PutCounted>,
    /// Counts what was got.
    pub got: Recipient<GotCounted>,
    /// Counts what could not be handled.
    pub sent_back: Recipient<SentBack>,
    /// Tells of the broker as a whole.
    pub figures: Recipient<RuntimeFigures>,
    /// Tells how fast groups get messages.
    pub group_rates: Recipient<GroupRates>,
}

impl From<Addr<StatsActor>> for StatsPorts {
    fn from(stats: Addr<StatsActor>) -> Self {
        Self {
            requests: stats.clone().recipient(),
            put: stats.clone().recipient(),
            got: stats.clone().recipient(),
            sent_back: stats.clone().recipient(),
            figures: stats.clone().recipient(),
            group_rates: stats.recipient(),
        }
    }
}

/// The parts that a StatsActor is made of.
pub struct StatsParts {
    /// The cluster, under which the broker counts itself.
    pub cluster: String,
    /// Tells when something was counted.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Counts.
pub struct StatsActor {
    parts: StatsParts,
    stats: Stats,
}

impl StatsActor {
    /// An actor that has counted nothing yet.
    #[must_use]
    pub fn new(parts: StatsParts) -> Self {
        let stats = Stats::new(&parts.cluster, parts.clock.now_ms());
        Self { parts, stats }
    }

    fn view(&self, command: &Command) -> Result<Command, Refusal> {
        let asked = ViewStats::parse(&command.ext)?;
        let figures = self.stats.figures(&asked.stats_name, &asked.stats_key, self.parts.clock.now_ms());
        let figures = figures.ok_or_else(|| {
            Refusal::error(format!("The stats <{}> <{}> not exist", asked.stats_name, asked.stats_key))
        })?;
        Ok(success().with_body(figures.encode()))
    }
}

impl Actor for StatsActor {
    type Context = Context<Self>;
}

impl Supervised for StatsActor {}

impl Guarded for StatsActor {
    const NAME: &'static str = "StatsActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<PutCounted> for StatsActor {
    type Result = ();

    fn handle(&mut self, counted: PutCounted, ctx: &mut Context<Self>) {
        guarded(self, ctx, "PutCounted", |actor, _| {
            let now_ms = actor.parts.clock.now_ms();
            for (topic, amount) in &counted.topics {
                actor.stats.put(topic.as_str(), *amount, now_ms);
            }
        });
    }
}

impl Handler<GotCounted> for StatsActor {
    type Result = ();

    fn handle(&mut self, counted: GotCounted, ctx: &mut Context<Self>) {
        guarded(self, ctx, "GotCounted", |actor, _| {
            let now_ms = actor.parts.clock.now_ms();
            for GotByGroup { group, amount, answers } in &counted.groups {
                actor.stats.got(counted.topic.as_str(), &group.group_name, *amount, *answers, now_ms);
            }
            actor.stats.missed(counted.missed, now_ms);
        });
    }
}

impl Handler<SentBack> for StatsActor {
    type Result = ();

    fn handle(&mut self, sent: SentBack, ctx: &mut Context<Self>) {
        guarded(self, ctx, "SentBack", |actor, _| {
            actor.stats.sent_back(&sent.topic, &sent.group, actor.parts.clock.now_ms());
        });
    }
}

impl Handler<GroupRates> for StatsActor {
    type Result = MessageResult<GroupRates>;

    fn handle(&mut self, rates: GroupRates, _: &mut Context<Self>) -> Self::Result {
        let now_ms = self.parts.clock.now_ms();
        MessageResult(rates.of.iter().map(|(topic, group)| self.stats.group_rate(topic, group, now_ms)).collect())
    }
}

impl Handler<RuntimeFigures> for StatsActor {
    type Result = MessageResult<RuntimeFigures>;

    fn handle(&mut self, _: RuntimeFigures, ctx: &mut Context<Self>) -> Self::Result {
        let now_ms = self.parts.clock.now_ms();
        MessageResult(
            guarded(self, ctx, "RuntimeFigures", |actor, _| actor.stats.runtime_info(now_ms)).unwrap_or_default(),
        )
    }
}

impl Handler<Requests> for StatsActor {
    type Result = ();

    fn handle(&mut self, requests: Requests, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Requests", |actor, ctx| {
            for request in requests.ready(ctx.address()) {
                let outcome = actor.view(&request.command);
                answer(request.reply, outcome);
            }
        });
    }
}
