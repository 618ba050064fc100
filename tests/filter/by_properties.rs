//! Pulls that bring a condition get the messages that meet it, waiting for them or not, from memory and from the disk.

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::config::FilterSettings;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::message;
use serde_json::json;

use crate::messages::{bodies, lies_at};
use crate::raw::{Raw, ask_for, pull_from, send_to, waiting_pull_from, with};
use crate::support::Cluster;

pub(crate) fn enabled(options: BrokerOptions) -> BrokerOptions {
    BrokerOptions { filters: FilterSettings { enabled: true, ..FilterSettings::default() }, ..options }
}

fn by(condition: &str, pull: Command) -> Command {
    with(with(pull, "subscription", condition), "expressionType", "SQL92")
}

async fn send(client: &mut Raw, a: &str, body: &str) {
    lies_at(&client.ask(send_to("T", 0, &format!("a\u{1}{a}"), body.to_owned())).await);
}

/// The bodies that a pull gets, and where it goes on.
async fn gets(client: &mut Raw, pull: Command) -> (Vec<String>, i64) {
    let reply = client.pull(pull).await;
    let next = reply.ext.int64("nextBeginOffset").unwrap();
    (bodies(&message::decode_all(reply.body).unwrap()), next)
}

#[actix::test]
async fn only_what_meets_the_condition_is_given() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..10 {
        send(&mut client, &number.to_string(), &format!("{number}")).await;
    }
    client.ask_until(pull_from("T", 0, 9, 1), |reply| reply.code == response::SUCCESS).await;
    assert_eq!(gets(&mut client, by("a > 7", pull_from("T", 0, 0, 32))).await, (vec!["8".into(), "9".into()], 10));
    assert_eq!(gets(&mut client, by("a = '3' OR a = '5'", pull_from("T", 0, 0, 1))).await, (vec!["3".into()], 4));
    let nothing = client.ask(by("b IS NOT NULL", pull_from("T", 0, 0, 32))).await;
    assert_eq!(nothing.code, response::PULL_RETRY_IMMEDIATELY);
    assert_eq!(nothing.ext.int64("nextBeginOffset").unwrap(), 10);
    cluster.stop().await;
}

#[actix::test]
async fn a_pull_that_waits_is_answered_by_the_message_that_it_waits_for() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "0", "first").await;
    client.ask_until(pull_from("T", 0, 0, 1), |reply| reply.code == response::SUCCESS).await;
    let mut waiting = Raw::connect(cluster.broker.address()).await;
    let opaque = waiting.send_as(by("a > 5", waiting_pull_from("T", 0, 1, 32)), Serialization::Json).await;
    // What does not meet the condition wakes nobody.
    for number in 0..5 {
        send(&mut client, "5", &format!("small {number}")).await;
    }
    client.ask_until(pull_from("T", 0, 5, 1), |reply| reply.code == response::SUCCESS).await;
    send(&mut client, "6", "large").await;
    let reply = waiting.next().await.unwrap();
    assert_eq!((reply.opaque, reply.code), (opaque, response::SUCCESS), "{reply:?}");
    assert_eq!(bodies(&message::decode_all(reply.body).unwrap()), ["large"]);
    cluster.stop().await;
}

/// After a start nothing is known to be in memory: the pool chooses.
#[actix::test]
async fn what_was_stored_before_a_restart_is_chosen_from_as_well() {
    let directory = tempfile::tempdir().unwrap();
    for start in 0..2 {
        let options = enabled(crate::support::small(&directory));
        let broker = ferromq::actors::broker::Broker::builder(options).start().await.unwrap();
        let mut client = Raw::connect(broker.address()).await;
        if start == 0 {
            for number in 0..1_000 {
                send(&mut client, &number.to_string(), &format!("{number}")).await;
            }
        }
        client.ask_until(pull_from("T", 0, 999, 1), |reply| reply.code == response::SUCCESS).await;
        assert_eq!(
            gets(&mut client, by("a BETWEEN 700 AND 702", pull_from("T", 0, 0, 32))).await,
            (vec!["700".into(), "701".into(), "702".into()], 800)
        );
        let none = client.ask(by("a = 999", pull_from("T", 0, 0, 32))).await;
        assert_eq!((none.code, none.ext.int64("nextBeginOffset").unwrap()), (response::PULL_RETRY_IMMEDIATELY, 800));
        broker.stop().await.unwrap();
    }
}

#[actix::test]
async fn conditions_that_cannot_be_read_are_refused() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send(&mut client, "1", "x").await;
    let bombs = ["(".repeat(100_000), "NOT ".repeat(20_000), format!("a IN ({}'x')", "'x',".repeat(50_000))];
    for condition in ["a >", "", "a > 'x'"].into_iter().map(String::from).chain(bombs) {
        let reply = client.ask(by(&condition, pull_from("T", 0, 0, 1))).await;
        assert_eq!(reply.code, response::SUBSCRIPTION_PARSE_FAILED, "{reply:?}");
        // The question whether a client may subscribe so is answered with the place of the mistake.
        let body = json!({"clientId": "c", "group": "G", "subscriptionData": {"topic": "T", "expressionType": "SQL92", "subString": condition}});
        let check = ask_for(request::CHECK_CLIENT_CONFIG, &[]).with_body(body.to_string().into());
        let checked = client.ask(check).await;
        assert_eq!(checked.code, response::SUBSCRIPTION_PARSE_FAILED, "{checked:?}");
        assert!(checked.remark.is_some_and(|remark| !remark.is_empty()));
    }
    let body = json!({"subscriptionData": {"expressionType": "SQL92", "subString": "a > 1 AND\n b >"}});
    let checked = client.ask(ask_for(request::CHECK_CLIENT_CONFIG, &[]).with_body(body.to_string().into())).await;
    assert!(checked.remark.as_deref().is_some_and(|remark| remark.contains("line 2")), "{checked:?}");
    let pulled = client.ask(by("a > 1 AND\n b >", pull_from("T", 0, 0, 1))).await.remark.unwrap_or_default();
    assert!(pulled.starts_with("parse the consumer's subscription failed: ") && pulled.contains("line 2"), "{pulled}");
    cluster.stop().await;
}

#[actix::test]
async fn many_messages_that_are_passed_over_hold_nobody_up() {
    let cluster = Cluster::start_with(enabled).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for number in 0..2_000 {
        send(&mut client, "0", &number.to_string()).await;
    }
    client.ask_until(pull_from("T", 0, 1_999, 1), |reply| reply.code == response::SUCCESS).await;
    let mut next = 0;
    while next < 2_000 {
        let reply = client.ask(by("a = 1", pull_from("T", 0, next, 32))).await;
        assert_eq!(reply.code, response::PULL_RETRY_IMMEDIATELY);
        let to = reply.ext.int64("nextBeginOffset").unwrap();
        assert!(to > next && to - next <= 800, "{next} to {to}");
        next = to;
    }
    cluster.stop().await;
}
