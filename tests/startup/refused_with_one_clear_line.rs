//! Directories and ports that cannot be had, and stores of other kinds.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use tempfile::TempDir;

use crate::support::{free_port, small};

/// Every file below a directory with its content.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Does not start, and says so in one line that holds each of `words`.
pub(crate) async fn refused(options: BrokerOptions, words: &[&str]) {
    let Err(error) = Broker::builder(options).start().await else { panic!("starts, and should say {words:?}") };
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    assert!(words.iter().all(|word| line.contains(word)), "{line}: should say {words:?}");
}

fn store(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("store")
}

#[actix::test]
async fn a_directory_that_another_broker_has() {
    let directory = tempfile::tempdir().unwrap();
    let first = Broker::builder(small(&directory)).start().await.unwrap();
    let path = store(&directory).display().to_string();
    refused(small(&directory), &["Lock failed,MQ already started", &path, "another broker"]).await;
    first.stop().await.unwrap();
    Broker::builder(small(&directory)).start().await.unwrap().stop().await.unwrap();
}

/// Root may write everywhere, but not below a file.
#[actix::test]
async fn a_directory_that_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(store(&directory), b"a file").unwrap();
    let path = store(&directory).display().to_string();
    refused(small(&directory), &["cannot", &path]).await;
    assert_eq!(fs::read(store(&directory)).unwrap(), b"a file");
}

#[actix::test]
async fn a_port_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(free_port()).unwrap();
    let address = taken.local_addr().unwrap();
    let words = [&format!("cannot listen at {address}")[..], "in use"];
    refused(BrokerOptions { listen: address, ..small(&directory) }, &words).await;
    let options = NamesrvOptions { listen: address, ..NamesrvOptions::at(directory.path().join("namesrv")) };
    let line = Namesrv::builder(options).start().await.err().unwrap().to_string();
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    // The store was not kept from others by the broker that did not start.
    Broker::builder(small(&directory)).start().await.unwrap().stop().await.unwrap();
}

#[actix::test]
async fn stores_of_other_kinds() {
    for (folder, word) in [("dledger-n0/data", "DLedger"), ("batchconsumequeue/T/0", "inner batches")] {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(store(&directory).join(folder)).unwrap();
        fs::write(store(&directory).join(folder).join("00000000000000000000"), b"theirs").unwrap();
        let before = files(directory.path());
        refused(small(&directory), &[word, "does not support"]).await;
        let mut after = files(directory.path());
        after.retain(|path, _| !path.ends_with("/lock"));
        assert_eq!(after, before, "{folder}");
    }
}
