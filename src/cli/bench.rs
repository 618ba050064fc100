//! `ferromq bench`: a load generator for any RocketMQ broker.
//!
//! It shares a machine with what it measures, so it must be cheap: one thread, requests stamped into a prepared frame
//! ([`template`]), as many per write as the window allows ([`closed`]), replies read for three numbers only
//! ([`scanner`]). Loads of a given rate are sent by a thread of their own ([`paced`]).

pub mod closed;
pub mod drain;
pub mod e2e;
pub mod link;
pub mod options;
pub mod pace;
pub mod paced;
pub mod process;
pub mod report;
pub mod run;
pub mod scanner;
pub mod tally;
pub mod target;
pub mod template;
pub mod transaction;
pub mod window;

use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::{JoinHandle, LocalSet};

use self::closed::Load;
use self::drain::{QueueReader, Reader};
use self::link::Link;
pub use self::options::BenchArgs;
use self::options::Mode;
use self::pace::Schedule;
use self::paced::{Pacer, Sender};
use self::report::Report;
use self::run::{Extent, Run};
use self::target::{GROUP, Target};
use self::template::{Shape, Template};
use self::window::Window;
use crate::protocol::properties::keys;
use crate::protocol::sys_flag::TRANSACTION_PREPARED;
use crate::time::SystemClock;

/// Time before the measurement of a load, and of reading what is there.
const WARMUP_SECONDS: f64 = 1.0;
/// Length of a measurement that is limited by nothing else.
const SECONDS: f64 = 10.0;
/// Requests under way per connection when their rate is given and no limit is.
const PACED_IN_FLIGHT: usize = 1_000;
/// How long the broker may hold the pulls of an end-to-end measurement: what push consumers ask for.
const HOLD: Duration = Duration::from_secs(15);
/// How often, and how many times without news, the queues are asked what a load without replies has left there.
const STORED_PAUSE: Duration = Duration::from_millis(200);
const STORED_PATIENCE: u32 = 5;

/// Runs the command.
///
/// # Errors
/// Options that make no sense, brokers that cannot be reached, and connections that all broke.
pub fn run(args: &BenchArgs) -> Result<()> {
    let mode = args.mode()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = LocalSet::new().block_on(&runtime, measure(args, mode))?;
    writeln!(std::io::stdout().lock(), "{text}").context("cannot write the result")
}

/// Measures, and gives the report as text.
async fn measure(args: &BenchArgs, mode: Mode) -> Result<String> {
    let targets = target::find(args).await?;
    let before = if mode == Mode::Oneway { Some(target::stored(&targets, &args.topic).await?) } else { None };
    let run = Run::new(args.count);
    let plan = Plan { args, targets: &targets, run: &run, seed: run.now_ms() as u64 };
    let loads = match mode {
        Mode::Closed | Mode::Oneway | Mode::Transaction => plan.senders(mode).await?,
        Mode::Drain => plan.drainers().await?,
        Mode::Paced(rate) => plan.paced(rate, None).await?,
        Mode::EndToEnd(rate) => plan.end_to_end(rate).await?,
    };
    let cost = run.measure(extent(args, mode), &args.pid, loads).await?;
    let stored = match before {
        Some(before) => Some(settled(&targets, &args.topic).await?.saturating_sub(before)),
        None => None,
    };
    let mut tally = run.tally.borrow().clone();
    if matches!(mode, Mode::EndToEnd(_)) {
        tally.unanswered += tally.requests(tally::Outcome::Ok).saturating_sub(tally.messages);
    }
    let brokers = targets.iter().map(|target| target.address.to_string()).collect();
    let queues = targets.iter().map(|target| target.queues).sum();
    let report = Report { args, mode, brokers, queues, tally: &tally, cost: &cost, stored };
    Ok(if args.json { report.json().to_string() } else { report.table() })
}

fn extent(args: &BenchArgs, mode: Mode) -> Extent {
    let (warmup, seconds) = if mode == Mode::Drain { (0.0, None) } else { (WARMUP_SECONDS, Some(SECONDS)) };
    let length = args.seconds.or_else(|| seconds.filter(|_| args.count.is_none()));
    Extent {
        warmup: Duration::from_secs_f64(args.warmup.unwrap_or(warmup)),
        length: length.map(Duration::from_secs_f64),
        grace: run::GRACE + if matches!(mode, Mode::EndToEnd(_)) { args.wait() } else { Duration::ZERO },
    }
}

/// What the queues hold once that does not change any more. A broker that is still busy with a load nobody made it answer
/// may leave the question unanswered; that counts as a change.
async fn settled(targets: &[Target], topic: &str) -> Result<u64> {
    let (mut last, mut unchanged, mut failures) = (0, 0, 0);
    while unchanged < STORED_PATIENCE {
        match target::stored(targets, topic).await {
            Ok(now) => {
                unchanged = if now == last { unchanged + 1 } else { 0 };
                (last, failures) = (now, 0);
            }
            Err(error) if failures == STORED_PATIENCE => return Err(error),
            Err(_) => failures += 1,
        }
        tokio::time::sleep(STORED_PAUSE).await;
    }
    Ok(last)
}

/// Makes the connections of a measurement and gives each its part.
struct Plan<'a> {
    args: &'a BenchArgs,
    targets: &'a [Target],
    run: &'a Rc<Run>,
    seed: u64,
}

impl Plan<'_> {
    async fn senders(&self, mode: Mode) -> Result<Vec<JoinHandle<()>>> {
        let mut opened = Vec::new();
        for at in 0..self.args.connections {
            let target = &self.targets[at % self.targets.len()];
            opened.push((open(&target.address).await?, self.load(at, target, mode, self.args.in_flight)));
        }
        let run = self.run;
        Ok(opened
            .into_iter()
            .map(|(link, load)| match mode {
                Mode::Oneway => run.spawn(closed::send_oneway(run.clone(), link, load)),
                Mode::Transaction => run.spawn(transaction::send_and_commit(run.clone(), link, load)),
                _ => run.spawn(closed::send_answered(run.clone(), link, load)),
            })
            .collect())
    }

    async fn drainers(&self) -> Result<Vec<JoinHandle<()>>> {
        let mut readers = Vec::new();
        for target in self.targets {
            let bounds = target::bounds(target, &self.args.topic).await?;
            let queues = bounds.iter().zip(0..);
            let queues = queues.map(|((min, max), queue)| QueueReader { queue, offset: *min, end: *max, asked_ns: 0 });
            readers.extend(self.readers(target, Duration::ZERO, queues.collect()).await?);
        }
        let run = self.run;
        Ok(readers.into_iter().map(|(link, reader)| run.spawn(drain::drain(run.clone(), link, reader))).collect())
    }

    async fn end_to_end(&self, rate: f64) -> Result<Vec<JoinHandle<()>>> {
        let mark = self.seed;
        let stragglers = e2e::STRAGGLERS + self.args.wait();
        let mut loads = Vec::new();
        for target in self.targets {
            let bounds = target::bounds(target, &self.args.topic).await?;
            let queues = bounds.iter().zip(0..);
            let queues = queues.map(|((_, max), queue)| QueueReader { queue, offset: *max, end: *max, asked_ns: 0 });
            for (link, reader) in self.readers(target, HOLD, queues.collect()).await? {
                loads.push(self.run.spawn(e2e::consume(self.run.clone(), link, reader, mark, stragglers)));
            }
        }
        loads.extend(self.paced(rate, Some(mark)).await?);
        Ok(loads)
    }

    /// Spreads a broker's queues over the connections that read.
    async fn readers(&self, target: &Target, hold: Duration, queues: Vec<QueueReader>) -> Result<Vec<(Link, Reader)>> {
        let mut readers = Vec::new();
        for first in 0..self.args.connections.min(queues.len()) {
            let own = queues.iter().copied().skip(first).step_by(self.args.connections).collect();
            let reader = Reader {
                topic: self.args.topic.clone(),
                group: GROUP.into(),
                serialization: self.args.serialization.serialization(),
                hold,
                sql: self.args.sql.clone(),
                queues: own,
            };
            readers.push((open(&target.address).await?, reader));
        }
        Ok(readers)
    }

    async fn paced(&self, rate: f64, mark: Option<u64>) -> Result<Vec<JoinHandle<()>>> {
        let in_flight = if self.args.in_flight > 1 { self.args.in_flight } else { PACED_IN_FLIGHT };
        let (mut senders, mut loads) = (Vec::new(), Vec::new());
        for at in 0..self.args.connections {
            let target = &self.targets[at % self.targets.len()];
            let (link, socket) = open_twice(&target.address)?;
            let window = Arc::new(Mutex::new(Window::new(in_flight)));
            let load = self.load(at, target, Mode::Closed, in_flight);
            senders.push(Sender { socket, load, window: window.clone() });
            loads.push(self.run.spawn(paced::read_replies(self.run.clone(), link, window, mark.is_none())));
        }
        let pacer = Pacer {
            senders,
            schedule: Schedule::new(rate, self.args.arrivals, self.seed),
            mark,
            stop: self.run.stop_sign(),
            clock_offset_ns: self.run.now_ns(),
            clock: SystemClock::new(),
        };
        // A connection that breaks is told of by the task that reads it.
        thread::Builder::new().name("bench-pacer".into()).spawn(move || drop(pacer.run()))?;
        Ok(loads)
    }

    /// The properties of messages beside those that every client sets.
    fn properties(&self, mode: Mode) -> Vec<(String, String)> {
        let given = self.args.property.iter().filter_map(|property| property.split_once('='));
        let mut properties: Vec<_> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        properties.extend(self.args.delay_level.map(|level| (keys::DELAY.to_owned(), level.to_string())));
        if mode == Mode::Transaction {
            let transaction = [(keys::TRAN_MSG, "true"), (keys::PGROUP, GROUP)];
            properties.extend(transaction.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        properties
    }

    fn load(&self, connection: usize, target: &Target, mode: Mode, in_flight: usize) -> Load {
        let instance = (self.seed as u32).wrapping_mul(31).wrapping_add(connection as u32);
        let template = Template::new(&Shape {
            topic: self.args.topic.clone(),
            group: GROUP.into(),
            queues: target.queues,
            body_bytes: self.args.size,
            keys: self.args.keys,
            tag: self.args.tag.clone(),
            properties: self.properties(mode),
            sys_flag: if mode == Mode::Transaction { TRANSACTION_PREPARED } else { 0 },
            batch: self.args.batch,
            oneway: mode == Mode::Oneway,
            serialization: self.args.serialization.serialization(),
            instance,
            first_counter: self.seed << 16,
        });
        let queue = connection as u32 % target.queues;
        Load { template, queue, queues: target.queues, batch: self.args.batch.into(), in_flight }
    }
}

async fn open(address: &str) -> Result<Link> {
    Link::open(address).await.with_context(|| format!("cannot connect to {address}"))
}

/// One connection as two handles: one that reads on the runtime, one that a thread writes to.
fn open_twice(address: &str) -> Result<(Link, std::net::TcpStream)> {
    let twice = || {
        let socket = std::net::TcpStream::connect(address)?;
        socket.set_nonblocking(true)?;
        let other = socket.try_clone()?;
        Ok::<_, std::io::Error>((Link::of_stream(tokio::net::TcpStream::from_std(socket)?)?, other))
    };
    twice().with_context(|| format!("cannot connect to {address}"))
}
