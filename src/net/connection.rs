//! The task of a connection that reads, decodes and hands over; it begins and ends the one that writes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::budget::Budget;
use super::intake::Intake;
use super::peer::Peer;
use super::router::Router;
use super::writer::Writer;
use crate::protocol::error::ProtocolError;
use crate::time::SharedClock;

/// Most bytes taken from a socket at once: what one read brings is one batch, and a batch is what others wait for.
const READ_BYTES_MAX: usize = 64 * 1024;
/// What a connection that has said little so far is read with.
const READ_BYTES_MIN: usize = 2 * 1024;
/// How long one connection may take for the rest of its frame while others wait to be read.
const TURN_LIMIT: Duration = Duration::from_secs(5);

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) router: Arc<Router>,
    pub(super) clock: SharedClock,
    pub(super) frame_bytes_max: usize,
    /// Bounds what all connections together hold of frames that have not arrived whole, or wait for a permit.
    pub(super) unserved: Budget,
    /// Who has it may be read on while that is spent: one frame after the other then arrives, and none waits for the others.
    pub(super) turn: Arc<Semaphore>,
    /// A client that takes nothing of an answer for so long is let go.
    pub(super) stall_limit: Duration,
}

/// Serves one connection until either side ends it.
pub(super) async fn serve(stream: TcpStream, peer: Arc<Peer>, shared: Arc<Shared>) {
    let (input, output) = stream.into_split();
    let writer = actix_rt::spawn(Writer::new(output, Arc::clone(&peer), shared.stall_limit).run());
    let ending = Ending { peer: Arc::clone(&peer), router: Arc::clone(&shared.router) };
    let ended = Reader::new(Arc::clone(&peer), shared).run(input).await;
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.remote, %error, "connection ended");
    }
    drop(ending);
    // It may be waiting for a client that reads nothing. A panic in it has been printed and concerns this connection only.
    writer.abort();
    let _ = writer.await;
}

/// Ends the connection when its reader does, by a panic too: everybody hears of it, and its permits go back.
struct Ending {
    peer: Arc<Peer>,
    router: Arc<Router>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.peer.close();
        self.router.connection_closed(&self.peer);
    }
}

struct Reader {
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    intake: Intake,
    buffer: BytesMut,
    read_bytes: usize,
    /// What was taken from the budget: for the frame that has not arrived whole,
    unfinished_bytes: usize,
    /// and for those that wait for a permit.
    held_bytes: usize,
    /// Holds the turn until the frame is whole.
    turn: Option<Turn>,
}

/// A connection's turn to be read, for a while.
struct Turn {
    _permit: OwnedSemaphorePermit,
    over: Pin<Box<Sleep>>,
}

impl Reader {
    fn new(peer: Arc<Peer>, shared: Arc<Shared>) -> Self {
        let intake = Intake::new(Arc::clone(&peer), Arc::clone(&shared.router));
        let (buffer, read_bytes) = (BytesMut::new(), READ_BYTES_MIN);
        Self { peer, shared, intake, buffer, read_bytes, unfinished_bytes: 0, held_bytes: 0, turn: None }
    }

    async fn run(mut self, mut input: OwnedReadHalf) -> Result<(), ReadError> {
        let peer = Arc::clone(&self.peer);
        let mut ended = std::pin::pin!(peer.ended());
        loop {
            let has_room = peer.has_room();
            let (awaits_turn, lacks_request) = (self.awaits_turn(), self.lacks_request_room());
            let may_read = has_room && !self.intake.is_full() && !awaits_turn && !lacks_request;
            self.make_room();
            // Reading into a buffer tells the runtime of a short read, which spares the next attempt on an empty socket.
            let count = tokio::select! {
                biased;
                () = &mut ended => return Ok(()),
                read = input.read_buf(&mut self.buffer), if may_read => read?,
                () = peer.room(), if !has_room || lacks_request => continue,
                () = self.intake.permit() => {
                    self.intake.release_held();
                    self.account();
                    continue;
                }
                () = self.shared.unserved.room_for(1), if awaits_turn => continue,
                turn = Turn::take(&self.shared.turn), if awaits_turn => { self.turn = turn; continue }
                () = Turn::end(self.turn.as_mut()) => { self.turn = None; continue }
                () = self.shared.router.others().room_for(1), if lacks_request => continue,
            };
            if count == 0 {
                return Ok(());
            }
            self.adapt(count);
            let now = self.shared.clock.elapsed();
            let consumed = self.intake.take(&self.buffer, self.shared.frame_bytes_max, now)?;
            if consumed == 0 {
                peer.touch();
            }
            self.buffer.advance(consumed);
            self.account();
        }
    }

    /// Nobody else holds the buffer, so the room of what was consumed is used again, unless it was made for a burst that
    /// is over.
    fn make_room(&mut self) {
        self.buffer.reserve(self.read_bytes);
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * self.read_bytes {
            self.buffer = BytesMut::with_capacity(self.read_bytes);
        }
    }

    /// Reads more at once from those who say much, and keeps a small buffer for those who say little.
    fn adapt(&mut self, count: usize) {
        if count >= self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else if count < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
    }

    /// There is no room for what has not arrived of a frame, and it is not this connection's turn.
    fn awaits_turn(&self) -> bool {
        self.unfinished_bytes > 0 && self.turn.is_none() && self.shared.unserved.is_spent()
    }

    /// Others have taken what there is for requests, and this connection has its share of it.
    fn lacks_request_room(&self) -> bool {
        self.shared.router.others().is_spent() && self.peer.holds_requests()
    }

    /// Notes how much is held of a frame that has not arrived whole, and of those that wait for a permit. Small rests are
    /// not worth counting.
    fn account(&mut self) {
        let unfinished = if self.buffer.len() > READ_BYTES_MIN { self.buffer.len() } else { 0 };
        let held = self.intake.held_bytes();
        self.shared.unserved.recount(self.unfinished_bytes + self.held_bytes, unfinished + held);
        (self.unfinished_bytes, self.held_bytes) = (unfinished, held);
        self.turn = self.turn.take().filter(|_| unfinished > 0);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.unserved.give_back(self.unfinished_bytes + self.held_bytes);
    }
}

impl Turn {
    async fn take(turn: &Arc<Semaphore>) -> Option<Self> {
        let permit = Arc::clone(turn).acquire_owned().await.ok()?;
        Some(Self { _permit: permit, over: Box::pin(sleep(TURN_LIMIT)) })
    }

    /// Comes true when the turn is over, never for those who have none.
    async fn end(turn: Option<&mut Self>) {
        match turn {
            Some(turn) => turn.over.as_mut().await,
            None => std::future::pending().await,
        }
    }
}

/// Why a connection is read no further.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}
