//! Actors that take what they are sent and never answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_rt::ArbiterHandle;
use ferromq::actors::arbiters::{start_on, supervise_on};
use ferromq::actors::broker::Broker;
use ferromq::actors::client_actor::{ClientActor, ClientPorts};
use ferromq::actors::commitlog_actor::{CommitLogActor, CommitLogParts, CommitLogPorts, FlushPolicy};
use ferromq::actors::dispatch_actor::{DispatchActor, DispatchPorts};
use ferromq::actors::flush_actor::{FlushActor, FlushPorts};
use ferromq::actors::hold_actor::{HoldActor, HoldPorts};
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::namesrv_actor::NamesrvPorts;
use ferromq::actors::offset_actor::{OffsetActor, OffsetParts, OffsetPorts};
use ferromq::actors::options::BrokerOptions;
use ferromq::actors::queue_actor::QueuePorts;
use ferromq::actors::registration_actor::RegistrationActor;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::headers::offset::QueryConsumerOffset;

use crate::load::{LIMIT, Load, codes, connect, make_topic, pull_all, pull_from, words_of};
use crate::raw::{Raw, ask_for};
use crate::support::{namesrv_in, small};
use crate::writers::{deaf, deaf_here};

/// The longest that a request may stay unanswered.
const UNANSWERED_MAX: Duration = Duration::from_secs(5);

/// Asks many times at once and has every answer in time.
async fn check_busy(broker: &Broker, ask: impl Fn() -> Command) {
    let connection = connect(broker).await;
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let (connection, command) = (connection.clone(), ask());
            actix::spawn(async move { connection.request(command, UNANSWERED_MAX).await.unwrap() })
        })
        .collect();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.code, response::SYSTEM_BUSY, "{:?}", answer.remark);
    }
}

fn deaf_offsets(parts: OffsetParts, on: &ArbiterHandle) -> OffsetPorts {
    let ports: OffsetPorts = supervise_on(on, |_| OffsetActor::new(parts)).into();
    OffsetPorts { requests: deaf(on), commit: deaf(on), forget: deaf(on), persist: deaf(on), ..ports }
}

fn deaf_writer(parts: CommitLogParts, on: &ArbiterHandle) -> CommitLogPorts {
    let ports: CommitLogPorts = start_on(on, |_| CommitLogActor::new(parts)).into();
    CommitLogPorts { append: deaf(on), synced: deaf(on), seal: deaf(on), ..ports }
}

#[actix::test]
async fn sends_to_a_deaf_writer_are_told_busy() {
    let directory = tempfile::tempdir().unwrap();
    check_deaf_writer(small(&directory)).await;
}

/// `brokerFastFailureEnable=false`.
#[actix::test]
async fn also_without_a_limit_to_their_wait() {
    let directory = tempfile::tempdir().unwrap();
    check_deaf_writer(BrokerOptions { send_wait: None, ..small(&directory) }).await;
}

async fn check_deaf_writer(options: BrokerOptions) {
    let broker = Broker::builder(options).commit_log(deaf_writer).start().await.unwrap();
    make_topic(&broker, "Deaf").await;
    let answers = Load { lanes: 20, messages: 1, limit: UNANSWERED_MAX }.run(&broker, "Deaf").await;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SYSTEM_BUSY, answers.len())]);
    let words = words_of(&answers, response::SYSTEM_BUSY);
    assert!(words.starts_with("[TIMEOUT_CLEAN_QUEUE]broker busy"), "{words}");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn pulls_from_a_deaf_queue_are_told_busy_while_sends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let wrap = |ports: QueuePorts| QueuePorts { pull: deaf_here(), ..ports };
    let broker = Broker::builder(small(&directory)).queue(wrap).start().await.unwrap();
    make_topic(&broker, "Deaf").await;
    let load = Load { lanes: 4, messages: 50, limit: LIMIT }.run(&broker, "Deaf");
    let pulls = check_busy(&broker, || pull_from("Deaf", "readers", 0, Duration::ZERO));
    let (answers, ()) = tokio::join!(load, pulls);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}

/// Stored they are, and so consumers see them; but no sync comes back.
#[actix::test]
async fn sends_whose_sync_a_deaf_actor_has_are_told_that_it_is_late() {
    let directory = tempfile::tempdir().unwrap();
    let sync_limit = Duration::from_millis(300);
    let options = BrokerOptions { flush: FlushPolicy::Sync, sync_limit, ..small(&directory) };
    let broker = Broker::builder(options)
        .flush(|parts, on| {
            let ports: FlushPorts = start_on(on, |_| FlushActor::new(parts)).into();
            FlushPorts { await_sync: deaf(on), ..ports }
        })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    let answers = Load { lanes: 20, messages: 2, limit: UNANSWERED_MAX }.run(&broker, "Deaf").await;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::FLUSH_DISK_TIMEOUT, answers.len())]);
    let mut sent: Vec<_> = answers.iter().map(|(body, _)| body.clone()).collect();
    sent.sort();
    assert!(pull_all(&broker, "Deaf", sent.len()).await == sent, "each message once");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn pulls_that_a_deaf_actor_holds_are_told_busy_when_their_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory))
        .hold(|parts, on| {
            let ports: HoldPorts = supervise_on(on, |_| HoldActor::new(parts)).into();
            HoldPorts { park: deaf(on), ..ports }
        })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    check_busy(&broker, || pull_from("Deaf", "readers", 0, Duration::from_millis(200))).await;
    broker.stop().await.unwrap();
}

/// A 4.9.7 consumer takes any refusal of this question for "no offset" and goes to the end of the queue.
#[actix::test]
async fn a_question_for_an_offset_is_rather_not_answered_than_refused() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory)).offset(deaf_offsets).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    let header = QueryConsumerOffset {
        consumer_group: "readers".into(),
        topic: "Deaf".into(),
        queue_id: 0,
        set_zero_if_not_found: None,
    };
    let query = Command::request(request::QUERY_CONSUMER_OFFSET).with_ext(header.to_ext());
    client.send_as(query, Serialization::Json).await;
    // What is asked later is told busy, and each answer is to what was asked last.
    for _ in 0..2 {
        let busy = client.ask(Command::request(request::GET_ALL_CONSUMER_OFFSET)).await;
        assert_eq!(busy.code, response::SYSTEM_BUSY, "{busy:?}");
    }
    broker.stop().await.unwrap();
}

#[actix::test]
async fn questions_to_deaf_actors_are_told_busy_while_sends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory))
        .offset(deaf_offsets)
        .client(|parts, on| {
            let ports: ClientPorts = supervise_on(on, |_| ClientActor::new(parts)).into();
            ClientPorts { requests: deaf(on), closed: deaf(on), ask_producer: deaf(on), ..ports }
        })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    let load = Load { lanes: 4, messages: 50, limit: LIMIT }.run(&broker, "Deaf");
    let offsets = check_busy(&broker, || Command::request(request::GET_ALL_CONSUMER_OFFSET));
    let heartbeats = check_busy(&broker, || Command::request(request::HEART_BEAT).with_body("{}".into()));
    let (answers, (), ()) = tokio::join!(load, offsets, heartbeats);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn pulls_from_queues_that_a_deaf_dispatcher_does_not_open_are_told_busy_while_sends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(small(&directory))
        .dispatch(|parts, on| {
            let ports: DispatchPorts = start_on(on, |_| DispatchActor::new(parts)).into();
            DispatchPorts { open_queue: deaf(on), ..ports }
        })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    make_topic(&broker, "Unopened").await;
    let load = Load { lanes: 4, messages: 50, limit: LIMIT }.run(&broker, "Deaf");
    let pulls = check_busy(&broker, || pull_from("Unopened", "readers", 0, Duration::ZERO));
    let (answers, ()) = tokio::join!(load, pulls);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn a_broker_that_registers_with_a_deaf_name_server_serves() {
    let directory = tempfile::tempdir().unwrap();
    let namesrv = Namesrv::builder(namesrv_in(&directory))
        .namesrv(|_, on| NamesrvPorts { requests: deaf(on), closed: deaf(on) })
        .start()
        .await
        .unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let registrations = Arc::clone(&asked);
    let options = BrokerOptions { name_servers: vec![namesrv.address().to_string()], ..small(&directory) };
    let broker = Broker::builder(options)
        .registration(move |parts, on| {
            registrations.fetch_add(1, Ordering::Relaxed);
            supervise_on(on, |_| RegistrationActor::new(parts)).into()
        })
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Deaf").await;
    let answers = Load { lanes: 4, messages: 10, limit: LIMIT }.run(&broker, "Deaf").await;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    let mut client = Raw::connect(namesrv.address()).await;
    let busy = client.ask(ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"Deaf")])).await;
    assert_eq!((busy.code, asked.load(Ordering::Relaxed)), (response::SYSTEM_BUSY, 1));
    broker.stop().await.unwrap();
    namesrv.stop().await;
}
