//! A few threads that read what may not be in memory: a page fault there stops one lagging consumer, not every producer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use tokio::sync::oneshot;

use super::pull_reply::PullReply;
use crate::broker::pull::Selection;
use crate::net::bulk::STEP_BYTES;
use crate::net::reply::when_ready;
use crate::protocol::refusal::Refusal;
use crate::store::LogView;

/// Threads that look things up.
pub const QUESTION_THREADS: usize = 3;

/// What a thread of the pool does.
type Job = Box<dyn FnOnce(&mut BytesMut) + Send>;

/// Hands reads to the threads; cloning shares them. They end when the last clone is gone.
///
/// What waits here is bounded by the requests that it belongs to: those in flight, and the parked ones that were woken.
#[derive(Clone)]
pub struct ReadPool {
    jobs: Sender<Job>,
    log: LogView,
}

impl ReadPool {
    /// Starts `threads` threads that read `log`, named after what they are for.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(purpose: &str, threads: usize, log: LogView) -> std::io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(format!("ferromq-{purpose}-{number}")).spawn(move || work(&queue))?;
        }
        Ok(Self { jobs, log })
    }

    /// Reads a pull's records and answers it, when its client has taken what it was sent before and still waits for it.
    pub fn read(&self, reply: PullReply, selection: Selection) {
        let pool = self.clone();
        self.run(move |scratch| {
            let again = || {
                let pool = pool.clone();
                move |(reply, selection)| pool.read(reply, selection)
            };
            if let Some((reply, selection)) = when_ready((reply, selection), |(reply, _)| reply.handle(), again) {
                answer(&pool.log, reply, &selection, scratch);
            }
        });
    }

    /// Runs something that reads, and tells what it has found.
    ///
    /// # Errors
    /// It panicked, which the log tells of.
    pub async fn ask<R: Send + 'static>(&self, job: impl FnOnce(&LogView) -> R + Send + 'static) -> Result<R, Refusal> {
        let (tell, told) = oneshot::channel();
        let log = self.log.clone();
        self.run(move |_| {
            // Who asked may be gone.
            let _ = tell.send(job(&log));
        });
        told.await.map_err(|_| Refusal::error("a read failed, see the broker's log"))
    }

    /// Runs something that reads the log.
    pub fn run(&self, job: impl FnOnce(&mut BytesMut) + Send + 'static) {
        if self.jobs.send(Box::new(job)).is_err() {
            // The job is dropped, and with it its reply, which answers for itself.
            tracing::error!("the threads that read the log are gone");
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let mut scratch = BytesMut::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut scratch))).is_err() {
            tracing::error!("a read of the log panicked; its client was told");
        }
        scratch.clear();
    }
}

/// Small answers are read into memory of their own. Large ones are read once, so that their pages are there, and then
/// leave as slices: a client that does not read them holds no copy.
fn answer(log: &LogView, reply: PullReply, selection: &Selection, scratch: &mut BytesMut) {
    let mut body = if selection.bytes <= STEP_BYTES as u64 { BytesMut::new() } else { std::mem::take(scratch) };
    body.clear();
    for (physical, size) in &selection.records {
        if selection.bytes > STEP_BYTES as u64 {
            body.clear();
        }
        match log.read_cold(*physical, *size, &mut body) {
            Ok(true) => {}
            Ok(false) => return reply.removed(selection),
            Err(error) => return reply.refuse(error.into()),
        }
    }
    if selection.bytes <= STEP_BYTES as u64 {
        reply.from_buffer(selection, body);
    } else {
        *scratch = body;
        reply.from_memory(log, selection);
    }
}
