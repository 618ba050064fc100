//! Reads what was sent lately to topics that store each send once only, before the broker takes sends.

use std::sync::Arc;

use crate::actors::broker::StartError;
use crate::actors::options::BrokerOptions;
use crate::broker::duplicates::RecentSends;
use crate::broker::duplicates::replay::Replay;
use crate::broker::topics::TopicTable;
use crate::protocol::units::{PhysicalOffset, StoreTime};
use crate::store::{DeletedTopics, LogView};

/// After so many records it is said how far the reading has come.
const SAY_EVERY: usize = 1_000_000;

/// What was sent lately; reads the log back to the longest window, on a thread of its own.
pub(super) async fn recent_sends(
    options: &BrokerOptions,
    topics: TopicTable,
    log: LogView,
    deleted: DeletedTopics,
) -> Result<RecentSends, StartError> {
    let (clock, recent) = (Arc::clone(&options.clock), RecentSends::new(options.duplicate_keys_max));
    let wrong = |error| tracing::warn!("{error}; the topic stores each send as often as it comes");
    let replay = Replay::new(&topics, recent, StoreTime(clock.now_ms()), wrong);
    let Some(from) = replay.from() else { return Ok(replay.finish()) };
    let read = actix_rt::task::spawn_blocking(move || read(replay, &log, from, &deleted));
    read.await.map_err(|_| StartError::Interrupted)
}

fn read(mut replay: Replay, log: &LogView, from: StoreTime, deleted: &DeletedTopics) -> RecentSends {
    let begin = begin(log, from);
    let (mut cursor, end, mut records) = (log.cursor(begin), log.written(), 0);
    loop {
        match cursor.next(end) {
            Ok(Some(record)) => replay.take(&record, deleted),
            Ok(None) => break,
            Err(unreadable) => {
                tracing::error!(?unreadable, "sends behind this place may be stored a second time");
                break;
            }
        }
        records += 1;
        if records % SAY_EVERY == 0 {
            tracing::info!(at = %cursor.position(), %end, "reading what was sent lately");
        }
    }
    if replay.left_out() > 0 {
        let left_out = replay.left_out();
        tracing::warn!(left_out, "older sends are not known again: more were sent than duplicateKeysMax allows for");
    }
    let recent = replay.finish();
    tracing::info!(from = %begin, records, sends = recent.len(), "read what was sent lately");
    recent
}

/// The beginning of the last segment that begins before a time, or of the log.
fn begin(log: &LogView, from: StoreTime) -> PhysicalOffset {
    let segments = log.segments().all();
    let bases = segments.iter().rev().map(|segment| PhysicalOffset(segment.base()));
    let is_before = |base: &PhysicalOffset| log.with_record(*base, |first| first.store_time < from).unwrap_or(false);
    bases.into_iter().find(is_before).unwrap_or_else(|| log.min())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::names::Topic;
    use crate::protocol::units::{BornTime, QueueId};
    use crate::store::{FileDisk, NewMessage, PutBatch, StoreOptions, open};

    /// Reading more than needed costs a start its time, reading less stores messages twice.
    #[test]
    fn reading_begins_in_the_last_segment_that_begins_before_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { log_segment_bytes: 4_096, ..StoreOptions::at(directory.path()) };
        let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
        let (topic, host) = (Topic::parse("T").unwrap(), "127.0.0.1:1".parse().unwrap());
        let message = NewMessage::plain(&topic, QueueId(0), BornTime(0), host, &[0; 3_000]);
        let batch = PutBatch::of(&message).unwrap();
        let mut placed = Vec::new();
        // One in each segment.
        for at in [100, 200, 300] {
            batch.iter().for_each(|put| store.log.append(put, StoreTime(at), &mut placed).unwrap());
        }
        store.log.publish().unwrap();
        let begins = [50, 100, 101, 200, 201, 300, 301].map(|from| begin(&store.log.view(), StoreTime(from)).0);
        assert_eq!(begins, [0, 0, 0, 0, 4_096, 4_096, 8_192]);
    }
}
