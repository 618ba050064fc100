//! Answers what tools ask about the broker as a whole: its settings and its state.
//!
//! Takes [`Requests`] with the codes below. Sends to nobody. When it dies it starts again: it owns nothing but settings.

use std::collections::BTreeMap;

use actix::{Actor, AsyncContext, Context, Handler, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::published::Published;
use super::requests::{Requests, answer};
use crate::broker::topics::TopicTable;
use crate::protocol::body::Body;
use crate::protocol::body::kv::KvTable;
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, VERSION};
use crate::protocol::headers::topic::BrokerConfigReply;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::Opaque;
use crate::store::LogView;
use crate::time::SharedClock;

/// The codes that a BrokerActor answers.
pub const CODES: [i32; 2] = [request::GET_BROKER_CONFIG, request::GET_BROKER_RUNTIME_INFO];

/// The parts that a BrokerActor is made of.
pub struct BrokerParts {
    /// All configuration keys as properties text.
    pub properties: String,
    /// The log.
    pub log: LogView,
    /// The topics.
    pub topics: Published<TopicTable>,
    /// Tells how long the broker has run.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Speaks for the broker.
pub struct BrokerActor {
    parts: BrokerParts,
    booted_ms: i64,
}

impl BrokerActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: BrokerParts) -> Self {
        let booted_ms = parts.clock.now_ms();
        Self { parts, booted_ms }
    }

    fn serve(&self, command: &Command) -> Result<Command, Refusal> {
        let reply = Command::reply(response::SUCCESS, Opaque(0));
        if command.code == request::GET_BROKER_RUNTIME_INFO {
            return Ok(reply.with_body(self.runtime_info().encode()));
        }
        let version = self.parts.topics.load().version().encode();
        let version = String::from_utf8_lossy(&version).into_owned();
        Ok(reply.with_ext(BrokerConfigReply { version }.to_ext()).with_body(self.parts.properties.clone().into()))
    }

    fn runtime_info(&self) -> KvTable {
        let (min, max) = (self.parts.log.min(), self.parts.log.visible());
        let seconds = (self.parts.clock.now_ms() - self.booted_ms).max(0) / 1_000;
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        let runtime = format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60);
        let positions = self.parts.log.positions();
        let behind = positions.written().0.saturating_sub(positions.dispatched().0);
        let table: BTreeMap<String, String> = [
            ("brokerVersion", VERSION.to_string()),
            ("brokerVersionDesc", "V4_9_7".into()),
            ("bootTimestamp", self.booted_ms.to_string()),
            ("runtime", runtime),
            ("commitLogMinOffset", min.to_string()),
            ("commitLogMaxOffset", max.to_string()),
            ("dispatchBehindBytes", behind.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        KvTable { table }
    }
}

impl Actor for BrokerActor {
    type Context = Context<Self>;
}

impl Supervised for BrokerActor {}

impl Guarded for BrokerActor {
    const NAME: &'static str = "BrokerActor";
    const ON_PANIC: OnPanic = OnPanic::Restart;

    fn faults(&self) -> &Faults {
        &self.parts.faults
    }
}

impl Handler<Requests> for BrokerActor {
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
