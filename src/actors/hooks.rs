//! Tells an application what clients do: what they send, what they pull, what they ask for and how it is answered.
//!
//! Whoever has something to tell puts it down and rings; the application's actor has at most one [`Told`] of a hook in its
//! mailbox, and takes with it whatever has come until then. So a hook costs one message for however much happens
//! before it looks, and nothing where there is none.
//!
//! What is put down and not taken yet is bounded: [`EVENTS_MAX`] events of each hook, some 200 bytes each. A hook that is
//! further behind loses those beyond, and is told how many. It is never waited for; one that is gone is told nothing more.
//!
//! # Source
//! `SendMessageHook`, `ConsumeMessageHook` and `RPCHook` 4.9.7 (read). These are called by the thread that serves the
//! request, which they hold up, and can refuse what they are told of; ours are told afterwards.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Message, Recipient};

use super::append_answer::{Outcome, Outcomes, PutStatus};
use super::doorbell::Bell;
use super::fault::notify;
use crate::protocol::codes::response;
use crate::protocol::command::CommandRef;
use crate::protocol::headers::pull::PullHeader;
use crate::protocol::ids::offset_id;
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset};
use crate::store::Placed;

pub use crate::net::exchange::{Answered, Asked, Exchange};

/// Most events of one hook that wait to be taken.
pub const EVENTS_MAX: usize = 65_536;

/// A producer's request to store one message or a batch of them, when it is decided what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The producer's group.
    pub group: Box<str>,
    /// The topic that it was sent to.
    pub topic: Box<str>,
    /// The queue that it went to; the one that it was to go to, if any, when it was refused.
    pub queue_id: Option<QueueId>,
    /// The producer.
    pub born_host: SocketAddr,
    /// The broker, as message ids name it.
    pub store_host: SocketAddr,
    /// Length of its body.
    pub bytes: usize,
    /// Where each of its messages lies. None when it was refused; a delayed or half message lies in a queue of the broker's
    /// own.
    pub placed: Vec<Placed>,
    /// What the producer is told: one of [`response`]. SYSTEM_ERROR as well when a part of the broker broke over it.
    pub code: i32,
}

/// A consumer's pull, when it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// The consumer's group.
    pub group: Box<str>,
    /// The topic.
    pub topic: Box<str>,
    /// The queue; none for a number that no queue has.
    pub queue_id: Option<QueueId>,
    /// The consumer.
    pub remote: SocketAddr,
    /// The first entry that it asked for.
    pub offset: ConsumedOffset,
    /// The entry that it is told to go on with, unless it was refused.
    pub next: Option<QueueOffset>,
    /// How many messages it is given.
    pub count: usize,
    /// Length of their records.
    pub bytes: u64,
    /// What it is told: one of [`response`]. SYSTEM_ERROR as well for a pull that was given up, as when its consumer is
    /// gone.
    pub code: i32,
}

impl Sent {
    /// A send that nothing has become of yet.
    pub(super) fn of(request: &CommandRef<'_>, born_host: SocketAddr, store_host: SocketAddr) -> Self {
        let field = |short, long| request.ext.get(short).or_else(|| request.ext.get(long)).unwrap_or_default();
        Self {
            group: field("a", "producerGroup").into(),
            topic: field("b", "topic").into(),
            queue_id: field("e", "queueId").parse().ok().map(QueueId),
            born_host,
            store_host,
            bytes: request.body.len(),
            placed: Vec::new(),
            code: response::SYSTEM_ERROR,
        }
    }

    /// The ids of its messages, as the producer is told them.
    #[must_use]
    pub fn message_ids(&self) -> Vec<String> {
        self.placed.iter().map(|placed| offset_id(self.store_host, placed.physical)).collect()
    }
}

impl Consumed {
    /// A pull that nothing has become of yet.
    pub(super) fn of(header: &PullHeader<'_>, remote: SocketAddr) -> Self {
        Self {
            group: header.consumer_group.as_ref().into(),
            topic: header.topic.as_ref().into(),
            queue_id: u32::try_from(header.queue_id).ok().map(QueueId),
            remote,
            offset: ConsumedOffset(header.queue_offset),
            next: None,
            count: 0,
            bytes: 0,
            code: response::SYSTEM_ERROR,
        }
    }
}

/// Something has happened: [`Told::take`] says what.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Told<T: Send + 'static> {
    gathered: Arc<Gathered<T>>,
    /// Whether the bell rings until this is dropped.
    rings: bool,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// In the order in which it was told.
    pub events: Vec<T>,
    /// How many more there were since the last batch, that were lost because this hook was too far behind.
    pub lost: u64,
}

impl<T: Send + 'static> Told<T> {
    /// Takes whatever has happened until now and was not taken yet. There may be nothing.
    #[must_use]
    pub fn take(mut self) -> Batch<T> {
        self.rings = false;
        // First, so that whoever puts something down from now on rings again.
        self.gathered.bell.answer();
        let Waiting { events, lost } = std::mem::take(&mut *self.gathered.waiting());
        Batch { events, lost }
    }
}

impl<T: Send + 'static> Drop for Told<T> {
    /// What was not taken is told of again with the next event.
    fn drop(&mut self) {
        if self.rings {
            self.gathered.bell.answer();
        }
    }
}

/// What waits to be taken by a hook.
struct Gathered<T> {
    waiting: Mutex<Waiting<T>>,
    bell: Bell,
}

struct Waiting<T> {
    events: Vec<T>,
    lost: u64,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { events: Vec::new(), lost: 0 }
    }
}

impl<T> Gathered<T> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing in the lock can be left half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recipient of the application's, and what it has not taken yet.
pub struct Hook<T: Send + 'static> {
    recipient: Recipient<Told<T>>,
    gathered: Arc<Gathered<T>>,
    gone: AtomicBool,
}

impl<T: Send + 'static> Hook<T> {
    /// Will tell `recipient`.
    #[must_use]
    pub fn new(recipient: Recipient<Told<T>>) -> Arc<Self> {
        let gathered = Gathered { waiting: Mutex::default(), bell: Bell::default() };
        Arc::new(Self { recipient, gathered: Arc::new(gathered), gone: AtomicBool::new(false) })
    }

    /// Tells of events, if there are any.
    pub fn tell(&self, events: Vec<T>) {
        if events.is_empty() || self.is_gone() {
            return;
        }
        {
            let mut waiting = self.gathered.waiting();
            let room = EVENTS_MAX.saturating_sub(waiting.events.len());
            waiting.lost += events.len().saturating_sub(room) as u64;
            waiting.events.extend(events.into_iter().take(room));
        }
        if self.gathered.bell.ring() {
            notify(&self.recipient, Told { gathered: Arc::clone(&self.gathered), rings: true });
        }
    }

    /// Whether the application's actor has ended. That is said once, and what it has not taken is dropped.
    fn is_gone(&self) -> bool {
        if self.recipient.connected() {
            return false;
        }
        if !self.gone.swap(true, Ordering::Relaxed) {
            let told = std::any::type_name::<T>();
            tracing::warn!(told, "an actor of the application is gone that wanted to be told; it is told nothing more");
            drop(std::mem::take(&mut *self.gathered.waiting()));
        }
        true
    }
}

/// What an application wants to be told.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) sent: Option<Arc<Hook<Sent>>>,
    pub(super) consumed: Option<Arc<Hook<Consumed>>>,
    pub(super) exchanged: Option<Arc<Hook<Exchange>>>,
}

/// The sends of a batch, in the order of their puts, until their producers are answered.
pub struct SendNotes {
    hook: Arc<Hook<Sent>>,
    notes: Vec<Option<Sent>>,
}

impl SendNotes {
    pub(super) fn new(hook: Arc<Hook<Sent>>, sends: Vec<Sent>) -> Self {
        Self { hook, notes: sends.into_iter().map(Some).collect() }
    }

    /// Tells of those whose producers are answered: all that were refused, and of the others those that `now` says.
    pub(super) fn answered(&mut self, outcomes: &Outcomes, status: PutStatus, mut now: impl FnMut(usize) -> bool) {
        self.tell(|number, sent| match outcomes.of(number) {
            Outcome::Stored(placed) | Outcome::Again(placed, _) => {
                (sent.code, sent.placed) = (status.code(), placed.to_vec());
                now(number)
            }
            Outcome::Refused(refusal) => {
                sent.code = refusal.code;
                true
            }
        });
    }

    /// Tells of all that are left.
    pub(super) fn refused(&mut self, code: i32) {
        self.tell(|_, sent| {
            sent.code = code;
            true
        });
    }

    /// Each by itself.
    pub(super) fn into_each(mut self) -> Vec<Self> {
        let notes = std::mem::take(&mut self.notes).into_iter();
        notes.map(|note| Self { hook: Arc::clone(&self.hook), notes: vec![note] }).collect()
    }

    fn tell(&mut self, mut is_told: impl FnMut(usize, &mut Sent) -> bool) {
        let notes = self.notes.iter_mut().enumerate();
        let told = notes.filter_map(|(number, note)| note.take_if(|sent| is_told(number, sent)));
        self.hook.tell(told.collect());
    }
}

impl Drop for SendNotes {
    /// Of those that nobody answered: their replies are dropped as well.
    fn drop(&mut self) {
        self.refused(response::SYSTEM_ERROR);
    }
}

impl std::fmt::Debug for SendNotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendNotes").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// A pull until it is answered; told of when this is dropped, as it stands then.
pub struct PullNote {
    hook: Arc<Hook<Consumed>>,
    consumed: Option<Consumed>,
}

impl PullNote {
    pub(super) fn new(hook: Arc<Hook<Consumed>>, consumed: Consumed) -> Self {
        Self { hook, consumed: Some(consumed) }
    }

    /// Notes what the consumer is told.
    pub(super) fn answered(&mut self, code: i32, next: Option<QueueOffset>, count: usize, bytes: u64) {
        if let Some(consumed) = &mut self.consumed {
            (consumed.code, consumed.next, consumed.count, consumed.bytes) = (code, next, count, bytes);
        }
    }
}

impl Drop for PullNote {
    fn drop(&mut self) {
        self.hook.tell(self.consumed.take().into_iter().collect());
    }
}

impl std::fmt::Debug for PullNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PullNote").field("consumed", &self.consumed).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use actix::{Actor, ActorContext, Addr, Context, Handler};

    use super::*;

    /// Takes what it is told of, but for the first messages, which it passes over.
    #[derive(Default)]
    struct Listener {
        batches: Vec<Batch<u64>>,
        passed_over: usize,
    }

    impl Actor for Listener {
        type Context = Context<Self>;
    }

    impl Handler<Told<u64>> for Listener {
        type Result = ();

        fn handle(&mut self, told: Told<u64>, _: &mut Context<Self>) {
            match self.passed_over.checked_sub(1) {
                Some(left) => self.passed_over = left,
                None => self.batches.push(told.take()),
            }
        }
    }

    #[derive(Message)]
    #[rtype(result = "Vec<Batch<u64>>")]
    struct Heard;

    impl Handler<Heard> for Listener {
        type Result = Vec<Batch<u64>>;

        fn handle(&mut self, _: Heard, _: &mut Context<Self>) -> Vec<Batch<u64>> {
            std::mem::take(&mut self.batches)
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct End;

    impl Handler<End> for Listener {
        type Result = ();

        fn handle(&mut self, _: End, ctx: &mut Context<Self>) {
            ctx.stop();
        }
    }

    fn hooked(listener: Listener) -> (Arc<Hook<u64>>, Addr<Listener>) {
        let listener = listener.start();
        (Hook::new(listener.clone().recipient()), listener)
    }

    fn batch(events: impl IntoIterator<Item = u64>, lost: u64) -> Batch<u64> {
        Batch { events: events.into_iter().collect(), lost }
    }

    #[actix::test]
    async fn one_message_tells_of_whatever_came_before_it_was_looked_at() {
        let (hook, listener) = hooked(Listener::default());
        hook.tell(vec![1, 2]);
        hook.tell(vec![]);
        hook.tell(vec![3]);
        assert_eq!(listener.send(Heard).await.unwrap(), [batch(1..=3, 0)]);
        hook.tell(vec![4]);
        assert_eq!(listener.send(Heard).await.unwrap(), [batch([4], 0)]);
        assert_eq!(listener.send(Heard).await.unwrap(), []);
    }

    #[actix::test]
    async fn what_is_not_taken_is_told_of_again_with_the_next_event() {
        let (hook, listener) = hooked(Listener { passed_over: 1, ..Listener::default() });
        hook.tell(vec![1]);
        assert_eq!(listener.send(Heard).await.unwrap(), []);
        hook.tell(vec![2]);
        assert_eq!(listener.send(Heard).await.unwrap(), [batch(1..=2, 0)]);
    }

    #[actix::test]
    async fn a_hook_that_is_too_far_behind_loses_the_newest_and_is_told_how_many() {
        let (hook, listener) = hooked(Listener::default());
        let most = EVENTS_MAX as u64;
        hook.tell((1..most).collect());
        hook.tell(vec![most, most + 1, most + 2]);
        hook.tell(vec![most + 3]);
        assert!(listener.send(Heard).await.unwrap() == [batch(1..=most, 3)]);
        hook.tell(vec![0]);
        assert_eq!(listener.send(Heard).await.unwrap(), [batch([0], 0)]);
    }

    #[actix::test]
    async fn what_waits_for_a_hook_that_is_gone_is_dropped_and_nothing_more_is_kept() {
        let (hook, listener) = hooked(Listener { passed_over: 1, ..Listener::default() });
        hook.tell(vec![1]);
        listener.send(End).await.unwrap();
        assert!(listener.send(Heard).await.is_err());
        assert_eq!(hook.gathered.waiting().events, [1]);
        hook.tell(vec![2]);
        assert!(hook.gathered.waiting().events.is_empty() && hook.gathered.waiting().events.capacity() == 0);
    }
}
