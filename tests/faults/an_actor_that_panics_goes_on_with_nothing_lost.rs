//! Actors that a panic does not end: one request is given up, the rest goes on.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::arbiters::supervise_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::builder::BrokerBuilder;
use ferromq::actors::client_actor::ClientActor;
use ferromq::actors::group_actor::GroupActor;
use ferromq::actors::hold_actor::HoldActor;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::namesrv_actor::NamesrvActor;
use ferromq::actors::options::BrokerOptions;
use ferromq::actors::topic_actor::TopicActor;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::headers::offset::{QueryConsumerOffset, UpdateConsumerOffset};
use tempfile::TempDir;

use crate::fragile::{FragileClock, FragileDisk};
use crate::load::{
    LIMIT, Load, acknowledged, codes, connect, make_topic, pull_all, pull_from, send_command, topic_command,
};
use crate::raw::{Raw, ask_for};
use crate::support::{namesrv_in, small, wait_until};

/// Sends under way while an actor panics: none of them may notice.
const LOAD: Load = Load { lanes: 8, messages: 40, limit: LIMIT };

async fn start(directory: &TempDir, change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Broker {
    let broker = change(Broker::builder(small(directory))).start().await.unwrap();
    make_topic(&broker, "Steady").await;
    broker
}

/// Asks `first` and then `again` under load: the first is given up, the other is served, and no message is lost.
async fn check(broker: Broker, first: Command, again: Command) {
    let connection = connect(&broker).await;
    let asked = async {
        let given_up = connection.request(first, LIMIT).await.unwrap();
        assert_eq!(given_up.code, response::SYSTEM_ERROR, "{:?}", given_up.remark);
        let served = connection.request(again, LIMIT).await.unwrap();
        let fine = [response::SUCCESS, response::PULL_NOT_FOUND];
        assert!(fine.contains(&served.code), "{} {:?}", served.code, served.remark);
    };
    let (answers, ()) = tokio::join!(LOAD.run(&broker, "Steady"), asked);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    assert!(pull_all(&broker, "Steady", answers.len()).await == acknowledged(&answers), "each message once");
    assert!(broker.faults().terminal().is_none(), "the broker goes on");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn the_topic_actor() {
    let directory = tempfile::tempdir().unwrap();
    // The first look is for the topic of the load.
    let clock = FragileClock::breaking_at_look(2);
    let broker = start(&directory, |builder| {
        builder.topic(|mut parts, on| {
            parts.clock = clock;
            supervise_on(on, |_| TopicActor::new(parts)).into()
        })
    });
    check(broker.await, topic_command("Second"), topic_command("Second")).await;
    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    for topic in ["Steady", "Second"] {
        let sent = connect(&broker).await.request(send_command(topic, 0, "known"), LIMIT).await.unwrap();
        assert_eq!(sent.code, response::SUCCESS, "{:?}", sent.remark);
    }
    broker.stop().await.unwrap();
}

#[actix::test]
async fn the_group_actor() {
    let directory = tempfile::tempdir().unwrap();
    let clock = FragileClock::breaking_at_look(1);
    let broker = start(&directory, |builder| {
        builder.group(|mut parts, on| {
            parts.clock = clock;
            supervise_on(on, |_| GroupActor::new(parts)).into()
        })
    });
    // A pull of a group that is not known yet makes it.
    let pull = || pull_from("Steady", "newcomers", 0, Duration::ZERO);
    check(broker.await, pull(), pull()).await;
}

#[actix::test]
async fn the_client_actor() {
    let directory = tempfile::tempdir().unwrap();
    let clock = FragileClock::breaking_at_look(1);
    let broker = start(&directory, |builder| {
        builder.client(|mut parts, on| {
            parts.clock = clock;
            supervise_on(on, |_| ClientActor::new(parts)).into()
        })
    });
    let heartbeat = || {
        let body = r#"{"clientID":"c@1","producerDataSet":[{"groupName":"writers"}],"consumerDataSet":[]}"#;
        Command::request(request::HEART_BEAT).with_body(body.into())
    };
    check(broker.await, heartbeat(), heartbeat()).await;
}

#[actix::test]
async fn the_offset_actor() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FragileDisk::breaking_at("consumerOffset.json");
    let options =
        || BrokerOptions { disk: disk.clone(), persist_offsets_every: Duration::from_millis(5), ..small(&directory) };
    let broker = Broker::builder(options()).start().await.unwrap();
    make_topic(&broker, "Steady").await;
    let (consumer_group, topic) = (String::from("readers"), String::from("Steady"));
    let update = UpdateConsumerOffset {
        consumer_group: consumer_group.clone(),
        topic: topic.clone(),
        queue_id: 0,
        commit_offset: 7,
    };
    let query = QueryConsumerOffset { consumer_group, topic, queue_id: 0, set_zero_if_not_found: None };
    let query = || Command::request(request::QUERY_CONSUMER_OFFSET).with_ext(query.to_ext());
    let connection = connect(&broker).await;
    let asked = async {
        let update = Command::request(request::UPDATE_CONSUMER_OFFSET).with_ext(update.to_ext());
        connection.call(update, LIMIT).await.unwrap();
        wait_until(LIMIT, "the table could not be written", || disk.has_broken()).await;
        let stored = connection.call(query(), LIMIT).await.unwrap();
        assert_eq!(stored.ext.int64("offset").unwrap(), 7, "the table outlived the panic");
    };
    let (answers, ()) = tokio::join!(LOAD.run(&broker, "Steady"), asked);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    let written = directory.path().join("store/config/consumerOffset.json");
    wait_until(LIMIT, "the table was written after the panic", || written.exists()).await;
    broker.stop().await.unwrap();

    let broker = Broker::builder(options()).start().await.unwrap();
    let stored = connect(&broker).await.call(query(), LIMIT).await.unwrap();
    assert_eq!(stored.ext.int64("offset").unwrap(), 7, "the offset outlived the broker");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn the_hold_actor() {
    let directory = tempfile::tempdir().unwrap();
    // The first parked pull sets the timer. Those that may wait longer leave it; the one that may not sets it again.
    let clock = FragileClock::breaking_at_look(2);
    let given = clock.clone();
    let broker = start(&directory, |builder| {
        builder.hold(|mut parts, on| {
            parts.clock = given;
            supervise_on(on, |_| HoldActor::new(parts)).into()
        })
    })
    .await;
    make_topic(&broker, "Quiet").await;
    let connection = connect(&broker).await;
    // Makes the group and the queue's actor, so that what follows arrives in order.
    connection.request(pull_from("Quiet", "readers", 0, Duration::ZERO), LIMIT).await.unwrap();
    let park = |seconds: u64| {
        let (connection, command) =
            (connection.clone(), pull_from("Quiet", "readers", 0, Duration::from_secs(seconds)));
        actix::spawn(async move { connection.request(command, LIMIT).await.unwrap() })
    };
    let parked: Vec<_> = [60, 90, 90, 90, 30].map(park).into_iter().collect();
    let answered = async {
        for pull in parked {
            assert_eq!(pull.await.unwrap().code, response::PULL_NOT_FOUND, "a parked pull comes again");
        }
        assert!(clock.has_broken());
        let again = park(60);
        let found = async {
            let sent = connect(&broker).await.call(send_command("Quiet", 0, "awaited"), LIMIT).await;
            sent.unwrap();
        };
        let (again, ()) = tokio::join!(again, found);
        assert_eq!(again.unwrap().code, response::SUCCESS, "a new one is held and woken");
    };
    let (answers, ()) = tokio::join!(LOAD.run(&broker, "Steady"), answered);
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, answers.len())]);
    broker.stop().await.unwrap();
}

/// Its routes are what brokers have said; they say it again.
#[actix::test]
async fn the_namesrv_actor() {
    let directory = tempfile::tempdir().unwrap();
    // The first look is for the first registration.
    let clock = FragileClock::breaking_at_look(2);
    let fragile = Arc::clone(&clock);
    let namesrv = Namesrv::builder(namesrv_in(&directory)).namesrv(|mut parts, on| {
        parts.clock = fragile;
        supervise_on(on, |_| NamesrvActor::new(parts)).into()
    });
    let namesrv = namesrv.start().await.unwrap();
    let name_servers = vec![namesrv.address().to_string()];
    let options = BrokerOptions { name_servers, register_every: Duration::from_millis(20), ..small(&directory) };
    let broker = Broker::builder(options).start().await.unwrap();
    make_topic(&broker, "Steady").await;
    wait_until(LIMIT, "the clock breaks", || clock.has_broken()).await;
    let mut client = Raw::connect(namesrv.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"Steady")]);
    client.ask_until(route, |reply| reply.code == response::SUCCESS).await;
    broker.stop().await.unwrap();
    namesrv.stop().await;
}
