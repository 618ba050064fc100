//! The real binary, stopped and killed between a send and its repetition.

use ferromq::protocol::codes::{request, response};

use crate::binary::Ferromq;
use crate::messages::{bodies, messages_in, wait_for};
use crate::raw::{Raw, ask_for, send_to};
use crate::topics::{Answer, answer, make, send};

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c small.conf --data data";
const UNIQ: &str = "UNIQ_KEY\u{1}";
/// Properties of sends that go to different places first.
const KINDS: [&str; 3] = ["", "DELAY\u{1}3\u{2}", "TIMER_DELAY_MS\u{1}10000\u{2}"];

fn small() -> Ferromq {
    // Ports differ from start to start, and are part of the ids.
    Ferromq::new().with_small_store("timerWheelEnable=true\n")
}

/// What of an answer does not name the broker: the place, the queue and the number in it.
fn place(answer: &Answer) -> (String, i64, i64) {
    (answer.ids[answer.ids.len() - 16..].to_owned(), answer.queue_id, answer.queue_offset)
}

async fn send_all(client: &mut Raw) -> Vec<(String, i64, i64)> {
    let mut places = Vec::new();
    for number in 0..300 {
        let kind = KINDS[number % KINDS.len()];
        let answer =
            send(client, "T", (number % 8) as i32, &format!("{kind}{UNIQ}{number}"), &number.to_string()).await;
        places.push(place(&answer));
    }
    places
}

#[actix::test]
async fn sends_are_known_again_after_a_kill_and_after_a_stop() {
    let ferromq = small();
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    make(&mut client, "T").await;
    let first = send_all(&mut client).await;
    // SIGKILL.
    drop(serving);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    assert_eq!(send_all(&mut client).await, first, "after a kill");
    assert_eq!(serving.terminate().code, 0);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    assert_eq!(send_all(&mut client).await, first, "after a stop");
    // Queue 0 has every eighth; of these every third is there at once.
    let there = wait_for(&mut client, "T", 0, 0, 13).await;
    let expected: Vec<String> = (0..300).step_by(24).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&there), expected);
    assert_eq!(messages_in(&mut client, "T", 0, 13).await, []);
    serving.terminate();
}

/// Producers that are told nothing send again: to whatever the broker had of it, each message is there once.
#[actix::test]
async fn a_kill_in_the_middle_of_sends_leaves_each_once() {
    let ferromq = small();
    let mut serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    make(&mut client, "T").await;
    for round in 0..3 {
        for number in 0..100 {
            let send = send_to("T", 0, &format!("{UNIQ}{round}-{number}"), format!("{round}-{number}"));
            client.send_as(send, ferromq::protocol::command::Serialization::Json).await;
        }
        // Some of them are answered.
        for _ in 0..round * 20 + 1 {
            client.next().await.unwrap();
        }
        drop(serving);
        serving = ferromq.serve(SERVE);
        client = Raw::connect(serving.broker()).await;
        for number in 0..100 {
            let again = send_to("T", 0, &format!("{UNIQ}{round}-{number}"), format!("{round}-{number}"));
            answer(&client.ask(again).await);
        }
    }
    let expected: Vec<String> =
        (0..3).flat_map(|round| (0..100).map(move |number| format!("{round}-{number}"))).collect();
    let mut there = bodies(&wait_for(&mut client, "T", 0, 0, 300).await);
    assert_eq!(messages_in(&mut client, "T", 0, 300).await, []);
    there.sort();
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(there, sorted);
    serving.terminate();
}

/// What was sent to a topic that was deleted is not held against the one that was made anew.
#[actix::test]
async fn a_topic_that_is_made_anew_has_seen_nothing_after_a_kill() {
    let ferromq = small();
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    make(&mut client, "T").await;
    send(&mut client, "T", 0, &format!("{UNIQ}a"), "of the old topic").await;
    let deleted = client.ask(ask_for(request::DELETE_TOPIC_IN_BROKER, &[("topic", &"T")])).await;
    assert_eq!(deleted.code, response::SUCCESS, "{deleted:?}");
    make(&mut client, "T").await;
    drop(serving);
    let serving = ferromq.serve(SERVE);
    let mut client = Raw::connect(serving.broker()).await;
    send(&mut client, "T", 0, &format!("{UNIQ}a"), "of the new topic").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["of the new topic"]);
    serving.terminate();
}
