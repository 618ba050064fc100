//! How a TopicActor takes to other settings.

use actix::{Context, Handler, Message};
use tokio::sync::oneshot;

use super::{AfterPersist, TopicActor};
use crate::actors::fault::guarded;
use crate::broker::topics::{Changed, TopicSettings};
use crate::protocol::refusal::Refusal;

/// The settings of topics, or what name servers are told of all of them, have changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SettingsChanged {
    /// The settings.
    pub settings: TopicSettings,
    /// When name servers are told.
    pub announce: Announce,
    /// Is told when it is so.
    pub tell: oneshot::Sender<Result<(), Refusal>>,
}

/// When name servers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// In any case, with a new version of the table.
    Anew,
    /// If the table has changed.
    IfChanged,
}

impl TopicActor {
    fn follow(&mut self, change: SettingsChanged, ctx: &mut Context<Self>) {
        let now_ms = self.parts.clock.now_ms();
        self.changed |= self.parts.topics.follow(change.settings, now_ms) == Changed::Yes;
        if change.announce == Announce::Anew {
            self.parts.topics.touch(now_ms);
            self.changed = true;
        }
        self.after_persist.push(AfterPersist::Tell(change.tell));
        self.schedule_persist(ctx);
    }
}

impl Handler<SettingsChanged> for TopicActor {
    type Result = ();

    fn handle(&mut self, change: SettingsChanged, ctx: &mut Context<Self>) {
        guarded(self, ctx, "SettingsChanged", |actor, ctx| actor.follow(change, ctx));
    }
}
