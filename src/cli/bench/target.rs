//! Which brokers and queues a load goes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::options::BenchArgs;
use crate::client::route::{TEMPLATE_QUEUES_MAX, TEMPLATE_TOPIC, publish_queues};
use crate::client::{Connections, Limits, Puller, Queue, Routes};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::topic::CreateTopic;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::QueueId;

/// The group that bench reads and writes as.
pub const GROUP: &str = "ferromq-bench";
/// Queues may be read and written.
const READ_AND_WRITE: i32 = 6;
/// How long a broker has to make a topic.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker, and how many queues the topic has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`.
    pub address: Arc<str>,
    /// Numbers from 0 to one less than this.
    pub queues: u32,
}

/// Finds the brokers, and makes the topic if a number of queues is given.
///
/// # Errors
/// No name server or broker answers, or the topic cannot be made or found.
pub async fn find(args: &BenchArgs) -> Result<Vec<Target>> {
    let connections = Connections::new(Limits::default());
    let mut targets = match (&args.broker, &args.namesrv) {
        (Some(broker), _) => {
            vec![Target { address: broker.as_str().into(), queues: TEMPLATE_QUEUES_MAX }]
        }
        (None, name_servers) => by_route(&connections, name_servers.as_deref().unwrap_or_default(), args).await?,
    };
    ensure!(!targets.is_empty(), "no broker takes messages for topic {}", args.topic);
    if let Some(queues) = args.queues {
        for target in &mut targets {
            target.queues = queues;
            make_topic(&connections, &target.address, &args.topic, queues).await?;
        }
    }
    Ok(targets)
}

async fn by_route(connections: &Connections, name_servers: &str, args: &BenchArgs) -> Result<Vec<Target>> {
    let routes = Routes::new(connections.clone(), name_servers)?;
    let route = routes.of_publishing(&Topic::parse(&args.topic)?).await?;
    let mut queues: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for queue in publish_queues(&route) {
        *queues.entry(queue.address).or_default() += 1;
    }
    Ok(queues.into_iter().map(|(address, queues)| Target { address, queues }).collect())
}

async fn make_topic(connections: &Connections, address: &str, topic: &str, queues: u32) -> Result<()> {
    let header = CreateTopic {
        topic: topic.into(),
        default_topic: Some(TEMPLATE_TOPIC.into()),
        read_queue_nums: queues as i32,
        write_queue_nums: queues as i32,
        perm: READ_AND_WRITE,
        topic_filter_type: Some("SINGLE_TAG".into()),
        topic_sys_flag: Some(0),
        order: false,
        attributes: None,
    };
    let command = Command::request(request::UPDATE_AND_CREATE_TOPIC).with_ext(header.to_ext());
    let connection = connections.to(address).await?;
    connection.call(command, TOPIC_TIMEOUT).await.with_context(|| format!("cannot make topic {topic}"))?;
    Ok(())
}

/// The bounds of every queue of one broker, as (first offset, offset after the last one).
///
/// # Errors
/// The broker cannot be asked.
pub async fn bounds(target: &Target, topic: &str) -> Result<Vec<(u64, u64)>> {
    let connections = Connections::new(Limits::default());
    let puller = Puller::new(connections, GroupName::parse(GROUP)?, Topic::parse(topic)?);
    let mut bounds = Vec::new();
    for id in 0..target.queues {
        let queue = Queue { broker_name: "".into(), address: target.address.clone(), id: QueueId(id) };
        bounds.push((puller.min_offset(&queue).await?.0, puller.max_offset(&queue).await?.0));
    }
    Ok(bounds)
}

/// How many messages all queues have ever taken.
///
/// # Errors
/// A broker cannot be asked.
pub async fn stored(targets: &[Target], topic: &str) -> Result<u64> {
    let mut sum = 0;
    for target in targets {
        sum += bounds(target, topic).await?.iter().map(|(_, end)| end).sum::<u64>();
    }
    Ok(sum)
}
