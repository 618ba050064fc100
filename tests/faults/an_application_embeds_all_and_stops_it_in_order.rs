//! A name server and a broker inside an actix application, on one thread and on several.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ferromq::actors::append_answer::AppendAnswer;
use ferromq::actors::arbiters::{Layout, start_on};
use ferromq::actors::broker::Broker;
use ferromq::actors::commitlog_actor::{AppendBatch, FlushPolicy};
use ferromq::actors::flush_actor::{FlushActor, FlushPorts};
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use ferromq::client::Connection;
use ferromq::client::connection::Limits;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{BornTime, QueueId};
use ferromq::store::{self, FileDisk, NewMessage, PutBatch};
use tempfile::TempDir;

use crate::load::{LIMIT, Load, acknowledged, codes, connect, make_topic, pull_all, pull_from, send_command};
use crate::support::{namesrv_in, small, wait_until};

/// How often the broker registers.
const EVERY: Duration = Duration::from_millis(20);

async fn serve_and_stop(directory: &TempDir, layout: Layout, connection_threads: usize) {
    let namesrv = Namesrv::builder(NamesrvOptions { layout, ..namesrv_in(directory) }).start().await.unwrap();
    let name_servers = vec![namesrv.address().to_string()];
    let options = BrokerOptions { layout, connection_threads, name_servers, register_every: EVERY, ..small(directory) };
    let flush = Arc::new(OnceLock::<FlushPorts>::new());
    let given = Arc::clone(&flush);
    let broker = Broker::builder(options)
        .flush(move |parts, on| given.get_or_init(|| start_on(on, |_| FlushActor::new(parts)).into()).clone())
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Embedded").await;
    let answers = Load { lanes: 8, messages: 20, limit: LIMIT }.run(&broker, "Embedded").await;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    assert!(pull_all(&broker, "Embedded", answers.len()).await == acknowledged(&answers), "each message once");
    broker.stop().await.unwrap();
    let writes = || flush.get().unwrap().close.connected();
    wait_until(LIMIT, "nobody writes to the store any more", || !writes()).await;
    stays_away(&namesrv).await;
    namesrv.stop().await;
}

/// A broker that has stopped does not register again.
async fn stays_away(namesrv: &Namesrv) {
    let connection = Connection::open(&namesrv.address().to_string(), Limits::default()).await.unwrap();
    let mut turns = tokio::time::interval(EVERY);
    for _ in 0..10 {
        turns.tick().await;
        let brokers = connection.call(Command::request(request::GET_BROKER_CLUSTER_INFO), LIMIT).await.unwrap();
        assert!(!String::from_utf8_lossy(&brokers.body).contains("broker-a"), "{:?}", brokers.body);
    }
}

async fn check(layout: Layout, connection_threads: usize) {
    let directory = tempfile::tempdir().unwrap();
    serve_and_stop(&directory, layout, connection_threads).await;
    let store = directory.path().join("store");
    assert!(!store.join("abort").exists(), "the mark of an unclean stop is gone");
    assert!(store.join("checkpoint").exists(), "the checkpoint is written");
    let opened = store::open(Arc::new(FileDisk), small(&directory).store, &mut |_| {}).unwrap();
    assert!(!opened.report.unclean, "{:?}", opened.report);
}

#[actix::test]
async fn on_one_thread() {
    check(Layout::OneArbiter, 0).await;
}

#[actix::test]
async fn on_several_threads() {
    check(Layout::Threads, 0).await;
}

#[actix::test]
async fn on_several_threads_with_two_for_connections() {
    check(Layout::Threads, 2).await;
}

#[actix::test]
async fn a_parked_pull_is_woken_where_everything_is_on_one_thread() {
    let directory = tempfile::tempdir().unwrap();
    let options = BrokerOptions { layout: Layout::OneArbiter, ..small(&directory) };
    let broker = Broker::builder(options).start().await.unwrap();
    make_topic(&broker, "One").await;
    let connection = connect(&broker).await;
    let pull = pull_from("One", "readers", 0, Duration::from_secs(60));
    let parked = actix::spawn({
        let connection = connection.clone();
        async move { connection.request(pull, LIMIT).await.unwrap() }
    });
    connection.call(send_command("One", 0, "awaited"), LIMIT).await.unwrap();
    assert_eq!(parked.await.unwrap().code, response::SUCCESS);
    broker.stop().await.unwrap();
}

/// Somebody in the process stores messages without a socket, and is told of each put.
#[actix::test]
async fn an_application_appends_by_message() {
    let directory = tempfile::tempdir().unwrap();
    let options = BrokerOptions { flush: FlushPolicy::Sync, ..small(&directory) };
    let segment_bytes = options.store.log_segment_bytes as usize;
    let broker = Broker::builder(options).start().await.unwrap();
    make_topic(&broker, "Inside").await;
    let topic = Topic::parse("Inside").unwrap();
    let host = broker.address();
    let message = |body| NewMessage::plain(&topic, QueueId(0), BornTime(1), host, body);
    let too_large = vec![7; segment_bytes];
    let mut puts = PutBatch::default();
    for body in [&b"first"[..], &too_large, b"second"] {
        puts.push(&message(body)).unwrap();
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    broker.append().send(AppendBatch { puts, keys: Vec::new(), answer: AppendAnswer::Caller(tell) }).await.unwrap();
    let outcomes = told.await.unwrap();
    let offsets: Vec<_> =
        outcomes.iter().map(|put| put.as_ref().ok().map(|put| put.placed[0].queue_offset.0)).collect();
    assert_eq!(offsets, [Some(0), None, Some(1)], "{outcomes:?}");
    assert_eq!(pull_all(&broker, "Inside", 2).await.len(), 2);
    broker.stop().await.unwrap();
}
