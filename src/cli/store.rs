//! `ferromq store`: looks at a store directory without a broker, and mends what can be made anew.
//!
//! What is looked at and decided is the business of `store::offline`; here stand arguments, progress and words.

mod dump;
mod inspect;
mod repair;
mod verify;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::config_file::ConfigFileArgs;
use super::machine;
use crate::broker::config::BrokerConfig;
use crate::properties_file::Settings;
use crate::store::disk::FileDisk;
use crate::store::offline::{self, KnownBy, Sizes};
use crate::store::recovery::Progress;
use crate::store::{OfflineError, OfflineStore, StoreError, StoreOptions};

/// Where the store is unless told otherwise: what `ferromq standalone` makes.
const DIRECTORY: &str = "ferromq-data";

/// Look at a store without a broker: what is in it, whether it is sound, its records; and mend it.
///
/// It takes stores of RocketMQ 4.9 and of ferromq. The broker must not be running; while a command looks, none can start.
/// Only `repair` changes anything.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq store inspect /var/lib/ferromq/store
  ferromq store verify -c conf/broker.conf
  ferromq store dump --topic orders --key A-1001 --limit 1
  ferromq store repair --dry-run

Exit codes: 0 done, or sound; 1 not sound, or failed; 2 wrong arguments, or the store cannot be looked at.")]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum StoreCommand {
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
    Dump(dump::DumpArgs),
    Repair(repair::RepairArgs),
}

/// Which store.
#[derive(Args, Clone, Debug)]
struct Target {
    /// The store's directory, or the one that has it as `store` [default: storePathRootDir of the file, or ./ferromq-data].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFileArgs,
}

/// A store that was found, and the settings that it was found with.
struct Found {
    options: StoreOptions,
    settings: Settings,
}

/// Runs the command.
pub(super) fn run(args: &StoreArgs) -> anyhow::Result<()> {
    machine::raise_descriptor_limit();
    match &args.command {
        StoreCommand::Inspect(args) => inspect::run(args),
        StoreCommand::Verify(args) => verify::run(args),
        StoreCommand::Dump(args) => dump::run(args),
        StoreCommand::Repair(args) => repair::run(args),
    }
}

/// Whether an error is one of what was asked for, or of where. A disk that is full or cannot be read is none: the same
/// command may succeed on another day.
pub(super) fn is_usage(error: &anyhow::Error) -> bool {
    error.downcast_ref::<OfflineError>().is_some_and(|error| {
        matches!(
            error,
            OfflineError::NotAStore { .. }
                | OfflineError::NotThere(_)
                | OfflineError::Store(StoreError::Locked { .. } | StoreError::Unsupported { .. })
        )
    })
}

impl Target {
    /// Brings arguments and file together.
    fn find(&self) -> anyhow::Result<Found> {
        let mut settings = BrokerConfig::settings_at_default();
        self.file.read_into(&mut settings)?;
        let mut options = BrokerConfig::store_options(&settings)?;
        let disk = FileDisk::shared();
        if self.directory.is_some() || settings.is_default("storePathRootDir") {
            let directory = self.directory.clone().unwrap_or_else(|| DIRECTORY.into());
            options.root = offline::root_at(&disk, &directory);
            // The file may be of the store that this one is a copy of.
            let log = options.root.join("commitlog");
            if log.is_dir() && !options.log_dirs.iter().any(|listed| is_same(listed, &log)) {
                options.log_dirs.clear();
            }
        }
        Ok(Found { options, settings })
    }
}

/// Whether two paths lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

impl Found {
    fn open(&self) -> Result<OfflineStore, OfflineError> {
        OfflineStore::open(FileDisk::shared(), &self.options).map_err(in_our_words)
    }
}

/// Says of a store in use what to do, where a broker's own words are those of Java's.
fn in_our_words(error: OfflineError) -> OfflineError {
    match error {
        OfflineError::Store(StoreError::Locked { path }) => {
            let directory = path.parent().unwrap_or(&path).display();
            OfflineError::NotThere(format!(
                "{directory} is in use: a broker, or another command, holds its lock; stop it first"
            ))
        }
        error => error,
    }
}

/// A bar over the bytes of the log, if somebody is there to see it.
fn progress(what: &'static str) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(0), target).with_style(style).with_message(what)
}

/// Moves a bar to where a walk is: it is told of every record, and shows steps.
fn advance(bar: &ProgressBar) -> impl FnMut(Progress) {
    /// Bytes that no eye would see.
    const STEP_BYTES: u64 = 1 << 20;
    move |progress| {
        if progress.done.abs_diff(bar.position()) >= STEP_BYTES {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }
}

/// How the store is laid out, a line for each kind of file, with the configuration's keys.
fn layout(options: &StoreOptions, sizes: Sizes) -> [(String, &'static str); 3] {
    let by = |known: KnownBy| match known {
        KnownBy::Files => "by the files",
        KnownBy::Configuration => "as configured",
        KnownBy::Nothing => {
            "unknown: the files are of another length, and their content does not tell it; name it with -c"
        }
    };
    let index = format!("maxHashSlotNum={} maxIndexNum={}", options.index_slots, options.index_entries);
    [
        (format!("mappedFileSizeCommitLog={}", options.log_segment_bytes), by(sizes.log)),
        (format!("mappedFileSizeConsumeQueue={}", options.queue_file_bytes()), by(sizes.queue)),
        (index, by(sizes.index)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_cannot_do_is_no_mistake_of_who_asks() {
        let path = || PathBuf::from("/store/lock");
        let failed = io::Error::from(io::ErrorKind::Other);
        for (error, expected) in [
            (StoreError::Locked { path: path() }, true),
            (StoreError::Unsupported { path: path(), what: "a store in DLedger mode" }, true),
            (StoreError::DiskFull { path: path(), bytes: 1 }, false),
            (StoreError::io("read", &path())(failed), false),
        ] {
            let said = error.to_string();
            assert_eq!(is_usage(&OfflineError::from(error).into()), expected, "{said}");
        }
        assert!(is_usage(&OfflineError::NotThere(String::new()).into()));
        assert!(!is_usage(&OfflineError::Undecided(String::new()).into()));
    }
}
