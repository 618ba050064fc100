//! Brings replies to those who sent the request, and stores them.
//!
//! Runs in the connections' tasks and waits in tasks of its own. Asks the ClientActor for the requester's connection, sends
//! to the CommitLogActor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Recipient;

use super::append_answer::append;
use super::client_actor::ProducerOf;
use super::commitlog_actor::AppendBatch;
use super::fault::ask;
use super::live::Live;
use super::published::Published;
use crate::broker::reply::{self, Taken};
use crate::broker::topics::TopicTable;
use crate::net::router::{Request, Service};
use crate::protocol::codes::{request, response};
use crate::protocol::headers::send::SendHeader;
use crate::protocol::refusal::Refusal;
use crate::store::{Placed, PutBatch};
use crate::time::SharedClock;

/// The codes that a ReplyService answers.
pub(super) const CODES: [i32; 2] = [request::SEND_REPLY_MESSAGE, request::SEND_REPLY_MESSAGE_V2];

/// How long a requester may take to acknowledge a reply.
pub(super) const PUSH_LIMIT: Duration = Duration::from_secs(10);

/// What a ReplyService is made of.
#[derive(Clone)]
pub(super) struct ReplyService {
    /// What the configuration says.
    pub(super) live: Published<Live>,
    /// The topics there are.
    pub(super) topics: Published<TopicTable>,
    /// The ClientActor.
    pub(super) producer_of: Recipient<ProducerOf>,
    /// The CommitLogActor.
    pub(super) append: Recipient<AppendBatch>,
    /// Tells the time of day.
    pub(super) clock: SharedClock,
    /// Queues are chosen after it where the replier leaves that to the broker.
    pub(super) seed: Arc<AtomicU64>,
}

impl Service for ReplyService {
    fn serve(&self, requests: Vec<Request>) {
        for request in requests {
            let service = self.clone();
            actix_rt::spawn(async move { service.reply(request).await });
        }
    }
}

impl ReplyService {
    async fn reply(&self, request: Request) {
        let from = request.reply.peer().remote;
        let live = self.live.load_full();
        let (rules, style) = (&live.rules.send, &live.style);
        let header = match SendHeader::parse(&request.command.ext) {
            Ok(header) => header,
            Err(error) => return style.refuse(request.reply, error.into()),
        };
        let mut random = fastrand::Rng::with_seed(self.seed.fetch_add(1, Ordering::Relaxed));
        let now_ms = self.clock.now_ms();
        let taken = match reply::take(
            rules,
            &self.topics.load(),
            (&header, &request.command.body),
            &mut random,
            from,
            now_ms,
        ) {
            Ok(taken) => taken,
            Err(refusal) => return style.refuse(request.reply, refusal),
        };
        let pushed = self.push(&taken, &header, &request, (rules.store_host, now_ms)).await;
        let stored = if live.rules.store_replies {
            self.store(&taken, &header, &request, (from, rules.store_host)).await
        } else {
            None
        };
        // Whether it is stored is no matter to the answer.
        match pushed {
            Ok(()) => style.replied(request.reply, taken.queue_id, stored.as_ref()),
            Err(refusal) => style.refuse(request.reply, refusal),
        }
    }

    async fn push(
        &self,
        taken: &Taken,
        header: &SendHeader<'_>,
        request: &Request,
        (host, now_ms): (SocketAddr, i64),
    ) -> Result<(), Refusal> {
        let Some(requester) = taken.requester.clone() else { return Err(reply::not_pushed(None)) };
        let peer = ask(&self.producer_of, ProducerOf { client_id: requester.clone() }).await?;
        let Some(peer) = peer else { return Err(reply::not_pushed(Some(&requester))) };
        let push = reply::push(header, request.reply.peer().remote, host, now_ms);
        let answered = peer.call(push.with_body(request.command.body.clone()), PUSH_LIMIT).await;
        match answered {
            Ok(answer) if answer.code == response::SUCCESS => Ok(()),
            Ok(answer) => {
                Err(Refusal::error(format!("push reply message to {requester}fail. it answered code {}", answer.code)))
            }
            Err(error) => Err(Refusal::error(format!("push reply message to {requester}fail. {error}"))),
        }
    }

    async fn store(
        &self,
        taken: &Taken,
        header: &SendHeader<'_>,
        request: &Request,
        (from, host): (SocketAddr, SocketAddr),
    ) -> Option<Placed> {
        let mut puts = PutBatch::default();
        let put = reply::store(&mut puts, taken, header, &request.command.body, from, host);
        let outcome = match put {
            Ok(()) => append(&self.append, puts).await.map(|mut outcomes| outcomes.pop()),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(Some(Ok(stored))) => stored.placed.first().copied(),
            Ok(Some(Err(refusal))) | Err(refusal) => {
                tracing::warn!(?refusal, topic = %taken.topic, "a reply is not stored");
                None
            }
            Ok(None) => None,
        }
    }
}
