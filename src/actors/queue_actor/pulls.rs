//! What a queue does with a pull: chooses, answers, parks, or has the pool do what may have to wait for the disk.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Recipient};
use bytes::BytesMut;

use super::{Chosen, Pull, QueueActor, QueueShared, SCRATCH_ENTRIES_KEPT, Warmed};
use crate::actors::append_answer::AppendAnswer;
use crate::actors::commitlog_actor::AppendBatch;
use crate::actors::fault::notify;
use crate::actors::hold_actor::Park;
use crate::actors::pull_reply::PullReply;
use crate::broker::hold::Wait;
use crate::broker::pull::moved::Moved;
use crate::broker::pull::{self, PullLimits, PullStatus, QueueBounds, Selection};
use crate::net::reply::when_ready;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::codes::response;
use crate::protocol::message::RecordHead;
use crate::protocol::units::{BornTime, PhysicalOffset, QueueOffset};
use crate::store::{LogView, QueueEntry, QueueRead, StoreError};

/// A queue tells of groups that ask for what is not there this often at most.
const MOVED_EVERY: Duration = Duration::from_secs(1);
/// Records on whose properties a condition decides in one go; more are left to the pool.
const CONDITIONS_AT_ONCE: usize = 128;

impl QueueActor {
    pub(super) fn pull(&mut self, pull: Pull, ctx: &mut Context<Self>) {
        let again = || {
            let queue = ctx.address().recipient();
            move |pull| notify(&queue, pull)
        };
        let Some(pull) = when_ready(pull, |pull| pull.reply.handle(), again) else { return };
        if let Some(pull) = self.in_memory(pull, ctx) {
            self.serve(pull, ctx);
        }
    }

    pub(super) fn serve(&mut self, pull: Pull, ctx: &mut Context<Self>) {
        let bounds = self.bounds();
        match self.select(&pull, &bounds) {
            Ok(Some(selection)) => self.settle(pull, Ok(selection), &bounds, ctx),
            Ok(None) => self.select_cold(pull, bounds, ctx),
            Err(error) => self.settle(pull, Err(error), &bounds, ctx),
        }
    }

    /// Does what follows from what was chosen.
    pub(super) fn settle(
        &mut self,
        pull: Pull,
        selection: Result<Selection, StoreError>,
        bounds: &QueueBounds,
        ctx: &mut Context<Self>,
    ) {
        let selection = match selection {
            Ok(selection) => selection,
            Err(error) => return pull.reply.refuse(error.into()),
        };
        let code = selection.status.code(pull.offset);
        match (code, pull.suspend) {
            (response::SUCCESS, _) => {
                self.count_found(&pull, &selection, ctx);
                self.answer(pull.reply, selection, bounds);
            }
            (response::PULL_NOT_FOUND, Some(limit)) => {
                self.count_missed(ctx);
                self.park(pull, limit, ctx);
            }
            _ => {
                self.count_missed(ctx);
                if code == response::PULL_OFFSET_MOVED {
                    self.note_moved(&pull, selection.next);
                }
                let is_behind = selection.is_behind(bounds, &self.shared.limits());
                pull.reply.within(bounds, is_behind).without_records(code, selection.status, selection.next);
            }
        }
    }

    /// Stores a message about a group that asked for an offset that is not there, for whoever watches over consumers.
    fn note_moved(&mut self, pull: &Pull, next: QueueOffset) {
        let now = self.shared.clock.elapsed();
        if self.moved_at.is_some_and(|at| now.saturating_sub(at) < MOVED_EVERY) {
            return;
        }
        self.moved_at = Some(now);
        let QueueShared { broker_name, host, clock, append, .. } = &*self.shared;
        let queue = MessageQueue {
            broker_name: broker_name.to_string(),
            queue_id: self.queue.queue_id().0 as i32,
            topic: self.queue.topic().to_string(),
        };
        let moved = Moved { group: &pull.group.group_name, queue, asked: pull.offset, next };
        match moved.message(*host, BornTime(clock.now_ms())) {
            Ok(puts) => append.notify(AppendBatch { puts, keys: Vec::new(), answer: AppendAnswer::Nobody }),
            Err(error) => tracing::warn!(%error, "a moved offset cannot be told of"),
        }
    }

    /// The pull, if its entries are in memory; otherwise it is served when the pool has read them.
    fn in_memory(&mut self, pull: Pull, ctx: &mut Context<Self>) -> Option<Pull> {
        let offset = u64::try_from(pull.offset.0).unwrap_or(0);
        if offset >= self.cold_below.0 || self.warm.contains(&offset) {
            return Some(pull);
        }
        // Out of bounds: answered without a look at any entry.
        let Some(warm_up) = self.queue.warm_up(QueueOffset(offset)) else { return Some(pull) };
        let queue: Recipient<Warmed> = ctx.address().recipient();
        self.shared.pool.run(move |_| {
            let entries = warm_up.entries();
            if let Err(error) = warm_up.run() {
                // The pull finds the same out, and says so to its client.
                tracing::warn!(%error, "cannot read queue entries ahead");
            }
            notify(&queue, Warmed { pull, entries });
        });
        None
    }

    /// Chooses; `None` if records have to be read for that which may not be in memory.
    fn select(&mut self, pull: &Pull, bounds: &QueueBounds) -> Result<Option<Selection>, StoreError> {
        let offset = match pull::begin(pull.offset, bounds) {
            Ok(offset) => offset,
            Err(nothing) => return Ok(Some(nothing)),
        };
        // Mostly the first entries fill the answer; only a filter that rejects many makes the whole scan worth reading.
        // A pull for no message gets one all the same, as the first that passes is given whatever was asked.
        let (wanted, all) = (pull.wanted.max(1) as usize, pull::entries_max(pull.wanted));
        let few = (2 * wanted).min(all);
        let Some(selection) = self.scan(offset, pull, few, bounds)? else { return Ok(None) };
        let read_all_of_few = selection.next.0 - offset.0 == few as u64;
        if selection.records.len() < wanted && read_all_of_few && few < all {
            return self.scan(offset, pull, all, bounds);
        }
        Ok(Some(selection))
    }

    fn scan(
        &mut self,
        offset: QueueOffset,
        pull: &Pull,
        entries: usize,
        bounds: &QueueBounds,
    ) -> Result<Option<Selection>, StoreError> {
        let Self { queue, scratch, shared, .. } = self;
        scratch.clear();
        scratch.shrink_to(SCRATCH_ENTRIES_KEPT);
        if let QueueRead::NoFile { next } = queue.read(offset, entries, scratch)? {
            return Ok(Some(Selection::empty(PullStatus::OffsetFoundNull, next)));
        }
        let reads_units = queue.is_extended() && pull.filter.reads_units();
        let looks_further = reads_units || pull.filter.reads_records();
        // Conditions may be long, and whoever else is served here waits meanwhile.
        if pull.filter.reads_records() && scratch.len() > CONDITIONS_AT_ONCE {
            return Ok(None);
        }
        if looks_further && scratch.iter().any(|entry| shared.may_be_cold(entry.physical, bounds)) {
            return Ok(None);
        }
        let passes = |entry: &QueueEntry| {
            let address = entry.unit_address().filter(|_| reads_units);
            // A unit that cannot be read is as one that is missing.
            let unit = address.and_then(|address| queue.unit(address).ok().flatten());
            pull.filter.passes(entry, unit, in_memory(&shared.log, entry))
        };
        Ok(Some(pull::select(offset, pull.wanted, passes, scratch, bounds, &shared.limits())))
    }

    /// Has the pool choose, which reads the records, and the units of an extension.
    fn select_cold(&mut self, pull: Pull, bounds: QueueBounds, ctx: &mut Context<Self>) {
        let offset = QueueOffset(u64::try_from(pull.offset.0).unwrap_or(0));
        let (queue, shared, snapshot) = (ctx.address().recipient(), Arc::clone(&self.shared), self.queue.snapshot());
        self.shared.pool.run(move |scratch| {
            let selection = snapshot.entries(offset, pull::entries_max(pull.wanted)).map(|entries| {
                let mut units = snapshot.unit_reader().filter(|_| pull.filter.reads_units());
                let passes = |entry: &QueueEntry| {
                    let found = units.as_mut().zip(entry.unit_address());
                    let unit = found.and_then(|(units, address)| units.unit(address).ok().flatten());
                    pull.filter.passes(entry, unit, from_disk(&shared.log, entry, scratch))
                };
                pull::select(offset, pull.wanted, passes, &entries, &bounds, &shared.limits())
            });
            notify(&queue, Chosen { pull, bounds, selection });
        });
    }

    fn answer(&self, reply: PullReply, selection: Selection, bounds: &QueueBounds) {
        let oldest = selection.records.first().map_or(bounds.log_end, |(physical, _)| *physical);
        let reply = reply.within(bounds, selection.is_behind(bounds, &self.shared.limits()));
        if self.shared.may_be_cold(oldest, bounds) {
            self.shared.pool.read(reply, selection);
        } else {
            reply.from_memory(&self.shared.log, &selection);
        }
    }

    fn park(&mut self, pull: Pull, limit: Duration, ctx: &mut Context<Self>) {
        self.awaited = true;
        pull.reply.park(limit);
        let wait = Wait {
            topic: self.queue.topic().clone(),
            queue_id: self.queue.queue_id(),
            from: QueueOffset(u64::try_from(pull.offset.0).unwrap_or(0)),
            filter: pull.filter.clone(),
            until: self.shared.clock.elapsed() + limit,
            connection: pull.reply.connection(),
        };
        let pull = Pull { suspend: None, ..pull };
        notify(&self.shared.hold.park, Park { wait, pull, queue: ctx.address().recipient() });
    }
}

impl QueueShared {
    fn limits(&self) -> PullLimits {
        self.live.load().rules.limits
    }

    /// Whether a record may have to be read from the disk.
    fn may_be_cold(&self, physical: PhysicalOffset, bounds: &QueueBounds) -> bool {
        physical < self.written_since || physical.0 < bounds.log_end.0.saturating_sub(self.limits().memory_bytes)
    }
}

/// Gives a filter the properties of a record that is in memory.
pub(in crate::actors) fn in_memory(
    log: &LogView,
    entry: &QueueEntry,
) -> impl FnOnce(&dyn Fn(&str) -> bool) -> Option<bool> {
    move |passes| log.with_record(entry.physical, |record| passes(record.properties))
}

/// The same of one that may have to be read from the disk.
fn from_disk(
    log: &LogView,
    entry: &QueueEntry,
    scratch: &mut BytesMut,
) -> impl FnOnce(&dyn Fn(&str) -> bool) -> Option<bool> {
    move |passes| {
        scratch.clear();
        // A filter has no way to say that the disk failed; the answer, which reads the record again, has.
        let read = log.read_cold(entry.physical, entry.size.unsigned_abs(), scratch);
        let record = read.ok().filter(|read| *read).and_then(|_| RecordHead::parse(scratch).ok())?;
        Some(passes(record.properties))
    }
}
