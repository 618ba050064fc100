//! printMsg, printMsgByQueue, consumeMessage: the messages of queues, one after the other.
//!
//! No group's progress is read or stored.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};
use encoding_rs::{Encoding, UTF_8};

use super::page::{Page, Rows, row};
use super::{Context, TOOLS_GROUP, Usage, moment};
use crate::cli::message_json::as_json;
use crate::cli::times;
use crate::client::route::subscribe_queues;
use crate::client::subscription::{self, Wanted};
use crate::client::{PullStatus, Queue};
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::{QueueOffset, StoreTime};

/// Messages per pull.
const MESSAGES_PER_PULL: u32 = 32;

/// Which messages are read.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
struct Range {
    /// Stored then or later: milliseconds, 2026-11-21#05:51:06:000 of this place, or 2026-11-21T05:51:06Z.
    #[arg(short, long, value_name = "TIME", value_parser = moment::parse)]
    begin_timestamp: Option<StoreTime>,
    /// Stored then or earlier.
    #[arg(short, long, value_name = "TIME", value_parser = moment::parse)]
    end_timestamp: Option<StoreTime>,
    /// With one of these tags, as TagA || TagB.
    #[arg(short, long, value_name = "TAGS", default_value = "*")]
    sub_expression: String,
}

/// How messages are printed.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
struct Looks {
    /// What bodies are written in.
    #[arg(short, long, value_name = "NAME", default_value = "UTF-8", value_parser = charset)]
    charset_name: &'static Encoding,
}

/// Print the messages of a topic.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct PrintMsgArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    looks: Looks,
    /// Whether to print bodies.
    #[arg(short = 'd', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    print_body: bool,
}

impl PrintMsgArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let reading = Reading::new(context, &self.topic, &self.range)?;
        let printer = Printer { json: context.json, charset: self.print_body.then_some(self.looks.charset_name) };
        for queue in readable_queues(context, &self.topic).await? {
            reading.each(&queue, None, |message| printer.print(&queue, message).map(Continue)).await?;
        }
        Ok(Page::Printed)
    }
}

/// Print the messages of one queue, or how many there are of each tag.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct PrintMsgByQueueArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The name of the broker.
    #[arg(short = 'a', long, value_name = "NAME")]
    broker_name: String,
    /// The queue.
    #[arg(short = 'i', long, value_name = "ID")]
    queue_id: u32,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    looks: Looks,
    /// Whether to print the messages.
    #[arg(short, long, alias = "print msg", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    print_msg: bool,
    /// Whether to print their bodies.
    #[arg(short = 'd', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    print_body: bool,
    /// Whether to count the messages of each tag.
    #[arg(short = 'f', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    calculate: bool,
}

impl PrintMsgByQueueArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let queue = queues_at(context, &self.topic, Some(&self.broker_name), Some(self.queue_id)).await?.remove(0);
        let reading = Reading::new(context, &self.topic, &self.range)?;
        let printer = Printer { json: context.json, charset: self.print_body.then_some(self.looks.charset_name) };
        let mut tags: BTreeMap<Option<String>, u64> = BTreeMap::new();
        let on_each = |message: &Message| {
            *tags.entry(message.tags().map(Into::into)).or_default() += 1;
            let printed = if self.print_msg { printer.print(&queue, message) } else { Ok(()) };
            printed.map(Continue)
        };
        reading.each(&queue, None, on_each).await?;
        if !self.calculate {
            return Ok(Page::Printed);
        }
        let mut rows = Rows::new(&["tag", "messages"]);
        tags.into_iter().for_each(|(tag, count)| rows.add(row![tag, count]));
        Ok(rows.into())
    }
}

/// Read messages of a topic, of one broker or one queue, without storing how far.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ConsumeMessageArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The name of the broker.
    #[arg(short, long, value_name = "NAME")]
    broker_name: Option<String>,
    /// The queue.
    #[arg(short = 'i', long, value_name = "ID", requires = "broker_name")]
    queue_id: Option<u32>,
    /// Where to begin in the queue.
    #[arg(short, long, requires = "queue_id")]
    offset: Option<u64>,
    /// So many at most, of each queue.
    #[arg(short = 'c', long = "MessageNumber", value_name = "N", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    message_number: u64,
    /// The group to read as.
    #[arg(short = 'g', long, value_parser = GroupName::parse, default_value = TOOLS_GROUP)]
    consumer_group: GroupName,
    /// Stored then or later.
    #[arg(short = 's', long, value_name = "TIME", value_parser = moment::parse)]
    begin_timestamp: Option<StoreTime>,
    /// Stored then or earlier.
    #[arg(short, long, value_name = "TIME", value_parser = moment::parse)]
    end_timestamp: Option<StoreTime>,
}

impl ConsumeMessageArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let (begin_timestamp, end_timestamp) = (self.begin_timestamp, self.end_timestamp);
        let range = Range { begin_timestamp, end_timestamp, sub_expression: "*".into() };
        let reading = Reading { group: self.consumer_group.clone(), ..Reading::new(context, &self.topic, &range)? };
        let printer = Printer { json: context.json, charset: Some(UTF_8) };
        for queue in queues_at(context, &self.topic, self.broker_name.as_deref(), self.queue_id).await? {
            let mut left = self.message_number;
            let on_each = |message: &Message| {
                left = left.saturating_sub(1);
                printer.print(&queue, message).map(|()| if left > 0 { Continue(()) } else { Break(()) })
            };
            reading.each(&queue, self.offset.map(QueueOffset), on_each).await?;
        }
        Ok(Page::Printed)
    }
}

/// The queues of a topic that can be read.
async fn readable_queues(context: &Context, topic: &Topic) -> Result<Vec<Queue>> {
    Ok(subscribe_queues(&context.admin.routes().of(topic).await?))
}

/// Those of a broker, or one of them. There is at least one.
async fn queues_at(context: &Context, topic: &Topic, broker: Option<&str>, id: Option<u32>) -> Result<Vec<Queue>> {
    let mut queues = readable_queues(context, topic).await?;
    queues
        .retain(|queue| broker.is_none_or(|name| *queue.broker_name == *name) && id.is_none_or(|id| queue.id.0 == id));
    let (broker, id) = (broker.unwrap_or("any broker"), id.map_or_else(String::new, |id| format!(" {id}")));
    ensure!(!queues.is_empty(), "topic {topic} has no queue{id} at {broker} that can be read");
    Ok(queues)
}

/// What is read of each queue.
struct Reading<'a> {
    context: &'a Context,
    topic: Topic,
    group: GroupName,
    wanted: SubscriptionData,
    from: Option<StoreTime>,
    to: Option<StoreTime>,
}

impl<'a> Reading<'a> {
    fn new(context: &'a Context, topic: &Topic, range: &Range) -> Result<Self> {
        let wanted = Wanted::Tags(range.sub_expression.clone()).subscription(topic, 0)?;
        let (from, to) = (range.begin_timestamp, range.end_timestamp);
        Ok(Self { context, topic: topic.clone(), group: GroupName::parse(TOOLS_GROUP)?, wanted, from, to })
    }

    /// Hands out the messages that the queue has now, until `on_each` has enough.
    async fn each(
        &self,
        queue: &Queue,
        at: Option<QueueOffset>,
        mut on_each: impl FnMut(&Message) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let puller = self.context.admin.puller(self.group.clone(), self.topic.clone());
        let mut offset = match (at, self.from) {
            (Some(offset), _) => offset,
            (None, Some(from)) => puller.offset_at(queue, from.0).await?,
            (None, None) => puller.min_offset(queue).await?,
        };
        let end = puller.max_offset(queue).await?;
        while offset < end {
            let pulled = puller.pull(queue, offset, MESSAGES_PER_PULL, Duration::ZERO).await?;
            for message in &pulled.messages {
                if self.to.is_some_and(|to| message.store_time > to) {
                    return Ok(());
                }
                let is_in_time = self.from.is_none_or(|from| message.store_time >= from);
                if is_in_time && subscription::wants(&self.wanted, message) && on_each(message)?.is_break() {
                    return Ok(());
                }
            }
            if pulled.status == PullStatus::NothingYet || pulled.next <= offset {
                return Ok(());
            }
            offset = pulled.next;
        }
        Ok(())
    }
}

/// Prints messages, a line each.
struct Printer {
    json: bool,
    /// How bodies are written; `None` leaves them out.
    charset: Option<&'static Encoding>,
}

impl Printer {
    fn print(&self, queue: &Queue, message: &Message) -> Result<()> {
        let line = if self.json { self.as_json(queue, message) } else { self.as_text(queue, message) };
        Ok(writeln!(io::stdout().lock(), "{line}")?)
    }

    fn as_json(&self, queue: &Queue, message: &Message) -> String {
        let mut value = as_json(&queue.broker_name, message);
        if let Some(fields) = value.as_object_mut() {
            fields.shift_remove("bodyHex");
            fields.shift_remove("body");
            if let Some(charset) = self.charset {
                fields.insert("body".into(), charset.decode(&message.body).0.into());
            }
        }
        value.to_string()
    }

    fn as_text(&self, queue: &Queue, message: &Message) -> String {
        let id = message.unique_id().map_or_else(|| message.offset_id(), Into::into);
        let stored = times::show(message.store_time.0);
        let (broker, queue, offset) = (&queue.broker_name, queue.id, message.queue_offset);
        let head = format!("{id}  {broker} queue {queue} offset {offset}  {stored}  {}", message.tags().unwrap_or("-"));
        match self.charset {
            Some(charset) => format!("{head}  {}", charset.decode(&message.body).0),
            None => head,
        }
    }
}

fn charset(name: &str) -> Result<&'static Encoding, Usage> {
    Encoding::for_label(name.as_bytes()).ok_or_else(|| Usage("expected the name of a charset, as UTF-8 or GBK".into()))
}
