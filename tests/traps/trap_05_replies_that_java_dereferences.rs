//! Java reads the fields of every send reply without a look whether there are any, and takes any error but
//! QUERY_NOT_FOUND about an offset for "begin at the end".

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::Value;

use crate::raw::{Raw, ask_for, send_to};
use crate::support::Cluster;

#[actix::test]
async fn every_send_reply_has_fields() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let sends = [
        (response::SUCCESS, send_to("T", 0, "", "x")),
        (response::SYSTEM_ERROR, send_to("T", 99, "", "x")),
        (response::SYSTEM_ERROR, send_to("no topic", 0, "", "x")),
        (response::NO_PERMISSION, send_to("SELF_TEST_TOPIC", 0, "", "x")),
        (response::MESSAGE_ILLEGAL, send_to("T", 0, "", vec![0; (4 << 20) + 1])),
        (response::MESSAGE_ILLEGAL, send_to("T", 0, "DELAY\u{1}soon\u{2}", "x")),
        (response::SUCCESS, send_to("T", 0, "DELAY\u{1}3\u{2}", "x")),
        (response::MESSAGE_ILLEGAL, Command { code: request::SEND_BATCH_MESSAGE, ..send_to("T", 0, "", "x") }),
        (response::SYSTEM_ERROR, ask_for(request::SEND_MESSAGE_V2, &[])),
        (response::SYSTEM_ERROR, ask_for(request::SEND_MESSAGE, &[("topic", &"T")])),
    ];
    for (code, send) in sends {
        client.send_as(send, Default::default()).await;
        let header: Value = serde_json::from_slice(&client.next_frame().await.unwrap().header).unwrap();
        assert_eq!(header["code"].as_i64(), Some(code.into()), "{header}");
        assert_eq!(header["extFields"]["MSG_REGION"], "DefaultRegion", "{header}");
        assert_eq!(header["extFields"]["TRACE_ON"], "true", "{header}");
    }
    cluster.stop().await;
}

#[actix::test]
async fn a_group_without_an_offset_hears_zero_or_not_found_and_nothing_else() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 0, "", "x")).await.code, response::SUCCESS);
    for (topic, queue_id) in [("T", 0), ("T", 3), ("T", 99), ("T", -1), ("nn", 0), ("no topic", 0)] {
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("consumerGroup", &"G"), ("topic", &topic), ("queueId", &queue_id)];
        let young = client.ask(ask_for(request::QUERY_CONSUMER_OFFSET, &fields)).await;
        assert_eq!((young.code, young.ext.int64("offset").unwrap()), (response::SUCCESS, 0), "{topic} {queue_id}");
        let strict = [&fields[..], &[("setZeroIfNotFound", &false)]].concat();
        let none = client.ask(ask_for(request::QUERY_CONSUMER_OFFSET, &strict)).await;
        let text = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first";
        assert_eq!((none.code, none.remark.as_deref()), (response::QUERY_NOT_FOUND, Some(text)), "{topic} {queue_id}");
    }
    cluster.stop().await;
}
