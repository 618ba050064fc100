//! The real binary, killed while messages wait for their time: each is delivered after the next start, and none that was
//! taken back.

use std::collections::BTreeSet;

use crate::binary::Ferromq;
use crate::messages::{bodies, lies_at, wait_for};
use crate::raw::{Raw, send_to};
use ferromq::time::{Clock, SystemClock};

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c small.conf --data data";

#[actix::test]
async fn each_message_is_delivered_after_a_kill() {
    let ferromq = Ferromq::new().with_small_store("timerWheelEnable=true\n");
    let mut expected = BTreeSet::new();
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    let begin = SystemClock::new().now_ms();
    for number in 0..200 {
        let (body, due) = (format!("{number:03}"), begin + 500 + number * 10);
        let properties = format!("TIMER_DELIVER_MS\u{1}{due}\u{2}UNIQ_KEY\u{1}{body}");
        lies_at(&client.ask(send_to("T", 0, &properties, body.clone())).await);
        // Those of the last half second are taken back, every other one of them.
        if number >= 150 && number % 2 == 0 {
            let cancels = format!("TIMER_DELIVER_MS\u{1}{due}\u{2}TIMER_DEL_UNIQKEY\u{1}{body}");
            lies_at(&client.ask(send_to("T", 0, &cancels, "")).await);
        } else {
            expected.insert(body);
        }
    }
    // SIGKILL in the middle of the deliveries.
    wait_for(&mut client, "T", 0, 0, 1).await;
    drop(serving);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    let (mut delivered, mut next) = (BTreeSet::new(), 0);
    while !delivered.is_superset(&expected) {
        let messages = wait_for(&mut client, "T", 0, next, 1).await;
        next += messages.len() as i64;
        delivered.extend(bodies(&messages));
    }
    assert_eq!(delivered, expected);
    serving.terminate();
}

/// A stop writes down what is done with.
#[actix::test]
async fn nothing_is_delivered_twice_after_a_stop() {
    let ferromq = Ferromq::new().with_small_store("timerWheelEnable=true\n");
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    for number in 0..50 {
        lies_at(&client.ask(send_to("T", 0, "TIMER_DELAY_MS\u{1}300", format!("{number}"))).await);
    }
    wait_for(&mut client, "T", 0, 0, 50).await;
    assert_eq!(serving.terminate().code, 0);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    // What is sent now falls due after everything that might come again.
    lies_at(&client.ask(send_to("T", 0, "TIMER_DELAY_MS\u{1}300", "last")).await);
    let all = bodies(&wait_for(&mut client, "T", 0, 0, 51).await);
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).chain(["last".into()]).collect();
    assert_eq!(all, expected);
    serving.terminate();
}

/// An entry that RocketMQ has made anew from the log has the hash code of the message's tags where FerroMQ notes the time.
#[actix::test]
async fn what_was_taken_in_is_delivered_though_its_entry_tells_no_time() {
    let ferromq = Ferromq::new().with_small_store("timerWheelEnable=true\n");
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    lies_at(&client.ask(send_to("T", 0, "TAGS\u{1}A\u{2}TIMER_DELAY_MS\u{1}3000", "waits")).await);
    // When this one is delivered both were taken in, which the stop writes down.
    lies_at(&client.ask(send_to("T", 0, "TIMER_DELAY_MS\u{1}10", "soon")).await);
    wait_for(&mut client, "T", 0, 0, 1).await;
    assert_eq!(serving.terminate().code, 0);
    let queue = ferromq.path().join("data/store/consumequeue/rmq_sys_wheel_timer/0/00000000000000000000");
    let mut entries = std::fs::read(&queue).unwrap();
    entries[12..20].copy_from_slice(&i64::from(b'A').to_be_bytes());
    std::fs::write(&queue, entries).unwrap();
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 1, 1).await), ["waits"]);
    serving.terminate();
}
