//! Unknown codes are answered on every port, one-way requests on none, and each in the encoding it came in.

use std::net::SocketAddr;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};

use crate::fast_port::with_fast_port;
use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::Cluster;

const UNKNOWN: i32 = 9_999;

async fn is_not_supported(address: SocketAddr, command: Command) {
    let text = format!(" request type {} not supported", command.code);
    let reply = Raw::connect(address).await.ask(command).await;
    let code = response::REQUEST_CODE_NOT_SUPPORTED;
    assert_eq!((reply.code, reply.remark), (code, Some(text)), "{address}");
}

#[actix::test]
async fn unknown_codes_are_answered_and_the_fast_port_takes_no_pulls() {
    let (cluster, fast) = with_fast_port().await;
    for address in [cluster.broker.address(), fast, cluster.namesrv.address()] {
        for code in [UNKNOWN, -1, 0, i32::MAX, i32::MIN] {
            is_not_supported(address, ask_for(code, &[])).await;
        }
    }
    is_not_supported(cluster.namesrv.address(), send_to("T", 0, "", "x")).await;
    is_not_supported(fast, pull_from("T", 0, 0, 1)).await;
    let sent = Raw::connect(fast).await.ask(send_to("T", 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "the fast port takes sends");
    cluster.stop().await;
}

#[actix::test]
async fn oneway_requests_are_carried_out_and_not_answered() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let commit = ask_for(
        request::UPDATE_CONSUMER_OFFSET,
        &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0), ("commitOffset", &7)],
    );
    let oneway = [
        send_to("T", 0, "", "first"),
        send_to("no topic", 0, "", "refused"),
        pull_from("nn", 0, 0, 1),
        commit,
        ask_for(UNKNOWN, &[]),
        ask_for(request::HEART_BEAT, &[]),
    ];
    for command in oneway {
        client.send_as(command.oneway(), Serialization::Json).await;
    }
    // The next thing that comes is the answer to the next question.
    let query = ask_for(request::QUERY_CONSUMER_OFFSET, &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0)]);
    let opaque = client.send_as(query, Serialization::Json).await;
    let answer = client.next().await.unwrap();
    assert_eq!((answer.opaque, answer.ext.int64("offset").unwrap()), (opaque, 7));
    let second = client.ask(send_to("T", 0, "", "second")).await;
    assert_eq!(second.ext.int64("queueOffset").unwrap(), 1, "the first was stored");
    cluster.stop().await;
}

#[actix::test]
async fn each_request_is_answered_in_its_own_encoding() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let requests = [
        send_to("T", 0, "", "x"),
        send_to("T", 99, "", "x"),
        pull_from("T", 0, 9, 1),
        ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]),
        ask_for(UNKNOWN, &[]),
    ];
    for command in requests {
        let mut codes = Vec::new();
        for serialization in [Serialization::Binary, Serialization::Json] {
            let opaque = client.send_as(command.clone(), serialization).await;
            let frame = client.next_frame().await.unwrap();
            let reply = frame.command().unwrap();
            assert_eq!((frame.serialization, reply.opaque), (serialization, opaque), "{}", command.code);
            codes.push(reply.code);
        }
        assert_eq!(codes[0], codes[1], "{}", command.code);
    }
    cluster.stop().await;
}
