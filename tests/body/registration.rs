//! The body of REGISTER_BROKER: both forms, its check sum, and what is wrong with damaged ones.

use ferromq::protocol::body::register::{RegisterBrokerBody, body_crc32, crc_matches};
use ferromq::protocol::body::{Body, BodyError};
use ferromq::protocol::compression;
use proptest::prelude::*;

use super::{Fixture, from_hex};

#[test]
fn both_forms_are_the_same_registration() {
    let plain = RegisterBrokerBody::decode_registration(&Fixture::load("register_broker").bytes(), false).unwrap();
    let compressed = Fixture::load("register_broker_compressed");
    assert_eq!(RegisterBrokerBody::decode_registration(&compressed.bytes(), true).unwrap(), plain);
    assert_eq!(plain.topic_config_serialize_wrapper.topic_config_table["TBW102"].write_queue_nums, 8);
}

#[test]
fn what_we_compress_reads_back_and_holds_the_reference_bytes() {
    let fixture = Fixture::load("register_broker_compressed");
    let body = RegisterBrokerBody::inflate(&fixture.bytes(), 1 << 20).unwrap();
    let ours = body.deflate();
    assert_eq!(RegisterBrokerBody::inflate(&ours, 1 << 20).unwrap(), body);

    // The reference writes topics in hash order, so that only what comes before and how much there is can be the same.
    let (theirs, ours) = (from_hex(&fixture.inflated_hex), compression::unzlib(&ours, 1 << 20).unwrap());
    assert_eq!((ours.len(), &ours[..47]), (theirs.len(), &theirs[..47]));
}

#[test]
fn the_check_sum_is_over_the_bytes_as_sent_without_its_top_bit() {
    for name in ["register_broker", "register_broker_compressed"] {
        let fixture = Fixture::load(name);
        assert_eq!(body_crc32(&fixture.bytes()), fixture.crc32, "{name}");
        assert!(crc_matches(&fixture.bytes(), fixture.crc32) && crc_matches(&fixture.bytes(), 0), "{name}");
        assert!(!crc_matches(&fixture.bytes(), fixture.crc32 ^ 1), "{name}");
    }
    // CRC-32's usual check value is 0xCBF43926.
    assert_eq!(body_crc32(b"123456789"), 0x4bf4_3926);
}

#[test]
fn no_body_is_an_empty_table() {
    for compressed in [false, true] {
        let body = RegisterBrokerBody::decode_registration(b"", compressed).unwrap();
        assert_eq!(body, RegisterBrokerBody::default());
    }
}

#[test]
fn a_body_may_not_inflate_beyond_the_limit() {
    let bytes = Fixture::load("register_broker_compressed").bytes();
    let length = from_hex(&Fixture::load("register_broker_compressed").inflated_hex).len();
    assert!(RegisterBrokerBody::inflate(&bytes, length).is_ok());
    assert!(matches!(RegisterBrokerBody::inflate(&bytes, length - 1), Err(BodyError::Inflate(_))));
    assert!(matches!(RegisterBrokerBody::inflate(b"not zlib", 100), Err(BodyError::Inflate(_))));
}

#[test]
fn every_cut_is_an_error_except_before_the_filter_servers() {
    let inflated = from_hex(&Fixture::load("register_broker_compressed").inflated_hex);
    for cut in 0..inflated.len() {
        let result = RegisterBrokerBody::inflate(&compression::zlib(&inflated[..cut], 1), 1 << 20);
        let before_filter_servers = inflated.len() - 6;
        assert_eq!(result.is_ok(), cut == before_filter_servers, "{cut}: {result:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_at_worst(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = RegisterBrokerBody::inflate(&bytes, 1 << 16);
        let _ = RegisterBrokerBody::inflate(&compression::zlib(&bytes, 1), 1 << 16);
        let _ = RegisterBrokerBody::decode(&bytes);
    }
}
