//! The real binary, killed with transactions in every state: what was committed is seen, what was rolled back is not, and
//! about the others their producer is asked.

use std::collections::BTreeSet;

use ferromq::protocol::command::Serialization;

use crate::binary::Ferromq;
use crate::messages::{bodies, wait_for};
use crate::producer::{COMMIT, Producer, ROLLBACK, end};
use crate::raw::Raw;

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c small.conf --data data";
const SETTINGS: &str = "transactionTimeOut=0\ntransactionCheckInterval=100\nflushIntervalCommitLog=10\n";

#[actix::test]
async fn each_transaction_ends_as_its_producer_said() {
    let ferromq = Ferromq::new().with_small_store(SETTINGS);
    let mut committed = BTreeSet::new();
    for round in 0..3 {
        let serving = ferromq.serve(SERVE);
        let mut producer = Producer::join(serving.broker(), "p").await.born_now();
        for number in 0..20 {
            let body = format!("{round}-{number}");
            let half = producer.begin(&body).await;
            match number % 3 {
                0 => {
                    producer.ends(half, COMMIT).await;
                    committed.insert(body);
                }
                1 => producer.ends(half, ROLLBACK).await,
                // Left open; whoever is asked after the kill commits it.
                _ => drop(committed.insert(body)),
            }
        }
        drop(serving);
    }
    let serving = ferromq.serve(SERVE);
    let mut producer = Producer::join(serving.broker(), "p").await.born_now();
    let mut reader = Raw::connect(serving.broker()).await;
    let answering = actix::spawn(async move {
        loop {
            let (copy, message) = producer.is_asked().await;
            assert_eq!(message.property("PGROUP"), Some("PG"));
            // Waiting for the answer, it would miss the next question.
            producer.client.send_as(end(copy, COMMIT).oneway(), Serialization::Json).await;
        }
    });
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while !committed.is_subset(&seen) {
        let messages = wait_for(&mut reader, "T", 2, next, 1).await;
        next += messages.len() as i64;
        seen.extend(bodies(&messages));
    }
    assert_eq!(seen, committed, "nothing is seen that was rolled back");
    answering.abort();
    serving.terminate();
}
