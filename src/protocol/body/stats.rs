//! Figures: how far queues and groups have come, and the broker's counters.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::queue_table::{MessageQueue, QueueTable};
use super::{Body, json, plain_body, write_list};

/// Answer of GET_CONSUME_STATS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeStats {
    /// Messages per second that the group fetches.
    pub consume_tps: f64,
    /// The group's progress by queue.
    pub offset_table: QueueTable<QueueProgress>,
}

/// How far a group has come in a queue.
///
/// # Source
/// `org.apache.rocketmq.common.admin.OffsetWrapper` 4.9.7 (read).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueProgress {
    /// The next offset to be written.
    pub broker_offset: i64,
    /// The next offset the group wants.
    pub consumer_offset: i64,
    /// Store time of the message before that one, in milliseconds since the epoch; 0 when there is none.
    pub last_timestamp: i64,
}

impl QueueProgress {
    /// By how many messages the group is behind in the queue; negative where it is ahead of it.
    #[must_use]
    pub fn diff(&self) -> i64 {
        self.broker_offset.saturating_sub(self.consumer_offset)
    }
}

impl ConsumeStats {
    /// By how many messages the group is behind; where it is ahead of a queue that counts against the others.
    #[must_use]
    pub fn total_diff(&self) -> i64 {
        self.offset_table.values().map(QueueProgress::diff).fold(0, i64::saturating_add)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(br#"{"consumeTps":"#);
        out.extend(json(&self.consume_tps));
        out.extend(br#","offsetTable":"#);
        self.offset_table.write(out);
        out.push(b'}');
    }
}

impl Body for ConsumeStats {
    fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }
}

/// Answer of GET_BROKER_CONSUME_STATS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeStatsList {
    /// The broker that answers.
    pub broker_addr: String,
    /// One table of a single group each, with the group's figures by topic.
    pub consume_stats_list: Vec<BTreeMap<String, Vec<ConsumeStats>>>,
    /// By how many messages all groups together are behind.
    pub total_diff: i64,
}

impl Body for ConsumeStatsList {
    fn encode(&self) -> Bytes {
        let mut out = br#"{"brokerAddr":"#.to_vec();
        out.extend(json(&self.broker_addr));
        out.extend(br#","consumeStatsList":"#);
        write_list(&mut out, b'[', &self.consume_stats_list, b']', |out, groups| {
            write_list(out, b'{', groups, b'}', |out, (group, stats)| {
                out.extend(json(group));
                out.push(b':');
                write_list(out, b'[', stats, b']', |out, stats| stats.write(out));
            });
        });
        out.extend(br#","totalDiff":"#);
        out.extend(json(&self.total_diff));
        out.push(b'}');
        out.into()
    }
}

/// Answer of QUERY_CONSUME_TIME_SPAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeTimeSpans {
    /// How old each queue and the group's place in it are.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// How old a queue is, and a group's place in it.
///
/// # Units
/// Milliseconds, times since the epoch; a time is -1 where there is no message.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.body.QueueTimeSpan` 4.9.7 (read), without the three texts that it makes of times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueTimeSpan {
    /// Store time of the last message that the group has consumed; of the oldest one if it has consumed none.
    pub consume_time_stamp: i64,
    /// How long ago the next message for the group was stored; 0 when there is none.
    pub delay_time: i64,
    /// Store time of the newest message.
    pub max_time_stamp: i64,
    /// The queue.
    pub message_queue: MessageQueue,
    /// Store time of the oldest message.
    pub min_time_stamp: i64,
}

plain_body!(ConsumeTimeSpans);

/// Answer of GET_TOPIC_STATS_INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicStatsTable {
    /// What each queue holds.
    pub offset_table: QueueTable<TopicOffset>,
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicOffset {
    /// Store time of the newest message in milliseconds since the epoch; 0 when there is none.
    pub last_update_timestamp: i64,
    /// The next offset to be written.
    pub max_offset: i64,
    /// The smallest that can be read.
    pub min_offset: i64,
}

impl Body for TopicStatsTable {
    fn encode(&self) -> Bytes {
        let mut out = br#"{"offsetTable":"#.to_vec();
        self.offset_table.write(&mut out);
        out.push(b'}');
        out.into()
    }
}

/// Answer of VIEW_BROKER_STATS_DATA: one counter over three spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerStatsData {
    /// The last day.
    pub stats_day: BrokerStatsItem,
    /// The last hour.
    pub stats_hour: BrokerStatsItem,
    /// The last minute.
    pub stats_minute: BrokerStatsItem,
}

impl BrokerStatsData {
    /// What was counted within the last day. RocketMQ's brokers have no sum of the day for their first hours, and none of the hour
    /// for their first minutes: then it is what the shorter span has.
    ///
    /// # Source
    /// `org.apache.rocketmq.tools.command.stats.StatsAllSubCommand.compute24HourSum` 4.9.7 (read).
    #[must_use]
    pub fn sum_within_a_day(&self) -> i64 {
        let spans = [self.stats_day, self.stats_hour, self.stats_minute];
        spans.iter().map(|span| span.sum).find(|sum| *sum != 0).unwrap_or(0)
    }
}

/// A counter over one span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokerStatsItem {
    /// The mean of what was counted in one go.
    pub avgpt: f64,
    /// The sum.
    pub sum: i64,
    /// The sum per second.
    pub tps: f64,
}

plain_body!(BrokerStatsData);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_from_the_network_are_subtracted_whatever_they_are() {
        for (broker_offset, consumer_offset, expected) in [(7, 4, 3), (i64::MIN, 1, i64::MIN), (i64::MAX, -1, i64::MAX)]
        {
            let at = QueueProgress { broker_offset, consumer_offset, ..QueueProgress::default() };
            assert_eq!(at.diff(), expected, "{at:?}");
        }
    }

    #[test]
    fn a_young_broker_has_counted_for_less_than_a_day() {
        for (day, hour, minute, expected) in [(9, 5, 1, 9), (0, 5, 1, 5), (0, 0, 1, 1), (0, 0, 0, 0)] {
            let of = |sum| BrokerStatsItem { sum, ..BrokerStatsItem::default() };
            let told = BrokerStatsData { stats_day: of(day), stats_hour: of(hour), stats_minute: of(minute) };
            assert_eq!(told.sum_within_a_day(), expected, "{told:?}");
        }
    }
}
