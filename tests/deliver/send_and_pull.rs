//! What is sent can be pulled, in order, also after the broker was stopped and started again.

use std::time::Duration;

use ferromq::client::route::subscribe_queues;
use ferromq::client::{Client, ClientError, ClientOptions, Connections, OutgoingMessage, Puller, Queue, Routes};
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::QueueOffset;

use crate::raw::LIMIT;
use crate::support::Cluster;

fn topic() -> Topic {
    Topic::parse("Orders").unwrap()
}

fn group() -> GroupName {
    GroupName::parse("readers").unwrap()
}

async fn send(cluster: &Cluster, bodies: &[String]) {
    let client = Client::new(ClientOptions::of(cluster.name_servers())).await.unwrap();
    let producer = client.producer("writers").start().await.unwrap();
    for body in bodies {
        producer.send(&OutgoingMessage::new(topic(), body.clone())).await.unwrap();
    }
}

/// The queues of the topic, once the name server knows of it: a broker tells it of a topic that a
/// send made, and answers that send without waiting for it.
async fn queues(cluster: &Cluster) -> Vec<Queue> {
    let routes = Routes::new(Connections::default(), &cluster.name_servers()).unwrap();
    let known = tokio::time::timeout(LIMIT, async {
        loop {
            match routes.of(&topic()).await {
                Err(ClientError::NoRoute { .. }) => {}
                answer => return answer.unwrap(),
            }
        }
    });
    subscribe_queues(&known.await.unwrap_or_else(|_| panic!("a route within {LIMIT:?}")))
}

/// Waits until the queues hold so many messages: what is acknowledged is there a moment later.
async fn hold(cluster: &Cluster, count: u64) {
    let puller = Puller::new(Connections::default(), group(), topic());
    let filled = tokio::time::timeout(LIMIT, async {
        loop {
            let mut held = 0;
            for queue in queues(cluster).await {
                held += puller.max_offset(&queue).await.unwrap().0;
            }
            if held == count {
                return;
            }
        }
    });
    assert!(filled.await.is_ok(), "{count} messages within {LIMIT:?}");
}

async fn read_all(cluster: &Cluster) -> Vec<String> {
    let puller = Puller::new(Connections::default(), group(), topic());
    let mut bodies = Vec::new();
    for queue in queues(cluster).await {
        let mut offset = QueueOffset(0);
        while offset < puller.max_offset(&queue).await.unwrap() {
            let pulled = puller.pull(&queue, offset, 32, Duration::ZERO).await.unwrap();
            bodies.extend(pulled.messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()));
            offset = pulled.next;
        }
    }
    bodies.sort();
    bodies
}

#[actix::test]
async fn a_topic_is_made_by_the_first_send_and_every_message_can_be_pulled() {
    let cluster = Cluster::start().await;
    let bodies: Vec<String> = (0..100).map(|number| format!("message {number:03}")).collect();
    send(&cluster, &bodies).await;
    hold(&cluster, 100).await;
    assert_eq!(read_all(&cluster).await, bodies);
    cluster.stop().await;
}

#[actix::test]
async fn a_parked_pull_is_answered_by_the_message_that_it_waits_for() {
    let cluster = Cluster::start().await;
    send(&cluster, &["first".into()]).await;
    hold(&cluster, 1).await;
    let queue = {
        let puller = Puller::new(Connections::default(), group(), topic());
        let mut found = None;
        for queue in queues(&cluster).await {
            if puller.max_offset(&queue).await.unwrap() == QueueOffset(1) {
                found = Some(queue);
            }
        }
        found.unwrap()
    };
    let waiting = actix::spawn(async move {
        let puller = Puller::new(Connections::default(), group(), topic());
        puller.pull(&queue, QueueOffset(1), 32, Duration::from_secs(20)).await.unwrap()
    });
    // Sends go round all queues, so one of them ends the wait.
    let bodies: Vec<String> = (0..16).map(|number| format!("later {number}")).collect();
    send(&cluster, &bodies).await;
    let pulled = waiting.await.unwrap();
    assert!(pulled.messages.iter().all(|message| message.body.starts_with(b"later")), "{pulled:?}");
    assert!(!pulled.messages.is_empty());
    cluster.stop().await;
}

#[actix::test]
async fn a_pull_for_no_message_gets_one() {
    let cluster = Cluster::start().await;
    send(&cluster, &["only".into()]).await;
    hold(&cluster, 1).await;
    let puller = Puller::new(Connections::default(), group(), topic());
    let mut found = 0;
    for queue in queues(&cluster).await {
        if puller.max_offset(&queue).await.unwrap() > QueueOffset(0) {
            // The Go client's pull consumer asks like this.
            found += puller.pull(&queue, QueueOffset(0), 0, Duration::ZERO).await.unwrap().messages.len();
        }
    }
    assert_eq!(found, 1);
    cluster.stop().await;
}
