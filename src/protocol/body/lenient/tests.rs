//! What peers send beyond JSON, and what nobody should.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::protocol::body::heartbeat::{ConsumerData, HeartbeatData, MessageModel};
use crate::protocol::body::queue_table::QueueTable;

/// `(dialect, strict)`
#[test]
fn the_dialect_is_rewritten_into_json() {
    let cases = [
        (r#"{0:"a",-1:"b"}"#, r#"{"0":"a","-1":"b"}"#),
        (r#"{{"q":0}:5}"#, r#"{"{\"q\":0}":5}"#),
        (r#"{{"q":"a\"b"}:5}"#, r#"{"{\"q\":\"a\\\"b\"}":5}"#),
        (r#"{'a':'it\'s "b"'}"#, r#"{"a":"it's \"b\""}"#),
        ("{\n\ta : [ 1 ,, 2 , ] , }", r#"{"a":[1,2]}"#),
        (r#"{"a":null,"b":1,c:null}"#, r#"{"b":1}"#),
        ("{\"a\":\"x\ty\"}", r#"{"a":"x\u0009y"}"#),
        (r#""\\""#, r#""\\""#),
        ("[null,true]", "[null,true]"),
        (r#"{"ß":"ü"}"#, r#"{"ß":"ü"}"#),
    ];
    for (text, strict) in cases {
        assert_eq!(dialect::rewrite(text).unwrap(), strict, "{text}");
    }
}

/// `(text, where it fails)`
#[test]
fn what_is_no_dialect_either_says_where_it_fails() {
    let cases =
        [("", 0), ("{", 1), ("[1", 2), (r#"{"a"}"#, 4), (r#"{"a":}"#, 5), ("[1 2]", 3), ("1 1", 2), (r#""a"#, 2)];
    for (text, expected) in cases {
        match dialect::rewrite(text) {
            Err(BodyError::Syntax { at, .. }) => assert_eq!(at, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn nesting_is_bounded_and_keys_within_keys_are_refused() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(dialect::rewrite(&nested(64)).is_ok());
    assert!(dialect::rewrite(&nested(65)).is_err());
    assert!(dialect::rewrite(&nested(1_000_000)).is_err());
    assert!(dialect::rewrite("{{{1:1}:1}:1}").is_err());
    assert!(dialect::rewrite("{{1:{2:2}}:1,{3:3}:1}").is_ok());
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Kinds {
    number: i64,
    count: u32,
    fraction: f64,
    text: String,
    truth: bool,
    maybe: Option<i32>,
    list: Vec<i32>,
}

#[test]
fn kinds_stand_in_for_each_other() {
    let odd = r#"{number:"-5",count:-1,fraction:"1.5",text:7,truth:"true",maybe:"3",list:["1",2.0,true],more:{}}"#;
    let expected = Kinds {
        number: -5,
        count: 0,
        fraction: 1.5,
        text: "7".into(),
        truth: true,
        maybe: Some(3),
        list: vec![1, 2, 1],
    };
    assert_eq!(read::<Kinds>(odd.as_bytes()).unwrap(), expected);
    assert_eq!(
        read::<Kinds>(br#"{text:true,truth:0,fraction:1,list:{"$ref":"$"}}"#).unwrap(),
        Kinds { text: "true".into(), fraction: 1.0, ..Kinds::default() }
    );
    assert_eq!(read::<Kinds>(br#"{"text":null,"number":null,"list":null}"#).unwrap(), Kinds::default());
    for wrong in [r#"{"number":"x"}"#, r#"{"truth":"maybe"}"#, r#"{"text":{}}"#, "5"] {
        let error = read::<Kinds>(wrong.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("not a Kinds: "), "{wrong}: {error}");
    }
}

#[test]
fn members_of_enumerations_come_by_name_or_number() {
    let model = |text: &str| read::<ConsumerData>(text.as_bytes()).map(|consumer| consumer.message_model);
    assert_eq!(model(r#"{"messageModel":"BROADCASTING"}"#).unwrap(), MessageModel::Broadcasting);
    assert_eq!(model(r#"{"messageModel":0}"#).unwrap(), MessageModel::Broadcasting);
    assert_eq!(model(r#"{"messageModel":1}"#).unwrap(), MessageModel::Clustering);
    assert_eq!(model(r#"{"messageModel":null}"#).unwrap(), MessageModel::Clustering);
    assert!(model(r#"{"messageModel":2}"#).is_err());
    assert!(model(r#"{"messageModel":"OTHER"}"#).is_err());
}

#[test]
fn tables_by_queue_read_objects_and_texts_as_keys() {
    let forms = [
        r#"{{"brokerName":"b","queueId":1,"topic":"T"}:5}"#,
        r#"{ {topic:"T", "queueId":"1", "brokerName":"b"} : "5" }"#,
        r#"{"{\"brokerName\":\"b\",\"queueId\":1,\"topic\":\"T\"}":5}"#,
    ];
    let tables: Vec<QueueTable<i64>> = forms.iter().map(|text| read(text.as_bytes()).unwrap()).collect();
    assert_eq!(tables[0].len(), 1);
    assert_eq!(tables[0].first_key_value().unwrap().0.queue_id, 1);
    assert!(tables.iter().all(|table| table == &tables[0]));
    assert!(read::<QueueTable<i64>>(br#"{"T":5}"#).is_err());
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    assert_eq!(read::<Kinds>(b"{\"text\":\"a\xffb\"}").unwrap().text, "a\u{fffd}b");
}

/// Texts near the dialect: the parts of one, in any order.
fn near_dialect() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "'",
        "\\",
        "null",
        "1",
        "-0",
        "1e999",
        "\"clientID\"",
        "\"$ref\"",
        " ",
        "ü",
        "\u{1}",
        "\"a\":1",
        "{{\"a\":1}:2}",
        "\"consumerDataSet\":[{",
        "\\u12",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_at_worst(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read::<HeartbeatData>(&bytes);
        let _ = read::<QueueTable<i64>>(&bytes);
    }

    #[test]
    fn so_is_any_text_that_is_nearly_right(text in near_dialect()) {
        let _ = read::<HeartbeatData>(text.as_bytes());
        let _ = read::<QueueTable<i64>>(text.as_bytes());
    }

    #[test]
    fn strict_texts_survive_the_rewriting(pairs in prop::collection::btree_map(".{0,8}", any::<i64>(), 0..8)) {
        let strict = serde_json::to_string(&pairs).unwrap();
        prop_assert_eq!(dialect::rewrite(&strict).unwrap(), strict);
    }
}
