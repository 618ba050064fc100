//! What a measurement says, as a table for people or one line of JSON for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::options::{BenchArgs, Mode};
use super::run::Cost;
use super::tally::{Outcome, Tally};
use crate::protocol::codes::response;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Everything about one measurement.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was asked for.
    pub args: &'a BenchArgs,
    /// What that amounts to.
    pub mode: Mode,
    /// Where it went.
    pub brokers: Vec<String>,
    /// Queues in all.
    pub queues: u32,
    /// What came back.
    pub tally: &'a Tally,
    /// What it took.
    pub cost: &'a Cost,
    /// Messages found stored after a load without replies, warm-up included, beside those that were sent.
    pub stored: Option<u64>,
}

impl Report<'_> {
    /// Messages per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        per(self.tally.messages as f64, self.cost.seconds)
    }

    /// Processor seconds per million messages.
    fn per_million(&self, cpu_seconds: f64) -> f64 {
        per(cpu_seconds * 1e6, self.tally.messages as f64)
    }

    /// All of it as one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (args, tally, times) = (self.args, self.tally, self.tally.times());
        let errors = tally.codes.iter().filter(|(code, _)| Outcome::of_send(**code) == Outcome::Error);
        let errors: serde_json::Map<String, Value> =
            errors.map(|(code, count)| (code.to_string(), json!(count))).collect();
        let processes = self.cost.processes.iter().map(|process| {
            json!({
                "pid": process.pid,
                "cpu_seconds": rounded(process.cpu_seconds),
                "cpu_seconds_per_million": rounded(self.per_million(process.cpu_seconds)),
                "rss_anon_mib": rounded(process.anonymous_bytes as f64 / MEBIBYTE),
            })
        });
        json!({
            "mode": args.mode_name(self.mode),
            "brokers": self.brokers,
            "topic": args.topic,
            "queues": self.queues,
            "connections": args.connections,
            "in_flight": args.in_flight,
            "batch": args.batch,
            "size": args.size,
            "keys": args.keys,
            "serialization": args.serialization.name(),
            "rate": args.rate,
            "arrivals": args.rate.map(|_| args.arrivals.name()),
            "seconds": rounded(self.cost.seconds),
            "messages": tally.messages,
            "messages_per_second": self.rate().round(),
            "ok": tally.requests(Outcome::Ok),
            "busy": tally.requests(Outcome::Busy),
            "errors": errors,
            "stray": tally.stray,
            "unanswered": tally.unanswered,
            "stored": self.stored,
            "latency_us": {
                "count": times.count, "p50": times.p50, "p90": times.p90, "p99": times.p99, "p99.9": times.p999,
                "max": times.max,
            },
            "processes": processes.collect::<Vec<_>>(),
            "bench_cpu_seconds_per_million": self.cost.own_cpu_seconds.map(|own| rounded(self.per_million(own))),
            "failures": self.cost.failures,
        })
    }

    /// The same as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        for (name, value) in self.rows() {
            table.add_row([name, value]);
        }
        if let Some(names) = table.column_mut(0) {
            names.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    fn rows(&self) -> Vec<(String, String)> {
        let (args, tally, times) = (self.args, self.tally, self.tally.times());
        let mut rows = vec![
            ("mode".into(), self.what()),
            ("brokers".into(), format!("{}, topic {}, {} queues", self.brokers.join(" "), args.topic, self.queues)),
            ("messages".into(), format!("{} in {:.2} s", tally.messages, self.cost.seconds)),
            ("rate".into(), format!("{:.0} messages/s", self.rate())),
        ];
        if let Some(stored) = self.stored {
            rows.push(("stored".into(), format!("{stored} found in the queues afterwards, warm-up included")));
        }
        if times.count > 0 {
            let of = if matches!(self.mode, Mode::EndToEnd(_)) { "producer to consumer" } else { "request to reply" };
            let text = format!(
                "p50 {}  p90 {}  p99 {}  p99.9 {}  max {} µs, {of}",
                times.p50, times.p90, times.p99, times.p999, times.max
            );
            rows.push(("latency".into(), text));
        }
        rows.push(("answers".into(), self.answers()));
        for process in &self.cost.processes {
            let text = format!(
                "{:.3} CPU seconds per million messages ({:.2} s), RssAnon {:.1} MiB",
                self.per_million(process.cpu_seconds),
                process.cpu_seconds,
                process.anonymous_bytes as f64 / MEBIBYTE
            );
            rows.push((format!("pid {}", process.pid), text));
        }
        if let Some(own) = self.cost.own_cpu_seconds {
            rows.push(("bench itself".into(), format!("{:.3} CPU seconds per million", self.per_million(own))));
        }
        rows.extend(self.cost.failures.iter().map(|failure| ("failed".into(), failure.clone())));
        rows
    }

    fn what(&self) -> String {
        let args = self.args;
        let name = args.mode_name(self.mode);
        let header = args.serialization.name();
        let mut text = match self.mode {
            Mode::Drain => format!("{name}: {} connections, pulls of 32", args.connections),
            Mode::Paced(rate) | Mode::EndToEnd(rate) => {
                format!(
                    "{name}: {rate} requests/s, {} arrivals, {} connections",
                    args.arrivals.name(),
                    args.connections
                )
            }
            _ => format!("{name}: {} connections, {} in flight each", args.connections, args.in_flight),
        };
        if !matches!(self.mode, Mode::Drain) {
            text += &format!(", bodies of {} B", args.size);
        }
        if args.batch > 1 {
            text += &format!(", {} messages per request", args.batch);
        }
        text + &format!(", {header} headers")
    }

    fn answers(&self) -> String {
        let tally = self.tally;
        let mut text = format!("{} ok, {} busy", tally.requests(Outcome::Ok), tally.requests(Outcome::Busy));
        for (code, count) in tally.codes.iter().filter(|(code, _)| Outcome::of_send(**code) == Outcome::Error) {
            text += &format!(", {count} with code {code} {}", response::name(*code).unwrap_or_default());
        }
        for (count, what) in [(tally.unanswered, "unanswered"), (tally.stray, "stray")] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        text
    }
}

/// A quotient that is 0 where there is nothing to divide by.
fn per(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}

/// To a thousandth: what lies beyond is noise, and long to read.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::run::ProcessCost;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BenchArgs,
    }

    #[test]
    fn figures_are_per_second_and_per_million() {
        let args = Line::parse_from(["bench", "--broker", "b:1", "--batch", "32"]).args;
        let mut tally = Tally::default();
        (0..1_000).for_each(|_| tally.reply(0, 32, 2_000_000));
        tally.reply(2, 32, 1);
        tally.reply(13, 32, 1);
        let processes = vec![ProcessCost { pid: 9, cpu_seconds: 0.064, anonymous_bytes: 3 << 20 }];
        let cost = Cost { seconds: 2.0, processes, own_cpu_seconds: None, failures: vec![] };
        let mode = args.mode().expect("these options are good");
        let brokers = vec!["b:1".into()];
        let report = Report { args: &args, mode, brokers, queues: 4, tally: &tally, cost: &cost, stored: None };
        let json = report.json();
        assert_eq!(json["mode"], "batch");
        assert_eq!(json["messages"], 32_000);
        assert_eq!(json["messages_per_second"], 16_000.0);
        assert_eq!(json["processes"][0]["cpu_seconds_per_million"], 2.0);
        assert_eq!(json["processes"][0]["rss_anon_mib"], 3.0);
        assert_eq!((&json["ok"], &json["busy"]), (&json!(1_000), &json!(1)));
        assert_eq!(json["errors"], json!({"13": 1}));
        assert_eq!(json["latency_us"]["p50"], 2_000);
        let table = report.table();
        assert!(table.contains("16000 messages/s") && table.contains("1 busy"), "{table}");
    }

    #[test]
    fn nothing_measured_is_zero_and_not_infinite() {
        assert_eq!((per(1.0, 0.0), per(0.0, 0.0)), (0.0, 0.0));
    }
}
