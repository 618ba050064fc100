//! Name server: registration of brokers and key-value configuration.

use super::headers;

headers! {
    /// REGISTER_BROKER.
    RegisterBroker {
        /// Name of the set of master and slaves.
        broker_name: text "brokerName",
        /// Where clients reach it.
        broker_addr: text "brokerAddr",
        /// Its cluster.
        cluster_name: text "clusterName",
        /// Where slaves reach it.
        ha_server_addr: text "haServerAddr",
        /// 0 for the master.
        broker_id: int64 "brokerId",
        /// Whether the body is compressed.
        compressed: bool_or_false "compressed",
        /// CRC of the body without its top bit; 0 is not checked.
        body_crc32: optional_int32 "bodyCrc32",
    }

    /// What a registration is answered with; slaves learn their master.
    RegisterBrokerReply {
        /// Where the master replicates from.
        ha_server_addr: optional_text "haServerAddr",
        /// Where the master serves.
        master_addr: optional_text "masterAddr",
    }

    /// UNREGISTER_BROKER and QUERY_DATA_VERSION.
    OfBroker {
        /// Name of the set of master and slaves.
        broker_name: text "brokerName",
        /// Where clients reach it.
        broker_addr: text "brokerAddr",
        /// Its cluster.
        cluster_name: text "clusterName",
        /// 0 for the master.
        broker_id: int64 "brokerId",
    }

    /// What QUERY_DATA_VERSION is answered with.
    DataVersionReply {
        /// Whether the broker has to register.
        changed: bool "changed",
    }

    /// GET_ROUTEINFO_BY_TOPIC.
    RouteOf {
        /// The topic.
        topic: text "topic",
        /// Whether the asker cannot read fastjson's dialect.
        accept_standard_json_only: bool_or_false "acceptStandardJsonOnly",
    }

    /// PUT_KV_CONFIG.
    PutKv {
        /// The table. It has to be there, as everything here, but what is missing has words of its own.
        namespace: optional_text "namespace",
        /// The key.
        key: optional_text "key",
        /// The value.
        value: optional_text "value",
    }

    /// GET_KV_CONFIG: what names nothing is found as little as what is not there.
    GetKv {
        /// The table.
        namespace: optional_text "namespace",
        /// The key.
        key: optional_text "key",
    }

    /// DELETE_KV_CONFIG.
    DeleteKv {
        /// The table.
        namespace: text "namespace",
        /// The key.
        key: text "key",
    }

    /// What GET_KV_CONFIG is answered with.
    KvReply {
        /// The value.
        value: optional_text "value",
    }

    /// GET_KVLIST_BY_NAMESPACE: as GET_KV_CONFIG.
    OfNamespace {
        /// The table.
        namespace: optional_text "namespace",
    }

    /// WIPE_WRITE_PERM_OF_BROKER and ADD_WRITE_PERM_OF_BROKER.
    OfBrokerName {
        /// Name of the set of master and slaves.
        broker_name: text "brokerName",
    }

    /// What WIPE_WRITE_PERM_OF_BROKER is answered with.
    WipeWritePermReply {
        /// Topics that can no longer be written there.
        wipe_topic_count: int32 "wipeTopicCount",
    }

    /// What ADD_WRITE_PERM_OF_BROKER is answered with.
    AddWritePermReply {
        /// Topics that can be written there again.
        add_topic_count: int32 "addTopicCount",
    }

    /// DELETE_TOPIC_IN_NAMESRV.
    DeleteRoute {
        /// The topic.
        topic: text "topic",
        /// Only in this cluster; everywhere when absent or empty.
        cluster_name: optional_text "clusterName",
    }

    /// GET_TOPICS_BY_CLUSTER.
    OfCluster {
        /// Its name.
        cluster: text "cluster",
    }
}
