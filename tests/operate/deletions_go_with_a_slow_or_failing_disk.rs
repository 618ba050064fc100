//! Deletions while records of the topic have not been dispatched, and while its files cannot be removed.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::commitlog_actor::FlushPolicy;
use ferromq::actors::options::BrokerOptions;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::store::StoreOptions;
use ferromq::time::{ManualClock, SharedClock};
use tempfile::TempDir;

use crate::deleted_topics_are_gone::{delete, fill, read, send};
use crate::member::{body, succeeds};
use crate::messages::{bodies, wait_for};
use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::small;
use crate::watched_disk::{Call, Watch, WatchedDisk};

/// What a disk does at present.
#[derive(Debug, Default)]
struct Moods {
    holds_syncs_of_the_log: bool,
    refuses_to_remove: bool,
}

#[derive(Debug, Default)]
struct Moody {
    moods: Mutex<Moods>,
    changed: Condvar,
}

impl Moody {
    fn set(&self, change: impl FnOnce(&mut Moods)) {
        change(&mut self.moods.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Watch for Moody {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let lies_in = |directory: &str| path.components().any(|part| part.as_os_str() == directory);
        let mut moods = self.moods.lock().unwrap();
        while call == Call::Sync && lies_in("commitlog") && moods.holds_syncs_of_the_log {
            moods = self.changed.wait(moods).unwrap();
        }
        if call == Call::Remove && lies_in("consumequeue") && moods.refuses_to_remove {
            return Err(io::Error::other("a mood"));
        }
        Ok(())
    }
}

async fn start(directory: &TempDir, flush: FlushPolicy) -> (Broker, Arc<Moody>) {
    let moody = Arc::new(Moody::default());
    let disk = Arc::new(WatchedDisk(Arc::clone(&moody)));
    let broker = Broker::builder(BrokerOptions { flush, disk, ..small(directory) }).start().await.unwrap();
    (broker, moody)
}

#[actix::test]
async fn records_that_are_dispatched_after_their_topic_is_gone_come_into_no_queue() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, moody) = start(&directory, FlushPolicy::Sync).await;
    let mut client = Raw::connect(broker.address()).await;
    let mut tool = Raw::connect(broker.address()).await;
    fill(&mut client, "T", &["old 0", "old 1"]).await;
    moody.set(|moods| moods.holds_syncs_of_the_log = true);
    for text in ["old 2", "old 3", "old 4"] {
        client.send_as(send_to("T", 0, "", text), Serialization::Json).await;
    }
    let info = ask_for(request::GET_BROKER_RUNTIME_INFO, &[]);
    // What is not synced is not visible, and so not dispatched.
    let behind =
        |reply: &Command| body(reply)["table"]["dispatchBehindBytes"].as_str().unwrap().parse::<u64>().unwrap();
    let record = 91 + "CLUSTER\u{1}DefaultCluster".len() as u64 + "T".len() as u64 + "old 2".len() as u64;
    tool.ask_until(info, |reply| behind(reply) == 3 * record).await;
    succeeds(&mut tool, delete("T")).await;
    moody.set(|moods| moods.holds_syncs_of_the_log = false);
    for _ in 0..3 {
        let sent = client.next().await.unwrap();
        assert_eq!(sent.code, response::SUCCESS, "it was stored before its topic went: {sent:?}");
    }
    fill(&mut tool, "T", &["new 0", "new 1"]).await;
    assert_eq!(read(&mut tool, "T").await, ["new 0", "new 1"]);
    broker.stop().await.unwrap();
}

fn make(topic: &str) -> Command {
    let fields: [(&str, &dyn std::fmt::Display); 8] = [
        ("topic", &topic),
        ("defaultTopic", &"TBW102"),
        ("readQueueNums", &1),
        ("writeQueueNums", &1),
        ("perm", &6),
        ("topicFilterType", &"SINGLE_TAG"),
        ("topicSysFlag", &0),
        ("order", &false),
    ];
    ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields)
}

#[actix::test]
async fn a_topic_whose_files_cannot_be_removed_stays_closed_until_they_can() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, moody) = start(&directory, FlushPolicy::Async).await;
    let mut client = Raw::connect(broker.address()).await;
    fill(&mut client, "T", &["old 0", "old 1"]).await;
    moody.set(|moods| moods.refuses_to_remove = true);
    let refused = client.ask(delete("T")).await;
    assert_eq!(refused.code, response::SYSTEM_ERROR, "{refused:?}");
    let refused = client.ask(send_to("T", 0, "", "too early")).await;
    assert_eq!(refused.code, response::TOPIC_NOT_EXIST, "{refused:?}");
    assert_eq!(client.ask(pull_from("T", 0, 0, 1)).await.code, response::TOPIC_NOT_EXIST);
    // Nor is anything taken that would wait for it, nor is it made by a tool.
    let delayed = client.ask(send_to("T", 0, "DELAY\u{1}1", "too early")).await;
    assert_eq!(delayed.code, response::TOPIC_NOT_EXIST, "{delayed:?}");
    let made = client.ask(make("T")).await;
    assert_eq!(made.code, response::TOPIC_NOT_EXIST, "{made:?}");
    assert_eq!(send(&mut client, "U", "others go on").await, 0);
    moody.set(|moods| moods.refuses_to_remove = false);
    succeeds(&mut client, delete("T")).await;
    fill(&mut client, "T", &["new"]).await;
    assert_eq!(read(&mut client, "T").await, ["new"]);
    broker.stop().await.unwrap();
}

/// There are more of them than a level or the delivery of times looks at together.
#[actix::test]
async fn what_waits_for_a_topic_that_stays_closed_holds_no_other_up() {
    let directory = tempfile::tempdir().unwrap();
    let moody = Arc::new(Moody::default());
    let (disk, clock) = (Arc::new(WatchedDisk(Arc::clone(&moody))), ManualClock::at(1_795_000_000_000));
    let (given, timer) = (Arc::clone(&clock) as SharedClock, Some(TimerRules { ahead_ms_max: 86_400_000 }));
    let options = BrokerOptions { disk, clock: given, timer, ..small(&directory) };
    let store = StoreOptions { delay_levels_ms: vec![1_000], ..options.store };
    let broker = Broker::builder(BrokerOptions { store, ..options }).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    for topic in ["T", "U"] {
        fill(&mut client, topic, &["first"]).await;
    }
    let waiting = ["DELAY\u{1}1", "TIMER_DELAY_MS\u{1}1000"];
    for _ in 0..300 {
        for properties in waiting {
            succeeds(&mut client, send_to("T", 0, properties, "for T")).await;
        }
    }
    for properties in waiting {
        succeeds(&mut client, send_to("U", 0, properties, properties)).await;
    }
    moody.set(|moods| moods.refuses_to_remove = true);
    assert_eq!(client.ask(delete("T")).await.code, response::SYSTEM_ERROR);
    clock.advance(Duration::from_secs(1));
    let mut delivered = bodies(&wait_for(&mut client, "U", 0, 1, 2).await);
    delivered.sort_unstable();
    assert_eq!(delivered, waiting);
    broker.stop().await.unwrap();
}
