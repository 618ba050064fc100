//! How a queue ends, and how it is cleaned.

use actix::{Context, Handler, MessageResult};

use super::{Cleaned, CleaningOf, Pull, QueueActor, Retire};
use crate::actors::fault::{guarded, notify};
use crate::actors::hold_actor::Release;
use crate::broker::pull::admission::no_topic;

impl QueueActor {
    /// Gives the queue away. The actor lives on for as long as anybody knows it, and answers.
    fn retire(&mut self, retire: Retire) {
        self.retired = true;
        self.left.clear();
        self.growth.clear();
        let empty = self.queue.emptied();
        let queue = std::mem::replace(&mut self.queue, empty);
        let (topic, queue_id) = (queue.topic().clone(), queue.queue_id());
        notify(&self.shared.hold.release, Release { topic, queue_id });
        if retire.to.send(queue).is_err() {
            tracing::error!("a queue was taken out of service and nobody destroys it");
        }
    }

    /// Answers a pull from a queue that is no more.
    pub(super) fn refuse_retired(&self, pull: Pull) {
        pull.reply.refuse(no_topic(self.queue.topic().as_str()));
    }
}

impl Handler<Retire> for QueueActor {
    type Result = ();

    fn handle(&mut self, retire: Retire, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Retire", |actor, _| actor.retire(retire));
    }
}

impl Handler<CleaningOf> for QueueActor {
    type Result = MessageResult<CleaningOf>;

    fn handle(&mut self, _: CleaningOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult((!self.retired).then(|| self.queue.cleaning()))
    }
}

impl Handler<Cleaned> for QueueActor {
    type Result = ();

    fn handle(&mut self, cleaned: Cleaned, ctx: &mut Context<Self>) {
        guarded(self, ctx, "Cleaned", |actor, _| {
            if !actor.retired {
                cleaned.tell(&mut actor.queue);
            }
        });
    }
}
