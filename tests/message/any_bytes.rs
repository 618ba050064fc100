//! Arbitrary input: an error or a message, never a panic, and what was written is read.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ferromq::protocol::compression::{plain_body, zlib};
use ferromq::protocol::ids::{UniqueId, UniqueIds, offset_id, parse_offset_id};
use ferromq::protocol::message::{
    Message, RecordHead, Text, body_crc, decode, decode_all, decode_batch, encode_batch_item,
};
use ferromq::protocol::properties;
use ferromq::protocol::sys_flag;
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
use proptest::prelude::*;

fn host() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(address, port)| SocketAddr::new(address, port))
}

prop_compose! {
    fn numbers()(
        queue in 0..=i32::MAX as u32, flag in any::<i32>(), queue_offset in 0..=i64::MAX as u64,
        physical in 0..=i64::MAX as u64, sys_flag in any::<i32>(), reconsume_times in any::<i32>(),
        times in any::<(i64, i64, i64)>(),
    ) -> Message {
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        Message {
            topic: Text::default(), queue_id: QueueId(queue), flag, queue_offset: QueueOffset(queue_offset),
            physical_offset: PhysicalOffset(physical), sys_flag, born_time: BornTime(times.0), born_host: local,
            store_time: StoreTime(times.1), store_host: local, reconsume_times, prepared_transaction_offset: times.2,
            body_crc: 0, body: Bytes::new(), properties: Text::default(),
        }
    }
}

prop_compose! {
    fn message()(
        numbers in numbers(), hosts in (host(), host()), body in prop::collection::vec(any::<u8>(), 0..300),
        topic in "[a-z%|]{0,200}", properties in "\\PC{0,300}",
    ) -> Message {
        Message {
            topic: Text::from(topic), born_host: hosts.0, store_host: hosts.1, body_crc: body_crc(&body),
            sys_flag: sys_flag::with_hosts(numbers.sys_flag, hosts.0, hosts.1), body: Bytes::from(body),
            properties: Text::from(properties), ..numbers
        }
    }
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(message in message(), behind in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut block = Vec::new();
        message.encode(&mut block).unwrap();
        let size = block.len();
        block.extend(behind);
        let (read, read_size) = decode(&Bytes::from(block)).unwrap();
        prop_assert_eq!(read_size, size);
        prop_assert_eq!(read, message);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_message(message in message(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut block = Vec::new();
        message.encode(&mut block).unwrap();
        let at = at.index(block.len());
        block[at] = to;
        let _ = RecordHead::parse(&block).map(|head| head.check_body());
        let _ = decode_all(Bytes::from(block));
    }

    #[test]
    fn any_bytes(block in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = RecordHead::parse(&block);
        let block = Bytes::from(block);
        let _ = decode_all(block.clone());
        let _ = decode_batch(block);
    }

    #[test]
    fn any_bytes_are_no_reason_to_decompress_more_than_the_limit(
        sys_flag in any::<i32>(), kind in 0..8i32, body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let sys_flag = sys_flag & !sys_flag::COMPRESSION_TYPE | sys_flag::COMPRESSED | kind << 8;
        if let Ok(plain) = plain_body(sys_flag, &Bytes::from(body), 1_000) {
            prop_assert!(plain.len() <= 1_000);
        }
    }

    #[test]
    fn a_changed_byte_of_a_compressed_body_is_an_error_or_another_body(
        plain in prop::collection::vec(0..4u8, 0..2_000), kind in 0..4i32, at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut body = match kind {
            1 => lz4(&plain),
            2 => zstd::encode_all(&plain[..], 0).unwrap(),
            _ => zlib(&plain, 5),
        };
        let sys_flag = sys_flag::COMPRESSED | kind << 8;
        prop_assert_eq!(plain_body(sys_flag, &Bytes::from(body.clone()), plain.len()).unwrap(), &plain);
        prop_assert!(plain.is_empty() || plain_body(sys_flag, &Bytes::from(body.clone()), plain.len() - 1).is_err());
        let at = at.index(body.len());
        body[at] = to;
        if let Ok(other) = plain_body(sys_flag, &Bytes::from(body), 4_000) {
            prop_assert!(other.len() <= 4_000);
        }
    }

    #[test]
    fn batches_are_read_as_written(items in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..50), "[a-z\u{1}\u{2}]{0,50}"), 0..5)) {
        let mut block = Vec::new();
        for (flag, body, properties) in &items {
            encode_batch_item(*flag, body, properties, &mut block).unwrap();
        }
        let read = decode_batch(Bytes::from(block)).unwrap();
        let read: Vec<_> = read.into_iter().map(|item| (item.flag, item.body.to_vec(), item.properties.to_string())).collect();
        prop_assert_eq!(read, items);
    }

    #[test]
    fn properties_are_read_as_written(pairs in prop::collection::vec(("[a-zA-Z_]{1,8}", "[a-z]{1,8}"), 0..8), other in "\\PC{0,40}") {
        let text = properties::encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let read: Vec<_> = properties::pairs(&text).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(&read, &pairs);
        for (name, _) in &pairs {
            let last = pairs.iter().rev().find(|pair| pair.0 == *name).map(|pair| pair.1.as_str());
            prop_assert_eq!(properties::find(&text, name), last);
            let replaced = properties::with(text.as_bytes(), &[(name, "other")]);
            let replaced = String::from_utf8(replaced).unwrap();
            prop_assert_eq!(properties::pairs(&replaced).filter(|pair| pair.0 == *name).count(), 1);
            prop_assert_eq!(properties::find(&replaced, name), Some("other"));
        }
        let _ = properties::pairs(&other).count();
    }

    #[test]
    fn ids_are_read_as_written(host in host(), offset in any::<u64>(), process in any::<u16>(), instance in any::<u32>(), now_ms in 0..4_000_000_000_000i64) {
        prop_assert_eq!(parse_offset_id(&offset_id(host, PhysicalOffset(offset))), Some((host, PhysicalOffset(offset))));
        let mut ids = UniqueIds::new(host.ip(), process.into(), instance);
        for counter in 0..3 {
            let id = UniqueId::parse(&ids.next_id(now_ms)).unwrap();
            prop_assert_eq!((id.address, id.process, id.instance, id.counter), (host.ip(), process, instance, counter));
        }
    }

    #[test]
    fn any_text_is_an_id_or_none(any in any::<String>(), digits in "[0-9A-Fa-f+é]{32}|[0-9A-Fa-f+é]{56}") {
        for text in [any, digits] {
            let _ = UniqueId::parse(&text);
            if let Some((host, offset)) = parse_offset_id(&text) {
                prop_assert_eq!(offset_id(host, offset), text.to_uppercase());
            }
        }
    }
}
