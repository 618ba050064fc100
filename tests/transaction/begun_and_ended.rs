//! A half message is seen by nobody; committed it is, rolled back it never will be. Wrong endings are told what is wrong.

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::transaction_actor::CheckNow;
use ferromq::broker::config::TransactionSettings;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::store::StoreOptions;

use crate::messages::{bodies, lies_at, messages_in, property_pairs, wait_for};
use crate::producer::{COMMIT, Half, Producer, ROLLBACK, end};
use crate::raw::{Raw, send_to, with};
use crate::support::Cluster;

#[actix::test]
async fn committed_messages_are_seen_and_no_others() {
    let cluster = Cluster::start().await;
    let mut producer = Producer::join(cluster.broker.address(), "p").await;
    let (kept, dropped, open) =
        (producer.begin("kept").await, producer.begin("dropped").await, producer.begin("open").await);
    producer.ends(dropped, ROLLBACK).await;
    producer.ends(kept, COMMIT).await;
    // What it does not know is no ending; and most do not wait for an answer.
    producer.ends(open, 0).await;
    let second = producer.begin("second").await;
    producer.client.send_as(end(second, COMMIT).oneway(), Serialization::Json).await;
    let seen = wait_for(&mut producer.client, "T", 2, 0, 2).await;
    assert_eq!(bodies(&seen), ["kept", "second"]);
    for (message, half) in seen.iter().zip([kept, second]) {
        assert_eq!((message.sys_flag, message.prepared_transaction_offset), (8, half.at));
    }
    assert_eq!(
        property_pairs(&seen[0]),
        [
            "CLUSTER=DefaultCluster",
            "PGROUP=PG",
            "REAL_QID=2",
            "REAL_TOPIC=T",
            "TRAN_MSG=true",
            "UNIQ_KEY=kept",
            "WAIT=true"
        ]
    );
    cluster.stop().await;
}

#[actix::test]
async fn half_and_op_messages_lie_where_the_reference_puts_them() {
    let cluster = Cluster::start().await;
    let mut producer = Producer::join(cluster.broker.address(), "p").await;
    let half = producer.begin("half").await;
    producer.ends(half, ROLLBACK).await;
    // Their topics come with the first round of asking.
    cluster.broker.transactions().check.send(CheckNow).await.unwrap();
    let stored = wait_for(&mut producer.client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 0, 1).await.remove(0);
    assert_eq!((stored.sys_flag, stored.queue_offset.0, stored.physical_offset.0 as i64), (0, 0, half.at));
    let op = wait_for(&mut producer.client, "RMQ_SYS_TRANS_OP_HALF_TOPIC", 0, 0, 1).await.remove(0);
    assert_eq!((bodies(std::slice::from_ref(&op)), op.sys_flag), (vec!["0".to_owned()], 0));
    assert_eq!((property_pairs(&op), op.born_host), (vec!["TAGS=d".to_owned(), "WAIT=true".into()], op.store_host));
    cluster.stop().await;
}

#[actix::test]
async fn wrong_endings_are_told_in_the_words_of_the_reference() {
    let cluster = Cluster::start().await;
    let mut producer = Producer::join(cluster.broker.address(), "p").await;
    let half = producer.begin("half").await;
    let plain = lies_at(&producer.client.ask(send_to("T", 0, "PGROUP\u{1}PG", "plain")).await);
    let missing = "Find prepared transaction message failed";
    for (wrong, text) in [
        (end(Half { at: half.at + 1, ..half }, COMMIT), missing),
        (end(Half { at: 1 << 50, ..half }, COMMIT), missing),
        (end(Half { at: -1, ..half }, ROLLBACK), missing),
        // RocketMQ would take any message for a half message.
        (end(Half { at: plain, offset: 0 }, COMMIT), missing),
        (with(end(half, COMMIT), "producerGroup", "other"), "The producer group wrong"),
        (end(Half { offset: 7, ..half }, COMMIT), "The transaction state table offset wrong"),
        (end(half, 4), "commitOrRollback field wrong: 4"),
    ] {
        let reply = producer.client.ask(wrong.clone()).await;
        assert_eq!((reply.code, reply.remark.as_deref()), (response::SYSTEM_ERROR, Some(text)), "{wrong:?}");
    }
    producer.ends(half, COMMIT).await;
    assert_eq!(bodies(&wait_for(&mut producer.client, "T", 2, 0, 1).await), ["half"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_broker_may_refuse_transactions() {
    let reject = TransactionSettings { reject: true, ..TransactionSettings::default() };
    let cluster = Cluster::start_with(|options| BrokerOptions { transactions: reject, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let reply = client.ask(with(send_to("T", 0, "TRAN_MSG\u{1}true", "half"), "f", 4)).await;
    let text = "the broker[127.0.0.1] sending transaction message is forbidden";
    assert_eq!((reply.code, reply.remark.as_deref()), (response::NO_PERMISSION, Some(text)));
    cluster.stop().await;
}

/// RocketMQ's clients take the level away; those of others do not, and RocketMQ loses their messages.
#[actix::test]
async fn a_level_of_delay_counts_from_the_commit() {
    let cluster = Cluster::start_with(|options| BrokerOptions {
        store: StoreOptions { delay_levels_ms: vec![200], ..options.store },
        ..options
    })
    .await;
    let mut producer = Producer::join(cluster.broker.address(), "p").await;
    // Levels beyond the last are the last.
    let half = producer.begin_with("DELAY\u{1}7", "late").await;
    producer.ends(half, COMMIT).await;
    assert_eq!(messages_in(&mut producer.client, "T", 2, 0).await, []);
    let late = wait_for(&mut producer.client, "T", 2, 0, 1).await;
    let aside = wait_for(&mut producer.client, "SCHEDULE_TOPIC_XXXX", 0, 0, 1).await;
    assert!(late[0].store_time.0 - aside[0].store_time.0 >= 200, "{late:?}");
    assert_eq!(late[0].prepared_transaction_offset, 0);
    cluster.stop().await;
}
