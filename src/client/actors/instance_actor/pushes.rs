//! What brokers ask of a client, handed to whom it concerns and answered.

use std::sync::Arc;

use bytes::Bytes;

use super::super::offset_store_actor::OffsetsOf;
use super::super::pull_actor::QueueState;
use super::super::rebalance_actor::{Rebalance, ResetOffsets, StateOfAll};
use super::InstanceActor;
use crate::client::consumer_options::Order;
use crate::client::listener::Verdict;
use crate::client::member::Member;
use crate::client::pull::decompress;
use crate::client::pushed::Pushed;
use crate::client::tally::Counts;
use crate::client::transactions::TransactionCheck;
use crate::net::mailbox::notify;
use crate::protocol::body::Body;
use crate::protocol::body::consumer::{
    ConsumeDirectlyResult, ConsumeOutcome, ConsumeStatus, ConsumerRunningInfo, property,
};
use crate::protocol::body::offsets::{ConsumerStatusBody, ResetOffsetBody};
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::client::OfConsumerGroup;
use crate::protocol::headers::consumer::{ConsumeDirectly, ConsumerStatus, OfConsumer, ResetOffset};
use crate::protocol::headers::send::PushReply;
use crate::protocol::headers::transaction::CheckTransaction;
use crate::protocol::message;
use crate::protocol::properties::keys;
use crate::protocol::units::Opaque;

/// The release whose behaviour frames announce.
const VERSION: &str = "V4_9_7";

impl InstanceActor {
    /// Hands on what a broker asks; what is dropped here is answered that it is not supported.
    pub(super) fn push(&self, pushed: Pushed) {
        match pushed.command.code {
            request::NOTIFY_CONSUMER_IDS_CHANGED => self.ids_changed(&pushed),
            request::RESET_CONSUMER_CLIENT_OFFSET => self.reset(&pushed),
            request::GET_CONSUMER_STATUS_FROM_CLIENT => self.status(pushed),
            request::GET_CONSUMER_RUNNING_INFO => self.running_info(pushed),
            request::CONSUME_MESSAGE_DIRECTLY => self.consume_directly(pushed),
            request::CHECK_TRANSACTION_STATE => self.check_transaction(&pushed),
            request::PUSH_REPLY_MESSAGE_TO_CLIENT => self.take_in_reply(pushed),
            _ => {}
        }
    }

    fn ids_changed(&self, pushed: &Pushed) {
        let Ok(header) = OfConsumerGroup::parse(&pushed.command.ext) else { return };
        if let Some(ports) = self.consumers.get(header.consumer_group.as_str()) {
            notify(&ports.rebalance, Rebalance);
        }
    }

    fn reset(&self, pushed: &Pushed) {
        let Ok(header) = ResetOffset::parse(&pushed.command.ext) else { return };
        let (Some(ports), Ok(body)) =
            (self.consumers.get(header.group.as_str()), ResetOffsetBody::decode(&pushed.command.body))
        else {
            return;
        };
        tracing::info!(group = header.group, topic = header.topic, "a broker moves the group's offsets");
        let reset = ports.reset.send(ResetOffsets { topic: header.topic, offsets: body.offset_table.0 });
        // A consumer that is gone needs no offsets.
        actix_rt::spawn(async move { reset.await.unwrap_or_default() });
    }

    /// A producer that has too many questions already is asked again.
    fn check_transaction(&self, pushed: &Pushed) {
        let decoded = (CheckTransaction::parse(&pushed.command.ext), message::decode(&pushed.command.body));
        let (Ok(header), Ok((message, _))) = decoded else {
            return tracing::warn!(address = &*pushed.address, "a broker asks about a transaction that cannot be read");
        };
        let group = message.property(keys::PGROUP).unwrap_or_default();
        if let Some(checks) = self.producers.get(group).and_then(|ports| ports.checks.as_ref()) {
            // Without a listener any more there is nobody to be asked.
            let _ = checks.try_send(TransactionCheck { address: Arc::clone(&pushed.address), header, message });
        }
    }

    fn take_in_reply(&self, pushed: Pushed) {
        let Ok(header) = PushReply::parse(&pushed.command.ext) else { return };
        if !self.replies.take_in(&header, &pushed.command.body) {
            // Whoever replied has done what was asked: if it heard of an error, it would do it all again.
            tracing::debug!(address = &*pushed.address, "nobody waits for a reply any more");
        }
        pushed.answer.give(Command::reply(response::SUCCESS, Opaque(0)));
    }

    fn status(&self, pushed: Pushed) {
        let Ok(header) = ConsumerStatus::parse(&pushed.command.ext) else { return };
        let Some(ports) = self.consumers.get(header.group.as_str()) else { return no_consumer(pushed, &header.group) };
        let asked = ports.offsets.send(OffsetsOf { topic: header.topic });
        actix_rt::spawn(async move {
            let Ok(message_queue_table) = asked.await else { return };
            succeed(pushed, ConsumerStatusBody { message_queue_table, ..ConsumerStatusBody::default() }.encode());
        });
    }

    fn running_info(&self, pushed: Pushed) {
        let Ok(header) = OfConsumer::parse(&pushed.command.ext) else { return };
        let group = header.consumer_group;
        let Some(ports) = self.consumers.get(group.as_str()) else { return no_consumer(pushed, &group) };
        let (asked, member) = (ports.state.send(StateOfAll), Arc::clone(&ports.member));
        actix_rt::spawn(async move {
            let Ok(queues) = asked.await else { return };
            succeed(pushed, running_info(&member, queues).encode());
        });
    }

    fn consume_directly(&self, pushed: Pushed) {
        let decoded = (ConsumeDirectly::parse(&pushed.command.ext), message::decode(&pushed.command.body));
        let (Ok(header), Ok((mut message, _))) = decoded else { return };
        let group = header.consumer_group;
        let Some(ports) = self.consumers.get(group.as_str()) else { return no_consumer(pushed, &group) };
        let (member, calls) = (Arc::clone(&ports.member), ports.calls.clone());
        actix_rt::spawn(async move {
            let began = member.clock.elapsed();
            decompress(&mut message);
            let outcome = calls.consume_directly(member.as_sent(message)).await;
            let took = member.clock.elapsed().saturating_sub(began);
            let (consume_result, remark) = match outcome {
                Some(Verdict::Consumed) => (ConsumeOutcome::Success, None),
                Some(Verdict::Retry { .. }) => (ConsumeOutcome::Later, None),
                None => (ConsumeOutcome::Threw, Some("this consumer is asked for messages: nobody calls it".into())),
            };
            let order = member.options.order == Order::Queue;
            let spent_time_mills = took.as_millis() as i64;
            let body = ConsumeDirectlyResult { auto_commit: true, consume_result, order, remark, spent_time_mills };
            succeed(pushed, body.encode());
        });
    }
}

fn succeed(pushed: Pushed, body: Bytes) {
    pushed.answer.give(Command::reply(response::SUCCESS, Opaque(0)).with_body(body));
}

fn no_consumer(pushed: Pushed, group: &str) {
    let remark = format!("the client has no consumer in group {group}");
    pushed.answer.give(Command::reply(response::SYSTEM_ERROR, Opaque(0)).with_remark(remark));
}

/// What a consumer says of itself.
fn running_info(member: &Member, queues: Vec<QueueState>) -> ConsumerRunningInfo {
    let mut info = ConsumerRunningInfo::default();
    let kind = if member.is_pushed() { "CONSUME_PASSIVELY" } else { "CONSUME_ACTIVELY" };
    let name_servers: String = member.routes.name_servers().iter().map(|address| format!("{address};")).collect();
    for (name, value) in [
        (property::NAME_SERVERS, name_servers),
        (property::THREADS, member.options.deliveries_at_once.to_string()),
        (property::IN_ORDER, (member.options.order == Order::Queue).to_string()),
        (property::CONSUME_TYPE, kind.into()),
        (property::VERSION, VERSION.into()),
        (property::STARTED, member.started_ms.to_string()),
    ] {
        info.properties.insert(name.into(), value);
    }
    info.subscription_set = member.subscriptions().values().map(|own| SubscriptionData::clone(own)).collect();
    for QueueState { queue, held, last_minute } in queues {
        info.status_table.entry(queue.topic.clone()).or_default().add(last_minute);
        info.mq_table.insert(queue, held);
    }
    info
}

impl ConsumeStatus {
    fn add(&mut self, counts: Counts) {
        const MINUTE: f64 = 60.0;
        self.consume_failed_msgs += counts.failed as i64;
        self.consume_failed_tps += counts.failed as f64 / MINUTE;
        self.consume_ok_tps += counts.consumed as f64 / MINUTE;
        self.pull_tps += counts.pulled as f64 / MINUTE;
        self.pull_rt = self.pull_rt.max(counts.pull_ms as f64 / counts.pulls.max(1) as f64);
    }
}
