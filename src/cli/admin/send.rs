//! sendMessage, sendMsgStatus, checkMsgSendRT, clusterRT: messages that are sent to see that they arrive, and how fast.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{ArgAction, Args};

use super::Context;
use super::page::{Cell, Page, Rows, row};
use crate::admin::of_cluster;
use crate::client::route::publish_queues;
use crate::client::{ClientError, OutgoingMessage, Producer, Queue, SendReceipt, TraceOptions};
use crate::protocol::names::Topic;

/// Send one message.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct SendMessageArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The message, as text.
    #[arg(short = 'p', long, value_name = "TEXT")]
    body: String,
    /// Keys by which it is found again, with blanks between them.
    #[arg(short = 'k', long)]
    key: Option<String>,
    /// The tag by which consumers choose.
    #[arg(short = 'c', long, value_name = "TAG")]
    tags: Option<String>,
    /// To the broker of this name only.
    #[arg(short, long, value_name = "NAME")]
    broker: Option<String>,
    /// To this queue of the broker only.
    #[arg(short = 'i', long, value_name = "ID", requires = "broker")]
    qid: Option<u32>,
    /// Whether to leave a trace of the sending.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    msg_trace_enable: bool,
}

impl SendMessageArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut message = OutgoingMessage::new(self.topic.clone(), self.body.clone());
        (message.tag, message.keys) = (self.tags.clone(), self.key.clone());
        let producer = context.producer().await?;
        let producer = if self.msg_trace_enable { producer.trace(TraceOptions::default()) } else { producer };
        let producer = producer.start().await?;
        let receipt = match &self.broker {
            None => producer.send(&message).await?,
            Some(broker) => {
                let queues = writable_queues(context, &self.topic).await?;
                let is_it =
                    |queue: &&Queue| *queue.broker_name == **broker && self.qid.is_none_or(|id| queue.id.0 == id);
                let queue = queues.iter().find(is_it);
                let named = self.qid.map_or_else(String::new, |id| format!(" {id}"));
                let nowhere = || format!("topic {} has no queue{named} at {broker} that takes messages", self.topic);
                producer.send_to(&message, queue.with_context(nowhere)?).await?
            }
        };
        // The trace goes a moment later; the message was sent, whatever becomes of that.
        producer.clone().stop().await?;
        if producer.traces().is_some_and(|traces| traces.sent == 0) {
            tracing::warn!("no trace of the sending could be left");
        }
        let mut rows = Rows::new(&["broker", "queue", "offset", "status", "msgId", "offsetMsgId"]);
        let status = format!("{:?}", receipt.status);
        let at = (receipt.queue_id.0, receipt.queue_offset.0);
        rows.add(row![&*receipt.broker_name, at.0, at.1, status, receipt.unique_id, receipt.offset_id]);
        Ok(rows.into())
    }
}

/// Send messages to a broker, to the topic that has its name, and show how it went.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct SendMsgStatusArgs {
    /// The broker's name.
    #[arg(short, long, value_name = "NAME", value_parser = Topic::parse)]
    broker_name: Topic,
    /// Bytes per message.
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 128)]
    message_size: usize,
    /// How many messages.
    #[arg(short, long, value_name = "N", default_value_t = 50)]
    count: u32,
}

impl SendMsgStatusArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let trial = Trial::new(context, self.message_size).await?;
        let queues = writable_queues(context, &self.broker_name).await?;
        let mut rows = Rows::new(COLUMNS);
        for number in 0..self.count {
            trial.send(&self.broker_name, in_turn(&queues, number)?).await.add_to(&mut rows);
        }
        Ok(rows.into())
    }
}

/// Send messages to the queues of a topic in turn, and show how long each took.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct CheckMsgSendRtArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// How many messages.
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    amount: u32,
    /// Bytes per message.
    #[arg(short, long, value_name = "BYTES", default_value_t = 128)]
    size: usize,
}

impl CheckMsgSendRtArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let trial = Trial::new(context, self.size).await?;
        let queues = writable_queues(context, &self.topic).await?;
        let (mut rows, mut taken) = (Rows::new(COLUMNS), Vec::new());
        for number in 0..self.amount {
            let sent = trial.send(&self.topic, in_turn(&queues, number)?).await;
            taken.push(sent.took);
            sent.add_to(&mut rows);
        }
        let mean = vec![("meanMs".to_owned(), mean_ms(&taken))];
        Ok(Page::Parts(vec![("sent".into(), rows.into()), ("summary".into(), Page::Pairs(mean))]))
    }
}

/// Send messages to each broker of each cluster, and show how long they took.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ClusterRtArgs {
    /// How many messages to each broker.
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    amount: u32,
    /// Bytes per message.
    #[arg(short, long, value_name = "BYTES", default_value_t = 128)]
    size: usize,
    /// This cluster only.
    #[arg(short, long, value_name = "NAME")]
    cluster: Option<String>,
    /// Again and again, with so many seconds between.
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    interval: Option<u64>,
}

impl ClusterRtArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let trial = Trial::new(context, self.size).await?;
        let Some(interval) = self.interval else { return self.round(context, &trial).await };
        loop {
            self.round(context, &trial).await?.print(context.json)?;
            tokio::time::sleep(Duration::from_secs(interval)).await;
        }
    }

    async fn round(&self, context: &Context, trial: &Trial<'_>) -> Result<Page> {
        let info = context.admin.cluster_info().await?;
        let names: Vec<&str> = match &self.cluster {
            Some(name) => vec![name],
            None => info.cluster_addr_table.keys().map(String::as_str).collect(),
        };
        let mut rows = Rows::new(&["cluster", "broker", "meanMs", "sent", "failed"]);
        for cluster in names {
            let mut brokers = of_cluster(&info, cluster)?;
            brokers.dedup_by(|left, right| left.name == right.name);
            for broker in brokers {
                let topic = Topic::parse(&broker.name).map_err(ClientError::from)?;
                let queues = writable_queues(context, &topic).await?;
                let (mut taken, mut failed) = (Vec::new(), 0_u32);
                for number in 0..self.amount {
                    let sent = trial.send(&topic, in_turn(&queues, number)?).await;
                    failed += u32::from(sent.outcome.is_err());
                    taken.push(sent.took);
                }
                rows.add(row![cluster, broker.name, mean_ms(&taken), self.amount - failed, failed]);
            }
        }
        Ok(rows.into())
    }
}

/// Sends messages of one size and looks at the clock.
struct Trial<'a> {
    context: &'a Context,
    producer: Producer,
    body: Vec<u8>,
}

/// A message that was sent, or was not.
struct Sent {
    queue: Queue,
    outcome: Result<SendReceipt, ClientError>,
    took: Duration,
}

const COLUMNS: &[&str] = &["broker", "queue", "status", "ms"];

impl Sent {
    fn add_to(self, rows: &mut Rows) {
        let status = self.outcome.map_or_else(|error| error.to_string(), |receipt| format!("{:?}", receipt.status));
        rows.add(row![&*self.queue.broker_name, self.queue.id.0, status, ms(self.took)]);
    }
}

impl<'a> Trial<'a> {
    async fn new(context: &'a Context, size: usize) -> Result<Self> {
        Ok(Self { context, producer: context.producer().await?.start().await?, body: vec![b'a'; size] })
    }

    async fn send(&self, topic: &Topic, queue: &Queue) -> Sent {
        let started = self.context.clock.elapsed();
        let message = OutgoingMessage::new(topic.clone(), self.body.clone());
        let outcome = self.producer.send_to(&message, queue).await;
        Sent { queue: queue.clone(), outcome, took: self.context.clock.elapsed() - started }
    }
}

/// The queues of a topic that take messages.
async fn writable_queues(context: &Context, topic: &Topic) -> Result<Vec<Queue>, ClientError> {
    Ok(publish_queues(&context.admin.routes().of_publishing(topic).await?))
}

fn in_turn(queues: &[Queue], number: u32) -> Result<&Queue> {
    queues.get(number as usize % queues.len().max(1)).context("the topic has no queue that takes messages")
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// The mean of what was taken, the first left out: it waits for the connection.
fn mean_ms(taken: &[Duration]) -> Cell {
    let counted = if taken.len() > 1 { &taken[1..] } else { taken };
    let sum: Duration = counted.iter().sum();
    (!counted.is_empty()).then(|| ms(sum) / counted.len() as f64).into()
}
