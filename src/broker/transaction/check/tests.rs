#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::protocol::message;
use crate::protocol::units::{BornTime, PhysicalOffset, StoreTime};

const RULES: CheckRules = CheckRules { timeout_ms: 6_000, check_max: 15, keep_ms: 1_000_000 };
const BEGAN: i64 = 100_000;

/// A half message that was born and stored so long before the round began.
fn half(age_ms: i64, properties: &str) -> Message {
    Message {
        topic: "RMQ_SYS_TRANS_HALF_TOPIC".into(),
        queue_id: QueueId(0),
        flag: 5,
        queue_offset: QueueOffset(7),
        physical_offset: PhysicalOffset(700),
        sys_flag: 0,
        born_time: BornTime(BEGAN - age_ms),
        born_host: "10.0.0.1:5".parse().unwrap(),
        store_time: StoreTime(BEGAN - age_ms),
        store_host: "10.0.0.2:6".parse().unwrap(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_crc: message::body_crc(b"half"),
        body: "half".into(),
        properties: Text::from(properties.replace('=', "\u{1}").replace(' ', "\u{2}")),
    }
}

fn check(age_ms: i64, properties: &str, ended: &[u64], expected: Verdict) {
    let mut done = Done::default();
    done.take((QueueOffset(0), QueueOffset(1)), ended.iter().copied().map(QueueOffset), QueueOffset(0));
    let found = verdict(&half(age_ms, properties), QueueOffset(7), &done, &RULES, BEGAN, BEGAN);
    assert_eq!(found, expected, "{age_ms} ms old, {properties:?}, {ended:?} ended");
}

#[test]
fn producers_are_asked_after_their_time() {
    check(6_000, "", &[], Verdict::Ask);
    check(5_999, "", &[], Verdict::TooYoung);
    check(6_000, "", &[7], Verdict::Ended);
    check(6_000, "", &[6, 8], Verdict::Ask);
}

#[test]
fn a_message_that_was_stored_in_this_round_is_left_to_the_next() {
    let mut copied = half(6_000, "");
    copied.store_time = StoreTime(BEGAN);
    assert_eq!(verdict(&copied, QueueOffset(7), &Done::default(), &RULES, BEGAN, BEGAN), Verdict::TooYoung);
}

#[test]
fn a_clock_that_is_ahead_makes_nobody_wait() {
    let mut ahead = half(60_000, "");
    ahead.born_time = BornTime(BEGAN + 1);
    assert_eq!(verdict(&ahead, QueueOffset(7), &Done::default(), &RULES, BEGAN, BEGAN), Verdict::Ask);
}

#[test]
fn asking_ends_after_so_many_times_or_when_the_message_expires() {
    check(60_000, "TRANSACTION_CHECK_TIMES=14", &[], Verdict::Ask);
    check(60_000, "TRANSACTION_CHECK_TIMES=15", &[], Verdict::PutAside);
    check(60_000, "TRANSACTION_CHECK_TIMES=15", &[7], Verdict::Ended);
    check(1_000_001, "", &[], Verdict::PutAside);
}

#[test]
fn immunity_is_longer_or_shorter_than_the_usual_time() {
    check(29_999, "CHECK_IMMUNITY_TIME_IN_SECONDS=30", &[], Verdict::PutBack);
    check(30_000, "CHECK_IMMUNITY_TIME_IN_SECONDS=30", &[], Verdict::Ask);
    check(1_000, "CHECK_IMMUNITY_TIME_IN_SECONDS=1", &[], Verdict::Ask);
    check(5_999, "CHECK_IMMUNITY_TIME_IN_SECONDS=-1", &[], Verdict::PutBack);
    check(5_999, "CHECK_IMMUNITY_TIME_IN_SECONDS=soon", &[], Verdict::TooYoung);
}

/// The op message names the message that its producer knows, also when it comes after the copy.
#[test]
fn a_copy_has_ended_with_what_it_was_copied_from() {
    check(29_999, "CHECK_IMMUNITY_TIME_IN_SECONDS=30 TRAN_PREPARED_QUEUE_OFFSET=3", &[3], Verdict::Ended);
    check(60_000, "CHECK_IMMUNITY_TIME_IN_SECONDS=30 TRAN_PREPARED_QUEUE_OFFSET=3", &[3], Verdict::Ended);
    check(29_999, "CHECK_IMMUNITY_TIME_IN_SECONDS=30 TRAN_PREPARED_QUEUE_OFFSET=3", &[4], Verdict::PutBack);
}

fn copied(properties: &str, verdict: Verdict) -> (String, String) {
    let mut puts = PutBatch::default();
    push(&mut puts, &half(60_000, properties), QueueOffset(7), verdict).unwrap();
    let copy = puts.iter().next().unwrap();
    let (copy, _) = message::decode(&copy.records.to_vec().into()).unwrap();
    (copy.topic.to_string(), copy.properties.replace('\u{1}', "=").replace('\u{2}', " "))
}

#[test]
fn copies_count_the_questions_and_keep_the_first_offset() {
    let half_topic = String::from("RMQ_SYS_TRANS_HALF_TOPIC");
    assert_eq!(copied("A=a", Verdict::Ask), (half_topic.clone(), "A=a TRANSACTION_CHECK_TIMES=1".into()));
    assert_eq!(
        copied("TRANSACTION_CHECK_TIMES=4 A=a", Verdict::Ask),
        (half_topic.clone(), "A=a TRANSACTION_CHECK_TIMES=5".into())
    );
    assert_eq!(copied("A=a", Verdict::PutBack), (half_topic.clone(), "A=a TRAN_PREPARED_QUEUE_OFFSET=7".into()));
    assert_eq!(
        copied("TRAN_PREPARED_QUEUE_OFFSET=3 A=a", Verdict::PutBack),
        (half_topic, "A=a TRAN_PREPARED_QUEUE_OFFSET=3".into())
    );
    assert_eq!(copied("A=a", Verdict::PutAside), ("TRANS_CHECK_MAX_TIME_TOPIC".into(), "A=a".into()));
}

#[test]
fn the_question_is_about_the_copy_in_the_words_of_its_topic() {
    let copy = Placed { physical: PhysicalOffset(900), size: 1, queue_offset: QueueOffset(9) };
    let asked = half(60_000, "PGROUP=PG REAL_TOPIC=T REAL_QID=3 UNIQ_KEY=ID");
    let (group, command) = question(&asked, &copy).unwrap().unwrap();
    let header = CheckTransaction::parse(&command.ext).unwrap();
    assert_eq!((group.as_str(), command.code), ("PG", request::CHECK_TRANSACTION_STATE));
    assert_eq!((header.tran_state_table_offset, header.commit_log_offset), (9, 900));
    assert_eq!((header.msg_id.as_deref(), header.transaction_id.as_deref()), (Some("ID"), Some("ID")));
    assert_eq!(header.offset_msg_id.as_deref(), Some("0A000002000000060000000000000384"));
    let (told, _) = message::decode(&command.body).unwrap();
    assert_eq!((&*told.topic, told.queue_id, &*told.body), ("T", QueueId(3), b"half".as_slice()));
    assert_eq!(question(&half(60_000, "REAL_TOPIC=T REAL_QID=3"), &copy).unwrap(), None, "nobody to be asked");
}
