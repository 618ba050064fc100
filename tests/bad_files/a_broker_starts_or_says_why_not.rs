//! Whole brokers, which read the settings besides: a sample of files and damages.

use std::fs;
use std::path::{Path, PathBuf};

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::damage::Damage;
use crate::raw::{LIMIT, Raw, ask_for, pull_from};
use crate::samples::{Sample, broker_options, ours_clean};

/// What is done to each file of settings, and to each of their copies.
const DAMAGES: [Damage; 6] = [
    Damage::CutTo(0),
    Damage::CutToHalfAnd(0),
    Damage::Random,
    Damage::ADirectory,
    Damage::ALinkToNowhere,
    Damage::Denied,
];

/// What a broker has of each kind of setting.
#[derive(Debug, PartialEq)]
struct Settings {
    topics: Vec<String>,
    groups: Vec<String>,
    /// How far the groups have come: of the copy it may be what it was before.
    offsets: [i64; 2],
    messages: usize,
}

#[test]
fn with_damaged_settings() {
    let sample = ours_clean();
    let system = actix::System::new();
    let files: Vec<PathBuf> = sample.files().into_iter().filter(|file| file.starts_with("config")).collect();
    assert!(files.len() >= 12, "six files of settings and their copies: {files:?}");
    let mut failures = Vec::new();
    for file in &files {
        for damage in DAMAGES {
            if let Err(failure) = system.block_on(check(&sample, file, damage)) {
                failures.push(format!("{}, {damage:?}: {failure}", file.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn check(sample: &Sample, file: &Path, damage: Damage) -> Result<(), String> {
    let copy = sample.copy();
    let path = copy.path().join("store").join(file);
    if damage.befall(&path, &[], 1).is_none() {
        return Ok(());
    }
    let damaged = fs::read(&path).ok();
    let start = || start(&copy, damage, &path);
    match start().await? {
        Err(line) => {
            let name = file.file_name().unwrap().to_str().unwrap();
            if line.contains('\n') || !line.contains(name) {
                return Err(format!("refused with {line:?}, which does not name the file"));
            }
            if fs::read(&path).ok() != damaged {
                return Err(format!("refused with {line:?}, but it is not what it was"));
            }
            match start().await? {
                Err(again) if again == line => Ok(()),
                again => Err(format!("refused with {line:?}, then {again:?}")),
            }
        }
        Ok(found) => {
            // What came last is not in the copy.
            let (topics, groups) =
                (found.topics.starts_with(&both("A", "B")), found.groups.starts_with(&["G1".into()]));
            if !topics || !groups || found.messages != 46 {
                return Err(format!("starts with {found:?}"));
            }
            if found.offsets.iter().zip([4, 8]).any(|(found, last)| *found != last && *found != last - 1) {
                return Err(format!("starts with {found:?}"));
            }
            let aside = path.with_file_name(format!("{}.damaged", path.file_name().unwrap().to_str().unwrap()));
            let is_copy = path.extension().is_some_and(|extension| extension == "bak");
            // Whatever was damaged and is not what it was any more lies beside it; copies hold nothing of their own.
            let is_lost = damaged.is_some_and(|damaged| fs::read(&path).ok().as_ref() != Some(&damaged));
            if is_lost && !is_copy && !aside.exists() {
                return Err("starts, and what was in it is gone".into());
            }
            let again = start().await?.map_err(|line| format!("starts, then refuses with {line:?}"))?;
            if again == found { Ok(()) } else { Err(format!("starts with {found:?}, then with {again:?}")) }
        }
    }
}

fn both(first: &str, second: &str) -> [String; 2] {
    [first.into(), second.into()]
}

/// Starts a broker, asks it what it has, and stops it.
async fn start(copy: &TempDir, damage: Damage, path: &Path) -> Result<Result<Settings, String>, String> {
    let options = BrokerOptions { disk: damage.disk(path), ..broker_options(copy) };
    let started = timeout(LIMIT, Broker::builder(options).start()).await.map_err(|_| "hangs")?;
    let broker = match started {
        Ok(broker) => broker,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut client = Raw::connect(broker.address()).await;
    let topics = names(&mut client, request::GET_ALL_TOPIC_CONFIG, "topicConfigTable").await;
    let groups = names(&mut client, request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, "subscriptionGroupTable").await;
    let offsets = [offset(&mut client, "G1").await, offset(&mut client, "G2").await];
    let messages = count(&mut client).await;
    let stopped = timeout(LIMIT, broker.stop()).await.map_err(|_| "does not stop")?;
    // What cannot be written at the end is said.
    if let Some(error) = stopped.err().filter(|error| !error.to_string().contains("config")) {
        return Err(format!("stops with {error}"));
    }
    Ok(Ok(Settings { topics, groups, offsets, messages }))
}

/// The topics or groups that the sample made itself.
async fn names(client: &mut Raw, code: i32, table: &str) -> Vec<String> {
    let reply = client.ask(ask_for(code, &[])).await;
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let names = body[table].as_object().unwrap().keys();
    let mut names: Vec<String> =
        names.filter(|name| ["A", "B", "G1", "G2", "Deleted"].contains(&&***name)).cloned().collect();
    names.sort();
    names
}

async fn offset(client: &mut Raw, group: &str) -> i64 {
    let query = [("consumerGroup", &group as &dyn std::fmt::Display), ("topic", &"A"), ("queueId", &0)];
    let reply = client.ask(ask_for(request::QUERY_CONSUMER_OFFSET, &query)).await;
    if reply.code == response::SUCCESS { reply.ext.int64("offset").unwrap() } else { -1 }
}

/// Messages of A's queue 0 up to its end.
async fn count(client: &mut Raw) -> usize {
    let mut count = 0;
    loop {
        let pull: Command = pull_from("A", 0, count as i64, 32);
        let reply = client.ask(pull).await;
        if reply.code != response::SUCCESS {
            return count;
        }
        count += ferromq::protocol::message::decode_all(reply.body).unwrap().len();
    }
}
