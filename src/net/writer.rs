//! The task of a connection that writes what the peer has for it.
//!
//! It shares a thread with the path of every message. The socket of a client that keeps up takes whatever there is, and
//! other threads add to it meanwhile, so that the task would go on and on: it lets others have their turn after each step.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;

use super::bulk::STEP_BYTES;
use super::peer::{Bulk, Outgoing, Peer};

/// An idle connection keeps no buffer larger than this.
const IDLE_BUFFER_BYTES: usize = 1024;

/// Writes to one connection until it ends.
pub(super) struct Writer {
    stream: OwnedWriteHalf,
    peer: Arc<Peer>,
    stall_limit: Duration,
    out: BytesMut,
    /// What was written since others had their turn.
    turn_bytes: usize,
}

impl Writer {
    /// A client that takes nothing for `stall_limit` is let go.
    pub(super) fn new(stream: OwnedWriteHalf, peer: Arc<Peer>, stall_limit: Duration) -> Self {
        Self { stream, peer, stall_limit, out: BytesMut::new(), turn_bytes: 0 }
    }

    pub(super) async fn run(mut self) {
        let _ends = EndsByPanic(Arc::clone(&self.peer));
        loop {
            let written = match self.peer.next_outgoing(&mut self.out) {
                Outgoing::Closed => return,
                Outgoing::Nothing => {
                    self.wait().await;
                    continue;
                }
                Outgoing::Write(bulks) => self.write(bulks).await,
            };
            if let Err(error) = written {
                self.note(&error);
                return self.peer.close();
            }
        }
    }

    async fn wait(&mut self) {
        if self.out.capacity() > IDLE_BUFFER_BYTES {
            self.out = BytesMut::new();
        }
        self.peer.outgoing().await;
        self.turn_bytes = 0;
    }

    /// Writes the acknowledgements that lie in the buffer, and behind them these, of which only the first may need more
    /// than one step.
    async fn write(&mut self, bulks: impl IntoIterator<Item = Bulk>) -> io::Result<()> {
        for mut bulk in bulks {
            self.out.extend_from_slice(&bulk.head);
            loop {
                let step = STEP_BYTES.saturating_sub(self.out.len()).max(1);
                bulk.source.fill(&mut self.out, step);
                if bulk.source.remaining() == 0 {
                    break;
                }
                self.write_out().await?;
            }
        }
        self.write_out().await
    }

    /// Empties the buffer.
    async fn write_out(&mut self) -> io::Result<()> {
        write_all(&self.stream, &self.out, self.stall_limit).await?;
        self.turn_bytes += self.out.len();
        self.out.clear();
        if self.turn_bytes >= STEP_BYTES {
            self.turn_bytes = 0;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn note(&self, error: &io::Error) {
        let (peer, stall_limit) = (self.peer.remote, self.stall_limit);
        if error.kind() == io::ErrorKind::TimedOut {
            tracing::warn!(%peer, ?stall_limit, "a client takes nothing of its answers and is let go");
        } else {
            tracing::debug!(%peer, %error, "cannot write");
        }
    }
}

async fn write_all(stream: &OwnedWriteHalf, mut bytes: &[u8], stall_limit: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(stall_limit, stream.writable()).await??
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends the connection of a writer that panics: its client must not wait for what nobody writes.
struct EndsByPanic(Arc<Peer>);

impl Drop for EndsByPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}
