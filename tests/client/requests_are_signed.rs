//! What is sent with credentials carries the signature that a Java client gives it.

use bytes::Bytes;
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::signature::Credentials;
use serde_json::Value;

/// The fields that signing adds.
const ADDED: [&str; 3] = ["AccessKey", "SecurityToken", "Signature"];

fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn check(fixture: &str) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let text = |field: &str| fixture[field].as_str().map(String::from);
    let credentials = Credentials {
        access_key: text("accessKey").unwrap(),
        secret_key: text("secretKey").unwrap(),
        security_token: text("securityToken"),
    };
    let fields = fixture["extFields"].as_object().unwrap();
    let mut ext = ExtFields::builder();
    for (name, value) in fields.iter().filter(|(name, _)| !ADDED.contains(&&***name)) {
        ext.push(name, value.as_str().unwrap());
    }
    // The signed content is the values of the fields and behind them the body.
    let names = fixture["sortedFieldNames"].as_array().unwrap();
    let value_bytes: usize = names.iter().map(|name| fields[name.as_str().unwrap()].as_str().unwrap().len()).sum();
    let body = bytes(&text("contentHex").unwrap()).slice(value_bytes..);
    let signed = credentials
        .sign(Command::request(fixture["code"].as_i64().unwrap() as i32).with_ext(ext.build()).with_body(body));
    for (name, value) in fields {
        assert_eq!(signed.ext.get(name).as_deref(), value.as_str(), "{name}");
    }
    assert_eq!(signed.ext.iter().count(), fields.len());
}

#[test]
fn as_the_reference_signs() {
    check(include_str!("../fixtures/client/acl_sign_heartbeat.json"));
    check(include_str!("../fixtures/client/acl_sign_pull.json"));
    check(include_str!("../fixtures/client/acl_sign_pull_token.json"));
    check(include_str!("../fixtures/client/acl_sign_send_v2.json"));
}

#[test]
fn the_secret_is_not_shown() {
    let secret_key = "do not tell".to_owned();
    let credentials = Credentials { access_key: "k".into(), secret_key, security_token: Some("nor this".into()) };
    assert_eq!(format!("{credentials:?}"), "Credentials { access_key: \"k\", .. }");
}
