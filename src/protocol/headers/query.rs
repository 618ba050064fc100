//! Finding messages by their keys.

use super::headers;

headers! {
    /// QUERY_MESSAGE.
    QueryMessage {
        /// The topic.
        topic: text "topic",
        /// One of the message's keys, or the id that its producer gave it.
        key: text "key",
        /// How many messages at most.
        max_num: int32 "maxNum",
        /// Stored then or later, in milliseconds since the epoch.
        begin_timestamp: int64 "beginTimestamp",
        /// Stored then or earlier, in milliseconds since the epoch.
        end_timestamp: int64 "endTimestamp",
        /// Whether `key` is a producer's id.
        unique_key: bool_or_false "_UNIQUE_KEY_QUERY",
    }

    /// VIEW_BROKER_STATS_DATA.
    ViewStats {
        /// What is counted.
        stats_name: text "statsName",
        /// Of what.
        stats_key: text "statsKey",
    }

    /// What QUERY_MESSAGE is answered with, besides messages: how current the index is.
    QueryMessageReply {
        /// When its last message was stored, in milliseconds since the epoch.
        index_last_update_timestamp: int64 "indexLastUpdateTimestamp",
        /// Where that message lies in the log.
        index_last_update_phyoffset: int64 "indexLastUpdatePhyoffset",
    }
}
