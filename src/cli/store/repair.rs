//! `ferromq store repair`: queues and index anew from the log.

use clap::Args;

use super::{Target, advance, in_our_words, layout, progress};
use crate::broker::config::{BrokerConfig, FilterSettings};
use crate::broker::filter::ConsumerFilters;
use crate::cli::print;
use crate::cli::table::table;
use crate::protocol::units::PhysicalOffset;
use crate::store::disk::FileDisk;
use crate::store::offline::repair::{self, Plan, QueuePlan, Request};
use crate::store::{BitMaps, StoreError, StoreOptions, config_files};

/// Make queues and index anew from the log.
///
/// They are built beside the old ones, and take their places when they are complete; the old ones are kept, as
/// consumequeue.before-repair-1 and so on. Records whose body is damaged get entries that pulls pass over. The log is not
/// touched, unless --truncate-at says so.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq store repair --dry-run                  what would be done
  ferromq store repair
  ferromq store repair --truncate-at 193024       give up what lies there and behind; it is kept in a file")]
pub(super) struct RepairArgs {
    #[command(flatten)]
    target: Target,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Cut the log at this place, where a record must begin or end. What is cut is kept in a file beside the log.
    #[arg(long, value_name = "OFFSET")]
    truncate_at: Option<u64>,
}

/// Runs the command.
pub(super) fn run(args: &RepairArgs) -> anyhow::Result<()> {
    let found = args.target.find()?;
    let request = Request { truncate_at: args.truncate_at.map(PhysicalOffset) };
    let bar = progress("log");
    if args.dry_run {
        let store = found.open()?;
        let plan = store.plan(request, &mut advance(&bar))?;
        bar.finish_and_clear();
        let sizes = layout(store.options(), plan.sizes);
        let sizes = sizes.map(|(size, by)| format!("would make files with {size}, {by}\n"));
        return print(&(told(&plan, true) + &sizes.concat() + "nothing was changed\n"));
    }
    let filters = BrokerConfig::filter_settings(&found.settings)?;
    let bit_maps = if filters.bit_maps { bit_maps(&found.options, filters)? } else { None };
    let repaired = repair::repair(FileDisk::shared(), &found.options, request, bit_maps.as_deref(), &mut advance(&bar));
    bar.finish_and_clear();
    print(&(told(&repaired.map_err(in_our_words)?, false) + "repaired\n"))
}

/// What makes the bit maps of extensions, as at the start of a broker: the conditions that consumers have left.
fn bit_maps(options: &StoreOptions, filters: FilterSettings) -> Result<Option<Box<BitMaps>>, StoreError> {
    let path = options.config_dir().join("consumerFilter.json");
    let loaded = config_files::load(&FileDisk, &path, |text| ConsumerFilters::load(text, filters.bloom, i64::MAX))?;
    let loaded = loaded.value.map(|(filters, _)| filters);
    Ok(loaded.map(|filters| -> Box<BitMaps> { Box::new(move |topic, text| filters.bit_map(topic, text)) }))
}

fn told(plan: &Plan, is_dry: bool) -> String {
    let mut text = String::new();
    for finding in plan.findings.listed() {
        text += &format!("{finding}\n");
    }
    let verb = |done: &'static str, planned: &'static str| if is_dry { planned } else { done };
    let changed: Vec<_> = plan.queues.iter().filter(|(_, queue)| is_changed(queue)).collect();
    if !changed.is_empty() {
        let range = |(min, max): (u64, u64)| format!("{min} to {max}");
        let offsets = |bounds: Option<(u64, u64)>| bounds.map_or_else(|| "–".to_owned(), range);
        let rows = changed.iter().map(|((topic, queue_id), queue)| {
            let (before, after) = (offsets(queue.before), offsets(queue.after));
            vec![topic.as_str().to_owned(), queue_id.to_string(), before, after, queue.blank.to_string()]
        });
        let names = ["topic", "queue", "offsets before", "offsets anew", "blank"];
        text += &format!("{}\n", table(&names, rows, 1..5).trim_fmt());
    }
    text += &format!(
        "{} {} records from offset {} to {}: {} queues, {} of them changed; {} keys\n",
        verb("made anew from", "would make anew from"),
        plan.records,
        plan.log_min,
        plan.log_end,
        plan.queues.len(),
        changed.len(),
        plan.keys
    );
    for moved in &plan.moves {
        let verb = verb("kept", "would keep");
        text += &format!("{verb} {} as {}\n", moved.from.display(), moved.to.display());
    }
    match &plan.cut {
        Some(cut) => {
            let verb = verb("cut the log", "would cut the log");
            text + &format!("{verb} at {}, {} bytes kept in {}\n", cut.at, cut.bytes, cut.copy.display())
        }
        None => text + verb("the log was not touched\n", "the log would not be touched\n"),
    }
}

/// Whether a queue gets other offsets, or blank entries.
fn is_changed(queue: &QueuePlan) -> bool {
    queue.before != queue.after || queue.blank > 0
}
