use std::convert::Infallible;
use std::sync::Arc;

use super::*;
use crate::broker::topics::{TopicSettings, Topics};
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::body::topic_config::{Permission, TopicConfig};

const NOW_MS: i64 = 1_000;

/// A queue whose messages from 2 to 4 are there; each was stored at a hundred times its number.
fn stored_at(offset: QueueOffset) -> Result<Option<StoreTime>, Infallible> {
    Ok((2..5).contains(&offset.0).then(|| StoreTime(offset.0 as i64 * 100)))
}

/// `(consumed, consumer offset, time of the message before it)`
#[test]
fn progress_is_told_with_the_time_of_the_last_message_consumed() {
    let cases = [
        (None, 0, 0),
        (Some(-5), 0, 0),
        (Some(0), 0, 0),
        (Some(2), 2, 0),
        (Some(3), 3, 200),
        (Some(5), 5, 400),
        (Some(9), 9, 0),
        (Some(i64::MAX), i64::MAX, 0),
    ];
    for (consumed, consumer_offset, last_timestamp) in cases {
        let told = progress(QueueOffset(5), consumed.map(ConsumedOffset), stored_at).unwrap();
        assert_eq!(told, QueueProgress { broker_offset: 5, consumer_offset, last_timestamp }, "{consumed:?}");
    }
}

/// `(consumed, time of the last message consumed, how long the next one waits)`
#[test]
fn a_group_is_as_late_as_the_next_message_for_it_is_old() {
    let cases = [
        (None, 200, 800),
        (Some(-5), 200, 800),
        (Some(0), 200, 800),
        (Some(1), -1, 800),
        (Some(3), 200, 700),
        (Some(5), 400, 0),
        (Some(9), -1, 0),
    ];
    for (consumed, consume_time_stamp, delay_time) in cases {
        let bounds = (QueueOffset(2), QueueOffset(5));
        let queue = MessageQueue::default();
        let told = time_span(queue.clone(), bounds, consumed.map(ConsumedOffset), NOW_MS, stored_at).unwrap();
        let (min_time_stamp, max_time_stamp) = (200, 400);
        let expected =
            QueueTimeSpan { consume_time_stamp, delay_time, max_time_stamp, message_queue: queue, min_time_stamp };
        assert_eq!(told, expected, "{consumed:?}");
    }
    let empty = (QueueOffset(0), QueueOffset(0));
    let told = time_span(MessageQueue::default(), empty, None, NOW_MS, |_| Ok::<_, Infallible>(None)).unwrap();
    assert_eq!((told.min_time_stamp, told.max_time_stamp, told.consume_time_stamp), (-1, -1, -1));
    assert_eq!(told.delay_time, 0);
}

fn offsets(stored: &[(&str, &str, u32, i64)]) -> ConsumerOffsets {
    let mut offsets = ConsumerOffsets::default();
    for (topic, group, queue, offset) in stored {
        offsets.commit(topic, group, QueueId(*queue), ConsumedOffset(*offset));
    }
    offsets
}

#[test]
fn of_a_group_that_is_online_only_what_it_wants_is_told() {
    let offsets = offsets(&[("T", "G", 0, 1), ("U", "G", 0, 1), ("Gone", "G", 0, 1), ("V", "Other", 0, 1)]);
    let mut topics = Topics::new(TopicSettings::default(), 0);
    for name in ["T", "U", "V"] {
        topics.update(TopicConfig::new(name, 1, Permission::READ_WRITE), 0).unwrap();
    }
    let table = topics.table();
    let told = |named, online: Option<&GroupSubscription>| topics_of("G", named, &offsets, &table, online);
    assert_eq!(told(None, None), ["T", "U"]);
    assert_eq!(told(Some("V"), None), ["V"]);
    assert_eq!(told(Some("Gone"), None), <[&str; 0]>::default());
    let mut online = GroupSubscription::default();
    assert_eq!(told(None, Some(&online)), ["T", "U"]);
    online.topics.insert("U".into(), Arc::new(SubscriptionData::default()).into());
    assert_eq!(told(None, Some(&online)), ["U"]);
    assert_eq!(told(Some("T"), Some(&online)), <[&str; 0]>::default());
}

#[test]
fn the_smallest_offset_counts_that_lies_in_the_queue() {
    let offsets = offsets(&[("T", "A", 0, 5), ("T", "B", 0, 3), ("T", "C", 0, 1), ("T", "C", 1, -2), ("U", "A", 0, 0)]);
    let min_of = |queue: QueueId| QueueOffset(if queue == QueueId(0) { 2 } else { 0 });
    let told = |filtered| corrections(&counted("T", &offsets, filtered), min_of).correction_offsets;
    assert_eq!(told(None), [(0, 3)].into());
    assert_eq!(told(Some("B,X")), [(0, 5)].into());
    assert_eq!(told(Some("X, B")), [(0, 3)].into(), "blanks are part of a name");
    assert_eq!(told(Some("A,B")), BTreeMap::new());
}

#[test]
fn answers_are_bounded() {
    let mut count = QueueCount::new();
    count.add("T", QUEUES_MAX).unwrap();
    assert!(count.add("T", 1).unwrap_err().remark.contains("topic[T]"));
    assert!(QueueCount::new().add("T", u32::MAX).is_err());
    let counts = [(None, 0), (Some(-3), 0), (Some(2), 2), (Some(i32::MAX), ENTRIES_MAX)];
    for (count, expected) in counts {
        assert_eq!(shown(count), expected);
    }
}
