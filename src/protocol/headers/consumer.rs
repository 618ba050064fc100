//! What administrators ask about consumer groups, and have done to them.

use super::headers;

headers! {
    /// GET_CONSUME_STATS.
    ConsumeStatsOf {
        /// The group.
        consumer_group: text "consumerGroup",
        /// The topic; missing or blank stands for all that the group has stored offsets in.
        topic: optional_text "topic",
    }

    /// GET_BROKER_CONSUME_STATS.
    BrokerConsumeStats {
        /// Whether only ordered topics are told of.
        is_order: bool_or_false "isOrder",
    }

    /// QUERY_CONSUME_TIME_SPAN.
    ConsumeTimeSpan {
        /// The topic.
        topic: text "topic",
        /// The group.
        group: text "group",
    }

    /// QUERY_CORRECTION_OFFSET. Clients also send `compareGroup`, which changes nothing at a 4.9.7 broker (measured).
    CorrectionOffset {
        /// The topic.
        topic: text "topic",
        /// Groups that do not count, with commas between them.
        filter_groups: optional_text "filterGroups",
    }

    /// CLONE_GROUP_OFFSET.
    CloneOffset {
        /// The group that has the offsets.
        source: text "srcGroup",
        /// The group that gets them.
        target: text "destGroup",
        /// The topic; missing or blank stands for all that the source has stored offsets in.
        topic: optional_text "topic",
        /// Whether the source's subscriptions do not matter.
        offline: bool_or_false "offline",
    }

    /// QUERY_CONSUME_QUEUE.
    QueryConsumeQueue {
        /// The topic.
        topic: text "topic",
        /// The queue; 0 if missing.
        queue_id: optional_int32 "queueId",
        /// The first entry wanted; 0 if missing.
        index: optional_int64 "index",
        /// How many are wanted; none if missing.
        count: optional_int32 "count",
        /// The group whose subscription is told of.
        consumer_group: optional_text "consumerGroup",
    }

    /// INVOKE_BROKER_TO_RESET_OFFSET, and the push RESET_CONSUMER_CLIENT_OFFSET.
    ResetOffset {
        /// The topic.
        topic: text "topic",
        /// The group.
        group: text "group",
        /// Where to go on: at the message stored nearest to this time, in milliseconds since the epoch; -1 is the end.
        timestamp: int64 "timestamp",
        /// Whether the group may be moved forward.
        is_force: bool_or_false "isForce",
        /// One queue only, in RocketMQ 5; all of them if missing or negative.
        queue_id: optional_int32 "queueId",
        /// An offset instead of a time, in RocketMQ 5; none if missing or negative.
        offset: optional_int64 "offset",
    }

    /// INVOKE_BROKER_TO_GET_CONSUMER_STATUS, and the call GET_CONSUMER_STATUS_FROM_CLIENT, which names no client.
    ConsumerStatus {
        /// The topic.
        topic: text "topic",
        /// The group.
        group: text "group",
        /// A client's id; missing or blank stands for all of the group.
        client_id: optional_text "clientAddr",
    }

    /// GET_CONSUMER_RUNNING_INFO.
    OfConsumer {
        /// Its group.
        consumer_group: text "consumerGroup",
        /// Its id.
        client_id: text "clientId",
        /// Whether it is to show the stacks of its threads.
        jstack_enable: bool_or_false "jstackEnable",
    }

    /// CONSUME_MESSAGE_DIRECTLY.
    ConsumeDirectly {
        /// The consumer's group.
        consumer_group: text "consumerGroup",
        /// Its id.
        client_id: text "clientId",
        /// The offset id of the message.
        message_id: text "msgId",
    }
}
