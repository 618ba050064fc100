//! The real binary and settings that cannot be read: it names the file, and the directory is as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ferromq::protocol::codes::response;

use crate::a_process_says_what_keeps_it_from_starting::{refused, unchanged};
use crate::binary::Ferromq;
use crate::raw::{Raw, send_to};
use crate::refused_with_one_clear_line::files;

const STANDALONE: &str = "standalone --port 0 --namesrv-port 0 -c small.conf --data data";
const BROKER: &str = "broker --host 127.0.0.1 --port 0 -c small.conf --data data";
const NAMESRV: &str = "namesrv --host 127.0.0.1 --port 0 --data data";
const DAMAGED: [&str; 3] = ["{\"topicConfigTable\":{\"T\":{\"top", "", "[1, 2]"];

/// A directory with a store in order that has a message in each of two topics, so that `topics.json` has its copy.
async fn with_store() -> Ferromq {
    let ferromq = Ferromq::new().with_small_store("");
    let server = ferromq.serve(STANDALONE);
    let mut client = Raw::connect(server.broker()).await;
    for topic in ["First", "Second"] {
        assert_eq!(client.ask(send_to(topic, 0, "", "x")).await.code, response::SUCCESS);
    }
    assert_eq!(server.terminate().code, 0);
    ferromq
}

/// Everything there but what says how far the store is known to be on the disk, which is written when it is closed again.
fn kept(ferromq: &Ferromq) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(&ferromq.path().join("data"));
    files.retain(|path, _| !path.ends_with("/ferromq.state") && !path.ends_with("/checkpoint"));
    files
}

fn damage(directory: &Path, names: &[&str], text: &str) {
    for name in names {
        fs::write(directory.join(name), text).unwrap();
    }
}

#[actix::test]
async fn topics_that_cannot_be_read_are_named_and_kept() {
    let ferromq = with_store().await;
    let config = ferromq.path().join("data/store/config");
    let whole = fs::read(config.join("topics.json")).unwrap();
    assert!(config.join("topics.json.bak").exists());
    for text in DAMAGED {
        damage(&config, &["topics.json", "topics.json.bak"], text);
        let before = kept(&ferromq);
        for arguments in [STANDALONE, BROKER] {
            refused(&ferromq, arguments, &["error: data/store/config/topics.json cannot be used", "topics.json.bak"]);
            unchanged(&before, &kept(&ferromq), arguments);
            assert!(!ferromq.path().join("data/store/abort").exists(), "{arguments}: {text:?}: the store is clean");
        }
    }
    // Mended by hand, it goes on as if nothing had been.
    fs::write(config.join("topics.json"), whole).unwrap();
    let server = ferromq.serve(STANDALONE);
    let stored = Raw::connect(server.broker()).await.ask(send_to("Second", 0, "", "x")).await;
    assert_eq!(stored.ext.int64("queueOffset").unwrap(), 1);
    let ended = server.terminate();
    assert!(ended.code == 0 && !ended.err.contains("WARN"), "{ended:?}");
}

/// A store that was not closed in order is recovered before the settings are read, and loses nothing by it.
#[actix::test]
async fn an_unclean_store_with_damaged_topics_keeps_its_messages() {
    let ferromq = with_store().await;
    let server = ferromq.serve(BROKER);
    assert_eq!(Raw::connect(server.broker()).await.ask(send_to("First", 0, "", "x")).await.code, response::SUCCESS);
    drop(server);
    let config = ferromq.path().join("data/store/config");
    let whole = fs::read(config.join("topics.json")).unwrap();
    damage(&config, &["topics.json", "topics.json.bak"], "{");
    let before = files(&config);
    let ran = ferromq.run(BROKER);
    assert!(ran.code == 1 && ran.err.lines().last().unwrap().contains("topics.json cannot be used"), "{ran:?}");
    unchanged(&before, &files(&config), BROKER);
    fs::write(config.join("topics.json"), whole).unwrap();
    let server = ferromq.serve(BROKER);
    let stored = Raw::connect(server.broker()).await.ask(send_to("First", 0, "", "x")).await;
    assert_eq!(stored.ext.int64("queueOffset").unwrap(), 2);
    assert_eq!(server.terminate().code, 0);
}

#[actix::test]
async fn settings_of_the_name_server_that_cannot_be_read_are_named_and_kept() {
    let ferromq = with_store().await;
    let namesrv = ferromq.path().join("data/namesrv");
    for (names, text) in [
        (&["kvConfig.json"][..], "{\"configTable\":{\"ns"),
        (&["kvConfig.json"], ""),
        (&["kvConfig.json", "kvConfig.json.bak"], "[1, 2]"),
    ] {
        damage(&namesrv, names, text);
        let before = files(&ferromq.path().join("data"));
        for arguments in [NAMESRV, STANDALONE] {
            refused(&ferromq, arguments, &["error: data/namesrv/kvConfig.json cannot be used"]);
            unchanged(&before, &files(&ferromq.path().join("data")), arguments);
        }
    }
}
