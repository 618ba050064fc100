//! The options of `ferromq bench`, and what they amount to.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};

use super::pace::Arrivals;
use crate::protocol::command::Serialization;
use crate::protocol::names::Topic;
use crate::protocol::properties::keys;
use crate::store::StoreOptions;

/// Largest body that fits into every broker's default limit.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// More under way on one connection is no load that anybody has.
const IN_FLIGHT_MAX: usize = 1 << 20;
/// Three years.
const SECONDS_MAX: f64 = 1e8;
/// One request in a quarter of an hour, and more than any machine sends.
const RATE_MIN: f64 = 1e-3;
const RATE_MAX: f64 = 1e9;
/// Bytes at the head of an `--e2e` message's body that carry its mark and its time.
pub const STAMP_BYTES: usize = 16;

/// Measure how fast a RocketMQ broker, this one or any other, takes or delivers messages.
///
/// Without further options, each connection sends a message, waits for the answer, and sends the next one.
/// The load comes from one thread, so that a broker on the same machine keeps the other cores.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq bench -n 127.0.0.1:9876 --connections 64                      one message in flight on each of 64 connections
  ferromq bench -n 127.0.0.1:9876 --connections 8 --in-flight 64        pipelined, as asynchronous producers do
  ferromq bench -n 127.0.0.1:9876 --batch 32 --size 1024                32 messages per request
  ferromq bench -n 127.0.0.1:9876 --drain --connections 4               read back everything in the topic
  ferromq bench -n 127.0.0.1:9876 --e2e --rate 2000                     time from producer to consumer
  ferromq bench -n 127.0.0.1:9876 --e2e --rate 2000 --delay-level 1     the same with the first level of delay
  ferromq bench -n 127.0.0.1:9876 --transaction --in-flight 16          half messages and their commits
  ferromq bench --broker 127.0.0.1:10911 --queues 8 --pid 4711 --json   no name server; broker CPU; one line of JSON")]
pub struct BenchArgs {
    /// Name servers that know the broker, as host:port;host:port.
    #[arg(short = 'n', long, value_name = "ADDRESSES", required_unless_present = "broker", conflicts_with = "broker")]
    pub namesrv: Option<String>,
    /// The broker itself, as host:port, without asking a name server.
    #[arg(long, value_name = "ADDRESS")]
    pub broker: Option<String>,
    /// The topic to send to or read from.
    #[arg(short, long, default_value = "ferromq-bench")]
    pub topic: String,
    /// Create the topic, or change it, so that it has this many queues [without: as it is, 4 with --broker].
    #[arg(long, value_name = "N")]
    pub queues: Option<u32>,
    /// How many connections to use.
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub connections: usize,
    /// How many requests each connection has under way at most.
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub in_flight: usize,
    /// Bytes of a message's body.
    #[arg(short, long, value_name = "BYTES", default_value_t = 128)]
    pub size: usize,
    /// How many different keys the messages carry; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keys: u32,
    /// The tag of the messages.
    #[arg(long)]
    pub tag: Option<String>,
    /// A property of the messages, as name=value; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// Have the messages delivered after the time of this delay level. With --e2e times include that wait.
    #[arg(long, value_name = "LEVEL", conflicts_with_all = ["batch", "transaction"])]
    pub delay_level: Option<u32>,
    /// Send half messages, and commit each when it is answered; times end when the commit is answered.
    #[arg(long, conflicts_with_all = ["batch", "drain", "e2e", "oneway", "rate"])]
    pub transaction: bool,
    /// Read what meets this SQL92 condition on properties only. The broker needs enablePropertyFilter=true.
    #[arg(long, value_name = "CONDITION")]
    pub sql: Option<String>,
    /// Messages per request.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: u32,
    /// Want no replies; what was stored is then asked for in the end.
    #[arg(long, conflicts_with_all = ["batch", "drain", "e2e", "in_flight", "rate"])]
    pub oneway: bool,
    /// Read what the topic holds, from its beginning, in pulls of 32 messages.
    #[arg(long, conflicts_with_all = ["batch", "e2e", "in_flight", "rate"])]
    pub drain: bool,
    /// Send at --rate and read with long polling, and tell the time from producer to consumer.
    #[arg(long, requires = "rate", conflicts_with = "batch")]
    pub e2e: bool,
    /// Requests per second in all, due at given times whether or not earlier ones are answered.
    ///
    /// A request that cannot be sent when it is due, because the broker is late with others, is timed from when it was
    /// due. --in-flight then limits each connection to that many, with 1000 as its default.
    #[arg(long, value_name = "PER-SECOND")]
    pub rate: Option<f64>,
    /// How the requests of --rate are spread over time.
    #[arg(long, value_name = "PATTERN", default_value = "even", requires = "rate")]
    pub arrivals: Arrivals,
    /// How long to measure [default: 10; with --drain: until everything is read].
    #[arg(long, value_name = "SECONDS", conflicts_with = "count")]
    pub seconds: Option<f64>,
    /// Measure this many messages instead.
    #[arg(long, value_name = "MESSAGES")]
    pub count: Option<u64>,
    /// How long to run before the measurement begins [default: 1; with --drain: 0].
    #[arg(long, value_name = "SECONDS")]
    pub warmup: Option<f64>,
    /// How headers are written.
    #[arg(long, value_name = "FORM", default_value = "json")]
    pub serialization: HeaderForm,
    /// A process whose processor time and memory to report; may be given several times.
    #[arg(long, value_name = "PID")]
    pub pid: Vec<u32>,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// How headers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeaderForm {
    /// As official clients do unless told otherwise.
    Json,
    /// RocketMQ's own shorter form.
    Binary,
}

impl HeaderForm {
    /// The name used in options and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
        }
    }

    /// The same for the codec.
    #[must_use]
    pub fn serialization(self) -> Serialization {
        match self {
            Self::Json => Serialization::Json,
            Self::Binary => Serialization::Binary,
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Sends; the next one goes out when an earlier one is answered.
    Closed,
    /// Sends without replies.
    Oneway,
    /// Sends of half messages, and commits.
    Transaction,
    /// Sends at given times.
    Paced(f64),
    /// Reading of what is there.
    Drain,
    /// Sends at given times, and reading them at once.
    EndToEnd(f64),
}

impl BenchArgs {
    /// How long a message waits in the broker by intention: for its level of delay, in RocketMQ's own table, or its delivery
    /// time.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let level = self.delay_level.and_then(|level| usize::try_from(level).ok()?.checked_sub(1));
        let levels_ms = StoreOptions::at("").delay_levels_ms;
        let level_ms = level.and_then(|level| levels_ms.get(level).or_else(|| levels_ms.last()).copied());
        let asked_ms = self.property.iter().filter_map(|property| {
            let (name, value) = property.split_once('=')?;
            let unit = match name {
                keys::TIMER_DELAY_MS => 1,
                keys::TIMER_DELAY_SEC => 1_000,
                _ => return None,
            };
            value.parse::<i64>().ok()?.checked_mul(unit)
        });
        let longest = asked_ms.chain(level_ms).max().unwrap_or(0);
        Duration::from_millis(u64::try_from(longest).unwrap_or(0))
    }

    /// What these options ask for.
    ///
    /// # Errors
    /// Values that make no sense.
    pub fn mode(&self) -> Result<Mode> {
        Topic::parse(&self.topic)?;
        ensure!(self.connections > 0, "--connections must be at least 1");
        ensure!((1..=IN_FLIGHT_MAX).contains(&self.in_flight), "--in-flight must be from 1 to {IN_FLIGHT_MAX}");
        ensure!(self.batch > 0, "--batch must be at least 1");
        ensure!(self.queues != Some(0), "--queues must be at least 1");
        ensure!(self.keys <= 100_000_000, "--keys can be 100000000 at most");
        for property in &self.property {
            let parts = property.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
            ensure!(parts.is_some(), "--property is {property:?}, expected NAME=VALUE");
        }
        ensure!(self.sql.is_none() || self.drain || self.e2e, "--sql chooses what is read, with --drain or --e2e");
        let bytes = self.size.saturating_mul(self.batch as usize);
        ensure!(
            (1..=BODY_BYTES_MAX).contains(&bytes),
            "a request of {bytes} bytes: brokers take 1 to {BODY_BYTES_MAX}"
        );
        for (name, seconds) in [("--seconds", self.seconds), ("--warmup", self.warmup)] {
            ensure!(
                seconds.is_none_or(|value| (0.0..=SECONDS_MAX).contains(&value)),
                "{name} must be from 0 to {SECONDS_MAX}"
            );
        }
        ensure!(
            self.rate.is_none_or(|rate| (RATE_MIN..=RATE_MAX).contains(&rate)),
            "--rate must be from {RATE_MIN} to {RATE_MAX}"
        );
        ensure!(self.seconds != Some(0.0) && self.count != Some(0), "there is nothing to measure");
        Ok(match self.rate {
            Some(_) if self.e2e && self.size < STAMP_BYTES => bail!("--e2e needs a --size of {STAMP_BYTES} at least"),
            Some(rate) if self.e2e => Mode::EndToEnd(rate),
            Some(rate) => Mode::Paced(rate),
            None if self.drain => Mode::Drain,
            None if self.oneway => Mode::Oneway,
            None if self.transaction => Mode::Transaction,
            None => Mode::Closed,
        })
    }

    /// The name of the mode in reports.
    #[must_use]
    pub fn mode_name(&self, mode: Mode) -> &'static str {
        match mode {
            Mode::Closed if self.batch > 1 => "batch",
            Mode::Closed if self.in_flight > 1 => "pipelined",
            Mode::Closed => "sync",
            Mode::Oneway => "oneway",
            Mode::Transaction => "transaction",
            Mode::Paced(_) => "paced",
            Mode::Drain => "drain",
            Mode::EndToEnd(_) => "e2e",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BenchArgs,
    }

    /// The mode of a command line, or what is wrong with it.
    fn check(line: &str) -> Result<&'static str, String> {
        let words = ["bench", "-n", "n:1"].into_iter().chain(line.split_whitespace());
        let args = Line::try_parse_from(words).map_err(|error| error.to_string())?.args;
        let mode = args.mode().map_err(|error| error.to_string())?;
        Ok(args.mode_name(mode))
    }

    #[test]
    fn options_choose_the_mode() {
        let modes = ["", "-i 64", "--batch 32", "--oneway", "--drain", "--rate 5", "--e2e --rate 5"].map(check);
        let names = ["sync", "pipelined", "batch", "oneway", "drain", "paced", "e2e"].map(Ok);
        assert_eq!(modes, names);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--e2e",
            "--drain --oneway",
            "--seconds 1 --count 1",
            "--connections 0",
            "--size 0",
            "--batch 0",
            "--size 4194305",
            "--size 1048576 --batch 5",
            "--rate 0",
            "--rate -1",
            "--rate 1e-300",
            "--rate 1e300",
            "--seconds 1e300",
            "--warmup 1e300",
            "--seconds NaN",
            "--in-flight 4294967296",
            "--in-flight 18446744073709551615",
            "--rate inf",
            "--seconds 0",
            "--topic a.b",
            "--broker b:1",
            "--e2e --rate 1 --size 15",
            "--arrivals poisson",
            "--keys 100000001",
        ] {
            assert!(check(line).is_err(), "{line}");
        }
    }
}
