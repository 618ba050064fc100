//! One round through the half messages: what is read and stored, in which order. What becomes of each is decided in
//! `broker/transaction/check.rs`.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::TransactionParts;
use crate::actors::append_answer::append;
use crate::actors::client_actor::AskProducer;
use crate::actors::dispatch_actor::MakeQueue;
use crate::actors::fault::{ask, notify};
use crate::actors::offset_actor::StoredOffset;
use crate::actors::queue_actor::{QueuePorts, SnapshotOf};
use crate::actors::queue_directory::QueueKey;
use crate::actors::topic_actor::MakeTopic;
use crate::broker::topics::{checked_too_often_topic, half_topic, op_half_topic};
use crate::broker::transaction::check::{self, CheckRules, Verdict, verdict};
use crate::broker::transaction::done::{Done, FirstReads};
use crate::broker::transaction::{CHECK_GROUP, ended_by};
use crate::protocol::body::topic_config::{Permission, TopicConfig};
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};
use crate::store::{LogView, Placed, PutBatch, QueueSnapshot, StoreError};

/// Messages that are read in one go of the pool: other reads have their turn between two.
const READ_AT_ONCE: usize = 1_024;
/// Most copies that are stored at once,
const COPIES_AT_ONCE: usize = 64;
/// and most bytes of them, unless one alone is larger.
const BYTES_AT_ONCE: usize = 1 << 20;

/// How far a round has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The half message that the next round begins with, and what was noted before.
    pub(super) half: QueueOffset,
    pub(super) half_before: Option<QueueOffset>,
    /// The same of the op messages.
    pub(super) op: QueueOffset,
    pub(super) op_before: Option<QueueOffset>,
    /// The end of the copies in the log.
    pub(super) end: PhysicalOffset,
}

/// What one round leaves to the next. One that is lost makes op messages be read longer.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    known: FirstReads,
    /// The half message behind the last copy.
    copies_end: QueueOffset,
}

/// One round.
pub(super) struct Round {
    parts: TransactionParts,
    began_ms: i64,
    end: PhysicalOffset,
    memory: Memory,
}

/// What one go through the half messages has found.
struct Found {
    /// Half messages that something is to be done with.
    acts: Vec<(QueueOffset, Message, Verdict)>,
    /// The next one to be looked at, if all of these are done with.
    next: QueueOffset,
    /// Whether the round is over: nothing follows, or what follows is too young.
    is_over: bool,
}

impl Round {
    pub(super) fn new(parts: TransactionParts, memory: Memory) -> Self {
        let began_ms = parts.clock.now_ms();
        Self { parts, began_ms, end: PhysicalOffset(0), memory }
    }

    pub(super) async fn run(mut self) -> Result<(Progress, Memory), Refusal> {
        let halves = self.queue(half_topic()).await?;
        let ops = self.queue(op_half_topic()).await?;
        let (half_before, op_before) = (self.noted(half_topic()).await?, self.noted(op_half_topic()).await?);
        let mut next = start(half_before, &ask(&halves.seldom.snapshot(), SnapshotOf).await?);
        let ops_begin = start(op_before, &ask(&ops.seldom.snapshot(), SnapshotOf).await?);
        let op = match self.go_through(&halves, &ops, &mut next, ops_begin).await {
            Ok(op) => op,
            Err(refusal) => {
                // What was copied is done with all the same: the next round is not to ask about it twice.
                tracing::error!(?refusal, %next, "the half messages from here on cannot be looked at now; trying again");
                ops_begin
            }
        };
        self.memory.known.forget_before(op);
        Ok((Progress { half: next, half_before, op, op_before, end: self.end }, self.memory))
    }

    /// Looks at the half messages from `next` on, which moves along; gives the op message that the next round begins with.
    async fn go_through(
        &mut self,
        halves: &QueuePorts,
        ops: &QueuePorts,
        next: &mut QueueOffset,
        ops_begin: QueueOffset,
    ) -> Result<QueueOffset, Refusal> {
        let (mut done, mut read_to) = (Done::default(), ops_begin);
        loop {
            // The op messages are read last thing before anybody is asked: so nobody is whose note is there.
            let snapshot = ask(&halves.seldom.snapshot(), SnapshotOf).await?;
            // Dispatch may not have come to the last copies yet.
            let halves_end = snapshot.max_offset().max(self.memory.copies_end);
            read_to = self.read_ops(ops, &mut done, read_to, *next).await?;
            self.memory.known.note(read_to, halves_end);
            let found = self.look(snapshot, *next, &mut done).await?;
            *next = self.act(found.acts, found.next).await?;
            if *next < found.next || found.is_over {
                return Ok(done.read_from(*next, read_to, &self.memory.known));
            }
        }
    }

    /// Makes a topic of the broker's own: tools are to see what lies in it.
    async fn ensure(&self, topic: &Topic) {
        let (tell, told) = oneshot::channel();
        let config = TopicConfig::new(topic.as_str(), 1, Permission::READ_WRITE);
        notify(&self.parts.make_topic, MakeTopic { topic: topic.clone(), config, tell });
        // Without the topic's settings the round is as good as with them.
        drop(told.await);
    }

    async fn queue(&self, topic: &Topic) -> Result<Arc<QueuePorts>, Refusal> {
        self.ensure(topic).await;
        let key = QueueKey { topic: topic.clone(), queue_id: QueueId(0) };
        Ok(ask(&self.parts.make_queue, MakeQueue { key }).await??)
    }

    async fn noted(&self, topic: &Topic) -> Result<Option<QueueOffset>, Refusal> {
        let question = StoredOffset { topic: topic.as_str().into(), group: CHECK_GROUP.into(), queue_id: QueueId(0) };
        let stored = ask(&self.parts.stored, question).await?;
        Ok(stored.and_then(|stored| u64::try_from(stored.0).ok()).map(QueueOffset))
    }

    /// Reads every op message that there is, from `read_to` on; gives what follows them.
    async fn read_ops(
        &self,
        ops: &QueuePorts,
        done: &mut Done,
        mut read_to: QueueOffset,
        next: QueueOffset,
    ) -> Result<QueueOffset, Refusal> {
        let snapshot = ask(&ops.seldom.snapshot(), SnapshotOf).await?;
        while read_to < snapshot.max_offset() {
            let queue = snapshot.clone();
            let (halves, end) = self.parts.pool.ask(move |log| read_some_ops(log, &queue, read_to)).await??;
            if end == read_to {
                break;
            }
            done.take((read_to, end), halves, next);
            read_to = end;
        }
        Ok(read_to)
    }

    async fn look(&self, queue: QueueSnapshot, next: QueueOffset, done: &mut Done) -> Result<Found, Refusal> {
        let (rules, began_ms, now_ms) = (self.parts.live.load().rules.check, self.began_ms, self.parts.clock.now_ms());
        let known = std::mem::take(done);
        let looked = self.parts.pool.ask(move |log| {
            let look = Look { log, rules, began_ms, now_ms, done: &known };
            let found = look.some_halves(&queue, next);
            (found, known)
        });
        let found;
        (found, *done) = looked.await?;
        Ok(found?)
    }

    /// Does what was decided; gives the first half message that is not done with.
    async fn act(
        &mut self,
        mut acts: Vec<(QueueOffset, Message, Verdict)>,
        next: QueueOffset,
    ) -> Result<QueueOffset, Refusal> {
        if acts.is_empty() {
            return Ok(next);
        }
        if acts.iter().any(|(_, _, verdict)| *verdict == Verdict::PutAside) {
            self.ensure(checked_too_often_topic()).await;
        }
        let mut puts = PutBatch::default();
        for (offset, half, verdict) in &mut acts {
            if let Err(error) = check::push(&mut puts, half, *offset, *verdict) {
                // It holds nobody up: as one that was asked about too often it can still be looked at.
                tracing::error!(%error, %offset, at = %half.physical_offset, "nobody can be asked about a half message");
                *verdict = Verdict::PutAside;
                self.ensure(checked_too_often_topic()).await;
                check::push(&mut puts, half, *offset, *verdict)?;
            }
        }
        let outcomes = append(&self.parts.append, puts).await?;
        for ((offset, half, verdict), outcome) in acts.iter().zip(outcomes) {
            let copy = match outcome {
                Ok(stored) => stored.placed.first().copied(),
                Err(refusal) => {
                    tracing::error!(?refusal, %offset, "a half message cannot be copied now; trying again");
                    return Ok(*offset);
                }
            };
            let Some(copy) = copy else { continue };
            self.end = self.end.max(copy.end());
            self.memory.copies_end = self.memory.copies_end.max(copy.queue_offset.plus(1));
            match verdict {
                Verdict::Ask => self.ask_producer(half, &copy),
                Verdict::PutAside => {
                    tracing::warn!(%offset, at = %half.physical_offset, "a half message is put aside, its producer did not answer");
                }
                _ => {}
            }
        }
        Ok(next)
    }

    fn ask_producer(&self, half: &Message, copy: &Placed) {
        match check::question(half, copy) {
            Ok(Some((group, command))) => notify(&self.parts.ask_producer, AskProducer { group, command }),
            Ok(None) => tracing::warn!(at = %half.physical_offset, "a half message names no producer to be asked"),
            Err(error) => tracing::error!(%error, at = %half.physical_offset, "a half message cannot be told again"),
        }
    }
}

/// Where a queue is gone on with.
fn start(noted: Option<QueueOffset>, queue: &QueueSnapshot) -> QueueOffset {
    noted.unwrap_or_default().clamp(queue.min_offset(), queue.max_offset())
}

/// The half messages that the next op messages end, and what follows these.
fn read_some_ops(
    log: &LogView,
    queue: &QueueSnapshot,
    from: QueueOffset,
) -> Result<(Vec<QueueOffset>, QueueOffset), StoreError> {
    let entries = queue.entries(from, READ_AT_ONCE)?;
    let mut ended = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter(|entry| !entry.is_blank()) {
        if let Some(op) = log.message(entry.physical)? {
            ended.extend(ended_by(&op.body));
        }
    }
    Ok((ended, from.plus(entries.len() as u64)))
}

/// A look at half messages, from a thread of the pool.
struct Look<'a> {
    log: &'a LogView,
    rules: CheckRules,
    began_ms: i64,
    now_ms: i64,
    done: &'a Done,
}

impl Look<'_> {
    fn some_halves(&self, queue: &QueueSnapshot, from: QueueOffset) -> Result<Found, StoreError> {
        let mut found = Found { acts: Vec::new(), next: from, is_over: false };
        let mut bytes = 0;
        let entries = queue.entries(from, READ_AT_ONCE)?;
        found.is_over = entries.is_empty();
        let mut gone = 0;
        for entry in &entries {
            let offset = found.next;
            // Most have ended: they need not be read.
            let half =
                if self.done.contains(offset) || entry.is_blank() { None } else { self.log.message(entry.physical)? };
            gone += usize::from(entry.physical < self.log.min() && !self.done.contains(offset) && !entry.is_blank());
            if let Some(half) = half {
                let verdict = verdict(&half, offset, self.done, &self.rules, self.began_ms, self.now_ms);
                match verdict {
                    Verdict::Ended => {}
                    Verdict::TooYoung => {
                        found.is_over = true;
                        break;
                    }
                    _ => {
                        bytes += half.stored_size();
                        found.acts.push((offset, half, verdict));
                    }
                }
            }
            found.next = offset.plus(1);
            if found.acts.len() == COPIES_AT_ONCE || bytes >= BYTES_AT_ONCE {
                break;
            }
        }
        if gone > 0 {
            tracing::warn!(messages = gone, %from, "half messages are gone from the log before they were ended");
        }
        Ok(found)
    }
}
