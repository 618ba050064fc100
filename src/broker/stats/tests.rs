#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const START_MS: i64 = 1_700_000_000_000;
const SECOND: i64 = 1_000;

fn of(messages: u64, bytes: u64) -> Amount {
    Amount { messages, bytes }
}

fn sums(stats: &Stats, name: &str, key: &str, now_ms: i64) -> Option<[i64; 3]> {
    let figures = stats.figures(name, key, now_ms)?;
    Some([figures.stats_minute, figures.stats_hour, figures.stats_day].map(|span| span.sum))
}

#[test]
fn counts_fall_out_of_the_minute_then_the_hour_then_the_day() {
    let mut stats = Stats::new("C", START_MS);
    stats.put("T", of(3, 300), START_MS);
    stats.put("T", of(1, 50), START_MS + 30 * SECOND);
    for (after_s, expected) in [
        (30, [4, 4, 4]),
        (59, [4, 4, 4]),
        (75, [1, 4, 4]),
        (120, [0, 4, 4]),
        (3_600 + 1_200, [0, 0, 4]),
        (23 * 3_600, [0, 0, 4]),
    ] {
        assert_eq!(sums(&stats, "TOPIC_PUT_NUMS", "T", START_MS + after_s * SECOND), Some(expected), "{after_s} s");
    }
    let later = START_MS + 26 * 3_600 * SECOND;
    assert_eq!(sums(&stats, "TOPIC_PUT_NUMS", "T", later), None, "a counter of yesterday is none");
}

#[test]
fn each_counter_has_its_key() {
    let mut stats = Stats::new("C", START_MS);
    stats.put("T", of(2, 200), START_MS);
    stats.got("T", "G", of(4, 40), 2, START_MS);
    stats.sent_back("T", "G", START_MS);
    for (name, key, expected) in [
        ("TOPIC_PUT_NUMS", "T", 2),
        ("TOPIC_PUT_SIZE", "T", 200),
        ("GROUP_GET_NUMS", "T@G", 4),
        ("GROUP_GET_SIZE", "T@G", 40),
        ("SNDBCK_PUT_NUMS", "T@G", 1),
        ("BROKER_PUT_NUMS", "C", 2),
        ("BROKER_GET_NUMS", "C", 4),
    ] {
        assert_eq!(sums(&stats, name, key, START_MS), Some([expected; 3]), "{name}");
    }
    for (name, key) in [("TOPIC_PUT_NUMS", "other"), ("NOTHING", "T"), ("GROUP_GET_NUMS", "T")] {
        assert_eq!(sums(&stats, name, key, START_MS), None, "{name} {key}");
    }
    let group = stats.figures("GROUP_GET_NUMS", "T@G", START_MS).unwrap().stats_minute;
    assert_eq!(
        (group.avgpt, group.tps),
        (2.0, 0.4),
        "four messages in two answers, in the ten seconds of the first step"
    );
    let whole = stats.figures("BROKER_GET_NUMS", "C", START_MS).unwrap().stats_minute;
    assert_eq!(whole.avgpt, 0.0, "as in Java");
}

#[test]
fn a_full_minute_is_divided_by_the_time_it_spans() {
    let mut stats = Stats::new("C", START_MS);
    for second in 0..600 {
        stats.put("T", of(5, 5), START_MS + second * SECOND);
    }
    let now = START_MS + 600 * SECOND - 1;
    let minute = stats.figures("TOPIC_PUT_NUMS", "T", now).unwrap().stats_minute;
    assert!((4.9..5.2).contains(&minute.tps), "{minute:?}");
}

#[test]
fn a_clock_that_is_set_back_loses_no_count() {
    let mut stats = Stats::new("C", START_MS);
    stats.put("T", of(1, 1), START_MS);
    stats.put("T", of(1, 1), START_MS - 3_600 * SECOND);
    assert_eq!(sums(&stats, "TOPIC_PUT_NUMS", "T", START_MS), Some([2, 2, 2]));
}

#[test]
fn items_of_yesterday_are_forgotten() {
    let mut stats = Stats::new("C", START_MS);
    for topic in 0..100 {
        stats.put(&format!("T{topic}"), of(1, 1), START_MS);
    }
    stats.put("T", of(1, 1), START_MS + 2 * DAY_MS);
    stats.put("T", of(1, 1), START_MS + 2 * DAY_MS);
    assert_eq!(stats.items[&Counter::TopicPutNums].len(), 1);
}

fn value(stats: &mut Stats, key: &str, now_ms: i64) -> String {
    let info = stats.runtime_info(now_ms);
    info.into_iter().find(|(name, _)| *name == key).unwrap().1
}

#[test]
fn totals_are_told_with_what_they_were_in_the_morning() {
    let midnight = START_MS.div_euclid(DAY_MS) * DAY_MS;
    let mut stats = Stats::new("C", midnight);
    stats.put("T", of(1, 100), midnight + SECOND);
    stats.put("T", of(2, 200), midnight + DAY_MS + SECOND);
    stats.put("T", of(4, 300), midnight + 2 * DAY_MS + SECOND);
    let at = midnight + 2 * DAY_MS + 2 * SECOND;
    for (key, expected) in [
        ("msgPutTotalYesterdayMorning", "1"),
        ("msgPutTotalTodayMorning", "3"),
        ("msgPutTotalTodayNow", "7"),
        ("msgGetTotalTodayNow", "0"),
        ("putMessageTimesTotal", "7"),
        ("putMessageSizeTotal", "600"),
        ("getTotalTps", "0.0 0.0 0.0"),
    ] {
        assert_eq!(value(&mut stats, key, at), expected, "{key}");
    }
    let after_a_gap = at + 5 * DAY_MS;
    assert_eq!(value(&mut stats, "msgPutTotalYesterdayMorning", after_a_gap), "7");
    assert_eq!(value(&mut Stats::new("C", 0), "putMessageAverageSize", 0), "0.0");
}

#[test]
fn rates_are_three_numbers_that_a_tool_can_read() {
    let mut stats = Stats::new("C", START_MS);
    stats.got("T", "G", of(20, 20), 10, START_MS + 9 * SECOND);
    stats.missed(5, START_MS + 9 * SECOND);
    let at = START_MS + 9 * SECOND;
    assert_eq!(value(&mut stats, "getTransferedTps", at), "2.0 1.0526315789473684 0.2898550724637681");
    let [found, missed, total] = ["getFoundTps", "getMissTps", "getTotalTps"].map(|key| value(&mut stats, key, at));
    let first = |text: &str| text.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert_eq!([&found, &missed, &total].map(|text| first(text)), [1.0, 0.5, 1.5]);
}
