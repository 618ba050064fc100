//! The rules of topics, one table per rule.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn topics() -> Topics {
    Topics::new(TopicSettings::default(), NOW)
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn wish(pattern: &str, queues: u32) -> Wish<'_> {
    Wish { pattern, queues, unit_mode: false }
}

#[test]
fn a_fresh_broker_has_the_topics_of_the_reference() {
    let table = topics().table();
    let found: Vec<_> =
        table.iter().map(|(name, config)| (name.as_str(), config.read_queue_nums, config.perm.0)).collect();
    let expected = [
        ("BenchmarkTest", 1024, 6),
        ("DefaultCluster", 16, 7),
        ("DefaultCluster_REPLY_TOPIC", 1, 6),
        ("OFFSET_MOVED_EVENT", 1, 6),
        ("SCHEDULE_TOPIC_XXXX", 18, 6),
        ("SELF_TEST_TOPIC", 1, 6),
        ("TBW102", 8, 7),
        ("broker-a", 1, 7),
    ];
    assert_eq!(found, expected);
    assert_eq!(table.version(), DataVersion { counter: 0, timestamp: NOW });
}

#[test]
fn settings_take_topics_away_and_close_them() {
    let settings = TopicSettings {
        auto_create: false,
        cluster_topic: false,
        broker_topic: false,
        trace_topic: Some("Trace".into()),
        broker_name: "host.with.dots".into(),
        ..TopicSettings::default()
    };
    let table = Topics::new(settings, NOW).table();
    assert!(table.find("TBW102").is_none());
    assert!(table.find("host.with.dots").is_none());
    assert_eq!(table.config("DefaultCluster").unwrap().perm, Permission::INHERIT);
    assert_eq!(table.config("Trace").unwrap().read_queue_nums, 1);
}

/// `(pattern, queues asked for, expected queues and permission)`
#[test]
fn a_send_makes_a_topic_after_a_pattern_that_may_be_inherited() {
    let cases = [
        ("TBW102", 4, Some((4, 6))),
        ("TBW102", 100, Some((8, 6))),
        ("TBW102", 0, Some((0, 6))),
        ("DefaultCluster", 100, Some((16, 6))),
        ("BenchmarkTest", 4, None),
        ("NoSuchTopic", 4, None),
    ];
    for (pattern, queues, expected) in cases {
        let mut topics = topics();
        let result = topics.create_for_send(&topic("New"), wish(pattern, queues), NOW + 1);
        let made = topics.table().config("New").map(|config| (config.write_queue_nums, config.perm.0));
        assert_eq!(made, expected, "{pattern} {queues}");
        match expected {
            Some(_) => assert_eq!(result, Ok(Changed::Yes)),
            None => assert_eq!(result, Err(TopicError::Unknown(topic("New")))),
        }
    }
}

#[test]
fn a_topic_is_made_once_and_counted_once() {
    let mut topics = topics();
    assert_eq!(topics.create_for_send(&topic("New"), wish("TBW102", 4), NOW + 1), Ok(Changed::Yes));
    assert_eq!(topics.create_for_send(&topic("New"), wish("TBW102", 8), NOW + 2), Ok(Changed::No));
    assert_eq!(topics.table().version(), DataVersion { counter: 1, timestamp: NOW + 1 });
}

#[test]
fn retry_topics_need_no_pattern() {
    let mut topics = topics();
    let unit = Wish { pattern: "NoSuchTopic", queues: 9, unit_mode: true };
    topics.create_for_send(&topic("%RETRY%G"), unit, NOW).unwrap();
    let made = topics.table().config("%RETRY%G").unwrap().clone();
    assert_eq!((made.read_queue_nums, made.perm.0, made.topic_sys_flag), (1, 6, topic_sys_flag::UNIT_SUBSCRIPTION));
}

#[test]
fn switched_off_auto_creation_ignores_a_pattern_left_in_the_file() {
    let settings = TopicSettings { auto_create: false, ..TopicSettings::default() };
    let mut topics = Topics::new(settings, NOW);
    topics.load(r#"{"topicConfigTable":{"TBW102":{"topicName":"TBW102","perm":7}}}"#).unwrap();
    assert!(topics.create_for_send(&topic("New"), wish("TBW102", 4), NOW).is_err());
}

#[test]
fn administrators_may_not_touch_what_is_the_brokers() {
    for name in
        ["TBW102", "SCHEDULE_TOPIC_XXXX", "rmq_sys_x", "DefaultCluster", "broker-a", "DefaultCluster_REPLY_TOPIC"]
    {
        let refused = Err(TopicError::System(topic(name)));
        assert_eq!(
            topics().update(TopicConfig::new(name, 1, Permission::READ_WRITE), NOW).map(|_| Changed::Yes),
            refused
        );
        assert_eq!(topics().delete(name, NOW), refused);
    }
    let error = topics().delete("TBW102", NOW).unwrap_err().to_string();
    assert_eq!(error, "The topic[TBW102] is conflict with system topic.");
    assert_eq!(topics().delete("a b", NOW), Err(TopicError::Name(NameError::IllegalCharacter)));
}

#[test]
fn update_and_delete_count_changes_and_leave_snapshots_alone() {
    let mut topics = topics();
    topics.update(TopicConfig::new("T", 4, Permission::READ), NOW + 1).unwrap();
    let before = topics.table();
    assert_eq!(topics.delete("T", NOW + 2), Ok(Changed::Yes));
    assert_eq!(topics.delete("T", NOW + 3), Ok(Changed::No));
    assert!(before.find("T").is_some());
    assert!(topics.table().find("T").is_none());
    assert_eq!(topics.table().version(), DataVersion { counter: 2, timestamp: NOW + 2 });
    assert_eq!(before.body_of_one("T").topic_config_table.len(), 1);
}

#[test]
fn the_order_table_sets_and_clears_the_mark() {
    let mut topics = topics();
    topics.update(TopicConfig { order: true, ..TopicConfig::new("Was", 1, Permission::READ_WRITE) }, NOW).unwrap();
    topics.update(TopicConfig::new("Becomes", 1, Permission::READ_WRITE), NOW).unwrap();
    let ordered = KvTable { table: [("Becomes".into(), "broker-a:1".into()), ("Else".into(), "x:1".into())].into() };
    assert_eq!(topics.apply_order(&ordered, NOW + 1), Changed::Yes);
    assert_eq!(topics.apply_order(&ordered, NOW + 2), Changed::No);
    let table = topics.table();
    assert!(!table.config("Was").unwrap().order && table.config("Becomes").unwrap().order);
    assert_eq!(table.version(), DataVersion { counter: 3, timestamp: NOW + 1 });
}

#[test]
fn the_file_is_laid_over_the_start_and_read_back() {
    let mut written = topics();
    written.update(TopicConfig::new("T", 4, Permission::READ), NOW + 1).unwrap();
    let text = written.table().to_json();
    assert!(text.starts_with("{\n\t\"dataVersion\""), "{text}");

    let mut read = topics();
    read.load(&text).unwrap();
    assert_eq!(read.table().body(), written.table().body());

    let java = r#"{ "dataVersion":{"counter":12,"timestamp":5}, "topicConfigTable":{ "bad.name":{}, "SELF_TEST_TOPIC":{"perm":4,"topicName":"SELF_TEST_TOPIC"} } }"#;
    read.load(java).unwrap();
    assert_eq!(read.table().config("SELF_TEST_TOPIC").unwrap().perm, Permission::READ);
    assert_eq!(read.table().version(), DataVersion { counter: 12, timestamp: 5 });
    assert!(read.load("{").is_err());
}

#[test]
fn queues_without_a_topic_are_unused_but_for_the_brokers_own() {
    let mut topics = topics();
    topics.update(TopicConfig::new("T", 4, Permission::READ), NOW).unwrap();
    let names =
        ["T", "Lost", "SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "%LMQ%x"];
    let with_queues = names.map(|name| Topic::parse(name).unwrap()).to_vec();
    assert_eq!(topics.unused(with_queues), [Topic::parse("Lost").unwrap()]);
}
