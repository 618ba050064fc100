//! Clients that keep a broker busy: several connections, each with sends in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::client::connection::Limits;
use ferromq::client::pull::{PullRequest, Wants};
use ferromq::client::{ClientError, Connection, Connections, Puller, Queue};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::headers::send::SendHeader;
use ferromq::protocol::headers::topic::CreateTopic;
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::{QueueId, QueueOffset};

/// How long anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Queues of a topic that is made by [`make_topic`].
pub(crate) const QUEUES: u32 = 4;
/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 4;

/// How much is sent: each connection has `lanes` senders, each of which sends its messages one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) lanes: usize,
    pub(crate) messages: usize,
    /// How long a client waits for a reply.
    pub(crate) limit: Duration,
}

/// What was sent, and what the broker said.
pub(crate) type Answers = Vec<(String, Result<Command, ClientError>)>;

pub(crate) async fn connect(broker: &Broker) -> Connection {
    Connection::open(&broker.address().to_string(), Limits::default()).await.unwrap()
}

pub(crate) fn topic_command(topic: &str) -> Command {
    let queues = QUEUES as i32;
    let header = CreateTopic {
        topic: topic.into(),
        default_topic: Some("TBW102".into()),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: 6,
        topic_filter_type: None,
        topic_sys_flag: None,
        order: false,
        attributes: None,
    };
    Command::request(request::UPDATE_AND_CREATE_TOPIC).with_ext(header.to_ext())
}

pub(crate) async fn make_topic(broker: &Broker, topic: &str) {
    connect(broker).await.call(topic_command(topic), LIMIT).await.unwrap();
}

pub(crate) fn send_command(topic: &str, queue: u32, body: &str) -> Command {
    let header = SendHeader {
        producer_group: "writers".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: QUEUES as i32,
        queue_id: queue as i32,
        sys_flag: 0,
        born_timestamp: 1,
        flag: 0,
        properties: None,
        reconsume_times: None,
        unit_mode: false,
        batch: false,
        max_reconsume_times: None,
    };
    let mut ext = ExtFields::builder();
    header.write(&mut ext);
    Command::request(request::SEND_MESSAGE_V2).with_ext(ext.build()).with_body(body.to_owned().into())
}

pub(crate) fn pull_from(topic: &str, group: &str, offset: u64, hold: Duration) -> Command {
    let (queue, offset) = (QueueId(0), QueueOffset(offset));
    PullRequest { queue, offset, count: 32, hold, commit: None, wants: Wants::ALL }.command(group, topic)
}

impl Load {
    /// Sends everything and gives every answer.
    pub(crate) async fn run(self, broker: &Broker, topic: &str) -> Answers {
        let mut lanes = Vec::new();
        for number in 0..CONNECTIONS {
            let connection = connect(broker).await;
            for lane in 0..self.lanes {
                let name = format!("{topic}-{number}-{lane}");
                lanes.push(actix::spawn(self.lane(connection.clone(), topic.into(), name, lane as u32 % QUEUES)));
            }
        }
        let mut answers = Vec::new();
        for lane in lanes {
            answers.extend(lane.await.unwrap());
        }
        answers
    }

    async fn lane(self, connection: Connection, topic: String, name: String, queue: u32) -> Answers {
        let mut answers = Vec::new();
        for number in 0..self.messages {
            let body = format!("{name}-{number}");
            let answer = connection.request(send_command(&topic, queue, &body), self.limit).await;
            answers.push((body, answer));
        }
        answers
    }
}

/// The bodies that were acknowledged, sorted.
pub(crate) fn acknowledged(answers: &Answers) -> Vec<String> {
    let mut bodies: Vec<String> = answers
        .iter()
        .filter(|(_, answer)| answer.as_ref().is_ok_and(|reply| reply.code == response::SUCCESS))
        .map(|(body, _)| body.clone())
        .collect();
    bodies.sort();
    bodies
}

/// How often each code came. Fails if anything was left unanswered.
pub(crate) fn codes(answers: &Answers) -> BTreeMap<i32, usize> {
    let mut codes = BTreeMap::new();
    for (_, answer) in answers {
        *codes.entry(answer.as_ref().unwrap().code).or_default() += 1;
    }
    codes
}

/// The first words that came with a code.
pub(crate) fn words_of(answers: &Answers, code: i32) -> String {
    let mut replies = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    replies.find(|reply| reply.code == code).and_then(|reply| reply.remark.clone()).unwrap_or_default()
}

/// Pulls queues until `count` messages have come, and then looks whether there is one more; sorted.
pub(crate) async fn pull_all(broker: &Broker, topic: &str, count: usize) -> Vec<String> {
    let puller =
        Puller::new(Connections::default(), GroupName::parse("readers").unwrap(), Topic::parse(topic).unwrap());
    let address = broker.address().to_string();
    let mut queues: Vec<(Queue, QueueOffset)> = (0..QUEUES)
        .map(|id| {
            let queue = Queue { broker_name: "broker-a".into(), address: address.as_str().into(), id: QueueId(id) };
            (queue, QueueOffset(0))
        })
        .collect();
    let mut bodies = Vec::new();
    let pulled = tokio::time::timeout(LIMIT, async {
        let mut last_look = false;
        while !last_look {
            // Entries follow their messages a moment later, so what was acknowledged is waited for.
            last_look = bodies.len() >= count;
            for (queue, offset) in &mut queues {
                let pulled = puller.pull(queue, *offset, 32, Duration::ZERO).await.unwrap();
                bodies
                    .extend(pulled.messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()));
                *offset = pulled.next;
            }
        }
    });
    assert!(pulled.await.is_ok(), "{} of {count} messages of {topic}", bodies.len());
    bodies.sort();
    bodies
}
