//! Reading back what a topic holds, in pulls of 32 messages, one pull under way per queue.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};

use super::link::{FrameView, Link};
use super::run::Run;
use crate::client::pull::{PullRequest, Wants};
use crate::protocol::body::subscription::EXPRESSION_SQL92;
use crate::protocol::codes::response;
use crate::protocol::command::Serialization;
use crate::protocol::frame::{self, Frame};
use crate::protocol::message::RecordHead;
use crate::protocol::units::{Opaque, QueueId, QueueOffset};

/// Messages per pull: what push consumers ask for, and the most that a broker gives by default.
const MESSAGES_PER_PULL: u32 = 32;

/// The pulls of one connection.
#[derive(Debug)]
pub struct Reader {
    /// The topic to read.
    pub topic: String,
    /// The group to read as.
    pub group: String,
    /// How headers are written.
    pub serialization: Serialization,
    /// How long the broker may hold a pull that finds nothing; zero to have the answer at once.
    pub hold: Duration,
    /// The condition on properties that messages have to meet, if there is one.
    pub sql: Option<String>,
    /// The queues that this connection reads.
    pub queues: Vec<QueueReader>,
}

/// How far a queue has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueReader {
    /// The queue.
    pub queue: u32,
    /// The next offset to read.
    pub offset: u64,
    /// The offset to stop at.
    pub end: u64,
    /// When the pull under way was sent.
    pub asked_ns: u64,
}

/// What came of one pull.
struct Answer<'a> {
    at: usize,
    code: i32,
    next: u64,
    body: &'a [u8],
}

impl Reader {
    /// Appends a pull for one of the queues. Its opaque is the queue's place here: it has no other pull under way.
    pub fn push(&mut self, at: usize, now_ns: u64, out: &mut Vec<u8>) {
        let queue = &mut self.queues[at];
        queue.asked_ns = now_ns;
        let (id, offset) = (QueueId(queue.queue), QueueOffset(queue.offset));
        let sql = self.sql.as_deref().map(|text| Wants::Expression { language: EXPRESSION_SQL92, text });
        let wants = sql.unwrap_or(Wants::ALL);
        let pull = PullRequest { queue: id, offset, count: MESSAGES_PER_PULL, hold: self.hold, commit: None, wants };
        let command = pull.command(&self.group, &self.topic);
        let mut bytes = BytesMut::new();
        frame::encode(&command.with_opaque(Opaque(at as i32)), self.serialization, &mut bytes);
        out.extend_from_slice(&bytes);
    }

    /// Takes an answer: hands each message to `take`, moves on, and gives the place of the queue and the code.
    ///
    /// # Errors
    /// What cannot be read, and refusals.
    pub fn answered(&mut self, view: FrameView<'_>, take: impl FnMut(&RecordHead<'_>)) -> Result<Option<(usize, i32)>> {
        let Some(answer) = self.read(view)? else { return Ok(None) };
        if answer.code == response::SUCCESS {
            walk(answer.body, take)?;
        }
        self.queues[answer.at].offset = answer.next;
        Ok(Some((answer.at, answer.code)))
    }

    fn read<'a>(&self, view: FrameView<'a>) -> Result<Option<Answer<'a>>> {
        let serialization = if view.is_binary { Serialization::Binary } else { Serialization::Json };
        let header = Bytes::copy_from_slice(view.header);
        let reply = Frame { serialization, header, body: Bytes::new() }.command()?;
        let at = reply.opaque.0 as usize;
        if !reply.is_reply() || at >= self.queues.len() {
            return Ok(None);
        }
        let found = [response::SUCCESS, response::PULL_NOT_FOUND, response::PULL_RETRY_IMMEDIATELY];
        if !found.contains(&reply.code) && reply.code != response::PULL_OFFSET_MOVED {
            bail!("the broker refused a pull with code {}: {}", reply.code, reply.remark.unwrap_or_default());
        }
        let next = reply.ext.int64("nextBeginOffset")?.max(0).unsigned_abs();
        Ok(Some(Answer { at, code: reply.code, next, body: view.body }))
    }
}

/// Hands out the messages of a pull's body, which stand one after the other.
fn walk(mut block: &[u8], mut take: impl FnMut(&RecordHead<'_>)) -> Result<()> {
    while !block.is_empty() {
        let head = RecordHead::parse(block)?;
        take(&head);
        block = block.get(head.total_size as usize..).unwrap_or_default();
    }
    Ok(())
}

/// Reads all queues of one connection up to their ends.
///
/// # Errors
/// The connection ended, or the broker refused.
pub async fn drain(run: Rc<Run>, mut link: Link, mut reader: Reader) -> Result<()> {
    let mut open = 0_usize;
    for at in 0..reader.queues.len() {
        if reader.queues[at].offset < reader.queues[at].end {
            reader.push(at, run.now_ns(), &mut link.outbox);
            open += 1;
        }
    }
    while open > 0 && !run.is_over() {
        link.turn().await.context("the broker ended a connection")?;
        open -= take_answers(&run, &mut link, &mut reader)?;
        run.end_if_counted();
    }
    Ok(())
}

/// Counts what came and asks for more; gives how many queues are read to their end.
fn take_answers(run: &Run, link: &mut Link, reader: &mut Reader) -> Result<usize> {
    let (now_ns, measuring) = (run.now_ns(), run.is_measuring());
    let (mut finished, mut requests, mut outcome) = (0, Vec::new(), Ok(()));
    let mut tally = run.tally.borrow_mut();
    link.take_frames(|view| {
        let mut messages = 0;
        match reader.answered(view, |_| messages += 1) {
            Ok(Some((at, code))) => {
                let queue = reader.queues[at];
                if measuring {
                    tally.reply(code, messages, now_ns - queue.asked_ns);
                }
                // An empty answer before the end means that the queue was cut meanwhile.
                if queue.offset >= queue.end || code == response::PULL_NOT_FOUND {
                    finished += 1;
                } else {
                    reader.push(at, now_ns, &mut requests);
                }
            }
            Ok(None) => tally.stray += 1,
            Err(error) => outcome = Err(error),
        }
    })?;
    link.outbox.extend_from_slice(&requests);
    outcome.map(|()| finished)
}
