//! A reply is pushed to the client that asked, and stored in the reply topic; the replier hears what became of it.

use std::fmt::Display;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::headers::send::PushReply;
use ferromq::protocol::units::Opaque;
use serde_json::json;

use crate::messages::{bodies, property_pairs, wait_for};
use crate::raw::{Raw, ask_for, pull_from, with};
use crate::support::Cluster;

const REPLY_TOPIC: &str = "DefaultCluster_REPLY_TOPIC";

fn reply_to(client_id: &str) -> Command {
    let properties = format!("CORRELATION_ID\u{1}7\u{2}REPLY_TO_CLIENT\u{1}{client_id}\u{2}MSG_TYPE\u{1}reply");
    let fields: [(&str, &dyn Display); 13] = [
        ("a", &"PG"),
        ("b", &REPLY_TOPIC),
        ("c", &"TBW102"),
        ("d", &4),
        ("e", &0),
        ("f", &1),
        ("g", &1_700_000_000_000_i64),
        ("h", &9),
        ("i", &properties),
        ("j", &0),
        ("k", &false),
        ("l", &0),
        ("m", &false),
    ];
    ask_for(request::SEND_REPLY_MESSAGE_V2, &fields).with_body("the answer".into())
}

async fn requester(cluster: &Cluster, id: &str) -> Raw {
    let mut client = Raw::connect(cluster.broker.address()).await;
    let body =
        json!({"clientID": id, "consumerDataSet": [], "producerDataSet": [{"groupName": "CLIENT_INNER_PRODUCER"}]});
    let reply = client.ask(ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())).await;
    assert_eq!(reply.code, response::SUCCESS);
    client
}

/// Takes the pushed reply and acknowledges it with a code.
async fn is_pushed(client: &mut Raw, code: i32) -> (PushReply, Command) {
    let push = client.next().await.unwrap();
    assert_eq!(push.code, request::PUSH_REPLY_MESSAGE_TO_CLIENT, "{push:?}");
    let mut out = bytes::BytesMut::new();
    let acknowledged = Command::reply(code, Opaque(push.opaque.0));
    ferromq::protocol::frame::encode(&acknowledged, Serialization::Json, &mut out);
    assert!(client.write(&out).await);
    (PushReply::parse(&push.ext).unwrap(), push)
}

#[actix::test]
async fn the_one_that_asked_gets_it_and_it_is_stored() {
    let cluster = Cluster::start().await;
    let mut asker = requester(&cluster, "asker").await;
    let mut replier = Raw::connect(cluster.broker.address()).await;
    replier.send_as(reply_to("asker"), Serialization::Json).await;
    let (header, push) = is_pushed(&mut asker, response::SUCCESS).await;
    assert_eq!(&*push.body, b"the answer");
    assert_eq!((header.topic.as_str(), header.flag, header.sys_flag), (REPLY_TOPIC, 9, 1));
    assert_eq!(header.born_host, replier.local_address().to_string());
    assert_eq!(header.store_host, cluster.broker.address().to_string());
    let properties = header.properties.unwrap();
    let pushed_at = format!("PUSH_REPLY_TIME\u{1}{}", header.store_timestamp);
    assert!(properties.contains("CORRELATION_ID\u{1}7") && properties.contains(&pushed_at), "{properties:?}");
    let told = replier.next().await.unwrap();
    assert_eq!((told.code, told.remark.as_deref()), (response::SUCCESS, None), "{told:?}");
    assert_eq!(told.ext.int64("queueOffset").unwrap(), 0);
    let stored = wait_for(&mut replier, REPLY_TOPIC, 0, 0, 1).await;
    assert_eq!(
        (bodies(&stored), stored[0].offset_id()),
        (vec!["the answer".to_owned()], told.ext.get("msgId").unwrap().into_owned())
    );
    assert_eq!(property_pairs(&stored[0]), ["CORRELATION_ID=7", "MSG_TYPE=reply", "REPLY_TO_CLIENT=asker"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_reply_to_nobody_is_told_so_and_stored_all_the_same() {
    let cluster = Cluster::start().await;
    let mut replier = Raw::connect(cluster.broker.address()).await;
    let reply = replier.ask(reply_to("nobody")).await;
    let text = "push reply message fail, channel of <nobody> not found.";
    assert_eq!((reply.code, reply.remark.as_deref()), (response::SYSTEM_ERROR, Some(text)));
    assert!(reply.ext.get("MSG_REGION").is_some(), "{reply:?}");
    let nameless = replier.ask(with(reply_to("x"), "i", "A\u{1}a")).await;
    assert_eq!(nameless.code, response::SYSTEM_ERROR);
    assert_eq!(wait_for(&mut replier, REPLY_TOPIC, 0, 0, 2).await.len(), 2);
    cluster.stop().await;
}

#[actix::test]
async fn a_client_that_refuses_or_leaves_fails_only_its_own_reply() {
    let cluster = Cluster::start_with(|options| BrokerOptions { store_replies: false, ..options }).await;
    let mut asker = requester(&cluster, "asker").await;
    let mut replier = Raw::connect(cluster.broker.address()).await;
    replier.send_as(reply_to("asker"), Serialization::Json).await;
    is_pushed(&mut asker, response::SYSTEM_ERROR).await;
    assert_eq!(replier.next().await.unwrap().code, response::SYSTEM_ERROR);
    replier.send_as(reply_to("asker"), Serialization::Json).await;
    assert_eq!(asker.next().await.unwrap().code, request::PUSH_REPLY_MESSAGE_TO_CLIENT);
    // While that one is waited for, others are served.
    let mut other = Raw::connect(cluster.broker.address()).await;
    assert_eq!(other.ask(pull_from(REPLY_TOPIC, 0, 0, 1)).await.code, response::PULL_NOT_FOUND, "nothing is stored");
    drop(asker);
    let told = replier.next().await.unwrap();
    assert_eq!(told.code, response::SYSTEM_ERROR, "{told:?}");
    cluster.stop().await;
}

#[actix::test]
async fn replies_are_checked_as_sends_are() {
    let cluster = Cluster::start().await;
    let mut replier = Raw::connect(cluster.broker.address()).await;
    for (field, value, code) in [
        ("b", "no topic", response::SYSTEM_ERROR),
        ("b", "Unknown", response::TOPIC_NOT_EXIST),
        ("b", "SCHEDULE_TOPIC_XXXX", response::NO_PERMISSION),
        ("e", "99", response::SYSTEM_ERROR),
        ("g", "soon", response::SYSTEM_ERROR),
    ] {
        let reply = replier.ask(with(reply_to("nobody"), field, value)).await;
        assert_eq!(reply.code, code, "{field} {value}: {reply:?}");
    }
    cluster.stop().await;
}

/// What no start could read again, or no consumer could be sent, is refused as with sends.
#[actix::test]
async fn replies_that_cannot_be_stored_are_refused() {
    let cluster = Cluster::start_with(|options| BrokerOptions { message_bytes_max: 1_000, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let long = format!("REPLY_TO_CLIENT\u{1}nobody\u{2}A\u{1}{:a<32767}", "");
    let illegal = [
        with(reply_to("nobody"), "f", 0x80),
        with(reply_to("nobody"), "i", long),
        reply_to("nobody").with_body(vec![0; 1_001].into()),
    ];
    for reply in illegal {
        let refused = client.ask(reply).await;
        assert_eq!(refused.code, response::MESSAGE_ILLEGAL, "{refused:?}");
    }
    let nothing = client.ask(pull_from(REPLY_TOPIC, 0, 0, 1)).await;
    assert_eq!(nothing.code, response::PULL_NOT_FOUND, "{nothing:?}");
    cluster.stop().await;
}
