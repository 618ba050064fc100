//! Who is in which group, and who is told.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::broker::groups::Groups;
use crate::protocol::body::heartbeat::{MessageModel, ProducerData};
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;

fn peer(number: u64) -> Peer {
    Peer {
        connection: ConnectionId(number),
        client_id: format!("client-{number}").into(),
        address: ([127, 0, 0, 1], 50_000 + number as u16).into(),
        language: "JAVA",
        version: 407,
    }
}

fn wants(group: &str, topics: &[(&str, i64)]) -> HeartbeatData {
    let subscription = |(topic, version): &(&str, i64)| {
        Arc::new(SubscriptionData { topic: (*topic).into(), sub_version: *version, ..SubscriptionData::default() })
    };
    let consumer = ConsumerData {
        group_name: group.into(),
        subscription_data_set: topics.iter().map(subscription).collect(),
        ..ConsumerData::default()
    };
    HeartbeatData { consumer_data_set: vec![consumer], ..HeartbeatData::default() }
}

fn produces(group: &str) -> HeartbeatData {
    let producer = ProducerData { group_name: group.into() };
    HeartbeatData { producer_data_set: vec![producer], ..HeartbeatData::default() }
}

fn retry_topic(group: &str) -> ClientEffect {
    ClientEffect::CreateRetryTopic { group: group.into(), unit_mode: false }
}

fn notify(group: &str, connections: &[u64]) -> ClientEffect {
    let connections = connections.iter().copied().map(ConnectionId).collect();
    ClientEffect::NotifyIdsChanged { group: group.into(), connections }
}

use ClientEffect::PublishSubscriptions;

/// A registry, the group settings, and the steps taken on it.
struct Scene {
    clients: Clients,
    groups: GroupTable,
}

impl Scene {
    fn new() -> Self {
        Self { clients: Clients::new(), groups: GroupTable::default() }
    }

    fn beat(&mut self, now_ms: i64, from: u64, heartbeat: &HeartbeatData) -> Vec<ClientEffect> {
        self.clients.heartbeat(now_ms, &peer(from), heartbeat, &self.groups)
    }
}

#[test]
fn everybody_is_told_when_members_or_topics_change_and_nobody_otherwise() {
    let mut scene = Scene::new();
    type Step = (u64, &'static [(&'static str, i64)], Vec<ClientEffect>);
    let steps: [Step; 6] = [
        (1, &[("T", 1)], vec![retry_topic("G"), notify("G", &[1]), PublishSubscriptions]),
        (1, &[("T", 1)], vec![retry_topic("G")]),
        (2, &[("T", 1)], vec![retry_topic("G"), notify("G", &[1, 2])]),
        (2, &[("T", 2)], vec![retry_topic("G"), PublishSubscriptions]),
        (1, &[("T", 1), ("U", 1)], vec![retry_topic("G"), notify("G", &[1, 2]), PublishSubscriptions]),
        (1, &[("U", 1)], vec![retry_topic("G"), notify("G", &[1, 2]), PublishSubscriptions]),
    ];
    for (number, (from, topics, expected)) in steps.into_iter().enumerate() {
        assert_eq!(scene.beat(0, from, &wants("G", topics)), expected, "step {number}");
    }
}

#[test]
fn an_older_subscription_does_not_replace_a_newer_one() {
    let mut scene = Scene::new();
    scene.beat(0, 1, &wants("G", &[("T", 5)]));
    scene.beat(0, 2, &wants("G", &[("T", 3)]));
    let table = scene.clients.subscriptions();
    assert_eq!(table.group("G").unwrap().topics["T"].data.sub_version, 5);
}

#[test]
fn a_member_that_wants_something_else_than_the_others_is_told_of() {
    let mut scene = Scene::new();
    let tags = |tags: &str, sub_version| {
        let topic = "T".to_owned();
        let wanted = SubscriptionData { topic, sub_string: tags.into(), sub_version, ..SubscriptionData::default() };
        let mut heartbeat = wants("G", &[]);
        heartbeat.consumer_data_set[0].subscription_data_set = vec![Arc::new(wanted)];
        heartbeat
    };
    let mut differences = |from, tags| {
        let effects = scene.beat(0, from, &tags);
        let pairs = effects.into_iter().filter_map(|effect| match effect {
            ClientEffect::WarnOfDifference { before, now, .. } => {
                Some((before.sub_string.clone(), now.sub_string.clone()))
            }
            _ => None,
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(differences(1, tags("red", 1)), []);
    assert_eq!(differences(1, tags("blue", 2)), [], "nobody else is there");
    assert_eq!(differences(2, tags("green", 1)), [], "it is older, and does not count");
    assert_eq!(differences(2, tags("green", 3)), [("blue".into(), "green".into())]);
    assert_eq!(differences(1, tags("green", 4)), []);
}

#[test]
fn group_and_broker_can_switch_notices_off() {
    let mut quiet = Groups::new(0);
    let config =
        SubscriptionGroupConfig { notify_consumer_ids_changed_enable: false, ..SubscriptionGroupConfig::new("G") };
    quiet.update(config, 0);
    let mut scene = Scene { groups: quiet.table(), ..Scene::new() };
    assert_eq!(scene.beat(0, 1, &wants("G", &[])), [retry_topic("G"), PublishSubscriptions]);
    assert_eq!(scene.beat(0, 1, &wants("H", &[])), [retry_topic("H"), notify("H", &[1]), PublishSubscriptions]);
}

#[test]
fn who_leaves_is_removed_and_the_rest_is_told() {
    let mut scene = Scene::new();
    for member in [1, 2, 3] {
        scene.beat(0, member, &wants("G", &[("T", 1)]));
    }
    let clients = &mut scene.clients;
    assert_eq!(clients.unregister(ConnectionId(1), None, Some("G"), &scene.groups), [notify("G", &[2, 3])]);
    assert_eq!(clients.unregister(ConnectionId(1), None, Some("G"), &scene.groups), []);
    assert_eq!(clients.unregister(ConnectionId(1), Some("X"), Some("X"), &scene.groups), []);
    assert_eq!(clients.connection_closed(ConnectionId(2)), [notify("G", &[3])]);
    assert_eq!(clients.connection_closed(ConnectionId(3)), [PublishSubscriptions]);
    assert_eq!(clients.consumer_list("G"), None);
    assert!(clients.subscriptions().group("G").is_none());
}

#[test]
fn silence_ends_membership_without_a_notice() {
    let mut scene = Scene::new();
    scene.beat(0, 1, &wants("G", &[("T", 1)]));
    scene.beat(0, 1, &produces("P"));
    scene.beat(1, 2, &wants("G", &[("T", 1)]));
    assert_eq!(scene.clients.expire(SILENT_MS_MAX), []);
    assert_eq!(scene.clients.expire(SILENT_MS_MAX + 1), [ClientEffect::Close(ConnectionId(1))]);
    assert_eq!(scene.clients.consumer_list("G").unwrap().consumer_id_list, ["client-2"]);
    assert_eq!(scene.clients.producers("P").count(), 0);
    assert_eq!(scene.clients.connection_closed(ConnectionId(1)), []);
    assert_eq!(scene.clients.expire(SILENT_MS_MAX + 2), [ClientEffect::Close(ConnectionId(2)), PublishSubscriptions]);
}

#[test]
fn pulls_are_checked_against_the_heartbeats() {
    let mut scene = Scene::new();
    scene.beat(0, 1, &wants("G", &[("T", 5)]));
    let mut broadcast = wants("B", &[("T", 5)]);
    broadcast.consumer_data_set[0].message_model = MessageModel::Broadcasting;
    scene.beat(0, 1, &broadcast);
    let cases = [
        ("G", "T", 5, true, Ok(5)),
        ("G", "T", 4, false, Ok(5)),
        ("G", "T", 6, true, Err(SubscriptionRefusal::NotLatest)),
        ("G", "U", 0, true, Err(SubscriptionRefusal::NotSubscribed)),
        ("X", "T", 0, true, Err(SubscriptionRefusal::GroupOffline)),
        ("B", "T", 5, true, Ok(5)),
        ("B", "T", 6, false, Err(SubscriptionRefusal::BroadcastForbidden("B".into()))),
    ];
    let table = scene.clients.subscriptions();
    for (group, topic, version, broadcast_allowed, expected) in cases {
        let found = table.for_pull(group, topic, version, broadcast_allowed);
        assert_eq!(found.map(|wanted| wanted.data.sub_version), expected, "{group} {topic} {version}");
    }
    assert_eq!(table.groups_of("T").map(|group| &**group).collect::<Vec<_>>(), ["B", "G"]);
}

/// As Java fills it: all messages by an expression, tags by their hashes too.
#[test]
fn tags_are_chosen_by_as_the_heartbeat_says() {
    let mut scene = Scene::new();
    let mut heartbeat = wants("G", &[("all", 1), ("some", 1)]);
    let subscriptions = &mut heartbeat.consumer_data_set[0].subscription_data_set;
    Arc::make_mut(&mut subscriptions[0]).sub_string = "*".into();
    let some = Arc::make_mut(&mut subscriptions[1]);
    (some.sub_string, some.code_set) = ("A".into(), [65].into());
    scene.beat(0, 1, &heartbeat);
    let table = scene.clients.subscriptions();
    let tags = |topic| table.for_pull("G", topic, 1, true).unwrap().tags.clone();
    assert!(tags("all").takes_all());
    assert!(tags("some").passes(65) && !tags("some").passes(66));
}

#[test]
fn members_are_listed_with_what_they_showed() {
    let mut scene = Scene::new();
    let mut twice = peer(2);
    twice.client_id = "client-1".into();
    scene.beat(7, 1, &wants("G", &[("T", 5)]));
    scene.clients.heartbeat(7, &twice, &wants("G", &[("T", 5)]), &scene.groups);
    scene.beat(7, 1, &produces("P"));
    let clients = &scene.clients;
    assert_eq!(clients.consumer_list("G").unwrap().consumer_id_list, ["client-1", "client-1"]);
    let connection = clients.consumer_connection("G").unwrap();
    assert_eq!(connection.connection_set[0].client_addr, "127.0.0.1:50001");
    assert_eq!(connection.subscription_table.len(), 1);
    assert_eq!(clients.producer_connection("P").unwrap().connection_set.len(), 1);
    assert_eq!(clients.producer_connection("G"), None);
    let producer = &clients.producer_table().data["P"][0];
    assert_eq!((producer.remote_ip.as_str(), producer.last_update_timestamp), ("/127.0.0.1:50001", 7));
    assert_eq!(clients.consumer("G", "client-1").unwrap().connection, ConnectionId(1));
    assert_eq!(clients.producer("client-1"), Some(ConnectionId(1)));
    assert_eq!(clients.producer("client-9"), None);
}

#[test]
fn a_producer_is_found_by_its_newest_connection_until_it_produces_no_more() {
    let mut scene = Scene::new();
    let mut again = peer(2);
    again.client_id = "client-1".into();
    scene.beat(0, 1, &produces("P"));
    scene.clients.heartbeat(0, &again, &produces("P"), &scene.groups);
    scene.clients.heartbeat(0, &again, &produces("Q"), &scene.groups);
    assert_eq!(scene.clients.producer("client-1"), Some(ConnectionId(2)));
    let clients = &mut scene.clients;
    clients.unregister(ConnectionId(2), Some("P"), None, &scene.groups);
    assert_eq!(clients.producer("client-1"), Some(ConnectionId(2)), "it still produces in Q");
    clients.unregister(ConnectionId(2), Some("Q"), None, &scene.groups);
    assert_eq!(clients.producer("client-1"), Some(ConnectionId(1)));
    scene.clients.heartbeat(0, &Peer { client_id: "renamed".into(), ..peer(1) }, &produces("P"), &scene.groups);
    assert_eq!(scene.clients.producer("client-1"), None);
    assert_eq!(scene.clients.producer("renamed"), Some(ConnectionId(1)));
    scene.clients.connection_closed(ConnectionId(1));
    assert_eq!(scene.clients.producer("renamed"), None);
}

#[test]
fn nothing_is_kept_of_those_who_are_gone() {
    let mut scene = Scene::new();
    for member in [1, 2, 3] {
        scene.beat(0, member, &wants("G", &[]));
        scene.beat(0, member, &produces("P"));
    }
    scene.clients.connection_closed(ConnectionId(1));
    scene.clients.unregister(ConnectionId(2), Some("P"), Some("G"), &scene.groups);
    assert!(!scene.clients.memberships.is_empty());
    scene.clients.expire(SILENT_MS_MAX + 1);
    assert!(scene.clients.memberships.is_empty());
}
