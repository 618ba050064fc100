//! What follows the verdict on a call: messages are done, come again here, or go back to the broker.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context};

use super::PullActor;
use crate::client::error::ClientError;
use crate::client::listener::{RetryWhen, Verdict};
use crate::client::tally::Counts;
use crate::protocol::message::Message;
use crate::protocol::units::QueueOffset;

/// When a message is consumed again that could not be sent back.
const AGAIN_HERE_AFTER: Duration = Duration::from_secs(5);
/// The delay level that means: to the dead letters.
const NEVER: i32 = -1;
/// Bounds of the time that a queue waits for an ordered message.
const SUSPEND_BOUNDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(30)];

impl PullActor {
    pub(super) fn settle(&mut self, messages: &[Arc<Message>], verdict: Verdict, ctx: &mut Context<Self>) {
        let (consumed, when) = match verdict {
            Verdict::Consumed => (messages.len(), RetryWhen::ByRule),
            Verdict::Retry { consumed, when } => (consumed.min(messages.len()), when),
        };
        let (done, failed) = messages.split_at(consumed);
        let counts = Counts { consumed: done.len() as u64, failed: failed.len() as u64, ..Counts::default() };
        self.tally.note(counts, self.parts.member.clock.elapsed());
        self.done(done);
        if self.parts.member.is_one_at_a_time() {
            self.hold_up(failed, when, ctx);
        } else if self.parts.member.sends_back() {
            let level = match when {
                RetryWhen::ByRule | RetryWhen::After(_) => 0,
                RetryWhen::Level(level) => i32::try_from(level).unwrap_or(i32::MAX),
                RetryWhen::Never => NEVER,
            };
            failed.iter().for_each(|message| self.send_back(message, level, ctx));
        } else {
            self.drop_failed(failed);
        }
    }

    fn done(&mut self, messages: &[Arc<Message>]) {
        self.held.done(messages.iter().map(|message| message.queue_offset));
    }

    /// Where each member gets all messages, no broker brings one again.
    fn drop_failed(&mut self, failed: &[Arc<Message>]) {
        for message in failed {
            let (topic, offset) = (message.topic.as_str(), message.queue_offset);
            tracing::warn!(topic, %offset, "a message was not consumed; in a broadcast it does not come again");
        }
        self.done(failed);
    }

    /// Where order matters, the queue waits until the message is consumed, or was tried often enough.
    fn hold_up(&mut self, failed: &[Arc<Message>], when: RetryWhen, ctx: &mut Context<Self>) {
        let options = &self.parts.member.options;
        let (retries_max, suspend) = (options.retries_max.unwrap_or(u32::MAX), options.suspend);
        let sends_back = self.parts.member.sends_back();
        let is_over = |message: &Message| {
            when == RetryWhen::Never || i64::from(message.reconsume_times) >= i64::from(retries_max)
        };
        let (over, again): (Vec<_>, Vec<_>) = failed.iter().cloned().partition(|message| is_over(message));
        if sends_back {
            over.iter().for_each(|message| self.send_back(message, NEVER, ctx));
        } else {
            self.drop_failed(&over);
        }
        if again.is_empty() {
            return;
        }
        self.held.put_back(again.iter().map(|message| message.queue_offset));
        let [shortest, longest] = SUSPEND_BOUNDS;
        let rest = if let RetryWhen::After(time) = when { time } else { suspend };
        self.rest(rest.clamp(shortest, longest), ctx);
    }

    fn rest(&mut self, time: Duration, ctx: &mut Context<Self>) {
        self.is_resting = true;
        ctx.run_later(time, |actor, ctx| {
            actor.is_resting = false;
            actor.feed(ctx);
        });
    }

    fn send_back(&mut self, message: &Arc<Message>, level: i32, ctx: &mut Context<Self>) {
        self.settling += 1;
        let (member, queue) = (Arc::clone(&self.parts.member), Arc::clone(&self.parts.queue));
        let message = Arc::clone(message);
        let sent = async move {
            let outcome = member.send_back(&message, &queue, level).await;
            (message, outcome)
        };
        ctx.spawn(wrap_future::<_, Self>(sent).map(|(message, outcome), actor, ctx| {
            actor.sent_back(&message, outcome, ctx);
            actor.settling -= 1;
            actor.progressed();
            actor.feed(ctx);
            actor.end_if_idle(ctx);
        }));
    }

    fn sent_back(&mut self, message: &Arc<Message>, outcome: Result<(), ClientError>, ctx: &mut Context<Self>) {
        match outcome {
            Ok(()) => self.done(std::slice::from_ref(message)),
            Err(error) => {
                let (topic, offset) = (message.topic.as_str(), message.queue_offset);
                tracing::warn!(topic, %offset, %error, "a message could not be sent back; it is consumed again here");
                if self.parts.member.is_one_at_a_time() {
                    // What is behind it must not pass it meanwhile.
                    self.held.put_back([offset]);
                    return self.rest(AGAIN_HERE_AFTER, ctx);
                }
                ctx.run_later(AGAIN_HERE_AFTER, move |actor, ctx| actor.again_here(offset, ctx));
            }
        }
    }

    fn again_here(&mut self, offset: QueueOffset, ctx: &mut Context<Self>) {
        self.held.put_back([offset]);
        self.feed(ctx);
    }
}
