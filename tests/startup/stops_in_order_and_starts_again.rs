//! The real binary told to end: it does so in order, and what was there is there at the next start.

use bytes::Bytes;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::message;
use rustix::process::Signal;

use crate::binary::{Ferromq, Ran, Serving};
use crate::raw::{Raw, pull_from, send_to, waiting_pull_from};

const STANDALONE: &str = "standalone --port 0 --namesrv-port 0 -c small.conf --data data";
/// What a start says that found the mark of an unclean stop.
const RECOVERED: &str = "recovered after an unclean stop";

/// Sends some messages, the first of which is `from`.
async fn send(server: &Serving, from: i64) {
    let mut client = Raw::connect(server.broker()).await;
    for number in from..from + 10 {
        let stored = client.ask(send_to("Kept", 0, "", format!("body {number}"))).await;
        assert_eq!((stored.code, stored.ext.int64("queueOffset").unwrap()), (response::SUCCESS, number));
    }
}

/// The first so many messages are there, in order.
async fn has(server: &Serving, count: i64) {
    let pulled = Raw::connect(server.broker()).await.pull(pull_from("Kept", 0, 0, 32)).await;
    let bodies: Vec<Bytes> =
        message::decode_all(pulled.body).unwrap().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, (0..count).map(|number| Bytes::from(format!("body {number}"))).collect::<Vec<_>>());
}

/// Whether the store is marked as open, or as not closed in order.
fn marked(ferromq: &Ferromq) -> bool {
    ferromq.path().join("data/store/abort").exists()
}

#[track_caller]
fn in_order(ferromq: &Ferromq, ended: &Ran) {
    assert_eq!((ended.code, ended.out.lines().count()), (0, 1), "{ended:?}");
    assert!(!marked(ferromq), "abort is still there");
    assert!(!ended.err.contains("WARN") && !ended.err.contains("ERROR"), "{}", ended.err);
}

#[actix::test]
async fn after_a_signal_the_next_start_is_clean() {
    let ferromq = Ferromq::new().with_small_store("");
    for (round, signal) in [(0, Signal::TERM), (1, Signal::INT), (2, Signal::TERM)] {
        let server = ferromq.serve(STANDALONE);
        if round > 0 {
            has(&server, round * 10).await;
        }
        send(&server, round * 10).await;
        assert!(marked(&ferromq), "an open store is marked");
        in_order(&ferromq, &server.end_with(signal));
    }
}

/// The other way to end, which shows that the mark and the words are looked for rightly.
#[actix::test]
async fn after_a_kill_the_next_start_looks_closely() {
    let ferromq = Ferromq::new().with_small_store("");
    let server = ferromq.serve(STANDALONE);
    send(&server, 0).await;
    drop(server);
    assert!(marked(&ferromq));
    let server = ferromq.serve(STANDALONE);
    has(&server, 10).await;
    send(&server, 10).await;
    let ended = server.terminate();
    assert!(ended.code == 0 && ended.err.contains(RECOVERED), "{ended:?}");
    assert!(!marked(&ferromq));
    let server = ferromq.serve(STANDALONE);
    has(&server, 20).await;
    in_order(&ferromq, &server.terminate());
}

#[actix::test]
async fn clients_that_wait_do_not_keep_it_from_ending() {
    let ferromq = Ferromq::new().with_small_store("");
    let server = ferromq.serve(STANDALONE);
    send(&server, 0).await;
    let mut waiting = Raw::connect(server.broker()).await;
    waiting.send_as(waiting_pull_from("Kept", 0, 10, 1), Serialization::Json).await;
    // A connection that says nothing, and one that has been heard out behind the pull.
    let mut idle = Raw::connect(server.broker()).await;
    has(&server, 10).await;
    in_order(&ferromq, &server.terminate());
    assert!(idle.is_closed().await);
    while waiting.next().await.is_some() {}
    let server = ferromq.serve(STANDALONE);
    has(&server, 10).await;
    in_order(&ferromq, &server.terminate());
}

#[test]
fn servers_alone_end_as_well() {
    let ferromq = Ferromq::new().with_small_store("");
    let namesrv = ferromq.serve("namesrv --host 127.0.0.1 --port 0 --data data");
    let name_server = namesrv.name_server();
    let broker = ferromq.serve(&format!("broker --host 127.0.0.1 --port 0 -n {name_server} -c small.conf --data data"));
    in_order(&ferromq, &broker.terminate());
    in_order(&ferromq, &namesrv.terminate());
    // Nobody answers there, and the broker serves all the same.
    let broker = ferromq.serve("broker --host 127.0.0.1 --port 0 -n 127.0.0.1:1 -c small.conf --data data");
    let ended = broker.terminate();
    assert!(ended.code == 0 && !marked(&ferromq) && !ended.err.contains(RECOVERED), "{ended:?}");
}
