//! Headers as peers write them that are not the reference: odd, hostile, or broken.

use bytes::{BufMut, Bytes, BytesMut};
use ferromq::protocol::command::{Command, ExtFields, Language, Serialization};
use ferromq::protocol::error::ProtocolError;
use ferromq::protocol::frame::Frame;
use ferromq::protocol::units::Opaque;

use crate::support::{decode_one, encode};

fn json(header: impl Into<Bytes>) -> Result<Command, ProtocolError> {
    Frame { serialization: Serialization::Json, header: header.into(), body: Bytes::new() }.command()
}

fn binary(header: &[u8]) -> Result<Command, ProtocolError> {
    let header = Bytes::copy_from_slice(header);
    Frame { serialization: Serialization::Binary, header, body: Bytes::new() }.command()
}

#[test]
fn space_order_and_unknown_fields_do_not_matter() {
    let command = json(
        " {\t\"opaque\" : -7 , \"new\":true,\n\"extFields\" : { \"a\" : \"1\" , \"b\":2 } ,\"code\":11,\r\"more\":\"\"} ",
    );
    let command = command.unwrap();
    assert_eq!((command.code, command.opaque), (11, Opaque(-7)));
    assert_eq!((command.ext.get("a").unwrap(), command.ext.get("b").unwrap()), ("1".into(), "2".into()));
    assert_eq!((command.language, command.version, command.flag), (Language::Java, 0, 0));
}

#[test]
fn nulls_are_as_good_as_nothing() {
    let command = json(r#"{"code":null,"language":null,"remark":null,"extFields":null,"flag":null}"#).unwrap();
    assert_eq!((command.code, command.flag, command.remark), (0, 0, None));
    assert!(command.ext.is_empty());
    assert_eq!(command.language, Language::Unknown);
    assert_eq!(json("{}").unwrap().ext, ExtFields::default());
}

#[test]
fn what_the_scanner_gives_up_on_is_read_all_the_same() {
    let command =
        json(r#"{"code":"10","extra":{"deep":[1,2,{}]},"extFields":{"to\u0070ic":"T","n":-3,"o":{"x":[1]},"z":null}}"#);
    let command = command.unwrap();
    assert_eq!(command.code, 10);
    assert_eq!(command.ext.get("topic").unwrap(), "T");
    assert_eq!(command.ext.int32("n"), Ok(-3));
    assert_eq!(command.ext.get("o").unwrap(), r#"{"x":[1]}"#);
    assert_eq!(command.ext.get("z"), None);
}

#[test]
fn escapes_are_taken_off_where_a_value_is_read() {
    let command =
        json(r#"{"extFields":{"p":"KEYS\u0001k\u0002\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00 \ud83d!"},"remark":"a\nb"}"#);
    let command = command.unwrap();
    let expected = "KEYS\u{1}k\u{2}\"\\/\u{8}\u{c}\n\r\tä😀 \u{fffd}!";
    assert_eq!(command.ext.get("p").unwrap(), expected);
    assert_eq!(command.remark.unwrap(), "a\nb");
}

#[test]
fn a_later_field_counts_even_when_it_is_null() {
    let command = json(r#"{"extFields":{"a":"1","b":"1","a":"2","b":null}}"#).unwrap();
    assert_eq!((command.ext.get("a").unwrap(), command.ext.get("b")), ("2".into(), None));
    assert_eq!(command.ext.iter().collect::<Vec<_>>(), [("a", "2".into())]);
}

#[test]
fn broken_json_is_an_error() {
    for header in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{\"code\":1",
        "{\"code\":1}x",
        "{\"code\":1,}",
        "{\"code\":1.5}",
        "{\"code\":2147483648}",
        "{\"code\":tru}",
        "{'code':1}",
        "{\"extFields\":7}",
        "{\"extFields\":{\"a\":\"\\q\"}}",
        "{\"extFields\":{\"a\":\"\\u12\"}}",
        "{\"extFields\":{\"a\"}}",
        "{\"remark\":\"\\",
    ] {
        let error = json(header).unwrap_err();
        assert!(matches!(error, ProtocolError::HeaderNotJson { .. }), "{header}: {error}");
    }
    assert_eq!(json(&b"{\"a\":\"\xc3\"}"[..]).unwrap_err(), ProtocolError::HeaderNotUtf8 { offset: 6 });
}

#[test]
fn a_million_fields_are_refused() {
    let fields = (0..1025).map(|number| format!("\"{number}\":1")).collect::<Vec<_>>().join(",");
    assert_eq!(json(format!("{{\"extFields\":{{{fields}}}}}")), Err(ProtocolError::TooManyFields { limit: 1024 }));
    let mut many = binary_header(&[0; 6 * 1025]);
    assert_eq!(binary(&many), Err(ProtocolError::TooManyFields { limit: 1024 }));
    many = binary_header(&[0; 6 * 1024]);
    assert!(binary(&many).unwrap().ext.iter().next().is_none());
}

/// A header with code 11, no remark and these ext fields.
fn binary_header(ext: &[u8]) -> Vec<u8> {
    let mut header = vec![0, 11, 9, 1, 0x97, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    header.put_i32(ext.len() as i32);
    header.put_slice(ext);
    header
}

#[test]
fn in_a_binary_header_nothing_means_null_and_the_later_field_counts() {
    let ext = b"\0\x01a\0\0\0\x01x\0\x01b\0\0\0\x01x\0\x01a\0\0\0\x01y\0\x01b\0\0\0\0";
    let command = binary(&binary_header(ext)).unwrap();
    assert_eq!((command.language, command.remark.as_deref()), (Language::Go, None));
    assert_eq!((command.ext.get("a").unwrap(), command.ext.get("b")), ("y".into(), None));
}

#[test]
fn a_binary_header_that_ends_early_is_an_error_wherever_it_ends() {
    let whole = binary_header(b"\0\x05topic\0\0\0\x09TopicTest");
    assert!(binary(&whole).is_ok());
    for length in 0..whole.len() {
        let error = binary(&whole[..length]).unwrap_err();
        assert!(matches!(error, ProtocolError::HeaderTruncated { .. }), "{length}: {error}");
    }
    for ext in [&b"\xff\xff"[..], b"\0\x01a\xff\xff\xff\xff", b"\0\x01a\x7f\xff\xff\xff", b"\0"] {
        assert!(matches!(binary(&binary_header(ext)), Err(ProtocolError::HeaderTruncated { .. })), "{ext:?}");
    }
    assert!(matches!(binary(&binary_header(b"\0\x01a\0\0\0\x01\xc3")), Err(ProtocolError::HeaderNotUtf8 { .. })));
}

#[test]
fn a_request_that_cannot_be_said_in_binary_is_no_panic() {
    let long = "k".repeat(40_000);
    let request = json(format!("{{\"code\":307,\"extFields\":{{\"{long}\":\"v\",\"a\":\"b\"}}}}")).unwrap();
    let passed_on = decode_one(&encode(&request, Serialization::Binary)).command().unwrap();
    assert_eq!(passed_on.ext.iter().collect::<Vec<_>>(), [("a", "b".into())]);
}

#[test]
fn the_largest_header_can_be_passed_on_in_the_other_encoding() {
    let value = vec![1; 2 * 1024 * 1024 - 100];
    let mut ext = BytesMut::from(&b"\0\x01a"[..]);
    ext.put_i32(value.len() as i32);
    ext.put_slice(&value);
    let request = binary(&binary_header(&ext)).unwrap();
    let mut out = BytesMut::new();
    ferromq::protocol::frame::encode(&request, Serialization::Json, &mut out);
    assert!(out.len() > 6 * value.len());
}
