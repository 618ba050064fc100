//! A group is sent to another place of a topic: what its consumers are told. The stored offsets stay as they are; consumers
//! store theirs when they have gone there.
//!
//! # Source
//! `Broker2Client.resetOffset` 4.9.7 (read; texts, fields and bodies measured).

use super::clients::Peer;
use crate::protocol::body::Body;
use crate::protocol::body::offsets::{ResetOffsetBody, ResetOffsetList};
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, Language};
use crate::protocol::headers::consumer::ResetOffset;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{ConsumedOffset, QueueOffset};
use crate::protocol::versions;

/// The time that stands for the end of each queue.
pub const TO_THE_END: i64 = -1;
/// All consumers of a group together are told so many bytes at most, which wait in memory until they are taken.
const TOLD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where a group goes on in a queue. Unless it is forced it is never moved forward.
#[must_use]
pub fn target(found: QueueOffset, stored: ConsumedOffset, is_forced: bool) -> i64 {
    let found = found.0 as i64;
    if is_forced { found } else { found.min(stored.0) }
}

/// The topic is not there.
#[must_use]
pub fn no_topic(topic: &str) -> Refusal {
    Refusal::error(format!("[reset-offset] reset offset failed, no topic in this broker. topic={topic}"))
}

/// A queue of the topic has no stored offset of the group.
#[must_use]
pub fn no_offset(group: &str) -> Refusal {
    Refusal::error(format!("THe consumer group <{group}> not exist"))
}

/// Whether consumers can be told. If one of them is too old nobody is.
///
/// # Errors
/// Nobody is online, or somebody is too old.
pub fn check<'a>(asked: &ResetOffset, consumers: impl ExactSizeIterator<Item = &'a Peer>) -> Result<(), Refusal> {
    if consumers.len() == 0 {
        let ResetOffset { topic, group, timestamp, .. } = asked;
        let offline = "Consumer not online, so can not reset offset";
        let remark = format!("{offline}, Group: {group} Topic: {topic} Timestamp: {timestamp}");
        return Err(Refusal::new(response::CONSUMER_NOT_ONLINE, remark));
    }
    check_versions(consumers)
}

/// Whether clients know the requests about their offsets.
///
/// # Errors
/// One is too old.
pub fn check_versions<'a>(mut consumers: impl Iterator<Item = &'a Peer>) -> Result<(), Refusal> {
    let Some(old) = consumers.find(|consumer| consumer.version < versions::RESET_SINCE) else { return Ok(()) };
    let version = versions::name(old.version);
    Err(Refusal::error(format!("the client does not support this feature. version={version}")))
}

/// Whether all queues are to go to a time, which is what can be done here.
///
/// # Errors
/// It is what tools of RocketMQ 5 may ask for beside that.
pub fn check_extent(asked: &ResetOffset) -> Result<(), Refusal> {
    if asked.queue_id.is_some_and(|queue_id| queue_id >= 0) || asked.offset.is_some_and(|offset| offset >= 0) {
        let remark = "a reset moves all queues of the topic to a time here: queueId and offset cannot be asked for";
        return Err(Refusal::error(remark));
    }
    Ok(())
}

/// What each of `consumers` is told. Whoever asked in C++ has consumers that read a list.
///
/// # Errors
/// It is too much.
pub fn push(
    asked: &ResetOffset,
    targets: &ResetOffsetBody,
    asker: Language,
    consumers: usize,
) -> Result<Command, Refusal> {
    let body = match asker {
        Language::Cpp => ResetOffsetList::from(targets).encode(),
        _ => targets.encode(),
    };
    if body.len().saturating_mul(consumers) > TOLD_BYTES_MAX {
        let queues = targets.offset_table.len();
        return Err(Refusal::error(format!("{queues} queues are too many to tell {consumers} consumers of")));
    }
    // The broker has done with it what there is to do; the reference says false here as well.
    let ext = ResetOffset { is_force: false, queue_id: None, offset: None, ..asked.clone() }.to_ext();
    let command = Command::request(request::RESET_CONSUMER_CLIENT_OFFSET).with_language(Language::Java);
    Ok(command.with_ext(ext).with_body(body))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::body::queue_table::MessageQueue;
    use crate::protocol::units::ConnectionId;

    fn asked() -> ResetOffset {
        ResetOffset {
            topic: "T".into(),
            group: "G".into(),
            timestamp: 5,
            is_force: true,
            queue_id: Some(-1),
            offset: Some(-1),
        }
    }

    fn peer(version: i32) -> Peer {
        let address = ([127, 0, 0, 1], 1).into();
        Peer { connection: ConnectionId(1), client_id: "c".into(), address, language: "JAVA", version }
    }

    fn targets() -> ResetOffsetBody {
        let queue = |queue_id| MessageQueue { broker_name: "b".into(), queue_id, topic: "T".into() };
        ResetOffsetBody { offset_table: [(queue(0), 5), (queue(1), 9)].into_iter().collect() }
    }

    #[test]
    fn only_by_force_a_group_is_moved_forward() {
        for (found, stored, is_forced, expected) in
            [(3, 5, false, 3), (7, 5, false, 5), (7, 5, true, 7), (3, 5, true, 3)]
        {
            assert_eq!(target(QueueOffset(found), ConsumedOffset(stored), is_forced), expected);
        }
    }

    #[test]
    fn who_is_away_or_too_old_cannot_be_told() {
        let none: [Peer; 0] = [];
        let refusal = check(&asked(), none.iter()).unwrap_err();
        assert_eq!(refusal.code, response::CONSUMER_NOT_ONLINE);
        let text = "Consumer not online, so can not reset offset, Group: G Topic: T Timestamp: 5";
        assert_eq!(refusal.remark, text);
        let refusal = check(&asked(), [peer(407), peer(27)].iter()).unwrap_err();
        assert_eq!(refusal, Refusal::error("the client does not support this feature. version=V3_0_6"));
        check(&asked(), [peer(28)].iter()).unwrap();
    }

    #[test]
    fn consumers_read_objects_as_keys_and_those_of_cpp_a_list() {
        let java = push(&asked(), &targets(), Language::Java, 2).unwrap();
        let objects = r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5,{"brokerName":"b","queueId":1,"topic":"T"}:9}}"#;
        assert_eq!(java.body, objects);
        let fields: Vec<_> = java.ext.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["topic=T", "group=G", "timestamp=5", "isForce=false"]);
        let cpp = push(&asked(), &targets(), Language::Cpp, 2).unwrap();
        let list = r#"{"offsetTable":[{"brokerName":"b","offset":5,"queueId":0,"topic":"T"},{"brokerName":"b","offset":9,"queueId":1,"topic":"T"}]}"#;
        assert_eq!(cpp.body, list);
    }

    #[test]
    fn not_too_much_is_told() {
        let bytes = targets().encode().len();
        push(&asked(), &targets(), Language::Java, TOLD_BYTES_MAX / bytes).unwrap();
        push(&asked(), &targets(), Language::Java, TOLD_BYTES_MAX / bytes + 1).unwrap_err();
    }
}
