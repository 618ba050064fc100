//! The real binary where it cannot start: its exit code, its one line, and that whoever was there first goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use ferromq::protocol::codes::response;

use crate::binary::{Ferromq, Serving};
use crate::raw::{Raw, send_to};
use crate::refused_with_one_clear_line::files;

const STANDALONE: &str = "standalone --port 0 --namesrv-port 0 -c small.conf --data data";
const BROKER: &str = "broker --host 127.0.0.1 --port 0 -c small.conf --data data";
/// The command failed, as opposed to: it was called in a wrong way.
const EXIT_FAILURE: i32 = 1;

/// Ends by itself with the code of a failure, and with one line that holds each of `words`.
#[track_caller]
pub(crate) fn refused(ferromq: &Ferromq, arguments: &str, words: &[&str]) {
    let ran = ferromq.run(arguments);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.lines().count()),
        (EXIT_FAILURE, "", 1),
        "{arguments}: {}",
        ran.err
    );
    assert!(ran.err.starts_with("error: "), "{arguments}: {}", ran.err);
    assert!(words.iter().all(|word| ran.err.contains(word)), "{arguments}: {}: should say {words:?}", ran.err);
    assert!(ran.err.matches("(os error").count() < 2, "{arguments}: says twice what the system says: {}", ran.err);
}

/// The same files with the same content; of those that are not, only the names are shown.
#[track_caller]
pub(crate) fn unchanged(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>, when: &str) {
    let names = before.keys().chain(after.keys()).collect::<BTreeSet<_>>();
    let changed: Vec<_> = names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect();
    assert!(changed.is_empty(), "{when}: changed, made or removed: {changed:?}");
}

async fn takes(server: &Serving, offset: i64) {
    let stored = Raw::connect(server.broker()).await.ask(send_to("Kept", 0, "", "x")).await;
    assert_eq!((stored.code, stored.ext.int64("queueOffset").unwrap()), (response::SUCCESS, offset));
}

#[actix::test]
async fn a_directory_that_another_process_has() {
    let ferromq = Ferromq::new().with_small_store("");
    let first = ferromq.serve(STANDALONE);
    takes(&first, 0).await;
    let lock = ferromq.path().canonicalize().unwrap().join("data/store/lock").display().to_string();
    for arguments in [STANDALONE, BROKER] {
        refused(&ferromq, arguments, &["Lock failed,MQ already started", &lock, "another broker"]);
    }
    assert!(ferromq.path().join("data/store/abort").exists(), "the mark of the first one");
    takes(&first, 1).await;
    let ended = first.terminate();
    assert!(ended.code == 0 && !ended.err.contains("WARN") && !ended.err.contains("ERROR"), "{ended:?}");
    let next = ferromq.serve(BROKER);
    takes(&next, 2).await;
    let ended = next.terminate();
    assert!(ended.code == 0 && !ended.err.contains("unclean"), "{ended:?}");
}

/// The lock is the system's, so a process that was killed keeps nobody out.
#[actix::test]
async fn a_directory_that_a_killed_process_had_is_free() {
    let ferromq = Ferromq::new().with_small_store("");
    let first = ferromq.serve(BROKER);
    takes(&first, 0).await;
    drop(first);
    let next = ferromq.serve(BROKER);
    takes(&next, 1).await;
    assert_eq!(next.terminate().code, 0);
}

/// A port that is taken, and a free one two above it: below those that the system hands out, so that nobody is given the
/// free one meanwhile.
fn taken_and_two_above() -> (TcpListener, SocketAddr, u16) {
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 8;
    let mut pairs = (first..30_000).step_by(4).filter_map(|port| {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port + 2)).ok()?;
        let address = taken.local_addr().unwrap();
        Some((taken, address, port + 2))
    });
    pairs.next().expect("a free port")
}

#[test]
fn a_port_in_use() {
    let ferromq = Ferromq::new().with_small_store("");
    let (_taken, address, above) = taken_and_two_above();
    let port = address.port();
    let words = [&*format!("cannot listen at {address}"), "in use"];
    for arguments in [
        &*format!("namesrv --host 127.0.0.1 --port {port} --data data"),
        &*format!("broker --host 127.0.0.1 --port {port} -c small.conf --data data"),
        // The fast port lies two below the port.
        &*format!("broker --host 127.0.0.1 --port {above} -c small.conf --data data"),
        &*format!("standalone --namesrv-port {port} --port 0 -c small.conf --data data"),
        &*format!("standalone --namesrv-port 0 --port {port} -c small.conf --data data"),
    ] {
        refused(&ferromq, arguments, &words);
        assert_eq!(files(&ferromq.path().join("data")).len(), 0, "{arguments}: nothing was begun");
    }
}

#[test]
fn stores_of_other_kinds() {
    for (folder, words) in [
        ("dledger-n0/data", ["data/store/dledger-n0 ", "DLedger"]),
        ("batchconsumequeue/T/0", ["data/store/batchconsumequeue ", "inner batches"]),
    ] {
        let ferromq = Ferromq::new().with_small_store("");
        let folder = ferromq.path().join("data/store").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("00000000000000000000"), b"theirs").unwrap();
        let before = files(ferromq.path());
        for arguments in [STANDALONE, BROKER] {
            refused(&ferromq, arguments, &words);
            unchanged(&before, &files(ferromq.path()), arguments);
        }
    }
}

/// RocketMQ 5 makes the directory whether it needs it or not.
#[test]
fn an_empty_queue_of_inner_batches_keeps_nobody_out() {
    let ferromq = Ferromq::new().with_small_store("");
    fs::create_dir_all(ferromq.path().join("data/store/batchconsumequeue")).unwrap();
    assert_eq!(ferromq.serve(BROKER).terminate().code, 0);
}
