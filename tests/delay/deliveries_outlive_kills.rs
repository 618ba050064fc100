//! The real binary, killed while messages wait: each is delivered after the next start, those that fell due meanwhile at
//! once, and none is lost.

use std::collections::BTreeSet;

use crate::binary::Ferromq;
use crate::messages::{bodies, lies_at, wait_for};
use crate::raw::{Raw, send_to};

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c small.conf --data data";

#[actix::test]
async fn each_message_is_delivered_after_a_kill() {
    let ferromq = Ferromq::new().with_small_store("messageDelayLevel=1s 2s\n");
    let mut sent = BTreeSet::new();
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    for number in 0..200 {
        let body = format!("{number:03}");
        lies_at(&client.ask(send_to("T", 0, &format!("DELAY\u{1}{}", 1 + number % 2), body.clone())).await);
        sent.insert(body);
    }
    // SIGKILL in the middle of the first level's deliveries.
    wait_for(&mut client, "T", 0, 0, 1).await;
    drop(serving);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    let mut delivered = BTreeSet::new();
    let mut next = 0;
    while delivered.len() < sent.len() {
        let messages = wait_for(&mut client, "T", 0, next, 1).await;
        next += messages.len() as i64;
        delivered.extend(bodies(&messages));
    }
    assert_eq!(delivered, sent);
    serving.terminate();
}

/// A stop writes down how far deliveries have come.
#[actix::test]
async fn nothing_is_delivered_twice_after_a_stop() {
    let ferromq = Ferromq::new().with_small_store("messageDelayLevel=1s 1h\n");
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    for number in 0..50 {
        lies_at(&client.ask(send_to("T", 0, "DELAY\u{1}1", format!("{number}"))).await);
    }
    wait_for(&mut client, "T", 0, 0, 50).await;
    assert_eq!(serving.terminate().code, 0);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    // What is sent now falls due after everything that might come again.
    lies_at(&client.ask(send_to("T", 0, "DELAY\u{1}1", "last")).await);
    let all = bodies(&wait_for(&mut client, "T", 0, 0, 51).await);
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).chain(["last".into()]).collect();
    assert_eq!(all, expected);
    serving.terminate();
}
