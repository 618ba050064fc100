//! A disk that takes its time with the log.

use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex};

use crate::watched_disk::{Call, Watch};

/// While it is held, no sync of the log ends.
#[derive(Debug, Default)]
pub(crate) struct Held {
    held: Mutex<bool>,
    changed: Condvar,
}

impl Held {
    pub(crate) fn set(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.changed.notify_all();
    }
}

impl Watch for Held {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let is_of_the_log = path.components().any(|part| part.as_os_str() == "commitlog");
        let mut held = self.held.lock().unwrap();
        while call == Call::Sync && is_of_the_log && *held {
            held = self.changed.wait(held).unwrap();
        }
        Ok(())
    }
}
