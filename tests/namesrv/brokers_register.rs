//! REGISTER_BROKER in every form that brokers send it, and what it is answered.

use ferromq::protocol::codes::response;
use ferromq::protocol::command::ExtFields;
use serde_json::{Value, json};

use crate::by_hand::{
    Alone, Identity, MASTER_A, MASTER_B, SLAVE_A, body, brokers, route, succeeds, topic_table, topics,
};

/// A body that the reference wrote, with its check sum.
struct Recorded {
    body: Vec<u8>,
    crc32: i64,
}

impl Recorded {
    fn load(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/body/body_{name}.json", env!("CARGO_MANIFEST_DIR"));
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let hex = fixture["hex"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Self { body: (0..hex.len()).step_by(2).map(byte).collect(), crc32: fixture["crc32"].as_i64().unwrap() }
    }
}

const FORMS: [(&str, bool); 2] = [("register_broker", false), ("register_broker_compressed", true)];

#[actix::test]
async fn a_body_of_the_reference_is_taken_plain_and_compressed() {
    for (name, compressed) in FORMS {
        let alone = Alone::start().await;
        let mut broker = alone.connect().await;
        let Recorded { body: bytes, crc32 } = Recorded::load(name);
        let register = MASTER_A.registers(&[("compressed", &compressed), ("bodyCrc32", &crc32)]);
        let reply = succeeds(&mut broker, register.with_body(bytes.into())).await;
        // Only slaves are told where somebody is, and there is no table of ordered topics.
        assert!(reply.ext.get("masterAddr").is_none() && reply.ext.get("haServerAddr").is_none(), "{reply:?}");
        assert!(reply.body.is_empty(), "{name}");
        assert_eq!(topics(&mut broker).await, json!(["TBW102", "TopicTest"]), "{name}");
        let queues = json!([{"brokerName": "a", "perm": 7, "readQueueNums": 8, "writeQueueNums": 8, "topicSysFlag": 0,
            "topicSynFlag": 0}]);
        assert_eq!(route(&mut broker, "TBW102").await.unwrap()["queueDatas"], queues, "{name}");
        alone.stop().await;
    }
}

#[actix::test]
async fn a_wrong_check_sum_registers_nothing_and_none_is_not_checked() {
    for (name, compressed) in FORMS {
        let alone = Alone::start().await;
        let mut broker = alone.connect().await;
        let Recorded { body: bytes, crc32 } = Recorded::load(name);
        // With the top bit, which Java leaves out, the sum is another one.
        for wrong in [crc32 ^ 1, 1, -1, crc32 - (1 << 31)] {
            let register = MASTER_A.registers(&[("compressed", &compressed), ("bodyCrc32", &wrong)]);
            let reply = broker.ask(register.with_body(bytes.clone().into())).await;
            let told = (reply.code, reply.remark.as_deref());
            assert_eq!(told, (response::SYSTEM_ERROR, Some("crc32 not match")), "{name} {wrong}");
        }
        assert_eq!(brokers(&mut broker).await, json!({}), "{name}");
        assert_eq!(topics(&mut broker).await, json!([]), "{name}");
        let unchecked = MASTER_A.registers(&[("compressed", &compressed), ("bodyCrc32", &0)]);
        succeeds(&mut broker, unchecked.with_body(bytes.clone().into())).await;
        let without = MASTER_B.registers(&[("compressed", &compressed)]);
        succeeds(&mut broker, without.with_body(bytes.into())).await;
        assert_eq!(brokers(&mut broker).await, json!({"a": {"0": MASTER_A.address}, "b": {"0": MASTER_B.address}}));
        alone.stop().await;
    }
}

/// Before 3.0.11, which says 37, the body was what is one part of it since.
#[actix::test]
async fn brokers_of_old_send_their_topics_alone() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    for (version, identity, taken) in [(36, MASTER_A, json!(["Old"])), (37, MASTER_B, json!(["Old"]))] {
        let mut register = identity.registers(&[]).with_body(topic_table(1, &[("Old", 4)]).to_string().into());
        register.version = version;
        succeeds(&mut broker, register).await;
        assert_eq!(topics(&mut broker).await, taken, "{version}");
    }
    let route = route(&mut broker, "Old").await.unwrap();
    assert_eq!(route["queueDatas"].as_array().unwrap().len(), 1, "a newer one has no topics where these are: {route}");
    alone.stop().await;
}

#[actix::test]
async fn no_body_registers_a_broker_without_topics() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    for compressed in [false, true] {
        succeeds(&mut broker, MASTER_A.registers(&[("compressed", &compressed)])).await;
        assert_eq!(brokers(&mut broker).await, json!({"a": {"0": MASTER_A.address}}));
        assert_eq!(topics(&mut broker).await, json!([]));
    }
    alone.stop().await;
}

#[actix::test]
async fn a_slave_is_told_its_master_and_its_topics_are_nobodys() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    let early = succeeds(&mut broker, SLAVE_A.holds(1, &[("OfSlave", 4)])).await;
    assert!(early.ext.get("masterAddr").is_none(), "no master yet: {early:?}");
    succeeds(&mut broker, MASTER_A.holds(1, &[("T", 4)])).await;
    let told = succeeds(&mut broker, SLAVE_A.holds(1, &[("OfSlave", 4)])).await;
    assert_eq!(told.ext.get("masterAddr").as_deref(), Some(MASTER_A.address));
    assert_eq!(told.ext.get("haServerAddr").as_deref(), Some(&*format!("{}9", MASTER_A.address)));
    assert_eq!(topics(&mut broker).await, json!(["T"]));
    let both = json!({"a": {"0": MASTER_A.address, "1": SLAVE_A.address}});
    assert_eq!(brokers(&mut broker).await, both);
    // Promoted, it comes with its old address and the master's number.
    let promoted = Identity { id: 0, ..SLAVE_A };
    succeeds(&mut broker, promoted.holds(2, &[("T", 4)])).await;
    assert_eq!(brokers(&mut broker).await, json!({"a": {"0": SLAVE_A.address}}));
    alone.stop().await;
}

#[actix::test]
async fn another_version_changes_topics_and_none_goes() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    succeeds(&mut broker, MASTER_A.holds(1, &[("T", 4), ("U", 1)])).await;
    for (version, queues) in [(1, 4), (2, 9)] {
        succeeds(&mut broker, MASTER_A.holds(version, &[("T", 9)])).await;
        let route = route(&mut broker, "T").await.unwrap();
        assert_eq!(route["queueDatas"][0]["writeQueueNums"], json!(queues), "version {version}");
    }
    assert_eq!(topics(&mut broker).await, json!(["T", "U"]), "a registration may hold only what changed");
    alone.stop().await;
}

#[actix::test]
async fn brokers_are_told_which_topics_are_ordered() {
    let ordered = json!({"configTable": {"ORDER_TOPIC_CONFIG": {"T": "a:4"}}});
    let alone = Alone::start_with(|options| {
        std::fs::write(options.root.join("kvConfig.json"), ordered.to_string()).unwrap();
        options
    })
    .await;
    let mut broker = alone.connect().await;
    let reply = succeeds(&mut broker, MASTER_A.holds(1, &[("T", 4)])).await;
    assert_eq!(body(&reply), json!({"table": {"T": "a:4"}}));
    alone.stop().await;
}

#[actix::test]
async fn a_registration_that_lacks_a_field_says_which() {
    let alone = Alone::start().await;
    let mut broker = alone.connect().await;
    for missing in ["brokerName", "brokerAddr", "clusterName", "haServerAddr", "brokerId"] {
        let mut register = MASTER_A.holds(1, &[("T", 4)]);
        let mut fields = ExtFields::builder();
        for (name, value) in register.ext.iter().filter(|(name, _)| *name != missing) {
            fields.push(name, &value);
        }
        register.ext = fields.build();
        let reply = broker.ask(register).await;
        let text = format!("the custom field <{missing}> is null");
        assert_eq!((reply.code, reply.remark), (response::SYSTEM_ERROR, Some(text)));
    }
    assert_eq!(brokers(&mut broker).await, json!({}));
    alone.stop().await;
}
