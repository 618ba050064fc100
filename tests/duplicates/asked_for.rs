//! A topic stores each send once only if its attribute says so.

use ferromq::protocol::codes::{request, response};

use crate::raw::{Raw, ask_for};
use crate::support::Cluster;
use crate::topics::{make, send, update};

const UNIQ: &str = "UNIQ_KEY\u{1}a";

#[actix::test]
async fn an_attribute_switches_it_on_and_off() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let mut offset_after = async |attributes: &str| {
        let changed = update(&mut client, "T", attributes).await;
        assert_eq!(changed.code, response::SUCCESS, "{changed:?}");
        send(&mut client, "T", 0, UNIQ, "body").await.queue_offset
    };
    assert_eq!((offset_after("").await, offset_after("").await), (0, 1));
    assert_eq!(offset_after("+duplicate.window.ms=60000").await, 2, "the ones before were not remembered");
    assert_eq!(offset_after("+duplicate.window.ms=60000").await, 2);
    // Tools of 4.9.7 say nothing of attributes, and change none.
    assert_eq!(offset_after("").await, 2);
    assert_eq!(offset_after("-duplicate.window.ms").await, 3);
    cluster.stop().await;
}

#[actix::test]
async fn what_cannot_be_done_is_refused() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for (topic, attributes, says) in [
        ("T", "+duplicate.window.ms=1m", "duplicate.window.ms is \"1m\", expected milliseconds from 1 to 86400000"),
        ("T", "+duplicate.window.ms=0", "duplicate.window.ms is \"0\""),
        ("T", "duplicate.window.ms=5", "expected +name=value or -name"),
        ("T", "+message.type=FIFO", "the topic attribute message.type is not known, there is duplicate.window.ms"),
        ("%RETRY%g", "+duplicate.window.ms=5", "the topic %RETRY%g cannot have the attribute"),
    ] {
        let refused = update(&mut client, topic, attributes).await;
        assert_eq!(refused.code, response::SYSTEM_ERROR, "{attributes}: {refused:?}");
        assert!(refused.remark.as_deref().unwrap_or_default().contains(says), "{refused:?}");
    }
    let unknown = client.ask(ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"T")])).await;
    assert_eq!(unknown.code, response::TOPIC_NOT_EXIST, "what was refused has made no topic: {unknown:?}");
    cluster.stop().await;
}

#[actix::test]
async fn tools_are_shown_the_attribute() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    make(&mut client, "T").await;
    let config = client.ask(ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"T")])).await;
    let config: serde_json::Value = serde_json::from_slice(&config.body).unwrap();
    assert_eq!(config["attributes"]["duplicate.window.ms"], "60000", "{config}");
    cluster.stop().await;
}
