//! The real binary, killed without warning: what it acknowledged is there when it is started again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ferromq::client::route::subscribe_queues;
use ferromq::client::{Client, ClientOptions, Connections, OutgoingMessage, Puller, Routes};
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::QueueOffset;
use tempfile::TempDir;

/// A `ferromq standalone` on ports of its own; killed when it goes.
struct Standalone {
    process: Child,
    name_server: String,
}

impl Standalone {
    fn start(directory: &TempDir, flush: &str) -> Self {
        let config = directory.path().join("broker.conf");
        std::fs::write(&config, format!("flushDiskType={flush}\nmappedFileSizeCommitLog=1048576\n")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_ferromq"))
            .args(["standalone", "--port", "0", "--namesrv-port", "0", "--log-level", "error", "--data"])
            .arg(directory.path().join("data"))
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let name_server = ready.strip_prefix("ready: name server on ").unwrap().split(',').next().unwrap().to_owned();
        Self { process, name_server }
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        // SIGKILL; the process may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn topic() -> Topic {
    Topic::parse("Kept").unwrap()
}

/// Sends `count` messages and tells which were acknowledged.
async fn send(standalone: &Standalone, round: usize, count: usize) -> Vec<String> {
    let client = Client::new(ClientOptions::of(&standalone.name_server)).await.unwrap();
    let producer = client.producer("writers").start().await.unwrap();
    let mut acknowledged = Vec::new();
    for number in 0..count {
        // Bodies of a kilobyte roll over several segments.
        let body = format!("{round}-{number:04}-{}", "x".repeat(1_000));
        producer.send(&OutgoingMessage::new(topic(), body.clone())).await.unwrap();
        acknowledged.push(body);
    }
    acknowledged
}

async fn read_all(standalone: &Standalone) -> Vec<String> {
    let routes = Routes::new(Connections::default(), &standalone.name_server).unwrap();
    let puller = Puller::new(Connections::default(), GroupName::parse("readers").unwrap(), topic());
    let mut bodies = Vec::new();
    for queue in subscribe_queues(&routes.of(&topic()).await.unwrap()) {
        let mut offset = QueueOffset(0);
        while offset < puller.max_offset(&queue).await.unwrap() {
            let pulled = puller.pull(&queue, offset, 32, Duration::ZERO).await.unwrap();
            bodies.extend(pulled.messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()));
            offset = pulled.next;
        }
    }
    bodies.sort();
    bodies
}

async fn check(flush: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let standalone = Standalone::start(&directory, flush);
        acknowledged.extend(send(&standalone, round, 700).await);
        drop(standalone);
    }
    let standalone = Standalone::start(&directory, flush);
    let read = read_all(&standalone).await;
    assert_eq!(read.len(), acknowledged.len(), "messages after three kills");
    assert!(read == acknowledged, "the same messages, each once");
}

#[actix::test]
async fn nothing_acknowledged_is_lost_under_async_flush() {
    check("ASYNC_FLUSH").await;
}

#[actix::test]
async fn nothing_acknowledged_is_lost_under_sync_flush() {
    check("SYNC_FLUSH").await;
}
