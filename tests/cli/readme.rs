//! The README's commands do what it says: a server, a message sent, the same message read.

use crate::binary::Ferromq;

/// A port that the system gives to nobody.
const NOBODY: &str = "127.0.0.1:1";

/// The arguments of each command that the README shows.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
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
