//! Offsets: of consumers, of queues, by time; and single messages by where they lie.

use super::headers;

headers! {
    /// QUERY_CONSUMER_OFFSET.
    QueryConsumerOffset {
        /// The group.
        consumer_group: text "consumerGroup",
        /// The topic.
        topic: text "topic",
        /// The queue.
        queue_id: int32 "queueId",
        /// Of 5.x: false asks for "not found" where 0 would be the answer.
        set_zero_if_not_found: optional_bool "setZeroIfNotFound",
    }

    /// UPDATE_CONSUMER_OFFSET.
    UpdateConsumerOffset {
        /// The group.
        consumer_group: text "consumerGroup",
        /// The topic.
        topic: text "topic",
        /// The queue.
        queue_id: int32 "queueId",
        /// The next entry that the group wants.
        commit_offset: int64 "commitOffset",
    }

    /// GET_MAX_OFFSET, GET_MIN_OFFSET and GET_EARLIEST_MSG_STORETIME.
    QueueOf {
        /// The topic.
        topic: text "topic",
        /// The queue.
        queue_id: int32 "queueId",
    }

    /// SEARCH_OFFSET_BY_TIMESTAMP.
    SearchOffset {
        /// The topic.
        topic: text "topic",
        /// The queue.
        queue_id: int32 "queueId",
        /// The time, in milliseconds since the epoch.
        timestamp: int64 "timestamp",
    }

    /// What the requests for an offset are answered with.
    OffsetReply {
        /// The offset.
        offset: int64 "offset",
    }

    /// What GET_EARLIEST_MSG_STORETIME is answered with.
    TimestampReply {
        /// The time, -1 when there is no message.
        timestamp: int64 "timestamp",
    }

    /// VIEW_MESSAGE_BY_ID.
    ViewMessage {
        /// Where the message lies in the log.
        offset: int64 "offset",
    }
}
