//! Answers what tools ask about the broker as a whole: its settings and its state.
//!
//! Owns the configuration, and publishes the rules that follow from it when a tool changes it; the TopicActor is told of
//! what touches all topics. Takes [`Requests`] with the codes below. Asks, through [`RuntimeInfo`], whoever knows a figure.
//! When it dies it goes on with the configuration that it published last.

use actix::{Actor, AsyncContext, Context, Handler, Recipient, Supervised};
use tokio::sync::oneshot;

use super::config_writer::ConfigWriter;
use super::fault::{Faults, Guarded, OnPanic, guarded, notify};
use super::live::Live;
use super::options::memory_bytes;
use super::published::Publisher;
use super::requests::{PATIENCE, Requests, answer, success};
use super::runtime_info::RuntimeInfo;
use super::topic_actor::{Announce, SettingsChanged};
use crate::broker::config::{BrokerConfig, ConfigUpdate};
use crate::net::reply::ReplyTo;
use crate::net::router::Request;
use crate::net::terms::SharedLimit;
use crate::protocol::body::Body;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::topic::BrokerConfigReply;
use crate::protocol::refusal::Refusal;
use crate::store::StoreError;
use crate::time::SharedClock;

/// The codes that a BrokerActor answers.
pub const CODES: [i32; 3] =
    [request::UPDATE_BROKER_CONFIG, request::GET_BROKER_CONFIG, request::GET_BROKER_RUNTIME_INFO];

/// The parts that a BrokerActor is made of.
pub struct BrokerParts {
    /// All configuration keys.
    pub config: BrokerConfig,
    /// Where they are written when one is changed, if that is to outlive the broker.
    pub file: Option<ConfigWriter>,
    /// Where the rules that follow from them are published,
    pub live: Publisher<Live>,
    /// and how long sends may wait.
    pub send_limit: SharedLimit,
    /// The TopicActor.
    pub topics_follow: Recipient<SettingsChanged>,
    /// Gathers what there is to tell of the broker's state.
    pub info: RuntimeInfo,
    /// Tells how long the broker has run.
    pub clock: SharedClock,
    /// Where faults are declared.
    pub faults: Faults,
}

/// Speaks for the broker.
pub struct BrokerActor {
    parts: BrokerParts,
    booted_ms: i64,
    /// Of the configuration.
    version: DataVersion,
}

impl BrokerActor {
    /// An actor that owns these parts.
    #[must_use]
    pub fn new(parts: BrokerParts) -> Self {
        let booted_ms = parts.clock.now_ms();
        Self { parts, booted_ms, version: DataVersion::new(booted_ms) }
    }

    fn config(&self) -> Command {
        let version = String::from_utf8_lossy(&self.version.encode()).into_owned();
        success().with_ext(BrokerConfigReply { version }.to_ext()).with_body(self.parts.config.to_properties().into())
    }

    /// Takes what can be taken of a change and says what cannot.
    fn update(&mut self, command: &Command, reply: ReplyTo) {
        let update = match self.parts.config.updated(&command.body) {
            Ok(update) => update,
            Err(error) => return reply.refuse(Refusal::error(error.to_string())),
        };
        for unknown in update.unknown() {
            tracing::warn!("{unknown}");
        }
        let (told, refused) = oneshot::channel();
        match self.follow(&update, told) {
            Ok(()) => {}
            Err(error) => return reply.refuse(error.into()),
        }
        let refusal = update.refusal();
        actix_rt::spawn(async move {
            let followed = refused.await.unwrap_or(Ok(()));
            answer(reply, followed.and(refusal.map_or(Ok(success()), |text| Err(Refusal::error(text)))));
        });
    }

    /// Writes the configuration down and publishes what follows from it; `told` is dropped, or told, when all of it is so.
    fn follow(&mut self, update: &ConfigUpdate, told: oneshot::Sender<Result<(), Refusal>>) -> Result<(), StoreError> {
        if update.changed.is_empty() {
            return Ok(());
        }
        match &self.parts.file {
            Some(file) => file.write(&update.config.to_properties())?,
            None => tracing::warn!("the broker has no configuration file, so that the change is gone with it"),
        }
        tracing::info!(changed = ?update.changed, "the configuration is changed");
        let before = self.parts.live.last();
        let rules = before.rules.changed(&update.changed, &update.config, memory_bytes());
        self.parts.send_limit.set(rules.send_wait.unwrap_or(PATIENCE.limit));
        let (settings, is_other) = (rules.topics.clone(), rules.permission != before.rules.permission);
        self.parts.live.publish(Live::new(rules));
        self.parts.config = update.config.clone();
        self.version.change(self.parts.clock.now_ms());
        if is_other || update.changed.contains(&"autoCreateTopicEnable") {
            let announce = if is_other { Announce::Anew } else { Announce::IfChanged };
            notify(&self.parts.topics_follow, SettingsChanged { settings, announce, tell: told });
        }
        Ok(())
    }

    fn tell_runtime_info(&self, reply: ReplyTo) {
        let (info, booted_ms) = (self.parts.info.clone(), self.booted_ms);
        let accept_from_ms = self.parts.live.last().rules.send.accept_from_ms;
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
                    request::UPDATE_BROKER_CONFIG => actor.update(&command, reply),
                    request::GET_BROKER_RUNTIME_INFO => actor.tell_runtime_info(reply),
                    _ => reply.send(actor.config()),
                }
            }
        });
    }
}
