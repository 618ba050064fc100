//! A group wants what its last heartbeat said: members that want different topics take turns in being refused, and each of them
//! says so, with the names and with what to do.

use std::io;
use std::sync::{Arc, Mutex};

use ferromq::client::Wanted;
use ferromq::protocol::codes::{request, response};

use crate::fake_broker::reply;
use crate::fake_cluster::FakeCluster;
use crate::inbox::{Inbox, from_the_first};
use crate::raw::LIMIT;
use crate::support::wait_until;

/// What the process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn with_the_names_and_what_to_do() {
    let log = Log::default();
    let own = log.clone();
    // For all threads: those of the client are others than this one.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || own.clone()).init();
    let cluster = FakeCluster::start(1, |command, _| {
        let refused = || vec![reply(command, response::SUBSCRIPTION_NOT_EXIST).with_remark("not exist")];
        (command.code == request::PULL_MESSAGE).then(refused)
    })
    .await;
    let client = cluster.client().await;
    let builder = client.push_consumer("two_minds").options(from_the_first()).subscribe("T", Wanted::All);
    let consumer = builder.start(Inbox::default().listener()).await.unwrap();
    let lines = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let is_told = |line: &str| line.contains("all members of a group have to subscribe to the same");
    wait_until(LIMIT, "it is told", || lines().lines().any(is_told)).await;
    let all = lines();
    let told = all.lines().find(|line| is_told(line)).unwrap();
    assert!(told.contains("WARN") && told.contains("two_minds") && told.contains(r#"topic="T""#), "{told}");
    consumer.stop().await.unwrap();
}
