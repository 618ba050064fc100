//! Loads that come at given times, whether or not earlier requests are answered.
//!
//! A thread of its own sleeps until a request is due and writes it: the runtime's timers tick in milliseconds, too
//! coarse for thousands per second. Replies are read by tasks of the runtime.
//!
//! A request is timed from when the sender's sleep ended, or, when it could not be sent then because the socket or
//! the window was full, from when it was due. So the generator's own oversleeping, some 60 µs, is not charged to the
//! broker, and a broker that stalls is charged for everything that waits meanwhile.

#![expect(clippy::disallowed_methods, reason = "this thread only keeps time: it serves nobody while it sleeps")]

use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::closed::{Load, Replies};
use super::link::Link;
use super::options::STAMP_BYTES;
use super::pace::Schedule;
use super::run::Run;
use super::window::Window;
use crate::time::{Clock, SystemClock};

/// How long the sender waits before it tries a full socket or window again.
const FULL_PAUSE: Duration = Duration::from_micros(50);
/// How often readers look up from a silent socket.
pub const LOOK_UP: Duration = Duration::from_millis(50);

/// One connection's window, shared by the thread that sends and the task that reads.
pub type SharedWindow = Arc<Mutex<Window>>;

/// The sending half of a connection.
#[derive(Debug)]
pub struct Sender {
    /// Its socket, which does not block.
    pub socket: std::net::TcpStream,
    /// What is sent.
    pub load: Load,
    /// What is under way.
    pub window: SharedWindow,
}

/// The thread that sends.
#[derive(Debug)]
pub struct Pacer {
    /// The connections, which take turns.
    pub senders: Vec<Sender>,
    /// When requests are due.
    pub schedule: Schedule,
    /// Marks the bodies of this run's messages, which then also carry their time.
    pub mark: Option<u64>,
    /// Ends it.
    pub stop: Arc<AtomicBool>,
    /// Nanoseconds of the run's clock at which the clock below was made.
    pub clock_offset_ns: u64,
    /// The clock.
    pub clock: SystemClock,
}

impl Pacer {
    /// Sends until it is told to stop.
    ///
    /// # Errors
    /// A connection broke.
    pub fn run(mut self) -> io::Result<()> {
        let begin = self.now_ns();
        let mut out = Vec::new();
        for turn in 0.. {
            let due_ns = begin + self.schedule.next_due_ns();
            let Some(mut start_ns) = self.wait_until(due_ns) else { return Ok(()) };
            let at = turn % self.senders.len();
            while !self.senders[at].has_room() {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                thread::sleep(FULL_PAUSE);
                start_ns = due_ns;
            }
            self.send(at, start_ns, &mut out)?;
        }
        Ok(())
    }

    /// When the request that is due then starts to be timed; `None` when it is time to stop.
    fn wait_until(&self, due_ns: u64) -> Option<u64> {
        let mut start_ns = due_ns;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let now = self.now_ns();
            if now >= due_ns {
                return Some(start_ns);
            }
            // Short sleeps, so that the order to stop is seen soon also at one request a minute.
            thread::sleep(Duration::from_nanos((due_ns - now).min(50_000_000)));
            start_ns = self.now_ns().max(due_ns);
        }
    }

    fn send(&mut self, at: usize, start_ns: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let now_ms = self.clock.now_ms();
        let sender = &mut self.senders[at];
        sender.load.template.set_born(now_ms);
        if let Some(mark) = self.mark {
            sender.load.template.set_body_head(&stamp(mark, start_ns));
        }
        out.clear();
        let sequence = sender.load.push(out);
        sender.window.lock().unwrap_or_else(PoisonError::into_inner).open(sequence, start_ns);
        write_all(&mut sender.socket, out)
    }

    fn now_ns(&self) -> u64 {
        self.clock_offset_ns + self.clock.elapsed().as_nanos() as u64
    }
}

impl Sender {
    fn has_room(&self) -> bool {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.has_room(self.load.template.next_sequence())
    }
}

fn write_all(socket: &mut std::net::TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The head of a body: the run's mark, and when the message was sent.
fn stamp(mark: u64, sent_ns: u64) -> [u8; STAMP_BYTES] {
    let mut head = [0; STAMP_BYTES];
    head[..8].copy_from_slice(&mark.to_be_bytes());
    head[8..].copy_from_slice(&sent_ns.to_be_bytes());
    head
}

/// When a message of the run of this mark was sent; `None` for other messages.
#[must_use]
pub fn sent_ns(mark: u64, body: &[u8]) -> Option<u64> {
    let (head, rest) = body.split_first_chunk::<8>()?;
    (*head == mark.to_be_bytes()).then_some(())?;
    rest.first_chunk::<8>().map(|sent| u64::from_be_bytes(*sent))
}

/// Reads the replies of one connection until the run is over and none is missing. `timed` is whether the replies are
/// what is measured; else only refusals are counted.
///
/// # Errors
/// The connection ended.
pub async fn read_replies(run: Rc<Run>, mut link: Link, window: SharedWindow, timed: bool) -> Result<()> {
    let open = OpenRequests { run: run.clone(), window };
    let window = &open.window;
    let mut replies = Replies::default();
    loop {
        if run.is_over() && window.lock().unwrap_or_else(PoisonError::into_inner).under_way() == 0 {
            return Ok(());
        }
        // Without a limit, the end of the run would go unnoticed where no reply is missing.
        let Ok(turn) = timeout(LOOK_UP, link.turn()).await else { continue };
        turn.context("the broker ended a connection")?;
        let now_ns = run.now_ns();
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tally = run.tally.borrow_mut();
        link.take_frames(|frame| {
            let answered = replies.read(frame).and_then(|(code, sequence)| Some((code, window.close(sequence)?)));
            match answered {
                Some((code, started_ns)) if timed && run.counts_from(started_ns) => {
                    tally.reply(code, 1, now_ns.saturating_sub(started_ns));
                }
                Some((code, started_ns)) if run.counts_from(started_ns) => *tally.codes.entry(code).or_default() += 1,
                Some(_) => {}
                None => tally.stray += 1,
            }
        })?;
        drop(tally);
        run.end_if_counted();
    }
}

/// The requests of one connection. Those that are under way when it ends, or is stopped, are counted as unanswered.
struct OpenRequests {
    run: Rc<Run>,
    window: SharedWindow,
}

impl Drop for OpenRequests {
    fn drop(&mut self) {
        let under_way = self.window.lock().unwrap_or_else(PoisonError::into_inner).under_way();
        self.run.tally.borrow_mut().unanswered += under_way as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_only_by_its_own_run() {
        let body = [&stamp(7, 123_456_789)[..], b"rest"].concat();
        assert_eq!(sent_ns(7, &body), Some(123_456_789));
        assert_eq!(sent_ns(8, &body), None);
        assert_eq!(sent_ns(7, &body[..15]), None);
    }
}
