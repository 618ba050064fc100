//! Finding out what a repair would do, and refusing what it must not do; nothing is changed.

use std::collections::BTreeMap;

use super::numbers::{Numbered, Numbers, QueueName};
use super::{CutPlan, Move, Request};
use crate::protocol::message::RecordHead;
use crate::protocol::names::Topic;
use crate::protocol::properties;
use crate::protocol::units::{PhysicalOffset, QueueId, QueueOffset, StoreTime};
use crate::store::dispatch::Marks;
use crate::store::error::StoreError;
use crate::store::offline::finding::{Finding, Findings, Part, Place, Severity};
use crate::store::offline::index::keys_of;
use crate::store::offline::log::{JUMP_BYTES, LogReader};
use crate::store::offline::queues::EntryReader;
use crate::store::offline::survey;
use crate::store::offline::walk::{Break, LogEnd, LogWalk, Met};
use crate::store::offline::{INNER_MULTI_DISPATCH, OfflineError, OfflineStore, Sizes};
use crate::store::recovery::{Progress, is_inner_batch};

/// What a repair does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of this repair, which the names of what is kept end with.
    pub number: u32,
    /// Where the log begins.
    pub log_min: PhysicalOffset,
    /// Where it ends: behind the last record that is kept.
    pub log_end: PhysicalOffset,
    /// Records that are kept.
    pub records: u64,
    /// Keys that they are found by.
    pub keys: u64,
    /// Each queue, as it is and as it will be.
    pub queues: BTreeMap<(Topic, QueueId), QueuePlan>,
    /// What of the log cannot be read, and what will be done about it.
    pub findings: Findings,
    /// What makes room.
    pub moves: Vec<Move>,
    /// What is cut off the log.
    pub cut: Option<CutPlan>,
    /// How the sizes of the files are known.
    pub sizes: Sizes,
    pub(super) newest: StoreTime,
    pub(super) numbers: Numbers,
    /// The first record that names queues besides its own, and how many do.
    multi_dispatched: Option<(PhysicalOffset, u64)>,
    /// What is not zeros stays behind the end of the log.
    pub(super) has_tail: bool,
}

/// A queue before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueuePlan {
    /// The offsets that it has: the first whose record is still there, and the next to be given out.
    pub before: Option<(u64, u64)>,
    /// The same when it is made anew.
    pub after: Option<(u64, u64)>,
    /// Damaged records, which get entries that pulls pass over.
    pub blank: u64,
    /// All its records are gone with the log: it keeps the offset that comes next.
    pub is_expired: bool,
}

/// A damaged record that may be a torn tail, and what was known before it was counted.
struct Unpromised {
    at: PhysicalOffset,
    newest: StoreTime,
    finding: (Place, String),
    queue: Option<(QueueName, Numbered)>,
}

impl OfflineStore {
    /// What a repair would do.
    ///
    /// # Errors
    /// [`OfflineError::Undecided`] where the log is broken before its end, [`OfflineError::NotThere`] for a place to cut at
    /// that is none, or what the operating system says.
    pub fn plan(&self, request: Request, progress: &mut dyn FnMut(Progress)) -> Result<Plan, OfflineError> {
        self.refuse_strange_log()?;
        self.refuse_misplaced_files()?;
        self.refuse_unknown_deletions()?;
        let number = self.next_number()?;
        let mut plan = Plan {
            number,
            log_min: self.log_min(),
            log_end: self.log_min(),
            records: 0,
            keys: 0,
            queues: BTreeMap::new(),
            findings: Findings::default(),
            moves: self.moves(number)?,
            cut: None,
            sizes: self.sizes,
            newest: StoreTime::default(),
            numbers: Numbers::default(),
            multi_dispatched: None,
            has_tail: false,
        };
        if let Some(at) = request.truncate_at.filter(|at| *at <= self.log_min()) {
            let problem = format!("nothing would be left of the log, which begins at {}", self.log_min());
            return Err(OfflineError::NotThere(format!("cannot cut at {at}: {problem}")));
        }
        self.read_log(request, &mut plan, progress)?;
        let mut entries = EntryReader::new(self.disk.clone(), &self.options);
        self.decide_numbers(&mut plan, &mut entries)?;
        self.look_at_queues(&mut plan, &mut entries)?;
        if let Some((first, count)) = plan.multi_dispatched {
            let problem = format!(
                "from here on {count} records name further queues ({INNER_MULTI_DISPATCH}): with enableMultiDispatch RocketMQ's \
                broker gives these entries too, and a repair does not"
            );
            plan.findings.note(Part::Queue, self.place(first), problem);
        }
        if request.truncate_at.is_some() {
            let name = format!("commitlog.cut-at-{}.repair-{number}", plan.log_end);
            let bytes = self.log.room_end() - plan.log_end.0;
            plan.cut = Some(CutPlan { at: plan.log_end, bytes, copy: self.options.file(&name) });
        }
        Ok(plan)
    }

    fn read_log(
        &self,
        request: Request,
        plan: &mut Plan,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), OfflineError> {
        let total = self.log.room_end() - self.log_min().0;
        let mut walk = LogWalk::from(self, self.log_min());
        let (mut unpromised, mut last) = (None, plan.log_min);
        loop {
            let before = plan.log_end;
            let met = walk.next()?;
            let at = match &met {
                Met::End(end) => return self.ended(request, plan, end, (last, unpromised)),
                Met::Broken(gap) => gap.at,
                Met::Record(head) => head.physical_offset,
            };
            // Something follows, so that it is no torn tail.
            if let Some(Unpromised { finding: (place, problem), .. }) = unpromised.take() {
                plan.findings.fault(Part::Log, place, problem);
            }
            if let Some(cut) = request.truncate_at.filter(|cut| *cut <= at) {
                // Between two records may stand the blank that ends a file.
                if cut != at && cut != before {
                    return Err(no_border(cut, [last, before, at]));
                }
                plan.log_end = cut;
                return Ok(());
            }
            match met {
                Met::Broken(gap) => return Err(self.broken(request, &gap, last)),
                Met::Record(head) => (unpromised, last) = (self.note_record(&head, plan)?, at),
                Met::End(_) => {}
            }
            progress(Progress { done: plan.log_end.0 - plan.log_min.0, total });
        }
    }

    /// Counts a record. One that is damaged and that nobody was promised is given back: it may be a torn tail.
    fn note_record(&self, head: &RecordHead<'_>, plan: &mut Plan) -> Result<Option<Unpromised>, OfflineError> {
        let place = || self.place(head.physical_offset).of(head);
        if is_inner_batch(head) {
            let problem = "a batch of RocketMQ 5, which ferromq does not support";
            return Err(OfflineError::Undecided(format!("{}: {problem}", place())));
        }
        let damage = self.damage(head);
        let is_promised = self.is_promised(head);
        let mut unpromised = None;
        if let Some(problem) = &damage {
            let problem = format!("{problem}; it gets an entry that pulls pass over, and no keys");
            if is_promised {
                plan.findings.fault(Part::Log, place(), problem);
            } else {
                let (at, newest) = (head.physical_offset, plan.newest);
                unpromised = Some(Unpromised { at, newest, finding: (place(), problem), queue: None });
            }
        }
        plan.records += 1;
        (plan.log_end, plan.newest) = (head.end(), plan.newest.max(head.store_time));
        plan.keys += if self.options.index_enabled && damage.is_none() { keys_of(head).count() as u64 } else { 0 };
        if properties::find(head.properties, INNER_MULTI_DISPATCH).is_some() {
            plan.multi_dispatched.get_or_insert((head.physical_offset, 0)).1 += 1;
        }
        let is_deleted = self.is_deleted(head.topic, head.physical_offset);
        let entry = Marks::of(head).queue_entry(head, &[]).filter(|_| !is_deleted);
        if let (Some(_), Ok(topic)) = (entry, Topic::parse(head.topic)) {
            let name = (topic, head.queue_id);
            if let Some(unpromised) = &mut unpromised {
                unpromised.queue = Some((name.clone(), plan.numbers.of(&name)));
            }
            plan.numbers.note(name, head, damage.is_some());
        }
        Ok(unpromised)
    }

    fn ended(
        &self,
        request: Request,
        plan: &mut Plan,
        end: &LogEnd,
        (last, unpromised): (PhysicalOffset, Option<Unpromised>),
    ) -> Result<(), OfflineError> {
        if let Some(cut) = request.truncate_at {
            if cut > end.at {
                return Err(OfflineError::NotThere(format!("cannot cut at {cut}: the log ends at {}", end.at)));
            }
            // A blank may stand between the last record and the end.
            if cut != plan.log_end && cut != end.at {
                return Err(no_border(cut, [last, plan.log_end, end.at]));
            }
            if end.tail.is_none() {
                return Err(OfflineError::NotThere(format!("nothing is to be cut at {cut}: the log ends there")));
            }
            plan.log_end = cut;
            return Ok(());
        }
        plan.log_end = end.at;
        if let Some(problem) = &end.tail {
            plan.has_tail = true;
            let problem = format!("{problem}; the next start of a broker cuts this off");
            plan.findings.note(Part::Log, self.place(end.at), problem);
        } else if let Some(torn) = unpromised {
            // As recovery takes it: nobody was promised the last record, and nothing lies behind it.
            (plan.has_tail, plan.log_end, plan.newest) = (true, torn.at, torn.newest);
            plan.records -= 1;
            if let Some((name, queue)) = torn.queue {
                plan.numbers.restore(name, queue);
            }
            plan.findings.note(Part::Log, torn.finding.0, "a torn tail; the next start of a broker cuts this off");
        }
        Ok(())
    }

    fn broken(&self, request: Request, gap: &Break, last: PhysicalOffset) -> OfflineError {
        let place = self.place(gap.at);
        if let Some(cut) = request.truncate_at.filter(|cut| *cut < gap.until) {
            return no_border(cut, [last, gap.at, gap.until]);
        }
        OfflineError::Undecided(format!(
            "{place}: no record: {}; records go on at {}. Restore the file from a copy, or give up what lies behind with \
            --truncate-at {}",
            gap.problem, gap.until, gap.at
        ))
    }

    /// Decides which records have their numbers in spite of earlier ones, tells of them, and with that what queues there will be.
    fn decide_numbers(&self, plan: &mut Plan, entries: &mut EntryReader<'_>) -> Result<(), StoreError> {
        plan.numbers.finish(|(topic, queue_id), number| {
            let Some((index, queue)) = self.queues.queue(topic.as_str(), *queue_id) else { return Ok(None) };
            let entry = entries.entry(index, queue, QueueOffset(number))?;
            Ok(entry.filter(|entry| entry.is_valid() && !entry.is_blank()).map(|entry| entry.physical))
        })?;
        for ((topic, queue_id), back) in plan.numbers.backs() {
            let place = self.place(back.at).in_queue(topic.as_str(), *queue_id, QueueOffset(back.number));
            let (number, next) = (back.number, back.next);
            if back.is_given_again {
                let problem = format!(
                    "from here on numbers from {number} on are given again, as after a deletion of the topic or a loss of \
                    entries: the queue gets these records, and none of the earlier ones of number {number} to {}",
                    next - 1
                );
                plan.findings.note(Part::Queue, place, problem);
            } else {
                let problem = format!(
                    "its number is {number} where {next} comes next, and the queue does not go on from there: it gets no entry"
                );
                plan.findings.fault(Part::Log, place, problem);
            }
        }
        plan.queues = plan.numbers.planned();
        Ok(())
    }

    fn look_at_queues(&self, plan: &mut Plan, entries: &mut EntryReader<'_>) -> Result<(), StoreError> {
        for (index, queue) in self.queues.all().iter().enumerate() {
            let bounds = survey::bounds(self, entries, index, queue)?;
            let name = (queue.topic.clone(), queue.queue_id);
            let is_expired = bounds.max.0 > 0 && bounds.min == bounds.max && !plan.queues.contains_key(&name);
            let last = entries.entry(index, queue, QueueOffset(bounds.max.0.saturating_sub(1)))?;
            let last = last.map_or(PhysicalOffset(0), |entry| entry.physical);
            if self.is_deleted(queue.topic.as_str(), last) && !plan.queues.contains_key(&name) {
                continue;
            }
            let planned = plan.queues.entry(name).or_default();
            planned.before = Some((bounds.min.0, bounds.max.0));
            if is_expired {
                planned.is_expired = true;
                planned.after = Some((bounds.max.0, bounds.max.0));
            } else if planned.after.is_none() && bounds.min < bounds.max {
                let kept = kept_name("consumequeue", plan.number);
                let problem = format!(
                    "its entries lead to records of other queues ({INNER_MULTI_DISPATCH}), if to any: it is not made anew, and \
                    stays in {kept} alone"
                );
                let place = Place::file(&queue.directory).in_queue(queue.topic.as_str(), queue.queue_id, bounds.min);
                plan.findings.fault(Part::Queue, place, problem);
            }
        }
        Ok(())
    }

    /// A broker would not open such a log, whatever its queues are.
    fn refuse_strange_log(&self) -> Result<(), OfflineError> {
        let is_of_log = |finding: &&Finding| finding.part == Part::Log && finding.severity == Severity::Fault;
        match self.strange.listed().iter().find(is_of_log) {
            Some(finding) => Err(OfflineError::Undecided(format!("{}: {}", finding.place, finding.problem))),
            None if self.log.all().is_empty() => {
                let path = self.options.log_dirs().into_iter().next().unwrap_or_default();
                Err(OfflineError::Undecided(format!("{} holds no log to make anything from", path.display())))
            }
            None => Ok(()),
        }
    }

    /// A start refuses such a log, wherever it ends, and to cut it could take the wrong part.
    fn refuse_misplaced_files(&self) -> Result<(), OfflineError> {
        let mut log = LogReader::new(self.disk.clone(), self.log.clone(), JUMP_BYTES);
        for file in self.log.all() {
            if let Some(elsewhere) = log.first_lies_at(file.base)?.filter(|at| at.0 != file.base) {
                return Err(OfflineError::Undecided(format!(
                    "{}: by its first record it is the part of the log at offset {elsewhere}. Give the file the name that it had",
                    file.path.display()
                )));
            }
        }
        Ok(())
    }

    /// Without it deleted messages would come back.
    fn refuse_unknown_deletions(&self) -> Result<(), OfflineError> {
        if self.deleted.value.is_some() || self.deleted.warnings.is_empty() {
            return Ok(());
        }
        let problem = self.deleted.warnings.join("; ");
        Err(OfflineError::Undecided(format!(
            "which topics were deleted cannot be read: {problem}. Restore the file from a copy, or remove it and its copy if \
            none is to stay deleted"
        )))
    }

    fn moves(&self, number: u32) -> Result<Vec<Move>, StoreError> {
        let mut moves = Vec::new();
        for name in self.made_anew() {
            let from = self.options.file(name);
            if self.disk.entry(&from).map_err(StoreError::io("stat", &from))?.is_some() {
                moves.push(Move { from, to: self.options.file(&kept_name(name, number)) });
            }
        }
        Ok(moves)
    }

    /// The directories that are made anew.
    pub(super) fn made_anew(&self) -> Vec<&'static str> {
        let index = self.options.index_enabled.then_some("index");
        let extension = self.options.queue_ext_enabled.then_some("consumequeue_ext");
        [Some("consumequeue"), extension, index].into_iter().flatten().collect()
    }

    /// The first number that no earlier repair has left anything under.
    fn next_number(&self) -> Result<u32, StoreError> {
        let root = self.options.root();
        let entries = self.disk.list(root).map_err(StoreError::io("list", root))?;
        let of_repair = |name: &str| name.rsplit_once("repair-").and_then(|(_, number)| number.parse::<u32>().ok());
        let last = entries.iter().filter_map(|entry| of_repair(&entry.name)).max();
        Ok(last.map_or(1, |last| last.saturating_add(1)))
    }
}

/// What a directory is called once another has taken its place.
fn kept_name(name: &str, number: u32) -> String {
    format!("{name}.before-repair-{number}")
}

/// Tells the nearest of some places between which a cut was to be.
fn no_border(cut: PhysicalOffset, places: [PhysicalOffset; 3]) -> OfflineError {
    let before = places.iter().filter(|place| **place < cut).max().unwrap_or(&cut);
    let behind = places.iter().filter(|place| **place > cut).min().unwrap_or(&cut);
    OfflineError::NotThere(format!(
        "cannot cut at {cut}: no record ends or begins there; the nearest places are {before} and {behind}"
    ))
}
