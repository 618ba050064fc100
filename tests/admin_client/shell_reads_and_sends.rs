//! `ferromq admin`: messages sent, found and read from a shell.

use ferromq::admin::{Admin, MessageQuery};
use ferromq::client::transactions::Deciding;
use ferromq::client::{Client, ClientOptions, OutgoingMessage, SendReceipt, TransactionListener, TransactionState};
use ferromq::protocol::ids::{offset_id, parse_offset_id};
use ferromq::protocol::message::Message;
use ferromq::protocol::properties;
use ferromq::protocol::units::PhysicalOffset;
use serde_json::{Value, json};

use crate::binary::contains;
use crate::fixtures::{topic, until};
use crate::raw::{Raw, send_to};
use crate::shell::Shell;

/// A topic with two queues and one message in the second of them; and what was told of that message.
fn shell_with_message() -> (Shell, Value) {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders -r 2 -w 2");
    shell.json_until("topicRoute -t orders -l", |rows| rows[0]["readQueueNums"] == 2);
    let name = shell.broker_name();
    let sent = shell.json(&format!("sendMessage -t orders -p hello -k order-1 -c TagA -b {name} -i 1"));
    shell.json_until("topicStatus -t orders", |rows| rows[1]["maxOffset"] == 1);
    (shell, sent[0].clone())
}

#[test]
fn a_message_is_sent_and_found_in_every_way() {
    let (shell, sent) = shell_with_message();
    let name = shell.broker_name();
    assert_eq!((&sent["broker"], &sent["queue"], &sent["offset"]), (&json!(name), &json!(1), &json!(0)));
    let (id, offset_id) = (sent["msgId"].as_str().unwrap(), sent["offsetMsgId"].as_str().unwrap());
    let by_key = shell.json_until("queryMsgByKey -t orders -k order-1", |rows| rows[0]["msgId"] == id);
    assert_eq!((by_key.as_array().unwrap().len(), &by_key[0]["offsetMsgId"]), (1, &json!(offset_id)));
    let check = |found: &Value, command: &str| {
        let told = (&found["msgId"], &found["body"], &found["tag"], &found["keys"]);
        assert_eq!(told, (&json!(id), &json!("hello"), &json!("TagA"), &json!("order-1")), "{command}");
    };
    for command in [
        format!("queryMsgByOffset -t orders -b {name} -i 1 -o 0"),
        "printMsg -t orders -s TagA".to_owned(),
        format!("printMsgByQueue -t orders -a {name} -i 1 -p true -d true"),
        "consumeMessage -t orders".to_owned(),
        format!("consumeMessage -t orders -b {name} -i 1 -o 0 -c 1"),
    ] {
        check(&shell.json(&command), &command);
    }
    for command in [format!("queryMsgByUniqueKey -t orders -i {id} -a"), format!("queryMsgById -i {offset_id}")] {
        let found = shell.json(&command);
        check(&found["message"], &command);
        assert_eq!(found["consumers"], json!([]), "{command}");
    }
    let entry = shell.json("queryCq -t orders -q 1 -i 0");
    assert_eq!((&entry["queue"]["maxQueueIndex"], &entry["entries"][0]["physicOffset"]), (&json!(1), &json!(0)));
    assert_eq!(
        shell.json(&format!("printMsgByQueue -t orders -a {name} -i 1 -f true")),
        json!([{"tag": "TagA", "messages": 1}])
    );
}

#[actix::test]
async fn of_several_messages_with_an_id_one_is_shown_unless_all_are_wanted() {
    let (shell, _) = shell_with_message();
    let mut client = Raw::connect(shell.broker().parse().unwrap()).await;
    for body in ["first", "second"] {
        client.ask(send_to("orders", 0, "UNIQ_KEY\u{1}twice\u{2}KEYS\u{1}both", body)).await;
    }
    shell.json_until("queryMsgByKey -t orders -k both", |rows| rows.as_array().unwrap().len() == 2);
    // A line for each, as soon as it is there.
    let all = shell.text("queryMsgByUniqueKey -t orders -i twice -a --json");
    let all = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let bodies: Vec<_> =
        all.map(|found| found.as_object().unwrap().values().next().unwrap()["message"]["body"].clone()).collect();
    assert_eq!(bodies, ["first", "second"]);
    assert_eq!(shell.json("queryMsgByUniqueKey -t orders -i twice")["message"]["body"], "first");
}

#[test]
fn people_see_lines_and_tables() {
    let (shell, sent) = shell_with_message();
    let line = shell.text("printMsg -t orders");
    assert!(line.starts_with(sent["msgId"].as_str().unwrap()) && line.ends_with("  TagA  hello\n"), "{line}");
    assert!(!shell.text("printMsg -t orders -d false").contains("hello"));
    let table = shell.text("topicStatus -t orders");
    let heads: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["broker", "queue", "minOffset", "maxOffset", "lastUpdated"]);
}

#[test]
fn what_is_outside_of_a_range_is_not_read() {
    let (shell, sent) = shell_with_message();
    let name = shell.broker_name();
    for range in ["-e 2020-01-01", "-b 2999-01-01#00:00:00:000", "-s TagB"] {
        assert_eq!(shell.text(&format!("printMsg -t orders {range}")), "", "{range}");
    }
    assert_eq!(shell.text(&format!("consumeMessage -t orders -b {name} -i 0")), "");
    let again = shell.json(&format!("queryMsgById -i {} -s true", sent["offsetMsgId"].as_str().unwrap()));
    assert_ne!(again["msgId"], sent["msgId"], "it is sent as a new message");
    shell.json_until("queryMsgByKey -t orders -k order-1", |rows| rows.as_array().unwrap().len() == 2);
}

#[test]
fn times_of_sending_are_shown() {
    let (shell, _) = shell_with_message();
    let sent = shell.json("checkMsgSendRT -t orders -a 3 -s 10");
    assert_eq!((sent["sent"].as_array().unwrap().len(), sent["summary"]["meanMs"].is_f64()), (3, true));
    let sent = shell.json(&format!("sendMsgStatus -b {} -c 2", shell.broker_name()));
    assert_eq!((sent.as_array().unwrap().len(), &sent[0]["status"]), (2, &json!("Stored")));
    let told = shell.json("clusterRT -a 2");
    assert_eq!((&told[0]["sent"], &told[0]["failed"]), (&json!(2), &json!(0)));
}

#[test]
fn queues_are_shared_as_consumers_would_share_them() {
    let (shell, _) = shell_with_message();
    let name = shell.broker_name();
    let expected =
        json!([{"ip": "10.0.0.2", "broker": name, "queue": 1}, {"ip": "10.0.0.1", "broker": name, "queue": 0}]);
    assert_eq!(shell.json("allocateMQ -t orders -i 10.0.0.2,10.0.0.1"), expected);
}

struct Commits;

impl TransactionListener for Commits {
    fn execute<'a>(&'a self, _: &'a OutgoingMessage, _: &'a SendReceipt) -> Deciding<'a> {
        Box::pin(async { TransactionState::Commit })
    }

    fn check<'a>(&'a self, _: &'a Message) -> Deciding<'a> {
        Box::pin(async { TransactionState::Commit })
    }
}

#[actix::test]
async fn a_message_of_a_transaction_is_sent_again_as_what_its_producer_wrote() {
    let (shell, _) = shell_with_message();
    let client = Client::new(ClientOptions::of(&shell.name_server)).await.unwrap();
    let producer = client.producer("shop").start_transactional(Commits).await.unwrap();
    let message = OutgoingMessage::to("orders", "paid").unwrap().tag("TagB").key("order-2").sharding_key("7");
    producer.send(&OutgoingMessage { flag: 3, ..message.property("colour", "red") }).await.unwrap();
    let (admin, broker) = (Admin::new(&shell.name_server).unwrap(), shell.broker());
    let found = async |query: &MessageQuery| {
        until(async || admin.query_messages(&broker, query).await.unwrap(), |found| !found.is_empty()).await.remove(0)
    };
    let committed = found(&MessageQuery::by_key(topic("orders"), "order-2")).await.offset_id();
    let sent = shell.json(&format!("queryMsgById -i {committed} -s true"));
    let again = found(&MessageQuery::by_unique_key(topic("orders"), sent["msgId"].as_str().unwrap())).await;
    assert_eq!((&again.body[..], again.tags(), again.flag), (&b"paid"[..], Some("TagB"), 3));
    assert_eq!((again.property("colour"), again.property("__SHARDINGKEY")), (Some("red"), Some("7")));
    let mut names: Vec<_> = properties::pairs(&again.properties).map(|(name, _)| name).collect();
    names.sort_unstable();
    let of_any = ["CLUSTER", "KEYS", "TAGS", "UNIQ_KEY", "__SHARDINGKEY", "colour"];
    assert_eq!(names, of_any, "nothing of the transaction, which nobody would end");
}

#[test]
fn of_several_messages_those_are_told_of_that_were_sent_again() {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders -r 1 -w 1");
    shell.json_until("topicRoute -t orders -l", |rows| rows[0]["readQueueNums"] == 1);
    let id = shell.json("sendMessage -t orders -p hello")[0]["offsetMsgId"].as_str().unwrap().to_owned();
    assert_eq!(shell.run(&format!("queryMsgById -i {id},nonsense -s true")).code, 2);
    let (broker, at) = parse_offset_id(&id).unwrap();
    let nowhere = offset_id(broker, PhysicalOffset(at.0 + 1));
    let ran = shell.run(&format!("queryMsgById -i {id},{nowhere} -s true --json"));
    assert_eq!(ran.code, 1, "{}", ran.err);
    let sent: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(sent[&id]["offset"], 1, "nothing is sent where an id is none: {sent}");
    contains(&shell.text(&format!("queryMsgById -i {id},{id}")), &format!("\n\n{id}:\nmessage:\n"));
}

#[test]
fn a_trace_of_the_sending_is_left() {
    let (shell, _) = shell_with_message();
    let sent = shell.json("sendMessage -t orders -p traced -m true");
    let id = sent[0]["msgId"].as_str().unwrap();
    let found =
        shell.json_until(&format!("queryMsgByKey -t RMQ_SYS_TRACE_TOPIC -k {id}"), |rows| rows[0]["offset"] == 0);
    let trace = shell.json(&format!("queryMsgById -i {}", found[0]["offsetMsgId"].as_str().unwrap()));
    let body = trace["message"]["body"].as_str().unwrap();
    assert!(body.starts_with("Pub\u{1}") && body.contains("orders"), "{body:?}");
}
