//! What a client has sent before its connection ends is stored, whether anybody waits for an answer or not.

use bytes::BytesMut;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;

use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

const MESSAGES: i64 = 100;

fn sends() -> BytesMut {
    let mut bytes = BytesMut::new();
    for number in 0..MESSAGES {
        let send = send_to("Last", 0, "", format!("message {number}")).oneway();
        frame::encode(&send, Serialization::Json, &mut bytes);
    }
    bytes
}

async fn all_arrive(cluster: &Cluster, end: &[u8]) {
    let mut other = Raw::connect(cluster.broker.address()).await;
    assert_eq!(other.ask(send_to("Last", 1, "", "makes the topic")).await.code, response::SUCCESS);
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert!(client.write(&[&sends(), end].concat()).await);
    drop(client);
    let max_offset = ask_for(request::GET_MAX_OFFSET, &[("topic", &"Last"), ("queueId", &0)]);
    other.ask_until(max_offset, |reply| reply.ext.int64("offset").unwrap() == MESSAGES).await;
}

#[actix::test]
async fn one_way_sends_before_the_end_of_a_connection_are_stored() {
    let cluster = Cluster::start().await;
    all_arrive(&cluster, b"").await;
    cluster.stop().await;
}

#[actix::test]
async fn sends_ahead_of_garbage_are_stored() {
    let cluster = Cluster::start().await;
    all_arrive(&cluster, &[0xff; 64]).await;
    cluster.stop().await;
}
