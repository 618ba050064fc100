//! A disk that counts calls and fails the one it is told to; everything else works.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

pub(crate) use crate::watched_disk::Call;
use crate::watched_disk::{Watch, WatchedDisk};

/// The disk.
pub(crate) type FaultDisk = WatchedDisk<Fault>;

/// What can be made to fail.
pub(crate) const CALLS: [Call; 10] = [
    Call::Open,
    Call::SetLen,
    Call::Write,
    Call::Allocate,
    Call::Zero,
    Call::Sync,
    Call::Map,
    Call::Rename,
    Call::Remove,
    Call::SyncDir,
];

/// Counts the calls of one kind, and fails one.
#[derive(Debug)]
pub(crate) struct Fault {
    call: Call,
    /// Calls until the one that fails; below zero none does any more.
    left: AtomicI64,
    error: io::ErrorKind,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Fault {
    /// Whether the call that was to fail has come.
    pub(crate) fn struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

impl Watch for Fault {
    fn before(&self, call: Call, _: &Path) -> io::Result<()> {
        if call == self.call && self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(self.error.into());
        }
        Ok(())
    }

    fn after(&self, call: Call, _: &Path) {
        match call {
            Call::Open => {
                let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_open.fetch_max(open, Ordering::SeqCst);
            }
            Call::Close => {
                self.open.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

impl FaultDisk {
    /// Fails call number `nth` of a kind, counted from 0.
    pub(crate) fn failing(call: Call, nth: i64, error: io::ErrorKind) -> (Arc<Self>, Arc<Fault>) {
        let (left, open, most_open) = (AtomicI64::new(nth), AtomicUsize::new(0), AtomicUsize::new(0));
        let fault = Arc::new(Fault { call, left, error, open, most_open });
        (Arc::new(Self(Arc::clone(&fault))), fault)
    }

    /// Fails nothing.
    pub(crate) fn sound() -> Arc<Self> {
        Self::failing(Call::Open, -1, io::ErrorKind::Other).0
    }

    /// Files that are open.
    pub(crate) fn open_now(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    /// The most files that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.0.most_open.load(Ordering::SeqCst)
    }
}
