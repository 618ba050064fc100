//! ali-ons writes numbers and booleans into its fields; Go reads nothing but texts from ours.

use ferromq::protocol::codes::{request, response};
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::Cluster;

#[actix::test]
async fn fields_may_be_numbers_and_are_answered_as_texts() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let fields = json!({"a": "PG", "b": "T", "c": "TBW102", "d": 4, "e": 3, "f": 0, "g": 1_700_000_000_000_i64, "h": 0,
        "i": "", "j": 0, "k": false, "l": null, "m": false});
    let header =
        json!({"code": request::SEND_MESSAGE_V2, "extFields": fields, "flag": 0, "language": "JAVA", "opaque": 1,
        "version": 121})
        .to_string();
    let body = b"body";
    let mut frame = (4 + header.len() as u32 + body.len() as u32).to_be_bytes().to_vec();
    frame.extend((header.len() as u32).to_be_bytes());
    frame.extend(header.as_bytes());
    frame.extend(body);
    assert!(client.write(&frame).await);
    let reply: Value = serde_json::from_slice(&client.next_frame().await.unwrap().header).unwrap();
    assert_eq!(
        (reply["code"].as_i64(), reply["opaque"].as_i64()),
        (Some(response::SUCCESS.into()), Some(1)),
        "{reply}"
    );
    let fields = reply["extFields"].as_object().unwrap();
    assert!(fields.values().all(Value::is_string), "{reply}");
    assert_eq!(fields["queueId"], "3");
    cluster.stop().await;
}
