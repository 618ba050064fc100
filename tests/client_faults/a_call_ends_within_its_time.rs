//! No call takes longer than it may, however the other side fails: it says nothing, it reads nothing, or nobody even accepts.

use std::time::Duration;

use ferromq::client::{Client, ClientError, ClientOptions, OutgoingMessage, ProducerOptions};
use ferromq::protocol::codes::request;
use ferromq::protocol::names::Topic;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fake_broker::{FakeBroker, route_reply};
use crate::fake_cluster::FakeCluster;

/// What a send may take here.
const SEND: Duration = Duration::from_millis(300);
/// When it should have come to its end on any machine.
const SOON: Duration = Duration::from_millis(2_500);

fn message(bytes: usize) -> OutgoingMessage {
    OutgoingMessage::new(Topic::parse("T").unwrap(), vec![b'x'; bytes])
}

fn options() -> ProducerOptions {
    ProducerOptions { send_timeout: SEND, compression: None, ..ProducerOptions::default() }
}

/// An address at which connections are neither accepted nor refused, and what keeps it so.
async fn hole() -> (String, Vec<TcpStream>, TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    (address.to_string(), waiting, listener)
}

/// A name server that says that the topic is at this address.
async fn name_server(broker: String) -> FakeBroker {
    FakeBroker::start(move |command, _| {
        let is_asked = command.code == request::GET_ROUTEINFO_BY_TOPIC;
        Some(if is_asked { vec![route_reply(command, &broker, 2)] } else { Vec::new() })
    })
    .await
}

#[tokio::test]
async fn a_send_to_where_nobody_accepts_and_those_beside_it() {
    let (address, _waiting, _listener) = hole().await;
    let client = Client::new(ClientOptions::of(&name_server(address).await.address)).await.unwrap();
    let producer = client.producer("G").options(options()).start().await.unwrap();
    // The first one waits for the heartbeat, too, which has a time of its own.
    assert!(producer.send(&message(1)).await.is_err());
    let mut sends = JoinSet::new();
    for _ in 0..20 {
        let producer = producer.clone();
        sends.spawn(async move { timeout(SOON, producer.send(&message(1))).await });
    }
    while let Some(sent) = sends.join_next().await {
        let error = sent.unwrap().expect("the send ends within its time").unwrap_err();
        assert!(error.is_of_transport(), "{error}");
    }
}

#[tokio::test]
async fn a_send_that_is_not_answered() {
    let cluster = FakeCluster::start(2, |command, _| (command.code == request::SEND_MESSAGE_V2).then(Vec::new)).await;
    let producer = cluster.client().await.producer("G").options(options()).start().await.unwrap();
    let sent = timeout(SOON, producer.send(&message(1))).await.expect("the send ends within its time");
    assert!(matches!(sent, Err(ClientError::Timeout { .. })), "{sent:?}");
    let batch = timeout(SOON, producer.send_batch(&[message(1)])).await.expect("the batch ends within its time");
    assert!(batch.is_ok(), "the next connection is another one: {batch:?}");
}

/// A broker that hangs lets the system's buffers fill.
#[tokio::test]
async fn a_send_that_wants_no_answer_to_a_broker_that_reads_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name_server = name_server(listener.local_addr().unwrap().to_string()).await;
    let client = Client::new(ClientOptions::of(&name_server.address)).await.unwrap();
    let producer = client.producer("G").options(options()).start().await.unwrap();
    let accepted = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let mut failed = false;
    for _ in 0..400 {
        let sent = timeout(SOON * 2, producer.send_oneway(&message(1 << 20))).await.expect("it ends within its time");
        failed |= sent.is_err();
        if failed {
            break;
        }
    }
    assert!(failed, "the buffers are full");
    accepted.abort();
}
