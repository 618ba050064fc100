//! Records of traces have RocketMQ's bytes, are read back, and travel many in a message.

use ferromq::client::TraceRecord;
use ferromq::client::trace::messages::{BODY_BYTES_MAX, KEYS_BYTES_MAX, Traced, messages};
use ferromq::client::trace::{ConsumeOutcome, MessageKind, TraceError};
use ferromq::client::transactions::TransactionState;
use proptest::prelude::*;
use serde_json::Value;

const ID: &str = "7F00000100002A139A0B5BB0B8B00001";

/// A fixture, written by a Java client.
fn check(fixture: &str, record: TraceRecord) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let hex = fixture["hex"].as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let text = String::from_utf8(hex.chunks(2).map(byte).collect()).unwrap();
    assert_eq!(TraceRecord::decode_all(&text).unwrap(), std::slice::from_ref(&record));
    let traced = Traced { topic: "TopicTest".into(), region: "DefaultRegion".into(), record };
    let [message] = messages(&[traced]).try_into().unwrap();
    assert_eq!(message.body, text);
    let keys: Vec<&str> = fixture["messageKeys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(message.keys.iter().collect::<Vec<_>>(), keys);
    assert_eq!(message.keys_text(), keys.join(" "));
}

fn sent(message_id: &str, keys: Option<String>) -> TraceRecord {
    TraceRecord::Sent {
        time_ms: 1_700_000_000_000,
        region: "DefaultRegion".into(),
        group: "PG_TEST".into(),
        topic: "TopicTest".into(),
        message_id: message_id.into(),
        tag: Some("TagA".into()),
        keys,
        broker: "127.0.0.1:10911".into(),
        body_bytes: 5,
        cost_ms: 3,
        kind: MessageKind::Normal,
        offset_id: Some("7F00000100002A9F000000000000012C".into()),
        is_stored: true,
    }
}

#[test]
fn of_a_message_that_was_sent() {
    check(include_str!("../fixtures/client/trace_pub.json"), sent(ID, Some("k1 k2".into())));
}

#[test]
fn of_the_call_of_a_listener() {
    let keys = Some("k1 k2".to_owned());
    let before = TraceRecord::Consuming {
        time_ms: 1_700_000_000_000,
        region: "DefaultRegion".into(),
        group: "PG_TEST".into(),
        call_id: "REQ1".into(),
        message_id: ID.into(),
        retries: 0,
        keys: keys.clone(),
    };
    check(include_str!("../fixtures/client/trace_subbefore.json"), before);
    let after = TraceRecord::Consumed {
        call_id: "REQ1".into(),
        message_id: ID.into(),
        cost_ms: 3,
        is_consumed: true,
        keys,
        outcome: ConsumeOutcome::Success,
        time_ms: Some(1_700_000_000_000),
        group: Some("PG_TEST".into()),
    };
    check(include_str!("../fixtures/client/trace_subafter.json"), after);
}

#[test]
fn of_a_transaction() {
    let ended = TraceRecord::TransactionEnded {
        time_ms: 1_700_000_000_000,
        region: "DefaultRegion".into(),
        group: "PG_TEST".into(),
        topic: "TopicTest".into(),
        message_id: ID.into(),
        tag: Some("TagA".into()),
        keys: Some("k1 k2".into()),
        broker: "127.0.0.1:10911".into(),
        kind: MessageKind::Normal,
        transaction_id: Some("TX1".into()),
        state: TransactionState::Commit,
        is_answer: false,
    };
    check(include_str!("../fixtures/client/trace_endtransaction.json"), ended);
}

#[test]
fn of_older_and_newer_clients() {
    let (mut text, mut keyless) = (String::new(), String::new());
    sent(ID, Some("k1 k2".into())).encode(&mut text);
    let newer = text.replace('\u{2}', "\u{1}10.0.0.1\u{2}");
    assert_eq!(TraceRecord::decode_all(&newer), TraceRecord::decode_all(&text), "with the client's address behind it");
    let older = text.replace("7F00000100002A9F000000000000012C\u{1}", "");
    let [TraceRecord::Sent { offset_id, is_stored, .. }] = &TraceRecord::decode_all(&older).unwrap()[..] else {
        panic!()
    };
    assert_eq!((offset_id, *is_stored), (&None, true));
    sent(ID, None).encode(&mut keyless);
    assert!(keyless.contains("\u{1}TagA\u{1}null\u{1}"), "what is not there has a text: {keyless:?}");
    assert_eq!(TraceRecord::decode_all(&keyless).unwrap(), [sent(ID, None)]);
}

#[test]
fn of_consumers_that_said_less_or_had_their_clock_set_back() {
    let record = |fields: &[&str]| {
        let text = format!("{}\u{2}", fields.join("\u{1}"));
        let records = TraceRecord::decode_all(&text).unwrap();
        let [TraceRecord::Consumed { cost_ms, outcome, time_ms, group, .. }] = &records[..] else { panic!() };
        (*cost_ms, *outcome, *time_ms, group.clone())
    };
    let first = ["SubAfter", "CALL", ID, "3", "false", "null"];
    assert_eq!(record(&first), (3, ConsumeOutcome::Failed, None, None));
    assert_eq!(record(&[&first[..], &["1"]].concat()), (3, ConsumeOutcome::Timeout, None, None));
    let whole = ["SubAfter", "CALL", ID, "-70", "true", "null", "0", "5", "readers"];
    assert_eq!(record(&whole), (0, ConsumeOutcome::Success, Some(5), Some("readers".into())));
}

#[test]
fn what_cannot_be_read_hides_nothing_beside_it() {
    let mut text = "Recalled\u{1}1\u{2}".to_owned();
    sent(ID, None).encode(&mut text);
    let records: Vec<_> = TraceRecord::decode_each(&text).collect();
    assert_eq!(records, [Err(TraceError::Kind("Recalled".into())), Ok(sent(ID, None))]);
}

#[test]
fn what_is_no_record_is_told() {
    let error = |text: &str| TraceRecord::decode_all(text).unwrap_err();
    assert_eq!(error("Pubs\u{1}1\u{2}"), TraceError::Kind("Pubs".into()));
    assert_eq!(error("SubBefore\u{1}1").to_string(), "a trace record SubBefore has 2 fields, and needs 8");
    let mut text = String::new();
    sent(ID, None).encode(&mut text);
    assert_eq!(error(&text.replace("true", "yes")).to_string(), r#""yes" in a trace record is no truth value"#);
}

#[test]
fn records_of_one_origin_travel_together_and_no_message_is_too_long() {
    let of = |topic: &str, region: &str, number: usize| {
        let record = sent(&format!("ID{number:05}"), Some(format!("k{number} all")));
        Traced { topic: topic.into(), region: region.into(), record }
    };
    let traced = [of("A", "r", 0), of("B", "r", 1), of("A", "s", 2), of("A", "r", 3)];
    let keys: Vec<String> = messages(&traced).iter().map(|message| message.keys_text()).collect();
    assert_eq!(keys, ["ID00000 ID00003 all k0 k3", "ID00002 all k2", "ID00001 all k1"]);

    let many: Vec<Traced> = (0..5_000).map(|number| of("A", "r", number)).collect();
    let messages = messages(&many);
    let longest = messages.iter().map(|message| message.body.len()).max().unwrap();
    assert!(longest <= BODY_BYTES_MAX, "{longest}");
    assert!(longest > BODY_BYTES_MAX - 1_000, "messages are filled: {longest}");
    assert!(messages.iter().all(|message| message.keys_text().len() <= KEYS_BYTES_MAX));
    let records = messages.iter().flat_map(|message| TraceRecord::decode_all(&message.body).unwrap());
    assert!(records.eq(many.into_iter().map(|traced| traced.record)), "in their order");
}

#[test]
fn keys_that_find_no_room_are_left_out() {
    let keys = Some("k".repeat(KEYS_BYTES_MAX));
    let long = Traced { topic: "A".into(), region: "r".into(), record: sent(ID, keys) };
    let message = &messages(&[long])[0];
    assert_eq!((message.keys_text().as_str(), message.records), (ID, 1));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(Pub|SubBefore|SubAfter|EndTransaction|[a-z0-9\u{1}\u{2}]){0,40}") {
        if let Ok(records) = TraceRecord::decode_all(&text) {
            let mut again = String::new();
            records.iter().for_each(|record| record.encode(&mut again));
            prop_assert_eq!(TraceRecord::decode_all(&again).unwrap(), records);
        }
    }
}
