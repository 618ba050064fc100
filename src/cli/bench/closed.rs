//! Loads that send as fast as they are answered, or, without replies, as fast as the socket takes it.

use std::rc::Rc;

use anyhow::{Context, Result};

use super::link::{FrameView, Link};
use super::run::Run;
use super::scanner::{Reply, Scanner, scan_binary};
use super::template::Template;
use super::window::Window;

/// Bytes that a connection without replies gathers before it writes.
const ONEWAY_WRITE_BYTES: usize = 64 * 1024;

/// What one connection sends.
#[derive(Debug)]
pub struct Load {
    /// Its frames.
    pub template: Template,
    /// The topic's queues are taken in turn, beginning with this one.
    pub queue: u32,
    /// How many queues there are.
    pub queues: u32,
    /// Messages in each request.
    pub batch: u64,
    /// Requests under way at most.
    pub in_flight: usize,
}

impl Load {
    /// Appends the next request and gives its running number.
    pub fn push(&mut self, out: &mut Vec<u8>) -> u32 {
        let sequence = self.template.next_sequence();
        self.template.stamp(self.queue, out);
        self.queue += 1;
        if self.queue >= self.queues {
            self.queue = 0;
        }
        sequence
    }
}

/// Reads replies of either header form.
#[derive(Debug, Default)]
pub struct Replies {
    scanner: Scanner,
}

impl Replies {
    /// The code of a reply and the running number of its request; `None` for what is no reply to any request of ours.
    pub fn read(&mut self, frame: FrameView<'_>) -> Option<(i32, u32)> {
        let Reply { code, opaque, is_reply } =
            if frame.is_binary { scan_binary(frame.header)? } else { self.scanner.scan_json(frame.header)? };
        is_reply.then(|| Template::sequence_of(opaque))?.map(|sequence| (code, sequence))
    }
}

/// Keeps a window of requests under way until the run is over, then waits for the last replies.
///
/// # Errors
/// The connection ended.
pub async fn send_answered(run: Rc<Run>, mut link: Link, mut load: Load) -> Result<()> {
    let mut open = OpenRequests { run: run.clone(), window: Window::new(load.in_flight) };
    let window = &mut open.window;
    let mut replies = Replies::default();
    loop {
        if !run.is_over() {
            fill(&run, &mut link, &mut load, window);
        }
        if window.under_way() == 0 {
            return Ok(());
        }
        link.turn().await.context("the broker ended a connection")?;
        take_replies(&run, &mut link, window, &mut replies, load.batch)?;
    }
}

/// The requests of one connection. Those that are under way when it ends, or is stopped, are counted as unanswered.
struct OpenRequests {
    run: Rc<Run>,
    window: Window,
}

impl Drop for OpenRequests {
    fn drop(&mut self) {
        self.run.tally.borrow_mut().unanswered += self.window.under_way() as u64;
    }
}

/// One reading of the clocks serves all requests of a write: they leave together.
fn fill(run: &Run, link: &mut Link, load: &mut Load, window: &mut Window) {
    let now_ns = run.now_ns();
    load.template.set_born(run.now_ms());
    while window.has_room(load.template.next_sequence()) {
        let sequence = load.push(&mut link.outbox);
        window.open(sequence, now_ns);
    }
}

fn take_replies(run: &Run, link: &mut Link, window: &mut Window, replies: &mut Replies, batch: u64) -> Result<()> {
    let (now_ns, measuring) = (run.now_ns(), run.is_measuring());
    let mut tally = run.tally.borrow_mut();
    link.take_frames(|frame| {
        let answered = replies.read(frame).and_then(|(code, sequence)| Some((code, window.close(sequence)?)));
        match answered {
            Some((code, started_ns)) if measuring => tally.reply(code, batch, now_ns - started_ns),
            Some(_) => {}
            None => tally.stray += 1,
        }
    })?;
    drop(tally);
    run.end_if_counted();
    Ok(())
}

/// Sends without wanting replies until the run is over. What the broker answers nevertheless is a refusal.
///
/// # Errors
/// The connection ended.
pub async fn send_oneway(run: Rc<Run>, mut link: Link, mut load: Load) -> Result<()> {
    let mut replies = Replies::default();
    while !run.is_over() {
        load.template.set_born(run.now_ms());
        let mut requests = 0;
        while link.outbox.len() < ONEWAY_WRITE_BYTES {
            load.push(&mut link.outbox);
            requests += 1;
        }
        link.flush().await.context("the broker ended a connection")?;
        take_refusals(&run, &mut link, &mut replies)?;
        if run.is_measuring() {
            run.tally.borrow_mut().messages += requests;
        }
        run.end_if_counted();
        // A socket that always has room would otherwise never let the clock of the measurement run.
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn take_refusals(run: &Run, link: &mut Link, replies: &mut Replies) -> Result<()> {
    let mut tally = run.tally.borrow_mut();
    link.take_frames(|frame| {
        if let Some((code, _)) = replies.read(frame) {
            *tally.codes.entry(code).or_default() += 1;
        }
    })?;
    Ok(())
}
