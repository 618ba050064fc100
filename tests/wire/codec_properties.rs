//! The hand-written codec against arbitrary commands, arbitrary bytes, and a decoder made of nothing but `serde_json`.

use bytes::Bytes;
use ferromq::protocol::command::{Command, ExtFields, Language, Serialization};
use ferromq::protocol::frame::Frame;
use ferromq::protocol::units::Opaque;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::support::{decode_all, decode_one, encode};

/// Texts with what JSON has to escape and what takes several bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9_%-]{0,20}",
        2 => "[\u{0}-\u{1f}\"\\\\/äß€😀 u0-9a-f]{0,20}",
        1 => any::<String>(),
    ]
}

fn language() -> impl Strategy<Value = Language> {
    (0..13u8).prop_map(Language::of_number)
}

prop_compose! {
    /// Numbers are those that both encodings can say.
    fn command()(
        code in any::<i16>(), version in any::<i16>(), opaque in any::<i32>(), flag in any::<i32>(),
        language in language(), remark in proptest::option::of(text()),
        ext in proptest::collection::vec((text(), text()), 0..20),
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) -> Command {
        let mut builder = ExtFields::builder();
        for (key, value) in &ext {
            builder.push(key, value);
        }
        Command {
            code: code.into(), language, version: version.into(), opaque: Opaque(opaque), flag, remark,
            ext: builder.build(), body: Bytes::from(body),
        }
    }
}

/// The same without empty texts, which a binary header cannot tell from none.
fn without_empty(command: &Command) -> Command {
    let mut builder = ExtFields::builder();
    for (key, value) in command.ext.iter().filter(|(_, value)| !value.is_empty()) {
        builder.push(key, value);
    }
    let remark = command.remark.clone().filter(|remark| !remark.is_empty());
    Command { remark, ext: builder.build(), ..command.clone() }
}

/// What a header says according to `serde_json` alone; `None` where that refuses it or where it loses a number's text.
fn reference(header: &[u8]) -> Option<Command> {
    let fields: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Some(0),
        Some(value) => value.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    let mut ext = ExtFields::builder();
    for (key, value) in fields.get("extFields").and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => drop(ext.push(key, text)),
            Value::Bool(yes) => drop(ext.push(key, yes)),
            Value::Number(number) if number.is_i64() => drop(ext.push(key, number)),
            _ => return None,
        }
    }
    Some(Command {
        code: number("code")?,
        language: match fields.get("language") {
            None => Language::Java,
            Some(name) => name.as_str().map_or(Language::Unknown, Language::of_name),
        },
        version: number("version")?,
        opaque: Opaque(number("opaque")?),
        flag: number("flag")?,
        remark: match fields.get("remark") {
            None | Some(Value::Null) => None,
            Some(remark) => Some(remark.as_str()?.to_owned()),
        },
        ext: ext.build(),
        body: Bytes::new(),
    })
}

/// Headers of members that are mostly right, of which each may be a nested, escaped, repeated or broken one.
fn json_like() -> impl Strategy<Value = String> {
    let key =
        prop::sample::select(vec!["code", "opaque", "flag", "language", "remark", "extFields", "a", "\\u0061", "x\\n"]);
    let value = prop::sample::select(vec![
        "1",
        "-12",
        "1.5",
        "2147483648",
        "true",
        "null",
        "\"GO\"",
        "\"x\"",
        "\"\\ud83d\\ude00\\n\\\\\"",
        "\"\"",
        "[1]",
        "{}",
        "{\"a\":1,\"b\":\"y\",\"a\":null}",
        "{\"\\u0061\":\"z\"}",
        " { \"a\" : true } ",
        "tru",
        "\"\\q\"",
        "01",
        "+1",
        "\"x",
    ]);
    let space = prop::sample::select(vec!["", "", "", " ", "\n\t"]);
    let member = (key, space.clone(), value, space)
        .prop_map(|(key, before, value, after)| format!("{before}\"{key}\"{after}:{before}{value}{after}"));
    proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn json(header: impl Into<Bytes>) -> Frame {
    Frame { serialization: Serialization::Json, header: header.into(), body: Bytes::new() }
}

proptest! {
    #[test]
    fn what_is_written_as_json_is_read_back(command in command()) {
        let frame = decode_one(&encode(&command, Serialization::Json));
        prop_assert_eq!(&frame.command().unwrap(), &command);
        let expected = Command { body: Bytes::new(), ..command };
        prop_assert_eq!(reference(&frame.header).unwrap(), expected);
    }

    #[test]
    fn what_is_written_as_binary_is_read_back(command in command()) {
        let frame = decode_one(&encode(&command, Serialization::Binary));
        prop_assert_eq!(frame.command().unwrap(), without_empty(&command));
    }

    #[test]
    fn json_of_other_writers_is_read_as_serde_reads_it(command in command(), pretty in any::<bool>()) {
        let fields: Map<_, _> = command.ext.iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
        let header = serde_json::json!({
            "code": command.code, "extFields": fields, "flag": command.flag, "language": command.language.name(),
            "opaque": command.opaque.0, "remark": command.remark, "serializeTypeCurrentRPC": "JSON",
            "version": command.version,
        });
        let text = if pretty { serde_json::to_string_pretty(&header) } else { serde_json::to_string(&header) };
        let decoded = json(text.unwrap()).command().unwrap();
        prop_assert_eq!(decoded, Command { body: Bytes::new(), ..command });
    }

    #[test]
    fn what_serde_understands_is_understood_the_same(header in json_like()) {
        if let Some(expected) = reference(header.as_bytes()).filter(|_| !odd_ext(&header)) {
            prop_assert_eq!(json(header.clone()).command(), Ok(expected), "{}", header);
        } else {
            let _ = json(header).command();
        }
    }

    #[test]
    fn arbitrary_headers_are_an_error_or_a_command(header in proptest::collection::vec(any::<u8>(), 0..200)) {
        for serialization in [Serialization::Json, Serialization::Binary] {
            let frame = Frame { serialization, header: header.clone().into(), body: Bytes::new() };
            if let Ok(command) = frame.command() {
                // Whatever was read can be passed on.
                encode(&command, Serialization::Json);
                encode(&command, Serialization::Binary);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_frames(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (frames, left, _) = decode_all(&bytes);
        prop_assert!(left <= bytes.len());
        for frame in frames {
            let _ = frame.command();
        }
    }

    #[test]
    fn a_valid_frame_with_one_byte_changed_is_no_panic(
        command in command(), binary in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = encode(&command, if binary { Serialization::Binary } else { Serialization::Json });
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for frame in decode_all(&bytes).0 {
            if let Ok(command) = frame.command() {
                let read: usize = command.ext.iter().map(|(key, value)| key.len() + value.len()).sum();
                prop_assert!(read <= bytes.len());
            }
        }
    }
}

/// Whether `extFields` is something that the codec refuses and the reference above does not look at.
fn odd_ext(header: &str) -> bool {
    let fields: Map<String, Value> = serde_json::from_str(header).unwrap_or_default();
    fields.get("extFields").is_some_and(|ext| !ext.is_null() && !ext.is_object())
}
