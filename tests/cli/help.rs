//! Help, version and mistakes on the command line.

use crate::binary::{Ferromq, contains};

#[test]
fn help_names_every_command_an_example_and_the_exit_codes() {
    let ran = Ferromq::new().run("--help");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in [
        "standalone",
        "namesrv",
        "broker",
        "produce",
        "consume",
        "bench",
        "store",
        "admin",
        "Examples:",
        "Exit codes: 0 done",
    ] {
        contains(&ran.out, part);
    }
}

#[test]
fn each_server_explains_its_options_with_their_defaults() {
    for (command, parts) in [
        ("standalone", ["ferromq-data", "[default: 9876]", "--strict"]),
        ("namesrv", ["listenPort of the file, or 9876", "--data <DIR>", "--print-config"]),
        ("broker", ["NAMESRV_ADDR", "brokerIP1", "--print-important"]),
    ] {
        let ran = Ferromq::new().run(&format!("{command} --help"));
        assert_eq!(ran.code, 0);
        let text = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        parts.into_iter().for_each(|part| contains(&text, part));
        contains(&ran.out, "Examples:");
    }
}

#[test]
fn the_version_is_the_crates() {
    assert_eq!(Ferromq::new().run("--version").out, format!("ferromq {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    for (arguments, part) in [
        ("", "Usage: ferromq"),
        ("brocker", "similar subcommands exist: 'produce', 'broker'"),
        ("broker --prot 1", "'--port'"),
        ("broker --port 70000", "70000 is not in 0..=65535"),
        ("broker --port 65535", "error: --port: listenPort: expected a whole number from 0 to 65533"),
        ("broker -n 127.0.0.1", "error: --namesrv: namesrvAddr: expected host:port;host:port, found \"127.0.0.1\""),
        ("broker --host :::", "expected an IP address or a host name"),
        ("standalone --log-level loud", "possible values"),
        ("produce -t a!b --body hello", "invalid value 'a!b' for '--topic <TOPIC>'"),
        ("produce -t orders -g a!b --body hello", "invalid value 'a!b' for '--group <GROUP>'"),
        ("consume -t orders -g a!b", "invalid value 'a!b' for '--group <GROUP>'"),
    ] {
        let ran = Ferromq::new().run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments}: {}", ran.err);
        contains(&ran.err, part);
    }
}

#[test]
fn the_environment_names_the_name_servers_that_the_command_line_does_not() {
    let ferromq = Ferromq::new();
    for command in ["produce -t orders --body hello", "consume -t orders", "admin topicList"] {
        let ran = |command: &str| ferromq.run_in_environment(command, &[("NAMESRV_ADDR", "127.0.0.1:1")]);
        contains(&ran(command).err, "cannot connect to 127.0.0.1:1:");
        contains(&ran(&format!("{command} -n 127.0.0.1:2")).err, "cannot connect to 127.0.0.1:2:");
    }
}
