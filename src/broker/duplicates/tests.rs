use super::*;
use crate::broker::topics::{TopicSettings, Topics};
use crate::protocol::body::topic_config::Permission;
use crate::protocol::message::RecordHead;
use crate::protocol::properties::with;
use crate::protocol::sys_flag;
use crate::protocol::units::{PhysicalOffset, QueueOffset};
use crate::store::DeletedTopics;

const WINDOW_MS: i64 = 1_000;

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn first(physical: u64) -> First {
    let placed = Placed { physical: PhysicalOffset(physical), size: 100, queue_offset: QueueOffset(physical / 100) };
    First { queue_id: QueueId(3), placed }
}

fn asking(name: &str, window: &str) -> TopicConfig {
    let mut config = TopicConfig::new(name, 4, Permission::READ_WRITE);
    config.attributes.insert(WINDOW_ATTRIBUTE.into(), window.into());
    config
}

#[test]
fn a_topic_asks_with_an_attribute() {
    assert_eq!(window_of(&TopicConfig::new("T", 4, Permission::READ_WRITE)), Ok(None));
    assert_eq!(window_of(&asking("T", "60000")), Ok(Some(60_000)));
    assert_eq!(window_of(&asking("T", "86400000")), Ok(Some(WINDOW_MS_MAX)));
    for wrong in ["", "0", "-1", "1m", "86400001", "9223372036854775808"] {
        assert_eq!(window_of(&asking("T", wrong)), Err(WindowError::Value(wrong.into())));
    }
    for of_group in ["%RETRY%g", "%DLQ%g"] {
        assert_eq!(window_of(&asking(of_group, "1")), Err(WindowError::OfGroup(of_group.into())));
    }
}

#[test]
fn the_key_that_a_producer_names_goes_before_that_of_its_client() {
    let key = |pairs: &[(&str, &str)]| SendKey::in_properties(&with(b"", pairs));
    let of = |text: &str| Some(SendKey::of(text.as_bytes()));
    assert_eq!(key(&[("A", "a")]), None);
    assert_eq!(key(&[("UNIQ_KEY", "u")]), of("u"));
    assert_eq!(key(&[("UNIQ_KEY", "u"), ("IDEMPOTENCE_KEY", "k")]), of("k"));
    // An empty one is none, and of two the first counts: the own one of a message in a batch.
    assert_eq!(SendKey::in_properties(b"IDEMPOTENCE_KEY\x01\x02UNIQ_KEY\x01u\x02UNIQ_KEY\x01of-batch"), of("u"));
    assert_ne!(of("u"), of("v"));
}

#[test]
fn a_key_is_known_for_its_window_and_in_its_topic() {
    let mut recent = RecentSends::new(10);
    let (t, other, key) = (topic("T"), topic("O"), SendKey::of(b"k"));
    let find = |recent: &RecentSends, topic, at| recent.find(topic, key, WINDOW_MS, StoreTime(at));
    assert_eq!(find(&recent, &t, 5_000), None);
    recent.note(&t, key, WINDOW_MS, first(100), StoreTime(5_000));
    assert_eq!(find(&recent, &t, 5_999), Some(first(100)));
    assert_eq!((find(&recent, &t, 6_000), find(&recent, &other, 5_000)), (None, None));
    // A clock that is set back makes no send new.
    assert_eq!(find(&recent, &t, 4_000), Some(first(100)));
    // Once its window is over it is the first of another one.
    recent.note(&t, key, WINDOW_MS, first(900), StoreTime(6_000));
    assert_eq!((find(&recent, &t, 6_999), recent.len()), (Some(first(900)), 1));
    recent.forget(&t);
    assert_eq!((find(&recent, &t, 6_500), recent.len()), (None, 0));
}

#[test]
fn what_has_left_its_window_takes_no_room() {
    let mut recent = RecentSends::new(100);
    let [t, idle] = ["T", "idle"].map(topic);
    recent.note(&idle, SendKey::of(b"i"), WINDOW_MS, first(0), StoreTime(0));
    for number in 0_u64..100 {
        let key = SendKey::of(&number.to_be_bytes());
        recent.note(&t, key, WINDOW_MS, first(number * 100), StoreTime(number as i64 * 100));
    }
    // Those of the last 900 ms and the one before which the last was noted; the idle topic was not looked at.
    assert_eq!((recent.len(), recent.has_room_for(89), recent.has_room_for(90)), (11, true, false));
    assert!(!recent.sweep(StoreTime(9_900), 100));
    assert_eq!(recent.len(), 10);
    assert!(recent.sweep(StoreTime(20_000), 7), "there are more");
    assert_eq!(recent.len(), 3);
    assert!(!recent.sweep(StoreTime(20_000), 7));
    assert!(recent.is_empty() && recent.topics.is_empty());
}

/// The writer of the log does not wait for a million of them to be forgotten.
#[test]
fn a_window_that_became_short_is_cleared_little_by_little() {
    let mut recent = RecentSends::new(1_000);
    let t = topic("T");
    let key = |number: u64| SendKey::of(&number.to_be_bytes());
    for number in 0..100 {
        recent.note(&t, key(number), 1_000_000, first(number * 100), StoreTime(number as i64));
    }
    // The first is sent again before anybody has forgotten it.
    recent.note(&t, key(99), 1, first(10_000), StoreTime(5_000));
    assert_eq!(recent.len(), 100 - SWEPT_WITH_EACH);
    recent.note(&t, key(50), 1_000_000, first(10_100), StoreTime(5_000));
    assert_eq!(recent.find(&t, key(50), 1_000_000, StoreTime(5_001)), Some(first(10_100)));
    assert!(!recent.sweep(StoreTime(1_000_099), 1_000));
    assert_eq!(recent.len(), 2, "those that were sent again are known by their newer time");
    recent.sweep(StoreTime(1_005_000), 1_000);
    assert!(recent.is_empty() && recent.topics.is_empty());
}

/// Topic, store time, flags and properties of a record.
type Stored<'a> = (&'a str, i64, i32, &'a [(&'a str, &'a str)]);

/// What the records of a log say of the sends to T, whose window is a second: each key with its place and queue.
fn replayed(records: &[Stored<'_>]) -> Vec<(&'static str, u64, u32)> {
    replayed_with_room_for(100, records)
}

fn replayed_with_room_for(max: usize, records: &[Stored<'_>]) -> Vec<(&'static str, u64, u32)> {
    let mut topics = Topics::new(TopicSettings::default(), 0);
    topics.update(asking("T", "1000"), 0).unwrap();
    let mut replay = replay::Replay::new(&topics.table(), RecentSends::new(max), StoreTime(10_000), |_| {});
    assert_eq!(replay.from(), Some(StoreTime(9_000)));
    for (number, (topic, at, flags, pairs)) in records.iter().enumerate() {
        let text = String::from_utf8(with(b"", pairs)).unwrap();
        let record = RecordHead {
            total_size: 100,
            magic: 0,
            body_crc: 0,
            queue_id: QueueId(7),
            queue_offset: QueueOffset(0),
            physical_offset: PhysicalOffset(number as u64 * 100),
            sys_flag: *flags,
            store_time: StoreTime(*at),
            prepared_transaction_offset: 0,
            body: b"",
            topic,
            properties: &text,
        };
        replay.take(&record, &DeletedTopics::default());
    }
    let recent = replay.finish();
    let mut found = Vec::new();
    for key in ["a", "b", "c"] {
        let seen = recent.find(&topic("T"), SendKey::of(key.as_bytes()), WINDOW_MS, StoreTime(10_000));
        found.extend(seen.map(|first| (key, first.placed.physical.0, first.queue_id.0)));
    }
    found
}

#[test]
fn sends_are_known_again_from_the_log() {
    let a = ("UNIQ_KEY", "a");
    assert_eq!(replayed(&[("T", 9_001, 0, &[a])]), [("a", 0, 7)]);
    assert_eq!(replayed(&[("T", 9_000, 0, &[a])]), [], "its window is over");
    assert_eq!(replayed(&[("O", 9_500, 0, &[a])]), [], "another topic");
    assert_eq!(replayed(&[("T", 9_500, 0, &[a]), ("T", 9_600, 0, &[a])]), [("a", 0, 7)], "the first counts");
    let real = [("REAL_TOPIC", "T"), ("REAL_QID", "2")];
    for aside in ["SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "rmq_sys_wheel_timer"] {
        assert_eq!(replayed(&[(aside, 9_500, 0, &[a, real[0], real[1]])]), [("a", 0, 2)], "{aside}");
    }
}

/// Who has just sent is the likeliest to try again.
#[test]
fn of_more_sends_than_can_be_remembered_the_newest_are() {
    let records: Vec<Stored<'_>> = [&[("UNIQ_KEY", "a")], &[("UNIQ_KEY", "b")], &[("UNIQ_KEY", "c")]]
        .map(|pairs| ("T", 9_500, 0, &pairs[..]))
        .into();
    assert_eq!(replayed_with_room_for(3, &records), [("a", 0, 7), ("b", 100, 7), ("c", 200, 7)]);
    assert_eq!(replayed_with_room_for(2, &records), [("b", 100, 7), ("c", 200, 7)]);
    assert_eq!(replayed_with_room_for(0, &records), []);
}

/// The send was long before them.
#[test]
fn copies_that_the_broker_makes_are_no_sends() {
    let (a, real) = (("UNIQ_KEY", "a"), [("REAL_TOPIC", "T"), ("REAL_QID", "2")]);
    assert_eq!(replayed(&[("T", 9_500, 0, &[a, real[0], real[1]])]), [], "delivered");
    assert_eq!(replayed(&[("T", 9_500, sys_flag::TRANSACTION_COMMIT, &[a])]), [], "committed");
    let checked = [a, real[0], real[1], ("TRANSACTION_CHECK_TIMES", "1")];
    assert_eq!(replayed(&[("RMQ_SYS_TRANS_HALF_TOPIC", 9_500, 0, &checked)]), [], "asked about");
    let immune = [a, real[0], real[1], ("TRAN_PREPARED_QUEUE_OFFSET", "0")];
    assert_eq!(replayed(&[("RMQ_SYS_TRANS_HALF_TOPIC", 9_500, 0, &immune)]), [], "put back");
    // Who passes a message on with the properties that it had has sent it.
    let passed_on = [a, ("TRANSACTION_CHECK_TIMES", "1"), ("TIMER_ROLL_TIMES", "1")];
    assert_eq!(replayed(&[("T", 9_500, 0, &passed_on)]), [("a", 0, 7)]);
    let rolled = [a, real[0], real[1], ("TIMER_ROLL_TIMES", "1")];
    assert_eq!(replayed(&[("rmq_sys_wheel_timer", 9_500, 0, &rolled)]), [], "stored again after a day");
}
