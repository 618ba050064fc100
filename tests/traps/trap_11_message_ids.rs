//! Admin tools connect to the address inside a message id.

use std::net::SocketAddr;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::message;

use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

#[actix::test]
async fn the_address_in_a_message_id_serves_the_message() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let stored = client.ask(send_to("T", 0, "", "body")).await;
    let id = stored.ext.get("msgId").unwrap().into_owned();
    assert_eq!(id.len(), 32, "{id}");
    let number = |from: usize, to: usize| u64::from_str_radix(&id[from..to], 16).unwrap();
    let ip = u32::try_from(number(0, 8)).unwrap().to_be_bytes();
    let address = SocketAddr::from((ip, u16::try_from(number(8, 16)).unwrap()));
    let mut tool = Raw::connect(address).await;
    let found = tool.ask(ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &number(16, 32))])).await;
    assert_eq!(found.code, response::SUCCESS, "{found:?}");
    let found = message::decode_all(found.body).unwrap();
    assert_eq!((&found[0].body[..], found[0].store_host), (&b"body"[..], address));
    // What does not begin a message is refused, wherever it points.
    for offset in [1, 1 << 20, i64::MAX, -1] {
        let nothing = tool.ask(ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &offset)])).await;
        assert_eq!(nothing.code, response::SYSTEM_ERROR, "{offset}");
    }
    cluster.stop().await;
}
