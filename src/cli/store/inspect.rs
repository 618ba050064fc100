//! `ferromq store inspect`: what is in a store.

use std::collections::BTreeSet;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::{Target, advance, layout, progress};
use crate::cli::table::table;
use crate::cli::{print, times};
use crate::store::OfflineStore;
use crate::store::offline::survey::Survey;

/// Show topics, queues, offsets, times and sizes.
///
/// It reads the ends of the queues and of the log, not what lies between them: that is what `verify` does.
#[derive(Args, Clone, Debug)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let store = args.target.find()?.open()?;
    let bar = progress("end of the log");
    let survey = store.survey(&mut advance(&bar))?;
    bar.finish_and_clear();
    print(&if args.json { as_json(&store, &survey)? } else { as_text(&store, &survey) })
}

fn as_json(store: &OfflineStore, survey: &Survey) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(survey)?;
    let sizes = layout(store.options(), store.sizes());
    let sizes: Vec<Value> = sizes.iter().map(|(size, by)| json!({ "size": size, "known": by })).collect();
    if let Some(object) = value.as_object_mut() {
        object.insert("root".into(), store.options().root().display().to_string().into());
        object.insert("sizes".into(), sizes.into());
    }
    Ok(format!("{value}\n"))
}

fn as_text(store: &OfflineStore, survey: &Survey) -> String {
    let mut text = format!("{}\n", overview(store, survey).trim_fmt());
    if !survey.queues.is_empty() {
        let rows = survey.queues.iter().map(|queue| {
            let count = queue.max_offset.saturating_sub(queue.min_offset);
            let numbers = [u64::from(queue.queue), queue.min_offset, queue.max_offset, count, queue.files as u64];
            let times = [queue.first_stored, queue.last_stored].map(times::show);
            [queue.topic.clone()].into_iter().chain(numbers.map(|number| number.to_string())).chain(times).collect()
        });
        let names = ["topic", "queue", "min", "max", "entries", "files", "first stored", "last stored"];
        text += &format!("\n{}\n", table(&names, rows, 1..6).trim_fmt());
    }
    if !survey.index.is_empty() {
        let rows = survey.index.iter().map(|file| {
            let numbers = [u64::from(file.entries), file.begin, file.end].map(|number| number.to_string());
            let times = [file.first_stored, file.last_stored].map(times::show);
            [file.file.clone()].into_iter().chain(numbers).chain(times).collect()
        });
        let names = ["index file", "entries", "first offset", "last offset", "first stored", "last stored"];
        text += &format!("\n{}\n", table(&names, rows, 1..4).trim_fmt());
    }
    for finding in &survey.findings {
        text += &format!("{finding}\n");
    }
    text
}

fn overview(store: &OfflineStore, survey: &Survey) -> Table {
    let log = &survey.log;
    let [first, last] = [log.first_stored, log.last_stored].map(times::show);
    let topics: BTreeSet<&str> = survey.queues.iter().map(|queue| queue.topic.as_str()).collect();
    let checkpoint = survey.checkpoint;
    let [of_log, of_queues, of_index] = [checkpoint.log, checkpoint.queues, checkpoint.index].map(times::show);
    let state = match survey.state {
        Some(state) => format!("durable to {}, dispatched to {}", state.durable, state.dispatched),
        None => "none that counts".into(),
    };
    let closed = if survey.closed_in_order { "in order" } else { "not in order: the next start looks closely" };
    let bytes = log.end.saturating_sub(log.min);
    let mut rows = vec![
        ("store", store.options().root().display().to_string()),
        (
            "log",
            format!("offsets {} to {}, {bytes} bytes in {} files of {}", log.min, log.end, log.files, log.file_bytes),
        ),
        ("stored", format!("{first} to {last}")),
        ("topics", format!("{} with {} queues", topics.len(), survey.queues.len())),
        ("closed", closed.into()),
        ("checkpoint", format!("log {of_log}, queues {of_queues}, index {of_index}")),
        ("state", state),
    ];
    rows.extend(log.tail.iter().map(|problem| ("tail", format!("no record behind the end: {problem}"))));
    rows.extend(layout(store.options(), store.sizes()).map(|(size, by)| ("sizes", format!("{size}, {by}"))));
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).add_rows(rows.into_iter().map(|(name, value)| [name.to_owned(), value]));
    if let Some(names) = table.column_mut(0) {
        names.set_cell_alignment(CellAlignment::Right);
    }
    table
}
