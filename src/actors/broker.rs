//! A broker as a library: its actors, wired, started, and stopped in order.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ferromq::actors::broker::Broker;
//! use ferromq::actors::options::BrokerOptions;
//!
//! let broker = Broker::builder(BrokerOptions::at("./data")).start().await?;
//! println!("serves at {}", broker.address());
//! broker.stop().await?;
//! # Ok(())
//! # }
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use actix::{MailboxError, Recipient};
use thiserror::Error;

use super::arbiters::Arbiters;
use super::builder::BrokerBuilder;
use super::commitlog_actor::{AppendBatch, CommitLogPorts, Seal};
use super::delay_offset_actor::{DelayOffsetPorts, PersistDelays};
use super::dispatch_actor::{DispatchPorts, SettledUpTo};
use super::fault::{Faults, Terminal};
use super::filter_actor::{FilterPorts, PersistFilters};
use super::flush_actor::{CloseStore, FlushPorts};
use super::index_actor::{CurrentFile, IndexPorts};
use super::offset_actor::{OffsetPorts, Persist};
use super::options::BrokerOptions;
use super::registration_actor::{RegistrationPorts, Unregister};
use super::retention_actor::{RetentionPorts, StopCleaning};
use super::schedule_actor::SchedulePorts;
use super::slow_group_actor::SlowGroupPorts;
use super::timer_actor::{PersistTimer, TimerPorts};
use super::transaction_actor::TransactionPorts;
use crate::net::listener::Server;
use crate::store::lock::StoreLock;
use crate::store::{LogView, Settled, StoreError};

/// How long a stop waits for the last replies.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// How often a stop looks whether queues and index have caught up with the log,
const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(1);
/// and how often without seeing them move: what they lack is then left to the next start.
const SETTLE_LOOKS: usize = 1_000;

/// Why a broker or a name server does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port cannot be had.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A file of settings cannot be read.
    #[error("{path}: {problem}")]
    Config {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A part ended while it was being started.
    #[error("a part of the broker ended while it was started, see the log")]
    Interrupted,
}

/// Why a stop was not in order. The next start looks closely at the store then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StopError {
    /// The broker had ended before.
    #[error(transparent)]
    Ended(#[from] Terminal),
    /// The store could not be closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An actor was gone.
    #[error("an actor was gone: {0}")]
    Actor(#[from] MailboxError),
}

/// A broker at work.
pub struct Broker {
    pub(super) address: SocketAddr,
    pub(super) servers: Vec<Server>,
    pub(super) parts: Parts,
    pub(super) arbiters: Arbiters,
    /// Keeps other brokers away from the store until everything else is gone.
    pub(super) lock: StoreLock,
}

/// What a stop goes through.
pub(super) struct Parts {
    pub(super) commit_log: CommitLogPorts,
    pub(super) dispatch: DispatchPorts,
    pub(super) index: Option<IndexPorts>,
    pub(super) flush: FlushPorts,
    pub(super) offsets: OffsetPorts,
    pub(super) registration: RegistrationPorts,
    pub(super) filter: FilterPorts,
    pub(super) delay_offsets: DelayOffsetPorts,
    /// Held, as an actor ends with its last address.
    pub(super) _levels: Vec<SchedulePorts>,
    pub(super) slow_groups: SlowGroupPorts,
    pub(super) transactions: TransactionPorts,
    pub(super) timer: Option<TimerPorts>,
    pub(super) retention: RetentionPorts,
    pub(super) log: LogView,
    pub(super) faults: Faults,
}

impl Broker {
    /// Starts to describe a broker.
    #[must_use]
    pub fn builder(options: BrokerOptions) -> BrokerBuilder {
        BrokerBuilder::new(options)
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts messages into the log without a socket: for applications that embed the broker.
    #[must_use]
    pub fn append(&self) -> &Recipient<AppendBatch> {
        &self.parts.commit_log.append
    }

    /// Begins a round of asking about half messages, for applications that do not want to wait for the next one.
    #[must_use]
    pub fn transactions(&self) -> &TransactionPorts {
        &self.parts.transactions
    }

    /// Has the groups looked at that may be too far behind, likewise.
    #[must_use]
    pub fn slow_groups(&self) -> &SlowGroupPorts {
        &self.parts.slow_groups
    }

    /// Has what is old removed, and the disk looked at, likewise.
    #[must_use]
    pub fn retention(&self) -> &RetentionPorts {
        &self.parts.retention
    }

    /// Where failures that end the broker are declared.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.parts.faults
    }

    /// Waits until the broker ends by itself, which it does only when it cannot go on.
    pub async fn ended(&self) -> Terminal {
        self.parts.faults.ended().await
    }

    /// Stops in order: takes no more connections, answers what is in flight, says goodbye to the name servers, lets
    /// queues and index catch up, syncs everything, and removes the mark of an unclean stop.
    ///
    /// # Errors
    /// Something of this was not possible; the threads are stopped all the same.
    pub async fn stop(self) -> Result<(), StopError> {
        let Self { servers, parts, arbiters, lock, .. } = self;
        servers.iter().for_each(Server::stop_accepting);
        for server in &servers {
            server.drain(DRAIN_LIMIT).await;
        }
        let closed = parts.close().await;
        // Joining blocks this thread, and what is joined may be waiting for it to take a message.
        let joined = actix_rt::task::spawn_blocking(move || arbiters.stop()).await;
        if joined.is_err() {
            tracing::error!("stopping the threads of the broker panicked");
        }
        drop(lock);
        closed
    }
}

impl Parts {
    async fn close(&self) -> Result<(), StopError> {
        self.retention.stop.send(StopCleaning).await?;
        self.registration.unregister.send(Unregister).await?;
        self.offsets.persist.send(Persist).await?;
        self.filter.persist.send(PersistFilters).await?;
        if let Some(terminal) = self.faults.terminal() {
            return Err(terminal.clone().into());
        }
        // From here on the log does not grow, whoever would like to go on: delay levels, transactions.
        self.commit_log.seal.send(Seal).await?;
        let settled = self.settle().await?;
        let index = match &self.index {
            Some(index) => index.current.send(CurrentFile).await?,
            None => None,
        };
        self.flush.close.send(CloseStore { settled, index }).await??;
        // What was delivered lasts now, and so may the note of it.
        if let Some(timer) = &self.timer {
            timer.persist.send(PersistTimer).await?;
        }
        Ok(self.delay_offsets.persist.send(PersistDelays).await?)
    }

    async fn settle(&self) -> Result<Settled, StopError> {
        let mut settled = self.dispatch.settled.send(SettledUpTo).await?;
        let mut looks = 0;
        while settled.up_to < self.log.written() && looks < SETTLE_LOOKS {
            tokio::time::sleep(SETTLE_LOOK_EVERY).await;
            let now = self.dispatch.settled.send(SettledUpTo).await?;
            looks = if now == settled { looks + 1 } else { 0 };
            settled = now;
        }
        Ok(settled)
    }
}
