//! queryMsgById, queryMsgByKey, queryMsgByUniqueKey, queryMsgByOffset: single messages.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{ArgAction, Args};

use super::page::{Cell, Page, Rows, row};
use super::{Context, TOOLS_GROUP, Usage, track};
use crate::admin::{BrokerAt, MessageQuery};
use crate::cli::message_json::as_json;
use crate::client::{OutgoingMessage, Queue};
use crate::protocol::ids;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{QueueId, QueueOffset};

/// A consumer that is to consume a message once more.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
struct Consumer {
    /// The group of a consumer that is to consume it once more.
    #[arg(short = 'g', long, value_parser = GroupName::parse, requires = "client_id")]
    consumer_group: Option<GroupName>,
    /// That consumer's id.
    #[arg(short = 'd', long, value_name = "ID", requires = "consumer_group")]
    client_id: Option<String>,
}

impl Consumer {
    /// What becomes of a message that a consumer is to consume once more; `None` if there is no such consumer.
    async fn consume(&self, context: &Context, message: &Message) -> Result<Option<Page>> {
        let (Some(group), Some(client_id)) = (&self.consumer_group, &self.client_id) else { return Ok(None) };
        let broker = message.store_host.to_string();
        let result = context.admin.consume_directly(&broker, group, client_id, &message.offset_id()).await?;
        Ok(Some(Page::Fields(serde_json::to_value(result)?)))
    }
}

/// Show the message with an offset id, which says at which broker it lies and where.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgByIdArgs {
    /// The id, of 32 or 56 hexadecimal digits; several with commas between them.
    #[arg(short = 'i', long, value_name = "ID", value_delimiter = ',', required = true)]
    msg_id: Vec<String>,
    #[command(flatten)]
    consumer: Consumer,
    /// Whether to send it again, as a new message.
    #[arg(short, long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    send_message: bool,
    /// Taken and not needed: the id says where the message is.
    #[arg(short, long, value_name = "NAME")]
    unit_name: Option<String>,
}

impl QueryMsgByIdArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut parts = Vec::new();
        for id in &self.msg_id {
            let Some((broker, at)) = ids::parse_offset_id(id) else {
                let hint = "an id that a producer gave is looked for with queryMsgByUniqueKey";
                return Err(Usage(format!("{id} is no offset id of 32 or 56 hexadecimal digits; {hint}")).into());
            };
            let message = context.admin.message_at(&broker.to_string(), at).await?;
            let page = match self.consumer.consume(context, &message).await? {
                Some(result) => result,
                None if self.send_message => resent(context, &message).await?,
                None => shown(context, &broker.to_string(), &broker.to_string(), &message).await?,
            };
            parts.push((id.clone(), page));
        }
        Ok(alone_or_all(parts))
    }
}

/// Sends a message again.
async fn resent(context: &Context, message: &Message) -> Result<Page> {
    /// What the producer and the broker give a message anew.
    const OF_THE_SENDING: [&str; 5] = [keys::TAGS, keys::KEYS, keys::UNIQ_KEY, keys::WAIT, keys::CLUSTER];
    let topic = Topic::parse(message.topic.as_str())?;
    let others = properties::pairs(&message.properties).filter(|(name, _)| !OF_THE_SENDING.contains(name));
    let outgoing = OutgoingMessage {
        tag: message.tags().map(Into::into),
        keys: message.keys().map(Into::into),
        properties: others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..OutgoingMessage::new(topic, message.body.clone())
    };
    let receipt = context.producer().await?.send(&outgoing).await?;
    Ok(Page::Pairs(vec![
        ("msgId".into(), receipt.unique_id.into()),
        ("broker".into(), (*receipt.broker_name).into()),
        ("queue".into(), receipt.queue_id.0.into()),
        ("offset".into(), receipt.queue_offset.0.into()),
    ]))
}

/// List the messages with a key.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgByKeyArgs {
    /// Their topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The key.
    #[arg(short = 'k', long, value_name = "KEY")]
    msg_key: String,
}

impl QueryMsgByKeyArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let found = look(context, &MessageQuery::by_key(self.topic.clone(), &*self.msg_key)).await?;
        ensure!(!found.is_empty(), "topic {} has no message with key {}", self.topic, self.msg_key);
        let mut rows = Rows::new(&["msgId", "broker", "queue", "offset", "stored", "offsetMsgId"]);
        for (BrokerAt { name, .. }, message) in &found {
            let id = message.unique_id().map_or_else(|| message.offset_id(), Into::into);
            let (queue, offset) = (message.queue_id.0, message.queue_offset.0);
            rows.add(row![id, &**name, queue, offset, Cell::time(message.store_time.0), message.offset_id()]);
        }
        Ok(rows.into())
    }
}

/// Show the message that its producer gave an id.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgByUniqueKeyArgs {
    /// Its topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The id.
    #[arg(short = 'i', long, value_name = "ID")]
    msg_id: String,
    #[command(flatten)]
    consumer: Consumer,
    /// Every one with this id, as there are when it was sent again, up to 32.
    #[arg(short = 'a', long)]
    show_all: bool,
}

impl QueryMsgByUniqueKeyArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut found = look(context, &MessageQuery::by_unique_key(self.topic.clone(), &*self.msg_id)).await?;
        ensure!(!found.is_empty(), "topic {} has no message with the id {}", self.topic, self.msg_id);
        if !self.show_all {
            found.truncate(1);
        }
        let mut parts = Vec::new();
        for (broker, message) in &found {
            let page = match self.consumer.consume(context, message).await? {
                Some(result) => result,
                None => shown(context, &broker.name, &broker.address, message).await?,
            };
            parts.push((message.offset_id(), page));
        }
        Ok(alone_or_all(parts))
    }
}

/// The messages that a query finds at the brokers of its topic, each with its broker.
pub(super) async fn look(context: &Context, query: &MessageQuery) -> Result<Vec<(BrokerAt, Message)>> {
    let mut found = Vec::new();
    for broker in context.admin.masters_of_topic(&query.topic).await? {
        let messages = context.admin.query_messages(&broker.address, query).await?;
        found.extend(messages.into_iter().map(|message| (broker.clone(), message)));
    }
    Ok(found)
}

/// Show the message at a place of a queue.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgByOffsetArgs {
    /// Its topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// The name of the broker.
    #[arg(short, long, value_name = "NAME")]
    broker_name: String,
    /// The queue.
    #[arg(short = 'i', long, value_name = "ID")]
    queue_id: u32,
    /// The message's number in it.
    #[arg(short, long)]
    offset: u64,
}

impl QueryMsgByOffsetArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let address = context.admin.master_named(&self.broker_name).await?.into();
        let queue = Queue { broker_name: (*self.broker_name).into(), address, id: QueueId(self.queue_id) };
        let puller = context.admin.puller(GroupName::parse(TOOLS_GROUP)?, self.topic.clone());
        let pulled = puller.pull(&queue, QueueOffset(self.offset), 1, Duration::ZERO).await?;
        let message = pulled.messages.iter().find(|message| message.queue_offset.0 == self.offset);
        let message = message.with_context(|| {
            let (queue, topic, broker) = (self.queue_id, &self.topic, &self.broker_name);
            let (min, max) = (pulled.min, pulled.max);
            format!("queue {queue} of {topic} at {broker} has no message {}: it has {min} up to {max}", self.offset)
        })?;
        Ok(Page::Fields(as_json(&self.broker_name, message)))
    }
}

/// A message, and which groups have consumed it.
async fn shown(context: &Context, broker_name: &str, address: &str, message: &Message) -> Result<Page> {
    let tracks = track::of(context, address, message).await?;
    let message = Page::Fields(as_json(broker_name, message));
    Ok(Page::Parts(vec![("message".into(), message), ("consumers".into(), tracks.into())]))
}

/// A single page without the heading that tells it from others.
fn alone_or_all(mut parts: Vec<(String, Page)>) -> Page {
    match parts.pop() {
        Some((_, page)) if parts.is_empty() => page,
        Some(last) => {
            parts.push(last);
            Page::Parts(parts)
        }
        None => Page::Printed,
    }
}
