//! How far consumer groups have come: asked, copied, and set somewhere else.

use std::collections::BTreeMap;

use super::{Admin, request};
use crate::client::ClientError;
use crate::client::route::Queue;
use crate::protocol::body::offsets::{ConsumerOffsetTable, CorrectionOffsets, DelayOffsetTable, ResetOffsetBody};
use crate::protocol::body::queue_table::{MessageQueue, QueueTable};
use crate::protocol::codes::request;
use crate::protocol::command::{Command, Language};
use crate::protocol::headers::consumer::{CloneOffset, CorrectionOffset, ResetOffset};
use crate::protocol::headers::offset::UpdateConsumerOffset;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::units::{ConsumedOffset, QueueId, QueueOffset, StoreTime};

/// The time that stands for the end of a queue on the wire.
const END_MS: i64 = -1;

/// Where a group is to go on.
///
/// See the example of [`Reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// At the message that was stored nearest to a time; what lies before 1970 is 1970.
    Time(StoreTime),
    /// Behind the last message.
    End,
}

/// How a group is sent elsewhere.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::{Admin, Reset, ResetTo, StoredOffset};
/// use ferromq::protocol::command::Language;
/// use ferromq::protocol::names::{GroupName, Topic};
/// use ferromq::protocol::units::{ConsumedOffset, QueueId};
/// # use ferromq::client::{Client, ClientOptions, OutgoingMessage};
///
/// # let client = Client::new(ClientOptions::of(&name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// let receipt = producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// let (admin, broker) = (Admin::new(&name_servers)?, cluster.broker().to_string());
/// let (group, topic) = (GroupName::parse("bookkeeping")?, Topic::parse("Invoices")?);
/// # admin.store_offset(&broker, &group, &topic, receipt.queue_id, ConsumedOffset(0)).await?;
/// // Nobody of the group is online: it goes on behind everything that is there.
/// let reset = Reset { to: ResetTo::End, force: true, consumers: Language::Java };
/// let moved = admin.reset_stored_offsets(&broker, &group, &topic, reset).await?;
/// let own = moved.iter().find(|(queue, _)| queue.queue_id == receipt.queue_id.0 as i32);
/// assert_eq!(own.map(|(_, to)| *to), Some(StoredOffset { before: ConsumedOffset(0), now: ConsumedOffset(1) }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Where to.
    pub to: ResetTo,
    /// Whether it may go forward, too.
    pub force: bool,
    /// What its consumers are written in: those in C++ are told in another form.
    pub consumers: Language,
}

/// Where a group goes on in a queue, and where it would have.
///
/// See the example of [`Reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredOffset {
    /// Before.
    pub before: ConsumedOffset,
    /// Now.
    pub now: ConsumedOffset,
}

impl Admin {
    /// All offsets that groups have stored at a broker: GET_ALL_CONSUMER_OFFSET.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn consumer_offsets(&self, broker: &str) -> Result<ConsumerOffsetTable, ClientError> {
        self.ask(broker, Command::request(request::GET_ALL_CONSUMER_OFFSET)).await?.body()
    }

    /// How far a broker has come with delayed messages: GET_ALL_DELAY_OFFSET.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`].
    pub async fn delay_offsets(&self, broker: &str) -> Result<DelayOffsetTable, ClientError> {
        self.ask(broker, Command::request(request::GET_ALL_DELAY_OFFSET)).await?.body()
    }

    /// Stores an offset for a group, and waits until the broker has it: UPDATE_CONSUMER_OFFSET. Consumers that are online go
    /// on where they are, and store over it.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`].
    pub async fn store_offset(
        &self,
        broker: &str,
        group: &GroupName,
        topic: &Topic,
        queue: QueueId,
        offset: ConsumedOffset,
    ) -> Result<(), ClientError> {
        let header = UpdateConsumerOffset {
            consumer_group: group.to_string(),
            topic: topic.to_string(),
            queue_id: queue.0.cast_signed(),
            commit_offset: offset.0,
        };
        self.ask(broker, request(request::UPDATE_CONSUMER_OFFSET, header.to_ext())).await.map(drop)
    }

    /// Gives a group the offsets of another, of one topic or of all: CLONE_GROUP_OFFSET. Unless `offline`, only of topics that
    /// the source subscribes to.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`].
    pub async fn clone_offsets(
        &self,
        broker: &str,
        source: &GroupName,
        target: &GroupName,
        topic: Option<&Topic>,
        offline: bool,
    ) -> Result<(), ClientError> {
        let (source, target) = (source.to_string(), target.to_string());
        let header = CloneOffset { source, target, topic: topic.map(ToString::to_string), offline };
        self.ask(broker, request(request::CLONE_GROUP_OFFSET, header.to_ext())).await.map(drop)
    }

    /// The smallest offset of each queue that any group has stored, but for those of `others`: QUERY_CORRECTION_OFFSET.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`].
    pub async fn correction_offsets(
        &self,
        broker: &str,
        topic: &Topic,
        others: &[GroupName],
    ) -> Result<CorrectionOffsets, ClientError> {
        let filter_groups =
            (!others.is_empty()).then(|| others.iter().map(GroupName::as_str).collect::<Vec<_>>().join(","));
        let header = CorrectionOffset { topic: topic.to_string(), filter_groups };
        self.ask(broker, request(request::QUERY_CORRECTION_OFFSET, header.to_ext())).await?.body()
    }

    /// Has a broker tell the consumers of a group where to go on, and returns that: INVOKE_BROKER_TO_RESET_OFFSET.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`]; the broker refuses with CONSUMER_NOT_ONLINE when there is none to tell, see
    /// [`Admin::reset_stored_offsets`].
    pub async fn reset_offsets(
        &self,
        broker: &str,
        group: &GroupName,
        topic: &Topic,
        reset: Reset,
    ) -> Result<QueueTable<i64>, ClientError> {
        let timestamp = match reset.to {
            ResetTo::Time(time) => time.0.max(0),
            ResetTo::End => END_MS,
        };
        let (topic, group) = (topic.to_string(), group.to_string());
        let header = ResetOffset { topic, group, timestamp, is_force: reset.force, queue_id: None, offset: None };
        // The broker goes by the language of who asks.
        let command = request(request::INVOKE_BROKER_TO_RESET_OFFSET, header.to_ext()).with_language(reset.consumers);
        let reply: ResetOffsetBody = self.ask(broker, command).await?.body()?;
        Ok(reply.offset_table)
    }

    /// Sets the offsets that a group has stored at a broker: what there is to do for a group that is not online. A group that
    /// has stored none of a queue counts as one at 0. Where it stays where it is nothing is stored.
    ///
    /// Asks for the group's progress, for the offset of each queue, and stores it: several requests, between which a consumer
    /// may come online and store offsets of its own.
    ///
    /// # Errors
    /// As [`Admin::consumer_offsets`].
    pub async fn reset_stored_offsets(
        &self,
        broker: &str,
        group: &GroupName,
        topic: &Topic,
        reset: Reset,
    ) -> Result<BTreeMap<MessageQueue, StoredOffset>, ClientError> {
        let progress = self.consume_stats(broker, group, Some(topic)).await?;
        let puller = self.puller(group.clone(), topic.clone());
        let mut stored = BTreeMap::new();
        for (name, at) in progress.offset_table.0 {
            let id = QueueId(name.queue_id.cast_unsigned());
            let queue = Queue { broker_name: name.broker_name.as_str().into(), address: broker.into(), id };
            let found = match reset.to {
                ResetTo::End => puller.max_offset(&queue).await?,
                ResetTo::Time(time) => puller.offset_at(&queue, time.0.max(0)).await?,
            };
            let before = ConsumedOffset(at.consumer_offset);
            let target = target(before, found, reset.force);
            if let Some(offset) = target {
                self.store_offset(broker, group, topic, id, offset).await?;
            }
            stored.insert(name, StoredOffset { before, now: target.unwrap_or(before) });
        }
        Ok(stored)
    }
}

/// Where a group goes on that was at `before`; `None` if it stays there. A group without an offset is at 0 only by name: if that
/// were stored, one that begins at the end would consume everything.
///
/// # Source
/// `DefaultMQAdminExtImpl.resetOffsetConsumeOffset` 4.9.7 (read).
fn target(before: ConsumedOffset, found: QueueOffset, force: bool) -> Option<ConsumedOffset> {
    let found = ConsumedOffset(found.0.cast_signed());
    (force || found <= before).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_goes_forward_by_force_only() {
        for (before, found, force, expected) in [
            (5, 3, false, Some(3)),
            (5, 5, false, Some(5)),
            (5, 9, false, None),
            (5, 9, true, Some(9)),
            (5, 3, true, Some(3)),
        ] {
            let target = target(ConsumedOffset(before), QueueOffset(found), force);
            assert_eq!(target, expected.map(ConsumedOffset), "{before} {found} {force}");
        }
    }
}
