//! More large frames under way than there is room for: each arrives whole, one after the other if need be, and what is short
//! is served meanwhile.

use bytes::BytesMut;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use ferromq::protocol::units::Opaque;

use crate::raw::Raw;
use crate::served::{CODE, Served};

const CLIENTS: usize = 4;
const FRAME_BYTES: usize = 1_500_000;
/// Less than the first halves of all frames.
const ROOM_BYTES: usize = 1_000_000;

fn large() -> BytesMut {
    let mut bytes = BytesMut::new();
    let body = vec![7; FRAME_BYTES];
    frame::encode(&Command::request(CODE).with_body(body.into()), Serialization::Json, &mut bytes);
    bytes
}

#[actix::test]
async fn none_waits_for_the_others_for_ever() {
    let mut served = Served::start_with(usize::MAX, ROOM_BYTES);
    let address = served.server.local();
    let (mut clients, bytes) = (Vec::new(), large());
    for _ in 0..CLIENTS {
        let mut client = Raw::connect(address).await;
        // The sockets between the two take some of it when the server reads no further.
        assert!(client.write(&bytes[..FRAME_BYTES / 2]).await);
        clients.push(client);
    }
    let mut short = Raw::connect(address).await;
    short.send_as(Command::request(CODE), Serialization::Json).await;
    served.request().await.reply.succeed();
    assert_eq!(short.next().await.unwrap().code, response::SUCCESS);

    let rests = clients.into_iter().map(|mut client| {
        let rest = bytes.clone().split_off(FRAME_BYTES / 2);
        actix::spawn(async move {
            assert!(client.write(&rest).await);
            client.next().await.unwrap().code
        })
    });
    let rests: Vec<_> = rests.collect();
    for _ in 0..CLIENTS {
        let request = served.request().await;
        assert_eq!(request.command.body.len(), FRAME_BYTES);
        request.reply.succeed();
    }
    for rest in rests {
        assert_eq!(rest.await.unwrap(), response::SUCCESS);
    }
    served.stop().await;
}

#[actix::test]
async fn an_answer_that_fits_no_frame_is_told_as_an_error() {
    let mut served = Served::start();
    let mut client = Raw::connect(served.server.local()).await;
    let answer_with = |bytes: usize| Command::reply(response::SUCCESS, Opaque(0)).with_body(vec![b'.'; bytes].into());
    for (bytes, code) in [
        (frame::ANSWER_BODY_BYTES_MAX, response::SUCCESS),
        (frame::ANSWER_BODY_BYTES_MAX + 1, response::SYSTEM_ERROR),
        (1, response::SUCCESS),
    ] {
        client.send_as(Command::request(CODE), Serialization::Json).await;
        served.request().await.reply.send(answer_with(bytes));
        let answer = client.next().await.unwrap();
        assert_eq!(answer.code, code, "{bytes} bytes: {:?}", answer.remark);
    }
    served.stop().await;
}
