//! What the client says as a member of a group, a broker takes as it is meant.

use std::sync::Arc;

use ferromq::client::membership::Membership;
use ferromq::client::{ClientError, Connections, Queue};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::heartbeat::{ConsumerData, HeartbeatData};
use ferromq::protocol::body::queue_table::MessageQueue;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::{QueueId, QueueOffset};

use crate::raw::{LIMIT, Raw, send_to};
use crate::support::Cluster;

fn member(connections: Connections, client_id: &str) -> Membership {
    Membership::new(connections, client_id, GroupName::parse("CG").unwrap())
}

/// A member that a broker knows, on connections of its own.
async fn joined(client_id: &str, broker: &str) -> Membership {
    let connections = Connections::default();
    let group = ConsumerData { group_name: "CG".into(), ..ConsumerData::default() };
    let data =
        HeartbeatData { client_id: client_id.into(), consumer_data_set: vec![group], producer_data_set: Vec::new() };
    let heartbeat = Command::request(request::HEART_BEAT).with_body(data.encode());
    connections.to(broker).await.unwrap().call(heartbeat, LIMIT).await.unwrap();
    member(connections, client_id)
}

#[actix::test]
async fn who_comes_is_known() {
    let cluster = Cluster::start().await;
    let broker = cluster.broker.address().to_string();
    let nobody = member(Connections::default(), "a").members(&broker).await;
    assert!(matches!(nobody, Err(ClientError::Refused { code: response::SYSTEM_ERROR, .. })), "{nobody:?}");
    let (_b, a) = (joined("b", &broker).await, joined("a", &broker).await);
    assert_eq!(a.members(&broker).await.unwrap(), ["a", "b"]);
    cluster.stop().await;
}

#[actix::test]
async fn how_far_a_group_has_come_is_there_for_all_its_members() {
    let cluster = Cluster::start().await;
    let broker = cluster.broker.address().to_string();
    let mut sender = Raw::connect(cluster.broker.address()).await;
    for _ in 0..3 {
        assert_eq!(sender.ask(send_to("T", 1, "", "x")).await.code, response::SUCCESS);
    }
    let topic = Topic::parse("T").unwrap();
    let queue = Queue { broker_name: "b".into(), address: Arc::from(broker.as_str()), id: QueueId(1) };
    let (a, b) = (joined("a", &broker).await, joined("b", &broker).await);
    a.commit(&topic, &queue, QueueOffset(2)).await.unwrap();
    // It is told on the same connection behind that, and so served later.
    assert_eq!(a.offset(&topic, &queue).await.unwrap(), Some(QueueOffset(2)));
    assert_eq!(b.offset(&topic, &queue).await.unwrap(), Some(QueueOffset(2)));
    let elsewhere = member(Connections::default(), "c");
    let unknown = Membership::new(Connections::default(), "c", GroupName::parse("other").unwrap());
    assert_eq!(elsewhere.offset(&topic, &queue).await.unwrap(), Some(QueueOffset(2)), "whoever asks for the group");
    // What is in memory from its beginning is where a group without an offset begins.
    assert_eq!(unknown.offset(&topic, &queue).await.unwrap(), Some(QueueOffset(0)));
    cluster.stop().await;
}

#[actix::test]
async fn a_queue_is_one_members_until_it_gives_it_back() {
    let cluster = Cluster::start().await;
    let broker = cluster.broker.address().to_string();
    let (a, b) = (joined("a", &broker).await, joined("b", &broker).await);
    let queue = |queue_id| MessageQueue { broker_name: "b".into(), queue_id, topic: "T".into() };
    assert_eq!(a.lock(&broker, vec![queue(0), queue(1)]).await.unwrap(), [queue(0), queue(1)]);
    assert_eq!(b.lock(&broker, vec![queue(1), queue(2)]).await.unwrap(), [queue(2)]);
    assert_eq!(a.lock(&broker, vec![queue(1)]).await.unwrap(), [queue(1)], "once more is to keep it");
    a.unlock(&broker, vec![queue(1)]).await.unwrap();
    assert_eq!(b.lock(&broker, vec![queue(1)]).await.unwrap(), [queue(1)]);
    cluster.stop().await;
}
