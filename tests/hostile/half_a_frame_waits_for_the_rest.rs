//! A client that sends one byte a second: half a frame is kept, harms nobody, and is served when its rest is there.

use bytes::BytesMut;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;
use ferromq::protocol::units::Opaque;

use crate::good_client::GoodClient;
use crate::raw::{Raw, send_to};
use crate::support::Cluster;

#[actix::test]
async fn half_a_frame_waits_for_the_rest() {
    let cluster = Cluster::start().await;
    let mut good = GoodClient::connect(&cluster, "Good").await;
    let mut whole = BytesMut::new();
    let request = send_to("Slow", 0, "KEYS\u{1}k\u{2}", vec![7; 100]).with_opaque(Opaque(77));
    frame::encode(&request, Serialization::Json, &mut whole);
    let mut slow = Raw::connect(cluster.broker.address()).await;
    for byte in &whole[..whole.len() - 1] {
        assert!(slow.write(&[*byte]).await);
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        good.is_served().await;
    }
    assert!(slow.write(&whole[whole.len() - 1..]).await);
    let reply = slow.next().await.unwrap();
    assert_eq!((reply.code, reply.opaque), (response::SUCCESS, Opaque(77)), "{reply:?}");
    cluster.stop().await;
}

/// Beginnings of large frames count against a bound of their own, not against what others send.
#[actix::test]
async fn many_halves_of_large_frames_leave_room_for_others() {
    const HALVES: usize = 100;
    const SENT: usize = 100_000;
    let cluster = Cluster::start().await;
    let mut whole = BytesMut::new();
    frame::encode(&send_to("Slow", 0, "", vec![7; 4_000_000]), Serialization::Json, &mut whole);
    let mut halves = Vec::new();
    for _ in 0..HALVES {
        let mut half = Raw::connect(cluster.broker.address()).await;
        assert!(half.write(&whole[..SENT]).await);
        halves.push(half);
    }
    GoodClient::connect(&cluster, "Good").await.is_served().await;
    let last = halves.last_mut().unwrap();
    assert!(last.write(&whole[SENT..]).await);
    assert_eq!(last.next().await.unwrap().code, response::SUCCESS);
    cluster.stop().await;
}
