//! Topics, by the functions of the library.

use ferromq::admin::{BrokerAt, Brokers, UnitTopics};
use ferromq::client::ClientError;
use ferromq::protocol::body::topic_config::{Permission, TopicConfig, topic_sys_flag};
use ferromq::protocol::units::QueueId;

use crate::fixtures::{Site, topic, until};

#[actix::test]
async fn a_topic_is_made_changed_listed_and_deleted() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let orders = site.with_topic("orders", 4).await;
    let listed = until(async || admin.topics().await.unwrap(), |topics| topics.topic_list.contains("orders")).await;
    assert!(listed.topic_list.contains("TBW102"), "{listed:?}");
    assert!(admin.topics_of_cluster("DefaultCluster").await.unwrap().topic_list.contains("orders"));
    assert_eq!(admin.topics_of_cluster("none").await.unwrap().topic_list.len(), 0);

    let config = TopicConfig { write_queue_nums: 2, ..TopicConfig::new("orders", 4, Permission::READ) };
    admin.save_topic(broker, &config).await.unwrap();
    assert_eq!(admin.topic_config(broker, &orders).await.unwrap(), config);
    let all = admin.topic_configs(broker).await.unwrap().topic_config_table;
    assert_eq!(all.get("orders").map(|config| &**config), Some(&config));
    until(async || admin.routes().of(&orders).await.unwrap().queue_datas[0].perm, |perm| *perm == Permission::READ)
        .await;
    let master = BrokerAt { name: "broker-a".into(), id: 0, address: broker.clone() };
    assert_eq!(admin.masters_of_topic(&orders).await.unwrap(), [master]);

    admin.delete_topic(broker, &orders).await.unwrap();
    admin.delete_route(&orders, Some("DefaultCluster")).await.unwrap();
    let gone = admin.topic_config(broker, &orders).await.unwrap_err();
    assert!(gone.refusal().is_some(), "{gone}");
    let unknown = until(async || admin.routes().of(&orders).await, Result::is_err).await.unwrap_err();
    assert!(matches!(unknown, ClientError::NoRoute { .. }), "{unknown}");
    admin.clean_unused_topics(broker).await.unwrap();
    site.stop().await;
}

#[actix::test]
async fn what_queues_hold_is_told() {
    let site = Site::start().await;
    let orders = site.with_topic("orders", 2).await;
    site.with_messages("orders", QueueId(1), 3).await;
    let stats = site.admin.topic_stats(&site.broker, &orders).await.unwrap().offset_table;
    let told: Vec<_> = stats.iter().map(|(queue, at)| (queue.queue_id, at.min_offset, at.max_offset)).collect();
    assert_eq!(told, [(0, 0, 0), (1, 0, 3)]);
    assert!(site.admin.topic_stats(&site.broker, &topic("nope")).await.unwrap_err().refusal().is_some());
    site.stop().await;
}

#[actix::test]
async fn the_cluster_tells_its_own_topics_and_those_of_units() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let own = admin.system_topics_of_broker(broker).await.unwrap().topic_list;
    assert!(own.contains("SCHEDULE_TOPIC_XXXX"), "{own:?}");
    let names = admin.system_topics().await.unwrap();
    assert!(names.topic_list.contains("broker-a") && names.broker_addr.as_deref() == Some(broker), "{names:?}");

    for (name, flag) in [("u", topic_sys_flag::UNIT), ("s", topic_sys_flag::UNIT_SUBSCRIPTION)] {
        let config = TopicConfig { topic_sys_flag: flag, ..TopicConfig::new(name, 1, Permission::READ_WRITE) };
        admin.save_topic(broker, &config).await.unwrap();
    }
    for (which, expected) in
        [(UnitTopics::OfUnit, "u"), (UnitTopics::Subscribed, "s"), (UnitTopics::SubscribedOfNoUnit, "s")]
    {
        let told = until(async || admin.unit_topics(which).await.unwrap(), |told| !told.topic_list.is_empty()).await;
        assert_eq!(told.topic_list.into_iter().collect::<Vec<_>>(), [expected], "{which:?}");
    }
    site.stop().await;
}

#[actix::test]
async fn brokers_are_chosen_by_address_by_cluster_and_by_name() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let at = Brokers::At("h:1".into());
    assert_eq!(admin.masters(&at).await.unwrap(), ["h:1"], "name servers need not know it");
    for brokers in [Brokers::OfCluster("DefaultCluster".into()), Brokers::All] {
        assert_eq!(admin.masters(&brokers).await.unwrap(), std::slice::from_ref(broker));
        assert_eq!(admin.masters_and_slaves(&brokers).await.unwrap(), std::slice::from_ref(broker));
    }
    assert_eq!(admin.master_named("broker-a").await.unwrap(), *broker);
    let unknown = admin.master_named("broker-b").await.unwrap_err().to_string();
    assert_eq!(unknown, "no broker \"broker-b\" is known to the name servers; there are: broker-a");
    let unknown = admin.masters(&Brokers::OfCluster("none".into())).await.unwrap_err().to_string();
    assert_eq!(unknown, "no cluster \"none\" is known to the name servers; there are: DefaultCluster");
    site.stop().await;
}
