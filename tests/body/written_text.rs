//! The exact text of the bodies in which clients are particular about it.

use ferromq::protocol::body::Body;
use ferromq::protocol::body::queue_table::{MessageQueue, QueueTable};
use ferromq::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use ferromq::protocol::body::stats::{TopicOffset, TopicStatsTable};
use ferromq::protocol::body::topic_config::Permission;

fn check(body: &impl Body, expected: &str) {
    assert_eq!(std::str::from_utf8(&body.encode()).unwrap(), expected);
}

#[test]
fn a_route_has_quoted_numbers_no_blanks_and_both_names_of_the_flag() {
    let route = TopicRouteData {
        broker_datas: vec![BrokerData {
            broker_addrs: [(0, "h:1".into()), (2, "h:2".into())].into(),
            broker_name: "a".into(),
            cluster: "C".into(),
        }],
        queue_datas: vec![QueueData {
            broker_name: "a".into(),
            perm: Permission::READ_WRITE,
            read_queue_nums: 4,
            topic_sys_flag: 1,
            write_queue_nums: 8,
        }],
        ..TopicRouteData::default()
    };
    check(
        &route,
        concat!(
            r#"{"brokerDatas":[{"brokerAddrs":{"0":"h:1","2":"h:2"},"brokerName":"a","cluster":"C"}],"#,
            r#""filterServerTable":{},"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"#,
            r#""topicSynFlag":1,"topicSysFlag":1,"writeQueueNums":8}]}"#
        ),
    );
}

#[test]
fn peers_that_know_only_the_old_name_of_the_flag_are_understood() {
    let old = br#"{"queueDatas":[{"brokerName":"a","perm":6,"topicSynFlag":2}]}"#;
    assert_eq!(TopicRouteData::decode(old).unwrap().queue_datas[0].topic_sys_flag, 2);
}

#[test]
fn tables_by_queue_have_objects_as_keys() {
    let queue = |queue_id| MessageQueue { broker_name: "a".into(), queue_id, topic: "T".into() };
    let held = TopicOffset { last_update_timestamp: 3, max_offset: 2, min_offset: 1 };
    let table: QueueTable<TopicOffset> = [(queue(1), TopicOffset::default()), (queue(0), held)].into_iter().collect();
    check(
        &TopicStatsTable { offset_table: table },
        concat!(
            r#"{"offsetTable":{{"brokerName":"a","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":3,"maxOffset":2,"minOffset":1},"#,
            r#"{"brokerName":"a","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}}}"#
        ),
    );
    check(&TopicStatsTable::default(), r#"{"offsetTable":{}}"#);
}
