//! The consumer of `--e2e`: long polls on every queue, and the time from each message's sending to its arrival.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::drain::Reader;
use super::link::Link;
use super::paced::{LOOK_UP, sent_ns};
use super::run::Run;
use super::tally::Outcome;

/// How long messages that were acknowledged are waited for after the end, beside what they wait by intention.
pub const STRAGGLERS: Duration = Duration::from_secs(2);

/// Reads until the run is over and every message of it that was acknowledged has come.
///
/// # Errors
/// The connection ended, or the broker refused.
pub async fn consume(run: Rc<Run>, mut link: Link, mut reader: Reader, mark: u64, stragglers: Duration) -> Result<()> {
    for at in 0..reader.queues.len() {
        reader.push(at, run.now_ns(), &mut link.outbox);
    }
    let mut waited = Duration::ZERO;
    loop {
        match timeout(LOOK_UP, link.turn()).await {
            Ok(turn) => {
                turn.context("the broker ended a connection")?;
                take_answers(&run, &mut link, &mut reader, mark)?;
                run.end_if_counted();
            }
            Err(_) if run.is_over() && (nothing_missing(&run) || waited >= stragglers) => return Ok(()),
            Err(_) if run.is_over() => waited += LOOK_UP,
            Err(_) => {}
        }
    }
}

fn nothing_missing(run: &Run) -> bool {
    let tally = run.tally.borrow();
    tally.messages >= tally.requests(Outcome::Ok)
}

fn take_answers(run: &Run, link: &mut Link, reader: &mut Reader, mark: u64) -> Result<()> {
    let now_ns = run.now_ns();
    let (mut requests, mut outcome) = (Vec::new(), Ok(()));
    let mut tally = run.tally.borrow_mut();
    link.take_frames(|view| {
        let answered = reader.answered(view, |head| {
            if let Some(sent) = sent_ns(mark, head.body).filter(|sent| run.counts_from(*sent)) {
                tally.messages += 1;
                tally.time(now_ns.saturating_sub(sent));
            }
        });
        match answered {
            Ok(Some((at, _))) => reader.push(at, now_ns, &mut requests),
            Ok(None) => tally.stray += 1,
            Err(error) => outcome = Err(error),
        }
    })?;
    link.outbox.extend_from_slice(&requests);
    outcome
}
