//! Consumers: who is there, how far they have come, what they say of themselves.

use std::collections::BTreeMap;

use super::{Admin, request};
use crate::client::ClientError;
use crate::protocol::body::connection::ConsumerConnection;
use crate::protocol::body::consumer::{ConsumeDirectlyResult, ConsumerRunningInfo};
use crate::protocol::body::offsets::ConsumerStatusBody;
use crate::protocol::body::queue_table::QueueTable;
use crate::protocol::body::stats::{ConsumeStats, ConsumeStatsList, ConsumeTimeSpans};
use crate::protocol::codes::request;
use crate::protocol::headers::client::OfConsumerGroup;
use crate::protocol::headers::consumer::{
    BrokerConsumeStats, ConsumeDirectly, ConsumeStatsOf, ConsumeTimeSpan, ConsumerStatus, OfConsumer,
};
use crate::protocol::names::{GroupName, Topic};

/// Which consumers of a group are asked.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::{Admin, StatusOf};
/// use ferromq::protocol::names::{GroupName, Topic};
/// # use std::time::Duration;
/// # use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, OutgoingMessage, Wanted};
///
/// # let client = Client::new(ClientOptions::of(&name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// # producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// # let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// # let builder = client.pull_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
/// # let mut consumer = builder.start().await?;
/// # consumer.poll(Duration::from_secs(30)).await?;
/// let (admin, broker) = (Admin::new(&name_servers)?, cluster.broker().to_string());
/// let (group, topic) = (GroupName::parse("bookkeeping")?, Topic::parse("Invoices")?);
/// let all = admin.consumer_status(&broker, &group, &topic, StatusOf::All).await?;
/// assert!(all.keys().eq([client.id()]));
/// let other = admin.consumer_status(&broker, &group, &topic, StatusOf::Client("another")).await;
/// assert!(other.is_err() || other.is_ok_and(|other| other.is_empty()));
/// # consumer.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOf<'a> {
    /// Every one that is online.
    All,
    /// The one of this id.
    Client(&'a str),
}

impl Admin {
    /// The connections of a group's consumers to a broker, and what the group wants: GET_CONSUMER_CONNECTION_LIST.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses: with CONSUMER_NOT_ONLINE when none is there.
    pub async fn consumer_connection(
        &self,
        broker: &str,
        group: &GroupName,
    ) -> Result<ConsumerConnection, ClientError> {
        let header = OfConsumerGroup { consumer_group: group.to_string() };
        self.ask(broker, request(request::GET_CONSUMER_CONNECTION_LIST, header.to_ext())).await?.body()
    }

    /// How far a group has come at a broker, in one topic or in all in which it has stored offsets: GET_CONSUME_STATS.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn consume_stats(
        &self,
        broker: &str,
        group: &GroupName,
        topic: Option<&Topic>,
    ) -> Result<ConsumeStats, ClientError> {
        let header = ConsumeStatsOf { consumer_group: group.to_string(), topic: topic.map(ToString::to_string) };
        self.ask(broker, request(request::GET_CONSUME_STATS, header.to_ext())).await?.body()
    }

    /// How far all groups have come at a broker, in all topics or in ordered ones only: GET_BROKER_CONSUME_STATS.
    ///
    /// # Errors
    /// As [`Admin::consume_stats`].
    pub async fn broker_consume_stats(
        &self,
        broker: &str,
        only_ordered: bool,
    ) -> Result<ConsumeStatsList, ClientError> {
        let header = BrokerConsumeStats { is_order: only_ordered };
        self.ask(broker, request(request::GET_BROKER_CONSUME_STATS, header.to_ext())).await?.body()
    }

    /// How old a topic's queues are, and a group's places in them: QUERY_CONSUME_TIME_SPAN.
    ///
    /// # Errors
    /// As [`Admin::consume_stats`].
    pub async fn consume_time_spans(
        &self,
        broker: &str,
        group: &GroupName,
        topic: &Topic,
    ) -> Result<ConsumeTimeSpans, ClientError> {
        let header = ConsumeTimeSpan { topic: topic.to_string(), group: group.to_string() };
        self.ask(broker, request(request::QUERY_CONSUME_TIME_SPAN, header.to_ext())).await?.body()
    }

    /// How far consumers say themselves that they have come, by client id: INVOKE_BROKER_TO_GET_CONSUMER_STATUS. One that does
    /// not answer the broker is left out.
    ///
    /// # Errors
    /// As [`Admin::consumer_connection`].
    pub async fn consumer_status(
        &self,
        broker: &str,
        group: &GroupName,
        topic: &Topic,
        of: StatusOf<'_>,
    ) -> Result<BTreeMap<String, QueueTable<i64>>, ClientError> {
        let client_id = match of {
            StatusOf::All => None,
            StatusOf::Client(id) => Some(id.to_owned()),
        };
        let header = ConsumerStatus { topic: topic.to_string(), group: group.to_string(), client_id };
        let reply = self.ask(broker, request(request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS, header.to_ext())).await?;
        reply.body::<ConsumerStatusBody>().map(|status| status.consumer_table)
    }

    /// What a consumer tells of itself, with the stacks of its threads if it has such a thing and `with_stacks`:
    /// GET_CONSUMER_RUNNING_INFO.
    ///
    /// # Errors
    /// As [`Admin::consumer_connection`]; the consumer may refuse, too.
    pub async fn consumer_running_info(
        &self,
        broker: &str,
        group: &GroupName,
        client_id: &str,
        with_stacks: bool,
    ) -> Result<ConsumerRunningInfo, ClientError> {
        let header =
            OfConsumer { consumer_group: group.to_string(), client_id: client_id.into(), jstack_enable: with_stacks };
        self.ask(broker, request(request::GET_CONSUMER_RUNNING_INFO, header.to_ext())).await?.body()
    }

    /// Has a consumer consume one message, whoever consumed it before: CONSUME_MESSAGE_DIRECTLY. `message_id` is the message's
    /// offset id, and `broker` the one that it names.
    ///
    /// # Errors
    /// As [`Admin::consumer_running_info`].
    pub async fn consume_directly(
        &self,
        broker: &str,
        group: &GroupName,
        client_id: &str,
        message_id: &str,
    ) -> Result<ConsumeDirectlyResult, ClientError> {
        let (client_id, message_id) = (client_id.into(), message_id.into());
        let header = ConsumeDirectly { consumer_group: group.to_string(), client_id, message_id };
        self.ask(broker, request(request::CONSUME_MESSAGE_DIRECTLY, header.to_ext())).await?.body()
    }
}
