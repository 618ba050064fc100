//! Sends to a retry topic: a consumer that could not send a message back stores it there itself. After too many attempts
//! the message goes to the group's dead letters.

use super::{Denied, SendHeader, Topic};
use crate::broker::groups::GroupTable;
use crate::protocol::names::{GroupName, RETRY_PREFIX};
use crate::protocol::versions;

/// The dead-letter topic that a send to the retry topic `topic` goes to, if it has had all its attempts.
///
/// # Errors
/// The group is not known (yet).
///
/// # Source
/// `SendMessageProcessor.handleRetryAndDLQ` 4.9.7 (measured).
pub(super) fn instead_of(
    topic: &Topic,
    header: &SendHeader<'_>,
    version: i32,
    groups: &GroupTable,
) -> Result<Option<Topic>, Denied> {
    let name = topic.as_str().strip_prefix(RETRY_PREFIX).unwrap_or_default();
    let group = groups.find(name).ok_or_else(|| Denied::UnknownGroup(name.into()))?;
    let own_limit = header.max_reconsume_times.filter(|_| version >= versions::OWN_LIMIT_SINCE);
    let attempts_max = own_limit.unwrap_or(group.retry_max_times);
    if header.reconsume_times.unwrap_or(0) < attempts_max {
        return Ok(None);
    }
    Ok(Some(Topic::dead_letters_of(&GroupName::parse(name)?)?))
}
