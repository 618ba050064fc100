//! QUERY_DATA_VERSION: brokers that register only after a change ask it first.

use ferromq::protocol::codes::{request, response};
use serde_json::{Value, json};

use crate::by_hand::{Alone, Identity, MASTER_A, SLAVE_A, body, data_version, succeeds};
use crate::raw::Raw;

/// What the name server says to this version.
async fn check(broker: &mut Raw, identity: Identity, asked: Value, changed: &str, known: Option<Value>) {
    let query = identity.asks(request::QUERY_DATA_VERSION).with_body(asked.to_string().into());
    let reply = succeeds(broker, query).await;
    assert_eq!(reply.ext.get("changed").as_deref(), Some(changed), "{asked}");
    assert_eq!((!reply.body.is_empty()).then(|| body(&reply)), known, "{asked}");
}

#[actix::test]
async fn equal_versions_need_no_registration() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    check(&mut broker, MASTER_A, data_version(1), "true", None).await;
    succeeds(&mut broker, MASTER_A.holds(1, &[("T", 4)])).await;
    let known = || Some(data_version(1));
    check(&mut broker, MASTER_A, data_version(1), "false", known()).await;
    check(&mut broker, MASTER_A, data_version(2), "true", known()).await;
    check(&mut broker, MASTER_A, json!({"counter": 1, "timestamp": 5}), "true", known()).await;
    // A number as text and the state version of 5.x change nothing.
    let of_5x = json!({"counter": "1", "timestamp": 1_700_000_000_000_i64, "stateVersion": 3});
    check(&mut broker, MASTER_A, of_5x, "false", known()).await;
    check(&mut broker, SLAVE_A, data_version(1), "true", None).await;
    succeeds(&mut broker, MASTER_A.holds(2, &[("T", 5)])).await;
    check(&mut broker, MASTER_A, data_version(2), "false", Some(data_version(2))).await;
    succeeds(&mut broker, MASTER_A.asks(request::UNREGISTER_BROKER)).await;
    check(&mut broker, MASTER_A, data_version(2), "true", None).await;
    alone.stop().await;
}

#[actix::test]
async fn a_version_that_cannot_be_read_is_an_error() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    for text in ["", "{", "7"] {
        let query = MASTER_A.asks(request::QUERY_DATA_VERSION).with_body(text.into());
        let reply = broker.ask(query).await;
        let remark = reply.remark.unwrap_or_default();
        assert_eq!(reply.code, response::SYSTEM_ERROR, "{text:?}: {remark}");
        assert!(remark.starts_with("the data version cannot be read: "), "{text:?}: {remark}");
    }
    alone.stop().await;
}
