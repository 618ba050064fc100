//! Accepts connections, spreads them over arbiters, watches over those that are idle or owed a reply, and stops.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

use super::budget::Budget;
use super::connection::{self, Shared};
use super::peer::Peer;
use super::router::Router;
use super::terms::Terms;
use crate::protocol::frame::FRAME_BYTES_MAX;
use crate::protocol::units::ConnectionId;
use crate::time::SharedClock;

/// Most bytes of unfinished frames over 2 KB, and of requests that wait for a permit, that all connections of a listener
/// hold together.
pub const UNSERVED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most bytes of replies that wait to be written to all connections of a listener; beyond that, those with much waiting get
/// no more.
pub const REPLY_BYTES_IN_ALL_MAX: usize = 256 * 1024 * 1024;
/// How long a client may take nothing of an answer that is on its way to it. Until it does, the answer may keep a segment of
/// the log on the disk that has been removed.
const STALL_LIMIT: Duration = Duration::from_secs(120);
/// How often connections are looked over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often a stop looks whether the last replies have left.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a stop waits for closed connections to end: a moment, unless their thread is busy.
const LEAVE_LIMIT: Duration = Duration::from_millis(500);
/// How long accepting pauses when there are as many connections as may be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connection numbers are never used twice by one process, whichever listener gives them.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// What a listener is told.
#[derive(Clone)]
pub struct ListenOptions {
    /// Tells how long requests wait and connections are idle.
    pub clock: SharedClock,
    /// Connections with neither read nor write for this long are closed.
    pub idle_limit: Duration,
    /// Connections whose client takes nothing of an answer for this long are closed.
    pub stall_limit: Duration,
    /// Connections that may be open at once; those beyond are closed as they come.
    pub connections_max: usize,
    /// See [`UNSERVED_BYTES_MAX`].
    pub unserved_bytes_max: usize,
    /// Arbiters that the connections are spread over, in turn; none: the one that serves the listener.
    pub arbiters: Vec<ArbiterHandle>,
}

impl ListenOptions {
    /// No limit to connections, and none of them on an arbiter of its own.
    #[must_use]
    pub fn new(clock: SharedClock, idle_limit: Duration) -> Self {
        let (connections_max, unserved_bytes_max) = (usize::MAX, UNSERVED_BYTES_MAX);
        Self { clock, idle_limit, stall_limit: STALL_LIMIT, connections_max, unserved_bytes_max, arbiters: Vec::new() }
    }
}

/// A bound port that nobody accepts from yet.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    local: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's: above all that the port is in use.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = StdListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Accepts on this thread's arbiter until [`Server::stop_accepting`].
    ///
    /// # Errors
    /// The system's, when the socket cannot be handed to the runtime.
    pub fn serve(self, router: Router, options: ListenOptions) -> io::Result<Server> {
        let listener = TcpListener::from_std(self.socket)?;
        let server = Server {
            local: self.local,
            table: Arc::new(Table::default()),
            stopping: Arc::new(AtomicBool::new(false)),
            stop: Arc::new(Notify::new()),
        };
        let terms = router.terms();
        let shared = Shared {
            router: Arc::new(router),
            clock: Arc::clone(&options.clock),
            frame_bytes_max: FRAME_BYTES_MAX,
            unserved: Budget::new(options.unserved_bytes_max),
            turn: Arc::new(Semaphore::new(1)),
            stall_limit: options.stall_limit,
        };
        let acceptor = Acceptor {
            terms,
            options,
            table: Arc::clone(&server.table),
            replies: Arc::new(Budget::new(REPLY_BYTES_IN_ALL_MAX)),
            shared: Arc::new(shared),
        };
        actix_rt::spawn(sweep(Arc::clone(&server.table), acceptor.options.idle_limit, server.clone()));
        actix_rt::spawn(accept(listener, acceptor, server.clone()));
        Ok(server)
    }
}

/// A listener at work.
#[derive(Clone)]
pub struct Server {
    local: SocketAddr,
    table: Arc<Table>,
    stopping: Arc<AtomicBool>,
    stop: Arc<Notify>,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.table.len()
    }

    /// Accepts no more; connections that are open are served on.
    pub fn stop_accepting(&self) {
        self.stopping.store(true, Ordering::Release);
        // One for the acceptor, one for the sweep.
        self.stop.notify_waiters();
        self.stop.notify_one();
    }

    /// Waits until what is in flight is answered, at most for `limit`, then closes every connection and waits until those
    /// have heard of it who are told of closed connections: they may be gone soon.
    pub async fn drain(&self, limit: Duration) {
        let drained = async {
            while self.table.peers().iter().any(|peer| !peer.is_settled()) {
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            }
        };
        // Past the limit the connections are closed all the same.
        let _ = tokio::time::timeout(limit, drained).await;
        let left = async {
            loop {
                let peers = self.table.peers();
                if peers.is_empty() {
                    return;
                }
                peers.iter().for_each(|peer| peer.close());
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            }
        };
        // Past the limit a connection ends with its thread.
        let _ = tokio::time::timeout(LEAVE_LIMIT, left).await;
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// The open connections of one listener.
#[derive(Default)]
struct Table {
    peers: Mutex<HashMap<ConnectionId, Arc<Peer>>>,
}

impl Table {
    fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn len(&self) -> usize {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn enter(&self, peer: &Arc<Peer>) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(peer.id, Arc::clone(peer));
    }

    fn leave(&self, peer: &Peer) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer.id);
    }
}

struct Acceptor {
    terms: Arc<[Terms]>,
    options: ListenOptions,
    table: Arc<Table>,
    replies: Arc<Budget>,
    shared: Arc<Shared>,
}

async fn accept(listener: TcpListener, acceptor: Acceptor, server: Server) {
    let mut turn = 0;
    while !server.is_stopping() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.stop.notified() => continue,
        };
        match accepted {
            Ok((stream, remote)) if server.connections() < acceptor.options.connections_max => {
                acceptor.admit(stream, remote, turn);
                turn += 1;
            }
            Ok((stream, remote)) => {
                tracing::warn!(%remote, listener = %server.local, "closed: there are as many connections as may be");
                drop(stream);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(%error, listener = %server.local, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Acceptor {
    fn admit(&self, stream: TcpStream, remote: SocketAddr, turn: usize) {
        let Ok(local) = stream.local_addr() else { return };
        // Replies are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let id = ConnectionId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        let peer = Peer::new(
            id,
            remote,
            local,
            Arc::clone(&self.options.clock),
            Arc::clone(&self.terms),
            Arc::clone(&self.replies),
            self.shared.router.exchanges().cloned(),
        );
        self.table.enter(&peer);
        let serve = Serve { peer, table: Arc::clone(&self.table), shared: Arc::clone(&self.shared) };
        let count = self.options.arbiters.len().max(1);
        match self.options.arbiters.get(turn % count) {
            None => serve.here(stream),
            Some(arbiter) => serve.on(arbiter, stream),
        }
    }
}

/// What a connection needs, on its way to the arbiter that serves it.
struct Serve {
    peer: Arc<Peer>,
    table: Arc<Table>,
    shared: Arc<Shared>,
}

impl Serve {
    fn here(self, stream: TcpStream) {
        let Self { peer, table, shared } = self;
        let leaving = Leaving { peer: Arc::clone(&peer), table };
        actix_rt::spawn(async move {
            let _leaving = leaving;
            connection::serve(stream, peer, shared).await;
        });
    }

    fn on(self, arbiter: &ArbiterHandle, stream: TcpStream) {
        // A socket belongs to the runtime that polls it, so it travels as a plain one.
        let Ok(stream) = stream.into_std() else { return self.table.leave(&self.peer) };
        let (table, peer) = (Arc::clone(&self.table), Arc::clone(&self.peer));
        let spawned = arbiter.spawn_fn({
            let (table, peer) = (Arc::clone(&table), Arc::clone(&peer));
            move || match TcpStream::from_std(stream) {
                Ok(stream) => self.here(stream),
                Err(_) => table.leave(&peer),
            }
        });
        if !spawned {
            // The arbiter has stopped.
            table.leave(&peer);
        }
    }
}

/// Takes a connection off the table when its task ends.
struct Leaving {
    peer: Arc<Peer>,
    table: Arc<Table>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.table.leave(&self.peer);
    }
}

async fn sweep(table: Arc<Table>, idle_limit: Duration, server: Server) {
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    while !server.is_stopping() || server.connections() > 0 {
        tick.tick().await;
        for peer in table.peers() {
            let swept = peer.sweep();
            if swept.overdue > 0 {
                tracing::warn!(peer = %peer.remote, requests = swept.overdue, "answered for those who did not in time");
            }
            if swept.idle >= idle_limit {
                tracing::debug!(peer = %peer.remote, "closed: idle");
                peer.close();
            }
        }
    }
}
