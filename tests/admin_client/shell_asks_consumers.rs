//! `ferromq admin`: consumers and producers that are online, asked from a shell.

use ferromq::protocol::body::Body;
use ferromq::protocol::body::consumer::{ConsumerRunningInfo, ProcessQueueInfo};
use ferromq::protocol::body::queue_table::{MessageQueue, QueueTable};
use ferromq::protocol::codes::{request, response};
use serde_json::{Value, json};

use crate::consumer::{Consumer, commit, succeeds, with_messages};
use crate::raw::{Raw, ask_for};
use crate::shell::Shell;

/// What the consumer says of itself.
fn info(broker_name: &str) -> ConsumerRunningInfo {
    let queue = MessageQueue { broker_name: broker_name.into(), queue_id: 0, topic: "orders".into() };
    let held = ProcessQueueInfo { commit_offset: 7, ..ProcessQueueInfo::default() };
    ConsumerRunningInfo {
        mq_table: QueueTable([(queue, held)].into()),
        properties: [("PROP_CONSUMER_START_TIMESTAMP".to_owned(), "1700000000000".to_owned())].into(),
        ..ConsumerRunningInfo::default()
    }
}

/// A topic with a queue, and a consumer of it.
async fn online() -> (Shell, Consumer) {
    let shell = Shell::start();
    shell.json("updateTopic -c DefaultCluster -t orders -r 1 -w 1");
    shell.json_until("topicRoute -t orders -l", |rows| rows[0]["readQueueNums"] == 1);
    let consumer = Consumer::join(shell.broker().parse().unwrap(), "client-1", "billing", &["orders"]).await;
    // The group's brokers are found by its retry topic.
    shell.json_until("topicRoute -t %RETRY%billing -l", |rows| rows[0]["readQueueNums"] == 1);
    (shell, consumer)
}

/// Runs a command while the consumer answers what it is asked, `answers` times, with this body.
async fn told(shell: &Shell, consumer: &mut Consumer, command: &str, answers: usize, body: &[u8]) -> Value {
    let (asking, command) = (shell.commands.clone(), command.to_owned());
    let mut running = tokio::task::spawn_blocking(move || asking.json(&command));
    for _ in 0..answers {
        let asked = tokio::select! {
            ended = &mut running => panic!("it ends before it asks the consumer: {ended:?}"),
            asked = consumer.hears() => asked,
        };
        consumer.answers(&asked, response::SUCCESS, body.to_vec()).await;
    }
    running.await.unwrap()
}

#[actix::test]
async fn connections_are_shown() {
    let (shell, mut consumer) = online().await;
    let mut producer = Raw::connect(shell.broker().parse().unwrap()).await;
    let body = json!({"clientID": "p", "consumerDataSet": [], "producerDataSet": [{"groupName": "shop"}]});
    succeeds(&mut producer, ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())).await;

    let shown = told(&shell, &mut consumer, "consumerConnection -g billing", 0, b"").await;
    assert_eq!(
        (&shown["connections"][0]["clientId"], &shown["connections"][0]["version"]),
        (&json!("client-1"), &json!(407))
    );
    assert_eq!(shown["subscriptions"][0]["topic"], "orders");
    assert_eq!(shown["group"]["consumeType"], "CONSUME_PASSIVELY");
    let shown = told(&shell, &mut consumer, "producerConnection -g shop -t orders", 0, b"").await;
    assert_eq!(shown[0]["clientId"], "p");
    let command = format!("producer -b {}", shell.broker());
    let shown = told(&shell, &mut consumer, &command, 0, b"").await;
    assert_eq!((&shown[0]["producerGroup"], &shown[0]["clientId"]), (&json!("shop"), &json!("p")));
}

#[actix::test]
async fn consumers_are_shown_as_they_show_themselves() {
    let (shell, mut consumer) = online().await;
    let body = info(&shell.broker_name()).encode();
    let shown = told(&shell, &mut consumer, "consumerStatus -g billing", 1, &body).await;
    let row = (&shown[0]["clientId"], &shown[0]["queues"], &shown[0]["started"]);
    assert_eq!(row, (&json!("client-1"), &json!(1), &json!(1_700_000_000_000_i64)));
    let shown = told(&shell, &mut consumer, "consumerStatus -g billing -i client-1", 1, &body).await;
    assert_eq!((&shown["queues"][0]["consumerOffset"], &shown["queues"][0]["topic"]), (&json!(7), &json!("orders")));
}

#[actix::test]
async fn their_progress_is_shown_with_who_reads_what() {
    let (shell, mut consumer) = online().await;
    let mut tool = Raw::connect(shell.broker().parse().unwrap()).await;
    with_messages(&mut tool, "orders", 0, 3).await;
    commit(&mut tool, "orders", "billing", 0, 1).await;
    let body = info(&shell.broker_name()).encode();
    let shown = told(&shell, &mut consumer, "consumerProgress -g billing -s true", 1, &body).await;
    let row = &shown["queues"][0];
    assert_eq!((&row["diff"], &row["clientIp"]), (&json!(2), &json!("127.0.0.1")), "{shown}");
    assert_eq!(shown["total"]["diffTotal"], 2);
    let all = told(&shell, &mut consumer, "consumerProgress", 0, b"").await;
    let row = (&all[0]["consumerGroup"], &all[0]["clients"], &all[0]["diffTotal"]);
    assert_eq!(row, (&json!("billing"), &json!(1), &json!(2)), "{all}");
}

#[actix::test]
async fn they_are_told_where_to_go_on_and_what_to_consume_again() {
    let (shell, mut consumer) = online().await;
    let mut tool = Raw::connect(shell.broker().parse().unwrap()).await;
    let id = with_messages(&mut tool, "orders", 0, 3).await;
    commit(&mut tool, "orders", "billing", 0, 1).await;
    let shown = told(&shell, &mut consumer, "skipAccumulatedMessage -g billing -t orders", 0, b"").await;
    assert_eq!((&shown[0]["offset"], &shown[0]["told"]), (&json!(3), &json!("consumers")), "{shown}");
    assert_eq!(consumer.hears().await.code, request::RESET_CONSUMER_CLIENT_OFFSET);
    for (when, offset) in [("now", 3), ("-1", 3), ("0", 0)] {
        let command = format!("resetOffsetByTime -g billing -t orders -s {when}");
        let shown = told(&shell, &mut consumer, &command, 0, b"").await;
        assert_eq!((&shown[0]["offset"], &shown[0]["told"]), (&json!(offset), &json!("consumers")), "{when}");
        assert_eq!(consumer.hears().await.code, request::RESET_CONSUMER_CLIENT_OFFSET);
    }
    let result = br#"{"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":3}"#;
    let command = format!("queryMsgById -i {id} -g billing -d client-1");
    let shown = told(&shell, &mut consumer, &command, 1, result).await;
    assert_eq!((&shown["consumeResult"], &shown["spentTimeMills"]), (&json!("CR_SUCCESS"), &json!(3)));
    let command = format!("queryMsgById -i {id}");
    let shown = told(&shell, &mut consumer, &command, 0, b"").await;
    assert_eq!(shown["consumers"], json!([{"consumerGroup": "billing", "track": "NOT_CONSUME_YET", "error": null}]));
}
