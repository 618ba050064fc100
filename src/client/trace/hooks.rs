//! Hears of what producers and consumers do, and records it.

use std::sync::Arc;
use std::time::Duration;

use super::messages::Traced;
use super::tracer::{TraceOptions, Tracer};
use super::{ConsumeOutcome, MessageKind, TraceRecord};
use crate::client::consume_hooks::{CallEnd, ConsumeCall, ConsumeHook, Ending};
use crate::client::error::ClientError;
use crate::client::instance::{Client, Shared};
use crate::client::listener::Verdict;
use crate::client::outgoing::Delay;
use crate::client::receipt::SendStatus;
use crate::client::send_hooks::{EndedTransaction, SendHook, SentMessage};
use crate::protocol::ids::UniqueIds;
use crate::protocol::message::Message;
use crate::protocol::properties::keys;
use crate::time::SharedClock;

/// The region of brokers that name none.
const DEFAULT_REGION: &str = "DefaultRegion";

/// Records what the members of one group do.
pub(crate) struct TraceHook {
    tracer: Tracer,
    /// The group as the application calls it.
    group: String,
    clock: SharedClock,
    /// What ids of calls begin with: no two consumers have the same.
    calls: String,
}

impl TraceHook {
    /// What records, and what sends the records, of a group in its `role`, if traces are wanted.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub(crate) fn start(
        wanted: Option<&TraceOptions>,
        client: &Client,
        group: &str,
        role: &str,
    ) -> Result<Option<(Arc<Self>, Tracer)>, ClientError> {
        let Some(wanted) = wanted else { return Ok(None) };
        let tracer = Tracer::start(client, wanted, group, role)?;
        Ok(Some((Arc::new(Self::new(tracer.clone(), group, &client.shared)), tracer)))
    }

    fn new(tracer: Tracer, group: &str, client: &Shared) -> Self {
        let mut unique_ids = UniqueIds::new(client.host, std::process::id(), fastrand::u32(..));
        let calls = unique_ids.next_id(client.clock.now_ms());
        Self { tracer, group: group.into(), clock: Arc::clone(&client.clock), calls }
    }
}

impl SendHook for TraceHook {
    /// # Source
    /// `SendMessageTraceHookImpl` 4.9.7 (read): what was not stored leaves no trace.
    fn after(&self, sent: &SentMessage<'_>) {
        let (message, Ok(receipt)) = (sent.message, sent.outcome) else { return };
        if !receipt.trace_on {
            return;
        }
        let kind = match message.delay {
            _ if sent.is_half => MessageKind::Half,
            Delay::None => MessageKind::Normal,
            _ => MessageKind::Delayed,
        };
        let region = region(receipt.region.as_deref());
        let record = TraceRecord::Sent {
            time_ms: self.clock.now_ms() - whole_ms(sent.took) as i64,
            region: region.clone(),
            group: self.group.clone(),
            topic: message.topic.to_string(),
            message_id: receipt.unique_id.clone(),
            tag: message.tag.clone(),
            keys: message.keys.clone(),
            broker: receipt.broker_address.to_string(),
            body_bytes: message.body.len(),
            cost_ms: whole_ms(sent.took),
            kind,
            offset_id: Some(receipt.offset_id.clone()),
            is_stored: receipt.status == SendStatus::Stored,
        };
        self.tracer.record(Traced { topic: message.topic.to_string(), region, record });
    }

    /// # Source
    /// `EndTransactionTraceHookImpl` 4.9.7 (read).
    fn transaction_ended(&self, ended: &EndedTransaction<'_>) {
        if !ended.trace_on {
            return;
        }
        let region = region(ended.region);
        let record = TraceRecord::TransactionEnded {
            time_ms: self.clock.now_ms(),
            region: region.clone(),
            group: self.group.clone(),
            topic: ended.topic.into(),
            message_id: ended.message_id.into(),
            tag: ended.tag.map(Into::into),
            keys: ended.keys.map(Into::into),
            broker: ended.broker_address.into(),
            kind: MessageKind::Ended,
            transaction_id: ended.transaction_id.map(Into::into),
            state: ended.state,
            is_answer: ended.is_answer,
        };
        self.tracer.record(Traced { topic: ended.topic.into(), region, record });
    }
}

/// # Source
/// `ConsumeMessageTraceHookImpl` 4.9.7 (read).
impl ConsumeHook for TraceHook {
    fn before(&self, call: &ConsumeCall<'_>) {
        for (_, message) in self.traced(call) {
            let record = TraceRecord::Consuming {
                time_ms: self.clock.now_ms(),
                region: region(message.property(keys::MSG_REGION)),
                group: self.group.clone(),
                call_id: self.call_id(call),
                message_id: id_of(message),
                retries: message.reconsume_times,
                keys: message.keys().map(Into::into),
            };
            self.record(message, record);
        }
    }

    fn after(&self, call: &ConsumeCall<'_>, end: &CallEnd) {
        let each = end.took / u32::try_from(call.delivery.messages.len()).unwrap_or(1).max(1);
        for (place, message) in self.traced(call) {
            let outcome = outcome_at(place, end);
            let record = TraceRecord::Consumed {
                call_id: self.call_id(call),
                message_id: id_of(message),
                cost_ms: whole_ms(each),
                is_consumed: outcome == ConsumeOutcome::Success,
                keys: message.keys().map(Into::into),
                outcome,
                time_ms: Some(self.clock.now_ms()),
                group: Some(self.group.clone()),
            };
            self.record(message, record);
        }
    }
}

impl TraceHook {
    /// The messages that brokers want traces of, with their places.
    fn traced<'a>(&self, call: &'a ConsumeCall<'_>) -> impl Iterator<Item = (usize, &'a Message)> + use<'a> {
        let messages = call.delivery.messages.iter().map(|message| &**message).enumerate();
        messages.filter(|(_, message)| message.property(keys::TRACE_ON) != Some("false"))
    }

    fn call_id(&self, call: &ConsumeCall<'_>) -> String {
        format!("{}{:08X}", self.calls, call.number)
    }

    fn record(&self, message: &Message, record: TraceRecord) {
        let region = region(message.property(keys::MSG_REGION));
        self.tracer.record(Traced { topic: message.topic.to_string(), region, record });
    }
}

/// What became of the message at this place of a delivery.
fn outcome_at(place: usize, end: &CallEnd) -> ConsumeOutcome {
    match (end.verdict, end.ending) {
        (Verdict::Consumed, _) => ConsumeOutcome::Success,
        (Verdict::Retry { consumed, .. }, _) if place < consumed => ConsumeOutcome::Success,
        (_, Ending::Overdue) => ConsumeOutcome::Timeout,
        (_, Ending::Panicked) => ConsumeOutcome::Exception,
        (_, Ending::Returned) => ConsumeOutcome::Failed,
    }
}

fn region(named: Option<&str>) -> String {
    named.unwrap_or(DEFAULT_REGION).into()
}

fn id_of(message: &Message) -> String {
    message.unique_id().map_or_else(|| message.offset_id(), Into::into)
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
