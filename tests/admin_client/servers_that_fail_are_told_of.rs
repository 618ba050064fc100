//! Servers that are not there, say nothing, or say what nobody can read.

use std::time::Duration;

use bytes::BytesMut;
use ferromq::admin::Admin;
use ferromq::client::ClientError;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use tokio::net::TcpListener;

use crate::fixtures::topic;
use crate::raw::Raw;

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

/// A server that answers each request of one connection in the same way, or not at all; returns its address.
async fn server(answer: Option<Command>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut peer = Raw::over(listener.accept().await.unwrap().0);
        while let Some(asked) = peer.next().await {
            if let Some(answer) = &answer {
                let mut out = BytesMut::new();
                frame::encode(&answer.clone().with_opaque(asked.opaque), Serialization::Json, &mut out);
                peer.write(&out).await;
            }
        }
    });
    address
}

fn answer(body: &'static str) -> Command {
    Command::reply(response::SUCCESS, ferromq::protocol::units::Opaque(0)).with_body(body.into())
}

#[actix::test]
async fn nobody_listens() {
    let admin = Admin::new(NOBODY).unwrap();
    for error in [
        admin.topics().await.unwrap_err(),
        admin.runtime_info(NOBODY).await.unwrap_err(),
        admin.put_kv("ns", "a", "b").await.unwrap_err(),
    ] {
        assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
        assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:1"), "{error}");
    }
    assert!(matches!(Admin::new(" ; "), Err(ClientError::NoNameServer)));
}

#[actix::test]
async fn nobody_answers() {
    let silent = server(None).await;
    let admin = Admin::new(NOBODY).unwrap().with_limit(Duration::from_millis(20));
    let error = admin.groups(&silent).await.unwrap_err().to_string();
    assert_eq!(error, format!("no answer from {silent} to request GET_ALL_SUBSCRIPTIONGROUP_CONFIG within 20ms"));
}

#[actix::test]
async fn the_answer_is_unreadable() {
    for body in ["", "\u{0}", "[1", "{\"topicList\":7}"] {
        let broker = server(Some(answer(body))).await;
        let error = Admin::new(NOBODY).unwrap().groups_of_topic(&broker, &topic("T")).await;
        match error {
            Err(ClientError::Body { address, .. }) => assert_eq!(address, broker),
            // It is JSON, and of another body, all of whose fields may be left out.
            other => assert!(body.contains("topicList") && other.is_ok(), "{body:?}: {other:?}"),
        }
    }
    let broker = server(Some(answer("no message"))).await;
    let admin = Admin::new(NOBODY).unwrap();
    let at = ferromq::protocol::units::PhysicalOffset(0);
    let error = admin.message_at(&broker, at).await.unwrap_err();
    assert!(matches!(error, ClientError::Record(_)), "{error:?}");
    let name_server = server(Some(answer(""))).await;
    let error = admin.wipe_write_permission(&name_server, "b").await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("wipeTopicCount"), "{error}");
}
