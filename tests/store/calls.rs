//! A disk that notes what was done, in order.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::watched_disk::{Call, Watch};

/// What has succeeded.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<Vec<(Call, PathBuf)>>);

impl Calls {
    /// The calls so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<(Call, PathBuf)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Watch for Calls {
    fn after(&self, call: Call, path: &Path) {
        self.0.lock().unwrap().push((call, path.to_path_buf()));
    }
}
