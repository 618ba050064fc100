//! Opening a store: lock, look, walk, mend, and hand out the parts.

mod lasting;
mod vouched;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::vouched::Vouched;
use super::appender::{Appender, MappedAppender};
use super::checkpoint::Checkpoint;
use super::commitlog::CommitLog;
use super::consumequeue::ConsumeQueue;
use super::deleted_topics::DeletedTopics;
use super::disk::SharedDisk;
use super::durable::{self, CloseParts, Durable};
use super::error::StoreError;
use super::flush::{LogFlush, Synced};
use super::index::{Index, Trust};
use super::layout::StoreOptions;
use super::lock::StoreLock;
use super::log_damage;
use super::log_files;
use super::lost_entries;
use super::positions::Positions;
use super::preparation::Preparation;
use super::queues::Queues;
use super::recovery::{self, Damaged, DurableUpTo, Progress, Walk, Walked};
use super::replay::{self, BitMaps, Replay};
use super::segment::Segment;
use super::segments::Segments;
use super::state::{State, StateFile};
use crate::protocol::message::RecordError;
use crate::protocol::units::PhysicalOffset;

/// An open store, in parts: each goes to the one who owns it from now on.
#[derive(Debug)]
pub struct OpenStore {
    /// Keeps others out for as long as it lives.
    pub lock: StoreLock,
    /// The log, for its writer.
    pub log: CommitLog,
    /// The queues, for whoever hands them to their owners.
    pub queues: Queues,
    /// The key index, unless it is turned off.
    pub index: Option<Index>,
    /// What is known to be on the disk, for the one who syncs.
    pub durable: Durable,
    /// Which topics were deleted, for the one who deletes them.
    pub deleted: DeletedTopics,
    /// What was found.
    pub report: Report,
}

/// What opening a store found and did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether it was not closed in order.
    pub unclean: bool,
    /// Where the walk through the log began.
    pub walked_from: PhysicalOffset,
    /// Where the log begins.
    pub log_min: PhysicalOffset,
    /// Where the log ends.
    pub log_end: PhysicalOffset,
    /// A torn tail was cut off at the end, for this reason.
    pub torn: Option<RecordError>,
    /// Damaged records that were kept, with blank entries in their queues.
    pub damaged: Vec<Damaged>,
    /// Queue entries that were made again.
    pub entries_added: u64,
    /// Queues that pointed behind the end of the log and were cut.
    pub queues_cut: usize,
    /// What else is worth a line in the log.
    pub warnings: Vec<String>,
}

/// Opens the store, or makes a new one where there is none; the log is written through its mapping.
///
/// # Errors
/// See [`StoreError`]; nothing is kept locked then.
pub fn open(
    disk: SharedDisk,
    options: StoreOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<OpenStore, StoreError> {
    open_with(disk, options, Box::new(MappedAppender::default()), None, progress)
}

/// As [`open`], with a way of writing the log, and one of making the bit maps that entries get in the extensions of their
/// queues when they are made again.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    disk: SharedDisk,
    options: StoreOptions,
    appender: Box<dyn Appender>,
    bit_maps: Option<Box<BitMaps>>,
    progress: &mut dyn FnMut(Progress),
) -> Result<OpenStore, StoreError> {
    let options = Arc::new(options);
    refuse_foreign(&disk, &options)?;
    let ours = is_ours(&disk, &options)?;
    let lock = StoreLock::take(&disk, &options)?;
    let unclean = durable::mark_open(&disk, &options)?;
    let opening = Opening { disk: Arc::clone(&disk), options: Arc::clone(&options), unclean, ours, bit_maps };
    // The lock is held until the mark is gone: another broker's mark must not be taken away.
    let opened = opening.run(appender, progress).inspect_err(|_| {
        if !unclean {
            durable::unmark(&disk, &options);
        }
    })?;
    let Opened { log, queues, index, durable, deleted, report } = opened;
    Ok(OpenStore { lock, log, queues, index, durable, deleted, report })
}

impl OpenStore {
    /// Closes a store whose parts have not been handed out: everything in order and on the disk.
    ///
    /// # Errors
    /// What the operating system says; the next start looks closely then.
    pub fn close(mut self) -> Result<(), StoreError> {
        let view = self.log.view();
        let current = self.index.as_ref().and_then(Index::current);
        let mut flush = LogFlush::new(view.clone());
        self.durable.close(CloseParts {
            log: &mut flush,
            queues: self.queues.idle().map(ConsumeQueue::sync_handle).collect(),
            index: current.as_ref(),
            preparation: &self.log.preparation(),
            dispatched: view.written(),
            newest: view.positions().newest_store_time(),
            weight: self.queues.weight().wrapping_sub(self.queues.census().after(0)),
        })
    }
}

/// An open store but its lock.
struct Opened {
    log: CommitLog,
    queues: Queues,
    index: Option<Index>,
    durable: Durable,
    deleted: DeletedTopics,
    report: Report,
}

/// What the walk builds, and what it leaves out.
struct Built<'a> {
    queues: &'a mut Queues,
    index: Option<&'a mut Index>,
    deleted: &'a DeletedTopics,
}

/// What is known before the walk.
struct Opening {
    disk: SharedDisk,
    options: Arc<StoreOptions>,
    unclean: bool,
    /// Nobody but ferromq has opened this store since the state was written.
    ours: bool,
    bit_maps: Option<Box<BitMaps>>,
}

impl Opening {
    fn run(self, appender: Box<dyn Appender>, progress: &mut dyn FnMut(Progress)) -> Result<Opened, StoreError> {
        let Self { disk, options, unclean, ours, .. } = &self;
        let mut report = Report { unclean: *unclean, ..Report::default() };
        let checkpoint = Checkpoint::load(&**disk, options)?;
        let (mut state_file, found_state) = StateFile::open(&**disk, options)?;
        let segments = log_files::load(&**disk, options)?;
        self.refuse_missing_log(&segments)?;
        let state = found_state.filter(|state| *ours && state.matches(&checkpoint) && !segments.is_empty());
        if state.is_none() && found_state.is_some() {
            // What makes it count for nothing now may be gone after a power cut, and what it vouches for is changed below.
            state_file.save(State::void())?;
        }
        let mut queues = Queues::load_entries(Arc::clone(disk), Arc::clone(options), &mut report.warnings)?;
        self.sync_config_names()?;
        let mut deleted = DeletedTopics::load(&**disk, options, &mut report.warnings)?;
        deleted.finish(&mut queues)?;
        let mut index = match options.index_enabled {
            true => Some(self.load_index(&checkpoint, state, &mut report)?),
            false => None,
        };
        report.log_min = PhysicalOffset(segments.first().map_or(0, |first| first.base()));
        self.take_foreign_entries(&mut queues, &segments, state, &mut report)?;
        report.walked_from = self.walk_from(&segments, &checkpoint, state, &queues, index.as_ref(), report.log_min);
        let mut vouched = Vouched::new(state_file, state);
        vouched.change_from(report.walked_from)?;
        if *unclean {
            // Of an entry, or of a unit, a part may be missing after a power cut, and nothing in it would tell. The walk
            // makes them again.
            for queue in queues.idle_mut() {
                queue.truncate(report.walked_from)?;
                queue.close_idle();
            }
        }
        queues.recover_extensions()?;
        let mut built = Built { queues: &mut queues, index: index.as_mut(), deleted: &deleted };
        let walked = self.walk(&segments, &checkpoint, &mut vouched, &mut built, &mut report, progress)?;
        report.log_end = walked.end;
        report.torn = walked.torn;
        report.damaged = walked.damaged;
        if deleted.cut(walked.end) {
            deleted.save(&**disk, options)?;
        }
        for queue in queues.idle_mut() {
            queue.correct_min(report.log_min)?;
            queue.close_idle();
        }
        // After our own clean stop what lies behind the end is known to be zeros.
        let clear = *unclean || state.is_none() || report.torn.is_some();
        let segments = log_files::cut(&**disk, segments, walked.end.0, clear)?;
        let newest = walked.newest.max(state.map_or(checkpoint.log, |state| state.newest()));
        let from = state.map_or(report.walked_from, |state| state.durable());
        let synced = self.sync(&segments, from, &queues, index.as_ref(), Synced { up_to: walked.end, newest })?;
        let census = Arc::clone(queues.census());
        census.begin(queues.weight());
        let mut durable =
            Durable::new(Arc::clone(disk), Arc::clone(options), vouched.into_file(), checkpoint, synced, census);
        if *unclean {
            durable.mistrust_checkpoint();
        }
        durable.note_log(synced);
        index.as_ref().and_then(Index::newest).into_iter().for_each(|newest| durable.note_indexed(newest));
        durable.note_queues(synced.up_to, newest, 0);
        durable.save()?;
        let log = self.writer(segments, synced, &queues, appender);
        Ok(Opened { log, queues, index, durable, deleted, report })
    }

    /// Takes out of queues what cannot be theirs, and refuses a log that lacks what they point to.
    fn take_foreign_entries(
        &self,
        queues: &mut Queues,
        segments: &[Arc<Segment>],
        state: Option<State>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        lost_entries::destroy_beheaded(queues, report.log_min, &mut report.warnings)?;
        if let Some(state) = state {
            log_damage::refuse_lost_end(segments, queues, state.durable())?;
        } else {
            lost_entries::destroy_misnamed(queues, segments, report.log_min, &mut report.warnings)?;
        }
        if state.is_none() || self.unclean {
            let durable = state.map_or(PhysicalOffset(0), |state| state.durable());
            lost_entries::cut_foreign_tails(queues, segments, report.log_min, durable)?;
        }
        Ok(())
    }

    fn load_index(
        &self,
        checkpoint: &Checkpoint,
        state: Option<State>,
        report: &mut Report,
    ) -> Result<Index, StoreError> {
        let trust = match state {
            _ if !self.unclean => Trust::Whole,
            Some(state) => Trust::Before(state.dispatched()),
            None => Trust::UpTo(checkpoint.index),
        };
        Index::load(Arc::clone(&self.disk), Arc::clone(&self.options), trust, &mut report.warnings)
    }

    /// An empty log directory beside full queues is a mistake of whoever moved files: Java would delete the queues.
    fn refuse_missing_log(&self, segments: &[Arc<Segment>]) -> Result<(), StoreError> {
        if !segments.is_empty() {
            return Ok(());
        }
        let root = self.options.queues_dir();
        let topics = self.disk.list(&root).map_err(StoreError::io("list", &root))?;
        if topics.is_empty() {
            return Ok(());
        }
        let path = self.options.log_dirs().into_iter().next().unwrap_or_default();
        Err(StoreError::LogMissing { path, queues: topics.len() })
    }

    /// Where records begin that nobody has checked yet.
    fn checked_from(
        &self,
        segments: &[Arc<Segment>],
        checkpoint: &Checkpoint,
        state: Option<State>,
        log_min: PhysicalOffset,
    ) -> PhysicalOffset {
        // Where segments are missing at the end, the walk sees that the log is shorter than it was.
        let end = PhysicalOffset(segments.last().map_or(0, |last| last.base() + last.len() as u64));
        match state {
            Some(state) => state.durable().min(state.dispatched()).min(end).max(log_min),
            None => recovery::java_start(segments, self.unclean, checkpoint.durable_time()),
        }
    }

    /// Where the walk begins: where log, queues or index are not known to be whole any more.
    fn walk_from(
        &self,
        segments: &[Arc<Segment>],
        checkpoint: &Checkpoint,
        state: Option<State>,
        queues: &Queues,
        index: Option<&Index>,
        log_min: PhysicalOffset,
    ) -> PhysicalOffset {
        let checked_from = self.checked_from(segments, checkpoint, state, log_min);
        let indexed = index.map_or(checked_from, |index| match index.newest() {
            // What our own state vouches for needs no second look.
            Some(newest) if state.is_some_and(|state| index.is_whole_up_to(newest, state.indexed())) => checked_from,
            Some(newest) => newest,
            None => log_min,
        });
        // Whether there should be any, the census tells; where there is none, nothing does.
        let all_are_gone = queues.known().next().is_none() && state.is_none_or(|state| state.queues().is_none());
        let queued = if all_are_gone || queues.have_lost_entries() { log_min } else { checked_from };
        let from = checked_from.min(indexed).min(queued).max(log_min);
        if from < checked_from && !recovery::is_border(segments, from) { log_min } else { from }
    }

    fn walk(
        &self,
        segments: &[Arc<Segment>],
        checkpoint: &Checkpoint,
        vouched: &mut Vouched,
        built: &mut Built<'_>,
        report: &mut Report,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Walked, StoreError> {
        let (state, log_min, mut from) = (vouched.state, report.log_min, report.walked_from);
        let mut damaged = Vec::new();
        let (mut counted, mut weight) = (state.and_then(|state| state.queues()), 0);
        // Who closes a store in order syncs all of it first.
        let durable_time = if self.unclean { checkpoint.durable_time() } else { checkpoint.log };
        let durable = state.map_or(DurableUpTo::Time(durable_time), |state| DurableUpTo::Position(state.durable()));
        let trusted = self.checked_from(segments, checkpoint, state, log_min);
        let mut walk = Walk { segments, durable, trusted, check_crc: self.options.check_crc, progress };
        loop {
            let mut replay = Replay {
                queues: &mut *built.queues,
                index: built.index.as_deref_mut(),
                delay_levels_ms: &self.options.delay_levels_ms,
                bit_maps: self.bit_maps.as_deref(),
                deleted: built.deleted,
                given_again: None,
                log_min,
                began: from,
                unclean: self.unclean,
                added: 0,
                counted_from: counted.map_or(PhysicalOffset(u64::MAX), |(place, _)| place),
                weight: 0,
                again_from: None,
                hidden: BTreeMap::new(),
            };
            let walked = walk.run(from, &mut replay)?;
            report.entries_added += replay.added;
            let (mut again, hidden) = (replay.again_from, std::mem::take(&mut replay.hidden));
            // A round from behind that place counts less than there is.
            weight = if counted.is_some_and(|(place, _)| from <= place) { replay.weight } else { weight };
            if let Some(index) = built.index.as_deref_mut().filter(|index| index.newest() >= Some(walked.end)) {
                index.cut(walked.end)?;
                let indexed = index.newest().unwrap_or(log_min);
                again = Some(again.map_or(indexed, |again| again.min(indexed)));
            }
            let Some(again) = again else {
                for queue in built.queues.idle_mut() {
                    report.queues_cut += usize::from(queue.truncate(walked.end)?);
                    queue.close_idle();
                }
                // Once only: what cannot be made again from the log does not come by walking it twice.
                let census = built.queues.census().after(weight);
                let lost = counted.take().is_some_and(|(_, sum)| census.wrapping_add(sum) != built.queues.weight());
                if !lost {
                    damaged.extend(walked.damaged);
                    report.warnings.extend(hidden.into_iter().map(replay::tell_hidden));
                    return Ok(Walked { damaged, ..walked });
                }
                // What the queues have by now is not given to them again, and so is not found to be damaged again.
                damaged = walked.damaged;
                report.warnings.push(lost_entries::tell(&self.options.queues_dir()));
                vouched.change_from(log_min)?;
                lost_entries::make_room(built.queues, segments, log_min)?;
                (from, report.walked_from) = (log_min, log_min);
                continue;
            };
            // Each round begins where a queue or the index is whole, which the next one will not find fault with.
            from = if recovery::is_border(segments, again) { again } else { log_min };
            vouched.change_from(from)?;
        }
    }

    fn writer(
        &self,
        segments: Vec<Arc<Segment>>,
        synced: Synced,
        queues: &Queues,
        appender: Box<dyn Appender>,
    ) -> CommitLog {
        let segments = Arc::new(Segments::new(segments, self.options.log_segment_bytes));
        let positions = Arc::new(Positions::at(synced.up_to, synced.up_to, synced.newest));
        let preparation = Preparation::new(Arc::clone(&self.disk), Arc::clone(&self.options), Arc::clone(&segments));
        CommitLog::new(segments, positions, preparation, appender, queues.next_offsets())
    }
}

/// Whether nobody but ferromq has opened the store since its state was written. Java's broker writes its lock file at each
/// start: one that is newer than our state means that it was here since. Asked before the lock is taken.
pub(super) fn is_ours(disk: &SharedDisk, options: &StoreOptions) -> Result<bool, StoreError> {
    let changed = |name: &str| -> Result<Option<i64>, StoreError> {
        let path = options.file(name);
        let entry = disk.entry(&path).map_err(StoreError::io("stat", &path))?;
        Ok(entry.map(|entry| entry.modified_ms))
    };
    let (locked, state) = (changed("lock")?, changed("ferromq.state")?);
    Ok(locked.zip(state).is_some_and(|(locked, state)| state >= locked))
}

/// Kinds of store that would be misread.
pub(super) fn refuse_foreign(disk: &SharedDisk, options: &StoreOptions) -> Result<(), StoreError> {
    let entries = disk.list(options.root()).map_err(StoreError::io("list", options.root()))?;
    for entry in entries.into_iter().filter(|entry| entry.is_dir) {
        let path = options.file(&entry.name);
        if entry.name.starts_with("dledger-") {
            return Err(StoreError::Unsupported { path, what: "a store in DLedger mode" });
        }
        let used = || disk.list(&path).map(|topics| !topics.is_empty());
        if entry.name == "batchconsumequeue" && used().map_err(StoreError::io("list", &path))? {
            return Err(StoreError::Unsupported { path, what: "a queue of inner batches (RocketMQ 5)" });
        }
    }
    Ok(())
}
