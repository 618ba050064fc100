//! Every kind of body of which there is a recording.

use std::fmt::Debug;

use ferromq::protocol::body::Body;
use ferromq::protocol::body::acl::AclConfig;
use ferromq::protocol::body::cluster::ClusterInfo;
use ferromq::protocol::body::connection::{ConsumerConnection, ProducerConnection, ProducerTableInfo};
use ferromq::protocol::body::consume_queue::ConsumeQueuePage;
use ferromq::protocol::body::consumer::{ConsumeDirectlyResult, ConsumerRunningInfo};
use ferromq::protocol::body::data_version::DataVersion;
use ferromq::protocol::body::heartbeat::HeartbeatData;
use ferromq::protocol::body::kv::KvTable;
use ferromq::protocol::body::lists::{ConsumerList, GroupList, TopicList};
use ferromq::protocol::body::lock::{LockBatchRequestBody, LockBatchResponseBody};
use ferromq::protocol::body::offsets::{
    ConsumerOffsetTable, ConsumerStatusBody, CorrectionOffsets, OffsetMovedEvent, ResetOffsetBody, ResetOffsetList,
};
use ferromq::protocol::body::register::RegisterBrokerBody;
use ferromq::protocol::body::route::TopicRouteData;
use ferromq::protocol::body::stats::{
    BrokerStatsData, ConsumeStats, ConsumeStatsList, ConsumeTimeSpans, TopicStatsTable,
};
use ferromq::protocol::body::subscription::{CheckClientRequestBody, SubscriptionData};
use ferromq::protocol::body::subscription_group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use ferromq::protocol::body::topic_config::TopicConfigTable;

use super::any_bytes::{read, read_route};
use super::fixtures::{
    Written, check, with_both_names_of_the_flag, with_defaults_for_the_reference, without_times_as_texts,
};
use Written::{SameText, SameValues, ValuesAfter};

/// A recording, and what is done with bodies of its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What is compared with the recording when it is written again,
    pub(crate) written: Written,
    /// by this.
    pub(crate) check: fn(&str, Written),
    /// Takes any bytes for such a body.
    pub(crate) read: fn(&[u8]),
}

const fn kind<T: Body + PartialEq + Debug>(name: &'static str, written: Written) -> Kind {
    Kind { name, written, check: check::<T>, read: read::<T> }
}

const fn route(name: &'static str) -> Kind {
    Kind { read: read_route, ..kind::<TopicRouteData>(name, ValuesAfter(with_both_names_of_the_flag)) }
}

pub(crate) const KINDS: [Kind; 39] = [
    kind::<AclConfig>("acl_config", SameText),
    kind::<BrokerStatsData>("broker_stats", SameText),
    kind::<CheckClientRequestBody>("check_client", SameText),
    kind::<ClusterInfo>("cluster_info", SameValues),
    kind::<ConsumeDirectlyResult>("consume_directly_result", SameText),
    kind::<ConsumeStats>("consume_stats", SameText),
    kind::<ConsumeStatsList>("consume_stats_list", SameText),
    kind::<ConsumeTimeSpans>("consume_time_span", ValuesAfter(without_times_as_texts)),
    kind::<ConsumerConnection>("consumer_connection", SameText),
    kind::<ConsumerList>("consumer_list", SameText),
    kind::<ConsumerOffsetTable>("consumer_offset", SameValues),
    kind::<ConsumerRunningInfo>("consumer_running_info", SameValues),
    kind::<ConsumerStatusBody>("consumer_status", SameText),
    kind::<ConsumerStatusBody>("consumer_status_admin", SameText),
    kind::<CorrectionOffsets>("correction_offset", SameValues),
    kind::<DataVersion>("data_version", SameText),
    kind::<TopicStatsTable>("fastjson_ref", ValuesAfter(with_defaults_for_the_reference)),
    kind::<GroupList>("group_list", SameText),
    kind::<HeartbeatData>("heartbeat", SameText),
    kind::<KvTable>("kv_table", SameText),
    kind::<ResetOffsetBody>("local_offsets", SameValues),
    kind::<LockBatchRequestBody>("lock_batch_request", SameText),
    kind::<LockBatchResponseBody>("lock_batch_response", SameText),
    kind::<OffsetMovedEvent>("offset_moved_event", SameText),
    kind::<ProducerConnection>("producer_connection", SameText),
    kind::<ProducerTableInfo>("producer_table", SameText),
    kind::<ConsumeQueuePage>("query_consume_queue", SameText),
    kind::<RegisterBrokerBody>("register_broker", SameValues),
    kind::<ResetOffsetBody>("reset_offset", SameText),
    kind::<ResetOffsetList>("reset_offset_for_c", SameText),
    route("route_legacy"),
    route("route_order_conf"),
    route("route_standard"),
    kind::<SubscriptionGroupConfig>("subscription_group_config", SameText),
    kind::<SubscriptionGroupTable>("subscription_group_wrapper", SameText),
    kind::<SubscriptionData>("subscription_tag", SameText),
    kind::<TopicConfigTable>("topic_config_wrapper", SameValues),
    kind::<TopicList>("topic_list", SameText),
    kind::<TopicStatsTable>("topic_stats", SameValues),
];
