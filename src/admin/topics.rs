//! Topics: made, changed, deleted, listed.

use super::{Admin, request};
use crate::client::ClientError;
use crate::protocol::body::lists::{GroupList, TopicList};
use crate::protocol::body::stats::TopicStatsTable;
use crate::protocol::body::topic_config::{TopicConfig, TopicConfigTable};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::headers::namesrv::{DeleteRoute, OfCluster};
use crate::protocol::headers::topic::{CreateTopic, OfTopic};
use crate::protocol::names::Topic;

/// The pattern after which topics are made. Brokers want it named here and do not look at it.
const DEFAULT_TOPIC: &str = "TBW102";

/// Which of the topics of cross-unit deployments are wanted.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use ferromq::admin::{Admin, UnitTopics};
/// use ferromq::protocol::body::topic_config::{Permission, TopicConfig, topic_sys_flag};
///
/// let (admin, broker) = (Admin::new(&name_servers)?, cluster.broker().to_string());
/// let config = TopicConfig::new("Invoices", 4, Permission::READ_WRITE);
/// admin.save_topic(&broker, &TopicConfig { topic_sys_flag: topic_sys_flag::UNIT, ..config }).await?;
/// // Name servers hear of it a moment later.
/// let mut of_unit = admin.unit_topics(UnitTopics::OfUnit).await?.topic_list;
/// while of_unit.is_empty() {
///     of_unit = admin.unit_topics(UnitTopics::OfUnit).await?.topic_list;
/// }
/// assert!(of_unit.iter().eq(["Invoices"]));
/// assert!(admin.unit_topics(UnitTopics::Subscribed).await?.topic_list.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitTopics {
    /// Those that belong to a unit.
    OfUnit,
    /// Those that another unit subscribes to.
    Subscribed,
    /// Those of them that belong to no unit.
    SubscribedOfNoUnit,
}

impl Admin {
    /// Makes a topic at a broker, or gives it other settings: UPDATE_AND_CREATE_TOPIC. Name servers hear of it a moment later.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn save_topic(&self, broker: &str, topic: &TopicConfig) -> Result<(), ClientError> {
        let header = CreateTopic {
            topic: topic.topic_name.clone(),
            default_topic: Some(DEFAULT_TOPIC.into()),
            read_queue_nums: topic.read_queue_nums.cast_signed(),
            write_queue_nums: topic.write_queue_nums.cast_signed(),
            perm: topic.perm.0.cast_signed(),
            topic_filter_type: Some(topic.topic_filter_type.as_str().into()),
            topic_sys_flag: Some(topic.topic_sys_flag),
            order: topic.order,
            attributes: None,
        };
        self.ask(broker, request(request::UPDATE_AND_CREATE_TOPIC, header.to_ext())).await.map(drop)
    }

    /// Deletes a topic with its queues at a broker: DELETE_TOPIC_IN_BROKER.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn delete_topic(&self, broker: &str, topic: &Topic) -> Result<(), ClientError> {
        self.ask(broker, request(request::DELETE_TOPIC_IN_BROKER, of(topic))).await.map(drop)
    }

    /// Has every name server forget where a topic is, in a cluster or everywhere: DELETE_TOPIC_IN_NAMESRV. A broker that still
    /// has the topic tells them again.
    ///
    /// # Errors
    /// A name server cannot be asked, or refuses; the others are told nevertheless.
    pub async fn delete_route(&self, topic: &Topic, cluster: Option<&str>) -> Result<(), ClientError> {
        let header = DeleteRoute { topic: topic.to_string(), cluster_name: cluster.map(Into::into) };
        self.tell_name_servers(&request(request::DELETE_TOPIC_IN_NAMESRV, header.to_ext())).await
    }

    /// All topics of a broker with their settings: GET_ALL_TOPIC_CONFIG.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn topic_configs(&self, broker: &str) -> Result<TopicConfigTable, ClientError> {
        self.ask(broker, Command::request(request::GET_ALL_TOPIC_CONFIG)).await?.body()
    }

    /// One topic's settings: GET_TOPIC_CONFIG, which brokers know since RocketMQ 5.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn topic_config(&self, broker: &str, topic: &Topic) -> Result<TopicConfig, ClientError> {
        self.ask(broker, request(request::GET_TOPIC_CONFIG, of(topic))).await?.body()
    }

    /// What each of a topic's queues holds at a broker: GET_TOPIC_STATS_INFO.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn topic_stats(&self, broker: &str, topic: &Topic) -> Result<TopicStatsTable, ClientError> {
        self.ask(broker, request(request::GET_TOPIC_STATS_INFO, of(topic))).await?.body()
    }

    /// The groups that consume a topic at a broker, or have stored offsets in it: QUERY_TOPIC_CONSUME_BY_WHO.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn groups_of_topic(&self, broker: &str, topic: &Topic) -> Result<GroupList, ClientError> {
        self.ask(broker, request(request::QUERY_TOPIC_CONSUME_BY_WHO, of(topic))).await?.body()
    }

    /// The topics that a broker has for itself: GET_SYSTEM_TOPIC_LIST_FROM_BROKER.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn system_topics_of_broker(&self, broker: &str) -> Result<TopicList, ClientError> {
        self.ask(broker, Command::request(request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER)).await?.body()
    }

    /// Has a broker destroy queues whose topic is gone: CLEAN_UNUSED_TOPIC.
    ///
    /// # Errors
    /// As [`Admin::save_topic`].
    pub async fn clean_unused_topics(&self, broker: &str) -> Result<(), ClientError> {
        self.ask(broker, Command::request(request::CLEAN_UNUSED_TOPIC)).await.map(drop)
    }

    /// All topics that the name servers know: GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
    ///
    /// # Errors
    /// No name server can be asked, or it refuses.
    pub async fn topics(&self) -> Result<TopicList, ClientError> {
        self.topics_by(&Command::request(request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER)).await
    }

    /// The topics of a cluster: GET_TOPICS_BY_CLUSTER. One that is not there has none.
    ///
    /// # Errors
    /// As [`Admin::topics`].
    pub async fn topics_of_cluster(&self, cluster: &str) -> Result<TopicList, ClientError> {
        let header = OfCluster { cluster: cluster.into() };
        self.topics_by(&request(request::GET_TOPICS_BY_CLUSTER, header.to_ext())).await
    }

    /// The names of clusters and brokers, which are topics too, and the address of one broker, which may be asked for its own:
    /// GET_SYSTEM_TOPIC_LIST_FROM_NS.
    ///
    /// # Errors
    /// As [`Admin::topics`].
    pub async fn system_topics(&self) -> Result<TopicList, ClientError> {
        self.topics_by(&Command::request(request::GET_SYSTEM_TOPIC_LIST_FROM_NS)).await
    }

    /// The topics of cross-unit deployments: GET_UNIT_TOPIC_LIST, GET_HAS_UNIT_SUB_TOPIC_LIST and
    /// GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST.
    ///
    /// # Errors
    /// As [`Admin::topics`].
    pub async fn unit_topics(&self, which: UnitTopics) -> Result<TopicList, ClientError> {
        let code = match which {
            UnitTopics::OfUnit => request::GET_UNIT_TOPIC_LIST,
            UnitTopics::Subscribed => request::GET_HAS_UNIT_SUB_TOPIC_LIST,
            UnitTopics::SubscribedOfNoUnit => request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST,
        };
        self.topics_by(&Command::request(code)).await
    }

    /// A list of topics. A name server that knows none of them sends no body.
    async fn topics_by(&self, command: &Command) -> Result<TopicList, ClientError> {
        let reply = self.ask_name_server(command).await?;
        if reply.command.body.is_empty() { Ok(TopicList::default()) } else { reply.body() }
    }
}

fn of(topic: &Topic) -> ExtFields {
    OfTopic { topic: topic.to_string() }.to_ext()
}
