//! A log that is broken is cut where its owner says so, and what is cut is kept.

use std::fs;

use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::disk::FileDisk;
use ferromq::store::layout::file_name;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{OfflineError, StoreOptions};

use crate::binary::{Ferromq, contains};
use crate::fixture::Fixture;
use crate::tool::{check_sound, found, look, patch_log, records, repair, snapshot, try_repair};

/// Where each record of the fixture lies.
fn places(fixture: &Fixture) -> Vec<u64> {
    fixture.rows("messages").iter().map(|row| row["physicalOffset"].as_u64().unwrap()).collect()
}

/// All bytes of the log from a place on.
fn log_from(fixture: &Fixture, at: u64) -> Vec<u8> {
    let mut files: Vec<_> =
        fs::read_dir(fixture.options().root.join("commitlog")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bytes: Vec<u8> = files.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    bytes[at as usize..].to_vec()
}

/// Cuts a whole store, and looks at what is left and what is kept.
#[track_caller]
fn check_cut(fixture: &Fixture, at: u64, left: usize) {
    let cut_off = log_from(fixture, at);
    let plan = try_repair(fixture, Some(at)).unwrap();
    let cut = plan.cut.unwrap();
    assert_eq!((plan.log_end.0, cut.at.0, plan.records), (at, at, left as u64));
    assert_eq!(cut.copy, fixture.options().file(&format!("commitlog.cut-at-{at}.repair-1")));
    assert!(fs::read(&cut.copy).unwrap() == cut_off, "what was cut is kept");
    assert!(log_from(fixture, at).iter().all(|byte| *byte == 0), "nothing is left of it in the log");
    check_sound(fixture);
    assert_eq!(records(fixture).len(), left);
    let store = fixture.open();
    assert_eq!((store.report.log_end.0, store.report.entries_added, store.report.torn.clone()), (at, 0, None));
    store.close().unwrap();
    check_sound(fixture);
}

#[test]
fn where_its_frame_is_broken() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let at = places(&fixture)[100];
    patch_log(&fixture, at + 4, &[0; 4]);
    let before = snapshot(&fixture.options().root);
    let refused = try_repair(&fixture, None).unwrap_err();
    assert!(matches!(refused, OfflineError::Undecided(_)), "{refused}");
    contains(&refused.to_string(), &format!("log offset {at}: no record: unknown magic 0x00000000; records go on at"));
    contains(&refused.to_string(), &format!("--truncate-at {at}"));
    assert_eq!(snapshot(&fixture.options().root), before, "nothing was changed");
    let ran = Ferromq::new().run(&format!("store repair {}", fixture.options().root.display()));
    assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{}", ran.err);
    check_cut(&fixture, at, 100);
}

/// Our own state says that the broken record is on the disk; from then on it says that the log ends there.
#[test]
fn where_a_state_vouches_for_what_is_broken() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    fixture.open().close().unwrap();
    let at = places(&fixture)[150];
    patch_log(&fixture, at + 4, &[0; 4]);
    fs::write(fixture.options().file("abort"), "").unwrap();
    assert!(try_repair(&fixture, None).is_err());
    check_cut(&fixture, at, 150);
}

#[test]
fn at_the_first_record_of_a_segment_and_behind_the_last() {
    // The first record of the fourth segment, and the blank that ends the third one.
    let fixture = Fixture::unpack("b0-clean-many-files");
    let places = places(&fixture);
    let first = places.iter().position(|at| *at == 98_304).unwrap();
    check_cut(&fixture, 98_304, first);
    let fixture = Fixture::unpack("b0-clean-many-files");
    let last = &fixture.rows("messages")[first - 1];
    let end = last["physicalOffset"].as_u64().unwrap() + last["storeSize"].as_u64().unwrap();
    assert!(end < 98_304);
    check_cut(&fixture, end, first);
    assert!(!fixture.options().root.join("commitlog").join(file_name(98_304)).exists());
}

#[test]
fn where_a_torn_tail_begins() {
    let fixture = Fixture::unpack("c1-torn-tail-abort");
    check_cut(&fixture, 192_219, 159);
}

#[test]
fn a_dry_run_says_so_and_does_nothing() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let (root, at) = (fixture.options().root, places(&fixture)[100]);
    let before = snapshot(fixture.directory.path());
    let ran = Ferromq::new().run(&format!("store repair --dry-run --truncate-at {at} {}", root.display()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in [
        &format!("would cut the log at {at}, {} bytes kept in ", 196_608 - at),
        "would make anew from 100 records",
        "consumequeue.before-repair-1\n",
        "would make files with maxHashSlotNum=100 maxIndexNum=400, by the files",
        "nothing was changed",
    ] {
        contains(&ran.out, part);
    }
    assert_eq!(snapshot(fixture.directory.path()), before);
    let planned = look(&fixture).plan(Request::default(), &mut |_| {}).unwrap();
    assert!(planned.cut.is_none());
    repair(&fixture);
    assert_eq!(found(&fixture), [""; 0]);
}

/// A start would refuse that log, and the second half of a cut too: it is said before anything is changed.
#[test]
fn not_while_two_files_have_each_others_names() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let log = fixture.options().root.join("commitlog");
    let [one, other] = [32_768, 65_536].map(|base| log.join(file_name(base)));
    fs::rename(&one, log.join("aside")).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(log.join("aside"), &other).unwrap();
    let before = snapshot(&fixture.options().root);
    for truncate_at in [None, Some(32_768), Some(places(&fixture)[10])] {
        let refused = try_repair(&fixture, truncate_at).unwrap_err();
        assert!(matches!(refused, OfflineError::Undecided(_)), "{refused}");
        contains(&refused.to_string(), &format!("{}: by its first record it is the part", one.display()));
        contains(&refused.to_string(), "at offset 65536. Give the file the name that it had");
    }
    assert_eq!(snapshot(&fixture.options().root), before, "nothing was changed");
}

/// The log may lie in several directories, of which some have no file yet.
#[test]
fn where_a_directory_is_configured_that_is_not_there_yet() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let at = places(&fixture)[100];
    let root = fixture.options().root;
    let log_dirs = vec![root.join("commitlog"), root.join("commitlog-2")];
    let options = StoreOptions { log_dirs, ..StoreOptions::at(&root) };
    let request = Request { truncate_at: Some(PhysicalOffset(at)) };
    repair::repair(FileDisk::shared(), &options, request, None, &mut |_| {}).unwrap();
    check_sound(&fixture);
    assert_eq!(records(&fixture).len(), 100);
}
