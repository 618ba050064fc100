//! Each example of a client does what it says, seen by itself, against a broker of this process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/mod.rs"]
mod support;

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::support::Cluster;

/// What each example promises, and some for building it.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs an example as its first lines say, and expects it to end well.
async fn ends_well(example: &str) {
    let cluster = Cluster::start().await;
    // Cargo builds it if nobody has done so.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--example", example])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .await;
    assert!(built.unwrap().success(), "{example} is built");
    let mut run = Command::new(env!("CARGO"));
    run.args(["run", "--locked", "--quiet", "--example", example])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NAMESRV_ADDR", cluster.name_servers())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        tokio::time::timeout(LIMIT, run.output()).await.unwrap_or_else(|_| panic!("{example} within {LIMIT:?}"));
    let output = output.unwrap();
    assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    cluster.stop().await;
}

macro_rules! examples {
    ($($name:ident)*) => {
        $(#[actix::test]
        async fn $name() {
            ends_well(stringify!($name)).await;
        })*

        /// Examples that are not a client's: they are run by other tests, or need none.
        const OTHERS: &[&str] = &["embed"];

        #[test]
        fn every_example_is_run() {
            let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
            let names = folder.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
            let run = [$(stringify!($name)),*];
            let forgotten: Vec<_> = names.filter(|name| !run.contains(&&**name) && !OTHERS.contains(&&**name)).collect();
            assert!(forgotten.is_empty(), "nobody runs {forgotten:?}");
        }
    };
}

examples! {
    quickstart
    order
    transaction
    delay
    batch
    broadcast
    embed_client
    pull_stream
    request_reply
    spool
}
