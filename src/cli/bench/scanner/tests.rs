#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::protocol::command::{Command, ExtFields, Serialization};
use crate::protocol::frame;
use crate::protocol::units::Opaque;

/// The header that a server writes for a reply.
fn header(command: &Command, serialization: Serialization) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame::encode(command, serialization, &mut out);
    let mut frames = Vec::new();
    frame::decode_all(&mut out, usize::MAX, &mut frames).unwrap();
    frames.remove(0).header.to_vec()
}

fn expected(command: &Command) -> Option<Reply> {
    Some(Reply { code: command.code, opaque: command.opaque.0, is_reply: command.is_reply() })
}

const JAVA: &str = r#"{"code":0,"extFields":{"queueId":"3","TRACE_ON":"true","msgId":"7F00","queueOffset":"12"},"flag":1,"language":"JAVA","opaque":1000000017,"serializeTypeCurrentRPC":"JSON","version":407}"#;

#[test]
fn the_shape_of_the_last_reply_is_used_and_never_misread() {
    let mut scanner = Scanner::default();
    let reply = |code, opaque| Some(Reply { code, opaque, is_reply: true });
    assert_eq!(scanner.scan_json(JAVA.as_bytes()), reply(0, 1_000_000_017));
    let other = JAVA.replace("\"12\"", "\"999999\"").replace("0017", "0018");
    assert!(scanner.shape.as_ref().unwrap().read(other.as_bytes()).is_some(), "the short way is taken");
    assert_eq!(scanner.scan_json(other.as_bytes()), reply(0, 1_000_000_018));
    let busy = JAVA.replace("\"code\":0", "\"code\":2");
    assert_eq!(scanner.scan_json(busy.as_bytes()), reply(2, 1_000_000_017), "another code is another shape");
    let request = JAVA.replace("\"flag\":1", "\"flag\":0");
    assert!(!scanner.scan_json(request.as_bytes()).unwrap().is_reply);
}

#[test]
fn an_ext_field_named_like_a_member_is_not_mistaken_for_it() {
    let text = r#"{"extFields":{"opaque":"5","code":"9","x":"},\"flag\":1,"},"code":1,"opaque":7,"flag":1}"#;
    assert_eq!(Scanner::default().scan_json(text.as_bytes()), Some(Reply { code: 1, opaque: 7, is_reply: true }));
}

#[test]
fn what_is_no_header_is_nothing() {
    for text in
        ["", "{", "{}", "[]", "{\"code\":0}", "{\"code\":0,\"flag\":1,\"opaque\":\"x\"}", "{\"code\":0,,}", "\\"]
    {
        assert_eq!(Scanner::default().scan_json(text.as_bytes()), None, "{text}");
    }
    assert_eq!(scan_binary(&[0; 20]), None);
}

fn any_command() -> impl Strategy<Value = Command> {
    let ext = prop::collection::vec(("[a-zA-Z_]{1,12}|opaque|code", "\\PC{0,20}|[\"\\\\{},:\u{1}]{0,6}"), 0..5);
    let remark = prop::option::of("\\PC{0,20}|[\"\\\\{}]{0,6}");
    (0..400_i32, any::<i32>(), 0..4_i32, ext, remark).prop_map(|(code, opaque, flag, fields, remark)| {
        let mut ext = ExtFields::builder();
        for (name, value) in fields {
            ext.push(&name, value);
        }
        let mut command = Command::reply(code, Opaque(opaque)).with_ext(ext.build());
        (command.flag, command.remark) = (flag, remark);
        command
    })
}

proptest! {
    #[test]
    fn the_scanner_agrees_with_the_codec(commands in prop::collection::vec(any_command(), 1..6), repeat in 1..4_i32) {
        let mut scanner = Scanner::default();
        for mut command in commands {
            for _ in 0..repeat {
                command.opaque = Opaque(command.opaque.0.wrapping_add(1));
                prop_assert_eq!(scanner.scan_json(&header(&command, Serialization::Json)), expected(&command));
                prop_assert_eq!(scan_binary(&header(&command, Serialization::Binary)), expected(&command));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(first in any_command(), cut in 0..200_usize, noise in any::<Vec<u8>>()) {
        let mut scanner = Scanner::default();
        let whole = header(&first, Serialization::Json);
        let _ = scanner.scan_json(&whole);
        let _ = scanner.scan_json(whole.get(..cut).unwrap_or(&whole));
        let _ = scanner.scan_json(&noise);
        let _ = scan_binary(&noise);
    }
}
