//! Ends transactions: stores what was committed for consumers, and notes of every half message that it is done with.
//!
//! Runs in the connections' tasks and waits in tasks of its own, one for all that a read of a socket brought. Reads half
//! messages in the pool, sends to the CommitLogActor: first what was committed, then, of what is stored, the notes. So a
//! crash between the two asks a producer again, and never loses its message.

use std::collections::VecDeque;
use std::net::SocketAddr;

use actix::Recipient;

use super::append_answer::{append, append_all};
use super::commitlog_actor::AppendBatch;
use super::read_pool::ReadPool;
use super::requests::{answer, success};
use crate::broker::topics::CHECKED_TOO_OFTEN_TOPIC;
use crate::broker::transaction::{self, Ending};
use crate::net::reply::ReplyTo;
use crate::net::router::{Request, Service};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::transaction::{EndTransaction, ResumeCheck};
use crate::protocol::ids;
use crate::protocol::message::Message;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{BornTime, PhysicalOffset};
use crate::store::{LogView, PutBatch, StoreError};
use crate::time::SharedClock;

/// The codes that an EndTransactionService answers.
pub(super) const CODES: [i32; 2] = [request::END_TRANSACTION, request::RESUME_CHECK_HALF_MESSAGE];

/// Most bytes of half messages that are held and stored at once, unless one alone is larger.
const BYTES_AT_ONCE: usize = 1 << 20;

/// A transaction to be ended, and whether by a commit.
type Asked = (EndTransaction, bool, ReplyTo);

/// What an EndTransactionService is made of.
#[derive(Clone)]
pub(super) struct EndTransactionService {
    /// This broker, which op messages come from.
    pub(super) host: SocketAddr,
    /// How many levels of delay there are.
    pub(super) delay_levels: u32,
    /// Reads half messages.
    pub(super) pool: ReadPool,
    /// The CommitLogActor.
    pub(super) append: Recipient<AppendBatch>,
    /// Tells when op messages were born.
    pub(super) clock: SharedClock,
}

/// A transaction that its producer has ended.
struct Ended {
    half: Message,
    commits: bool,
    reply: ReplyTo,
}

impl Service for EndTransactionService {
    fn serve(&self, requests: Vec<Request>) {
        let service = self.clone();
        actix_rt::spawn(async move {
            let mut asked = Vec::new();
            for Request { command, reply, .. } in requests {
                if command.code == request::RESUME_CHECK_HALF_MESSAGE {
                    answer(reply, service.resume(&command).await);
                    continue;
                }
                match ending(&command) {
                    // Nothing is done, and nothing has to be: the producer is asked later.
                    Ok((_, Ending::Unknown)) => reply.succeed(),
                    Ok((header, ending)) => asked.push((header, ending == Ending::Commit, reply)),
                    Err(refusal) => reply.refuse(refusal),
                }
            }
            if !asked.is_empty() {
                service.end(asked).await;
            }
        });
    }
}

fn ending(command: &Command) -> Result<(EndTransaction, Ending), Refusal> {
    let header = EndTransaction::parse(&command.ext)?;
    let wrong = || Refusal::error(format!("commitOrRollback field wrong: {}", header.commit_or_rollback));
    let ending = Ending::of(header.commit_or_rollback).ok_or_else(wrong)?;
    Ok((header, ending))
}

impl EndTransactionService {
    async fn end(&self, asked: Vec<Asked>) {
        let mut asked = VecDeque::from(asked);
        while !asked.is_empty() {
            // Whoever is not answered below is by the drop of its handle.
            let Ok((ended, rest)) = self.pool.ask(move |log| (verified(log, &mut asked), asked)).await else { return };
            asked = rest;
            let (committed, rolled_back): (Vec<Ended>, Vec<Ended>) = ended.into_iter().partition(|ended| ended.commits);
            let mut done = self.commit(committed).await;
            done.extend(rolled_back);
            self.note(done).await;
        }
    }

    /// Stores what was committed, and gives back what is stored.
    async fn commit(&self, committed: Vec<Ended>) -> Vec<Ended> {
        let mut puts = PutBatch::default();
        let mut sent = Vec::with_capacity(committed.len());
        for ended in committed {
            match transaction::push_committed(&mut puts, &ended.half, self.delay_levels) {
                Ok(()) => sent.push(ended),
                Err(refusal) => ended.reply.refuse(refusal),
            }
        }
        self.stored(puts, sent).await
    }

    /// Notes that the half messages are done with, and tells their producers.
    async fn note(&self, done: Vec<Ended>) {
        let now = BornTime(self.clock.now_ms());
        let mut puts = PutBatch::default();
        let mut sent = Vec::with_capacity(done.len());
        for ended in done {
            let (queue_id, offset) = (ended.half.queue_id, ended.half.queue_offset);
            match transaction::push_op(&mut puts, queue_id, offset, self.host, now) {
                Ok(()) => sent.push(ended),
                Err(error) => ended.reply.refuse(error.into()),
            }
        }
        self.stored(puts, sent).await.into_iter().for_each(|ended| ended.reply.succeed());
    }

    /// Stores the puts of as many ended transactions; those whose put is refused are told.
    async fn stored(&self, puts: PutBatch, sent: Vec<Ended>) -> Vec<Ended> {
        if puts.is_empty() {
            return Vec::new();
        }
        let outcomes = match append(&self.append, puts).await {
            Ok(outcomes) => outcomes,
            Err(refusal) => {
                sent.into_iter().for_each(|ended| ended.reply.refuse(refusal.clone()));
                return Vec::new();
            }
        };
        let each = sent.into_iter().zip(outcomes).filter_map(|(ended, outcome)| match outcome {
            Ok(_) => Some(ended),
            Err(refusal) => {
                ended.reply.refuse(refusal);
                None
            }
        });
        each.collect()
    }

    /// Brings a half message back that was put aside.
    async fn resume(&self, command: &Command) -> Result<Command, Refusal> {
        let id = ResumeCheck::parse(&command.ext)?.msg_id;
        let (_, at) = ids::parse_offset_id(&id)
            .ok_or_else(|| Refusal::error(format!("msgId is {id:?}, which is no offset message id")))?;
        let missing = || Refusal::error(format!("no message lies at {at} in the log"));
        let aside = self.pool.ask(move |log| log.message(at)).await??.ok_or_else(missing)?;
        if *aside.topic != *CHECKED_TOO_OFTEN_TOPIC {
            let remark = format!("the message at {at} is of topic {}, not of {CHECKED_TOO_OFTEN_TOPIC}", aside.topic);
            return Err(Refusal::error(remark));
        }
        let mut puts = PutBatch::default();
        transaction::check::push_resumed(&mut puts, &aside)?;
        append_all(&self.append, puts).await?;
        Ok(success())
    }
}

/// The next transactions that can be ended, as many as are stored at once; the others are told why not.
fn verified(log: &LogView, asked: &mut VecDeque<Asked>) -> Vec<Ended> {
    let (mut ended, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES_AT_ONCE
        && let Some((header, commits, reply)) = asked.pop_front()
    {
        match half(log, &header) {
            Ok(half) => {
                bytes += half.stored_size();
                ended.push(Ended { half, commits, reply });
            }
            Err(refusal) => reply.refuse(refusal),
        }
    }
    ended
}

fn half(log: &LogView, header: &EndTransaction) -> Result<Message, Refusal> {
    let at = u64::try_from(header.commit_log_offset).ok().map(PhysicalOffset);
    let at = at.filter(|at| *at < log.written());
    let half: Result<Option<Message>, StoreError> = at.map_or(Ok(None), |at| log.message(at));
    transaction::verify(half?.as_ref(), header).cloned()
}
