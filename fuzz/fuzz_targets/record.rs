//! Bytes of a log segment or of a pull answer's body: records, their properties, and batches.
#![no_main]

use bytes::Bytes;
use ferromq::protocol::message::{RecordHead, decode_all, decode_batch, encode_batch_item};
use ferromq::protocol::properties;
use ferromq::store::dispatch::Marks;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(head) = RecordHead::parse(bytes) {
        assert!(head.total_size as usize <= bytes.len(), "nothing outside is looked at");
        let _ = head.check_body();
        let marks = Marks::of(&head);
        let _ = marks.queue_entry(&head, &[1_000]);
        assert!(marks.index_keys(&head).all(|key| !key.is_empty()));
    }
    let block = Bytes::copy_from_slice(bytes);
    for message in decode_all(block.clone()).unwrap_or_default() {
        let mut again = Vec::new();
        // A 5.x record may carry a short topic behind a long length field; what we write is then shorter.
        if message.encode(&mut again).is_ok() {
            let (decoded, _) =
                ferromq::protocol::message::decode(&Bytes::from(again)).expect("what we write is a record");
            assert_eq!((decoded.body, decoded.properties), (message.body.clone(), message.properties.clone()));
        }
        let pairs = properties::pairs(&message.properties).count();
        assert!(pairs <= message.properties.len() / 3 + 1);
    }
    if let Ok(items) = decode_batch(block) {
        let mut again = Vec::new();
        for item in &items {
            encode_batch_item(item.flag, &item.body, &item.properties, &mut again).expect("it was short enough before");
        }
        assert_eq!(decode_batch(Bytes::from(again)).expect("what we write is a batch"), items);
    }
});
