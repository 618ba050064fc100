//! The directory that a server keeps its files in: made when it is not there, refused when it cannot be written to.

use std::path::Path;

use anyhow::Context;
use rustix::fs::Access;

/// Makes the directory and those above it, and checks that files can be made in it.
///
/// # Errors
/// One line that names the directory and what the system says.
pub(super) fn prepare(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make the directory {}", directory.display()))?;
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .with_context(|| format!("cannot write to the directory {}", directory.display()))
}
