//! What a process has used of processor and memory, as Linux tells it in `/proc`.

use std::io;

use thiserror::Error;

/// Clock ticks per second in `/proc/PID/stat`. The kernel shows this unit, `USER_HZ`, to programs whatever its own
/// tick is; it is 100 on every architecture that Rust's standard library builds for.
const TICKS_PER_SECOND: f64 = 100.0;
/// Places of utime and stime after the process's name, counted from 0 (fields 14 and 15 in proc(5)).
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// Why a process's use could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// No such process, or a system without `/proc`.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The file does not say what proc(5) says it does.
    #[error("{path} holds no {what}")]
    Unexpected {
        /// The file.
        path: String,
        /// What was looked for.
        what: &'static str,
    },
}

/// What a process has used up to one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time of all its threads, those that have ended included, in user and kernel mode.
    ///
    /// # Units
    /// Seconds, in steps of a hundredth.
    pub cpu_seconds: f64,
    /// Memory that belongs to no file: heap and stacks, not the mapped store.
    pub anonymous_bytes: u64,
}

impl Usage {
    /// Asks the system about one process.
    ///
    /// # Errors
    /// The process is gone, belongs to somebody else, or the system has no `/proc`.
    pub fn of(pid: u32) -> Result<Self, ProcessError> {
        let stat = format!("/proc/{pid}/stat");
        let status = format!("/proc/{pid}/status");
        let cpu_seconds = cpu_seconds(&read(&stat)?).ok_or(ProcessError::Unexpected { path: stat, what: "times" })?;
        let anonymous_bytes =
            anonymous_bytes(&read(&status)?).ok_or(ProcessError::Unexpected { path: status, what: "RssAnon" })?;
        Ok(Self { cpu_seconds, anonymous_bytes })
    }
}

fn read(path: &str) -> Result<String, ProcessError> {
    std::fs::read_to_string(path).map_err(|source| ProcessError::Unreadable { path: path.into(), source })
}

/// The name stands in parentheses and may hold blanks and parentheses itself: what counts comes after the last one.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(USER_TICKS)? + ticks(SYSTEM_TICKS)?) as f64 / TICKS_PER_SECOND)
}

fn anonymous_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "812 (a ) (b) S 1 812 812 0 -1 4194560 9 0 0 0 250 75 3 4 20 0 31 0 99 8 1";
        assert_eq!(cpu_seconds(stat), Some(3.25));
        assert_eq!(cpu_seconds("812 (x) S 1"), None);
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn anonymous_memory_is_in_kibibytes() {
        assert_eq!(anonymous_bytes("VmRSS:\t 90 kB\nRssAnon:\t    2048 kB\nRssFile:\t 5 kB\n"), Some(2 << 20));
        assert_eq!(anonymous_bytes("VmRSS: 90 kB"), None);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = Usage::of(u32::MAX).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("/proc/4294967295/stat")));
    }
}
