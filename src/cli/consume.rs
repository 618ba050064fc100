//! `ferromq consume`: reads messages into a shell, from every queue of a topic.

use std::io::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::access::AccessArgs;
use super::message_json::as_json;
use super::produce::progress;
use super::{name_servers, unless_reader_left};
use crate::client::{ClientError, PullStatus, Pulled, Puller, Queue, Routes, route};
use crate::protocol::codes::response;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::QueueOffset;

/// Messages per pull.
const MESSAGES_PER_PULL: u32 = 32;
/// How long the broker may hold a pull that finds nothing, when new messages are waited for.
const HOLD: Duration = Duration::from_secs(15);
/// When a queue that could not be read is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Pulls that may wait to be printed, so that a slow reader of the output slows the pulls down.
const PULLS_WAITING: usize = 16;

/// Read messages from a topic.
///
/// Nothing is remembered between runs: no consumer group's position is read or changed, so looking does not take
/// messages away from anybody.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq consume -n 127.0.0.1:9876 -t orders                           everything that is there
  ferromq consume -n 127.0.0.1:9876 -t orders --from last --follow      what comes from now on
  ferromq consume -n 127.0.0.1:9876 -t orders --json --count 10         ten messages with all that is known of them")]
pub struct ConsumeArgs {
    /// Name servers, as host:port;host:port [default: the environment's NAMESRV_ADDR, or 127.0.0.1:9876].
    #[arg(short = 'n', long, value_name = "ADDRESSES")]
    pub namesrv: Option<String>,
    /// The topic to read.
    #[arg(short, long, value_parser = Topic::parse)]
    pub topic: Topic,
    /// The group to read as; it matters only to the broker's permissions and statistics.
    #[arg(short, long, value_parser = GroupName::parse, default_value = "ferromq-consume")]
    pub group: GroupName,
    /// Where to begin in each queue: first, last, or an offset.
    #[arg(long, value_name = "WHERE", default_value = "first")]
    pub from: From,
    /// Stop after this many messages.
    #[arg(short, long, value_name = "N")]
    pub count: Option<u64>,
    /// Wait for further messages when all are read.
    #[arg(short, long)]
    pub follow: bool,
    /// Print one line of JSON for each message, not just its body.
    #[arg(long)]
    pub json: bool,
    /// Keys and encryption.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest message.
    First,
    /// Behind the newest one.
    Last,
    /// At this offset of each queue.
    Offset(u64),
}

impl FromStr for From {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            number => match number.parse() {
                Ok(offset) if i64::try_from(offset).is_ok() => Ok(Self::Offset(offset)),
                _ => Err("expected first, last or an offset"),
            },
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A topic without a route, and brokers that do not answer.
pub fn run(args: &ConsumeArgs) -> Result<()> {
    let access = args.access.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    access.explain(unless_reader_left(runtime.block_on(async {
        let connections = access.connections();
        let route = Routes::new(connections.clone(), &name_servers(args.namesrv.as_deref()))?.of(&args.topic).await?;
        let puller = Puller::new(connections, args.group.clone(), args.topic.clone());
        let (sender, pulls) = mpsc::channel(PULLS_WAITING);
        let mut readers = JoinSet::new();
        for queue in route::subscribe_queues(&route) {
            readers.spawn(read(puller.clone(), queue, args.from, args.follow, sender.clone()));
        }
        drop(sender);
        let mut printing = std::pin::pin!(print(args, pulls));
        let mut failure = Ok(());
        loop {
            tokio::select! {
                // First, so that no failure is missed when all is printed.
                biased;
                Some(outcome) = readers.join_next() => {
                    failure = failure.and(outcome?);
                    // The others would go on and on, and nobody would learn that one queue is missing.
                    if args.follow && failure.is_err() {
                        return failure;
                    }
                }
                // Whoever has read enough stops the readers; otherwise they are through, or failed.
                printed = &mut printing => return printed.and(failure),
            }
        }
    })))
}

/// Reads one queue to its end, or on and on, until nobody takes the messages any more.
async fn read(
    puller: Puller,
    queue: Queue,
    from: From,
    follow: bool,
    sender: mpsc::Sender<(Queue, Pulled)>,
) -> Result<()> {
    let mut offset = match from {
        From::First => puller.min_offset(&queue).await?,
        From::Last => puller.max_offset(&queue).await?,
        From::Offset(offset) => QueueOffset(offset),
    };
    let hold = if follow { HOLD } else { Duration::ZERO };
    loop {
        let pulled = match puller.pull(&queue, offset, MESSAGES_PER_PULL, hold).await {
            Err(error) if follow && may_pass(&error) => {
                tracing::warn!("queue {} of {}: {error}; trying again", queue.id, queue.broker_name);
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            pulled => pulled?,
        };
        let at_end = pulled.status == PullStatus::NothingYet || pulled.next == offset;
        offset = pulled.next;
        if sender.send((queue.clone(), pulled)).await.is_err() || (at_end && !follow) {
            return Ok(());
        }
    }
}

/// Whether it may be over in a moment: a broker that starts again, or has too much to do.
fn may_pass(error: &ClientError) -> bool {
    error.is_of_transport() || error.refusal() == Some(response::SYSTEM_BUSY)
}

/// Prints what the readers bring.
async fn print(args: &ConsumeArgs, mut pulls: mpsc::Receiver<(Queue, Pulled)>) -> Result<()> {
    let progress = progress();
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0
        && let Some((queue, pulled)) = pulls.recv().await
    {
        let messages = &pulled.messages[..pulled.messages.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        left -= messages.len() as u64;
        progress.inc(messages.len() as u64);
        show(args, &progress, &queue, messages).context("cannot print")?;
    }
    progress.finish_and_clear();
    Ok(())
}

fn show(args: &ConsumeArgs, progress: &ProgressBar, queue: &Queue, messages: &[Message]) -> io::Result<()> {
    progress.suspend(|| {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for message in messages {
            if args.json {
                writeln!(out, "{}", as_json(&queue.broker_name, message))?;
            } else {
                out.write_all(&message.body)?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_first_last_or_a_number() {
        assert_eq!("first".parse(), Ok(From::First));
        assert_eq!("last".parse(), Ok(From::Last));
        assert_eq!("12".parse(), Ok(From::Offset(12)));
        for text in ["-1", "begin", "9223372036854775808"] {
            assert!(text.parse::<From>().is_err(), "{text}");
        }
    }
}
