//! `ferromq produce`: sends messages from a shell.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::access::AccessArgs;
use super::{name_servers, unless_reader_left};
use crate::client::{Client, OutgoingMessage, Producer, SendReceipt};
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::properties::keys;

/// The group that messages are sent as unless another is named.
const GROUP: &str = "ferromq-produce";
/// Properties that have an option of their own, or that the producer makes.
const SET_OTHERWISE: [&str; 4] = [keys::TAGS, keys::KEYS, keys::UNIQ_KEY, keys::WAIT];

/// Send messages to a topic: a text, a file, or each line that comes in.
///
/// The topic is created by its first message where the broker allows that. Each message is sent when the broker has
/// confirmed the one before; its id is printed, unless there are so many that a progress bar is shown instead.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq produce -n 127.0.0.1:9876 -t orders --body 'hello'
  ferromq produce -n 127.0.0.1:9876 -t orders --body 'hello' --tag paid --key order-17 --property country=nl
  ferromq produce -n 127.0.0.1:9876 -t orders --file picture.png        the whole file as one message
  tail -F app.log | ferromq produce -n 127.0.0.1:9876 -t logs           a message per line")]
pub struct ProduceArgs {
    /// Name servers, as host:port;host:port [default: the environment's NAMESRV_ADDR, or 127.0.0.1:9876].
    #[arg(short = 'n', long, value_name = "ADDRESSES")]
    pub namesrv: Option<String>,
    /// The topic to send to.
    #[arg(short, long, value_parser = Topic::parse)]
    pub topic: Topic,
    /// The producer group to send as.
    #[arg(short, long, value_parser = GroupName::parse, default_value = GROUP)]
    pub group: GroupName,
    /// The message. Without this and --file, each line of standard input is a message.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "file")]
    pub body: Option<String>,
    /// A file whose content is the message; - reads standard input to its end.
    #[arg(short, long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// A tag by which consumers choose.
    #[arg(long, value_parser = clean)]
    pub tag: Option<String>,
    /// A key by which the message is found again; may be given several times.
    #[arg(long = "key", value_name = "KEY", value_parser = clean)]
    pub keys: Vec<String>,
    /// Anything else to travel along, as name=value; may be given several times.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub properties: Vec<(String, String)>,
    /// How many times to send the message, or each line.
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub count: u64,
    /// Print one line of JSON for each message.
    #[arg(long)]
    pub json: bool,
    /// Keys and encryption.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read, and messages that could not be sent.
pub fn run(args: &ProduceArgs) -> Result<()> {
    let access = args.access.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    access.explain(unless_reader_left(runtime.block_on(async {
        let client = Client::new(access.client_options(&name_servers(args.namesrv.as_deref()))).await?;
        let producer = client.producer(args.group.as_str()).start().await?;
        let mut sending = Sending::new(args, &producer);
        match (&args.body, &args.file) {
            (Some(text), _) => sending.send(text.clone().into_bytes()).await?,
            (None, Some(path)) => sending.send(content(path)?).await?,
            (None, None) => {
                for line in BufReader::new(io::stdin()).split(b'\n') {
                    let mut line = line.context("cannot read standard input")?;
                    line.pop_if(|last| *last == b'\r');
                    // An empty line would be a message without a body, which brokers do not take.
                    if !line.is_empty() {
                        sending.send(line).await?;
                    }
                }
            }
        }
        sending.finish()
    })))
}

/// What is sent so far.
struct Sending<'a> {
    args: &'a ProduceArgs,
    producer: &'a Producer,
    progress: ProgressBar,
    sent: u64,
}

impl<'a> Sending<'a> {
    fn new(args: &'a ProduceArgs, producer: &'a Producer) -> Self {
        Self { args, producer, progress: progress(), sent: 0 }
    }

    async fn send(&mut self, body: Vec<u8>) -> Result<()> {
        let mut message = OutgoingMessage::new(self.args.topic.clone(), body);
        message.tag.clone_from(&self.args.tag);
        message.keys = (!self.args.keys.is_empty()).then(|| self.args.keys.join(" "));
        message.properties.clone_from(&self.args.properties);
        for _ in 0..self.args.count {
            let receipt = self
                .producer
                .send(&message)
                .await
                .with_context(|| format!("message {} was not sent ({} were)", self.sent + 1, self.sent))?;
            self.sent += 1;
            self.progress.inc(1);
            if self.args.json || self.args.count == 1 {
                let line = self.line(&receipt);
                self.progress.suspend(|| writeln!(io::stdout().lock(), "{line}")).context("cannot print")?;
            }
        }
        Ok(())
    }

    fn line(&self, receipt: &SendReceipt) -> String {
        if self.args.json {
            return serde_json::json!({
                "msgId": receipt.unique_id,
                "offsetMsgId": receipt.offset_id,
                "broker": &*receipt.broker_name,
                "queue": receipt.queue_id.0,
                "offset": receipt.queue_offset.0,
                "status": format!("{:?}", receipt.status),
            })
            .to_string();
        }
        let (id, broker) = (&receipt.unique_id, &receipt.broker_name);
        format!("{id}  {broker} queue {} offset {}", receipt.queue_id, receipt.queue_offset)
    }

    fn finish(self) -> Result<()> {
        self.progress.finish_and_clear();
        if !self.args.json && self.args.count > 1 {
            writeln!(io::stdout().lock(), "{} messages sent to {}", self.sent, self.args.topic)
                .context("cannot print")?;
        }
        Ok(())
    }
}

/// A count with a rate on standard error, if somebody is there to see it.
pub(super) fn progress() -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{spinner} {human_pos} messages, {per_sec}, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

fn content(path: &PathBuf) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::copy(&mut io::stdin().lock(), &mut bytes).context("cannot read standard input")?;
    } else {
        let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        io::copy(&mut file, &mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    }
    ensure!(!bytes.is_empty(), "a message cannot be empty");
    Ok(bytes)
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if SET_OTHERWISE.contains(&name) {
        return Err(format!("{name} is set by --tag, by --key or by ferromq itself"));
    }
    Ok((clean(name)?, clean(value)?))
}

/// A text that may stand among properties: what separates them would smuggle in others.
fn clean(text: &str) -> Result<String, String> {
    match text {
        "" => Err("is empty".into()),
        text if text.contains(['\u{1}', '\u{2}']) => Err("has the control characters that separate properties".into()),
        text => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_a_name_and_a_value() {
        assert_eq!(property("a=b=c"), Ok(("a".into(), "b=c".into())));
        for text in ["a", "=b", "a=", "a\u{2}=b", "a=b\u{1}", "TAGS=a", "UNIQ_KEY=a"] {
            assert!(property(text).is_err(), "{text:?}");
        }
    }
}
