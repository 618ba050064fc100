#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use super::*;
use crate::broker::retention::RetentionRules;
use crate::properties_file::{Effect, Notice, Refusal};

fn read(text: &str) -> (BrokerConfig, Vec<Notice>) {
    let mut settings = BrokerConfig::settings_at_default();
    let notices = settings.read("broker.conf", text.as_bytes()).unwrap();
    (BrokerConfig::from_settings(settings, |host| host.parse().ok()).unwrap(), notices)
}

fn refusal(text: &str) -> String {
    let mut settings = BrokerConfig::settings_at_default();
    settings
        .read("broker.conf", text.as_bytes())
        .and_then(|_| BrokerConfig::from_settings(settings, |host| host.parse().ok()).map(|_| ()))
        .unwrap_err()
        .to_string()
}

#[test]
fn every_key_stands_in_the_tables_once_and_with_a_legal_default() {
    assert_eq!((BROKER_KEYS.len(), STORE_KEYS.len(), SERVER_KEYS.len()), (80, 78, 14));
    let settings = BrokerConfig::settings_at_default();
    let names: BTreeSet<&str> = settings.keys().map(|key| key.name).collect();
    assert_eq!(names.len(), settings.keys().count(), "a key stands in two tables");
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let config = BrokerConfig::default();
    assert_eq!(config.retention, RetentionSettings::default());
    assert_eq!(config.listen_port, 10_911);
    assert_eq!(config.store, StoreOptions::at("store"));
    assert_eq!(config.message_bytes_max, 4 * 1024 * 1024);
    assert_eq!(config.waits.send, Duration::from_millis(2_500));
    assert_eq!(config.registration.period, Duration::from_secs(30));
    assert_eq!(config.pull_limits(1_000).memory_bytes, 400);
    assert_eq!(config.announced_address(10_911), "127.0.0.1:10911");
    assert!(config.name_servers.is_empty() && config.address_server.is_none());
}

#[test]
fn the_sample_file_of_the_reference_is_taken_unchanged() {
    let (config, notices) = read(include_str!("../../../conf/broker.conf"));
    assert_eq!((config.name.as_str(), config.cluster.as_str(), config.id), ("broker-a", "DefaultCluster", 0));
    assert!(!config.flush.sync);
    let kept = Duration::from_secs(48 * 3_600);
    let rules = RetentionRules { keep: kept, ..RetentionRules::default() };
    assert_eq!(config.retention, RetentionSettings { rules, ..RetentionSettings::default() });
    assert!(notices.is_empty(), "{notices:?}");
}

#[test]
fn records_are_collected_in_memory_when_nobody_waits_for_the_disk() {
    for (text, staged) in [
        ("", false),
        ("transientStorePoolEnable=true", true),
        ("transientStorePoolEnable=true\nflushDiskType=SYNC_FLUSH", false),
    ] {
        assert_eq!(read(text).0.flush.staged, staged, "{text}");
    }
}

#[test]
fn a_change_is_a_new_value() {
    let before = BrokerConfig::default();
    let update =
        before.updated(b"brokerPermission=4\nlistenPort=1\nmaxMessageSize=big\nautoCreateTopicEnable=false").unwrap();
    assert_eq!(update.changed, ["brokerPermission", "autoCreateTopicEnable"]);
    assert_eq!((update.config.permission, before.permission), (Permission::READ, Permission::READ_WRITE));
    assert!(!update.config.topics.auto_create);
    assert!(update.config.to_properties().contains("\nbrokerPermission=4\n"));
    assert_eq!(update.config.listen_port, before.listen_port);
    assert!(matches!(update.refused.as_slice(), [Refusal::FixedAtStart("listenPort"), Refusal::Value(_)]));
}

#[test]
fn values_that_mean_nothing_are_refused_with_their_place() {
    for (text, expected) in [
        ("namesrvAddr=1.2.3.4", r#"broker.conf:1: namesrvAddr: expected host:port;host:port, found "1.2.3.4""#),
        (
            "rmqAddressServerDomain=http://a",
            r#"broker.conf:1: rmqAddressServerDomain: expected a host, or host:port, found "http://a""#,
        ),
        (
            "rmqAddressServerSubGroup=a b",
            r#"broker.conf:1: rmqAddressServerSubGroup: expected the last part of a URL, found "a b""#,
        ),
        (
            "\nmessageDelayLevel=1s 2",
            r#"broker.conf:2: messageDelayLevel: expected times such as "1s 5m 2h", apart by blanks, found "1s 2""#,
        ),
        (
            "deleteWhen=4;24",
            r#"broker.conf:1: deleteWhen: expected hours from 00 to 23, such as "04" or "03;15", found "4;24""#,
        ),
        (
            "fileReservedTime=24\ntimerWheelEnable=true",
            r#"broker.conf:1: fileReservedTime: expected 48 or more with timerWheelEnable: messages would be lost, found "24""#,
        ),
        ("brokerName=", r#"broker.conf:1: brokerName: expected a name, found """#),
        (
            "brokerIP1=no such host",
            r#"broker.conf:1: brokerIP1: expected an IP address or a host name that resolves, found "no such host""#,
        ),
        (
            "flushDiskType=SYNC",
            r#"broker.conf:1: flushDiskType: expected one of ASYNC_FLUSH, SYNC_FLUSH, found "SYNC""#,
        ),
        (
            "aclEnable=true",
            "broker.conf:1: aclEnable=true is not supported by this version: the broker would be open to everybody",
        ),
        ("brokerRole=SLAVE", "broker.conf:1: brokerRole=SLAVE is not supported by this version: it does not replicate"),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn addresses_of_several_name_servers_and_log_directories_are_lists() {
    let (config, _) = read("namesrvAddr=a:1; b:2;\nstorePathCommitLog=/x, /y\n");
    assert_eq!(config.name_servers, ["a:1", "b:2"]);
    assert_eq!(config.store.log_dirs, [PathBuf::from("/x"), PathBuf::from("/y")]);
}

/// RocketMQ puts the bits of its bloom filter over `bitMapLengthConsumeQueueExt`.
#[test]
fn queue_extensions_are_off_until_they_are_asked_for() {
    let off = BrokerConfig::default();
    assert!(!off.store.queue_ext_enabled && !off.filters.bit_maps);
    let (on, notices) = read(
        "enableConsumeQueueExt=true\nmappedFileSizeConsumeQueueExt=1024\nenableCalcFilterBitMap=true\n\
        bitMapLengthConsumeQueueExt=8\n",
    );
    assert!(on.store.queue_ext_enabled && on.filters.bit_maps);
    assert_eq!((on.store.queue_ext_file_bytes, on.filters.bloom.bits()), (1_024, 112));
    assert!(
        matches!(&*notices, [Notice::NoEffect { keys }] if *keys == ["bitMapLengthConsumeQueueExt"]),
        "{notices:?}"
    );
}

#[test]
fn an_address_server_is_asked_where_nobody_names_name_servers() {
    let asked = |text: &str| read(text).0.address_server.map(|server| server.url);
    let url = |url: &str| Some(url.to_owned());
    assert_eq!(asked("rmqAddressServerDomain=a"), None);
    assert_eq!(asked("fetchNamesrvAddrByAddressServer=true\nnamesrvAddr=a:1"), None);
    assert_eq!(asked("fetchNamesrvAddrByAddressServer=true"), url("http://jmenv.tbsite.net:8080/rocketmq/nsaddr"));
    let own = "fetchNamesrvAddrByAddressServer=true\nrmqAddressServerDomain=a:1\nrmqAddressServerSubGroup=s";
    assert_eq!(asked(own), url("http://a:1/rocketmq/s"));
}

#[test]
fn unset_keys_are_not_shown_and_important_ones_are_few() {
    let config = BrokerConfig::default();
    assert!(!config.to_properties().contains("namesrvAddr"));
    assert!(config.to_properties().contains("clientWorkerThreads=4\n"));
    let important = config.to_important_properties();
    assert!(important.contains("brokerName=") && !important.contains("listenPort"), "{important}");
}

#[test]
fn a_key_is_used_exactly_if_it_is_read() {
    let reader = [include_str!("../config.rs"), include_str!("messages.rs"), include_str!("retention.rs")].concat();
    // A master's id is 0, in RocketMQ too, whatever the file says.
    let settings = BrokerConfig::settings_at_default();
    for key in settings.keys().filter(|key| key.name != "brokerId") {
        let is_read =
            reader.contains(&format!("(\"{}\")", key.name)) || reader.contains(&format!(", \"{}\")", key.name));
        assert_eq!(key.effect == Effect::Used, is_read, "{}", key.name);
    }
}

#[test]
fn hours_and_shares_of_the_disk_are_read() {
    let rules = |text: &str| read(text).0.retention.rules;
    assert_eq!(rules("deleteWhen=03;15; 23").hours, [3, 15, 23]);
    assert!(rules("deleteWhen=").hours.is_empty());
    assert_eq!([1, 50, 99].map(|used| rules(&format!("diskMaxUsedSpaceRatio={used}")).used_max), [10, 50, 95]);
    let (config, _) = read("fileReservedTime=5\ndiskSpaceCleanForciblyRatio=100\ndiskSpaceWarningLevelRatio=100");
    let five_hours = Duration::from_secs(5 * 3_600);
    assert_eq!((config.retention.rules.keep, config.transactions.keep), (five_hours, five_hours));
    assert_eq!((config.retention.rules.force_above, config.retention.rules.refuse_above), (100, 100));
}
