//! Replies with large bodies leave in steps and one after the other; what is short does not wait for all of them.

use bytes::Bytes;
use ferromq::net::bulk::Slices;
use ferromq::net::router::Request;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use ferromq::protocol::units::Opaque;

use crate::raw::Raw;
use crate::served::{CODE, Served};

/// More than the sockets between the two hold.
const LARGE_BYTES: usize = 15 << 20;

fn answer_in_bulk(request: Request, body: &Bytes) {
    let slices = body.chunks(1 << 20).map(|part| body.slice_ref(part));
    request.reply.send_in_bulk(Box::new(Slices::new(slices)), |out, opaque, serialization| {
        frame::encode_prefix(&Command::reply(response::SUCCESS, opaque), serialization, LARGE_BYTES, out);
    });
}

#[actix::test]
async fn an_acknowledgement_waits_for_the_reply_under_way_and_for_no_other() {
    let mut served = Served::start();
    let mut client = Raw::connect(served.server.local()).await;
    let mut opaques = Vec::new();
    let mut requests = Vec::new();
    for _ in 0..3 {
        opaques.push(client.send_as(Command::request(CODE), Serialization::Json).await);
        requests.push(served.request().await);
    }
    let body = Bytes::from(vec![7; LARGE_BYTES]);
    let acknowledged = requests.pop().unwrap();
    for request in requests {
        answer_in_bulk(request, &body);
    }
    // The first large one is on its way when the short one comes.
    client.has_bytes_to_read().await;
    acknowledged.reply.succeed();
    let mut order: Vec<Opaque> = Vec::new();
    for _ in 0..3 {
        let reply = client.next().await.unwrap();
        assert!(reply.body.is_empty() || reply.body == body);
        order.push(reply.opaque);
    }
    assert_eq!(order, [opaques[0], opaques[2], opaques[1]]);
    served.stop().await;
}
