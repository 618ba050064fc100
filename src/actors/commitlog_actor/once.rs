//! Appends what is to be stored once only.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::actors::append_answer::Outcomes;
use crate::broker::duplicates::{First, PutKeys, RecentSends, SendKey};
use crate::protocol::codes::response;
use crate::protocol::message::size_and_sys_flag;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::StoreTime;
use crate::store::{CommitLog, PutRef};

/// When there is no room, so many sends more than are needed are looked at that may have left their window.
const SWEPT_FOR_ROOM: usize = 1_024;

/// Where a message of a put lies.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Where an earlier send has put it.
    Earlier(First),
    /// With so many others of this put before it.
    Here(usize),
}

/// Appends the messages of a put that were not sent before, and notes where all of them lie.
#[cold]
pub(super) fn append(
    log: &mut CommitLog,
    recent: &mut RecentSends,
    outcomes: &mut Outcomes,
    (put, keys): (PutRef<'_>, &PutKeys),
    now: StoreTime,
) {
    let (sources, fresh) = sources(recent, keys, now);
    let to_remember = fresh.iter().flatten().count();
    if !recent.has_room_for(to_remember) {
        recent.sweep(now, SWEPT_FOR_ROOM + to_remember);
    }
    if !recent.has_room_for(to_remember) {
        return outcomes.refused(no_room(recent, keys));
    }
    let mut placed = Vec::with_capacity(fresh.len());
    let everything = fresh.len() == sources.len();
    let kept = if everything { Vec::new() } else { records_of(put.records, &sources) };
    let put = PutRef { records: if everything { put.records } else { &kept }, ..put };
    if let Err(error) = log.append(put, now, &mut placed) {
        return outcomes.refused(error.into());
    }
    for (key, placed) in fresh.iter().zip(&placed) {
        if let Some(key) = key {
            let first = First { queue_id: keys.queue_id, placed: *placed };
            recent.note(&keys.topic, *key, keys.window_ms, first, now);
        }
    }
    let queue_id = match sources.first() {
        Some(Source::Earlier(first)) => first.queue_id,
        _ => keys.queue_id,
    };
    if !everything {
        recent.suppressed(sources.len() - fresh.len());
        tracing::debug!(topic = %keys.topic, of = sources.len(), stored = fresh.len(), "a send came a second time");
    }
    let lies_at = |source: &Source| match source {
        Source::Earlier(first) => Some(first.placed),
        Source::Here(number) => placed.get(*number).copied(),
    };
    outcomes.again(sources.iter().filter_map(lies_at), queue_id);
}

/// Where each message of a put lies, and the keys of those that are still to be stored.
fn sources(recent: &RecentSends, keys: &PutKeys, now: StoreTime) -> (SmallVec<[Source; 1]>, Vec<Option<SendKey>>) {
    let (mut here, mut fresh) = (HashMap::new(), Vec::new());
    let source = |key: &Option<SendKey>| {
        let earlier = key.and_then(|key| recent.find(&keys.topic, key, keys.window_ms, now));
        if let Some(first) = earlier {
            return Source::Earlier(first);
        }
        // A batch may hold a message twice.
        if let Some(number) = key.and_then(|key| here.get(&key).copied()) {
            return Source::Here(number);
        }
        let number = fresh.len();
        here.extend(key.map(|key| (key, number)));
        fresh.push(*key);
        Source::Here(number)
    };
    (keys.keys.iter().map(source).collect(), fresh)
}

/// The records of the messages that are to be stored, one behind the other.
fn records_of(mut records: &[u8], sources: &[Source]) -> Vec<u8> {
    let (mut kept, mut next) = (Vec::new(), 0);
    for source in sources {
        let (record, rest) = records.split_at(size_and_sys_flag(records).0);
        if matches!(source, Source::Here(number) if *number == next) {
            kept.extend_from_slice(record);
            next += 1;
        }
        records = rest;
    }
    kept
}

fn no_room(recent: &RecentSends, keys: &PutKeys) -> Refusal {
    let remark = format!(
        "[TOO_MANY_KEYS]the broker remembers {} sends for topics with {} already, and cannot tell whether this one to {} \
         comes a second time; make the window shorter, or duplicateKeysMax larger",
        recent.count_max(),
        crate::broker::duplicates::WINDOW_ATTRIBUTE,
        keys.topic,
    );
    Refusal::new(response::SYSTEM_BUSY, remark)
}
