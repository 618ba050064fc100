//! Access control, at a broker that answers as RocketMQ 4.9.7 does: tests/interop asks that one itself.

use std::time::Duration;

use ferromq::admin::{Admin, AdminError};
use ferromq::protocol::body::acl::AccessConfig;
use ferromq::protocol::body::data_version::DataVersion;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};

use crate::binary::{Ferromq, Ran, contains};
use crate::fake_broker::{FakeBroker, reply};
use crate::fixtures::Site;
use crate::shell::Shell;

const FILE: &str = "/rocketmq/conf/plain_acl.yml";
const CONFIG: &str = r#"{"globalWhiteAddrs":["10.10.*.*"],"plainAccessConfigs":[{"accessKey":"reader-1","admin":false,"defaultGroupPerm":"SUB","defaultTopicPerm":"DENY","groupPerms":["groupA=SUB"],"secretKey":"12345678","topicPerms":["topicA=PUB|SUB","topicB=SUB"]},{"accessKey":"admin-1","admin":true,"secretKey":"87654321","whiteRemoteAddress":"192.168.0.*"}]}"#;

fn answer(to: &Command) -> Command {
    let done = reply(to, response::SUCCESS);
    match to.code {
        request::GET_BROKER_CLUSTER_ACL_CONFIG => done.with_body(CONFIG.into()),
        request::GET_BROKER_CLUSTER_ACL_INFO => {
            let version = r#"{"counter":4,"timestamp":1709164800000}"#;
            let mut ext = ExtFields::builder();
            ext.push("version", version).push("allAclFileVersion", format!("{{\"{FILE}\":{version}}}"));
            ext.push("brokerName", "broker-a").push("brokerAddr", "10.0.0.1:10911").push("clusterName", "c");
            done.with_ext(ext.build())
        }
        request::DELETE_ACL_CONFIG if to.ext.get("accessKey").as_deref() == Some("nobody-1") => {
            reply(to, response::DELETE_ACL_CONFIG_FAILED).with_remark("The accesskey[nobody-1] ... failed.")
        }
        _ => done,
    }
}

async fn broker() -> (FakeBroker, Admin) {
    let broker = FakeBroker::start(|command, _| Some(vec![answer(command)])).await;
    let admin = Admin::new(&broker.address).unwrap();
    (broker, admin)
}

/// The fields of the one request of a code, in the order of their names.
#[track_caller]
fn fields(broker: &FakeBroker, code: i32) -> Vec<(String, String)> {
    let received = broker.received(code);
    let [command] = &received[..] else { panic!("{received:?}") };
    let mut fields: Vec<_> = command.ext.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    fields.sort();
    fields
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[actix::test]
async fn an_account_is_made_with_what_is_said_of_it() {
    let (broker, admin) = broker().await;
    let access = AccessConfig {
        access_key: Some("reader-1".into()),
        secret_key: Some("12345678".into()),
        topic_perms: vec!["a=PUB|SUB".into(), "b=SUB".into()],
        ..AccessConfig::default()
    };
    admin.update_access(&broker.address, &access).await.unwrap();
    let expected =
        [("accessKey", "reader-1"), ("admin", "false"), ("secretKey", "12345678"), ("topicPerms", "a=PUB|SUB,b=SUB")];
    assert_eq!(fields(&broker, request::UPDATE_AND_CREATE_ACL_CONFIG), pairs(&expected));
}

#[actix::test]
async fn an_account_is_removed_or_was_not_there() {
    let (broker, admin) = broker().await;
    admin.delete_access(&broker.address, "reader-1").await.unwrap();
    assert_eq!(fields(&broker, request::DELETE_ACL_CONFIG), pairs(&[("accessKey", "reader-1")]));
    let error = admin.delete_access(&broker.address, "nobody-1").await.unwrap_err();
    assert_eq!(error.refusal(), Some(response::DELETE_ACL_CONFIG_FAILED));
    assert!(matches!(error, AdminError::Client(_)), "{error:?}");
}

#[actix::test]
async fn addresses_are_set_in_the_file_that_is_named() {
    let addresses = ["10.10.*.*".to_owned(), "192.168.0.1".to_owned()];
    let expected = [("aclFileFullPath", FILE), ("globalWhiteAddrs", "10.10.*.*,192.168.0.1")];
    for (file, expected) in [(None, &expected[1..]), (Some(FILE), &expected)] {
        let (broker, admin) = broker().await;
        admin.update_global_addresses(&broker.address, &addresses, file).await.unwrap();
        assert_eq!(fields(&broker, request::UPDATE_GLOBAL_WHITE_ADDRS_CONFIG), pairs(expected));
    }
}

#[actix::test]
async fn what_files_say_and_how_current_they_are() {
    let (broker, admin) = broker().await;
    let config = admin.acl_config(&broker.address).await.unwrap();
    assert_eq!(config.global_white_addrs, ["10.10.*.*"]);
    let keys = config.plain_access_configs.iter().map(|account| account.access_key.as_deref().unwrap());
    assert_eq!(keys.collect::<Vec<_>>(), ["reader-1", "admin-1"]);
    let told = format!("{config:?}");
    assert!(!told.contains("12345678") && !told.contains("87654321"), "{told}");
    let versions = admin.acl_versions(&broker.address).await.unwrap();
    let version = DataVersion { counter: 4, timestamp: 1_709_164_800_000 };
    assert_eq!((&*versions.cluster, &*versions.broker_name, &*versions.address), ("c", "broker-a", "10.0.0.1:10911"));
    assert_eq!((versions.version, versions.files), (version, [(FILE.to_owned(), version)].into()));
}

/// What is said of a broker that answers so.
async fn check_none(answer: impl Fn(&Command) -> Vec<Command> + Send + Sync + 'static) {
    let broker = FakeBroker::start(move |command, _| Some(answer(command))).await;
    let admin = Admin::new(&broker.address).unwrap().with_limit(Duration::from_millis(20));
    for error in [
        admin.acl_config(&broker.address).await.map(drop).unwrap_err(),
        admin.acl_versions(&broker.address).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, AdminError::NoAccessControl { .. }), "{error:?}");
        contains(&error.to_string(), &format!("{} seems to have no access control: ", broker.address));
    }
}

#[actix::test]
async fn a_broker_without_access_control_is_told_from_one_that_refuses() {
    check_none(|to| {
        vec![reply(to, response::REQUEST_CODE_NOT_SUPPORTED).with_remark(" request type 54 not supported")]
    })
    .await;
    // RocketMQ's, by which some requests are not answered, and others in the words of its Java.
    check_none(|_| vec![]).await;
    check_none(|to| vec![reply(to, response::UPDATE_AND_CREATE_ACL_CONFIG_FAILED)]).await;
    const NULL: &str = "Cannot invoke \"org.apache.rocketmq.acl.AccessValidator.deleteAccessConfig(String)\" because \"accessValidator\" is null";
    check_none(|to| vec![reply(to, response::DELETE_ACL_CONFIG_FAILED).with_remark(NULL)]).await;
    let refuses = |to: &Command, _| Some(vec![reply(to, response::SYSTEM_ERROR).with_remark("AclException: no")]);
    let broker = FakeBroker::start(refuses).await;
    let error = Admin::new(&broker.address).unwrap().acl_config(&broker.address).await.unwrap_err();
    assert!(matches!(error, AdminError::Client(_)), "{error:?}");
}

#[actix::test]
async fn a_broker_of_ours_has_none_yet() {
    let site = Site::start().await;
    let error = site.admin.acl_config(&site.broker).await.unwrap_err();
    assert!(matches!(error, AdminError::NoAccessControl { .. }), "{error:?}");
    assert_eq!(error.refusal(), Some(response::REQUEST_CODE_NOT_SUPPORTED));
    site.stop().await;
}

async fn run(broker: &FakeBroker, command: &str) -> Ran {
    let command = format!("admin {command} -b {} -n {}", broker.address, broker.address);
    tokio::task::spawn_blocking(move || Ferromq::new().run(&command)).await.unwrap()
}

/// What a command prints, with all runs of blanks as one.
async fn prints(broker: &FakeBroker, command: &str) -> String {
    let ran = run(broker, command).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}: {}", ran.out);
    ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[actix::test]
async fn in_a_shell_accounts_are_shown_without_their_secrets() {
    let (broker, _) = broker().await;
    let shown = prints(&broker, "getAclConfig").await;
    contains(&shown, "reader-1 (hidden) - false DENY SUB topicA=PUB|SUB,topicB=SUB groupA=SUB\n");
    contains(&shown, "admin-1 (hidden) 192.168.0.* true - -\n");
    contains(&shown, "globalWhiteRemoteAddress\n10.10.*.*\n");
    let shown = prints(&broker, "getAclConfig --showSecrets").await;
    contains(&shown, "reader-1 12345678 - false");
    let versions = format!("c broker-a 10.0.0.1:10911 {FILE} 4 2024-02-29T00:00:00.000Z\n");
    contains(&prints(&broker, "clusterAclConfigVersion").await, &versions);
}

#[actix::test]
async fn in_a_shell_accounts_are_changed_by_the_names_of_mqadmin() {
    let (broker, _) = broker().await;
    let all = "updateAclConfig -a reader-1 -s 12345678 -w 10.0.0.1 -i DENY -u SUB -t a=PUB,b=SUB -g g=SUB -m true";
    contains(&prints(&broker, all).await, "reader-1 true\n");
    let expected = [
        ("accessKey", "reader-1"),
        ("admin", "true"),
        ("defaultGroupPerm", "SUB"),
        ("defaultTopicPerm", "DENY"),
        ("groupPerms", "g=SUB"),
        ("secretKey", "12345678"),
        ("topicPerms", "a=PUB,b=SUB"),
        ("whiteRemoteAddress", "10.0.0.1"),
    ];
    assert_eq!(fields(&broker, request::UPDATE_AND_CREATE_ACL_CONFIG), pairs(&expected));
    contains(&prints(&broker, "deleteAclConfig -a reader-1").await, "reader-1\n");
    contains(&prints(&broker, "updateGlobalWhiteAddr -g 10.10.*.*,10.0.0.1").await, "10.10.*.*,10.0.0.1 -\n");
    let expected = [("globalWhiteAddrs", "10.10.*.*,10.0.0.1")];
    assert_eq!(fields(&broker, request::UPDATE_GLOBAL_WHITE_ADDRS_CONFIG), pairs(&expected));
    let ran = run(&broker, "deleteAclConfig -a nobody-1").await;
    assert_eq!(ran.code, 1);
    contains(&ran.err, "refused with code 210: The accesskey[nobody-1]");
}

#[actix::test]
async fn in_a_shell_a_secret_may_come_from_standard_input() {
    let (broker, _) = broker().await;
    let command = format!("admin updateAclConfig -a reader-1 -s - -b {} -n n:1", broker.address);
    let run = |input| {
        let command = command.clone();
        tokio::task::spawn_blocking(move || Ferromq::new().run_with_input(&command, input))
    };
    let empty = run("\n").await.unwrap();
    assert_eq!(empty.code, 1);
    contains(&empty.err, "standard input has no secret");
    assert_eq!(run("se cret-\r\nmore").await.unwrap().code, 0);
    let expected = [("accessKey", "reader-1"), ("admin", "false"), ("secretKey", "se cret-")];
    assert_eq!(fields(&broker, request::UPDATE_AND_CREATE_ACL_CONFIG), pairs(&expected));
}

#[test]
fn in_a_shell_a_broker_of_ours_has_no_accounts() {
    let shell = Shell::start();
    let error = "seems to have no access control: ";
    for command in [
        "updateAclConfig -a reader-1 -s 12345678",
        "deleteAclConfig -a reader-1",
        "updateGlobalWhiteAddr -g 10.0.0.1",
        "clusterAclConfigVersion",
        "getAclConfig",
    ] {
        contains(&shell.fails(&format!("{command} -b {}", shell.broker())), error);
        let told = shell.fails(&format!("{command} -c DefaultCluster"));
        contains(&told, error);
        assert_eq!(told.matches("refused with code 3").count(), 1, "the cause is told once: {told}");
    }
}
