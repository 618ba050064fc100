//! Topics, groups and the broker's own configuration.

use super::headers;

headers! {
    /// UPDATE_AND_CREATE_TOPIC.
    CreateTopic {
        /// Its name.
        topic: text "topic",
        /// Ignored, but always there.
        default_topic: optional_text "defaultTopic",
        /// Queues that consumers see.
        read_queue_nums: int32 "readQueueNums",
        /// Queues that producers see.
        write_queue_nums: int32 "writeQueueNums",
        /// What may be done with it.
        perm: int32 "perm",
        /// SINGLE_TAG or MULTI_TAG.
        topic_filter_type: optional_text "topicFilterType",
        /// Bits of the topic.
        topic_sys_flag: optional_int32 "topicSysFlag",
        /// Ignored.
        order: bool_or_false "order",
        /// What changes of its attributes, as clients of 5.x write it: `+name=value,-name`.
        attributes: optional_text "attributes",
    }

    /// Requests about one topic: DELETE_TOPIC_IN_BROKER, GET_ROUTEINFO_BY_TOPIC, GET_TOPIC_STATS_INFO.
    OfTopic {
        /// Its name.
        topic: text "topic",
    }

    /// GET_SUBSCRIPTIONGROUP_CONFIG.
    OfGroup {
        /// Its name.
        group: text "group",
    }

    /// DELETE_SUBSCRIPTIONGROUP.
    DeleteGroup {
        /// Its name.
        group_name: text "groupName",
        /// Whether its offsets go too, as clients of 4.x ask.
        remove_offset: bool_or_false "removeOffset",
        /// The same, as clients of 5.x ask.
        clean_offset: bool_or_false "cleanOffset",
    }

    /// What GET_BROKER_CONFIG is answered with.
    BrokerConfigReply {
        /// A data version as JSON.
        version: text "version",
    }
}

impl DeleteGroup {
    /// Whether the group's offsets go too, whichever release asks.
    #[must_use]
    pub fn removes_offsets(&self) -> bool {
        self.remove_offset || self.clean_offset
    }
}
