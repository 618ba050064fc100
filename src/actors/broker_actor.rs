//! Answers what tools ask about the broker as a whole: its settings and its state.
//!
//! Takes [`Requests`] with the codes below. Asks, through [`RuntimeInfo`], whoever knows a figure. When it dies it starts
//! again: it owns nothing but settings.

use actix::{Actor, AsyncContext, Context, Handler, Supervised};

use super::fault::{Faults, Guarded, OnPanic, guarded};
use super::published::Published;
use super::requests::{Requests, answer, success};
use super::runtime_info::RuntimeInfo;
use crate::broker::topics::TopicTable;
use crate::net::reply::ReplyTo;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::topic::BrokerConfigReply;
use crate::time::SharedClock;

/// The codes that a BrokerActor answers.
pub const CODES: [i32; 3] =
    [request::GET_BROKER_CONFIG, request::GET_BROKER_RUNTIME_INFO, request::DELETE_EXPIRED_COMMITLOG];

/// The parts that a BrokerActor is made of.
pub struct BrokerParts {
    /// All configuration keys as properties text.
    pub properties: String,
    /// `startAcceptSendRequestTimeStamp`.
    pub accept_from_ms: i64,
    /// Gathers what there is to tell of its state.
    pub info: RuntimeInfo,
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

    fn config(&self) -> Command {
        let version = self.parts.topics.load().version().encode();
        let version = String::from_utf8_lossy(&version).into_owned();
        success().with_ext(BrokerConfigReply { version }.to_ext()).with_body(self.parts.properties.clone().into())
    }

    fn tell_runtime_info(&self, reply: ReplyTo) {
        let (info, booted_ms, accept_from_ms) = (self.parts.info.clone(), self.booted_ms, self.parts.accept_from_ms);
        actix_rt::spawn(async move {
            let told = info.gather(booted_ms, accept_from_ms).await;
            answer(reply, told.map(|table| success().with_body(table.encode())));
        });
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
            for Request { command, reply, .. } in requests.ready(ctx.address()) {
                match command.code {
                    request::GET_BROKER_RUNTIME_INFO => actor.tell_runtime_info(reply),
                    request::DELETE_EXPIRED_COMMITLOG => {
                        tracing::warn!("a tool wants expired files of the log deleted, which this version never does");
                        reply.succeed();
                    }
                    _ => reply.send(actor.config()),
                }
            }
        });
    }
}
