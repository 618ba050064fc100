//! Loads of transactions: a half message, and its commit when it is answered.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};

use super::closed::Load;
use super::link::{FrameView, Link};
use super::run::Run;
use super::tally::Tally;
use super::target::GROUP;
use super::template::Template;
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame::{self, Frame};
use crate::protocol::headers::send::SendReply;
use crate::protocol::headers::transaction::EndTransaction;
use crate::protocol::ids::parse_offset_id;
use crate::protocol::sys_flag::TRANSACTION_COMMIT;
use crate::protocol::units::Opaque;

/// The transactions of one connection. Those that are under way when it ends, or is stopped, are counted as unanswered.
struct OpenTransactions {
    run: Rc<Run>,
    open: Transactions,
}

impl Drop for OpenTransactions {
    fn drop(&mut self) {
        self.run.tally.borrow_mut().unanswered += self.open.count() as u64;
    }
}

/// The transactions that are under way, each with when it began.
#[derive(Debug, Default)]
struct Transactions {
    /// Half messages, by their running numbers.
    halves: HashMap<u32, u64>,
    /// Commits, by their opaques: these are negative, so that they are told from half messages.
    commits: HashMap<i32, u64>,
    last_commit: i32,
}

/// Keeps a window of transactions under way until the run is over, then waits for the last commits.
///
/// # Errors
/// The connection ended, or the broker answered what cannot be read.
pub async fn send_and_commit(run: Rc<Run>, mut link: Link, mut load: Load) -> Result<()> {
    let mut transactions = OpenTransactions { run: run.clone(), open: Transactions::default() };
    let open = &mut transactions.open;
    loop {
        load.template.set_born(run.now_ms());
        while !run.is_over() && open.count() < load.in_flight {
            let sequence = load.push(&mut link.outbox);
            open.halves.insert(sequence, run.now_ns());
        }
        if open.count() == 0 {
            return Ok(());
        }
        link.turn().await.context("the broker ended a connection")?;
        take_replies(&run, &mut link, open)?;
    }
}

fn take_replies(run: &Run, link: &mut Link, open: &mut Transactions) -> Result<()> {
    let (now_ns, measuring) = (run.now_ns(), run.is_measuring());
    let (mut requests, mut outcome) = (BytesMut::new(), Ok(()));
    let mut tally = run.tally.borrow_mut();
    link.take_frames(|view| {
        let taken = decode(&view).and_then(|reply| open.take(&reply, now_ns, measuring.then_some(&mut tally)));
        match taken {
            Ok(Some(commit)) => frame::encode(&commit, Serialization::Json, &mut requests),
            Ok(None) => {}
            Err(error) => outcome = Err(error),
        }
    })?;
    drop(tally);
    link.outbox.extend_from_slice(&requests);
    run.end_if_counted();
    outcome
}

fn decode(view: &FrameView<'_>) -> Result<Command> {
    let serialization = if view.is_binary { Serialization::Binary } else { Serialization::Json };
    let header = Bytes::copy_from_slice(view.header);
    Ok(Frame { serialization, header, body: Bytes::new() }.command()?)
}

impl Transactions {
    fn count(&self) -> usize {
        self.halves.len() + self.commits.len()
    }

    /// Takes a reply in; a half message that was stored is to be committed.
    fn take(&mut self, reply: &Command, now_ns: u64, tally: Option<&mut Tally>) -> Result<Option<Command>> {
        let half = Template::sequence_of(reply.opaque.0).and_then(|sequence| self.halves.remove(&sequence));
        if let Some(begun_ns) = half.filter(|_| reply.code == response::SUCCESS) {
            return self.commit(reply, begun_ns).map(Some);
        }
        let begun_ns = half.or_else(|| self.commits.remove(&reply.opaque.0));
        if let Some(tally) = tally {
            match begun_ns {
                Some(begun_ns) => tally.reply(reply.code, 1, now_ns - begun_ns),
                None => tally.stray += 1,
            }
        }
        Ok(None)
    }

    /// The commit of the half message that was answered so.
    fn commit(&mut self, stored: &Command, begun_ns: u64) -> Result<Command> {
        let reply = SendReply::parse(&stored.ext)?;
        let (_, at) = parse_offset_id(&reply.msg_id).context("the broker gave no message id")?;
        let end = EndTransaction {
            producer_group: GROUP.into(),
            tran_state_table_offset: reply.queue_offset,
            commit_log_offset: at.0 as i64,
            commit_or_rollback: TRANSACTION_COMMIT,
            from_transaction_check: false,
            msg_id: reply.msg_id,
            transaction_id: None,
        };
        self.last_commit = self.last_commit.wrapping_sub(1).min(-1);
        self.commits.insert(self.last_commit, begun_ns);
        let command = Command::request(request::END_TRANSACTION).with_ext(end.to_ext());
        Ok(command.with_opaque(Opaque(self.last_commit)))
    }
}
