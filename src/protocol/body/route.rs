//! What a name server tells clients about a topic: which brokers hold it, with how many queues, and where they are.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::topic_config::Permission;
use super::{json, plain_body, write_list};

/// The id of a set's master; every other id is a slave's.
pub const MASTER_ID: i64 = 0;

/// Answer of GET_ROUTEINFO_BY_TOPIC.
///
/// # Layout
/// There are two forms, which differ in the keys of `brokerAddrs`: `{"0":"ip:port"}` is standard JSON, for clients since
/// 4.9.4 and whoever asks for it ([`Body::encode`](super::Body::encode)); `{0:"ip:port"}` is what older clients are sent
/// ([`TopicRouteData::encode_bare`]). Go splits the text at `brokerAddrs`, so neither may hold blanks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicRouteData {
    /// The brokers that hold the topic and are up.
    pub broker_datas: Vec<BrokerData>,
    /// Filter servers by broker address.
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// `broker:queues;broker:queues` of an ordered topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// The topic's queues on each broker.
    pub queue_datas: Vec<QueueData>,
}

/// A set of one master and its slaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerData {
    /// `ip:port` by broker id; [`MASTER_ID`] is the master's.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The set's name.
    pub broker_name: String,
    /// The cluster it belongs to.
    pub cluster: String,
}

/// A topic's queues on one broker.
///
/// # Layout
/// The last number is written twice: 4.9 and later read `topicSysFlag`, 4.7.1 and Go clients `topicSynFlag`, and each
/// takes 0 for a name it does not find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", from = "QueueDataOnWire", into = "QueueDataOnWire")]
pub struct QueueData {
    /// The broker.
    pub broker_name: String,
    /// What may be done with the topic there.
    pub perm: Permission,
    /// How many queues consumers see.
    pub read_queue_nums: u32,
    /// Bits of [`super::topic_config::topic_sys_flag`].
    pub topic_sys_flag: i32,
    /// How many queues producers see.
    pub write_queue_nums: u32,
}

plain_body!(TopicRouteData);

impl TopicRouteData {
    /// The body in the dialect of fastjson 1.2.69, in which numbers that are keys stand without quotes.
    #[must_use]
    pub fn encode_bare(&self) -> Bytes {
        let mut out = br#"{"brokerDatas":"#.to_vec();
        write_list(&mut out, b'[', &self.broker_datas, b']', |out, broker| broker.write_bare(out));
        out.extend(br#","filterServerTable":"#);
        out.extend(json(&self.filter_server_table));
        if let Some(order) = &self.order_topic_conf {
            out.extend(br#","orderTopicConf":"#);
            out.extend(json(order));
        }
        out.extend(br#","queueDatas":"#);
        out.extend(json(&self.queue_datas));
        out.push(b'}');
        out.into()
    }
}

impl BrokerData {
    fn write_bare(&self, out: &mut Vec<u8>) {
        out.extend(br#"{"brokerAddrs":"#);
        write_list(out, b'{', &self.broker_addrs, b'}', |out, (id, address)| {
            out.extend(format!("{id}:").into_bytes());
            out.extend(json(address));
        });
        out.extend(br#","brokerName":"#);
        out.extend(json(&self.broker_name));
        out.extend(br#","cluster":"#);
        out.extend(json(&self.cluster));
        out.push(b'}');
    }
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct QueueDataOnWire {
    broker_name: String,
    perm: u32,
    read_queue_nums: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_syn_flag: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_sys_flag: Option<i32>,
    write_queue_nums: u32,
}

impl From<QueueDataOnWire> for QueueData {
    fn from(wire: QueueDataOnWire) -> Self {
        Self {
            broker_name: wire.broker_name,
            perm: Permission(wire.perm),
            read_queue_nums: wire.read_queue_nums,
            topic_sys_flag: wire.topic_sys_flag.or(wire.topic_syn_flag).unwrap_or(0),
            write_queue_nums: wire.write_queue_nums,
        }
    }
}

impl From<QueueData> for QueueDataOnWire {
    fn from(data: QueueData) -> Self {
        Self {
            broker_name: data.broker_name,
            perm: data.perm.0,
            read_queue_nums: data.read_queue_nums,
            topic_syn_flag: Some(data.topic_sys_flag),
            topic_sys_flag: Some(data.topic_sys_flag),
            write_queue_nums: data.write_queue_nums,
        }
    }
}
