//! The README's commands do what it says: a server, a message sent, the same message read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::binary::Ferromq;

/// A port that the system gives to nobody.
const NOBODY: &str = "127.0.0.1:1";

/// Test binaries about how it is built or used, rather than about what it does for clients.
const ABOUT_THE_INSIDE: [&str; 11] =
    ["body", "cli", "client", "faults", "hostile", "memory", "message", "net", "startup", "traps", "wire"];

fn of_project(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn in_project(file: &str) -> String {
    std::fs::read_to_string(of_project(file)).unwrap()
}

/// The names of the test binaries, which are the folders with a `main.rs`.
fn test_binaries() -> BTreeSet<String> {
    let folders = std::fs::read_dir(of_project("tests")).unwrap().map(|entry| entry.unwrap().path());
    let binaries = folders.filter(|folder| folder.join("main.rs").exists());
    binaries.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The arguments of each command that the README shows.
fn commands() -> Vec<String> {
    let readme = in_project("README.md");
    let shown = readme.lines().filter_map(|line| line.strip_prefix("cargo run --release -- "));
    // What a shell would drop: its comments, and quotes around what has no blanks.
    shown.map(|line| line.split('#').next().unwrap().replace('"', "")).collect()
}

#[test]
fn a_message_goes_in_and_comes_out() {
    let commands = commands();
    let [standalone, produce, consume] = commands.as_slice() else { panic!("other commands: {commands:?}") };
    // The standard ports may be taken, and a log segment of a gigabyte is more than a message needs.
    let ferromq = Ferromq::new().with_small_store("");
    let server = ferromq.serve(&format!("{standalone} --port 0 --namesrv-port 0 -c small.conf"));
    assert!(server.ready.starts_with("ready"), "{}", server.ready);
    let name_server = server.name_server();
    let sent = ferromq.run(&format!("{produce} -n {name_server}"));
    assert_eq!((sent.code, sent.out.lines().count(), sent.err.as_str()), (0, 1, ""), "{}", sent.out);
    let read = ferromq.run(&format!("{consume} -n {name_server}"));
    assert_eq!((read.code, read.out.as_str(), read.err.as_str()), (0, "hello\n", ""));
    let ended = server.terminate();
    assert_eq!((ended.code, ended.out.lines().count()), (0, 1), "{}", ended.out);
}

#[test]
fn nothing_is_sent_where_nobody_serves() {
    let ferromq = Ferromq::new();
    for command in ["produce -t orders --body hello", "consume -t orders"] {
        let ran = ferromq.run(&format!("{command} -n {NOBODY}"));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (1, "", 1), "{}", ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains(NOBODY), "{}", ran.err);
    }
}

/// A feature without a test is a promise that nobody keeps, and tests of a feature that nobody hears of are lost.
#[test]
fn each_feature_names_its_tests_and_each_test_of_a_feature_is_named() {
    let readme = in_project("README.md");
    let (_, features) = readme.split_once("## What works").unwrap();
    let (features, _) = features.split_once("\n## ").unwrap();
    let rows: Vec<&str> = features.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut named = BTreeSet::new();
    for row in &rows {
        let evidence = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let links: Vec<&str> = evidence.split(", ").collect();
        for link in links {
            let name = link.strip_prefix('[').and_then(|link| link.split_once(']')).map(|(name, _)| name);
            let name = name.unwrap_or_else(|| panic!("{link:?} is no link, in {row}"));
            assert_eq!(link, format!("[{name}](tests/{name})"), "{row}");
            named.insert(name.to_owned());
        }
    }
    let inside = ABOUT_THE_INSIDE.map(str::to_owned).into();
    let missing: Vec<String> = test_binaries().difference(&(&named | &inside)).cloned().collect();
    assert!(missing.is_empty(), "tests that no row of the README names: {missing:?}");
    let nowhere: Vec<String> = named.difference(&test_binaries()).cloned().collect();
    assert!(nowhere.is_empty(), "rows of the README that name tests that are not there: {nowhere:?}");
}

/// Rows may end with `–` instead, where there is no test yet.
#[test]
fn the_tests_that_differences_name_are_there() {
    let tables = in_project("docs/differences.md") + &in_project("docs/rust-client.md");
    let named = tables.lines().filter_map(|line| line.strip_suffix("` |")).filter_map(|line| line.rsplit('`').next());
    let mut lost = Vec::new();
    for test in named {
        let (place, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test} names no test"));
        let path = place.trim_end_matches("::tests").replace("::", "/");
        let sources = if place.contains('/') {
            vec![format!("tests/{path}.rs")]
        } else {
            ["", "/mod", "/tests"].map(|end| format!("src/{path}{end}.rs")).to_vec()
        };
        let is_in = |file: &String| {
            std::fs::read_to_string(of_project(file)).is_ok_and(|text| text.contains(&format!("fn {name}(")))
        };
        if !sources.iter().any(is_in) {
            lost.push(test);
        }
    }
    assert!(lost.is_empty(), "rows that name tests that are not there: {lost:#?}");
}
