//! A name server alone, and brokers that say to it what the test wants.

use std::fmt::Display;
use std::path::Path;

use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::NamesrvOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::raw::{Raw, ask_for};
use crate::support::free_port;

/// A name server with its files in a directory of its own.
pub(crate) struct Alone {
    pub(crate) namesrv: Namesrv,
    pub(crate) directory: TempDir,
}

impl Alone {
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(NamesrvOptions) -> NamesrvOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = change(options_in(directory.path()));
        Self { namesrv: Namesrv::builder(options).start().await.unwrap(), directory }
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.namesrv.address()).await
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.namesrv.stop().await;
        self.directory
    }
}

pub(crate) fn options_in(directory: &Path) -> NamesrvOptions {
    NamesrvOptions { listen: free_port(), ..NamesrvOptions::at(directory) }
}

/// What a broker says of itself with every request.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) cluster: &'static str,
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) id: i64,
}

pub(crate) const MASTER_A: Identity = Identity { cluster: "C", name: "a", address: "127.0.0.1:1001", id: 0 };
pub(crate) const SLAVE_A: Identity = Identity { cluster: "C", name: "a", address: "127.0.0.1:1002", id: 1 };
pub(crate) const MASTER_B: Identity = Identity { cluster: "C", name: "b", address: "127.0.0.1:1003", id: 0 };
pub(crate) const ELSEWHERE: Identity = Identity { cluster: "D", name: "d", address: "127.0.0.1:1004", id: 0 };

impl Identity {
    /// UNREGISTER_BROKER or QUERY_DATA_VERSION.
    pub(crate) fn asks(&self, code: i32) -> Command {
        ask_for(code, &self.fields())
    }

    /// REGISTER_BROKER without a body, with fields besides.
    pub(crate) fn registers(&self, besides: &[(&str, &dyn Display)]) -> Command {
        let ha_address = format!("{}9", self.address);
        let fields = [&self.fields()[..], &[("haServerAddr", &ha_address)], besides].concat();
        ask_for(request::REGISTER_BROKER, &fields)
    }

    /// REGISTER_BROKER with the topics of a version, each with so many queues.
    pub(crate) fn holds(&self, version: i64, topics: &[(&str, u32)]) -> Command {
        let table = json!({"filterServerList": [], "topicConfigSerializeWrapper": topic_table(version, topics)});
        self.registers(&[]).with_body(table.to_string().into())
    }

    /// REGISTER_BROKER with the topics of a version, each with its value of one setting.
    pub(crate) fn configures(&self, version: i64, setting: &str, topics: &[(&str, i32)]) -> Command {
        let names: Vec<(&str, u32)> = topics.iter().map(|(topic, _)| (*topic, 1)).collect();
        let mut table = topic_table(version, &names);
        for (topic, value) in topics {
            table["topicConfigTable"][topic][setting] = json!(value);
        }
        let table = json!({"filterServerList": [], "topicConfigSerializeWrapper": table});
        self.registers(&[]).with_body(table.to_string().into())
    }

    fn fields(&self) -> [(&'static str, &dyn Display); 4] {
        [
            ("brokerName", &self.name),
            ("brokerAddr", &self.address),
            ("clusterName", &self.cluster),
            ("brokerId", &self.id),
        ]
    }
}

/// A topic table as a broker writes it.
pub(crate) fn topic_table(version: i64, topics: &[(&str, u32)]) -> Value {
    let config = |(name, queues): &(&str, u32)| {
        let config = json!({"topicName": name, "readQueueNums": queues, "writeQueueNums": queues, "perm": 6,
            "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": false});
        ((*name).to_owned(), config)
    };
    let topics: serde_json::Map<String, Value> = topics.iter().map(config).collect();
    json!({"dataVersion": data_version(version), "topicConfigTable": topics})
}

/// A version that has been changed so often.
pub(crate) fn data_version(counter: i64) -> Value {
    json!({"counter": counter, "timestamp": 1_700_000_000_000_i64})
}

/// Asks for what must not fail.
pub(crate) async fn succeeds(client: &mut Raw, command: Command) -> Command {
    let reply = client.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (response::SUCCESS, None), "{reply:?}");
    reply
}

/// Asks for what must be refused, in these words.
pub(crate) async fn is_refused(client: &mut Raw, command: Command, code: i32, remark: &str) {
    let asked = command.code;
    let reply = client.ask(command).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (code, Some(remark)), "{asked}");
    assert!(reply.body.is_empty(), "{asked}");
}

pub(crate) fn body(reply: &Command) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

pub(crate) fn route_of(topic: &str) -> Command {
    ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &topic)])
}

/// Where a topic is, or `None` when nobody knows.
pub(crate) async fn route(client: &mut Raw, topic: &str) -> Option<Value> {
    let reply = client.ask(route_of(topic)).await;
    assert!([response::SUCCESS, response::TOPIC_NOT_EXIST].contains(&reply.code), "{reply:?}");
    (reply.code == response::SUCCESS).then(|| body(&reply))
}

/// The addresses of all brokers by name and number, as GET_BROKER_CLUSTER_INFO tells them.
pub(crate) async fn brokers(client: &mut Raw) -> Value {
    let reply = succeeds(client, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    addresses(&body(&reply))
}

/// Waits until these brokers are left.
pub(crate) async fn only_are_left(client: &mut Raw, expected: Value) {
    let clusters = ask_for(request::GET_BROKER_CLUSTER_INFO, &[]);
    client.ask_until(clusters, |reply| addresses(&body(reply)) == expected).await;
}

fn addresses(cluster_info: &Value) -> Value {
    let brokers = cluster_info["brokerAddrTable"].as_object().unwrap().iter();
    Value::Object(brokers.map(|(name, broker)| (name.clone(), broker["brokerAddrs"].clone())).collect())
}

/// The names of all topics.
pub(crate) async fn topics(client: &mut Raw) -> Value {
    let reply = succeeds(client, ask_for(request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[])).await;
    body(&reply)["topicList"].clone()
}
