//! queryMsgById, queryMsgByKey, queryMsgByUniqueKey, queryMsgByOffset: single messages.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{ArgAction, Args};

use super::page::{Cell, Page, Rows, row};
use super::several::ask_each;
use super::{Context, TOOLS_GROUP, Usage, track};
use crate::admin::{BrokerAt, MessageQuery};
use crate::cli::message_json::as_json;
use crate::client::{OutgoingMessage, Producer, Queue};
use crate::protocol::ids;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, NameError, Topic};
use crate::protocol::properties::{self, keys};
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset};

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

/// An offset id, which says at which broker a message lies and where.
#[derive(Clone, Debug)]
struct OffsetId {
    text: String,
    broker: String,
    at: PhysicalOffset,
}

impl OffsetId {
    fn parse(text: &str) -> Result<Self, Usage> {
        match ids::parse_offset_id(text) {
            Some((broker, at)) => Ok(Self { text: text.into(), broker: broker.to_string(), at }),
            None => {
                let hint = "an id that a producer gave is looked for with queryMsgByUniqueKey";
                Err(Usage(format!("{text} is no offset id of 32 or 56 hexadecimal digits; {hint}")))
            }
        }
    }
}

/// Show the message with an offset id, which says at which broker it lies and where.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct QueryMsgByIdArgs {
    /// The id, of 32 or 56 hexadecimal digits; several with commas between them.
    #[arg(short = 'i', long, value_name = "ID", value_delimiter = ',', required = true)]
    #[arg(value_parser = OffsetId::parse)]
    msg_id: Vec<OffsetId>,
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
        let producer = if self.send_message { Some(context.producer().await?.start().await?) } else { None };
        let find = async |id: &OffsetId| {
            let message = context.admin.message_at(&id.broker, id.at).await?;
            match (self.consumer.consume(context, &message).await?, &producer) {
                (Some(result), _) => Ok(result),
                (None, Some(producer)) => resent(producer, &message).await,
                (None, None) => Ok(shown(context, &id.broker, &id.broker, &message).await),
            }
        };
        each(context, &self.msg_id, |id| id.text.clone(), find).await
    }
}

/// Sends a message again, as its application wrote it.
async fn resent(producer: &Producer, message: &Message) -> Result<Page> {
    let receipt = producer.send(&as_written(message)?).await?;
    Ok(Page::Pairs(vec![
        ("msgId".into(), receipt.unique_id.into()),
        ("broker".into(), (*receipt.broker_name).into()),
        ("queue".into(), receipt.queue_id.0.into()),
        ("offset".into(), receipt.queue_offset.0.into()),
    ]))
}

/// A message as its application wrote it, without what producers and brokers add: if that were sent again, a message of a
/// transaction would become a half message, which nobody ends.
fn as_written(message: &Message) -> Result<OutgoingMessage, NameError> {
    // Of the names that mean something to brokers and clients, one without a place of its own in messages to be sent.
    let is_the_applications = |name: &str| name == keys::BUYER_ID || !keys::ALL.contains(&name);
    let given = properties::pairs(&message.properties).filter(|(name, _)| is_the_applications(name));
    Ok(OutgoingMessage {
        tag: message.tags().map(Into::into),
        keys: message.keys().map(Into::into),
        sharding_key: message.property(keys::SHARDING_KEY).map(Into::into),
        flag: message.flag,
        properties: given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..OutgoingMessage::new(Topic::parse(message.topic.as_str())?, message.body.clone())
    })
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
        let show = async |(broker, message): &(BrokerAt, Message)| {
            Ok(match self.consumer.consume(context, message).await? {
                Some(result) => result,
                None => shown(context, &broker.name, &broker.address, message).await,
            })
        };
        each(context, &found, |(_, message)| message.offset_id(), show).await
    }
}

/// The messages that a query finds at the brokers of its topic, each with its broker.
pub(super) async fn look(context: &Context, query: &MessageQuery) -> Result<Vec<(BrokerAt, Message)>> {
    let brokers = context.admin.masters_of_topic(&query.topic).await?;
    let ask = async |broker: &BrokerAt| context.admin.query_messages(&broker.address, query).await;
    let (answers, failures) = ask_each(brokers, ask).await;
    let of_broker = |(broker, messages): (BrokerAt, Vec<_>)| messages.into_iter().map(move |m| (broker.clone(), m));
    let found: Vec<_> = answers.into_iter().flat_map(of_broker).collect();
    failures.beside(!found.is_empty())?;
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
async fn shown(context: &Context, broker_name: &str, address: &str, message: &Message) -> Page {
    let tracks = track::of(context, address, message).await;
    let message = Page::Fields(as_json(broker_name, message));
    Page::Parts(vec![("message".into(), message), ("consumers".into(), tracks.into())])
}

/// A page for each of some messages, printed as soon as it is there, so that it is told what was done for one when a later one
/// fails. That of a single message goes without the heading that tells it from others.
async fn each<T>(
    context: &Context,
    messages: &[T],
    heading: impl Fn(&T) -> String,
    page: impl AsyncFn(&T) -> Result<Page>,
) -> Result<Page> {
    if let [one] = messages {
        return page(one).await;
    }
    for (number, message) in messages.iter().enumerate() {
        let part = Page::Parts(vec![(heading(message), page(message).await?)]);
        if number > 0 && !context.json {
            crate::cli::print("\n")?;
        }
        part.print(context.json)?;
    }
    Ok(Page::Printed)
}
