//! Pulls that wait are memory: each connection has room for so many, and all of them together.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use ferromq::actors::arbiters::Layout;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::hold::HoldLimits;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;
use tokio::time::timeout;

use crate::raw::{Raw, pull_from, send_to, waiting_pull_from};
use crate::support::Cluster;

/// An answer that comes at once comes sooner.
const SHORT: Duration = Duration::from_millis(200);
/// Pulls of these tests wait for 15 s.
const BEFORE_THEY_EXPIRE: Duration = Duration::from_secs(10);
const LIMITS: HoldLimits =
    HoldLimits { total: 5, per_connection: 3, filter_bytes: usize::MAX, filter_bytes_per_connection: usize::MAX };

async fn pull(client: &mut Raw) {
    client.send_as(waiting_pull_from("Held", 0, 1, 1), Serialization::Json).await;
}

/// The next reply is that there are too many.
async fn is_told_busy(client: &mut Raw) {
    let reply = client.next().await.unwrap();
    let remark = reply.remark.as_deref().unwrap_or_default();
    assert_eq!(reply.code, response::SYSTEM_BUSY, "{remark}");
    assert_eq!(
        remark,
        "[PULL_HOLD]broker busy, 3 pulls of one connection or 5 in all wait already, or fewer with large filters"
    );
}

#[actix::test]
async fn those_beyond_are_told_busy_and_the_others_get_their_message() {
    let cluster = Cluster::start_with(|options| BrokerOptions { hold: LIMITS, ..options }).await;
    let address = cluster.broker.address();
    let (mut greedy, mut second, mut writer) =
        (Raw::connect(address).await, Raw::connect(address).await, Raw::connect(address).await);
    assert_eq!(writer.ask(send_to("Held", 0, "", "first")).await.code, response::SUCCESS);
    writer.pull(pull_from("Held", 0, 0, 1)).await;
    for _ in 0..LIMITS.per_connection + 1 {
        pull(&mut greedy).await;
    }
    is_told_busy(&mut greedy).await;
    for _ in 0..LIMITS.total - LIMITS.per_connection + 1 {
        pull(&mut second).await;
    }
    is_told_busy(&mut second).await;
    // Who goes makes room, a moment later.
    drop(greedy);
    pull(&mut second).await;
    while let Ok(reply) = timeout(SHORT, second.next()).await {
        assert_eq!(reply.unwrap().code, response::SYSTEM_BUSY);
        pull(&mut second).await;
    }
    assert_eq!(writer.ask(send_to("Held", 0, "", "second")).await.code, response::SUCCESS);
    for _ in 0..LIMITS.per_connection {
        assert_eq!(second.next().await.unwrap().code, response::SUCCESS);
    }
    cluster.stop().await;
}

/// A pull that arrives together with the end of its connection waits for nobody.
#[actix::test]
async fn those_of_connections_that_have_ended_take_no_room() {
    let hold = HoldLimits { total: 1, per_connection: 1, ..LIMITS };
    // The broker does nothing while this thread writes and closes: both are there when it looks.
    let layout = Layout::OneArbiter;
    let cluster = Cluster::start_with(|options| BrokerOptions { hold, layout, ..options }).await;
    let address = cluster.broker.address();
    let mut writer = Raw::connect(address).await;
    assert_eq!(writer.ask(send_to("Held", 0, "", "first")).await.code, response::SUCCESS);
    writer.pull(pull_from("Held", 0, 0, 1)).await;
    let mut bytes = BytesMut::new();
    frame::encode(&waiting_pull_from("Held", 0, 1, 1), Serialization::Json, &mut bytes);
    for _ in 0..10 {
        TcpStream::connect(address).unwrap().write_all(&bytes).unwrap();
    }
    let mut waiting = Raw::connect(address).await;
    let waits = async {
        loop {
            pull(&mut waiting).await;
            match timeout(SHORT, waiting.next()).await {
                Ok(reply) => assert_eq!(reply.unwrap().code, response::SYSTEM_BUSY),
                Err(_) => return,
            }
        }
    };
    timeout(BEFORE_THEY_EXPIRE, waits).await.expect("room for one pull");
    assert_eq!(writer.ask(send_to("Held", 0, "", "second")).await.code, response::SUCCESS);
    assert_eq!(waiting.next().await.unwrap().code, response::SUCCESS);
    cluster.stop().await;
}
