//! The real binary in a directory of its own, run as a user would run it.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// What one run left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary in a directory of its own, with nothing of the environment that it would heed.
pub(crate) struct Ferromq {
    directory: TempDir,
    program: PathBuf,
}

impl Ferromq {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), program: assert_cmd::cargo::cargo_bin!("ferromq").into() }
    }

    /// The same binary under another name.
    pub(crate) fn called(name: &str) -> Self {
        let plain = Self::new();
        let link = plain.directory.path().join(name);
        std::os::unix::fs::symlink(&plain.program, &link).unwrap();
        Self { program: link, ..plain }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_in_environment(arguments, &[])
    }

    pub(crate) fn run_in_environment(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path()).env("HOME", self.path()).env_remove("NAMESRV_ADDR").env_remove("RUST_LOG");
        command.args(arguments.split_whitespace()).envs(environment.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }
}

#[track_caller]
pub(crate) fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}
