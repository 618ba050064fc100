//! Settings, state and figures of the servers, by the functions of the library.

use ferromq::broker::stats::Counter;
use ferromq::namesrv::kv_config::ORDER_TOPIC_CONFIG;
use ferromq::protocol::body::topic_config::Permission;
use ferromq::protocol::codes::response;
use ferromq::protocol::units::QueueId;

use crate::fixtures::{Site, until};

#[actix::test]
async fn of_a_broker() {
    let site = Site::start().await;
    let (admin, broker) = (&site.admin, &site.broker);
    assert_eq!(admin.broker_config(broker).await.unwrap()["fileReservedTime"], "72");
    admin.update_broker_config(broker, &[("fileReservedTime", "71")]).await.unwrap();
    assert_eq!(admin.broker_config(broker).await.unwrap()["fileReservedTime"], "71");
    let refused = admin.update_broker_config(broker, &[("fileReservedTime", "soon")]).await.unwrap_err();
    assert!(refused.refusal().is_some() && refused.to_string().contains("fileReservedTime"), "{refused}");

    site.with_topic("orders", 1).await;
    site.with_messages("orders", QueueId(0), 2).await;
    let info = async || admin.runtime_info(broker).await.unwrap();
    let info = until(info, |info| info["msgPutTotalTodayNow"] == "2").await;
    assert_eq!(info["brokerVersionDesc"], "V4_9_7");
    let counter = Counter::TopicPutNums.name();
    let stats = async || admin.broker_stats(broker, counter, "orders").await.map_or(0, |stats| stats.stats_day.sum);
    until(stats, |sum| *sum == 2).await;
    assert!(admin.broker_stats(broker, counter, "nope").await.unwrap_err().refusal().is_some());

    admin.clean_expired_queues(broker).await.unwrap();
    admin.delete_expired_log(broker).await.unwrap();
    let refused = admin.resume_transaction_check(broker, "no id").await.unwrap_err();
    assert_eq!(refused.refusal(), Some(response::SYSTEM_ERROR), "{refused}");
    site.stop().await;
}

#[actix::test]
async fn of_a_name_server() {
    let site = Site::start().await;
    let (admin, name_server) = (&site.admin, &site.cluster.name_servers());
    assert_eq!(*admin.name_servers(), std::slice::from_ref(name_server));
    assert_eq!(admin.name_server_config(name_server).await.unwrap()["orderMessageEnable"], "false");
    admin.update_name_server_config(name_server, &[("orderMessageEnable", "true")]).await.unwrap();
    assert_eq!(admin.name_server_config(name_server).await.unwrap()["orderMessageEnable"], "true");
    let info = admin.cluster_info().await.unwrap();
    assert_eq!(info.broker_addr_table["broker-a"].broker_addrs[&0], site.broker);

    let orders = site.with_topic("orders", 1).await;
    admin.put_kv(ORDER_TOPIC_CONFIG, "orders", "broker-a:1").await.unwrap();
    assert_eq!(admin.kv(ORDER_TOPIC_CONFIG, "orders").await.unwrap().as_deref(), Some("broker-a:1"));
    assert_eq!(admin.routes().of(&orders).await.unwrap().order_topic_conf.as_deref(), Some("broker-a:1"));
    assert_eq!(admin.kv_table(ORDER_TOPIC_CONFIG).await.unwrap().unwrap()["orders"], "broker-a:1");
    admin.delete_kv(ORDER_TOPIC_CONFIG, "orders").await.unwrap();
    assert_eq!(admin.kv(ORDER_TOPIC_CONFIG, "orders").await.unwrap(), None);
    assert_eq!(admin.kv_table("none").await.unwrap(), None);

    let perm = async || admin.routes().of(&orders).await.unwrap().queue_datas[0].perm;
    assert!(admin.wipe_write_permission(name_server, "broker-a").await.unwrap() > 0);
    assert_eq!(perm().await, Permission::READ);
    assert!(admin.add_write_permission(name_server, "broker-a").await.unwrap() > 0);
    assert_eq!(perm().await, Permission::READ_WRITE);
    assert_eq!(admin.wipe_write_permission(name_server, "broker-b").await.unwrap(), 0);
    site.stop().await;
}

#[actix::test]
async fn every_name_server_is_told_and_one_that_is_dead_hides_no_other() {
    let site = Site::start().await;
    let both = format!("127.0.0.1:1;{}", site.cluster.name_servers());
    let admin = ferromq::admin::Admin::new(&both).unwrap();
    let failed = admin.put_kv("ns", "a", "b").await.unwrap_err();
    assert!(failed.to_string().contains("127.0.0.1:1"), "{failed}");
    assert_eq!(admin.kv("ns", "a").await.unwrap().as_deref(), Some("b"), "asked of the one that is there");
    site.stop().await;
}
