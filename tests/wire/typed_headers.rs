//! The typed headers against recorded requests and replies: every field that the reference wrote is known by its name.

use ferromq::protocol::command::ExtFields;
use ferromq::protocol::error::ProtocolError;
use ferromq::protocol::headers::client::OfConsumerGroup;
use ferromq::protocol::headers::namesrv::{RegisterBroker, RouteOf};
use ferromq::protocol::headers::offset::{SearchOffset, UpdateConsumerOffset};
use ferromq::protocol::headers::pull::{PullHeader, PullReplyHeader};
use ferromq::protocol::headers::send::{PushReply, SendBack, SendHeader, SendReply};
use ferromq::protocol::headers::topic::{CreateTopic, DeleteGroup};
use ferromq::protocol::headers::transaction::{CheckTransaction, EndTransaction};
use proptest::prelude::*;

use crate::support::{decode_one, fixture, unhex};

/// Reads the recorded fields as a header, writes that, and compares what the reference had written.
fn check(name: &str, again: impl Fn(&ExtFields) -> Result<ExtFields, ProtocolError>) {
    let recorded = decode_one(&unhex(fixture(name)["hex"].as_str().unwrap())).command().unwrap().ext;
    let written = again(&recorded).unwrap();
    // The broker's name is sent along since 4.9, and nobody needs it.
    for (key, value) in recorded.iter().filter(|(key, _)| !matches!(*key, "bname" | "n")) {
        assert_eq!(written.get(key).as_ref(), Some(&value), "{name}: {key}");
    }
}

/// Names that headers know, and some that none does.
const NAMES: [&str; 24] = [
    "a",
    "b",
    "d",
    "e",
    "g",
    "i",
    "topic",
    "queueId",
    "queueOffset",
    "maxMsgNums",
    "sysFlag",
    "commitOffset",
    "suspendTimeoutMillis",
    "subVersion",
    "consumerGroup",
    "producerGroup",
    "offset",
    "timestamp",
    "perm",
    "readQueueNums",
    "writeQueueNums",
    "brokerId",
    "bodyCrc32",
    "nobody's",
];

proptest! {
    /// Whatever the fields hold, a header is read or refused with the name of the field that is wrong.
    #[test]
    fn any_fields_are_a_header_or_an_error(
        fields in prop::collection::vec((prop::sample::select(&NAMES[..]), "-?[0-9]{0,21}|true|\\PC{0,8}"), 0..24),
    ) {
        let mut ext = ExtFields::builder();
        for (name, value) in &fields {
            ext.push(name, value);
        }
        let ext = ext.build();
        let errors = [
            SendHeader::parse(&ext).err(),
            PullHeader::parse(&ext).err(),
            CreateTopic::parse(&ext).err(),
            UpdateConsumerOffset::parse(&ext).err(),
            SearchOffset::parse(&ext).err(),
            RegisterBroker::parse(&ext).err(),
            EndTransaction::parse(&ext).err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn every_recorded_field_is_read_and_written_again() {
    check("frame_json_get_route", |ext| Ok(RouteOf::parse(ext)?.to_ext()));
    check("frame_json_register_broker", |ext| Ok(RegisterBroker::parse(ext)?.to_ext()));
    check("frame_json_oneway_update_offset", |ext| Ok(UpdateConsumerOffset::parse(ext)?.to_ext()));
    check("frame_json_notify_ids_changed", |ext| Ok(OfConsumerGroup::parse(ext)?.to_ext()));
    check("frame_json_pull_found", |ext| Ok(PullReplyHeader::parse(ext)?.to_ext()));
    check("frame_json_pull_not_found", |ext| Ok(PullReplyHeader::parse(ext)?.to_ext()));
    check("frame_json_send_response", |ext| Ok(SendReply::parse(ext)?.to_ext()));
    check("frame_bin_send_response", |ext| Ok(SendReply::parse(ext)?.to_ext()));
    check("frame_json_send_back", |ext| Ok(SendBack::parse(ext)?.to_ext()));
    check("frame_json_push_reply", |ext| Ok(PushReply::parse(ext)?.to_ext()));
    check("frame_json_end_transaction", |ext| Ok(EndTransaction::parse(ext)?.to_ext()));
    check("frame_json_check_transaction", |ext| Ok(CheckTransaction::parse(ext)?.to_ext()));
}

#[test]
fn so_are_those_of_the_headers_that_borrow() {
    for name in ["frame_json_pull", "frame_bin_pull"] {
        check(name, |ext| {
            let mut out = ExtFields::builder();
            PullHeader::parse(ext)?.write(&mut out);
            Ok(out.build())
        });
    }
    check("frame_json_send_v1", |ext| {
        let mut out = ExtFields::builder();
        SendHeader::parse(ext)?.write_long(&mut out);
        Ok(out.build())
    });
    for name in ["frame_json_send_v2", "frame_bin_send_v2"] {
        check(name, |ext| {
            let mut out = ExtFields::builder();
            SendHeader::parse(ext)?.write(&mut out);
            Ok(out.build())
        });
    }
}

#[test]
fn either_release_can_have_the_offsets_of_a_deleted_group_removed() {
    for (name, value, expected) in
        [("removeOffset", true, true), ("cleanOffset", true, true), ("cleanOffset", false, false)]
    {
        let mut ext = ExtFields::builder();
        ext.push("groupName", "G").push(name, value);
        assert_eq!(DeleteGroup::parse(&ext.build()).unwrap().removes_offsets(), expected, "{name}");
    }
}
