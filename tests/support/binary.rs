//! The real binary in a directory of its own, run as a user would run it.
#![allow(dead_code, reason = "not every test that includes this file runs servers")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What is waited for takes less than a second; who waits this long waits in vain.
const LIMIT: Duration = Duration::from_secs(30);

/// Files of a store that cost nothing to make, on a disk that may be as full as it likes.
const SMALL_STORE: &str = "mappedFileSizeCommitLog=1048576\nmaxHashSlotNum=1000\nmaxIndexNum=4000\n\
    diskSpaceCleanForciblyRatio=100\ndiskSpaceWarningLevelRatio=100\n";

/// What of the environment the binary heeds.
const HEEDED: [&str; 6] =
    ["NAMESRV_ADDR", "RUST_LOG", "ROCKETMQ_HOME", "FERROMQ_ACCESS_KEY", "FERROMQ_SECRET_KEY", "FERROMQ_SECURITY_TOKEN"];

/// What one run left behind.
#[derive(Debug)]
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

    /// A file `small.conf` with these lines and those that make the store small.
    pub(crate) fn with_small_store(self, lines: &str) -> Self {
        self.with_file("small.conf", &format!("{SMALL_STORE}{lines}"))
    }

    /// Runs a command that ends by itself.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_in_environment(arguments, &[])
    }

    pub(crate) fn run_in_environment(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(&self.program, arguments);
        command.envs(environment.iter().copied());
        Self::ran(command, "", arguments)
    }

    /// Runs a command that is given this on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &str, input: &'static str) -> Ran {
        Self::ran(self.command(&self.program, arguments), input, arguments)
    }

    fn ran(command: Command, input: &'static str, arguments: &str) -> Ran {
        let mut command = assert_cmd::Command::from_std(command);
        let Output { status, stdout, stderr } = command.write_stdin(input).timeout(LIMIT).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(stdout), text(stderr));
        let code = status.code().unwrap_or_else(|| panic!("{arguments}: {status} within {LIMIT:?}, after {out}{err}"));
        Ran { code, out, err }
    }

    /// Starts a server, and waits until it says that it serves.
    pub(crate) fn serve(&self, arguments: &str) -> Serving {
        Self::serving(self.command(&self.program, arguments), arguments)
    }

    /// The same by way of a command that becomes the server, in surroundings that it makes.
    pub(crate) fn serve_by(&self, before: &[&str], arguments: &str) -> Serving {
        Self::serving(self.command_by(before, arguments), arguments)
    }

    fn command_by(&self, before: &[&str], arguments: &str) -> Command {
        let Some((first, others)) = before.split_first() else { return self.command(&self.program, arguments) };
        let mut command = self.command(Path::new(first), "");
        command.args(others).arg(&self.program).args(arguments.split_whitespace());
        command
    }

    fn serving(mut command: Command, arguments: &str) -> Serving {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (lines(process.stdout.take().unwrap()), lines(process.stderr.take().unwrap()));
        // From here on it is ended whatever happens.
        let mut serving = Serving { process, ready: String::new(), out, err };
        serving.ready = match serving.out.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{arguments}: not ready within {LIMIT:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("{arguments}: does not start: {}", rest(&serving.err)),
        };
        serving
    }

    /// Starts a server and kills it after so long, or as soon as it says that it serves. Tells whether it came so far.
    ///
    /// # Panics
    /// If it ends by itself.
    pub(crate) fn kill_while_it_starts(&self, arguments: &str, after: Duration) -> bool {
        self.end_while_it_starts(&[], arguments, after, |_| ())
    }

    /// The same by way of a command that becomes the server, when something has been done to it before it is killed.
    pub(crate) fn end_while_it_starts(
        &self,
        before: &[&str],
        arguments: &str,
        after: Duration,
        end: impl FnOnce(Pid),
    ) -> bool {
        let mut command = self.command_by(before, arguments);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (lines(process.stdout.take().unwrap()), lines(process.stderr.take().unwrap()));
        let said = out.recv_timeout(after);
        end(Pid::from_child(&process));
        let _ = process.kill();
        let _ = process.wait();
        match said {
            Err(RecvTimeoutError::Disconnected) => panic!("{arguments}: does not start: {}", rest(&err)),
            said => said.is_ok(),
        }
    }

    fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env("HOME", self.path());
        HEEDED.iter().for_each(|variable| _ = command.env_remove(variable));
        command.args(arguments.split_whitespace());
        command
    }
}

/// A server at work; killed when it goes.
pub(crate) struct Serving {
    process: Child,
    /// The first line on its standard output.
    pub(crate) ready: String,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Serving {
    /// What the ready line says between some words and the next comma.
    pub(crate) fn said_after(&self, words: &str) -> &str {
        let (_, after) = self.ready.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in {}", self.ready));
        after.split(',').next().unwrap().trim_end()
    }

    /// Where its name server listens.
    pub(crate) fn name_server(&self) -> SocketAddr {
        self.said_after("name server on ").parse().unwrap()
    }

    /// Where its broker listens.
    pub(crate) fn broker(&self) -> SocketAddr {
        self.said_after("broker ").split_once(" on ").unwrap().1.parse().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn end_with(mut self, signal: Signal) -> Ran {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        // Both streams end when the process does.
        let (out, err) = (self.ready.clone() + &rest(&self.out), rest(&self.err));
        let status = self.process.wait().unwrap();
        Ran { code: status.code().unwrap_or_else(|| panic!("{status} after {out}{err}")), out, err }
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(self) -> Ran {
        self.end_with(Signal::TERM)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // SIGKILL; the process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a stream, read by a thread of their own, so that waiting for one has a limit and no pipe fills up.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 0 && sender.send(std::mem::take(&mut line)).is_ok() {}
    });
    lines
}

/// What comes up to the end of a stream.
fn rest(lines: &Receiver<String>) -> String {
    let mut text = String::new();
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) => text.push_str(&line),
            Err(RecvTimeoutError::Disconnected) => return text,
            Err(RecvTimeoutError::Timeout) => panic!("does not end within {LIMIT:?}, after {text}"),
        }
    }
}

#[track_caller]
pub(crate) fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}
