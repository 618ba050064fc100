//! Records that are read out are those that Java's broker read.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::binary::{Ferromq, Ran};
use crate::fixture::{Fixture, check_message, digest};
use crate::tool::{patch_log, records};

/// The lines of a dump; nothing is said besides.
fn dump(fixture: &Fixture, arguments: &str) -> Vec<Value> {
    let ran = run(fixture, arguments);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments}");
    lines(&ran)
}

fn run(fixture: &Fixture, arguments: &str) -> Ran {
    Ferromq::new().run(&format!("store dump {} {arguments}", fixture.options().root.display()))
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn offsets(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["offset"].as_u64().unwrap()).collect()
}

#[test]
fn every_record_in_the_order_of_the_log() {
    for name in ["a-clean", "b0-clean-many-files", "d-segments-deleted", "e-queue-ext"] {
        let fixture = Fixture::unpack(name);
        let messages = records(&fixture);
        assert_eq!(messages.len(), fixture.rows("messages").len(), "{name}");
        for (row, message) in fixture.rows("messages").iter().zip(&messages) {
            check_message(row, message);
        }
    }
}

#[test]
fn each_field_is_printed() {
    let fixture = Fixture::unpack("a-clean");
    let dumped = dump(&fixture, "--body hex");
    for (row, line) in fixture.rows("messages").iter().zip(&dumped) {
        for (ours, java) in [
            ("topic", "topic"),
            ("queue", "queueId"),
            ("queueOffset", "queueOffset"),
            ("offset", "physicalOffset"),
            ("size", "storeSize"),
            ("offsetMsgId", "msgId"),
            ("flag", "flag"),
            ("sysFlag", "sysFlag"),
            ("bornTimestamp", "bornTimestamp"),
            ("storeTimestamp", "storeTimestamp"),
            ("reconsumeTimes", "reconsumeTimes"),
            ("preparedTransactionOffset", "preparedTransactionOffset"),
            ("bodyCrc", "bodyCRC"),
            ("bodyLength", "bodyLength"),
        ] {
            assert_eq!(line[ours], row[java], "{ours} of {row}");
        }
        assert_eq!(line["properties"].as_object().unwrap().len(), row["properties"].as_object().unwrap().len());
        let digits = line["bodyHex"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
        assert_eq!(digest(&bytes), row["bodySha256"].as_str().unwrap());
    }
}

#[test]
fn bodies_in_each_form() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let one = |form: &str| dump(&fixture, &format!("--limit 1 --body {form}")).remove(0);
    let text = one("text")["body"].as_str().unwrap().to_owned();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(one("hex")["bodyHex"], hex);
    let base64 = one("base64")["bodyBase64"].as_str().unwrap().to_owned();
    assert_eq!(base64.len(), text.len().div_ceil(3) * 4);
    let none = one("none");
    assert!(["body", "bodyHex", "bodyBase64"].iter().all(|name| none.get(name).is_none()), "{none}");
}

/// A key finds the same records with the index and without; Java's answers hold collisions of the hash too.
#[test]
fn by_key_with_the_index_and_without() {
    let fixture = Fixture::unpack("a-clean");
    let mut wanted: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    for row in fixture.rows("messages") {
        let properties = row["properties"].as_object().unwrap();
        let keys = properties.get("KEYS").and_then(Value::as_str).unwrap_or_default();
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            let of_key = wanted.entry((row["topic"].as_str().unwrap().into(), key.into())).or_default();
            of_key.push(row["physicalOffset"].as_u64().unwrap());
        }
    }
    let mut tried: Vec<_> =
        wanted.iter().filter(|((_, key), _)| !key.contains(|c: char| !c.is_ascii_graphic())).collect();
    tried.sort_by_key(|(_, offsets)| std::cmp::Reverse(offsets.len()));
    tried.truncate(6);
    let find = |topic: &str, key: &str| offsets(&dump(&fixture, &format!("--topic {topic} --key {key}")));
    for ((topic, key), expected) in &tried {
        assert_eq!(&find(topic, key), *expected, "{topic} {key}");
    }
    fs::remove_dir_all(fixture.options().index_dir()).unwrap();
    for ((topic, key), expected) in &tried {
        assert_eq!(&find(topic, key), *expected, "{topic} {key} without an index");
    }
}

#[test]
fn by_place_number_and_time() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let rows = fixture.rows("messages");
    let all: Vec<u64> = rows.iter().map(|row| row["physicalOffset"].as_u64().unwrap()).collect();
    let from = |arguments: &str| offsets(&dump(&fixture, arguments));
    assert_eq!(from(&format!("--offset {}", all[100])), all[100..]);
    assert_eq!(from(&format!("--offset {} --limit 1", all[100])), all[100..101]);
    let of_queue: Vec<u64> =
        rows.iter().filter(|row| row["queueId"] == 2).map(|row| row["physicalOffset"].as_u64().unwrap()).collect();
    assert_eq!(from("--topic FixPlain --queue 2"), of_queue);
    assert_eq!(from("--topic FixPlain --queue 2 --queue-offset 50"), of_queue[50..]);
    let time = |index: usize| rows[index]["storeTimestamp"].as_i64().unwrap();
    let (begin, end) = (time(20), time(90));
    let expected: Vec<u64> = rows
        .iter()
        .zip(&all)
        .filter(|(row, _)| (begin..=end).contains(&row["storeTimestamp"].as_i64().unwrap()))
        .map(|(_, at)| *at)
        .collect();
    assert!(expected.len() > 50);
    assert_eq!(from(&format!("--from {begin} --to {end}")), expected);
    assert_eq!(from("--from 2100-01-01"), [0; 0]);
    assert_eq!(from("--limit 0"), [0; 0]);
}

/// What is broken is told, and everything else is read.
#[test]
fn of_a_broken_log_all_that_is_whole() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    patch_log(&fixture, 426, &[9; 4]);
    let ran = run(&fixture, "");
    assert_eq!((ran.code, lines(&ran).len()), (1, 159), "{}", ran.err);
    assert!(
        ran.err.contains("log offset 422: no record: unknown magic 0x09090909; records go on at 864"),
        "{}",
        ran.err
    );
    let flipped = Fixture::unpack("c4-body-flip-old-file-clean");
    let dumped = dump(&flipped, "--offset 1343 --limit 1");
    assert_eq!(dumped[0]["damaged"], "body checksum 0x1493fcb9, stored with 0x60ba61e6");
}

/// A queue, or all of them, may be what the store has lost; the log has the records.
#[test]
fn of_a_topic_whose_queues_are_lost() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let queues = fixture.options().queues_dir();
    let all = offsets(&dump(&fixture, "--topic FixPlain"));
    let of_one = offsets(&dump(&fixture, "--topic FixPlain --queue 1"));
    let by_key = offsets(&dump(&fixture, "--topic FixPlain --key k1"));
    fs::remove_dir_all(queues.join("FixPlain/1")).unwrap();
    assert_eq!(offsets(&dump(&fixture, "--topic FixPlain --queue 1")), of_one);
    // Another topic is there, so that queues are not what is missing as a whole.
    fs::rename(queues.join("FixPlain"), queues.join("Other")).unwrap();
    assert_eq!(offsets(&dump(&fixture, "--topic FixPlain")), all);
    assert_eq!(offsets(&dump(&fixture, "--topic FixPlain --queue 1")), of_one);
    assert_eq!(offsets(&dump(&fixture, "--topic FixPlain --key k1")), by_key);
    // It has the topic, and nothing with that key.
    assert!(dump(&fixture, "--topic FixPlain --key none").is_empty());
    for arguments in ["--topic Nobody", "--topic FixPlain --queue 7"] {
        let ran = run(&fixture, arguments);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (2, "", 1), "{}", ran.err);
    }
}
