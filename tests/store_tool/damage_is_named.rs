//! One thing is damaged in a sound store, and that thing is named.

use std::fs;

use ferromq::store::disk::FileDisk;
use ferromq::store::layout::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, INDEX_SLOT_BYTES, file_name};
use ferromq::store::offline::verify::ConfigCheck;
use ferromq::store::state::State;

use crate::fixture::Fixture;
use crate::tool::{check_sound, found, look, patch, patch_log, repair, verify};

const QUEUE: &str = "consumequeue/FixPlain/1/00000000000000000000";
const INDEX: &str = "index/20261121055106595";
/// What the index file of the fixture was made with.
const SLOTS: u64 = 100;

/// Damages the store and compares the lines with what is expected of them, in order.
#[track_caller]
fn check(damage: impl FnOnce(&Fixture), expected: &[&str]) {
    let fixture = Fixture::unpack("b0-clean-many-files");
    damage(&fixture);
    let found = found(&fixture);
    let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(found, part)| found.contains(part));
    assert!(fits, "expected {expected:#?}\nfound {found:#?}");
}

#[test]
fn of_queue_entries_each_field() {
    let at = |number: u64, byte: u64| number * 20 + byte;
    check(|store| patch(store, QUEUE, at(7, 11), &[1]), &["topic FixPlain queue 1 offset 7: says "]);
    check(|store| patch(store, QUEUE, at(7, 19), &[1]), &["queue 1 offset 7: tag code "]);
    check(
        |store| patch(store, QUEUE, at(7, 0), &[0; 8]),
        &[
            "offset 7: the entry of the record at",
            "offset 7: points to 0: the record there is of topic FixPlain queue 0",
        ],
    );
    check(
        |store| patch(store, QUEUE, at(7, 0), &[0; 20]),
        &["offset 7: no entries for 1 records, 7 to 7", "offset 8: nothing from 7 up to here, but entries behind it"],
    );
    check(
        |store| patch(store, QUEUE, at(7, 8), &(-1_i32).to_be_bytes()),
        &["offset 7: no entries for 1 records", "offset 7: no entry: offset "],
    );
    // Behind the last one stands a second one for the same record.
    check(
        |store| {
            let queue = fs::read(store.options().root.join(QUEUE)).unwrap();
            patch(store, QUEUE, at(53, 0), &queue[7 * 20..8 * 20]);
        },
        &["offset 53: points to "],
    );
}

#[test]
fn of_records_the_frame_and_where_they_go_on() {
    // The second record begins at 422.
    check(
        |store| patch_log(store, 422, &[0, 0, 0, 9]),
        &[
            "commitlog/00000000000000000000 byte 422, log offset 422: no record: ",
            "byte 520: points to 422, where no record begins",
            "byte 540: points to 422, where no record begins",
            "queue 1 offset 0: points to 422: no record begins there",
        ],
    );
    for (at, bytes) in [(426, [1; 4]), (422 + 28, [1; 4]), (422, [0x7f, 0xff, 0xff, 0xff])] {
        let fixture = Fixture::unpack("b0-clean-many-files");
        patch_log(&fixture, at, &bytes);
        let first = found(&fixture).remove(0);
        assert!(first.contains("log offset 422: no record: ") && first.ends_with("records go on at 864"), "{first}");
    }
}

#[test]
fn of_index_files_links_slots_hashes_and_places() {
    let entry =
        |number: u64, byte: u64| INDEX_HEADER_BYTES + SLOTS * INDEX_SLOT_BYTES + number * INDEX_ENTRY_BYTES + byte;
    check(
        |store| patch(store, INDEX, entry(9, 19), &[200]),
        &[&format!("{INDEX} byte {}: its chain goes on at entry 200, but should at 0", entry(9, 0))],
    );
    check(|store| patch(store, INDEX, 40, &[0, 0, 1, 0]), &["byte 40: the chain of slot 0 begins at entry 256"]);
    check(|store| patch(store, INDEX, 35, &[1]), &["byte 0: the header tells of "]);
    // An entry's place, one byte off; its record is found in the index no more.
    let place = |store: &Fixture| {
        u64::from_be_bytes(
            fs::read(store.options().root.join(INDEX)).unwrap()[entry(9, 4) as usize..][..8].try_into().unwrap(),
        )
    };
    check(
        |store| patch(store, INDEX, entry(9, 4), &(place(store) + 1).to_be_bytes()),
        &["its key ", &format!("{INDEX} byte {}: points to ", entry(9, 0))],
    );
    let fixture = Fixture::unpack("b0-clean-many-files");
    patch(&fixture, INDEX, entry(9, 3), &[0x5a]);
    let lines = found(&fixture).join("\n");
    assert!(lines.contains("has no key of this hash") && lines.contains("is in no index file"), "{lines}");
}

#[test]
fn of_an_extension_the_unit() {
    let fixture = Fixture::unpack("e-queue-ext");
    let topics = fixture.options().queue_exts_dir();
    let topic = fs::read_dir(&topics).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let unit = |number: &str| format!("consumequeue_ext/{topic}/{number}/00000000000000000000");
    let number = if topics.join(&topic).join("0").exists() { "0" } else { "1" };
    patch(&fixture, &unit(number), 9, &[7]);
    let lines = found(&fixture);
    assert!(lines.len() == 1 && lines[0].contains("tag code "), "{lines:#?}");
    patch(&fixture, &unit(number), 0, &[0, 0]);
    let lines = found(&fixture);
    assert!(lines[0].contains("the unit at 0 of its extension is not there"), "{lines:#?}");
}

#[test]
fn files_that_do_not_belong_or_have_another_length() {
    check(
        |store| fs::write(store.options().root.join("commitlog/notes.txt"), "x").unwrap(),
        &["commitlog/notes.txt: does not belong among the files of the log"],
    );
    check(
        |store| fs::write(store.options().root.join("consumequeue/FixPlain/1/00000000000000002000"), "x").unwrap(),
        &["consumequeue/FixPlain/1/00000000000000002000: has 1 bytes, the others 2000"],
    );
    let fixture = Fixture::unpack("b0-clean-many-files");
    fs::remove_file(fixture.options().root.join("commitlog/00000000000000065536")).unwrap();
    let lines = found(&fixture);
    assert!(lines[0].contains("begins at 98304, the file of offset 65536 is missing"), "{lines:#?}");
}

/// A start removes them, however many there are.
#[test]
fn files_at_the_end_that_were_only_just_made() {
    let empty = |store: &Fixture| {
        for base in [196_608, 229_376] {
            fs::write(store.options().root.join("commitlog").join(file_name(base)), "").unwrap();
        }
    };
    let line = "has no bytes: a crash came while it was made";
    check(empty, &[line, line]);
    let fixture = Fixture::unpack("b0-clean-many-files");
    empty(&fixture);
    assert!(verify(&fixture).is_sound());
    repair(&fixture);
    fixture.open().close().unwrap();
}

#[test]
fn settings_that_cannot_be_read() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let parse = |text: &str| if text.starts_with('{') { Ok(()) } else { Err("no object".to_owned()) };
    let configs = || [ConfigCheck { name: "topics.json", parse: &parse }];
    let lines = |fixture: &Fixture| -> Vec<String> {
        let verified = look(fixture).verify(&configs(), &mut |_| {}).unwrap();
        verified.findings.listed().iter().map(ToString::to_string).collect()
    };
    assert_eq!(lines(&fixture), [""; 0]);
    fs::write(fixture.options().root.join("config/topics.json"), "?").unwrap();
    let found = lines(&fixture);
    assert!(found.len() == 1 && found[0].ends_with("cannot be used: no object; the copy beside it can"), "{found:?}");
    fs::write(fixture.options().root.join("config/topics.json.bak"), "").unwrap();
    let found = lines(&fixture);
    assert!(found.len() == 2 && found[1].ends_with("topics.json.bak cannot be used: it is empty"), "{found:?}");
}

/// What ferromq itself has noted: it opens the store first, and then the log loses its end.
#[test]
fn a_state_that_says_more_than_the_log_has() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    fixture.open().close().unwrap();
    check_sound(&fixture);
    let state = State::load(&FileDisk, &fixture.options()).unwrap().unwrap();
    assert_eq!(state.durable().0, 193_399);
    fs::remove_file(fixture.options().root.join("commitlog/00000000000000163840")).unwrap();
    let lines = found(&fixture);
    let told = |what: &str| format!("ferromq.state: says that the log is {what} up to 193399, but it ends at 163332");
    assert!(lines.iter().any(|line| line.contains(&told("on the disk"))), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains(&told("in queues and index"))), "{lines:#?}");
}
