#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use flate2::read::GzDecoder;

use super::*;
use crate::protocol::message;

const BORN: i64 = 1_700_000_000_000;

fn bloom() -> BloomFilter {
    BloomFilter::new(20, 32).unwrap()
}

fn subscription(topic: &str, expression: &str, sub_version: i64) -> SubscriptionData {
    SubscriptionData {
        topic: topic.into(),
        sub_string: expression.into(),
        expression_type: EXPRESSION_SQL92.into(),
        sub_version,
        ..SubscriptionData::default()
    }
}

/// Group G wants `a = 1` of topic T, by version 7.
fn registered() -> ConsumerFilters {
    let mut filters = ConsumerFilters::new(bloom());
    assert_eq!(filters.register("G", &subscription("T", "a = 1", 7), BORN), Ok(Changed::Yes));
    filters
}

#[test]
fn a_filter_is_described_by_what_java_tells_of_it() {
    let mut filters = ConsumerFilters::new(bloom());
    filters.register("SG", &subscription("RA", "a > 1", 5), 1_795_659_808_917).unwrap();
    // What a 4.9.7 broker tells of the same filter, but for blanks and line breaks.
    let expected = "{\n\t\"bloomFilterData\": {\n\t\t\"bitNum\": 112,\n\t\t\"bitPos\": [\n\t\t\t67,\n\t\t\t84,\n\t\t\t19\n\t\t]\n\t},\n\t\"bornTime\": 1795659808917,\n\t\"clientVersion\": 5,\n\t\"consumerGroup\": \"SG\",\n\t\"dead\": false,\n\t\"deadTime\": 0,\n\t\"expression\": \"a > 1\",\n\t\"expressionType\": \"SQL92\",\n\t\"topic\": \"RA\"\n}";
    assert_eq!(filters.describe("RA", "SG").unwrap(), expected);
    assert_eq!(filters.describe("RA", "other"), None);
}

/// `(dead before, condition, version, changed, what the table says then: condition, version, dead, born)`
#[test]
fn a_newer_version_replaces_the_same_one_revives_and_an_older_one_is_ignored() {
    let cases = [
        (false, "a = 1", 7, Changed::No, ("a = 1", 7, false, BORN)),
        (false, "b = 1", 7, Changed::No, ("a = 1", 7, false, BORN)),
        (false, "b = 1", 6, Changed::No, ("a = 1", 7, false, BORN)),
        (false, "a = 1", 8, Changed::Yes, ("a = 1", 8, false, BORN)),
        (false, "b = 1", 8, Changed::Yes, ("b = 1", 8, false, BORN + 9)),
        (true, "a = 1", 6, Changed::No, ("a = 1", 7, true, BORN)),
        (true, "a = 1", 7, Changed::Yes, ("a = 1", 7, false, BORN)),
        (true, "b = 1", 7, Changed::Yes, ("a = 1", 7, false, BORN)),
        (true, "a = 1", 8, Changed::Yes, ("a = 1", 8, false, BORN)),
        (true, "b = 1", 8, Changed::Yes, ("b = 1", 8, false, BORN + 9)),
    ];
    for (dead, expression, version, changed, expected) in cases {
        let mut filters = registered();
        if dead {
            filters.unregister("G", BORN + 5);
        }
        let before = filters.to_json();
        let outcome = filters.register("G", &subscription("T", expression, version), BORN + 9);
        let found = filters.find("T", "G").unwrap();
        let state = (&*found.expression, found.client_version(), found.is_dead(), found.born_ms);
        assert_eq!((outcome, state), (Ok(changed), expected), "dead {dead}, {expression} by {version}");
        assert_eq!(filters.to_json() == before, changed == Changed::No);
    }
}

#[test]
fn subscriptions_by_tags_or_without_a_condition_make_no_filter() {
    let mut filters = ConsumerFilters::new(bloom());
    let by_tags = SubscriptionData { expression_type: String::new(), ..subscription("T", "TagA", 1) };
    assert_eq!(filters.register("G", &by_tags, BORN), Ok(Changed::No));
    assert_eq!(filters.register("G", &subscription("T", "", 1), BORN), Ok(Changed::No));
    assert_eq!(filters.changed_json(), None);
}

#[test]
fn what_does_not_compile_takes_away_what_it_would_have_replaced() {
    let mut filters = registered();
    assert_eq!(filters.register("G", &subscription("T", "a =", 7), BORN), Ok(Changed::No), "it is not looked at");
    let error = filters.register("G", &subscription("T", "a =", 8), BORN).unwrap_err();
    assert_eq!(error.to_string(), "column 4: expected a property, a constant or `(`, found the end");
    assert!(filters.find("T", "G").is_none() && filters.bit_map("T", "").is_none());

    let strange = SubscriptionData { expression_type: "XPATH".into(), ..subscription("T", "a = 1", 9) };
    assert_eq!(filters.register("G", &strange, BORN), Err(ConsumerFilterError::Type("XPATH".into())));
}

#[test]
fn topics_that_a_group_leaves_and_groups_that_end_are_marked_dead() {
    let mut filters = registered();
    filters.register("H", &subscription("T", "a = 1", 7), BORN).unwrap();
    let both = [subscription("U", "a = 2", 7), subscription("V", "a >", 7)];
    let refused = filters.register_all("G", &both, BORN + 3);
    assert_eq!(refused.iter().map(|(topic, _)| &**topic).collect::<Vec<_>>(), ["V"]);
    let died = |filters: &ConsumerFilters, topic, group| filters.find(topic, group).unwrap().died_ms;
    assert_eq!(died(&filters, "T", "G"), Some(BORN + 3));
    assert_eq!((died(&filters, "U", "G"), died(&filters, "T", "H")), (None, None));

    let by_tags = SubscriptionData { expression_type: "TAG".into(), ..subscription("U", "*", 8) };
    assert_eq!(filters.register_all("G", [&by_tags], BORN + 4), []);
    assert_eq!(died(&filters, "U", "G"), None, "as long as the topic is subscribed somehow");

    filters.unregister("G", BORN + 6);
    assert_eq!(died(&filters, "U", "G"), Some(BORN + 6));
    assert_eq!((died(&filters, "T", "G"), died(&filters, "T", "H")), (Some(BORN + 3), None));
    filters.unregister("H", BORN - 100);
    assert_eq!(died(&filters, "T", "H"), Some(BORN), "nobody dies before being born");
}

#[test]
fn who_has_been_dead_for_the_span_is_forgotten() {
    let mut filters = registered();
    filters.register("H", &subscription("T", "a = 1", 7), BORN).unwrap();
    assert_eq!(filters.clean(i64::MAX, 0), Changed::No, "they live");
    filters.unregister("G", BORN + 10);
    assert_eq!(filters.clean(BORN + 109, 100), Changed::No);
    assert_eq!(filters.clean(BORN + 110, 100), Changed::Yes);
    assert_eq!(filters.of_topic("T").map(|(group, _)| group).collect::<Vec<_>>(), ["H"]);
    filters.unregister("H", BORN + 10);
    assert_eq!(filters.clean(BORN + 110, 100), Changed::Yes);
    assert_eq!(filters.to_json(), "{\n\t\"filterDataByTopic\": {}\n}");
}

#[test]
fn a_bit_map_tells_only_of_records_that_came_after_the_filter() {
    let mut filters = registered();
    let wanted = filters.bit_map("T", "a\u{1}1").unwrap();
    let unwanted = filters.bit_map("T", "a\u{1}2").unwrap();
    assert_eq!(filters.bit_map("U", "a\u{1}1"), None);
    let filter = filters.find("T", "G").unwrap();
    let later = BORN + 1_001;
    assert!(filter.may_want(&wanted, later) && !filter.may_want(&unwanted, later));
    assert!(filter.may_want(&unwanted, BORN) && filter.may_want(&[], later));
    assert!(filter.may_want(&unwanted, BORN + 1_000), "dispatch may not have known of the filter yet");
    assert!(filter.filter().passes("a\u{1}1") && !filter.filter().passes("a\u{1}2"));

    filters.unregister("G", BORN + 5);
    assert_eq!(filters.bit_map("T", "a\u{1}1").unwrap(), wanted, "also for who may come back");
}

/// Each of them would be evaluated for each record.
#[test]
fn a_topic_with_very_many_filters_has_no_bit_maps() {
    let mut filters = registered();
    let wants = |group: usize| format!("H{group}");
    for group in 1..=MAPPED_MAX {
        let mapped = filters.bit_map("T", "a\u{1}1").is_some();
        assert!(mapped, "{group} filters");
        filters.register(&wants(group), &subscription("T", "a = 1", 7), BORN).unwrap();
    }
    assert_eq!(filters.bit_map("T", "a\u{1}1"), None);
}

#[test]
fn the_file_is_written_after_a_change_and_reads_back() {
    let mut filters = registered();
    let text = filters.changed_json().unwrap();
    let compact: String = text.split_whitespace().collect();
    let bits = filters.find("T", "G").unwrap().bits.clone();
    assert!(
        compact.starts_with(r#"{"filterDataByTopic":{"T":{"groupFilterData":{"G":{"bloomFilterData":{"bitNum":112,"#)
    );
    assert!(compact.ends_with(
        r#""bornTime":1700000000000,"clientVersion":7,"consumerGroup":"G","dead":false,"deadTime":0,"expression":"a=1","expressionType":"SQL92","topic":"T"}},"topic":"T"}}}"#
    ));
    assert_eq!(filters.changed_json(), None);
    filters.mark_changed();
    assert_eq!(filters.changed_json().as_deref(), Some(&*text));

    for (now, died) in [(BORN + 100_000, BORN + 70_000), (BORN + 10_000, BORN)] {
        let (mut read, left_out) = ConsumerFilters::load(&text, bloom(), now).unwrap();
        assert_eq!(left_out, []);
        let filter = read.find("T", "G").unwrap();
        assert_eq!((filter.died_ms, filter.born_ms, &filter.bits), (Some(died), BORN, &bits), "at {now}");
        assert_eq!(read.changed_json(), None);
    }
}

#[test]
fn times_that_cannot_be_do_no_harm() {
    let text = registered().to_json();
    for (dead, born) in [(i64::MIN, i64::MIN), (i64::MAX, i64::MIN), (0, i64::MAX)] {
        let text = text
            .replace(r#""deadTime": 0"#, &format!(r#""deadTime": {dead}"#))
            .replace(&BORN.to_string(), &born.to_string());
        for now in [0, BORN, i64::MIN, i64::MAX] {
            let (mut read, _) = ConsumerFilters::load(&text, bloom(), now).unwrap();
            assert!(read.find("T", "G").unwrap().is_dead());
            read.clean(now, 1);
        }
    }
}

#[test]
fn bits_of_another_bloom_filter_void_the_file_and_a_bad_condition_its_own_entry() {
    let text = registered().to_json();
    for bloom in [BloomFilter::new(20, 64).unwrap(), BloomFilter::new(10, 32).unwrap()] {
        let (read, left_out) = ConsumerFilters::load(&text, bloom, BORN).unwrap();
        assert!(read.find("T", "G").is_none());
        assert!(matches!(&*left_out, [NotLoaded::All { group, topic, .. }] if group == "G" && topic == "T"));
    }
    let mut two = registered();
    two.register("H", &subscription("T", "a = 1", 7), BORN).unwrap();
    let (first, last) = two.to_json().rsplit_once("112").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (read, left_out) = ConsumerFilters::load(&format!("{first}120{last}"), bloom(), BORN).unwrap();
    assert!(read.by_topic.is_empty(), "also what fits");
    assert!(matches!(&*left_out, [NotLoaded::All { group, .. }] if group == "H"));

    let (read, left_out) = ConsumerFilters::load(&text.replace("a = 1", "a = ?"), bloom(), BORN).unwrap();
    assert!(read.find("T", "G").is_none());
    let expected = "the filter of group G for topic T: column 5: expected a word of a condition, found `?`";
    assert_eq!(left_out.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    assert!(ConsumerFilters::load("[", bloom(), BORN).is_err());
    let (none, left_out) = ConsumerFilters::load(r#"{"filterDataByTopic":{"T":null}}"#, bloom(), BORN).unwrap();
    assert!(none.by_topic.is_empty() && left_out.is_empty());
}

/// The files of a store that a Java broker wrote, by their path in it.
fn java_store() -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/e-queue-ext.tar.gz");
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().strip_prefix("store").unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        Read::read_to_end(&mut entry, &mut content).unwrap();
        (name, content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn a_file_of_java_is_read_and_its_filters_make_javas_bit_maps() {
    let store = java_store();
    let text = String::from_utf8(store["config/consumerFilter.json"].clone()).unwrap();
    let (filters, left_out) = ConsumerFilters::load(&text, bloom(), i64::MAX).unwrap();
    assert_eq!((left_out, filters.of_topic("FixSql").count()), (vec![], 3));
    let found = filters.find("FixSql", "CG_sql_1").unwrap();
    assert_eq!((found.born_ms, found.died_ms), (1_795_240_407_112, Some(1_795_240_434_426)));
    let values = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(values(&filters.to_json()), values(&text));

    let log = Bytes::from(store["commitlog/00000000000000000000"].clone());
    let mut maps = 0;
    for queue in ["0", "1"] {
        let entries = &store[&format!("consumequeue/FixSql/{queue}/00000000000000000000")];
        let units = &store[&format!("consumequeue_ext/FixSql/{queue}/00000000000000000000")];
        for entry in entries.chunks_exact(20) {
            let position = u64::from_be_bytes(entry[..8].try_into().unwrap()) as usize;
            let address = i64::from_be_bytes(entry[12..].try_into().unwrap()).wrapping_sub(i64::MIN) as usize;
            if position == 0 && entry[8..12] == [0; 4] {
                break;
            }
            let Some(unit) = units.get(address..).filter(|_| entry[12..] != [0; 8]) else { break };
            let map_length = usize::from(u16::from_be_bytes(unit[18..20].try_into().unwrap()));
            let stored_ms = i64::from_be_bytes(unit[10..18].try_into().unwrap());
            let (record, _) = message::decode(&log.slice(position..)).unwrap();
            let map = filters.bit_map("FixSql", &record.properties).unwrap();
            if map_length > 0 {
                assert_eq!(map, unit[20..20 + map_length], "{}", record.properties);
                maps += 1;
            }
            for (group, filter) in filters.of_topic("FixSql") {
                let passes = filter.filter().passes(&record.properties);
                assert!(filter.may_want(&unit[20..20 + map_length], stored_ms) || !passes, "{group}");
            }
        }
    }
    assert_eq!(maps, 40, "of 45 records");
}

/// Heartbeats that name ever new groups would fill the memory.
#[test]
fn there_are_no_more_conditions_than_can_be_kept() {
    let mut filters = ConsumerFilters::new(bloom());
    let wanted = subscription("T", "a = 1", 1);
    for number in 0..CONDITIONS_MAX {
        assert_eq!(filters.register(&format!("G{number}"), &wanted, BORN), Ok(Changed::Yes));
    }
    assert_eq!(filters.register("one-more", &wanted, BORN), Err(ConsumerFilterError::TooMany));
    // Those that are there go on, and make room when they are forgotten.
    assert_eq!(filters.register("G7", &subscription("T", "a = 2", 2), BORN), Ok(Changed::Yes));
    filters.unregister("G7", BORN);
    filters.clean(BORN + 1, 1);
    assert_eq!(filters.register("one-more", &wanted, BORN), Ok(Changed::Yes));
    assert!(matches!(filters.register("no group", &wanted, BORN), Err(ConsumerFilterError::TooMany)));
    let mut filters = registered();
    for (topic, group) in [("T", "no group"), ("no topic", "G")] {
        let refused = filters.register(group, &subscription(topic, "a = 1", 1), BORN);
        assert!(matches!(refused, Err(ConsumerFilterError::Name(_))), "{refused:?}");
    }
}
