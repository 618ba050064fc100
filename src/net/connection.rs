//! The two tasks of a connection: one reads, decodes and hands over, the other writes.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::budget::Budget;
use super::bulk::STEP_BYTES;
use super::intake::Intake;
use super::peer::{Outgoing, Peer};
use super::router::Router;
use crate::protocol::error::ProtocolError;
use crate::time::SharedClock;

/// Most bytes taken from a socket at once: what one read brings is one batch, and a batch is what others wait for.
const READ_BYTES_MAX: usize = 64 * 1024;
/// What a connection that has said little so far is read with.
const READ_BYTES_MIN: usize = 2 * 1024;
/// An idle connection keeps no buffer larger than this.
const IDLE_BUFFER_BYTES: usize = 1024;

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) router: Arc<Router>,
    pub(super) clock: SharedClock,
    pub(super) frame_bytes_max: usize,
    /// Bounds what all connections together hold of frames that have not arrived whole, or wait for a permit.
    pub(super) partial: Arc<Budget>,
}

/// Serves one connection until either side ends it.
pub(super) async fn serve(stream: TcpStream, peer: Arc<Peer>, shared: Rc<Shared>) {
    let (input, output) = stream.into_split();
    let writer = actix_rt::spawn(write(output, Arc::clone(&peer)));
    let ending = Ending { peer: Arc::clone(&peer), router: Arc::clone(&shared.router) };
    let ended = Reader::new(Arc::clone(&peer), Rc::clone(&shared)).run(input).await;
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.remote, %error, "connection ended");
    }
    drop(ending);
    // The writer sees the close; a panic in it has been printed and concerns this connection only.
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
    shared: Rc<Shared>,
    intake: Intake,
    buffer: BytesMut,
    read_bytes: usize,
    partial_bytes: usize,
}

impl Reader {
    fn new(peer: Arc<Peer>, shared: Rc<Shared>) -> Self {
        let intake = Intake::new(Arc::clone(&peer), Arc::clone(&shared.router));
        let (buffer, read_bytes) = (BytesMut::new(), READ_BYTES_MIN);
        Self { peer, shared, intake, buffer, read_bytes, partial_bytes: 0 }
    }

    async fn run(mut self, mut input: OwnedReadHalf) -> Result<(), ReadError> {
        let peer = Arc::clone(&self.peer);
        let mut ended = std::pin::pin!(peer.ended());
        loop {
            let has_room = peer.has_room();
            let (lacks_partial, lacks_request) = (self.lacks_partial_room(), self.lacks_request_room());
            let may_read = has_room && !self.intake.is_full() && !lacks_partial && !lacks_request;
            self.make_room();
            // Reading into a buffer tells the runtime of a short read, which spares the next attempt on an empty socket.
            let count = tokio::select! {
                biased;
                () = &mut ended => return Ok(()),
                read = input.read_buf(&mut self.buffer), if may_read => read?,
                () = peer.room(), if !has_room || lacks_request => continue,
                () = self.intake.permit() => {
                    self.intake.release_held();
                    self.account_partial();
                    continue;
                }
                () = self.shared.partial.room_for(1), if lacks_partial => continue,
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
            self.account_partial();
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

    fn lacks_partial_room(&self) -> bool {
        self.partial_bytes > 0 && self.shared.partial.is_spent()
    }

    /// Others have taken what there is for requests, and this connection has its share of it.
    fn lacks_request_room(&self) -> bool {
        self.shared.router.others().is_spent() && self.peer.holds_requests()
    }

    /// Notes how much is held of a frame that has not arrived whole, and of those that wait for a permit. Small rests are not
    /// worth counting.
    fn account_partial(&mut self) {
        let unfinished = if self.buffer.len() > READ_BYTES_MIN { self.buffer.len() } else { 0 };
        let bytes = unfinished + self.intake.held_bytes();
        if bytes > self.partial_bytes {
            self.shared.partial.take(bytes - self.partial_bytes);
        } else {
            self.shared.partial.give_back(self.partial_bytes - bytes);
        }
        self.partial_bytes = bytes;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.partial.give_back(self.partial_bytes);
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

async fn write(stream: OwnedWriteHalf, peer: Arc<Peer>) {
    let mut out = BytesMut::new();
    loop {
        let written = match peer.next_outgoing(&mut out) {
            Outgoing::Closed => return,
            Outgoing::Nothing => {
                if out.capacity() > IDLE_BUFFER_BYTES {
                    out = BytesMut::new();
                }
                peer.outgoing().await;
                continue;
            }
            Outgoing::Acks => write_all(&stream, &out).await,
            Outgoing::Bulk(mut bulk) => {
                out.extend_from_slice(&bulk.head);
                let mut written = Ok(());
                while written.is_ok() {
                    let step = STEP_BYTES.saturating_sub(out.len()).max(1);
                    bulk.source.fill(&mut out, step);
                    written = write_all(&stream, &out).await;
                    out.clear();
                    if bulk.source.remaining() == 0 {
                        break;
                    }
                }
                written
            }
        };
        out.clear();
        if let Err(error) = written {
            tracing::debug!(peer = %peer.remote, %error, "cannot write");
            return peer.close();
        }
    }
}

async fn write_all(stream: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
