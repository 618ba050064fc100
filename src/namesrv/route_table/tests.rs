//! Brokers come, change and go.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::protocol::body::topic_config::topic_sys_flag::{UNIT, UNIT_SUBSCRIPTION};

const MASTER_A: BrokerId<'static> = BrokerId { cluster: "C", name: "a", address: "h:1", id: 0 };
const SLAVE_A: BrokerId<'static> = BrokerId { cluster: "C", name: "a", address: "h:2", id: 1 };
const MASTER_B: BrokerId<'static> = BrokerId { cluster: "C", name: "b", address: "h:3", id: 0 };

fn version(counter: i64) -> DataVersion {
    DataVersion { counter, timestamp: 1 }
}

fn body(counter: i64, topics: &[TopicConfig]) -> RegisterBrokerBody {
    let mut body = RegisterBrokerBody::default();
    body.topic_config_serialize_wrapper.data_version = version(counter);
    for topic in topics {
        let table = &mut body.topic_config_serialize_wrapper.topic_config_table;
        table.insert(topic.topic_name.as_str().into(), Arc::new(topic.clone()));
    }
    body
}

fn topic(name: &str, queues: u32) -> TopicConfig {
    TopicConfig::new(name, queues, Permission::READ_WRITE)
}

fn register(table: &mut RouteTable, broker: BrokerId<'_>, connection: u64, body: &RegisterBrokerBody) -> Registered {
    let ha = format!("ha-of-{}", broker.address);
    table.register(0, ConnectionId(connection), broker, &ha, body)
}

/// Two sets of one cluster, the first with a slave, on connections 1, 2, 3.
fn three_brokers() -> RouteTable {
    let mut table = RouteTable::default();
    register(&mut table, MASTER_A, 1, &body(1, &[topic("T", 4), topic("OnlyA", 1)]));
    register(&mut table, SLAVE_A, 2, &body(1, &[topic("FromSlave", 4)]));
    register(&mut table, MASTER_B, 3, &body(1, &[topic("T", 2)]));
    table
}

fn names(list: crate::protocol::body::lists::TopicList) -> Vec<String> {
    list.topic_list.into_iter().collect()
}

fn queues(table: &RouteTable, topic: &str) -> Vec<(String, u32, u32)> {
    let route = table.route_of(topic, None);
    let queues = route.into_iter().flat_map(|route| route.queue_datas);
    queues.map(|queues| (queues.broker_name, queues.write_queue_nums, queues.perm.0)).collect()
}

#[test]
fn a_route_has_every_broker_that_holds_the_topic() {
    let table = three_brokers();
    let route = table.route_of("T", Some("a:4".into())).unwrap();
    assert_eq!(queues(&table, "T"), [("a".into(), 4, 6), ("b".into(), 2, 6)]);
    assert_eq!(route.broker_datas[0].broker_addrs, [(0, "h:1".into()), (1, "h:2".into())].into());
    assert_eq!(route.broker_datas[1].cluster, "C");
    assert_eq!(route.order_topic_conf.as_deref(), Some("a:4"));
    assert_eq!(table.route_of("FromSlave", None), None);
    assert_eq!(names(table.topics()), ["OnlyA", "T"]);
}

#[test]
fn slaves_are_told_where_their_master_is() {
    let mut table = RouteTable::default();
    assert_eq!(register(&mut table, SLAVE_A, 2, &body(1, &[])), Registered::default());
    assert_eq!(register(&mut table, MASTER_A, 1, &body(1, &[])), Registered::default());
    let told = Registered { ha_server_addr: Some("ha-of-h:1".into()), master_addr: Some("h:1".into()) };
    assert_eq!(register(&mut table, SLAVE_A, 2, &body(1, &[])), told);
}

#[test]
fn topics_are_taken_over_only_with_another_version_and_never_removed() {
    let mut table = three_brokers();
    register(&mut table, MASTER_A, 1, &body(1, &[topic("T", 9)]));
    assert_eq!(queues(&table, "T")[0].1, 4);
    register(&mut table, MASTER_A, 1, &body(2, &[topic("T", 9)]));
    assert_eq!(queues(&table, "T")[0].1, 9);
    assert_eq!(queues(&table, "OnlyA").len(), 1);
}

#[test]
fn a_slave_that_becomes_master_leaves_its_old_number() {
    let mut table = three_brokers();
    register(&mut table, BrokerId { id: 0, ..SLAVE_A }, 2, &body(1, &[topic("T", 4)]));
    assert_eq!(table.route_of("T", None).unwrap().broker_datas[0].broker_addrs, [(0, "h:2".into())].into());
}

/// `(version asked with, expected answer, seconds that the broker lives on after)`
#[test]
fn a_version_check_counts_as_a_sign_of_life_only_when_unchanged() {
    for (asked, changed) in [(1, false), (2, true)] {
        let mut table = three_brokers();
        let answer = table.check_version(SILENT_MS_MAX, "h:1", version(asked));
        assert_eq!(answer, VersionCheck { changed, known: Some(version(1)) });
        let gone = table.expire(SILENT_MS_MAX + 1);
        assert_eq!(gone.iter().any(|(address, _)| address == "h:1"), changed);
    }
    let unknown = three_brokers().check_version(0, "h:9", version(1));
    assert_eq!(unknown, VersionCheck { changed: true, known: None });
}

#[test]
fn a_set_goes_with_its_last_broker() {
    let mut table = three_brokers();
    table.unregister(MASTER_A);
    assert_eq!(table.route_of("OnlyA", None).unwrap().broker_datas[0].broker_addrs, [(1, "h:2".into())].into());
    table.unregister(SLAVE_A);
    assert_eq!(names(table.topics()), ["T"]);
    assert_eq!(queues(&table, "T"), [("b".into(), 2, 6)]);
    assert_eq!(names(table.system_topics()), ["C", "b"]);
    table.unregister(MASTER_B);
    assert_eq!(table.cluster_info(), crate::protocol::body::cluster::ClusterInfo::default());
}

#[test]
fn a_closed_connection_takes_its_brokers_along_but_not_those_that_moved() {
    let mut table = three_brokers();
    register(&mut table, MASTER_B, 4, &body(1, &[]));
    assert_eq!(table.connection_closed(ConnectionId(3)), Vec::<String>::new());
    assert_eq!(table.connection_closed(ConnectionId(4)), ["h:3"]);
    assert_eq!(queues(&table, "T"), [("a".into(), 4, 6)]);
}

#[test]
fn silence_ends_a_registration() {
    let mut table = three_brokers();
    table.register(500, ConnectionId(1), MASTER_A, "", &body(1, &[]));
    assert_eq!(table.expire(SILENT_MS_MAX), []);
    let gone = [("h:2".into(), ConnectionId(2)), ("h:3".into(), ConnectionId(3))];
    assert_eq!(table.expire(SILENT_MS_MAX + 500), gone);
    assert_eq!(table.cluster_info().broker_addr_table.len(), 1);
}

#[test]
fn write_permission_is_wiped_and_given_back_until_the_next_change() {
    let mut table = three_brokers();
    let read_only = TopicConfig::new("R", 1, Permission::READ);
    register(&mut table, MASTER_B, 3, &body(2, &[topic("T", 2), read_only.clone()]));
    assert_eq!(table.wipe_write_permission("b"), 2);
    assert_eq!(queues(&table, "T"), [("a".into(), 4, 6), ("b".into(), 2, 4)]);
    assert_eq!(table.add_write_permission("b"), 2);
    assert_eq!(queues(&table, "R"), [("b".into(), 1, 6)]);
    assert_eq!(table.wipe_write_permission("nobody"), 0);
    register(&mut table, MASTER_B, 3, &body(3, &[read_only]));
    assert_eq!(queues(&table, "R"), [("b".into(), 1, 4)]);
}

#[test]
fn topics_are_deleted_in_one_cluster_or_everywhere() {
    let mut table = three_brokers();
    register(&mut table, BrokerId { cluster: "D", name: "d", address: "h:4", id: 0 }, 4, &body(1, &[topic("T", 1)]));
    table.delete_topic("T", Some("nowhere"));
    assert_eq!(names(table.topics_of_cluster("C")), ["OnlyA", "T"]);
    table.delete_topic("T", Some("C"));
    assert_eq!(queues(&table, "T"), [("d".into(), 1, 6)]);
    assert_eq!(names(table.topics_of_cluster("C")), ["OnlyA"]);
    table.delete_topic("T", None);
    assert_eq!(table.route_of("T", None), None);
}

#[test]
fn system_topics_are_the_names_of_clusters_and_brokers() {
    let list = three_brokers().system_topics();
    assert_eq!(list.broker_addr.as_deref(), Some("h:1"));
    assert_eq!(names(list), ["C", "a", "b"]);
    assert_eq!(RouteTable::default().system_topics().broker_addr, None);
}

#[test]
fn unit_topics_are_found_by_their_flags() {
    let flagged = |name: &str, topic_sys_flag| TopicConfig { topic_sys_flag, ..topic(name, 1) };
    let topics =
        [flagged("N", 0), flagged("U", UNIT), flagged("S", UNIT_SUBSCRIPTION), flagged("B", UNIT | UNIT_SUBSCRIPTION)];
    let mut table = RouteTable::default();
    register(&mut table, MASTER_A, 1, &body(1, &topics));
    assert_eq!(names(table.unit_topics(UnitTopics::OfUnit)), ["B", "U"]);
    assert_eq!(names(table.unit_topics(UnitTopics::Subscribed)), ["B", "S"]);
    assert_eq!(names(table.unit_topics(UnitTopics::SubscribedOfNoUnit)), ["S"]);
}

#[test]
fn filter_servers_come_with_the_route_until_a_registration_without_them() {
    let mut table = three_brokers();
    let with_filter = RegisterBrokerBody { filter_server_list: vec!["f:1".into()], ..body(1, &[]) };
    register(&mut table, MASTER_A, 1, &with_filter);
    let route = table.route_of("T", None).unwrap();
    assert_eq!(route.filter_server_table, [("h:1".into(), vec!["f:1".into()])].into());
    register(&mut table, MASTER_A, 1, &body(1, &[]));
    assert!(table.route_of("T", None).unwrap().filter_server_table.is_empty());
}

/// The end of the old connection may come long after the new registration, or not at all.
#[test]
fn a_broker_that_comes_back_under_another_name_is_no_longer_known_by_the_first() {
    let mut table = RouteTable::default();
    register(&mut table, MASTER_A, 1, &body(1, &[topic("T", 4), topic("OnlyA", 1)]));
    let renamed = BrokerId { name: "new", ..MASTER_A };
    register(&mut table, renamed, 2, &body(1, &[topic("T", 4)]));
    assert_eq!(queues(&table, "T"), [("new".into(), 4, 6)]);
    assert_eq!((table.route_of("OnlyA", None), table.cluster_info().broker_addr_table.len()), (None, 1));
    table.connection_closed(ConnectionId(2));
    assert_eq!((table.route_of("T", None), table.cluster_info().broker_addr_table.len()), (None, 0));
}

#[test]
fn a_broker_is_unregistered_by_its_address() {
    let mut table = three_brokers();
    table.unregister(BrokerId { id: 7, ..MASTER_B });
    assert_eq!(queues(&table, "T"), [("a".into(), 4, 6)]);
    // Another broker has taken its number: what the old one says late is no matter of that one.
    table.unregister(BrokerId { address: "h:9", ..MASTER_A });
    assert_eq!(queues(&table, "T"), [("a".into(), 4, 6)]);
}
