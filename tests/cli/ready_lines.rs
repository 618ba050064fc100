//! The one line of a server that is ready: where it can be reached, and where its store lies.

use std::net::{SocketAddr, TcpStream};

use crate::binary::{Ferromq, Serving};

/// RocketMQ's own sample, with what a test needs to run beside others.
fn with_their_file(lines: &str) -> Ferromq {
    let sample = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/broker.conf")).unwrap();
    Ferromq::new().with_small_store(&format!("{sample}\nlistenPort=0\nbrokerIP1=127.0.0.1\n{lines}"))
}

/// The line is this one, nothing else is printed, and somebody answers at each of `addresses`.
#[track_caller]
fn says(server: Serving, line: &str, addresses: &[SocketAddr]) {
    assert_eq!(server.ready, format!("{line}\n"));
    for address in addresses {
        TcpStream::connect(address).unwrap();
    }
    let ended = server.terminate();
    assert_eq!((ended.code, ended.out), (0, format!("{line}\n")));
}

#[test]
fn a_name_server_names_its_address() {
    let ferromq = Ferromq::new().with_file("namesrv.conf", "listenPort=0\norderMessageEnable=true\n");
    for arguments in ["--port 0", "-c namesrv.conf"] {
        let server = ferromq.serve(&format!("namesrv --host 127.0.0.1 --data data {arguments}"));
        let address = server.name_server();
        assert_ne!(address.port(), 0);
        says(server, &format!("ready: name server on {address}"), &[address]);
    }
}

#[test]
fn a_broker_names_its_address_its_name_servers_and_its_store() {
    let ferromq = Ferromq::new().with_small_store("brokerName=b\n");
    let namesrv = ferromq.serve("namesrv --host 127.0.0.1 --port 0 --data data");
    let name_server = namesrv.name_server();
    for (arguments, servers) in
        [("", "no name server".into()), (&*format!("-n {name_server}"), format!("name server {name_server}"))]
    {
        let command = format!("broker --host 127.0.0.1 --port 0 --data data -c small.conf {arguments}");
        let server = ferromq.serve(&command);
        let address = server.broker();
        says(server, &format!("ready: broker b on {address}, {servers}, store in data/store"), &[address]);
        assert!(ferromq.path().join("data/store/lock").is_file());
    }
}

#[test]
fn a_broker_names_who_it_asks_for_its_name_servers() {
    let asks = "brokerName=b\nfetchNamesrvAddrByAddressServer=true\nrmqAddressServerDomain=127.0.0.1:1\n";
    let ferromq = Ferromq::new().with_small_store(asks);
    let server = ferromq.serve("broker --host 127.0.0.1 --port 0 --data data -c small.conf");
    let address = server.broker();
    let asked = "name servers from http://127.0.0.1:1/rocketmq/nsaddr";
    says(server, &format!("ready: broker b on {address}, {asked}, store in data/store"), &[address]);
}

#[test]
fn a_broker_names_what_rocketmqs_file_says() {
    let ferromq = with_their_file("storePathRootDir=elsewhere/kept\n");
    let server = ferromq.serve("broker --host 127.0.0.1 -c small.conf");
    let address = server.broker();
    let line = format!("ready: broker broker-a on {address}, no name server, store in elsewhere/kept");
    says(server, &line, &[address]);
    assert!(ferromq.path().join("elsewhere/kept/lock").is_file());
}

#[test]
fn both_in_one_process_say_so_in_one_line() {
    for (file, named, store) in [
        ("", "broker broker-a", "ferromq-data/store"),
        ("brokerName=b\nstorePathRootDir=elsewhere/kept\n", "broker b", "elsewhere/kept"),
    ] {
        let ferromq = with_their_file(file);
        let server = ferromq.serve("standalone --namesrv-port 0 -c small.conf");
        let (name_server, broker) = (server.name_server(), server.broker());
        let line = format!("ready: name server on {name_server}, {named} on {broker}, store in {store}");
        says(server, &line, &[name_server, broker]);
        assert!(ferromq.path().join(store).join("lock").is_file());
    }
}

/// Otherwise whoever opens a file while it grows waits for all processors.
#[cfg(target_os = "linux")]
#[test]
fn a_server_has_room_for_its_descriptors_from_the_start() {
    let ferromq = Ferromq::new().with_small_store("");
    for arguments in
        ["namesrv --host 127.0.0.1 --port 0 --data data", "standalone --port 0 --namesrv-port 0 -c small.conf"]
    {
        let server = ferromq.serve(arguments);
        let of_server =
            |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", server.pid().as_raw_nonzero())).unwrap();
        let number_behind = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let limit = number_behind(&of_server("limits"), "Max open files");
        let room = number_behind(&of_server("status"), "FDSize:");
        assert!(room >= limit.min(16 * 1024), "{room} of {limit}");
        assert_eq!(server.terminate().code, 0);
    }
}
