//! An answer that is on its way when its segment goes is whole. A client that takes nothing of it is let go, so that the room
//! comes back.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::retention_actor::CleanNow;
use ferromq::broker::config::RetentionSettings;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::message;
use ferromq::store::StoreOptions;
use ferromq::store::segment::Segment;

use crate::keeper::Keeper;
use crate::raw::{LIMIT, Raw, pull_from, send_to};
use crate::support::wait_until;

const MESSAGE_BYTES: usize = 4_000_000;
/// More than the sockets of both sides take in.
const MESSAGES: i64 = 6;

fn with_large_segments(options: BrokerOptions) -> BrokerOptions {
    BrokerOptions { store: StoreOptions { log_segment_bytes: 32 << 20, ..options.store }, ..options }
}

/// Large messages in a segment that is full.
async fn filled(keeper: &Keeper) -> Weak<Segment> {
    let mut client = keeper.client().await;
    let mut sent = 0;
    while keeper.segments() < 2 {
        let reply = client.ask(send_to("T", 0, "", vec![sent as u8; MESSAGE_BYTES])).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        sent += 1;
    }
    assert!(sent > MESSAGES);
    crate::messages::wait_for(&mut client, "T", 0, MESSAGES, 1).await;
    Arc::downgrade(&keeper.log.segments().all()[0])
}

/// Pulls messages without taking the answers.
async fn ask_for_much(client: &mut Raw) {
    for number in 0..MESSAGES {
        client.send_as(pull_from("T", 0, number, 1), Serialization::Json).await;
    }
    client.has_bytes_to_read().await;
}

#[actix::test]
async fn they_are_whole() {
    let keeper = Keeper::start_with(with_large_segments).await;
    let segment = filled(&keeper).await;
    let mut client = keeper.client().await;
    ask_for_much(&mut client).await;
    keeper.clock.advance(Duration::from_secs(100));
    keeper.used(86).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 1);
    assert!(segment.strong_count() > 0, "the answers hold it");
    let mut whole = 0;
    for _ in 0..MESSAGES {
        let reply = client.next().await.expect("the connection is open");
        if reply.code != response::SUCCESS {
            // It was looked at when its client had taken the answers before it.
            assert_eq!(reply.remark.as_deref(), Some("OFFSET_TOO_SMALL"));
            continue;
        }
        let found = message::decode_all(reply.body).unwrap();
        assert_eq!(found[0].body.len(), MESSAGE_BYTES);
        // Short answers overtake long ones.
        let number = found[0].queue_offset.0;
        assert!(found[0].body.iter().all(|byte| u64::from(*byte) == number), "message {number}");
        whole += 1;
    }
    assert!(whole > 0, "some had been begun");
    wait_until(LIMIT, "nobody holds the segment", || segment.strong_count() == 0).await;
    keeper.stop().await;
}

#[actix::test]
async fn who_takes_nothing_is_let_go() {
    let stall_limit = Duration::from_millis(300);
    let keeper = Keeper::start_with(|options| {
        let retention = RetentionSettings { stall_limit, ..options.retention.clone() };
        with_large_segments(BrokerOptions { retention, ..options })
    })
    .await;
    let segment = filled(&keeper).await;
    let mut client = keeper.client().await;
    ask_for_much(&mut client).await;
    keeper.used(86).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 1);
    wait_until(LIMIT, "nobody holds the segment", || segment.strong_count() == 0).await;
    // What is in the sockets may be read yet; the rest never comes.
    while client.next().await.is_some() {}
    keeper.stop().await;
}
