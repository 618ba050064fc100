//! `ferromq store dump`: the records of a store, as lines of JSON.

use std::io::{self, Write};

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Target, advance, progress};
use crate::cli::{times, unless_reader_left};
use crate::protocol::compression;
use crate::protocol::message::{self, RecordError, RecordHead};
use crate::protocol::names::Topic;
use crate::protocol::properties;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::OfflineError;
use crate::store::offline::dump::Selection;

/// The longest body that is shown decompressed.
const PLAIN_BYTES_MAX: usize = 64 << 20;

/// Print records as lines of JSON, in the order of the log.
///
/// All conditions that are given must hold. What of the log cannot be read is told on standard error, and the rest is
/// printed.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq store dump --topic orders --from 2026-11-21 --limit 100
  ferromq store dump --topic orders --key A-1001
  ferromq store dump --offset 193024 --limit 1             the record that lies there
  ferromq store dump --topic orders --queue 2 --queue-offset 17 --limit 1")]
pub(super) struct DumpArgs {
    #[command(flatten)]
    target: Target,
    /// Of this topic only.
    #[arg(long)]
    topic: Option<String>,
    /// With this key, or this unique key, only. With --topic it is looked up in the index if there is a sound one.
    #[arg(long)]
    key: Option<String>,
    /// Stored at this time or later: milliseconds since the epoch, or as in 2026-11-21T05:51:06Z.
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    from: Option<StoreTime>,
    /// Stored at this time or earlier.
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    to: Option<StoreTime>,
    /// From the record on that lies at this place of the log.
    #[arg(long, value_name = "OFFSET", conflicts_with = "queue_offset")]
    offset: Option<u64>,
    /// In this queue of the topic only.
    #[arg(long, value_name = "QUEUE", requires = "topic")]
    queue: Option<u32>,
    /// From the record on with this number in the queue.
    #[arg(long, value_name = "OFFSET", requires = "queue")]
    queue_offset: Option<u64>,
    /// No more than so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How bodies are shown. Text is decompressed; a body that is no text is shown as stored, in hex.
    #[arg(long, value_name = "FORM", default_value = "text")]
    body: BodyForm,
}

/// How a body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BodyForm {
    /// As text, decompressed.
    Text,
    /// As stored, in hexadecimal digits.
    Hex,
    /// As stored, in base64.
    Base64,
    /// Not at all.
    None,
}

/// Runs the command.
pub(super) fn run(args: &DumpArgs) -> anyhow::Result<()> {
    let selection = selection(args)?;
    let store = args.target.find()?.open()?;
    let bar = progress("log");
    let mut out = io::BufWriter::new(io::stdout().lock());
    let dumped = store.dump(&selection, &mut advance(&bar), |record| -> anyhow::Result<()> {
        serde_json::to_writer(&mut out, &as_json(record, args.body)?).map_err(io::Error::from)?;
        Ok(out.write_all(b"\n")?)
    });
    bar.finish_and_clear();
    let dumped = match dumped {
        Ok(dumped) => dumped,
        Err(error) => return unless_reader_left(Err(error)),
    };
    unless_reader_left(out.flush().map_err(Into::into))?;
    for finding in dumped.findings.listed() {
        eprintln!("{finding}");
    }
    match dumped.findings.faults() {
        0 => Ok(()),
        faults => bail!("the log could not be read at {faults} places"),
    }
}

fn selection(args: &DumpArgs) -> Result<Selection, OfflineError> {
    let topic = args.topic.as_deref().map(Topic::parse).transpose();
    Ok(Selection {
        topic: topic.map_err(|error| OfflineError::NotThere(format!("--topic: {error}")))?,
        key: args.key.clone(),
        from: args.from,
        to: args.to,
        offset: args.offset.map(PhysicalOffset),
        queue: args.queue.map(QueueId),
        queue_offset: args.queue_offset.map(QueueOffset),
        limit: args.limit,
    })
}

/// Every field of a record, and what is wrong with it.
fn as_json(record: &Bytes, form: BodyForm) -> Result<Value, RecordError> {
    let head = RecordHead::parse(record)?;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("topic", head.topic.into());
    put("queue", head.queue_id.0.into());
    put("queueOffset", head.queue_offset.0.into());
    put("offset", head.physical_offset.0.into());
    put("size", head.total_size.into());
    put("storeTimestamp", head.store_time.0.into());
    put("sysFlag", head.sys_flag.into());
    put("preparedTransactionOffset", head.prepared_transaction_offset.into());
    put("bodyCrc", head.body_crc.into());
    put("bodyLength", head.body.len().into());
    // A port that is none does not keep the rest from being shown.
    match message::decode(record) {
        Ok((message, _)) => {
            put("flag", message.flag.into());
            put("bornTimestamp", message.born_time.0.into());
            put("bornHost", message.born_host.to_string().into());
            put("storeHost", message.store_host.to_string().into());
            put("reconsumeTimes", message.reconsume_times.into());
            put("msgId", json!(message.unique_id()));
            put("offsetMsgId", message.offset_id().into());
        }
        Err(problem) => put("damaged", problem.to_string().into()),
    }
    let properties: Map<String, Value> =
        properties::pairs(head.properties).map(|(name, value)| (name.into(), value.into())).collect();
    put("properties", properties.into());
    if let Err(problem) = head.check_body() {
        put("damaged", problem.to_string().into());
    }
    if let Some((name, body)) = body(&head, form) {
        put(name, body.into());
    }
    Ok(fields.into())
}

fn body(head: &RecordHead<'_>, form: BodyForm) -> Option<(&'static str, String)> {
    let hex = || head.body.iter().map(|byte| format!("{byte:02x}")).collect();
    match form {
        BodyForm::None => None,
        BodyForm::Hex => Some(("bodyHex", hex())),
        BodyForm::Base64 => Some(("bodyBase64", STANDARD.encode(head.body))),
        BodyForm::Text => {
            let stored = Bytes::copy_from_slice(head.body);
            let plain = compression::plain_body(head.sys_flag, &stored, PLAIN_BYTES_MAX).unwrap_or(stored);
            Some(match std::str::from_utf8(&plain) {
                Ok(text) => ("body", text.to_owned()),
                Err(_) => ("bodyHex", hex()),
            })
        }
    }
}
