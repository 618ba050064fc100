//! Answers sends: offsets and message ids into the reply, region and trace switch into each, errors included.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::append_answer::{Outcome, Outcomes, PutStatus};
use super::hooks::SendNotes;
use crate::net::reply::{Replies, ReplyTo};
use crate::protocol::codes::response;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::frame;
use crate::protocol::properties::keys;
use crate::protocol::refusal::Refusal;
use crate::protocol::replies::{SendAnswer, SendForm};
use crate::protocol::units::{Opaque, QueueId};
use crate::store::Placed;

/// What every send reply of a broker says of the broker.
#[derive(Debug)]
pub struct SendStyle {
    form: SendForm,
    region: String,
    trace_on: bool,
}

impl SendStyle {
    /// Of a broker: `store_host` is the address in message ids, to which admin tools connect.
    #[must_use]
    pub fn new(store_host: SocketAddr, region: &str, trace_on: bool) -> Self {
        Self { form: SendForm::new(store_host, region, trace_on), region: region.into(), trace_on }
    }

    /// A refusal as sends are refused.
    #[must_use]
    pub fn refusal(&self, refusal: Refusal) -> Command {
        let mut ext = ExtFields::builder();
        ext.push(keys::MSG_REGION, &self.region).push(keys::TRACE_ON, self.trace_on);
        Command::reply(refusal.code, Opaque(0)).with_remark(refusal.remark).with_ext(ext.build())
    }

    /// Tells a producer why its messages were not stored.
    pub fn refuse(&self, reply: ReplyTo, refusal: Refusal) {
        reply.send(self.refusal(refusal));
    }

    /// Tells a replier that its reply has reached who asked; `stored` is where it lies, if it does.
    ///
    /// # Source
    /// `ReplyMessageProcessor.handlePushReplyResult` 4.9.7 (read): clients read the fields whatever was stored.
    pub fn replied(&self, reply: ReplyTo, queue_id: QueueId, stored: Option<&Placed>) {
        let mut ext = ExtFields::builder();
        match stored {
            Some(placed) => ext.push("msgId", self.form.id(placed.physical)),
            None => ext.push("msgId", 0),
        };
        ext.push("queueId", queue_id).push("queueOffset", stored.map_or(0, |placed| placed.queue_offset.0));
        ext.push(keys::MSG_REGION, &self.region).push(keys::TRACE_ON, self.trace_on);
        reply.send(Command::reply(response::SUCCESS, Opaque(0)).with_ext(ext.build()));
    }
}

/// What a producer that awaits an answer has asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The queue that its messages go to.
    pub queue_id: QueueId,
    /// Whether it wants the answer only when the promise of the flush policy is kept.
    pub waits: bool,
}

/// What several have asked for; mostly one or many.
pub type AllAsked = SmallVec<[Asked; 1]>;

/// The answers to the sends of one connection, in the order of their puts.
#[derive(Debug)]
pub struct SendReplies {
    replies: Replies,
    asked: AllAsked,
    style: Arc<SendStyle>,
    /// What the application is told of them, if it wants to know.
    notes: Option<Box<SendNotes>>,
}

impl SendReplies {
    /// The answers to as many sends as `asked` has.
    ///
    /// # Panics
    /// There are not as many `replies`.
    #[must_use]
    pub fn new(replies: Replies, asked: AllAsked, style: Arc<SendStyle>) -> Self {
        assert_eq!(replies.len(), asked.len(), "a send has one answer");
        Self { replies, asked, style, notes: None }
    }

    /// The same with what the application is told of each.
    #[must_use]
    pub fn noted(self, notes: Option<SendNotes>) -> Self {
        Self { notes: notes.map(Box::new), ..self }
    }

    /// Sends that nobody awaits any more.
    #[must_use]
    pub fn answered(&self) -> Vec<usize> {
        self.replies.answered()
    }

    /// Answers to everybody but those who wait for a promise to be kept; true if there are any of these.
    pub fn answer_at_once(&mut self, outcomes: &Outcomes) -> bool {
        let mut some_wait = false;
        self.answer(outcomes, PutStatus::Ok, |asked| {
            some_wait |= asked.waits;
            !asked.waits
        });
        some_wait
    }

    /// Answers to all.
    pub fn answer_all(&mut self, outcomes: &Outcomes, status: PutStatus) {
        self.answer(outcomes, status, |_| true);
    }

    /// Tells all why their messages were not stored.
    pub fn refuse_all(&mut self, refusal: &Refusal) {
        let style = &self.style;
        self.replies.answer(|_, opaque, serialization, out| {
            frame::encode(&style.refusal(refusal.clone()).with_opaque(opaque), serialization, out);
            true
        });
        self.notes.iter_mut().for_each(|notes| notes.refused(refusal.code));
    }

    /// Those that are not answered wait up to `limit` for a promise.
    pub fn let_wait(&self, limit: Duration) {
        self.replies.let_wait(limit);
    }

    /// Each send by itself.
    #[must_use]
    pub fn into_each(self) -> Vec<Self> {
        let Self { replies, asked, style, notes } = self;
        let notes =
            notes.into_iter().flat_map(|notes| notes.into_each()).map(Some).chain(std::iter::repeat_with(|| None));
        let each = replies.into_each().into_iter().zip(asked).zip(notes);
        each.map(|((reply, asked), note)| {
            Self::new(Replies::of_one(reply), smallvec![asked], Arc::clone(&style)).noted(note)
        })
        .collect()
    }

    fn answer(&mut self, outcomes: &Outcomes, status: PutStatus, mut now: impl FnMut(&Asked) -> bool) {
        let Self { replies, asked, style, notes } = self;
        replies.answer(|number, opaque, serialization, out| {
            let Some(asked) = asked.get(number) else { return false };
            let (placed, queue_id) = match outcomes.of(number) {
                Outcome::Stored(placed) => (placed, asked.queue_id),
                Outcome::Again(placed, queue_id) => (placed, queue_id),
                Outcome::Refused(refusal) => {
                    let reply = style.refusal(refusal.clone()).with_opaque(opaque);
                    frame::encode(&reply, serialization, out);
                    return true;
                }
            };
            if !now(asked) {
                return false;
            }
            let answer = SendAnswer {
                code: status.code(),
                opaque,
                queue_id,
                queue_offset: placed.first().map(|placed| placed.queue_offset).unwrap_or_default(),
            };
            style.form.write(&answer, placed.iter().map(|placed: &Placed| placed.physical), serialization, out);
            true
        });
        if let Some(notes) = notes {
            notes.answered(outcomes, status, |number| asked.get(number).is_none_or(&mut now));
        }
    }
}

impl PutStatus {
    pub(super) fn code(self) -> i32 {
        match self {
            Self::Ok => response::SUCCESS,
            Self::FlushDiskTimeout => response::FLUSH_DISK_TIMEOUT,
        }
    }
}
