//! Byte for byte what the reference wrote, and read as the reference reads it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use ferromq::protocol::compression::{CompressionError, plain_body, unzlib, zlib};
use ferromq::protocol::ids::{UniqueId, UniqueIds, offset_id, parse_offset_id};
use ferromq::protocol::message::{Message, RecordHead, body_crc, decode, decode_all, decode_batch, encode_batch_item};
use ferromq::protocol::properties::{self, keys, tags_code};
use ferromq::protocol::units::PhysicalOffset;
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn address(text: &Value) -> SocketAddr {
    let (host, port) = text.as_str().unwrap().rsplit_once(':').unwrap();
    let host = host.rsplit('/').next().unwrap().trim_matches(['[', ']']);
    SocketAddr::new(host.parse().unwrap(), port.parse().unwrap())
}

fn decoded(fixture: &Value) -> Message {
    let bytes = Bytes::from(hex(&fixture["hex"]));
    let (message, size) = decode(&bytes).unwrap();
    assert_eq!(size, bytes.len());
    let mut encoded = Vec::new();
    message.encode(&mut encoded).unwrap();
    assert_eq!(encoded, bytes, "encoding is decoding backwards");
    let head = RecordHead::parse(&bytes).unwrap();
    assert_eq!((head.topic, head.body), (message.topic.as_str(), &message.body[..]));
    assert_eq!((head.store_time, head.end()), (message.store_time, message.physical_offset.plus(size as u64)));
    message
}

#[test]
fn messages_with_either_kind_of_host() {
    for name in ["msg_v4", "msg_v6"] {
        let fixture = fixture(name);
        let message = decoded(&fixture);
        let wanted = &fixture["decoded"];
        let number = |key: &str| wanted[key].as_i64().unwrap();
        assert_eq!(message.topic.as_str(), wanted["topic"]);
        assert_eq!(i64::from(message.queue_id.0), number("queueId"));
        assert_eq!(i64::from(message.flag), number("flag"));
        assert_eq!(message.queue_offset.0 as i64, number("queueOffset"));
        assert_eq!(message.physical_offset.0 as i64, number("commitLogOffset"));
        assert_eq!(i64::from(message.sys_flag), number("sysFlag"));
        assert_eq!(message.born_time.0, number("bornTimestamp"));
        assert_eq!(message.store_time.0, number("storeTimestamp"));
        assert_eq!(message.born_host, address(&wanted["bornHost"]));
        assert_eq!(message.store_host, address(&wanted["storeHost"]));
        assert_eq!(i64::from(message.body_crc), number("bodyCRC"));
        assert_eq!(message.stored_size() as i64, number("storeSize"));
        assert_eq!(message.body, hex(&wanted["bodyHex"]));
        message.check_body().unwrap();
        assert_eq!(message.offset_id(), wanted["offsetMsgId"].as_str().unwrap());
        assert_eq!(message.unique_id(), wanted["properties"]["UNIQ_KEY"].as_str());
        for (name, value) in wanted["properties"].as_object().unwrap() {
            assert_eq!(message.property(name), value.as_str(), "{name}");
        }
    }
}

#[test]
fn a_message_without_properties() {
    assert_eq!(&*decoded(&fixture("msg_no_props")).properties, "");
}

#[test]
fn messages_lie_one_behind_the_other() {
    let mut block = hex(&fixture("msg_v4")["hex"]);
    block.extend(hex(&fixture("msg_v6")["hex"]));
    assert_eq!(decode_all(Bytes::from(block.clone())).unwrap().len(), 2);
    block.pop();
    assert!(decode_all(Bytes::from(block)).is_err());
}

#[test]
fn compressed_bodies_of_every_kind() {
    for name in ["msg_compressed_legacy", "msg_compressed_zlib", "msg_compressed_lz4", "msg_compressed_zstd"] {
        let fixture = fixture(name);
        let message = decoded(&fixture);
        let plain = hex(&fixture["plainHex"]);
        assert_eq!(plain_body(message.sys_flag, &message.body, plain.len()).unwrap(), plain, "{name}");
        let error = plain_body(message.sys_flag, &message.body, plain.len() - 1).unwrap_err();
        assert!(matches!(error, CompressionError::TooLarge { .. }), "{name}: {error}");
    }
    assert_eq!(unzlib(&zlib(b"plain", 5), 5).unwrap(), b"plain");
}

#[test]
fn offset_ids() {
    let fixture = fixture("msgid_offset");
    let at = PhysicalOffset(123_456_789);
    let v4 = SocketAddr::from(([10, 1, 2, 3], 10911));
    let v6 = SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 10911);
    for (host, key) in [(v4, "ipv4"), (v6, "ipv6")] {
        let wanted = fixture[key].as_str().unwrap();
        assert_eq!(offset_id(host, at), wanted);
        assert_eq!(parse_offset_id(wanted), Some((host, at)));
        assert_eq!(parse_offset_id(&wanted.to_lowercase()), Some((host, at)));
    }
    assert_eq!(parse_offset_id("no id"), None);
    assert_eq!(parse_offset_id(&"+".repeat(32)), None);
}

#[test]
fn unique_ids() {
    let fixture = fixture("msgid_uniq");
    let number = |key: &str| fixture[key].as_u64().unwrap();
    let id = UniqueId::parse(fixture["id"].as_str().unwrap()).unwrap();
    assert_eq!(id.address, fixture["ip"].as_str().unwrap().parse::<IpAddr>().unwrap());
    assert_eq!(u64::from(id.process), number("pid"));
    assert_eq!(format!("{:08X}", id.instance), fixture["instanceHashHex"].as_str().unwrap());
    assert_eq!(u64::from(id.since_month_ms), number("msSinceMonthStart"));
    assert_eq!(u64::from(id.counter), number("counter"));
    // 2024-02-01T00:00Z and as long after it as the reference was when it made its id.
    let now_ms = 1_706_745_600_000 + i64::from(id.since_month_ms);
    let mut ids = UniqueIds::new(id.address, u32::from(id.process), id.instance);
    let last = (0..=id.counter).map(|_| ids.next_id(now_ms)).last().unwrap();
    assert_eq!(last, fixture["id"].as_str().unwrap());
}

#[test]
fn properties_are_read() {
    for case in fixture("props_decode")["cases"].as_array().unwrap() {
        let text = String::from_utf8(hex(&case["hex"])).unwrap();
        let wanted = case["decoded"].as_object().unwrap();
        for (name, value) in wanted {
            assert_eq!(properties::find(&text, name), value.as_str(), "{text:?}");
        }
        assert_eq!(properties::pairs(&text).count(), wanted.len(), "{text:?}");
    }
}

#[test]
fn properties_are_written() {
    let fixture = fixture("props_encode");
    let pairs = fixture["input"].as_object().unwrap().iter();
    let text = properties::encode(pairs.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))));
    assert_eq!(text.as_bytes(), hex(&fixture["hex"]));
    let again: Vec<_> = properties::pairs(&text).collect();
    let wanted = fixture["decodedAgain"].as_object().unwrap();
    assert_eq!(again.len(), wanted.len());
    assert!(again.iter().all(|(name, value)| wanted[*name] == **value));
}

#[test]
fn tags_and_checksums() {
    for case in fixture("tags_code")["cases"].as_array().unwrap() {
        assert_eq!(tags_code(case["tag"].as_str().unwrap()), case["tagsCode"].as_i64().unwrap());
    }
    for case in fixture("crc32")["cases"].as_array().unwrap() {
        assert_eq!(u64::from(body_crc(case["text"].as_str().unwrap().as_bytes())), case["crc"].as_u64().unwrap());
    }
}

#[test]
fn batches() {
    let fixture = fixture("batch_body");
    let block = Bytes::from(hex(&fixture["hex"]));
    let items = decode_batch(block.clone()).unwrap();
    let wanted = fixture["decoded"].as_array().unwrap();
    assert_eq!(items.len(), wanted.len());
    let mut encoded = Vec::new();
    for (item, wanted) in items.iter().zip(wanted) {
        assert_eq!(i64::from(item.flag), wanted["flag"].as_i64().unwrap());
        assert_eq!(item.body, hex(&wanted["bodyHex"]));
        assert_eq!(properties::find(&item.properties, keys::TAGS), wanted["properties"]["TAGS"].as_str());
        encode_batch_item(item.flag, &item.body, &item.properties, &mut encoded).unwrap();
    }
    assert_eq!(encoded, block);
    assert!(decode_batch(block.slice(..block.len() - 1)).is_err());
}
