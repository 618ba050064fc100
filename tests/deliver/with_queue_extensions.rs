//! Queues with extensions (`enableConsumeQueueExt`): consumers get what they want, by tag and by condition, and what the
//! broker noted of each message is in the files.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::config::FilterSettings;
use ferromq::broker::filter::ConsumerFilters;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message::{self, encode_batch_item};
use ferromq::protocol::names::Topic;
use ferromq::protocol::properties::tags_code;
use ferromq::protocol::units::{QueueId, QueueOffset};
use ferromq::store::{FileDisk, StoreOptions, open};
use serde_json::json;
use tempfile::TempDir;

use crate::raw::{Raw, ask_for, send_to};
use crate::support::{Cluster, small};
use crate::watched_disk::{Call, Watch, WatchedDisk};

const SUB_VERSION: i64 = 7;

fn extended(options: BrokerOptions) -> BrokerOptions {
    let filters = FilterSettings { enabled: true, bit_maps: true, ..options.filters };
    BrokerOptions { store: StoreOptions { queue_ext_enabled: true, ..options.store }, filters, ..options }
}

/// A group that takes what meets a condition.
fn heartbeat(group: &str, condition: &str) -> Command {
    let subscription = json!({"classFilterMode": false, "codeSet": [], "expressionType": "SQL92",
        "subString": condition, "subVersion": SUB_VERSION, "tagsSet": [], "topic": "T"});
    let consumer = json!({"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": [subscription], "unitMode": false});
    let body = json!({"clientID": group, "consumerDataSet": [consumer], "producerDataSet": []});
    ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())
}

/// A pull of the whole queue, with tags of its own or as the group's heartbeat says.
fn pull(group: &str, tags: Option<&str>, offset: i64, suspend: bool) -> Command {
    const SUSPEND: i32 = 2;
    const SUBSCRIPTION: i32 = 4;
    let sys_flag = if suspend { SUSPEND } else { 0 } + if tags.is_some() { SUBSCRIPTION } else { 0 };
    let (tags, sub_version) = (tags.unwrap_or_default(), SUB_VERSION);
    let fields: [(&str, &dyn Display); 10] = [
        ("consumerGroup", &group),
        ("topic", &"T"),
        ("queueId", &0),
        ("queueOffset", &offset),
        ("maxMsgNums", &32),
        ("sysFlag", &sys_flag),
        ("commitOffset", &0),
        ("suspendTimeoutMillis", &15_000),
        ("subscription", &tags),
        ("subVersion", &sub_version),
    ];
    ask_for(request::PULL_MESSAGE, &fields)
}

fn offsets(reply: Command) -> Vec<u64> {
    let messages = message::decode_all(reply.body).unwrap();
    messages.iter().map(|message| message.queue_offset.0).collect()
}

/// Ten messages with the tags of even and odd numbers, and their number.
async fn send_ten(client: &mut Raw) {
    for number in 0..10 {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        let send = send_to("T", 0, &format!("TAGS\u{1}{tag}\u{2}a\u{1}{number}"), format!("{number}"));
        assert_eq!(client.ask(send).await.code, response::SUCCESS);
    }
    let all = |reply: &Command| reply.ext.int64("maxOffset").is_ok_and(|max| max >= 10);
    client.ask_until(pull("CG_all", Some("*"), 0, false), all).await;
}

async fn check_pulls(client: &mut Raw) {
    for (tags, found) in [("even", [0, 2, 4, 6, 8]), ("odd || none", [1, 3, 5, 7, 9])] {
        assert_eq!(offsets(client.ask(pull("CG_tag", Some(tags), 0, false)).await), found, "{tags}");
    }
    let none = client.ask(pull("CG_tag", Some("none"), 0, false)).await;
    assert_eq!((none.code, none.remark.as_deref()), (response::PULL_RETRY_IMMEDIATELY, Some("NO_MATCHED_MESSAGE")));
    assert_eq!(offsets(client.ask(pull("CG_sql", None, 0, false)).await), [6, 7, 8, 9]);
}

/// What stands in the files: the entries name units, and the bits of the group are set where its condition was met.
fn check_files(directory: &TempDir) {
    let options = extended(small(directory)).store;
    let text = std::fs::read_to_string(options.config_dir().join("consumerFilter.json")).unwrap();
    let (filters, _) = ConsumerFilters::load(&text, FilterSettings::default().bloom, 0).unwrap();
    let group = filters.find("T", "CG_sql").unwrap();
    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    for number in 0..10 {
        let entry = queue.entry(QueueOffset(number)).unwrap().unwrap();
        let unit = queue.unit(entry.unit_address().unwrap()).unwrap().unwrap();
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        assert_eq!((unit.tags_code, unit.bit_map.len()), (tags_code(tag), 14), "{number}");
        assert_eq!(group.may_want(unit.bit_map, i64::MAX), number > 5, "{number}");
    }
    store.close().unwrap();
}

#[actix::test]
async fn what_was_just_sent_and_what_an_earlier_broker_left() {
    let cluster = Cluster::start_with(extended).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(heartbeat("CG_sql", "a > 5")).await.code, response::SUCCESS);
    send_ten(&mut client).await;
    check_pulls(&mut client).await;
    let directory = cluster.stop().await;
    check_files(&directory);
    // Now nothing is known to be in memory, and the pool reads the units.
    let options = extended(small(&directory));
    let broker = Broker::builder(options).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert_eq!(client.ask(heartbeat("CG_sql", "a > 5")).await.code, response::SUCCESS);
    check_pulls(&mut client).await;
    broker.stop().await.unwrap();
}

/// The queues are lost with all that was noted, and made again from the log and from the conditions that are kept.
#[actix::test]
async fn what_recovery_makes_again_has_the_same_bit_maps() {
    let cluster = Cluster::start_with(extended).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(heartbeat("CG_sql", "a > 5")).await.code, response::SUCCESS);
    send_ten(&mut client).await;
    let directory = cluster.stop().await;
    for lost in ["consumequeue", "consumequeue_ext"] {
        std::fs::remove_dir_all(directory.path().join("store").join(lost)).unwrap();
    }
    let broker = Broker::builder(extended(small(&directory))).start().await.unwrap();
    broker.stop().await.unwrap();
    check_files(&directory);
}

#[actix::test]
async fn a_pull_that_waits_is_answered_with_what_it_wants() {
    let cluster = Cluster::start_with(extended).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    send_ten(&mut client).await;
    let mut waiting = Raw::connect(cluster.broker.address()).await;
    let (tagged, all) = tokio::join!(
        waiting.ask_until(pull("CG_tag", Some("late"), 10, true), |reply| reply.code == response::SUCCESS),
        async {
            for tag in ["early", "late"] {
                let send = send_to("T", 0, &format!("TAGS\u{1}{tag}"), tag);
                assert_eq!(client.ask(send).await.code, response::SUCCESS);
            }
            client.ask_until(pull("CG_all", Some("*"), 10, false), |reply| reply.code == response::SUCCESS).await
        }
    );
    assert_eq!(offsets(tagged), [11]);
    assert_eq!(offsets(all).first(), Some(&10));
    cluster.stop().await;
}

/// A disk that has no second file for a queue while it is full.
#[derive(Debug, Default)]
struct FullForQueues(AtomicBool);

impl Watch for FullForQueues {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let of_queue = path.components().any(|part| part.as_os_str() == "consumequeue");
        match of_queue && call == Call::Allocate && !path.ends_with("0".repeat(20)) && self.0.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

/// A part of what came at once has to wait for room: each entry gets its own unit all the same.
#[actix::test]
async fn units_stay_with_their_entries_when_the_disk_is_full_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let full = Arc::new(FullForQueues(AtomicBool::new(true)));
    let options = extended(small(&directory));
    let store = StoreOptions { queue_file_bytes: 200, ..options.store };
    let disk = Arc::new(WatchedDisk(Arc::clone(&full)));
    let broker = Broker::builder(BrokerOptions { disk, store: store.clone(), ..options }).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    assert_eq!(client.ask(heartbeat("CG_sql", "a > 11")).await.code, response::SUCCESS);
    let mut items = Vec::new();
    for number in 0..15 {
        encode_batch_item(0, b"one of many", &format!("TAGS\u{1}t{number}\u{2}a\u{1}{number}"), &mut items).unwrap();
    }
    let batch = Command { code: request::SEND_BATCH_MESSAGE, ..send_to("T", 0, "", items) };
    assert_eq!(client.ask(batch).await.code, response::SUCCESS);
    let ten = |reply: &Command| reply.ext.int64("maxOffset").is_ok_and(|max| max == 10);
    client.ask_until(pull("CG_all", Some("*"), 0, false), ten).await;
    full.0.store(false, Ordering::SeqCst);
    let all = |reply: &Command| reply.ext.int64("maxOffset").is_ok_and(|max| max == 15);
    client.ask_until(pull("CG_all", Some("*"), 0, false), all).await;
    broker.stop().await.unwrap();
    let mut store = open(FileDisk::shared(), store, &mut |_| {}).unwrap();
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    for number in 0..15 {
        let entry = queue.entry(QueueOffset(number)).unwrap().unwrap();
        let unit = queue.unit(entry.unit_address().unwrap()).unwrap().unwrap();
        assert_eq!(unit.tags_code, tags_code(&format!("t{number}")));
        let is_wanted = unit.bit_map.iter().any(|byte| *byte != 0);
        assert_eq!(is_wanted, number > 11, "{number}");
    }
}
