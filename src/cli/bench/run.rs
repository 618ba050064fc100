//! One measurement: when it begins and ends, what it costs, and where its connections put what they see.
//!
//! Everything here belongs to the one thread of the load generator, so cells do where others would need locks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, timeout, timeout_at};

use super::process::Usage;
use super::tally::Tally;
use crate::time::{Clock, SystemClock};

/// How long stragglers are waited for after the end that do not come late by intention.
pub const GRACE: Duration = Duration::from_secs(5);

/// What the connections of one measurement share.
///
/// # Units
/// Times are nanoseconds since the run was made.
#[derive(Debug)]
pub struct Run {
    clock: SystemClock,
    begun_ns: Cell<u64>,
    over_ns: Cell<u64>,
    count: Option<u64>,
    alive: Cell<usize>,
    done: Notify,
    stop: Arc<AtomicBool>,
    failures: RefCell<Vec<String>>,
    /// What came back so far.
    pub tally: RefCell<Tally>,
}

/// What a measurement took, apart from what it counted.
#[derive(Clone, Debug)]
pub struct Cost {
    /// From its beginning to its end.
    pub seconds: f64,
    /// What the watched processes used meanwhile, in the order in which they were given.
    pub processes: Vec<ProcessCost>,
    /// Processor time of the load generator itself; `None` where the system does not tell.
    pub own_cpu_seconds: Option<f64>,
    /// What ended connections early.
    pub failures: Vec<String>,
}

/// What one process used during a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessCost {
    /// Which one.
    pub pid: u32,
    /// Processor time within the measurement.
    pub cpu_seconds: f64,
    /// Memory of its own at the end.
    pub anonymous_bytes: u64,
}

/// How long a measurement goes on.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Time before it.
    pub warmup: Duration,
    /// Time for it, if that is limited.
    pub length: Option<Duration>,
    /// How long what is under way at its end is waited for.
    pub grace: Duration,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(count: Option<u64>) -> Rc<Self> {
        Rc::new(Self {
            clock: SystemClock::new(),
            begun_ns: Cell::new(u64::MAX),
            over_ns: Cell::new(u64::MAX),
            count,
            alive: Cell::new(0),
            done: Notify::new(),
            stop: Arc::default(),
            failures: RefCell::default(),
            tally: RefCell::default(),
        })
    }

    /// Now.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Whether nothing more is to be sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over_ns.get() != u64::MAX
    }

    /// What tells a thread that the run is over.
    #[must_use]
    pub fn stop_sign(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Whether what happens now counts.
    #[must_use]
    pub fn is_measuring(&self) -> bool {
        self.begun_ns.get() != u64::MAX && !self.is_over()
    }

    /// Whether what started at a time counts, however late it ends. Where arrivals do not wait, dropping those that end
    /// after the measurement would drop the slowest.
    #[must_use]
    pub fn counts_from(&self, started_ns: u64) -> bool {
        (self.begun_ns.get()..self.over_ns.get()).contains(&started_ns)
    }

    /// Ends the run when it has counted the messages that it was made for.
    pub fn end_if_counted(&self) {
        if self.count.is_some_and(|count| self.tally.borrow().messages >= count) {
            self.end();
        }
    }

    /// Runs one connection's part of the load.
    pub fn spawn(self: &Rc<Self>, load: impl Future<Output = Result<()>> + 'static) -> JoinHandle<()> {
        let run = self.clone();
        run.alive.set(run.alive.get() + 1);
        spawn_local(async move {
            if let Err(error) = load.await {
                run.failures.borrow_mut().push(format!("{error:#}"));
            }
            run.alive.set(run.alive.get() - 1);
            if run.alive.get() == 0 {
                run.end();
            }
        })
    }

    /// Watches the run from its warm-up to its end.
    ///
    /// # Errors
    /// A watched process cannot be read, or the connections ended before the measurement began.
    pub async fn measure(&self, extent: Extent, pids: &[u32], loads: Vec<JoinHandle<()>>) -> Result<Cost> {
        let early = timeout(extent.warmup, self.done.notified()).await.is_ok();
        if early && let Some(failure) = self.failures.borrow().first() {
            bail!("no connection lasted until the measurement: {failure}");
        }
        let before = usages(pids)?;
        let own_before = Usage::of(std::process::id()).ok();
        // A load that was through before the warm-up was is measured as nothing, not as everything.
        self.begun_ns.set(self.now_ns());
        if !early {
            match extent.length {
                Some(length) => drop(timeout(length, self.done.notified()).await),
                None => self.done.notified().await,
            }
        }
        self.end();
        let own_after = Usage::of(std::process::id()).ok();
        let after = usages(pids)?;
        self.await_stragglers(loads, extent.grace).await;
        Ok(Cost {
            seconds: self.over_ns.get().saturating_sub(self.begun_ns.get()) as f64 / 1e9,
            processes: pids.iter().zip(before.iter().zip(&after)).map(|(pid, (b, a))| cost(*pid, b, a)).collect(),
            own_cpu_seconds: own_before.zip(own_after).map(|(before, after)| after.cpu_seconds - before.cpu_seconds),
            failures: self.failures.take(),
        })
    }

    async fn await_stragglers(&self, loads: Vec<JoinHandle<()>>, grace: Duration) {
        let deadline = Instant::now() + grace;
        for mut load in loads {
            // A load that panicked has said so on standard error already. One that is stopped counts what it left.
            if timeout_at(deadline, &mut load).await.is_err() {
                load.abort();
                drop(load.await);
            }
        }
    }

    fn end(&self) {
        if !self.is_over() {
            self.over_ns.set(self.now_ns());
            self.stop.store(true, Ordering::Relaxed);
            self.done.notify_one();
        }
    }
}

fn usages(pids: &[u32]) -> Result<Vec<Usage>> {
    Ok(pids.iter().map(|pid| Usage::of(*pid)).collect::<Result<_, _>>()?)
}

fn cost(pid: u32, before: &Usage, after: &Usage) -> ProcessCost {
    ProcessCost { pid, cpu_seconds: after.cpu_seconds - before.cpu_seconds, anonymous_bytes: after.anonymous_bytes }
}
