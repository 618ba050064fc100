//! A server asks its clients: replies find whoever waits for them, and nobody waits for ever.

use std::time::Duration;

use ferromq::net::peer::CallError;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;

use crate::raw::{LIMIT, Raw};
use crate::served::{CODE, Served, peer_of};

const ASKED: i32 = request::GET_CONSUMER_RUNNING_INFO;

#[actix::test]
async fn a_client_answers_beside_its_own_requests() {
    let mut served = Served::start();
    let mut client = Raw::connect(served.server.local()).await;
    client.send_as(Command::request(CODE), Serialization::Json).await;
    let taken = served.request().await;
    let peer = peer_of(&taken);
    let answers = async {
        let asked = client.next().await.unwrap();
        assert_eq!((asked.code, asked.is_reply()), (ASKED, false));
        let mut reply = bytes::BytesMut::new();
        let answer = Command::reply(response::SUCCESS, asked.opaque).with_body("what it does".into());
        frame::encode(&answer, Serialization::Json, &mut reply);
        assert!(client.write(&reply).await);
    };
    let (told, ()) = tokio::join!(peer.call(Command::request(ASKED), LIMIT), answers);
    assert_eq!(told.unwrap().body, "what it does");
    taken.reply.succeed();
    assert_eq!(client.next().await.unwrap().code, response::SUCCESS);
    served.stop().await;
}

#[actix::test]
async fn one_that_is_silent_or_gone_is_not_waited_for() {
    let mut served = Served::start();
    let mut client = Raw::connect(served.server.local()).await;
    client.send_as(Command::request(CODE), Serialization::Json).await;
    let peer = peer_of(&served.request().await);
    assert_eq!(peer.call(Command::request(ASKED), Duration::from_millis(1)).await.unwrap_err(), CallError::Timeout);
    let (ended, ()) = tokio::join!(peer.call(Command::request(ASKED), LIMIT), async { drop(client) });
    assert_eq!(ended.unwrap_err(), CallError::Closed);
    assert_eq!(peer.call(Command::request(ASKED), LIMIT).await.unwrap_err(), CallError::Closed);
    served.stop().await;
}
