//! What a member asks brokers before it takes queues over: who else there is, and where to begin.

use std::sync::Arc;

use actix::Recipient;

use super::super::instance_actor::Beats;
use super::super::offset_store_actor::OffsetOf;
use crate::client::allocation::share_of;
use crate::client::error::ClientError;
use crate::client::member::Member;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::names::Topic;
use crate::protocol::units::QueueOffset;

/// The member's share of a topic.
pub(super) type Share = (Topic, Vec<MessageQueue>);

/// What the member has to read now, of each topic that could be asked about, and whether that is all of them.
pub(super) async fn shares(member: Arc<Member>, beat: Recipient<Beats>) -> (Vec<Share>, bool) {
    let subscriptions = member.subscriptions();
    for topic in subscriptions.keys() {
        // What cannot be learned is told of below.
        let _ = member.routes.of(topic).await;
    }
    // Only brokers that know the member tell of it.
    let _ = beat.send(Beats::ToNew).await;
    let mut shares = Vec::new();
    for topic in subscriptions.keys() {
        match share(&member, topic).await {
            Ok(share) => shares.push((topic.clone(), share)),
            // A retry topic comes to be with the first member that a broker hears of.
            Err(error) if topic.is_retry() => tracing::debug!(%topic, %error, "cannot rebalance yet"),
            Err(error) => tracing::warn!(%topic, %error, "cannot rebalance yet; the queues stay whose they are"),
        }
    }
    let is_whole = shares.len() == subscriptions.len();
    (shares, is_whole)
}

async fn share(member: &Member, topic: &Topic) -> Result<Vec<MessageQueue>, ClientError> {
    if let Some(assigned) = member.assigned().as_ref() {
        return Ok(assigned.iter().filter(|queue| queue.topic == topic.as_str()).cloned().collect());
    }
    if !member.is_clustering() {
        return Ok(member.routes.of(topic).await?.message_queues(topic));
    }
    let (route, members) = member.members(topic).await?;
    let queues = route.message_queues(topic);
    Ok(share_of(member.membership.client_id(), members, queues, &*member.options.allocation))
}

/// Where to begin with a queue; `None` if another member has its lock.
pub(super) async fn start_of(
    member: &Member,
    offsets: &Recipient<OffsetOf>,
    queue: &MessageQueue,
    wants_lock: bool,
) -> Result<Option<QueueOffset>, ClientError> {
    // Only what is read with the lock is what the member before has stored last.
    if wants_lock && member.lock([queue.clone()]).await.own.is_empty() {
        return Ok(None);
    }
    let start = match offsets.send(OffsetOf { queue: queue.clone() }).await.map_err(|_| ClientError::Ended)? {
        Ok(None) => member.first_offset(queue).await,
        Ok(Some(stored)) => Ok(stored),
        Err(error) => Err(error),
    };
    if wants_lock && start.is_err() {
        member.unlock([queue.clone()]).await;
    }
    start.map(Some)
}
