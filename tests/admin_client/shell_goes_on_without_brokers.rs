//! `ferromq admin` in deployments of which a part is not there: brokers that name servers know and nobody reaches, clusters of
//! which the masters are gone.

use ferromq::protocol::codes::request;
use serde_json::{Value, json};

use crate::binary::contains;
use crate::by_hand::Identity;
use crate::consumer::{Consumer, succeeds};
use crate::raw::{Raw, send_to};
use crate::shell::Shell;

/// Nobody listens there.
const GONE: Identity = Identity { cluster: "DefaultCluster", name: "gone", address: "127.0.0.1:1", id: 0 };
const SLAVE: Identity = Identity { cluster: "slaves", name: "orphan", address: "127.0.0.1:2", id: 1 };

/// Registers a broker with these topics, for as long as the connection stays.
async fn registered(shell: &Shell, broker: Identity, topics: &[(&str, u32)]) -> Raw {
    let mut connection = Raw::connect(shell.name_server.parse().unwrap()).await;
    succeeds(&mut connection, broker.holds(1, topics)).await;
    connection
}

/// What a command shows of the others, with a warning.
fn shown(shell: &Shell, command: &str) -> Value {
    let ran = shell.run(&format!("{command} --json"));
    assert_eq!(ran.code, 0, "{command}: {}", ran.err);
    contains(&ran.err, "cannot connect to 127.0.0.1:1");
    serde_json::from_str(&ran.out).unwrap()
}

/// The row of a list.
fn row(shell: &Shell, command: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let rows = shown(shell, command);
    let found = rows.as_array().unwrap().iter().find(|row| is_it(row));
    found.unwrap_or_else(|| panic!("{command}: {rows}")).clone()
}

#[actix::test]
async fn one_that_is_gone_ends_no_listing() {
    let shell = Shell::start();
    for topic in ["orders", "zebras"] {
        shell.json(&format!("updateTopic -c DefaultCluster -t {topic} -r 1 -w 1"));
        shell.json_until(&format!("topicRoute -t {topic} -l"), |rows| rows[0]["readQueueNums"] == 1);
    }
    let _online = Consumer::join(shell.broker().parse().unwrap(), "client-1", "shipping", &["zebras"]).await;
    shell.json_until("topicRoute -t %RETRY%shipping -l", |rows| rows[0]["readQueueNums"] == 1);
    let _gone = registered(&shell, GONE, &[("orders", 1), ("%RETRY%billing", 1)]).await;

    let of = |topic: &'static str| move |row: &Value| row["topic"] == topic;
    let unknown = json!({"cluster": null, "topic": "orders", "consumerGroup": null});
    assert_eq!(row(&shell, "topicList -c", of("orders")), unknown);
    let known = json!({"cluster": "DefaultCluster", "topic": "zebras", "consumerGroup": "shipping"});
    assert_eq!(row(&shell, "topicList -c", of("zebras")), known);
    assert_eq!(row(&shell, "statsAll", of("orders"))["accumulation"], Value::Null);
    assert_eq!(row(&shell, "statsAll", of("zebras"))["accumulation"], 0);
    let of = |group: &'static str| move |row: &Value| row["consumerGroup"] == group;
    let unknown = json!({"consumerGroup": "billing", "clients": null, "consumeType": null, "messageModel": null, "consumeTps": null, "diffTotal": null});
    assert_eq!(row(&shell, "consumerProgress", of("billing")), unknown);
    let known = row(&shell, "consumerProgress", of("shipping"));
    assert_eq!((&known["clients"], &known["diffTotal"]), (&json!(1), &json!(0)));
}

#[actix::test]
async fn nor_does_it_hide_what_others_say_of_themselves() {
    let shell = Shell::start();
    let _gone = registered(&shell, GONE, &[]).await;
    for command in ["brokerStatus -c DefaultCluster", "getBrokerConfig -c DefaultCluster"] {
        let told = shown(&shell, command);
        assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), [&shell.broker()], "{command}");
    }
    contains(&shell.fails(&format!("brokerStatus -b {}", GONE.address)), "error: cannot connect to 127.0.0.1:1");
}

#[actix::test]
async fn nor_what_they_hold_of_a_topic_or_a_group() {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders -r 2 -w 2");
    shell.json("updateSubGroup -c DefaultCluster -g billing");
    shell.json_until("topicRoute -t orders -l", |rows| rows[0]["readQueueNums"] == 2);
    let _gone = registered(&shell, GONE, &[("orders", 1)]).await;
    assert_eq!(shown(&shell, "topicStatus -t orders").as_array().unwrap().len(), 2);
    assert_eq!(shown(&shell, "getConsumerConfig -g billing")[0]["broker"], shell.broker());
    contains(&shell.fails("getConsumerConfig -g shipping"), "error: cannot connect to 127.0.0.1:1");
}

#[actix::test]
async fn what_was_changed_before_one_failed_is_told() {
    let shell = Shell::start();
    // Brokers are changed in the order of their names.
    let _gone = registered(&shell, Identity { name: "~gone", ..GONE }, &[]).await;
    for command in [
        "updateTopic -c DefaultCluster -t orders -r 1 -w 1",
        "updateSubGroup -c DefaultCluster -g billing",
        "updateBrokerConfig -c DefaultCluster -k flushDiskType -v ASYNC_FLUSH",
        "cleanUnusedTopic -c DefaultCluster",
        "deleteTopic -c DefaultCluster -t orders",
        "deleteSubGroup -c DefaultCluster -g billing",
    ] {
        let ran = shell.run(&format!("{command} --json"));
        assert_eq!(ran.code, 1, "{command}");
        contains(&ran.err, "error: what is shown is done, the rest is not: cannot connect to 127.0.0.1:1");
        let rows: Value = serde_json::from_str(&ran.out).unwrap();
        let brokers: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["broker"]).collect();
        assert_eq!(brokers, [&shell.broker()], "{command}");
    }
}

#[actix::test]
async fn nor_the_messages_that_others_have() {
    let shell = Shell::start();
    let mut tool = Raw::connect(shell.broker().parse().unwrap()).await;
    let sent = send_to("TBW102", 0, "UNIQ_KEY\u{1}id\u{2}KEYS\u{1}order-1", "hello");
    tool.ask(sent).await;
    shell.json_until("queryMsgByKey -t TBW102 -k order-1", |rows| rows[0]["msgId"] == "id");
    let _gone = registered(&shell, GONE, &[("TBW102", 1)]).await;
    assert_eq!(shown(&shell, "queryMsgByKey -t TBW102 -k order-1")[0]["msgId"], "id");
    assert_eq!(shown(&shell, "queryMsgByUniqueKey -t TBW102 -i id")["message"]["body"], "hello");
    contains(&shell.fails("queryMsgByKey -t TBW102 -k order-2"), "error: cannot connect to 127.0.0.1:1");
}

#[actix::test]
async fn what_is_for_masters_fails_where_there_is_none() {
    let shell = Shell::start();
    let master = Identity { address: "127.0.0.1:3", id: 0, ..SLAVE };
    let mut gone = registered(&shell, master, &[("orders", 1)]).await;
    let _slave = registered(&shell, SLAVE, &[("orders", 1)]).await;
    succeeds(&mut gone, master.asks(request::UNREGISTER_BROKER)).await;
    let name = shell.broker_name();
    for (command, expected) in [
        ("updateTopic -c slaves -t orders", "cluster \"slaves\" has no master; its slaves: 127.0.0.1:2"),
        ("cleanUnusedTopic -c slaves", "cluster \"slaves\" has no master; its slaves: 127.0.0.1:2"),
        ("skipAccumulatedMessage -g billing -t orders", "topic orders has no master; its slaves: 127.0.0.1:2"),
        ("queryMsgByOffset -b orphan -t orders -i 0 -o 0", "broker \"orphan\" has no master; its slaves: 127.0.0.1:2"),
        (
            "queryMsgByOffset -b nope -t orders -i 0 -o 0",
            &format!("no broker \"nope\" is known to the name servers; there are: {name}\n"),
        ),
    ] {
        contains(&shell.fails(command), expected);
    }
}
