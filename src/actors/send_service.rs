//! Takes the sends of one read of a socket and hands those that are admitted to the CommitLogActor as one message.
//!
//! Runs in the connections' tasks; sends to the CommitLogActor, and to the TopicActor what needs a topic first.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Recipient;
use bytes::BytesMut;

use super::commitlog_actor::{Append, AppendAnswer, AppendBatch};
use super::fault::{Faults, Terminal, notify};
use super::published::Published;
use super::send_reply::{SendReply, SendStyle};
use super::topic_actor::CreateOnSend;
use crate::broker::send::{self, Denied, Incoming, SendRules};
use crate::broker::topics::TopicTable;
use crate::net::router::{Request, Service};
use crate::protocol::codes::{request, response};
use crate::protocol::headers::send::SendHeader;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::QueueId;
use crate::time::SharedClock;

/// Property texts of a read's sends are written into one buffer of this size per message.
const PROPERTIES_GUESS_BYTES: usize = 128;

/// What a SendService is made of.
#[derive(Clone)]
pub struct SendService {
    /// What the configuration says.
    pub rules: Arc<SendRules>,
    /// What replies say of the broker.
    pub style: Arc<SendStyle>,
    /// The topics there are.
    pub topics: Published<TopicTable>,
    /// The CommitLogActor.
    pub append: Recipient<AppendBatch>,
    /// The TopicActor.
    pub create: Recipient<CreateOnSend>,
    /// Tells the time of day.
    pub clock: SharedClock,
    /// Chooses queues for producers that leave it to the broker.
    pub random: Arc<Mutex<fastrand::Rng>>,
    /// Once the broker has ended, nothing is taken any more.
    pub faults: Faults,
}

impl Service for SendService {
    fn serve(&self, requests: Vec<Request>) {
        if let Some(terminal) = self.faults.terminal() {
            return self.refuse_all(requests, terminal);
        }
        let topics = self.topics.load();
        let now_ms = self.clock.now_ms();
        let mut appends = Vec::with_capacity(requests.len());
        let mut texts = BytesMut::with_capacity(PROPERTIES_GUESS_BYTES * requests.len());
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = Vec::new();
        for request in requests {
            match self.admit(&topics, &request, now_ms, &mut random, &mut texts) {
                Ok(admitted) => appends.push(Append {
                    put: admitted.put,
                    waits: admitted.waits,
                    answer: AppendAnswer::Client(self.reply(request, admitted.queue_id)),
                }),
                Err(Denied::UnknownTopic) => unknown.push(request),
                Err(Denied::Refused(refusal)) => self.reply(request, QueueId(0)).refuse(refusal),
            }
        }
        drop(random);
        if !appends.is_empty() {
            notify(&self.append, AppendBatch { appends });
        }
        if !unknown.is_empty() {
            notify(&self.create, CreateOnSend { requests: unknown, then: self.clone() });
        }
    }
}

impl SendService {
    fn refuse_all(&self, requests: Vec<Request>, terminal: &Terminal) {
        let refusal = Refusal::new(response::SERVICE_NOT_AVAILABLE, terminal.to_string());
        for request in requests {
            self.reply(request, QueueId(0)).refuse(refusal.clone());
        }
    }

    fn admit(
        &self,
        topics: &TopicTable,
        request: &Request,
        now_ms: i64,
        random: &mut fastrand::Rng,
        texts: &mut BytesMut,
    ) -> Result<send::Admitted, Denied> {
        let header = SendHeader::parse(&request.command.ext)?;
        let is_batch = header.batch || request.command.code == request::SEND_BATCH_MESSAGE;
        let from = request.reply.peer().remote;
        let incoming = Incoming { header, is_batch, body: &request.command.body, from };
        send::admit(&self.rules, topics, &incoming, now_ms, random, texts)
    }

    /// The handle that answers a send in the way of sends.
    #[must_use]
    pub fn reply(&self, request: Request, queue_id: QueueId) -> SendReply {
        SendReply { reply: request.reply, queue_id, style: Arc::clone(&self.style) }
    }
}
