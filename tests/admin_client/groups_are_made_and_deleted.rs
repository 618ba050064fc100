//! Consumer groups as they are configured, by the functions of the library.

use ferromq::protocol::body::subscription_group::SubscriptionGroupConfig;
use ferromq::protocol::units::{ConsumedOffset, QueueId};

use crate::fixtures::{Site, group};

#[actix::test]
async fn a_group_is_made_changed_and_deleted() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    let billing = group("billing");
    let config = SubscriptionGroupConfig {
        consume_broadcast_enable: false,
        retry_max_times: 3,
        retry_queue_nums: 2,
        ..SubscriptionGroupConfig::new("billing")
    };
    admin.save_group(broker, &SubscriptionGroupConfig::new("billing")).await.unwrap();
    admin.save_group(broker, &config).await.unwrap();
    assert_eq!(admin.group(broker, &billing).await.unwrap(), config);
    let all = admin.groups(broker).await.unwrap().subscription_group_table;
    assert_eq!(all.get("billing").map(|config| &**config), Some(&config));
    assert!(all.contains_key("TOOLS_CONSUMER"), "{all:?}");

    admin.delete_group(broker, &billing, true).await.unwrap();
    let all = admin.groups(broker).await.unwrap().subscription_group_table;
    assert!(!all.contains_key("billing"), "{all:?}");
    admin.delete_group(broker, &billing, false).await.unwrap();
    site.stop().await;
}

#[actix::test]
async fn its_offsets_go_with_it_or_stay() {
    let site = Site::start().await;
    let orders = site.with_topic("orders", 1).await;
    for (name, with_offsets) in [("a", true), ("b", false)] {
        let group = group(name);
        site.admin.save_group(&site.broker, &SubscriptionGroupConfig::new(name)).await.unwrap();
        site.admin.store_offset(&site.broker, &group, &orders, QueueId(0), ConsumedOffset(0)).await.unwrap();
        site.admin.delete_group(&site.broker, &group, with_offsets).await.unwrap();
        let stored = site.admin.consumer_offsets(&site.broker).await.unwrap().offset_table;
        assert_eq!(stored.contains_key(&format!("orders@{name}")), !with_offsets, "{stored:?}");
    }
    site.stop().await;
}
