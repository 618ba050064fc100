//! `ferromq admin queryMsgTraceById`: what our own clients leave behind, shown.

use ferromq::client::{
    Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, TraceOptions, Verdict, Wanted,
};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::binary::contains;
use crate::shell::Shell;

/// Sends a message and consumes it, and gives its id. All records are sent when this ends.
#[actix::main]
async fn leave_a_trace(name_server: &str, topic: &str) -> String {
    let client = Client::new(ClientOptions::of(name_server)).await.unwrap();
    let producer = client.producer("writers").trace(TraceOptions::to(topic)).start().await.unwrap();
    let receipt = producer.send(&OutgoingMessage::to("Orders", "body").unwrap()).await.unwrap();
    producer.stop().await.unwrap();
    let (consumed, mut is_consumed) = mpsc::unbounded_channel();
    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let consumer = client.push_consumer("readers").options(options).trace(TraceOptions::to(topic));
    let listener = move |_: Delivery| {
        consumed.send(()).unwrap();
        std::future::ready(Verdict::Consumed)
    };
    let consumer = consumer.subscribe("Orders", Wanted::All).start(listener).await.unwrap();
    is_consumed.recv().await.unwrap();
    consumer.stop().await.unwrap();
    receipt.unique_id
}

#[test]
fn of_a_message_that_was_sent_and_consumed() {
    let shell = Shell::start();
    let id = leave_a_trace(&shell.name_server, "Traces");
    let command = format!("queryMsgTraceById -i {id} -t Traces");
    let rows = shell.json_until(&command, |rows| rows.as_array().is_some_and(|rows| rows.len() == 2));
    let of = |row: &Value, names: [&str; 4]| names.map(|name| row[name].as_str().unwrap_or("none").to_owned());
    let broker = shell.broker();
    assert_eq!(of(&rows[0], ["type", "group", "status", "broker"]), ["Pub", "writers", "success", &broker]);
    assert_eq!(of(&rows[1], ["type", "group", "status", "clientHost"]), ["Sub", "readers", "success", "127.0.0.1"]);
    assert!(rows[0]["time"].as_i64() <= rows[1]["time"].as_i64() && rows[1]["retries"] == 0, "{rows}");
    let offset_id = rows[0]["offsetMsgId"].as_str().unwrap();
    contains(&shell.text(&format!("queryMsgById -i {offset_id}")), "body");
    contains(&shell.text(&command), "writers");
    let nothing = shell.fails("queryMsgTraceById -i nope -t Traces");
    assert_eq!(nothing, "error: topic Traces has no trace of a message with the id nope\n");
    contains(&shell.fails(&format!("queryMsgTraceById -i {id}")), "RMQ_SYS_TRACE_TOPIC");
}
