//! A topic that is deleted takes its queues along, and one that is made again under its name begins anew.

use std::io::ErrorKind;
use std::path::Path;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::message;
use ferromq::protocol::refusal::SEE_FAQ;
use tempfile::TempDir;

use crate::member::{body, is_refused, succeeds};
use crate::raw::{Raw, ask_for, pull_from, send_to, waiting_pull_from, with};
use crate::support::{Cluster, small};

pub(crate) fn delete(topic: &str) -> Command {
    ask_for(request::DELETE_TOPIC_IN_BROKER, &[("topic", &topic)])
}

fn bound(topic: &str) -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &topic), ("queueId", &0)])
}

/// Sends a message to queue 0 and tells its number there.
pub(crate) async fn send(client: &mut Raw, topic: &str, text: &str) -> i64 {
    let sent = client.ask(send_to(topic, 0, "", text.to_owned())).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    sent.ext.int64("queueOffset").unwrap()
}

/// Sends these messages and waits until they are in queue 0, which holds no others.
pub(crate) async fn fill(client: &mut Raw, topic: &str, texts: &[&str]) {
    for (number, text) in texts.iter().enumerate() {
        assert_eq!(send(client, topic, text).await, number as i64, "{text}");
    }
    client.ask_until(bound(topic), |reply| reply.ext.int64("offset").unwrap() == texts.len() as i64).await;
}

/// All that queue 0 holds.
pub(crate) async fn read(client: &mut Raw, topic: &str) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let reply = client.ask(pull_from(topic, 0, texts.len() as i64, 32)).await;
        if reply.code != response::SUCCESS {
            assert_eq!(reply.code, response::PULL_NOT_FOUND, "{reply:?}");
            return texts;
        }
        for message in message::decode_all(reply.body).unwrap() {
            assert_eq!(message.queue_offset.0, texts.len() as u64, "numbers are dense");
            texts.push(String::from_utf8(message.body.to_vec()).unwrap());
        }
    }
}

fn queues_of(directory: &TempDir, topic: &str) -> std::path::PathBuf {
    directory.path().join("store/consumequeue").join(topic)
}

#[actix::test]
async fn nobody_knows_it_and_nothing_of_its_queues_is_left() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["a", "b"]).await;
    fill(&mut client, "U", &["other"]).await;
    assert!(queues_of(&cluster.directory, "T").is_dir());
    succeeds(&mut client, delete("T")).await;
    assert!(!queues_of(&cluster.directory, "T").exists());
    let text = format!("topic[T] not exist, apply first please! {SEE_FAQ}");
    is_refused(&mut client, pull_from("T", 0, 0, 1), response::TOPIC_NOT_EXIST, &text).await;
    let topics = body(&succeeds(&mut client, ask_for(request::GET_ALL_TOPIC_CONFIG, &[])).await);
    assert!(topics["topicConfigTable"]["T"].is_null() && topics["topicConfigTable"]["U"].is_object());
    let file = std::fs::read_to_string(cluster.directory.path().join("store/config/topics.json")).unwrap();
    assert!(!file.contains("\"T\"") && file.contains("\"U\""), "{file}");
    assert_eq!(read(&mut client, "U").await, ["other"]);
    succeeds(&mut client, delete("T")).await;
    cluster.stop().await;
}

#[actix::test]
async fn one_that_is_made_again_begins_at_zero_and_has_no_older_messages() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let mut other = Raw::connect(cluster.broker.address()).await;
    for round in 0..5 {
        let texts = [format!("{round} a"), format!("{round} b"), format!("{round} c")];
        fill(&mut client, "T", &texts.each_ref().map(|text| &**text)).await;
        assert_eq!(read(&mut client, "T").await, texts);
        // Pulls that were on their way when the topic went are answered, one way or the other.
        let mut racing = Vec::new();
        for _ in 0..10 {
            racing.push(other.send_as(pull_from("T", 0, 0, 32), Serialization::Json).await);
        }
        succeeds(&mut client, delete("T")).await;
        for _ in racing {
            let reply = other.next().await.unwrap();
            assert!([response::SUCCESS, response::TOPIC_NOT_EXIST].contains(&reply.code), "{reply:?}");
        }
    }
    fill(&mut client, "T", &["last"]).await;
    let directory = cluster.stop().await;
    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert_eq!(read(&mut client, "T").await, ["last"]);
    assert_eq!(send(&mut client, "T", "more").await, 1);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn who_waits_for_its_messages_is_told() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["a"]).await;
    let mut waiting = Raw::connect(cluster.broker.address()).await;
    let pull = with(waiting_pull_from("T", 0, 1, 1), "suspendTimeoutMillis", 600_000);
    let opaque = waiting.send_as(pull, Serialization::Json).await;
    // The pull before this one on the same connection is parked or about to be.
    waiting.send_as(pull_from("T", 0, 0, 1), Serialization::Json).await;
    assert_eq!(waiting.next().await.unwrap().code, response::SUCCESS);
    succeeds(&mut client, delete("T")).await;
    let told = waiting.next().await.unwrap();
    assert_eq!((told.code, told.opaque), (response::TOPIC_NOT_EXIST, opaque), "{told:?}");
    cluster.stop().await;
}

/// As in RocketMQ: a group that goes on with a new topic of that name is told by its first pull to go on at its end.
#[actix::test]
async fn offsets_of_groups_stay() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["a", "b", "c"]).await;
    let of_queue: [(&str, &dyn std::fmt::Display); 3] = [("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0)];
    let commit = with(ask_for(request::UPDATE_CONSUMER_OFFSET, &of_queue), "commitOffset", 3);
    succeeds(&mut client, commit).await;
    succeeds(&mut client, delete("T")).await;
    fill(&mut client, "T", &["new"]).await;
    let kept = succeeds(&mut client, ask_for(request::QUERY_CONSUMER_OFFSET, &of_queue)).await;
    assert_eq!(kept.ext.int64("offset").unwrap(), 3);
    let moved = client.ask(pull_from("T", 0, 3, 1)).await;
    assert_eq!((moved.code, moved.ext.int64("nextBeginOffset").unwrap()), (response::PULL_OFFSET_MOVED, 1));
    cluster.stop().await;
}

#[actix::test]
async fn topics_of_the_brokers_own_stay() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    for topic in ["SCHEDULE_TOPIC_XXXX", "TBW102", "DefaultCluster", "rmq_sys_x"] {
        let text = format!("The topic[{topic}] is conflict with system topic.");
        is_refused(&mut tool, delete(topic), response::SYSTEM_ERROR, &text).await;
    }
    let text = "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$";
    is_refused(&mut tool, delete("a.b"), response::SYSTEM_ERROR, text).await;
    cluster.stop().await;
}

/// A copy of a store as a crash would leave it.
fn crashed(directory: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(directory.path(), copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), target) {
            // The broker runs on: a file that is being written has got its name meanwhile.
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}: {error}", entry.path().display());
        }
    }
}

#[actix::test]
async fn a_recovery_of_the_whole_log_brings_no_deleted_message_back() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["old 0", "old 1", "old 2", "old 3"]).await;
    fill(&mut client, "Gone", &["old"]).await;
    succeeds(&mut client, delete("T")).await;
    succeeds(&mut client, delete("Gone")).await;
    fill(&mut client, "T", &["new 0", "new 1"]).await;
    let crashed = crashed(&cluster.directory);
    cluster.stop().await;
    // All that is known besides the log is lost.
    let store = crashed.path().join("store");
    std::fs::remove_dir_all(store.join("consumequeue")).unwrap();
    std::fs::remove_file(store.join("ferromq.state")).unwrap();
    let broker = Broker::builder(small(&crashed)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert_eq!(read(&mut client, "T").await, ["new 0", "new 1"]);
    assert_eq!(send(&mut client, "T", "new 2").await, 2);
    assert!(!store.join("consumequeue/Gone").exists());
    broker.stop().await.unwrap();
}

#[actix::test]
async fn a_deletion_that_a_crash_cut_short_is_finished_by_the_next_start() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["old 0", "old 1"]).await;
    let queues_before = crashed(&cluster.directory);
    succeeds(&mut client, delete("T")).await;
    let crashed = crashed(&cluster.directory);
    cluster.stop().await;
    let queue = "store/consumequeue/T";
    copy_all(&queues_before.path().join(queue), &crashed.path().join(queue));
    let broker = Broker::builder(small(&crashed)).start().await.unwrap();
    assert!(!crashed.path().join(queue).exists());
    let mut client = Raw::connect(broker.address()).await;
    fill(&mut client, "T", &["new"]).await;
    assert_eq!(read(&mut client, "T").await, ["new"]);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn what_is_acknowledged_after_a_deletion_is_kept_however_many_sends_race_with_it() {
    let cluster = Cluster::start().await;
    let mut tool = Raw::connect(cluster.broker.address()).await;
    let mut racing = Raw::connect(cluster.broker.address()).await;
    for round in 0..10 {
        let mut sent = 0;
        for number in 0..50 {
            racing.send_as(send_to("T", 0, "", format!("{round} {number}")), Serialization::Json).await;
            sent += 1;
        }
        succeeds(&mut tool, delete("T")).await;
        for _ in 0..sent {
            racing.next().await.unwrap();
        }
    }
    // Whatever of the last round came behind the deletion is numbered from 0 on, without a gap.
    let kept = send(&mut tool, "T", "last").await;
    tool.ask_until(bound("T"), |reply| reply.ext.int64("offset").unwrap() == kept + 1).await;
    let texts = read(&mut tool, "T").await;
    assert_eq!((texts.len() as i64, texts.last().map(String::as_str)), (kept + 1, Some("last")));
    let crashed = crashed(&cluster.directory);
    cluster.stop().await;
    std::fs::remove_dir_all(crashed.path().join("store/consumequeue")).unwrap();
    std::fs::remove_file(crashed.path().join("store/ferromq.state")).unwrap();
    let broker = Broker::builder(small(&crashed)).start().await.unwrap();
    assert_eq!(read(&mut Raw::connect(broker.address()).await, "T").await, texts);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn queues_that_no_topic_knows_are_removed_when_a_tool_asks() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["a"]).await;
    fill(&mut client, "U", &["b"]).await;
    let delayed = client.ask(send_to("U", 0, "DELAY\u{1}18\u{2}", "later")).await;
    assert_eq!(delayed.code, response::SUCCESS);
    let directory = cluster.stop().await;
    let file = directory.path().join("store/config/topics.json");
    let mut topics: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    topics["topicConfigTable"].as_object_mut().unwrap().remove("T");
    std::fs::write(&file, topics.to_string()).unwrap();
    let broker = Broker::builder(small(&directory)).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert!(queues_of(&directory, "T").exists());
    succeeds(&mut client, ask_for(request::CLEAN_UNUSED_TOPIC, &[])).await;
    assert!(!queues_of(&directory, "T").exists());
    assert!(queues_of(&directory, "SCHEDULE_TOPIC_XXXX").exists());
    assert_eq!(read(&mut client, "U").await, ["b"]);
    fill(&mut client, "T", &["new"]).await;
    assert_eq!(read(&mut client, "T").await, ["new"]);
    broker.stop().await.unwrap();
}

#[actix::test]
async fn queues_and_files_that_hold_messages_are_no_expired_ones() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    fill(&mut client, "T", &["a"]).await;
    succeeds(&mut client, ask_for(request::CLEAN_EXPIRED_CONSUMEQUEUE, &[])).await;
    succeeds(&mut client, ask_for(request::DELETE_EXPIRED_COMMITLOG, &[])).await;
    assert_eq!(read(&mut client, "T").await, ["a"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_topic_that_cannot_be_taken_out_of_its_file_is_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder(BrokerOptions { ..small(&directory) }).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    fill(&mut client, "T", &["a"]).await;
    // The file is written beside its place first, where something else lies now.
    let temporary = directory.path().join("store/config/topics.json.tmp");
    std::fs::create_dir(&temporary).unwrap();
    let refused = client.ask(delete("T")).await;
    assert_eq!(refused.code, response::SYSTEM_ERROR, "{refused:?}");
    assert_eq!(read(&mut client, "T").await, ["a"]);
    succeeds(&mut client, ask_for(request::GET_TOPIC_CONFIG, &[("topic", &"T")])).await;
    std::fs::remove_dir(&temporary).unwrap();
    succeeds(&mut client, delete("T")).await;
    fill(&mut client, "T", &["new"]).await;
    broker.stop().await.unwrap();
}
