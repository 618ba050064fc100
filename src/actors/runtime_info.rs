//! Gathers what GET_BROKER_RUNTIME_INFO tells, from those who know it.
//!
//! Runs in tasks of the BrokerActor's arbiter. Asks the StatsActor, the DelayOffsetActor and, by way of the DispatchActor,
//! the queues of delayed messages; looks at log and disks in the pool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::Recipient;

use super::delay_offset_actor::LevelsDelivered;
use super::dispatch_actor::QueueOf;
use super::fault::ask;
use super::queue_actor::BoundsOf;
use super::queue_directory::QueueKey;
use super::read_pool::ReadPool;
use super::retention_actor::space_at;
use super::stats_actor::RuntimeFigures;
use crate::broker::duplicates::DuplicateFigures;
use crate::broker::runtime_info::{WITHOUT_COUNTERPART, human_bytes, room, run_time, used_ratio};
use crate::broker::topics::schedule_topic;
use crate::protocol::body::kv::KvTable;
use crate::protocol::command::VERSION;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::QueueId;
use crate::store::disk::Space;
use crate::store::{Disk, LogView, SharedDisk, StoreOptions};
use crate::time::SharedClock;

/// The share of a directory that is not there.
const NO_SHARE: f64 = -1.0;
/// What stands for the store time of the oldest message when there is none.
const NO_TIME: i64 = -1;

/// What it is gathered from.
#[derive(Clone)]
pub struct RuntimeInfo {
    /// The StatsActor.
    pub figures: Recipient<RuntimeFigures>,
    /// The DelayOffsetActor.
    pub levels: Recipient<LevelsDelivered>,
    /// The DispatchActor.
    pub queue_of: Recipient<QueueOf>,
    /// Looks at log and disks.
    pub pool: ReadPool,
    /// What is remembered of sends.
    pub duplicates: Arc<DuplicateFigures>,
    /// The log.
    pub log: LogView,
    /// Where the store lies,
    pub disk: SharedDisk,
    /// and how it is laid out.
    pub store: StoreOptions,
    /// Tells how long the broker has run.
    pub clock: SharedClock,
}

/// What the pool sees.
struct OnDisk {
    oldest_ms: i64,
    logs: Vec<(PathBuf, f64)>,
    queues: f64,
    root: Option<Space>,
}

impl RuntimeInfo {
    /// Gathers it, for a broker that started at `booted_ms` and takes sends from `accept_from_ms` on.
    pub(super) async fn gather(&self, booted_ms: i64, accept_from_ms: i64) -> Result<KvTable, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut add = |key: &str, value: String| pairs.push((key.to_owned(), value));
        WITHOUT_COUNTERPART.iter().for_each(|(key, value)| add(key, (*value).to_owned()));
        ask(&self.figures, RuntimeFigures).await?.into_iter().for_each(|(key, value)| add(key, value));
        let positions = self.log.positions();
        let (min, max, written) = (self.log.min(), self.log.visible(), positions.written());
        add("brokerVersion", VERSION.to_string());
        add("brokerVersionDesc", "V4_9_7".into());
        add("bootTimestamp", booted_ms.to_string());
        add("startAcceptSendRequestTimeStamp", accept_from_ms.to_string());
        add("runtime", run_time(self.clock.now_ms() - booted_ms));
        add("commitLogMinOffset", min.to_string());
        add("commitLogMaxOffset", max.to_string());
        add("dispatchBehindBytes", written.0.saturating_sub(positions.dispatched().0).to_string());
        add("remainHowManyDataToFlush", human_bytes(written.0.saturating_sub(positions.synced().0)));
        add("duplicateKeys", self.duplicates.remembered.load(Ordering::Relaxed).to_string());
        add("duplicatesSuppressed", self.duplicates.suppressed.load(Ordering::Relaxed).to_string());
        let (disk, store) = (Arc::clone(&self.disk), self.store.clone());
        let seen = self.pool.ask(move |log| OnDisk::look(log, &*disk, &store)).await?;
        add("earliestMessageTimeStamp", seen.oldest_ms.to_string());
        // The fullest disk does not stop the broker while another one has room.
        let least = seen.logs.iter().map(|(_, share)| *share).reduce(f64::min).unwrap_or(NO_SHARE);
        add("commitLogDiskRatio", format!("{least:?}"));
        seen.logs
            .iter()
            .for_each(|(path, share)| add(&format!("commitLogDiskRatio_{}", path.display()), format!("{share:?}")));
        add("consumeQueueDiskRatio", format!("{:?}", seen.queues));
        seen.root.iter().for_each(|root| add("commitLogDirCapacity", room(*root)));
        pairs.extend(self.delay_levels().await?);
        Ok(KvTable { table: BTreeMap::from_iter(pairs) })
    }

    /// How far each level has come that has ever delivered anything: `delivered,stored`.
    async fn delay_levels(&self) -> Result<Vec<(String, String)>, Refusal> {
        let mut pairs = Vec::new();
        for (level, next) in ask(&self.levels, LevelsDelivered).await? {
            let Some(queue_id) = level.checked_sub(1).map(QueueId) else { continue };
            let key = QueueKey { topic: schedule_topic().clone(), queue_id };
            let stored = match ask(&self.queue_of, QueueOf { key }).await?? {
                Some(queue) => ask(&queue.seldom.bounds(), BoundsOf).await?.max.0,
                None => 0,
            };
            pairs.push((format!("scheduleMessageOffset_{level}"), format!("{next},{stored}")));
        }
        Ok(pairs)
    }
}

impl OnDisk {
    fn look(log: &LogView, disk: &dyn Disk, store: &StoreOptions) -> Self {
        let share = |path: &Path| space_at(disk, path).map_or(NO_SHARE, used_ratio);
        let mut cursor = log.cursor(log.min());
        let oldest = cursor.next(log.visible()).ok().flatten().map(|record| record.store_time.0);
        Self {
            oldest_ms: oldest.unwrap_or(NO_TIME),
            logs: store.log_dirs().into_iter().map(|path| (path.clone(), share(&path))).collect(),
            queues: share(&store.queues_dir()),
            root: disk.space(store.root()).ok(),
        }
    }
}
