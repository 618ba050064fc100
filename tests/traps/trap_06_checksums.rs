//! Java's CRC of a registration has no top bit.

use ferromq::protocol::codes::{request, response};

use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

#[actix::test]
async fn a_registration_is_checked_without_the_top_bit() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.namesrv.address()).await;
    let bodies = (0..).map(|number| {
        format!(
            r#"{{"filterServerList":[],"topicConfigSerializeWrapper":{{"dataVersion":{{"counter":{number},"timestamp":1}},"topicConfigTable":{{}}}}}}"#
        )
    });
    // A body whose checksum has the bit that Java drops.
    let body = bodies.into_iter().find(|body| crc(body) >> 31 == 1).unwrap();
    let java = crc(&body) & 0x7fff_ffff;
    for (checksum, code) in [(java, response::SUCCESS), (java ^ 1, response::SYSTEM_ERROR)] {
        let register = ask_for(
            request::REGISTER_BROKER,
            &[
                ("brokerName", &"other"),
                ("brokerAddr", &"127.0.0.1:1"),
                ("clusterName", &"c"),
                ("haServerAddr", &"127.0.0.1:2"),
                ("brokerId", &0),
                ("compressed", &false),
                ("bodyCrc32", &checksum),
            ],
        );
        let reply = client.ask(register.with_body(body.clone().into())).await;
        assert_eq!(reply.code, code, "{checksum}: {reply:?}");
    }
    cluster.stop().await;
}

/// The CRC-32 of zlib, bit by bit: an independent one.
fn crc(text: &str) -> u32 {
    !text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
