//! The second send is answered with where the first one's message lies, and nothing is stored.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use ferromq::protocol::message::encode_batch_item;
use ferromq::protocol::units::Opaque;
use ferromq::time::{ManualClock, SharedClock};

use crate::messages::{bodies, messages_in, wait_for};
use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::Cluster;
use crate::topics::{WINDOW_MS, answer, make, send};

const NOW: i64 = 1_795_000_000_000;
const UNIQ: &str = "UNIQ_KEY\u{1}";

/// A broker whose clock stands, and which takes delivery times.
async fn start() -> (Cluster, Arc<ManualClock>, Raw) {
    start_with(|options| options).await
}

async fn start_with(change: impl FnOnce(BrokerOptions) -> BrokerOptions) -> (Cluster, Arc<ManualClock>, Raw) {
    let clock = ManualClock::at(NOW);
    let given = Arc::clone(&clock) as SharedClock;
    let timer = Some(TimerRules { ahead_ms_max: 86_400_000 });
    let cluster = Cluster::start_with(|options| change(BrokerOptions { clock: given, timer, ..options })).await;
    let client = Raw::connect(cluster.broker.address()).await;
    (cluster, clock, client)
}

#[actix::test]
async fn a_send_that_is_tried_again_is_stored_once() {
    let (cluster, clock, mut client) = start().await;
    make(&mut client, "T").await;
    let first = send(&mut client, "T", 1, &format!("{UNIQ}a"), "first").await;
    // Clients try another queue, on another connection.
    let mut other = Raw::connect(cluster.broker.address()).await;
    assert_eq!(send(&mut other, "T", 2, &format!("{UNIQ}a\u{2}WAIT\u{1}true"), "again").await, first);
    let next = send(&mut other, "T", 1, &format!("{UNIQ}b"), "next").await;
    assert_eq!((next.queue_id, next.queue_offset), (1, 1));
    assert_eq!(bodies(&wait_for(&mut client, "T", 1, 0, 2).await), ["first", "next"]);
    assert_eq!(messages_in(&mut client, "T", 2, 0).await, []);
    // To its last millisecond, and no longer.
    clock.advance(Duration::from_millis(WINDOW_MS as u64 - 1));
    assert_eq!(send(&mut client, "T", 1, &format!("{UNIQ}a"), "again").await, first);
    clock.advance(Duration::from_millis(1));
    assert_eq!(send(&mut client, "T", 1, &format!("{UNIQ}a"), "another one").await.queue_offset, 2);
    cluster.stop().await;
}

#[actix::test]
async fn a_producer_names_the_key_itself() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    let named = |uniq: &str, key: &str| format!("{UNIQ}{uniq}\u{2}IDEMPOTENCE_KEY\u{1}{key}");
    let first = send(&mut client, "T", 0, &named("a", "order-1"), "first").await;
    assert_eq!(send(&mut client, "T", 0, &named("b", "order-1"), "again").await, first);
    assert_ne!(send(&mut client, "T", 0, &named("a", "order-2"), "next").await, first);
    // Without any key nobody can tell.
    for offset in [2, 3] {
        assert_eq!(send(&mut client, "T", 0, "", "without").await.queue_offset, offset);
    }
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 4).await), ["first", "next", "without", "without"]);
    cluster.stop().await;
}

#[actix::test]
async fn other_topics_store_what_comes_as_often_as_it_comes() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    make(&mut client, "U").await;
    for topic in ["T", "U"] {
        assert_eq!(send(&mut client, topic, 0, &format!("{UNIQ}a"), "first").await.queue_offset, 0);
    }
    for offset in 0..3 {
        assert_eq!(send(&mut client, "ordinary", 0, &format!("{UNIQ}a"), "each").await.queue_offset, offset);
    }
    cluster.stop().await;
}

/// All of them are in one read of the socket, and so in one batch for the writer.
#[actix::test]
async fn sends_of_one_read_are_told_apart() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    let sends = [("T", "a"), ("ordinary", "a"), ("T", "a"), ("ordinary", "a"), ("T", "b"), ("T", "a")];
    // The topic is made first: sends that wait for it are served apart.
    send(&mut client, "ordinary", 0, "", "makes it").await;
    let mut bytes = BytesMut::new();
    for (number, (topic, key)) in sends.iter().enumerate() {
        let command = send_to(topic, 0, &format!("{UNIQ}{key}"), format!("{number}"));
        let opaque = Opaque(1_000 + number as i32);
        frame::encode(&command.with_opaque(opaque), Serialization::Json, &mut bytes);
    }
    assert!(client.write(&bytes).await);
    let mut offsets = Vec::new();
    for _ in sends {
        offsets.push(answer(&client.next().await.unwrap()).queue_offset);
    }
    assert_eq!(offsets, [0, 1, 0, 2, 1, 0]);
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 2).await), ["0", "4"]);
    assert_eq!(messages_in(&mut client, "T", 0, 2).await, []);
    cluster.stop().await;
}

/// The last answer of the batch names what lies far behind its end.
#[actix::test]
async fn what_comes_with_a_duplicate_is_seen_at_once() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    send(&mut client, "T", 0, &format!("{UNIQ}a"), "first").await;
    send(&mut client, "ordinary", 0, "", "makes it").await;
    let mut bytes = BytesMut::new();
    for (topic, key) in [("ordinary", "b"), ("T", "a")] {
        frame::encode(&send_to(topic, 0, &format!("{UNIQ}{key}"), "in one read"), Serialization::Json, &mut bytes);
    }
    assert!(client.write(&bytes).await);
    for _ in 0..2 {
        answer(&client.next().await.unwrap());
    }
    assert_eq!(bodies(&wait_for(&mut client, "ordinary", 0, 0, 2).await), ["makes it", "in one read"]);
    cluster.stop().await;
}

/// A batch of messages with these keys, each its body; an empty one is none.
fn batch_of(keys: &[&str], properties: &str) -> Command {
    let mut items = Vec::new();
    for key in keys {
        let own = if key.is_empty() { String::new() } else { format!("{UNIQ}{key}") };
        encode_batch_item(0, key.as_bytes(), &own, &mut items).unwrap();
    }
    Command { code: request::SEND_BATCH_MESSAGE, ..with(send_to("T", 3, properties, items), "m", true) }
}

/// Each message of a batch has a key of its own; those that were sent before keep their place.
#[actix::test]
async fn of_a_batch_only_what_is_new_is_stored() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    let first = answer(&client.ask(batch_of(&["a", "b", "c"], "")).await);
    assert_eq!(answer(&client.ask(batch_of(&["a", "b", "c"], "")).await), first);
    let ids: Vec<&str> = first.ids.split(',').collect();
    let mixed = answer(&client.ask(batch_of(&["b", "d", "a", "", "d", ""], "")).await);
    let mixed_ids: Vec<&str> = mixed.ids.split(',').collect();
    assert_eq!((mixed_ids.len(), mixed_ids[0], mixed_ids[2], mixed.queue_offset), (6, ids[1], ids[0], 1));
    assert_eq!(mixed_ids[1], mixed_ids[4]);
    assert_ne!(mixed_ids[3], mixed_ids[5], "a message without a key is stored as often as it comes");
    assert_eq!(bodies(&wait_for(&mut client, "T", 3, 0, 6).await), ["a", "b", "c", "d", "", ""]);
    assert_eq!(messages_in(&mut client, "T", 3, 6).await, []);
    // A single send may be one that was in a batch.
    assert_eq!(send(&mut client, "T", 0, &format!("{UNIQ}b"), "b").await.ids, ids[1]);
    // One key for all would leave one message of them.
    let refused = client.ask(batch_of(&["x", "y"], "IDEMPOTENCE_KEY\u{1}k")).await;
    assert_eq!(refused.code, response::MESSAGE_ILLEGAL, "{refused:?}");
    cluster.stop().await;
}

/// What goes elsewhere first is known from then on, and what the broker brings on is no second send.
#[actix::test]
async fn delayed_and_timed_messages_come_once() {
    let (cluster, clock, mut client) = start().await;
    make(&mut client, "T").await;
    for (key, when) in [("d", "DELAY\u{1}1"), ("t", "TIMER_DELAY_MS\u{1}1000")] {
        let properties = format!("{UNIQ}{key}\u{2}{when}");
        let first = send(&mut client, "T", 0, &properties, key).await;
        assert_eq!(send(&mut client, "T", 5, &properties, "again").await, first);
    }
    clock.advance(Duration::from_secs(2));
    let mut delivered = bodies(&wait_for(&mut client, "T", 0, 0, 2).await);
    delivered.sort();
    assert_eq!(delivered, ["d", "t"]);
    assert_eq!(messages_in(&mut client, "T", 5, 0).await, []);
    cluster.stop().await;
}

/// The answer to a half message is what its producer ends the transaction with.
#[actix::test]
async fn a_half_message_that_is_tried_again_ends_the_first_one() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    let half = with(send_to("T", 0, &format!("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}{UNIQ}h"), "half"), "f", 4);
    let first = answer(&client.ask(half.clone()).await);
    let again = answer(&client.ask(half).await);
    assert_eq!(again, first);
    let at = i64::from_str_radix(&again.ids[again.ids.len() - 16..], 16).unwrap();
    let end = ask_for(
        request::END_TRANSACTION,
        &[
            ("producerGroup", &"PG"),
            ("tranStateTableOffset", &again.queue_offset),
            ("commitLogOffset", &at),
            ("commitOrRollback", &8),
            ("fromTransactionCheck", &false),
            ("msgId", &"h"),
        ],
    );
    let ended = client.ask(end).await;
    assert_eq!(ended.code, response::SUCCESS, "{ended:?}");
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["half"]);
    assert_eq!(messages_in(&mut client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 1).await, []);
    cluster.stop().await;
}

#[actix::test]
async fn a_topic_that_is_made_anew_has_seen_nothing() {
    let (cluster, _, mut client) = start().await;
    make(&mut client, "T").await;
    send(&mut client, "T", 0, &format!("{UNIQ}a"), "first").await;
    let deleted = client.ask(ask_for(request::DELETE_TOPIC_IN_BROKER, &[("topic", &"T")])).await;
    assert_eq!(deleted.code, response::SUCCESS, "{deleted:?}");
    make(&mut client, "T").await;
    send(&mut client, "T", 0, &format!("{UNIQ}a"), "of the new topic").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["of the new topic"]);
    cluster.stop().await;
}

/// Who cannot be told whether it was sent before is refused, and may come again; nothing is stored twice.
#[actix::test]
async fn with_too_many_keys_sends_are_refused_until_windows_end() {
    let (cluster, clock, mut client) = start_with(|options| BrokerOptions { duplicate_keys_max: 2, ..options }).await;
    make(&mut client, "T").await;
    for (key, offset) in [("a", 0), ("b", 1), ("a", 0)] {
        assert_eq!(send(&mut client, "T", 0, &format!("{UNIQ}{key}"), key).await.queue_offset, offset);
    }
    let refused = client.ask(send_to("T", 0, &format!("{UNIQ}c"), "c")).await;
    assert_eq!(refused.code, response::SYSTEM_BUSY, "{refused:?}");
    let remark = refused.remark.unwrap();
    assert!(remark.contains("remembers 2 sends") && remark.contains("duplicateKeysMax"), "{remark}");
    // What has no key is not remembered, and what came before needs no room.
    assert_eq!(send(&mut client, "T", 0, "", "no key").await.queue_offset, 2);
    assert_eq!(send(&mut client, "T", 0, &format!("{UNIQ}b"), "b").await.queue_offset, 1);
    // Other topics go on.
    assert_eq!(send(&mut client, "ordinary", 0, &format!("{UNIQ}c"), "c").await.queue_offset, 0);
    clock.advance(Duration::from_millis(WINDOW_MS as u64));
    assert_eq!(send(&mut client, "T", 0, &format!("{UNIQ}c"), "c").await.queue_offset, 3);
    cluster.stop().await;
}

/// What an idle topic remembers goes as well, and administrators see how much there is.
#[actix::test]
async fn figures_tell_what_is_remembered_and_what_was_not_stored() {
    let (cluster, clock, mut client) = start().await;
    make(&mut client, "T").await;
    for key in ["a", "b", "a"] {
        send(&mut client, "T", 0, &format!("{UNIQ}{key}"), key).await;
    }
    let figures = |reply: &Command| {
        let info: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        ["duplicateKeys", "duplicatesSuppressed"].map(|key| info["table"][key].as_str().unwrap().to_owned())
    };
    let info = ask_for(request::GET_BROKER_RUNTIME_INFO, &[]);
    assert_eq!(figures(&client.ask(info.clone()).await), ["2", "1"]);
    clock.advance(Duration::from_millis(WINDOW_MS as u64));
    client.ask_until(info, |reply| figures(reply) == ["0", "1"]).await;
    cluster.stop().await;
}
