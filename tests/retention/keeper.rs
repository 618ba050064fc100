//! A broker whose segments are small, on a disk that is as full as the test says, at a time that the test says.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ferromq::actors::arbiters::supervise_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::actors::retention_actor::{CheckSpace, CleanNow, Removed, RetentionActor};
use ferromq::broker::config::RetentionSettings;
use ferromq::broker::retention::RetentionRules;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::store::disk::Space;
use ferromq::store::{LogView, StoreOptions};
use ferromq::time::{Clock, ManualClock, SharedClock, SystemClock};
use tempfile::TempDir;

use crate::raw::{LIMIT, Raw, ask_for, send_to};
use crate::support::{small, wait_until};
use crate::watched_disk::{Call, Watch, WatchedDisk};

pub(crate) const SEGMENT_BYTES: u64 = 16 * 1024;
const HOUR: Duration = Duration::from_secs(3_600);

/// A disk that is said to be so full, in percent, and that may take its time with removing a file of a queue.
#[derive(Debug)]
struct Used {
    percent: AtomicU32,
    removal: Mutex<Removal>,
    changed: Condvar,
}

/// What becomes of the next file of a queue that is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    AtOnce,
    WillWait,
    Waits,
}

impl Watch for Used {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        let is_of_a_queue = path.components().any(|part| part.as_os_str() == "consumequeue");
        let mut removal = self.removal.lock().unwrap();
        if call == Call::Remove && is_of_a_queue && *removal == Removal::WillWait {
            *removal = Removal::Waits;
            while *removal == Removal::Waits {
                removal = self.changed.wait(removal).unwrap();
            }
        }
        Ok(())
    }

    fn space(&self, _: Space) -> Space {
        let used = u64::from(self.percent.load(Ordering::SeqCst));
        Space { total: 100, free: 100 - used, usable: 100 - used }
    }
}

/// A broker with small segments.
pub(crate) struct Keeper {
    pub(crate) broker: Broker,
    pub(crate) log: LogView,
    pub(crate) clock: Arc<ManualClock>,
    used: Arc<Used>,
    pub(crate) directory: TempDir,
}

impl Keeper {
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(BrokerOptions) -> BrokerOptions) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), change).await
    }

    pub(crate) async fn start_in(directory: TempDir, change: impl FnOnce(BrokerOptions) -> BrokerOptions) -> Self {
        let clock = ManualClock::at(at_hour_five());
        let used = Arc::new(Used {
            percent: AtomicU32::new(10),
            removal: Mutex::new(Removal::AtOnce),
            changed: Condvar::new(),
        });
        let rules =
            RetentionRules { segment_pause: Duration::ZERO, queue_pause: Duration::ZERO, ..RetentionRules::default() };
        let options = small(&directory);
        let store = StoreOptions {
            log_segment_bytes: SEGMENT_BYTES,
            queue_file_bytes: 200,
            index_slots: 20,
            index_entries: 40,
            ..options.store
        };
        let options = change(BrokerOptions {
            store,
            clock: Arc::clone(&clock) as SharedClock,
            disk: Arc::new(WatchedDisk(Arc::clone(&used))),
            flush_every: Duration::from_millis(5),
            flush_queues_every: Duration::from_millis(5),
            retention: RetentionSettings { rules, ..RetentionSettings::default() },
            ..options
        });
        let (tell, told) = channel();
        let builder = Broker::builder(options).retention(move |parts, on| {
            tell.send(parts.means.log.clone()).unwrap();
            supervise_on(on, |_| RetentionActor::new(parts)).into()
        });
        let broker = builder.start().await.unwrap();
        Self { broker, log: told.recv().unwrap(), clock, used, directory }
    }

    pub(crate) async fn client(&self) -> Raw {
        Raw::connect(self.broker.address()).await
    }

    /// Hours pass, in which connections that are silent are closed.
    pub(crate) async fn after_hours(&self, hours: u32) -> Raw {
        self.clock.advance(hours * HOUR);
        self.client().await
    }

    pub(crate) fn segments(&self) -> usize {
        self.log.segments().all().len()
    }

    /// Waits until queues and index are on the disk: before that no segment goes that they could be made anew from.
    pub(crate) async fn settled(&self) {
        let positions = self.log.positions();
        wait_until(LIMIT, "queues and index are synced", || {
            positions.queues_synced() == positions.written() && positions.synced() == positions.written()
        })
        .await;
    }

    /// Waits for that, and has a round of cleaning.
    pub(crate) async fn clean(&self, wanted: CleanNow) -> Removed {
        self.settled().await;
        self.broker.retention().clean.send(wanted).await.unwrap().unwrap()
    }

    /// Has the next file of a queue wait that is to be removed.
    pub(crate) fn hold_removal(&self) {
        *self.used.removal.lock().unwrap() = Removal::WillWait;
    }

    /// Waits until one does.
    pub(crate) async fn removal_waits(&self) {
        let waits = || *self.used.removal.lock().unwrap() == Removal::Waits;
        wait_until(LIMIT, "a file of a queue is being removed", waits).await;
    }

    pub(crate) fn let_removal_go_on(&self) {
        *self.used.removal.lock().unwrap() = Removal::AtOnce;
        self.used.changed.notify_all();
    }

    /// Says how full the disk is, and has it looked at; whether it is too full.
    pub(crate) async fn used(&self, percent: u32) -> bool {
        self.used.percent.store(percent, Ordering::SeqCst);
        self.broker.retention().check.send(CheckSpace).await.unwrap()
    }

    pub(crate) fn used_from_now_on(&self, percent: u32) {
        self.used.percent.store(percent, Ordering::SeqCst);
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.broker.stop().await.unwrap();
        self.directory
    }
}

/// Files are written at the time of the machine, so the clock begins near it: at five o'clock, an hour at which nothing goes.
fn at_hour_five() -> i64 {
    let (day, hour) = (86_400_000, 3_600_000);
    let now = SystemClock::new().now_ms();
    let tomorrow = now - now.rem_euclid(day) + day;
    tomorrow + 5 * hour
}

/// Sends messages of a thousand bytes with keys to queue 0 until the log has so many segments; tells how many there are.
pub(crate) async fn fill(keeper: &Keeper, client: &mut Raw, topic: &str, segments: usize) -> i64 {
    let mut next = max_offset(client, topic, 0).await;
    while keeper.segments() < segments {
        let sent = client.ask(send_to(topic, 0, &format!("KEYS\u{1}k{next}\u{2}"), vec![next as u8; 1_000])).await;
        assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
        assert_eq!(sent.ext.int64("queueOffset").unwrap(), next);
        next += 1;
    }
    let bound = ask_for(request::GET_MAX_OFFSET, &[("topic", &topic), ("queueId", &0)]);
    client.ask_until(bound, |reply| reply.ext.int64("offset").unwrap() == next).await;
    next
}

/// One of the bounds of a queue.
async fn bound(client: &mut Raw, code: i32, topic: &str, queue_id: i32) -> i64 {
    let reply = client.ask(ask_for(code, &[("topic", &topic), ("queueId", &queue_id)])).await;
    reply.ext.int64("offset").unwrap_or(0)
}

pub(crate) async fn min_offset(client: &mut Raw, topic: &str, queue_id: i32) -> i64 {
    bound(client, request::GET_MIN_OFFSET, topic, queue_id).await
}

pub(crate) async fn max_offset(client: &mut Raw, topic: &str, queue_id: i32) -> i64 {
    bound(client, request::GET_MAX_OFFSET, topic, queue_id).await
}

/// A figure of GET_BROKER_RUNTIME_INFO.
pub(crate) async fn figure(client: &mut Raw, name: &str) -> String {
    let reply = client.ask(ask_for(request::GET_BROKER_RUNTIME_INFO, &[])).await;
    let told: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    told["table"][name].as_str().unwrap_or_else(|| panic!("{name} in {told}")).to_owned()
}

/// Names of the files in a directory of the store.
pub(crate) fn files(directory: &Path, under: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory.join("store").join(under))
        .map(|found| found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

pub(crate) fn succeeded(reply: &Command) {
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
}
