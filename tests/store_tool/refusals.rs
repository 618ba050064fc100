//! What cannot be done is said in one line, and the exit code is 2.

use std::fs;

use crate::binary::{Ferromq, contains};
use crate::fixture::Fixture;

#[track_caller]
fn check(arguments: &str, part: &str) {
    let ran = Ferromq::new().with_file("file", "x").run(&format!("store {arguments}"));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (2, "", 1), "{arguments}: {}", ran.err);
    contains(&ran.err, part);
}

#[test]
fn where_there_is_no_store() {
    for command in ["inspect", "verify", "dump", "repair", "repair --dry-run"] {
        check(&format!("{command} nowhere"), "nowhere is no store: there is no such directory");
        check(&format!("{command} file"), "file is no store: it is a file");
        check(command, "ferromq-data is no store: there is no such directory");
    }
    let empty = tempfile::tempdir().unwrap();
    check(&format!("verify {}", empty.path().display()), "is no store: it has no directory commitlog");
    fs::write(empty.path().join("commitlog"), "").unwrap();
    check(
        &format!("verify {}", empty.path().display()),
        "commitlog is no store: it is a file where a directory belongs",
    );
}

#[test]
fn what_is_not_in_the_store() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let root = fixture.options().root;
    for (conditions, part) in [
        ("--topic Nobody", "there is no topic Nobody in this store"),
        ("--topic a.b", "--topic: The specified topic contains illegal characters"),
        ("--topic FixPlain --queue 7", "topic FixPlain has no queue 7"),
        ("--topic FixPlain --queue 1 --queue-offset 53", "queue 1 of FixPlain ends before offset 53"),
        ("--offset 193399", "offset 193399 lies behind the end of the log"),
        ("--offset 999999999", "offset 999999999 lies behind the end of the log"),
        ("--offset 423", "no record begins at offset 423"),
    ] {
        check(&format!("dump {} {conditions}", root.display()), part);
    }
    let deleted = Fixture::unpack("d-segments-deleted");
    check(&format!("dump {} --offset 0", deleted.options().root.display()), "offset 0 lies before the log");
    for (at, part) in [
        ("0", "nothing would be left of the log"),
        ("423", "cannot cut at 423: no record ends or begins there; the nearest places are 422 and 864"),
        ("193399", "nothing is to be cut at 193399"),
        ("200000", "cannot cut at 200000: the log ends at 193399"),
    ] {
        check(&format!("repair {} --truncate-at {at}", root.display()), part);
    }
}

#[test]
fn a_configuration_that_cannot_be_read() {
    check("verify -c nowhere.conf", "cannot read nowhere.conf");
    let ferromq = Ferromq::new().with_file("bad.conf", "mappedFileSizeCommitLog=much\n");
    let ran = ferromq.run("store inspect -c bad.conf");
    assert_eq!((ran.code, ran.err.lines().count()), (2, 1), "{}", ran.err);
    contains(&ran.err, "bad.conf:1");
}

#[test]
fn help_explains_each_command() {
    for (command, part) in [
        ("", "Exit codes: 0 done, or sound; 1 not sound"),
        ("inspect", "--json"),
        ("verify", "Exit codes: 0 sound, 1 not sound, 2 the store cannot be looked at."),
        ("dump", "--queue-offset <OFFSET>"),
        ("repair", "--truncate-at <OFFSET>"),
    ] {
        let ran = Ferromq::new().run(&format!("store {command} --help"));
        assert_eq!(ran.code, 0);
        contains(&ran.out, part);
    }
}
