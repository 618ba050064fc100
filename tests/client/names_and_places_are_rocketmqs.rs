//! Names within a namespace, and the queues of ordered messages, are those of a Java client.

use ferromq::client::namespace::Namespace;
use ferromq::client::selector::{place_by_hash, place_by_key, place_by_number};
use serde_json::Value;

fn cases(fixture: &str) -> Vec<Value> {
    let mut fixture: Value = serde_json::from_str(fixture).unwrap();
    let cases = fixture["cases"].as_array_mut().map(std::mem::take).unwrap();
    assert!(!cases.is_empty());
    cases
}

#[test]
fn a_namespace_stands_before_each_name_of_an_application() {
    for case in cases(include_str!("../fixtures/client/namespace_wrap.json")) {
        let text = |field: &str| case[field].as_str().unwrap();
        let namespace = Namespace::new(text("namespace")).unwrap();
        let qualified = namespace.qualified(text("resource"));
        assert_eq!(qualified, text("wrapped"));
        assert_eq!(namespace.stripped(&qualified), text("unwrapped"));
    }
    let ours = Namespace::new("NS1").unwrap();
    assert_eq!(ours.stripped("NS2%T"), "NS2%T", "what is another's stays what it is");
    assert!(Namespace::new("a namespace").is_err());
}

#[test]
fn what_has_one_key_goes_into_one_queue() {
    for case in cases(include_str!("../fixtures/client/select_queue_by_hash.json")) {
        let (arg, queues) = (case["arg"].as_str().unwrap(), case["queueCount"].as_u64().unwrap() as usize);
        let place = match case["argType"].as_str().unwrap() {
            "String" => place_by_key(arg, queues),
            "Integer" => place_by_hash(arg.parse().unwrap(), queues),
            "Long" => place_by_number(arg.parse().unwrap(), queues),
            other => panic!("{other}"),
        };
        assert_eq!(place.map(|place| place as u64), case["index"].as_u64(), "{arg}");
    }
    assert_eq!(place_by_hash(i32::MIN, 3), Some(2));
    assert_eq!(place_by_key("no queues", 0), None);
}
