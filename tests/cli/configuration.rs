//! Files, flags, the environment, and which of them wins.

use crate::binary::{Ferromq, Ran, contains};

/// Runs `ferromq broker -c broker.conf` with this file.
fn broker(text: &str, more: &str) -> Ran {
    Ferromq::new().with_file("broker.conf", text).run(&format!("broker -c broker.conf {more}"))
}

#[test]
fn a_bad_value_names_file_line_and_key() {
    for more in ["", "-p", "--strict"] {
        let ran = broker("# flush\nflushDiskType=SYNC\n", more);
        let expected = "error: broker.conf:2: flushDiskType: expected one of ASYNC_FLUSH, SYNC_FLUSH, found \"SYNC\"\n";
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (2, "", expected));
    }
}

#[test]
fn an_unknown_key_is_a_warning_and_with_strict_an_error() {
    let text = "brokerNane=a\n";
    let warned = broker(text, "-p");
    assert_eq!(warned.code, 0);
    contains(&warned.err, "WARN");
    contains(&warned.err, "broker.conf:1: unknown key \"brokerNane\", did you mean \"brokerName\"?");
    let refused = broker(text, "-p --strict");
    let expected = "error: broker.conf:1: unknown key \"brokerNane\", did you mean \"brokerName\"?\n";
    assert_eq!((refused.code, refused.out.as_str(), refused.err.as_str()), (2, "", expected));
}

#[test]
fn keys_of_the_java_broker_without_effect_are_named_in_one_line() {
    let ran = broker("sendMessageThreadPoolNums=16\nuseReentrantLockWhenPutMessage=true\n", "-p");
    contains(&ran.err, "without effect here: sendMessageThreadPoolNums, useReentrantLockWhenPutMessage");
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn what_would_leave_the_broker_open_is_refused() {
    let ran = broker("aclEnable=true\n", "");
    contains(&ran.err, "error: broker.conf:1: aclEnable=true is not supported by this version");
    assert_eq!(ran.code, 2);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ran = Ferromq::new().run("broker -c missing.conf");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: cannot read missing.conf: No such file or directory (os error 2)\n")
    );
}

#[test]
fn printing_shows_every_key_and_makes_no_directory() {
    let ferromq = Ferromq::new();
    let ran = ferromq.run("broker -p -n 10.0.0.1:9876;10.0.0.2:9876 --host 127.0.0.1");
    assert_eq!(ran.code, 0);
    for line in [
        "namesrvAddr=10.0.0.1:9876;10.0.0.2:9876",
        "brokerIP1=127.0.0.1",
        "listenPort=10911",
        "maxMessageSize=4194304",
        "waitTimeMillsInSendQueue=2500",
        &format!("storePathRootDir={}/store", ferromq.path().display()),
    ] {
        assert!(ran.out.lines().any(|shown| shown == line), "{line} is not in\n{}", ran.out);
    }
    assert_eq!(std::fs::read_dir(ferromq.path()).unwrap().count(), 0);

    let important = ferromq.run("broker -m").out;
    assert!(important.contains("flushDiskType=") && !important.contains("maxMessageSize="), "{important}");
    contains(&ferromq.run("namesrv -p --data /x").out, "kvConfigPath=/x/namesrv/kvConfig.json\n");
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_environment() {
    let ferromq = Ferromq::new().with_file("broker.conf", "namesrvAddr=file:1\nlistenPort=1111\n");
    let environment = [("NAMESRV_ADDR", "environment:1")];
    let shown = |arguments: &str| ferromq.run_in_environment(arguments, &environment).out;
    contains(&shown("broker -p"), "namesrvAddr=environment:1\n");
    contains(&shown("broker -p -c broker.conf"), "namesrvAddr=file:1\n");
    contains(&shown("broker -p -c broker.conf -n flag:1"), "namesrvAddr=flag:1\n");
    contains(&shown("broker -p -c broker.conf"), "listenPort=1111\n");
    contains(&shown("broker -p -c broker.conf --port 2222"), "listenPort=2222\n");
}

#[test]
fn the_address_server_is_named_by_the_file_or_by_the_environment() {
    let ferromq = Ferromq::new().with_file("broker.conf", "rmqAddressServerDomain=file\n");
    let environment = [("ROCKETMQ_NAMESRV_DOMAIN", "environment"), ("ROCKETMQ_NAMESRV_DOMAIN_SUBGROUP", "unit")];
    let shown = |arguments: &str| ferromq.run_in_environment(arguments, &environment).out;
    contains(&shown("broker -p"), "rmqAddressServerDomain=environment\nrmqAddressServerSubGroup=unit\n");
    contains(&shown("broker -p -c broker.conf"), "rmqAddressServerDomain=file\nrmqAddressServerSubGroup=unit\n");
}

#[test]
fn the_sample_of_the_reference_is_taken_unchanged() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/broker.conf");
    let ran = Ferromq::new().run(&format!("broker -p --strict -c {sample}"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    contains(&ran.out, "brokerName=broker-a\n");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let ferromq = Ferromq::new().with_file("data", "a file stands in the way");
    for (command, part) in [
        ("standalone --data data", "error: cannot make the directory data/namesrv: "),
        ("namesrv --data data", "error: cannot make the directory data/namesrv: "),
        ("broker --data data", "error: cannot make the directory data/store: "),
    ] {
        let ran = ferromq.run(command);
        assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{}", ran.err);
        contains(&ran.err, part);
    }
}
