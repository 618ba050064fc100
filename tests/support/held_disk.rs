//! A disk that takes its time with some of its calls.

use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex};

use crate::watched_disk::{Call, Watch};

/// While it is held, no call of one kind begins that concerns what lies in a directory of one name.
#[derive(Debug)]
pub(crate) struct Held {
    call: Call,
    directory: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    waiting: usize,
}

#[allow(dead_code, reason = "not every test that includes this file looks who waits")]
impl Held {
    /// Not held yet.
    pub(crate) fn at(call: Call, directory: &'static str) -> Self {
        Self { call, directory, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn set(&self, held: bool) {
        self.state.lock().unwrap().held = held;
        self.changed.notify_all();
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.state.lock().unwrap().waiting > 0
    }
}

impl Watch for Held {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        if call == self.call && path.components().any(|part| part.as_os_str() == self.directory) {
            let mut state = self.state.lock().unwrap();
            state.waiting += 1;
            let mut state = self.changed.wait_while(state, |state| state.held).unwrap();
            state.waiting -= 1;
        }
        Ok(())
    }
}
