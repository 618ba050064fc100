//! A thread that has the next segment and the next pages ready before the writer comes to them.
//!
//! A page that is not there yet costs the writer's whole arbiter microseconds, a segment milliseconds. The store does
//! the work; this is only the thread, woken when the writer has come a step further.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::protocol::units::PhysicalOffset;
use crate::store::{Populator, Preparation};

/// How far ahead of a writer that stores into the mapping pages are made.
pub(super) const PAGES_AHEAD_BYTES: u64 = 64 * 1024 * 1024;
/// The thread is woken each time the writer has come this much further.
const STEP_BYTES: u64 = 8 * 1024 * 1024;
/// The next segment is made when this little is left of the current one, or half of a small one.
const NEXT_SEGMENT_AHEAD_BYTES: u64 = 256 * 1024 * 1024;
/// A segment that could not be made is tried again after this long: space may have come back.
const RETRY_EVERY: Duration = Duration::from_secs(1);

struct Shared {
    written: AtomicU64,
    stopping: AtomicBool,
}

/// The writer's handle; dropping it ends the thread.
pub struct Preparer {
    shared: Arc<Shared>,
    thread: Thread,
    joined: Option<JoinHandle<()>>,
    woken_at: u64,
}

impl Preparer {
    /// Starts the thread, which keeps `pages_ahead` bytes of pages ready; 0 for a writer that does not touch them. The
    /// pages right behind `from` are made before this returns, so that the first message does not pay for them.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        preparation: Preparation,
        mut populator: Populator,
        from: PhysicalOffset,
        segment_bytes: u64,
        pages_ahead: u64,
    ) -> std::io::Result<Self> {
        populator.advance(from.plus(STEP_BYTES.min(pages_ahead)));
        let shared = Arc::new(Shared { written: AtomicU64::new(from.0), stopping: AtomicBool::new(false) });
        let seen = Arc::clone(&shared);
        let joined = std::thread::Builder::new()
            .name("ferromq-prepare".into())
            .spawn(move || prepare(&seen, &preparation, &mut populator, segment_bytes, pages_ahead))?;
        Ok(Self { shared, thread: joined.thread().clone(), joined: Some(joined), woken_at: from.0 })
    }

    /// Tells how far the writer has come.
    pub fn written(&mut self, end: PhysicalOffset) {
        if end.0 >= self.woken_at + STEP_BYTES {
            self.woken_at = end.0;
            self.shared.written.store(end.0, Ordering::Release);
            self.thread.unpark();
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(joined) = self.joined.take()
            && joined.join().is_err()
        {
            tracing::error!("the thread that prepares segments panicked; the writer made them itself");
        }
    }
}

fn prepare(
    shared: &Shared,
    preparation: &Preparation,
    populator: &mut Populator,
    segment_bytes: u64,
    pages_ahead: u64,
) {
    let ahead = NEXT_SEGMENT_AHEAD_BYTES.min(segment_bytes / 2);
    let mut complained = false;
    while !shared.stopping.load(Ordering::Acquire) {
        let written = shared.written.load(Ordering::Acquire);
        let made = match segment_bytes - written % segment_bytes <= ahead {
            true => preparation.prepare_next(),
            false => Ok(false),
        };
        if pages_ahead > 0 {
            populator.advance(PhysicalOffset(written + pages_ahead));
        }
        match made {
            Ok(_) => {
                complained = false;
                std::thread::park();
            }
            Err(error) => {
                if !complained {
                    tracing::error!(%error, "cannot make the next segment ahead; sends fail when this one is full");
                    complained = true;
                }
                std::thread::park_timeout(RETRY_EVERY);
            }
        }
    }
}
