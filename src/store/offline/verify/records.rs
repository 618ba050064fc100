//! The pass through the log: each record, its queue entry and its keys.

use std::collections::BTreeMap;

use super::Verified;
use crate::protocol::message::{RecordError, RecordHead};
use crate::protocol::names::Topic;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::consumequeue::QueueEntry;
use crate::store::dispatch::{Marks, SCHEDULE_TOPIC, TIMER_TOPIC};
use crate::store::error::StoreError;
use crate::store::offline::OfflineStore;
use crate::store::offline::finding::{Finding, Findings, Part, Place, Severity};
use crate::store::offline::index::IndexWalk;
use crate::store::offline::log::{JUMP_BYTES, LogReader};
use crate::store::offline::queues::{EntryReader, QueueFiles};
use crate::store::offline::verify::vouched::{self, KnownTopics};
use crate::store::offline::walk::{LogEnd, LogWalk, Met};
use crate::store::recovery::{Progress, is_inner_batch};

/// How often progress is told.
const PROGRESS_BYTES: u64 = 4 << 20;

/// What the log says of one queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Records whose entry points to them, right or wrong in what else it says.
    pub(super) led_to: u64,
    /// Records in a row that have no entry.
    missing: Option<Missing>,
    /// Delayed records with another time than the configuration yields.
    other_times: u64,
    /// Records of [`TIMER_TOPIC`] whose entry has the tag's code and no time.
    no_times: u64,
    /// Records whose numbers later ones of the queue have been given too, and that are in no queue for that.
    overtaken: Option<Overtaken>,
    has_records: bool,
}

/// Records that others have taken the places of.
#[derive(Clone, Copy, Debug)]
struct Overtaken {
    /// The smallest number, and where the first one lies.
    number: QueueOffset,
    at: PhysicalOffset,
    count: u64,
}

impl Tally {
    fn overtake(&mut self, number: QueueOffset, at: PhysicalOffset, count: u64) {
        let overtaken = self.overtaken.get_or_insert(Overtaken { number, at, count: 0 });
        overtaken.number = overtaken.number.min(number);
        overtaken.count += count;
    }

    /// Tells of records whose numbers were given again: RocketMQ's way after a deletion of the topic, and after a loss of entries.
    fn tell_overtaken(&self, store: &OfflineStore, queue: &QueueFiles, findings: &mut Findings) {
        let Some(Overtaken { number, at, count }) = self.overtaken else { return };
        let place = store.place(at).in_queue(queue.topic.as_str(), queue.queue_id, number);
        let why = "as after a deletion of the topic or a loss of entries";
        let problem = format!(
            "numbers from {number} on were given again, {why}: {count} records from here on are in no queue any more"
        );
        findings.note(Part::Queue, place, problem);
    }

    /// Tells of times that are others, or none, and count for all that.
    fn tell_times(&self, queue: &QueueFiles, findings: &mut Findings) {
        let place =
            Place { topic: Some(queue.topic.as_str().to_owned()), queue: Some(queue.queue_id.0), ..Place::default() };
        if self.other_times > 0 {
            let problem =
                format!("{} delayed records are due at other times than messageDelayLevel says now", self.other_times);
            findings.note(Part::Queue, place.clone(), problem);
        }
        if self.no_times > 0 {
            let what = "entries that RocketMQ made anew say no time";
            findings.note(Part::Queue, place, format!("{} {what}: the records do", self.no_times));
        }
    }
}

/// Records in a row that have no entry.
#[derive(Clone, Copy, Debug)]
struct Missing {
    first: QueueOffset,
    last: QueueOffset,
    /// Where the first one lies.
    at: PhysicalOffset,
    last_at: PhysicalOffset,
    count: u64,
    /// Some of them had an entry for sure.
    sure: bool,
}

/// What the pass leaves for the one through the queues.
#[derive(Debug)]
pub(super) struct Tallies {
    /// Of each queue on the disk, in the order of [`OfflineStore`]'s list.
    pub(super) queues: Vec<Tally>,
    pub(super) log_end: PhysicalOffset,
}

/// Reads the whole log.
pub(super) fn check(
    store: &OfflineStore,
    verified: &mut Verified,
    progress: &mut dyn FnMut(Progress),
) -> Result<Tallies, StoreError> {
    let mut pass = Pass::begin(store, &mut verified.findings)?;
    let mut walk = LogWalk::from(store, store.log_min());
    let (begin, total) = (store.log_min().0, store.log.room_end() - store.log_min().0);
    let mut told = 0;
    let end = loop {
        match walk.next()? {
            Met::Record(head) => pass.record(&head, &mut verified.findings)?,
            Met::Broken(gap) => {
                pass.records_follow(&mut verified.findings);
                let problem = format!("no record: {}; records go on at {}", gap.problem, gap.until);
                verified.findings.fault(Part::Log, store.place(gap.at), problem);
            }
            Met::End(end) => break end,
        }
        let done = walk.position().0 - begin;
        if done >= told + PROGRESS_BYTES {
            told = done;
            progress(Progress { done, total });
        }
    };
    progress(Progress { done: total, total });
    verified.checked.log_min = begin;
    pass.finish(&end, verified)
}

/// The pass while it lasts.
struct Pass<'a> {
    store: &'a OfflineStore,
    entries: EntryReader<'a>,
    index: Option<IndexWalk<'a>>,
    tallies: Vec<Tally>,
    /// Of queues that are not on the disk.
    absent: BTreeMap<(String, QueueId), Tally>,
    /// Topics of which a queue began again with its first number, and where in the log.
    made_anew: BTreeMap<String, PhysicalOffset>,
    /// Reads records that entries lead to out of turn.
    jumps: LogReader,
    records: u64,
    units: u64,
    newest: StoreTime,
    /// A damaged body, told when it is known whether records follow: at the end it may be a torn tail.
    last_damaged: Option<(Finding, PhysicalOffset, StoreTime)>,
}

impl<'a> Pass<'a> {
    fn begin(store: &'a OfflineStore, findings: &mut Findings) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            entries: EntryReader::new(store.disk.clone(), &store.options),
            index: store.options.index_enabled.then(|| IndexWalk::begin(store, findings)).transpose()?,
            tallies: vec![Tally::default(); store.queues.all().len()],
            absent: BTreeMap::new(),
            made_anew: BTreeMap::new(),
            jumps: LogReader::new(store.disk.clone(), store.log.clone(), JUMP_BYTES),
            records: 0,
            units: 0,
            newest: StoreTime::default(),
            last_damaged: None,
        })
    }

    fn record(&mut self, head: &RecordHead<'_>, findings: &mut Findings) -> Result<(), StoreError> {
        self.records_follow(findings);
        self.records += 1;
        self.newest = self.newest.max(head.store_time);
        let place = || self.store.place(head.physical_offset).of(head);
        let damage = self.store.damage(head);
        if let Some(problem) = &damage {
            let cuts = match !self.store.is_promised(head) {
                true => "; the next start of a broker would cut the log here",
                false => "",
            };
            let problem = format!("{problem}{cuts}");
            let finding = Finding { severity: Severity::Fault, part: Part::Log, place: place(), problem };
            self.last_damaged = Some((finding, head.end(), head.store_time));
        } else if is_inner_batch(head) {
            findings.fault(Part::Log, place(), "is a batch of RocketMQ 5 in one record, which no 4.9 broker reads");
        }
        if let Err(problem) = Topic::parse(head.topic) {
            findings.note(Part::Log, place(), format!("its topic is none, so that it is in no queue: {problem}"));
            return Ok(());
        }
        let marks = Marks::of(head);
        let entry = marks.queue_entry(head, &self.store.options.delay_levels_ms);
        if let Some(entry) = entry.filter(|_| !self.store.is_deleted(head.topic, head.physical_offset)) {
            self.queue(head, entry, damage.is_some(), findings)?;
        }
        // A damaged record may have lost its keys when its queue entry was blanked.
        match &mut self.index {
            Some(index) if damage.is_none() => index.check(head, marks, findings),
            _ => Ok(()),
        }
    }

    /// Whatever was damaged before is no torn tail.
    fn records_follow(&mut self, findings: &mut Findings) {
        if let Some((finding, ..)) = self.last_damaged.take() {
            findings.fault(finding.part, finding.place, finding.problem);
        }
    }

    fn queue(
        &mut self,
        head: &RecordHead<'_>,
        expected: QueueEntry,
        damaged: bool,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let Some(index) = self.store.queues.index_of(head.topic, head.queue_id) else {
            let tally = self.absent.entry((head.topic.to_owned(), head.queue_id)).or_default();
            tally.miss(head, self.store.is_dispatched(head.end(), head.store_time));
            return Ok(());
        };
        let Some(queue) = self.store.queues.all().get(index) else { return Ok(()) };
        let found = self.entries.entry(index, queue, head.queue_offset)?.filter(QueueEntry::is_valid);
        let Some(tally) = self.tallies.get_mut(index) else { return Ok(()) };
        if head.queue_offset.0 == 0 && tally.has_records {
            self.made_anew.insert(head.topic.to_owned(), head.physical_offset);
        }
        tally.has_records = true;
        let Some(found) = found else {
            tally.miss(head, self.store.is_dispatched(head.end(), head.store_time));
            return Ok(());
        };
        let leads_here = found.physical == head.physical_offset && !found.is_blank();
        match tally.missing.take() {
            // They were in the queue until it went on from a smaller number.
            Some(Missing { first, at, count, .. }) if leads_here && head.queue_offset <= first => {
                tally.overtake(first, at, count);
            }
            Some(missing) => missing.tell(self.store, head.topic, head.queue_id, findings),
            None => {}
        }
        let place = |store: &OfflineStore| {
            let place = queue.place(head.queue_offset, store.options.queue_file_bytes());
            Place { log_offset: Some(head.physical_offset.0), ..place }
        };
        if !leads_here {
            let is_blank = found.is_blank();
            if !is_blank && found.physical > head.physical_offset && has_number(&mut self.jumps, &found, head)? {
                tally.overtake(head.queue_offset, head.physical_offset, 1);
            } else if !(is_blank && damaged) {
                let what = if is_blank { "is blank".into() } else { format!("points to {}", found.physical) };
                let problem = format!("the entry of the record at {} {what}", head.physical_offset);
                findings.fault(Part::Queue, place(self.store), problem);
            }
            return Ok(());
        }
        tally.led_to += 1;
        if i64::from(found.size) != i64::from(head.total_size) {
            let problem = format!("says {} bytes of a record of {}", found.size, head.total_size);
            findings.fault(Part::Queue, place(self.store), problem);
        }
        self.tags_code(index, queue, head, (found, expected), findings)
    }

    /// Compares what stands for the tag, in the entry or in the unit that it names.
    fn tags_code(
        &mut self,
        index: usize,
        queue: &QueueFiles,
        head: &RecordHead<'_>,
        (found, expected): (QueueEntry, QueueEntry),
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let mut tags_code = Some(found.tags_code);
        if let Some(address) = found.unit_address() {
            let unit = |unit: Option<crate::store::Unit<'_>>| unit.map(|unit| (unit.tags_code, unit.store_time));
            let unit = self.entries.with_unit(index, queue, address, unit)?;
            self.units += u64::from(unit.is_some());
            let problem = match unit {
                None => Some(format!("the unit at {} of its extension is not there", address.offset())),
                Some((_, time)) if time != head.store_time => {
                    Some(format!("its unit says that the record was stored at {time}, not {}", head.store_time))
                }
                Some(_) => None,
            };
            tags_code = unit.map(|(tags_code, _)| tags_code);
            if let Some(problem) = problem {
                let place = queue.place(head.queue_offset, self.store.options.queue_file_bytes());
                findings.fault(Part::Extension, place, problem);
            }
        }
        let Some(tags_code) = tags_code.filter(|tags_code| *tags_code != expected.tags_code) else { return Ok(()) };
        if head.topic == SCHEDULE_TOPIC {
            // The levels may have been others when it was stored: the time that stands there is the one that counts.
            if let Some(tally) = self.tallies.get_mut(index) {
                tally.other_times += 1;
            }
            return Ok(());
        }
        if head.topic == TIMER_TOPIC && tags_code == Marks::of(head).tag() {
            // RocketMQ has made the entry anew from the log; a broker of ours takes the time from the record then.
            if let Some(tally) = self.tallies.get_mut(index) {
                tally.no_times += 1;
            }
            return Ok(());
        }
        let place = queue.place(head.queue_offset, self.store.options.queue_file_bytes());
        let problem = format!("tag code {tags_code}, the record's tag has {}", expected.tags_code);
        findings.fault(Part::Queue, place, problem);
        Ok(())
    }

    fn finish(mut self, end: &LogEnd, verified: &mut Verified) -> Result<Tallies, StoreError> {
        let Verified { findings, checked } = verified;
        let store = self.store;
        let mut log_end = end.at;
        match self.last_damaged.take() {
            // Nobody was promised this one, and nothing lies behind it: it is cut off as a torn tail.
            Some((finding, record_end, stored)) if store.unclean && !store.is_durable(record_end, stored) => {
                log_end = finding.place.log_offset.map_or(log_end, PhysicalOffset);
                findings.note(finding.part, finding.place, finding.problem);
            }
            Some((finding, ..)) => findings.fault(finding.part, finding.place, finding.problem),
            None => {}
        }
        if let Some(problem) = &end.tail {
            self.tail(end.at, problem, findings);
        }
        for (queue, tally) in store.queues.all().iter().zip(&mut self.tallies) {
            if let Some(missing) = tally.missing.take() {
                missing.tell(store, queue.topic.as_str(), queue.queue_id, findings);
            }
            tally.tell_overtaken(store, queue, findings);
            tally.tell_times(queue, findings);
        }
        self.tell_absent(findings);
        (checked.log_end, checked.records, checked.units) = (log_end.0, self.records, self.units);
        checked.queues = store.queues.all().len() as u64;
        if let Some(index) = self.index.take() {
            checked.index_entries = index.finish(log_end, findings)?;
        }
        vouched::positions(store, log_end, self.newest, findings);
        Ok(Tallies { queues: self.tallies, log_end })
    }

    /// Tells of queues that are not there at all. When the topic is not known either, somebody has deleted it: Java's broker leaves
    /// the records where they are, and keeps no note of it.
    fn tell_absent(&mut self, findings: &mut Findings) {
        let store = self.store;
        let mut known = None;
        for ((topic, queue_id), tally) in std::mem::take(&mut self.absent) {
            if let Some(missing) = tally.missing {
                let known = known.get_or_insert_with(|| KnownTopics::of(store));
                let is_older = self.made_anew.get(&topic).is_some_and(|began| missing.last_at < *began);
                let (severity, why) = if !store.queues.holds_topic(&topic) && known.lack(&topic) {
                    (Severity::Note, "; the topic is not in topics.json: it was deleted, it seems")
                } else if is_older {
                    (Severity::Note, "; another queue of the topic began anew behind them: it was deleted, it seems")
                } else {
                    (missing.severity(), "")
                };
                let path = store.options.queues_dir().join(&topic).join(queue_id.to_string());
                let place = Place::file(path).in_queue(&topic, queue_id, missing.first);
                let place = Place { log_offset: Some(missing.at.0), ..place };
                findings.add(severity, Part::Queue, place, format!("{}{why}", missing.problem()));
            }
        }
    }

    fn tail(&self, at: PhysicalOffset, problem: &RecordError, findings: &mut Findings) {
        let place = self.store.place(at);
        if self.store.unclean {
            let problem = format!("a torn tail that the next start of a broker cuts off: {problem}");
            findings.note(Part::Log, place, problem);
        } else {
            let problem = format!("something lies behind the last record, though the store was closed: {problem}");
            findings.fault(Part::Log, place, problem);
        }
    }
}

impl Tally {
    fn miss(&mut self, head: &RecordHead<'_>, sure: bool) {
        let (number, at) = (head.queue_offset, head.physical_offset);
        let missing =
            self.missing.get_or_insert(Missing { first: number, last: number, at, last_at: at, count: 0, sure: false });
        (missing.last, missing.last_at) = (number, at);
        missing.count += 1;
        missing.sure |= sure;
    }
}

impl Missing {
    fn severity(&self) -> Severity {
        if self.sure { Severity::Fault } else { Severity::Note }
    }

    fn problem(&self) -> String {
        format!("no entries for {} records, {} to {}, the first one at {}", self.count, self.first, self.last, self.at)
    }

    fn tell(&self, store: &OfflineStore, topic: &str, queue_id: QueueId, findings: &mut Findings) {
        let queue = store.queues.queue(topic, queue_id).map(|(_, queue)| queue);
        let Some(queue) = queue else { return };
        let place = queue.place(self.first, store.options.queue_file_bytes());
        let place = Place { log_offset: Some(self.at.0), ..place };
        findings.add(self.severity(), Part::Queue, place, self.problem());
    }
}

/// Whether an entry leads to a record that has the queue and the number of another one.
fn has_number(jumps: &mut LogReader, entry: &QueueEntry, head: &RecordHead<'_>) -> Result<bool, StoreError> {
    let other = jumps.record(entry.physical)?;
    Ok(other.is_ok_and(|other| {
        (other.topic, other.queue_id, other.queue_offset) == (head.topic, head.queue_id, head.queue_offset)
    }))
}
