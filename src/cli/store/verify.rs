//! `ferromq store verify`: whether a store is sound.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{Target, advance, layout, progress};
use crate::broker::config::FilterSettings;
use crate::broker::filter::ConsumerFilters;
use crate::broker::groups::Groups;
use crate::broker::offsets::ConsumerOffsets;
use crate::broker::schedule::DelayOffsets;
use crate::broker::timer::progress::TimerProgress;
use crate::broker::topics::{TopicSettings, Topics};
use crate::cli::print;
use crate::store::offline::verify::{ConfigCheck, Verified};
use crate::store::{OfflineError, OfflineStore, Progress};

/// Check every record, queue entry, index entry and settings file.
///
/// Records: frame, checksum, place, fields. Queue entries: each record has one that says the same of it, and there are no
/// others. Index entries: each key of each record has one, chains and slots fit together. What a crash may leave behind and
/// the next start of a broker mends is told as a note, and the store is sound all the same.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit codes: 0 sound, 1 not sound, 2 the store cannot be looked at.")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    let store = args.target.find()?.open()?;
    let bar = progress("log");
    let verified = verify(&store, &mut advance(&bar))?;
    bar.finish_and_clear();
    print(&if args.json { as_json(&store, &verified) } else { as_text(&store, &verified) })?;
    match verified.findings.faults() {
        0 => Ok(()),
        faults => bail!("{} is not sound: {faults} faults", store.options().root().display()),
    }
}

/// Brings what reads the files under `config/`.
fn verify(store: &OfflineStore, progress: &mut dyn FnMut(Progress)) -> Result<Verified, OfflineError> {
    let bloom = FilterSettings::default().bloom;
    let topics = |text: &str| Topics::new(TopicSettings::default(), 0).load(text).map_err(|error| error.to_string());
    let groups = |text: &str| Groups::new(0).load(text).map_err(|error| error.to_string());
    let offsets = |text: &str| ConsumerOffsets::load(text).map(drop).map_err(|error| error.to_string());
    let delays = |text: &str| DelayOffsets::load(text).map(drop).map_err(|error| error.to_string());
    let timer = |text: &str| TimerProgress::load(text).map(drop).map_err(|error| error.to_string());
    let filters = |text: &str| ConsumerFilters::load(text, bloom, 0).map(drop).map_err(|error| error.to_string());
    let config = |name, parse| ConfigCheck { name, parse };
    let configs = [
        config("topics.json", &topics),
        config("subscriptionGroup.json", &groups),
        config("consumerOffset.json", &offsets),
        config("delayOffset.json", &delays),
        config("consumerFilter.json", &filters),
        config("ferromq.timer.json", &timer),
    ];
    store.verify(&configs, progress)
}

fn as_json(store: &OfflineStore, verified: &Verified) -> String {
    let findings = &verified.findings;
    let sizes = layout(store.options(), store.sizes()).map(|(size, by)| json!({ "size": size, "known": by }));
    let value = json!({
        "root": store.options().root().display().to_string(),
        "sound": verified.is_sound(),
        "faults": findings.faults(),
        "notes": findings.notes(),
        "notListed": findings.unlisted(),
        "findings": findings.listed(),
        "checked": verified.checked,
        "sizes": sizes,
    });
    format!("{value}\n")
}

fn as_text(store: &OfflineStore, verified: &Verified) -> String {
    let (findings, checked) = (&verified.findings, verified.checked);
    let mut text = String::new();
    for finding in findings.listed() {
        text += &format!("{finding}\n");
    }
    if findings.unlisted() > 0 {
        text += &format!("{} more are not listed\n", findings.unlisted());
    }
    for (size, by) in layout(store.options(), store.sizes()) {
        text += &format!("{size}, {by}\n");
    }
    text += &format!(
        "log from {} to {}: {} records; {} queues: {} entries, {} blank, {} units; {} index entries; {} settings files\n",
        checked.log_min,
        checked.log_end,
        checked.records,
        checked.queues,
        checked.queue_entries,
        checked.blank_entries,
        checked.units,
        checked.index_entries,
        checked.config_files,
    );
    let verdict = if verified.is_sound() { "sound" } else { "not sound" };
    text + &format!("{verdict}: {} faults, {} notes\n", findings.faults(), findings.notes())
}
