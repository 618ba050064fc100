//! Queues whose numbers go back in the log: their topic was made anew, or they had lost their end. The later record counts.

use std::fs;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{PhysicalOffset, QueueId, QueueOffset};
use ferromq::store::QueueEntry;
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::file_name;
use ferromq::store::offline::repair::{self, Request};
use serde_json::Value;

use crate::fixture::{Fixture, entries};
use crate::tool::{found, look, patch_log, verify};

/// Where each record of a queue lies, how long it is, and the code of its tag.
fn records(fixture: &Fixture, queue: u32) -> Vec<QueueEntry> {
    let is_its = |row: &&Value| row["topic"] == "FixPlain" && row["queueId"] == queue;
    let entry = |row: &Value| QueueEntry {
        physical: PhysicalOffset(row["physicalOffset"].as_u64().unwrap()),
        size: row["storeSize"].as_i64().unwrap() as i32,
        tags_code: row["tagsCode"].as_i64().unwrap(),
    };
    fixture.rows("messages").iter().filter(is_its).map(entry).collect()
}

/// A store whose queue has records of these numbers, and the entries that Java's broker leaves then; the others are its own.
fn numbered(number: impl Fn(u64) -> u64) -> (Fixture, Vec<QueueEntry>) {
    numbered_in("b0-clean-many-files", 1, number)
}

fn numbered_in(name: &str, queue: u32, number: impl Fn(u64) -> u64) -> (Fixture, Vec<QueueEntry>) {
    let fixture = Fixture::unpack(name);
    let mut live: Vec<QueueEntry> = Vec::new();
    for (index, entry) in records(&fixture, queue).into_iter().enumerate() {
        let number = number(index as u64);
        patch_log(&fixture, entry.physical.0 + 20, &number.to_be_bytes());
        live.resize(number as usize, QueueEntry::BLANK);
        live.push(entry);
    }
    write_queue(&fixture, queue, &live);
    (fixture, live)
}

fn write_queue(fixture: &Fixture, queue: u32, live: &[QueueEntry]) {
    let directory = fixture.options().root.join(format!("consumequeue/FixPlain/{queue}"));
    fs::remove_dir_all(&directory).unwrap();
    fs::create_dir(&directory).unwrap();
    for (file, entries) in live.chunks(100).enumerate() {
        let mut bytes: Vec<u8> = entries.iter().flat_map(QueueEntry::encode).collect();
        bytes.resize(2000, 0);
        fs::write(directory.join(file_name(file as u64 * 2000)), bytes).unwrap();
    }
}

/// What is in the queue after a repair, of which this many lines tell.
#[track_caller]
fn check_repaired(fixture: &Fixture, expected: &[QueueEntry], told: &[&str]) {
    let options = fixture.options();
    let plan = repair::repair(FileDisk::shared(), &options, Request::default(), None, &mut |_| {}).unwrap();
    let lines: Vec<String> = plan.findings.listed().iter().map(ToString::to_string).collect();
    assert!(lines.len() == told.len() && lines.iter().zip(told).all(|(line, part)| line.contains(part)), "{lines:#?}");
    let (topic, queue_id) = (Topic::parse("FixPlain").unwrap(), QueueId(1));
    let planned = plan.queues[&(topic.clone(), queue_id)];
    let end = expected.len() as u64;
    assert_eq!(planned.after, Some((0, end)), "what is planned is what is made");
    // A start that looks closely leaves it at that.
    fs::write(options.file("abort"), "").unwrap();
    let mut store = fixture.open();
    let numbers = |(offset, entry): (usize, &QueueEntry)| (QueueOffset(offset as u64), *entry);
    let expected: Vec<_> = expected.iter().enumerate().map(numbers).filter(|(_, entry)| !entry.is_blank()).collect();
    assert_eq!(entries(&mut store, &topic, queue_id), expected);
    assert_eq!(store.queues.queue_mut(&topic, queue_id).unwrap().max_offset(), QueueOffset(end));
    store.close().unwrap();
}

#[test]
fn of_a_topic_that_was_deleted_and_made_anew_by_java() {
    let (fixture, live) = numbered(|index| if index < 30 { index } else { index - 30 });
    assert_eq!(live.len(), 23);
    let lines = found(&fixture);
    let note = "numbers from 0 on were given again, as after a deletion of the topic or a loss of entries: 30 records";
    assert!(lines.len() == 1 && lines[0].starts_with("note: ") && lines[0].contains(note), "{lines:#?}");
    let again = "numbers from 0 on are given again";
    check_repaired(&fixture, &live, &[again]);
    assert_eq!(found(&fixture).len(), 1);
    // Of the queue nothing but the log tells.
    let (fixture, live) = numbered(|index| if index < 30 { index } else { index - 30 });
    fs::remove_dir_all(fixture.options().queues_dir()).unwrap();
    check_repaired(&fixture, &live, &[again]);
}

/// A start cannot tell which numbers are damaged; it goes by the earlier records, as the reference does, and says what to do.
#[test]
fn a_start_that_makes_such_a_queue_tells_of_it() {
    let (fixture, live) = numbered(|index| if index < 30 { index } else { index - 30 });
    assert!(fixture.open().report.warnings.is_empty(), "the queue leads to the later ones");
    fs::remove_dir_all(fixture.options().queues_dir()).unwrap();
    let warnings = fixture.open().report.warnings;
    let told = |warning: &String| {
        let begin = format!("queue 1 of FixPlain: {} records from {} of the log on", live.len(), live[0].physical);
        warning.starts_with(&begin) && warning.contains("`ferromq store repair`")
    };
    assert!(warnings.iter().any(told), "{warnings:?}");
}

/// Nothing was sent to another queue of it since.
#[test]
fn of_a_topic_that_was_made_anew_with_fewer_queues() {
    let (fixture, _) = numbered_in("b0-clean-many-files", 0, |index| if index < 53 { index } else { 0 });
    fs::remove_dir_all(fixture.options().root.join("consumequeue/FixPlain/1")).unwrap();
    let lines = found(&fixture);
    let notes = ["53 records from here on are in no queue", "another queue of the topic began anew behind them"];
    let is_note = |(line, part): (&String, &&str)| line.starts_with("note: ") && line.contains(*part);
    assert!(lines.len() == 2 && lines.iter().zip(&notes).all(is_note), "{lines:#?}");
}

#[test]
fn of_a_queue_that_had_lost_its_end() {
    let (fixture, live) = numbered(|index| if index < 50 { index } else { index - 8 });
    assert_eq!(live.len(), 45);
    let lines = found(&fixture);
    assert!(lines.len() == 1 && lines[0].starts_with("note: ") && lines[0].contains("given again"), "{lines:#?}");
    check_repaired(&fixture, &live, &["numbers from 42 on are given again"]);
}

/// A log that has lost its beginning, and so a queue that begins in its second file, and then in the first one.
#[test]
fn before_the_first_entry_of_the_queue() {
    let (fixture, live) =
        numbered_in("d-segments-deleted", 1, |index| if index < 20 { index + 130 } else { index - 20 });
    check_repaired(&fixture, &live, &["numbers from 0 on are given again"]);
}

/// The number of a record is covered by no checksum: a wrong one costs one message, not all behind it.
#[test]
fn a_number_that_is_damaged_takes_no_places() {
    let (fixture, _) = numbered(|index| index);
    let mut expected = records(&fixture, 1);
    patch_log(&fixture, expected[40].physical.0 + 20, &8_u64.to_be_bytes());
    expected[40] = QueueEntry::BLANK;
    check_repaired(&fixture, &expected, &["its number is 8 where 40 comes next"]);
    // The last one, where no other shows why: its entry does.
    let (fixture, _) = numbered(|index| index);
    let mut expected = records(&fixture, 1);
    patch_log(&fixture, expected[52].physical.0 + 20, &0_u64.to_be_bytes());
    expected.pop();
    check_repaired(&fixture, &expected, &["its number is 0 where 52 comes next"]);
}

#[test]
fn the_last_record_of_a_queue_may_be_the_first_of_a_new_one() {
    let (fixture, live) = numbered(|index| if index < 52 { index } else { 0 });
    check_repaired(&fixture, &live, &["numbers from 0 on are given again"]);
    let (fixture, live) = numbered(|index| if index < 52 { index } else { 17 });
    check_repaired(&fixture, &live, &["numbers from 17 on are given again"]);
}

/// Whatever the numbers are, in whichever order: the plan tells what the building makes of them.
#[test]
fn what_is_planned_is_what_is_made() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fixture =
            Fixture::unpack(["b0-clean-many-files", "d-segments-deleted", "c3-body-flip-abort"][seed as usize % 3]);
        for row in fixture.rows("messages") {
            let (at, number) = (row["physicalOffset"].as_u64().unwrap(), row["queueOffset"].as_u64().unwrap());
            let number = match random.u8(..40) {
                0 => 0,
                1 => random.u64(..number + 1),
                2 => number + random.u64(..20),
                3 => random.u64(..) >> 1,
                4..12 => number.saturating_sub(7),
                _ => number,
            };
            patch_log(&fixture, at + 20, &number.to_be_bytes());
        }
        let options = fixture.options();
        let plan = repair::repair(FileDisk::shared(), &options, Request::default(), None, &mut |_| {}).unwrap();
        let survey = look(&fixture).survey(&mut |_| {}).unwrap();
        let name = |topic: &str, queue| (Topic::parse(topic).unwrap(), QueueId(queue));
        let made = survey.queues.iter().map(|queue| (name(&queue.topic, queue.queue), queue.max_offset));
        let planned = plan.queues.iter().filter_map(|(name, queue)| Some((name.clone(), queue.after?.1)));
        assert_eq!(made.collect::<Vec<_>>(), planned.collect::<Vec<_>>(), "seed {seed}");
        let blanks: u64 = plan.queues.values().map(|queue| queue.blank).sum();
        assert!(verify(&fixture).checked.blank_entries >= blanks, "seed {seed}");
    }
}
