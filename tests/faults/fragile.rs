//! Parts that break once: what makes an actor panic that uses them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ferromq::time::{Clock, SystemClock};

use crate::watched_disk::{Call, Watch, WatchedDisk};

/// Counts down to the use that panics.
#[derive(Debug)]
struct Fuse(AtomicI64);

impl Fuse {
    fn burn(&self) {
        assert!(self.0.fetch_sub(1, Ordering::SeqCst) != 1, "a part breaks");
    }
}

/// A clock that panics when it is looked at for the so-manieth time, and never else.
pub(crate) struct FragileClock {
    fuse: Fuse,
    clock: SystemClock,
}

impl FragileClock {
    pub(crate) fn breaking_at_look(number: i64) -> Arc<Self> {
        Arc::new(Self { fuse: Fuse(AtomicI64::new(number)), clock: SystemClock::new() })
    }

    pub(crate) fn has_broken(&self) -> bool {
        self.fuse.0.load(Ordering::SeqCst) < 1
    }
}

impl Clock for FragileClock {
    fn now_ms(&self) -> i64 {
        self.fuse.burn();
        self.clock.now_ms()
    }

    fn elapsed(&self) -> Duration {
        self.fuse.burn();
        self.clock.elapsed()
    }
}

/// A disk that panics the first time that a file is to take a certain name.
pub(crate) type FragileDisk = WatchedDisk<FragileName>;

/// The name.
#[derive(Debug)]
pub(crate) struct FragileName {
    fuse: Fuse,
    name: &'static str,
}

impl FragileDisk {
    pub(crate) fn breaking_at(name: &'static str) -> Arc<Self> {
        Arc::new(Self(Arc::new(FragileName { fuse: Fuse(AtomicI64::new(1)), name })))
    }

    pub(crate) fn has_broken(&self) -> bool {
        self.0.fuse.0.load(Ordering::SeqCst) < 1
    }
}

impl Watch for FragileName {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        if call == Call::Rename && path.ends_with(self.name) {
            self.fuse.burn();
        }
        Ok(())
    }
}
