//! A setting that a tool changes holds from then on, without a restart, for connections that were there before.

use std::time::Duration;

use actix::{Actor, Context, Handler};
use ferromq::actors::arbiters::start_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::commitlog_actor::{AppendBatch, CommitLogActor, CommitLogPorts};
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::topics::TopicSettings;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, pull_from, send_to, waiting_pull_from, with};
use crate::support::{Cluster, small};

fn update(properties: &str) -> Command {
    ask_for(request::UPDATE_BROKER_CONFIG, &[]).with_body(properties.to_owned().into())
}

async fn sends(client: &mut Raw, topic: &str, text: &str) -> i32 {
    client.ask(send_to(topic, 0, "", text.to_owned())).await.code
}

/// The settings as a tool sees them, and how often they were changed.
async fn shown(client: &mut Raw) -> (String, i64) {
    let reply = succeeds(client, ask_for(request::GET_BROKER_CONFIG, &[])).await;
    let version: Value = serde_json::from_str(&reply.ext.get("version").unwrap()).unwrap();
    (String::from_utf8(reply.body.to_vec()).unwrap(), version["counter"].as_i64().unwrap())
}

#[actix::test]
async fn sends_go_by_the_new_rules_at_once() {
    let cluster = Cluster::start().await;
    let mut producer = Raw::connect(cluster.broker.address()).await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    assert_eq!(sends(&mut producer, "T", "eleven chars").await, response::SUCCESS);
    succeeds(&mut tool, update("maxMessageSize=11")).await;
    assert_eq!(sends(&mut producer, "T", "eleven chars").await, response::MESSAGE_ILLEGAL);
    assert_eq!(sends(&mut producer, "T", "eleven char").await, response::SUCCESS);
    succeeds(&mut tool, update("maxMessageSize=4194304\nregionId=elsewhere\ntraceOn=false")).await;
    let sent = producer.ask(send_to("T", 0, "", "eleven chars")).await;
    assert_eq!(sent.code, response::SUCCESS);
    assert_eq!(sent.ext.get("MSG_REGION").as_deref(), Some("elsewhere"));
    assert_eq!(sent.ext.get("TRACE_ON").as_deref(), Some("false"));
    let half = || send_to("T", 0, "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}", "half");
    assert_eq!(producer.ask(half()).await.code, response::SUCCESS);
    succeeds(&mut tool, update("rejectTransactionMessage=true")).await;
    assert_eq!(producer.ask(half()).await.code, response::NO_PERMISSION);
    cluster.stop().await;
}

#[actix::test]
async fn what_the_broker_permits_as_a_whole_is_told_to_name_servers() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let mut namesrv = Raw::connect(cluster.namesrv.address()).await;
    assert_eq!(sends(&mut client, "T", "a").await, response::SUCCESS);
    let route = || ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"T")]);
    let permits = |expected: i64| {
        move |reply: &Command| reply.code == response::SUCCESS && body(reply)["queueDatas"][0]["perm"] == expected
    };
    namesrv.ask_until(route(), permits(6)).await;
    let version = |topics: Value| topics["dataVersion"]["counter"].as_i64().unwrap();
    let topics = || ask_for(request::GET_ALL_TOPIC_CONFIG, &[]);
    let before = version(body(&succeeds(&mut client, topics()).await));
    succeeds(&mut client, update("brokerPermission=4")).await;
    // Producers of topics without an order are not refused, as by RocketMQ: they hear of it from the name servers.
    assert_eq!(sends(&mut client, "T", "b").await, response::SUCCESS);
    let back = ask_for(request::CONSUMER_SEND_MSG_BACK, &[("offset", &0), ("group", &"G"), ("delayLevel", &3)]);
    assert_eq!(client.ask(back.clone()).await.code, response::NO_PERMISSION);
    assert_eq!(client.pull(pull_from("T", 0, 0, 1)).await.code, response::SUCCESS);
    assert_eq!(version(body(&succeeds(&mut client, topics()).await)), before + 1);
    namesrv.ask_until(route(), permits(4)).await;
    succeeds(&mut client, update("brokerPermission=2")).await;
    assert_eq!(client.ask(pull_from("T", 0, 0, 1)).await.code, response::NO_PERMISSION);
    succeeds(&mut client, update("brokerPermission=6")).await;
    succeeds(&mut client, back).await;
    namesrv.ask_until(route(), permits(6)).await;
    cluster.stop().await;
}

#[actix::test]
async fn topics_and_groups_are_made_by_themselves_or_no_longer() {
    let never = |options: BrokerOptions| {
        let topics = TopicSettings { auto_create: false, ..options.topics.clone() };
        BrokerOptions { topics, ..options }
    };
    let cluster = Cluster::start_with(never).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(sends(&mut client, "T", "a").await, response::TOPIC_NOT_EXIST);
    // What the file said was the default, so that it has to be changed twice.
    succeeds(&mut client, update("autoCreateTopicEnable=false")).await;
    succeeds(&mut client, update("autoCreateTopicEnable=true")).await;
    assert_eq!(sends(&mut client, "T", "a").await, response::SUCCESS);
    succeeds(&mut client, update("autoCreateTopicEnable=false\nautoCreateSubscriptionGroup=false")).await;
    assert_eq!(sends(&mut client, "U", "a").await, response::TOPIC_NOT_EXIST);
    let refused = client.ask(pull_from("T", 0, 0, 1)).await;
    assert_eq!(refused.code, response::SUBSCRIPTION_GROUP_NOT_EXIST);
    succeeds(&mut client, update("autoCreateSubscriptionGroup=true")).await;
    assert_eq!(client.pull(pull_from("T", 0, 0, 1)).await.code, response::SUCCESS);
    cluster.stop().await;
}

#[actix::test]
async fn pulls_go_by_the_new_rules_at_once() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for text in ["a", "b", "c"] {
        assert_eq!(sends(&mut client, "T", text).await, response::SUCCESS);
    }
    let end = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    client.ask_until(end, |reply| reply.ext.int64("offset").unwrap() == 3).await;
    let next = |reply: Command| reply.ext.int64("nextBeginOffset").unwrap();
    assert_eq!(next(client.ask(pull_from("T", 0, 0, 32)).await), 3);
    succeeds(&mut client, update("maxTransferCountOnMessageInMemory=2")).await;
    assert_eq!(next(client.ask(pull_from("T", 0, 0, 32)).await), 2);
    let by_condition = || with(with(pull_from("T", 0, 0, 1), "expressionType", "SQL92"), "subscription", "a IS NULL");
    assert_eq!(client.ask(by_condition()).await.code, response::SYSTEM_ERROR);
    succeeds(&mut client, update("enablePropertyFilter=true")).await;
    assert_eq!(client.ask(by_condition()).await.code, response::SUCCESS);
    // A pull that would be held for ten minutes comes back after a hundredth of a second.
    succeeds(&mut client, update("longPollingEnable=false\nshortPollingTimeMills=10")).await;
    let long = with(waiting_pull_from("T", 0, 3, 1), "suspendTimeoutMillis", 600_000);
    assert_eq!(client.ask(long).await.code, response::PULL_NOT_FOUND);
    cluster.stop().await;
}

struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<AppendBatch> for Deaf {
    type Result = ();

    fn handle(&mut self, batch: AppendBatch, _: &mut Context<Self>) {
        std::mem::forget(batch);
    }
}

#[actix::test]
async fn sends_wait_as_long_as_is_said_now() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(BrokerOptions { send_wait: Some(Duration::from_secs(600)), ..small(&directory) })
        .commit_log(|parts, on| {
            let ports: CommitLogPorts = start_on(on, |_| CommitLogActor::new(parts)).into();
            CommitLogPorts { append: start_on(on, |_| Deaf).recipient(), ..ports }
        })
        .start()
        .await
        .unwrap();
    let mut client = Raw::connect(broker.address()).await;
    succeeds(&mut client, update("waitTimeMillsInSendQueue=20")).await;
    let told = client.ask(send_to("T", 0, "", "a")).await;
    assert_eq!(told.code, response::SYSTEM_BUSY, "{told:?}");
    broker.stop().await.unwrap();
}

#[actix::test]
async fn what_cannot_be_changed_is_named_and_the_rest_is_taken() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let (before, changes) = shown(&mut tool).await;
    assert!(before.contains("\nlongPollingEnable=true\n"), "{before}");
    let text = "listenPort is read at the start only: change it in the file and restart; update:3: maxMessageSize: \
                expected a whole number from 0 to 2147483647, found \"big\"; changed: longPollingEnable";
    let mixed = update("listenPort=1\nlongPollingEnable=false\nmaxMessageSize=big\nnobody=1");
    is_refused(&mut tool, mixed, response::SYSTEM_ERROR, text).await;
    let (after, changed) = shown(&mut tool).await;
    assert_eq!(after, before.replace("longPollingEnable=true", "longPollingEnable=false"));
    assert_eq!(changed, changes + 1);
    for harmless in ["", "longPollingEnable=false", "nobody=1"] {
        succeeds(&mut tool, update(harmless)).await;
    }
    assert_eq!(shown(&mut tool).await, (after, changed));
    cluster.stop().await;
}

#[actix::test]
async fn the_file_it_was_started_with_has_the_new_settings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broker.conf");
    std::fs::write(&file, "# mine\nbrokerName=broker-a\n").unwrap();
    let options = || BrokerOptions { config_file: Some(file.clone()), ..small(&directory) };
    let broker = Broker::builder(options()).start().await.unwrap();
    let mut tool = Raw::connect(broker.address()).await;
    succeeds(&mut tool, update("maxMessageSize=1000")).await;
    let (settings, _) = shown(&mut tool).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), settings);
    assert!(settings.contains("\nmaxMessageSize=1000\n"));
    assert_eq!(
        std::fs::read_to_string(directory.path().join("broker.conf.bak")).unwrap(),
        "# mine\nbrokerName=broker-a\n"
    );
    // Where it cannot be written nothing is changed.
    std::fs::create_dir(directory.path().join("broker.conf.tmp")).unwrap();
    let refused = tool.ask(update("maxMessageSize=2000")).await;
    assert_eq!(refused.code, response::SYSTEM_ERROR, "{refused:?}");
    assert_eq!(shown(&mut tool).await, (settings, 1));
    assert_eq!(sends(&mut tool, "T", &"x".repeat(1_001)).await, response::MESSAGE_ILLEGAL);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn members_are_told_of_each_other_or_no_longer() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    succeeds(&mut tool, update("notifyConsumerIdsChangedEnable=false")).await;
    let mut first = crate::member::Member::join(cluster.broker.address(), "a", "G").await;
    let second = crate::member::Member::join(cluster.broker.address(), "b", "G").await;
    first.has_heard(&[]).await;
    succeeds(&mut tool, update("notifyConsumerIdsChangedEnable=true")).await;
    let third = crate::member::Member::join(cluster.broker.address(), "c", "G").await;
    first.is_told_of(&["G"]).await;
    drop((second, third));
    cluster.stop().await;
}

#[actix::test]
async fn a_delayed_start_of_sends_is_shown_in_its_state() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    succeeds(&mut tool, update("startAcceptSendRequestTimeStamp=4000000000000")).await;
    let state = body(&succeeds(&mut tool, ask_for(request::GET_BROKER_RUNTIME_INFO, &[])).await);
    assert_eq!(state["table"]["startAcceptSendRequestTimeStamp"], json!("4000000000000"));
    assert_eq!(sends(&mut tool, "T", "a").await, response::SYSTEM_ERROR);
    cluster.stop().await;
}
