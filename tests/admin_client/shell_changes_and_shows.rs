//! `ferromq admin`: topics, groups, offsets and settings, changed and shown from a shell.

use std::collections::BTreeSet;

use ferromq::client::{Client, ClientOptions, Delivery, Verdict, Wanted};
use serde_json::{Value, json};

use crate::binary::contains;
use crate::consumer::commit;
use crate::raw::Raw;
use crate::shell::Shell;

#[test]
fn topics_are_made_changed_and_deleted() {
    let shell = Shell::start();
    let broker = shell.broker();
    let made = shell.json("updateTopic -c DefaultCluster -t orders -r 4 -w 2 -o true");
    let expected = json!([{"broker": broker, "topic": "orders", "readQueueNums": 4, "writeQueueNums": 2, "perm": "RW-", "order": true}]);
    assert_eq!(made, expected);
    let route = shell.json_until("topicRoute -t orders", |route| route["queueDatas"][0]["writeQueueNums"] == 2);
    assert_eq!(route["brokerDatas"][0]["brokerAddrs"]["0"], broker);
    assert_eq!(shell.json("updateOrderConf -t orders -m get")[0]["orderConf"], format!("{}:2", shell.broker_name()));
    shell.json("updateOrderConf -t orders -m delete");
    assert_eq!(shell.fails("updateOrderConf -t orders -m get"), "error: no order is configured for topic orders\n");
    // Of a broker of another cluster, say.
    let both = format!("broker-x:3;{}:2", shell.broker_name());
    shell.json(&format!("updateOrderConf -t orders -m put -v {both}"));
    assert_eq!(shell.json("updateOrderConf -t orders -m get")[0]["orderConf"], both);

    let changed = shell.json(&format!("updateTopicPerm -b {broker} -t orders -p 4"));
    assert_eq!(changed, json!([{"broker": broker, "topic": "orders", "permBefore": "RW-", "perm": "R--"}]));
    let row =
        |rows: &Value| rows[0]["perm"] == "R--" && rows[0]["readQueueNums"] == 4 && rows[0]["writeQueueNums"] == 2;
    shell.json_until("topicRoute -t orders -l", row);
    let listed = shell.json("topicList");
    assert!(listed.as_array().unwrap().contains(&json!({"topic": "orders"})), "{listed}");
    let with_cluster = json!({"cluster": "DefaultCluster", "topic": "orders", "consumerGroup": null});
    assert!(shell.json("topicList -c").as_array().unwrap().contains(&with_cluster));
    assert_eq!(shell.json("topicClusterList -t orders"), json!([{"cluster": "DefaultCluster"}]));

    assert_eq!(shell.json("deleteTopic -c DefaultCluster -t orders"), json!([{"broker": broker, "deleted": "orders"}]));
    shell.fails_at_last("topicRoute -t orders");
    let left = shell.json("updateOrderConf -t orders -m get");
    assert_eq!(left[0]["orderConf"], "broker-x:3", "what is noted of other brokers stays");
}

#[test]
fn an_order_is_noted_of_registered_brokers_only() {
    let shell = Shell::start();
    let (broker, elsewhere) = (shell.broker(), shell.broker().replace("127.0.0.1", "localhost"));
    let said = shell.fails(&format!("updateTopic -b {elsewhere} -t orders -o true"));
    let expected = format!("no broker \"{elsewhere}\" is known to the name servers; there are: {broker}");
    contains(&said, &expected);
    shell.json(&format!("exportMetadata -t -b {broker} -f out"));
    let written: Value = serde_json::from_str(&shell.file("out/topic.json")).unwrap();
    assert_eq!(written["topicConfigTable"], json!({}), "nothing is done before that is known");
}

#[test]
fn every_broker_of_a_cluster_is_asked_or_one_of_them() {
    let shell = Shell::start();
    let other = shell.with_broker("a-broker");
    let (first, second) = (shell.broker(), other.broker().to_string());
    let brokers_of = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| row["broker"].as_str().unwrap().to_owned()).collect()
    };
    let made = shell.json("updateTopic -c DefaultCluster -t orders -r 2 -w 2 -o true");
    let asked = BTreeSet::from_iter(brokers_of(&made));
    assert_eq!(asked, BTreeSet::from([first, second.clone()]));
    let queues = shell.json_until("topicStatus -t orders", |rows| rows.as_array().unwrap().len() == 4);
    assert_eq!(brokers_of(&queues)[..2], ["a-broker", "a-broker"]);
    let mut orders = ["a-broker:2".to_owned(), format!("{}:2", shell.broker_name())];
    orders.sort();
    assert_eq!(shell.json("updateOrderConf -t orders -m get")[0]["orderConf"], orders.join(";"));

    let changed = shell.json(&format!("updateTopicPerm -b {second} -t orders -p 4"));
    assert_eq!(brokers_of(&changed), [second]);
    shell.json("exportMetadata -c DefaultCluster -f out");
    let written: Value = serde_json::from_str(&shell.file("out/metadata.json")).unwrap();
    assert_eq!(written["topicConfigTable"]["orders"]["readQueueNums"], 4);
    assert_eq!(shell.json("deleteTopic -c DefaultCluster -t orders").as_array().unwrap().len(), 2);
    contains(&shell.fails("updateOrderConf -t orders -m get"), "no order is configured for topic orders");
}

#[test]
fn groups_are_made_and_deleted() {
    let shell = Shell::start();
    let made = shell.json("updateSubGroup -c DefaultCluster -g billing -r 3 -d true");
    let row = &made[0];
    assert_eq!((&row["groupName"], &row["retryMaxTimes"]), (&json!("billing"), &json!(3)));
    // What mqadmin sends unless told otherwise, which is not what brokers take for groups that they make by themselves.
    assert_eq!((&row["consumeFromMinEnable"], &row["consumeBroadcastEnable"]), (&json!(false), &json!(true)));
    assert_eq!(shell.json("getConsumerConfig -g billing"), made);
    let deleted = shell.json("deleteSubGroup -c DefaultCluster -g billing -r true");
    let names: Vec<_> = deleted.as_array().unwrap().iter().map(|row| row["deleted"].as_str().unwrap()).collect();
    assert_eq!(names, ["billing", "%RETRY%billing", "%DLQ%billing"]);
    assert_eq!(shell.fails("getConsumerConfig -g billing"), "error: no broker knows a group billing\n");
}

#[test]
fn settings_are_shown_and_changed() {
    let shell = Shell::start();
    let (broker, name_server) = (shell.broker(), shell.name_server.clone());
    shell.json(&format!("updateBrokerConfig -b {broker} -k fileReservedTime -v 71"));
    assert_eq!(shell.json("getBrokerConfig -c DefaultCluster")[&broker]["fileReservedTime"], "71");
    shell.json("updateNamesrvConfig -k orderMessageEnable -v true");
    assert_eq!(shell.json("getNamesrvConfig")[&name_server]["orderMessageEnable"], "true");
    let set = shell.json("updateKvConfig -s ns -k a -v b");
    assert_eq!(set, json!([{"namespace": "ns", "key": "a", "value": "b"}]));
    assert_eq!(shell.json("deleteKvConfig -s ns -k a")[0]["value"], Value::Null);
    let name = shell.broker_name();
    assert!(shell.json(&format!("wipeWritePerm -b {name}"))[0]["topicsWiped"].as_i64().unwrap() > 0);
    assert!(shell.json(&format!("addWritePerm -b {name}"))[0]["topicsAdded"].as_i64().unwrap() > 0);
    assert_eq!(shell.json(&format!("brokerStatus -b {broker}"))[&broker]["brokerVersionDesc"], "V4_9_7");
    let listed = shell.json("clusterList");
    assert_eq!((&listed[0]["address"], &listed[0]["version"]), (&json!(broker), &json!("V4_9_7")));
    assert_eq!(shell.json("clusterList -m")[0]["inYesterday"], 0);
    for command in
        ["cleanExpiredCQ", "deleteExpiredCommitLog -c DefaultCluster", "cleanUnusedTopic --cluster DefaultCluster"]
    {
        assert_eq!(shell.json(command)[0]["broker"], broker, "{command}");
    }
}

#[actix::test]
async fn groups_go_on_elsewhere() {
    let shell = Shell::start();
    let broker = shell.broker();
    shell.json("updateTopic -c DefaultCluster -t orders -r 1 -w 1");
    shell.json_until("topicRoute -t orders -l", |rows| rows[0]["readQueueNums"] == 1);
    shell.json("checkMsgSendRT -t orders -a 3");
    shell.json_until("topicStatus -t orders", |rows| rows[0]["maxOffset"] == 3);
    shell.json("updateSubGroup -c DefaultCluster -g billing");
    // A group that has never stored an offset has no place to go on from.
    contains(&shell.fails("skipAccumulatedMessage -g billing -t orders"), "<billing> not exist");
    commit(&mut Raw::connect(broker.parse().unwrap()).await, "orders", "billing", 0, 1).await;
    let skipped = shell.json("skipAccumulatedMessage -g billing -t orders");
    let expected =
        json!([{"broker": shell.broker_name(), "queue": 0, "offsetBefore": 1, "offset": 3, "told": "broker"}]);
    assert_eq!(skipped, expected);
    let back = shell.json("resetOffsetByTime -g billing -t orders -s 2020-01-01#00:00:00:000");
    assert_eq!((&back[0]["offsetBefore"], &back[0]["offset"]), (&json!(3), &json!(0)));
    for (when, offset) in [("now", 3), ("0", 0), ("-1", 3), ("0", 0)] {
        let reset = shell.json(&format!("resetOffsetByTime -g billing -t orders -s {when}"));
        assert_eq!(reset[0]["offset"], offset, "{when}");
    }
    let kept = shell.json("resetOffsetByTime -g billing -t orders -s now -f false");
    assert_eq!(kept[0]["offset"], 0, "a group goes forward by force only");
    let stats = shell.json(&format!("brokerConsumeStats -b {broker} -l 1"));
    assert_eq!((&stats["total"]["diffTotal"], &stats["queues"][0]["diff"]), (&json!(3), &json!(3)));
    assert_eq!(shell.json(&format!("brokerConsumeStats -b {broker} -l 4"))["queues"], json!([]));
    let all = shell.json("statsAll -t orders");
    assert_eq!((&all[0]["consumerGroup"], &all[0]["accumulation"]), (&json!("billing"), &json!(3)));

    shell.json("cloneGroupOffset -s billing -d other -t orders");
    let other = shell.json("skipAccumulatedMessage -g other -t orders -f false");
    assert_eq!(other[0]["offsetBefore"], 0);
}

#[test]
fn what_is_configured_is_written_to_files() {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders");
    shell.json("updateSubGroup -c DefaultCluster -g billing");
    let broker = shell.broker();
    let written = |command: &str, file: &str| -> Value {
        shell.json(&format!("{command} -f out"));
        serde_json::from_str(&shell.file(&format!("out/{file}"))).unwrap()
    };
    for (command, file, topic, group) in [
        ("exportMetadata -c DefaultCluster", "metadata.json", Some("orders"), Some("billing")),
        (&format!("exportMetadata -t -b {broker}"), "topic.json", Some("orders"), None),
        (&format!("exportMetadata -g -b {broker}"), "subscriptionGroup.json", None, Some("billing")),
    ] {
        let written = written(command, file);
        for (table, name) in [("topicConfigTable", topic), ("subscriptionGroupTable", group)] {
            let names = written.get(table).map(|table| table.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
            assert_eq!(names, name.map(|name| vec![name.to_owned()]), "{command}: {table}");
        }
    }
    let written = written("exportConfigs -c DefaultCluster", "configs.json");
    assert!(written["brokerConfigs"][shell.broker_name()]["fileReservedTime"].is_string(), "{written}");
    assert_eq!(written["clusterScale"], json!({"namesrvSize": 1, "masterBrokerSize": 1, "slaveBrokerSize": 0}));
}

#[actix::test]
async fn how_a_cluster_does_is_written_to_a_file() {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders");
    shell.json("updateSubGroup -c DefaultCluster -g billing");
    // What it does is done on a thread of its own.
    let client = Client::new(ClientOptions::of(&*shell.name_server)).await.unwrap();
    let listener = |_: Delivery| std::future::ready(Verdict::Consumed);
    let consumer = client.push_consumer("billing").subscribe("orders", Wanted::All).start(listener).await.unwrap();
    shell.json_until("consumerConnection -g billing", |found| found["connections"].is_array());
    shell.json("exportMetrics -c DefaultCluster -f out");
    let written: Value = serde_json::from_str(&shell.file("out/metrics.json")).unwrap();
    let report = &written["evaluateReport"][shell.broker_name()];
    let quota = &report["runtimeQuota"];
    assert_eq!((&quota["topicSize"], &quota["groupSize"]), (&json!(1), &json!(1)), "{written:#}");
    assert!(quota["diskRatio"]["commitLogDiskRatio"].is_string(), "{quota:#}");
    let version = json!({"rocketmqVersion": "V4_9_7", "clientInfo": ["RUST%407"]});
    assert_eq!(report["runtimeVersion"], version);
    assert_eq!(quota["oneDayNum"], written["totalData"]["totalOneDayNum"]);
    assert!(shell.fails("exportMetrics -c nope").contains("no cluster \"nope\""));
    consumer.stop().await.unwrap();
}
