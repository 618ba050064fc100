//! `ferromq admin`: a message that was found is shown, whatever can be told of those who consume it.

use bytes::{Bytes, BytesMut};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use ferromq::protocol::ids::{offset_id, parse_offset_id};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::binary::{Ran, contains};
use crate::consumer::{succeeds, with_messages};
use crate::raw::{Raw, ask_for};
use crate::shell::Shell;

const PULLING: &str = r#"{"consumeType":"CONSUME_ACTIVELY"}"#;
const BROADCASTING: &str = r#"{"consumeType":"CONSUME_PASSIVELY","messageModel":"BROADCASTING"}"#;
const PUSHED: &str = r#"{"consumeType":"CONSUME_PASSIVELY"}"#;

/// A broker that has one message and answers what else is known to it; all other requests it refuses. Returns the message's id.
async fn broker_with(message: Bytes, answers: &[(i32, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let id = offset_id(listener.local_addr().unwrap(), ferromq::protocol::units::PhysicalOffset(0));
    let mut known: Vec<_> = answers.iter().map(|(code, body)| (*code, Bytes::from(*body))).collect();
    known.push((request::VIEW_MESSAGE_BY_ID, message));
    tokio::spawn(async move {
        let mut peer = Raw::over(listener.accept().await.unwrap().0);
        while let Some(asked) = peer.next().await {
            let reply = match known.iter().find(|(code, _)| *code == asked.code) {
                Some((_, body)) => Command::reply(response::SUCCESS, asked.opaque).with_body(body.clone()),
                None => Command::reply(response::SYSTEM_ERROR, asked.opaque).with_remark("out of order"),
            };
            let mut out = BytesMut::new();
            frame::encode(&reply, Serialization::Json, &mut out);
            peer.write(&out).await;
        }
    });
    id
}

#[actix::test]
async fn each_group_has_a_row_that_says_why() {
    let shell = Shell::start();
    let mut tool = Raw::connect(shell.broker().parse().unwrap()).await;
    let id = with_messages(&mut tool, "TBW102", 0, 1).await;
    let at = parse_offset_id(&id).unwrap().1.0;
    let message = succeeds(&mut tool, ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &at)])).await.body;
    let groups = (request::QUERY_TOPIC_CONSUME_BY_WHO, r#"{"groupList":["billing"]}"#);
    let connection = |body| (request::GET_CONSUMER_CONNECTION_LIST, body);
    for (answers, track, says_why) in [
        (&[groups, connection(PULLING)][..], "PULL", false),
        (&[groups, connection(BROADCASTING)], "CONSUME_BROADCASTING", false),
        (&[groups, connection(PUSHED)], "UNKNOWN", true),
        (&[groups], "UNKNOWN", true),
    ] {
        let found = shown(&shell, &broker_with(message.clone(), answers).await).await;
        assert_eq!((found.code, found.err.as_str()), (0, ""));
        let found: Value = serde_json::from_str(&found.out).unwrap();
        assert_eq!(found["message"]["body"], "message 0");
        let group = &found["consumers"][0];
        assert_eq!((&group["consumerGroup"], &group["track"]), (&json!("billing"), &json!(track)), "{found}");
        assert_eq!(group["error"].as_str().is_some_and(|why| why.ends_with("out of order")), says_why, "{found}");
    }
    let found = shown(&shell, &broker_with(message, &[]).await).await;
    assert_eq!(found.code, 0, "{found:?}");
    contains(&found.err, "out of order");
    let found: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((&found["message"]["body"], &found["consumers"]), (&json!("message 0"), &json!([])));
}

async fn shown(shell: &Shell, id: &str) -> Ran {
    let (commands, command) = (shell.commands.clone(), format!("queryMsgById -i {id} --json"));
    tokio::task::spawn_blocking(move || commands.run(&command)).await.unwrap()
}
