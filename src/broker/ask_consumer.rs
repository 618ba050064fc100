//! What administrators ask a consumer, through the broker that it is connected to.
//!
//! # Source
//! `AdminBrokerProcessor.callConsumer`, `.consumeMessageDirectly` and `Broker2Client.getConsumeStatus` 4.9.7 (read; texts
//! and fields measured).

use std::net::SocketAddr;

use super::clients::Peer;
use super::consume_stats::named;
use crate::protocol::codes::{request, response};
use crate::protocol::command::{Command, ExtFields, Language};
use crate::protocol::headers::consumer::ConsumerStatus;
use crate::protocol::ids;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{Opaque, PhysicalOffset};
use crate::protocol::versions;

/// Whether a consumer can be asked, if it is there.
///
/// # Errors
/// It is away or too old.
pub fn check(group: &str, client_id: &str, consumer: Option<&Peer>) -> Result<(), Refusal> {
    let Some(consumer) = consumer else {
        return Err(Refusal::error(format!("The Consumer <{group}> <{client_id}> not online")));
    };
    if consumer.version >= versions::RELAY_SINCE {
        return Ok(());
    }
    let (version, since) = (versions::name(consumer.version), versions::name(versions::RELAY_SINCE));
    let remark =
        format!("The Consumer <{client_id}> Version <{version}> too low to finish, please upgrade it to {since}");
    Err(Refusal::error(remark))
}

/// The request as the consumer gets it: the same fields and body.
#[must_use]
pub fn relayed(asked: &Command) -> Command {
    let command = Command::request(asked.code).with_language(Language::Java);
    command.with_ext(asked.ext.clone()).with_body(asked.body.clone())
}

/// The fields of CONSUME_MESSAGE_DIRECTLY as the consumer gets them: with the name of the broker that has the message.
#[must_use]
pub fn with_broker(ext: &ExtFields, broker_name: &str) -> ExtFields {
    const BROKER_NAME: &str = "brokerName";
    let mut with = ExtFields::builder();
    for (name, value) in ext.iter().filter(|(name, _)| *name != BROKER_NAME) {
        with.push(name, value);
    }
    with.push(BROKER_NAME, broker_name);
    with.build()
}

/// The consumer's answer as the administrator gets it.
#[must_use]
pub fn answer(answered: Command) -> Command {
    let command = Command::reply(answered.code, Opaque(0)).with_ext(answered.ext).with_body(answered.body);
    Command { remark: answered.remark, ..command }
}

/// The consumer has not answered in time.
#[must_use]
pub fn timeout(group: &str, consumer: &Peer, limit_ms: u128) -> Refusal {
    let Peer { client_id, address, .. } = consumer;
    let waited = format!("wait response on the channel <{address}> timeout, {limit_ms}(ms)");
    Refusal::new(response::CONSUME_MSG_TIMEOUT, format!("consumer <{group}> <{client_id}> Timeout: {waited}"))
}

/// The consumer could not be asked, or has gone.
#[must_use]
pub fn failed(group: &str, client_id: &str, why: &str) -> Refusal {
    Refusal::error(format!("invoke consumer <{group}> <{client_id}> Exception: {why}"))
}

/// Where the message of an offset id lies in the log of the broker at `host`.
///
/// # Errors
/// It is no such id, or one of another broker.
pub fn position(message_id: &str, host: SocketAddr) -> Result<PhysicalOffset, Refusal> {
    let Some((of, offset)) = ids::parse_offset_id(message_id) else {
        return Err(Refusal::error(format!("{message_id:?} is not the offset id of a message")));
    };
    if of != host {
        return Err(Refusal::error(format!(
            "the message {message_id} is of the broker at {of}, this one is at {host}"
        )));
    }
    Ok(offset)
}

/// Which of a group's consumers are asked how far they have come: the one that is named, or all.
#[must_use]
pub fn is_asked(asked: &ConsumerStatus, consumer: &Peer) -> bool {
    named(asked.client_id.as_deref()).is_none_or(|client_id| *consumer.client_id == *client_id)
}

/// Nobody of the group is online to say how far it has come.
#[must_use]
pub fn nobody(group: &str) -> Refusal {
    Refusal::error(format!("No Any Consumer online in the consumer group: [{group}]"))
}

/// Asks a consumer how far it has come.
#[must_use]
pub fn status_question(asked: &ConsumerStatus) -> Command {
    let ext = ConsumerStatus { client_id: None, ..asked.clone() }.to_ext();
    Command::request(request::GET_CONSUMER_STATUS_FROM_CLIENT).with_language(Language::Java).with_ext(ext)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::units::ConnectionId;

    fn peer(version: i32) -> Peer {
        let address = ([127, 0, 0, 1], 9).into();
        Peer { connection: ConnectionId(1), client_id: "c".into(), address, language: "JAVA", version }
    }

    #[test]
    fn who_is_away_or_too_old_is_not_asked() {
        let refusal = |consumer: Option<&Peer>| check("G", "c", consumer).unwrap_err().remark;
        assert_eq!(refusal(None), "The Consumer <G> <c> not online");
        let text = "The Consumer <c> Version <V3_1_7> too low to finish, please upgrade it to V3_1_8_SNAPSHOT";
        assert_eq!(refusal(Some(&peer(61))), text);
        check("G", "c", Some(&peer(62))).unwrap();
    }

    #[test]
    fn ids_of_other_brokers_are_told_apart() {
        let host = ([127, 0, 0, 1], 10_911).into();
        let id = ids::offset_id(host, PhysicalOffset(328));
        assert_eq!(position(&id, host).unwrap(), PhysicalOffset(328));
        assert_eq!(position(&id.to_lowercase(), host).unwrap(), PhysicalOffset(328));
        let other = ([127, 0, 0, 1], 10_912).into();
        let text = format!("the message {id} is of the broker at 127.0.0.1:10911, this one is at 127.0.0.1:10912");
        assert_eq!(position(&id, other).unwrap_err().remark, text);
        for none in ["", "xyz", "AC1100021F4018B4AAC20A1B2C3D0007"] {
            let text = format!("{none:?} is not the offset id of a message");
            assert_eq!(position(none, host).unwrap_err().remark, text);
        }
    }

    #[test]
    fn a_request_is_passed_on_with_the_brokers_own_name() {
        let mut ext = ExtFields::builder();
        ext.push("brokerName", "mine").push("msgId", "X");
        let with = with_broker(&ext.build(), "broker-a");
        let fields: Vec<_> = with.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["msgId=X", "brokerName=broker-a"]);
    }
}
