//! Messages that are too large, or not what they say: refused whole, and nothing of them is stored.

use std::fmt::Display;

use bytes::{BufMut, Bytes};
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message::encode_batch_item;

use crate::raw::{Raw, ask_for, send_to, with};
use crate::support::Cluster;

const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. msg body length limit \
                       4194304B, msg properties length limit 32KB, topic length limit 127.";

/// Asks how many messages queue 0 of the topic holds.
fn bound() -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)])
}

async fn stored(client: &mut Raw) -> i64 {
    client.ask(bound()).await.ext.int64("offset").unwrap()
}

/// Refused with this text, and the next message on the same connection is stored.
async fn refused(client: &mut Raw, send: Command, remark: &str) {
    let before = stored(client).await;
    let reply = client.ask(send).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (response::MESSAGE_ILLEGAL, Some(remark)));
    assert_eq!(reply.ext.get("MSG_REGION").as_deref(), Some("DefaultRegion"));
    let next = client.ask(send_to("T", 0, "", "next")).await;
    assert_eq!((next.code, next.ext.int64("queueOffset").unwrap()), (response::SUCCESS, before), "{next:?}");
    client.ask_until(bound(), |reply| reply.ext.int64("offset").unwrap() == before + 1).await;
}

#[actix::test]
async fn bodies_and_properties_over_their_limits() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 1, "", "first")).await.code, response::SUCCESS);
    refused(&mut client, send_to("T", 0, "", vec![7; (4 << 20) + 1]), ILLEGAL).await;
    refused(&mut client, send_to("T", 0, &format!("K\u{1}{}\u{2}", "v".repeat(32_767)), "x"), ILLEGAL).await;
    // What the broker adds itself counts.
    let as_long_as_can_be = 32_767 - "K\u{1}\u{2}".len();
    refused(&mut client, send_to("T", 0, &format!("K\u{1}{}\u{2}", "v".repeat(as_long_as_can_be)), "x"), ILLEGAL).await;
    cluster.stop().await;
}

/// Such a record in the log would keep the broker from its next start.
#[actix::test]
async fn what_says_that_it_is_an_inner_batch() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 1, "", "first")).await.code, response::SUCCESS);
    for sys_flag in [0x80, 0xC0] {
        let fields: [(&str, &dyn Display); 10] = [
            ("a", &"PG"),
            ("b", &"T"),
            ("c", &"TBW102"),
            ("d", &4),
            ("e", &0),
            ("f", &sys_flag),
            ("g", &0),
            ("h", &0),
            ("i", &"INNER_NUM\u{1}3\u{2}"),
            ("j", &0),
        ];
        let send = ask_for(request::SEND_MESSAGE_V2, &fields).with_body(Bytes::from("x"));
        refused(&mut client, send, "this broker does not take inner batches (sysFlag 0x80)").await;
    }
    cluster.stop().await;
}

/// Stored, the first two would reach no queue, and the third would be given at once.
#[actix::test]
async fn marks_and_levels_that_nobody_can_follow() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 1, "", "first")).await.code, response::SUCCESS);
    let (prepared, rolled_back) = (4, 12);
    for mark in [prepared, rolled_back] {
        let text = "sysFlag says half or rolled back, but there is no property TRAN_MSG";
        refused(&mut client, with(send_to("T", 0, "", "x"), "f", mark), text).await;
    }
    for level in ["1s", "99999999999", "1.0"] {
        let send = send_to("T", 0, &format!("DELAY\u{1}{level}\u{2}"), "x");
        refused(&mut client, send, "the property DELAY is no number").await;
    }
    cluster.stop().await;
}

#[actix::test]
async fn records_larger_than_a_segment() {
    let cluster = Cluster::start_with(|mut options| {
        options.store.log_segment_bytes = 64 * 1024;
        options
    })
    .await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 1, "", "first")).await.code, response::SUCCESS);
    let limit = 64 * 1024 - 8;
    let fixed = record_bytes(0);
    let text = format!("a put of {} bytes does not fit a log segment of {limit}", fixed + 70_000);
    refused(&mut client, send_to("T", 0, "", vec![7; 70_000]), &text).await;
    let text = format!("a put of {} bytes does not fit a log segment of {limit}", limit + 1);
    refused(&mut client, send_to("T", 0, "", vec![7; limit + 1 - fixed]), &text).await;
    let largest = client.ask(send_to("T", 0, "", vec![7; limit - fixed])).await;
    assert_eq!(largest.code, response::SUCCESS, "{largest:?}");
    cluster.stop().await;
}

/// Bytes of a record of topic T without properties of its own, from addresses of IPv4.
fn record_bytes(body: usize) -> usize {
    const FIXED: usize = 91;
    FIXED + body + "T".len() + "CLUSTER\u{1}DefaultCluster".len()
}

#[actix::test]
async fn batches_whose_lengths_lie() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 1, "", "first")).await.code, response::SUCCESS);
    let item = |total: u32, body: i32, properties: i16| {
        let mut out = Vec::new();
        out.put_u32(total);
        out.put_bytes(0, 12);
        out.put_i32(body);
        out.put_slice(b"body");
        out.put_i16(properties);
        out
    };
    let right = 22 + 4;
    let lies = [
        ("a body longer than the batch", item(right, i32::MAX, 0)),
        ("a body of negative length", item(right, -4, 0)),
        ("properties longer than the batch", item(right, 4, i16::MAX)),
        ("properties of negative length", item(right, 4, -1)),
        ("a total that does not add up", item(right + 1, 4, 0)),
        ("the largest total", item(u32::MAX, 4, 0)),
        ("half an item", item(right, 4, 0)[..10].to_vec()),
        ("no item", Vec::new()),
    ];
    for (case, lie) in lies {
        let mut good_then_lie = Vec::new();
        if !lie.is_empty() {
            encode_batch_item(0, b"good", "", &mut good_then_lie).unwrap();
        }
        good_then_lie.extend(lie);
        let before = stored(&mut client).await;
        let reply = client.ask(batch(good_then_lie)).await;
        assert_eq!(reply.code, response::MESSAGE_ILLEGAL, "{case}: {reply:?}");
        assert!(reply.remark.is_some_and(|remark| !remark.is_empty()), "{case}");
        assert_eq!(stored(&mut client).await, before, "{case}: all of a batch or nothing");
    }
    cluster.stop().await;
}

fn batch(body: Vec<u8>) -> Command {
    Command { code: request::SEND_BATCH_MESSAGE, ..send_to("T", 0, "", Bytes::from(body)) }
}

/// The reply names each message of a batch, and would fit no frame.
#[actix::test]
async fn batches_of_more_messages_than_a_reply_can_name() {
    let cluster = Cluster::start_with(|options| BrokerOptions { message_bytes_max: 8 << 20, ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 0, "", "first")).await.code, response::SUCCESS);
    client.ask_until(bound(), |reply| reply.ext.int64("offset") == Ok(1)).await;
    let mut items = Vec::new();
    for _ in 0..250_001 {
        encode_batch_item(0, b"", "", &mut items).unwrap();
    }
    let batch = with(send_to("T", 0, "", items), "m", true);
    refused(&mut client, batch, "a batch has 250000 messages at most").await;
    cluster.stop().await;
}

/// A topic without queues has none that a message could be found in.
#[actix::test]
async fn messages_for_no_queue() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    for queues in [0, -1] {
        let topic = format!("none{queues}");
        let reply = client.ask(with(send_to(&topic, -1, "", "lost"), "d", queues)).await;
        assert_eq!(reply.code, response::SYSTEM_ERROR, "{reply:?}");
        assert!(reply.remark.as_deref().unwrap_or_default().contains("request queueId[-1] is illegal"), "{reply:?}");
    }
    cluster.stop().await;
}
