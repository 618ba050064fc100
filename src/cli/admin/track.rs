//! What became of a message: which groups have consumed it.

use super::Context;
use super::page::{Rows, row};
use crate::client::{ClientError, subscription};
use crate::protocol::body::connection::ConsumerConnection;
use crate::protocol::body::heartbeat::{ConsumeType, MessageModel};
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::body::stats::ConsumeStats;
use crate::protocol::codes::response;
use crate::protocol::message::Message;
use crate::protocol::names::{GroupName, Topic};

/// What became of a message in a group, by the names that mqadmin has for it.
///
/// # Source
/// `org.apache.rocketmq.tools.admin.api.TrackType` 4.9.7 (read). CONSUME_BROADCASTING is RocketMQ 5's: 4.9 goes by
/// offsets also where a group does not store them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Track {
    Consumed,
    /// The group has passed over it, since it wants other tags.
    ConsumedButFiltered,
    NotConsumeYet,
    /// Its members keep to themselves how far they have come.
    ConsumeBroadcasting,
    /// The application pulls, and may read in any order.
    Pull,
    NotOnline,
    /// The broker does not say.
    Unknown,
}

impl Track {
    fn name(self) -> &'static str {
        match self {
            Self::Consumed => "CONSUMED",
            Self::ConsumedButFiltered => "CONSUMED_BUT_FILTERED",
            Self::NotConsumeYet => "NOT_CONSUME_YET",
            Self::ConsumeBroadcasting => "CONSUME_BROADCASTING",
            Self::Pull => "PULL",
            Self::NotOnline => "NOT_ONLINE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What became of a message in every group that consumes its topic at the broker that has it. What cannot be told hides neither
/// the other groups nor the message.
pub(super) async fn of(context: &Context, broker: &str, message: &Message) -> Rows {
    let mut rows = Rows::new(&["consumerGroup", "track", "error"]);
    if let Err(error) = add_groups(&mut rows, context, broker, message).await {
        tracing::warn!("who consumes the message is unknown: {error}");
    }
    rows
}

async fn add_groups(rows: &mut Rows, context: &Context, broker: &str, message: &Message) -> Result<(), ClientError> {
    let topic = Topic::parse(message.topic.as_str())?;
    let groups = context.admin.groups_of_topic(broker, &topic).await?.group_list;
    for group in groups.iter().filter_map(|name| GroupName::parse(name).ok()) {
        let (track, error) = match track(context, broker, &group, &topic, message).await {
            Ok(track) => (track, None),
            Err(error) => (Track::Unknown, Some(error.to_string())),
        };
        rows.add(row![group.as_str(), track.name(), error]);
    }
    Ok(())
}

/// What became of a message in a group. Only of groups whose offsets tell of it are these asked for.
async fn track(
    context: &Context,
    broker: &str,
    group: &GroupName,
    topic: &Topic,
    message: &Message,
) -> Result<Track, ClientError> {
    let online = match context.admin.consumer_connection(broker, group).await {
        Err(error) if error.refusal() == Some(response::CONSUMER_NOT_ONLINE) => return Ok(Track::NotOnline),
        online => online?,
    };
    if online.consume_type == ConsumeType::Actively {
        return Ok(Track::Pull);
    }
    if online.message_model == MessageModel::Broadcasting {
        return Ok(Track::ConsumeBroadcasting);
    }
    let stats = context.admin.consume_stats(broker, group, Some(topic)).await?;
    Ok(by_offsets(&online, &stats, message))
}

fn by_offsets(online: &ConsumerConnection, stats: &ConsumeStats, message: &Message) -> Track {
    let is_its = |queue: &MessageQueue| queue.queue_id.cast_unsigned() == message.queue_id.0;
    let reached = stats.offset_table.iter().find(|(queue, _)| is_its(queue)).map_or(0, |(_, at)| at.consumer_offset);
    if reached <= message.queue_offset.0.cast_signed() {
        return Track::NotConsumeYet;
    }
    let wanted = online.subscription_table.get(message.topic.as_str());
    if wanted.is_none_or(|wanted| subscription::wants(wanted, message)) {
        Track::Consumed
    } else {
        Track::ConsumedButFiltered
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::protocol::body::queue_table::QueueTable;
    use crate::protocol::body::stats::QueueProgress;
    use crate::protocol::body::subscription::SubscriptionData;
    use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

    /// The message 5 of queue 1, with a tag.
    fn message() -> Message {
        let host = SocketAddr::from(([127, 0, 0, 1], 1));
        Message {
            topic: "orders".into(),
            queue_id: QueueId(1),
            flag: 0,
            queue_offset: QueueOffset(5),
            physical_offset: PhysicalOffset(0),
            sys_flag: 0,
            born_time: BornTime(0),
            born_host: host,
            store_time: StoreTime(0),
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body_crc: 0,
            body: Bytes::new(),
            properties: "TAGS\u{1}TagA\u{2}".into(),
        }
    }

    #[test]
    fn a_group_has_consumed_what_lies_before_its_offset() {
        let wants = |tag: &str| SubscriptionData { tags_set: [tag.to_owned()].into(), ..SubscriptionData::default() };
        let online = |tag| ConsumerConnection {
            subscription_table: [("orders".into(), Arc::new(wants(tag)))].into(),
            ..ConsumerConnection::default()
        };
        for (tag, offset, expected) in
            [("TagA", 6, Track::Consumed), ("TagA", 5, Track::NotConsumeYet), ("TagB", 6, Track::ConsumedButFiltered)]
        {
            let queue = MessageQueue { broker_name: "a".into(), queue_id: 1, topic: "orders".into() };
            let at = QueueProgress { consumer_offset: offset, ..QueueProgress::default() };
            let stats = ConsumeStats { offset_table: QueueTable([(queue, at)].into()), ..ConsumeStats::default() };
            assert_eq!(by_offsets(&online(tag), &stats, &message()), expected, "{tag} {offset}");
        }
    }
}
