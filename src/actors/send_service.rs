//! Takes the sends of one read of a socket and hands those that are admitted to the CommitLogActor as one message.
//!
//! Runs in the connections' tasks; sends to the CommitLogActor, and to the TopicActor and the GroupActor what needs a topic
//! or a group first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Recipient;
use bytes::Bytes;

use super::append_answer::AppendAnswer;
use super::commitlog_actor::AppendBatch;
use super::fault::{Faults, notify};
use super::group_actor::CreateOnSendBack;
use super::hooks::{Hook, SendNotes, Sent};
use super::live::Live;
use super::published::Published;
use super::send_reply::{AllAsked, Asked, SendReplies};
use super::topic_actor::{CreateOnSend, TopicWanted};
use super::waiting_messages::WaitingMessages;
use crate::broker::groups::GroupTable;
use crate::broker::send::{Admission, Admitted, Denied, Gathered};
use crate::broker::topics::TopicTable;
use crate::net::peer::Peer;
use crate::net::reply::Replies;
use crate::net::router::{Batch, Request};
use crate::protocol::codes::response;
use crate::protocol::command::{Command, CommandRef, Serialization};
use crate::protocol::refusal::Refusal;
use crate::time::SharedClock;

/// What serves sends, over all connections.
pub struct SendService {
    /// What the configuration says.
    pub live: Published<Live>,
    /// The topics there are.
    pub topics: Published<TopicTable>,
    /// The groups there are.
    pub groups: Published<GroupTable>,
    /// The CommitLogActor.
    pub append: Recipient<AppendBatch>,
    /// The TopicActor.
    pub create: Recipient<CreateOnSend>,
    /// The GroupActor.
    pub create_group: Recipient<CreateOnSendBack>,
    /// Knows the times of messages that are to be taken back.
    pub waiting: WaitingMessages,
    /// Tells the time of day.
    pub clock: SharedClock,
    /// Queues are chosen after it for producers that leave that to the broker; each connection takes another one.
    pub seed: AtomicU64,
    /// Who wants to know what becomes of sends.
    pub hook: Option<Arc<Hook<Sent>>>,
    /// Once the broker has ended, nothing is taken any more.
    pub faults: Faults,
}

/// The sends of one connection.
pub struct SendBatch {
    service: Arc<SendService>,
    live: Arc<Live>,
    admission: Admission,
    begun: bool,
    now_ms: i64,
    /// How many were taken, admitted or not.
    taken: usize,
    asked: AllAsked,
    /// Those that were not admitted, by their numbers.
    others: Vec<(usize, Other)>,
    /// What the hook is told: of those that were admitted, in the order of their puts,
    notes: Vec<Sent>,
    /// and of those that were refused.
    refused: Vec<Sent>,
}

/// A send that is not handed to the writer.
enum Other {
    Lacks(Lacking, Command, Serialization),
    Refused(Refusal),
}

/// What a send waits for that has to be made first.
enum Lacking {
    Topic(TopicWanted),
    Group(Box<str>),
    /// The time of the message that it takes back.
    Time,
}

impl SendService {
    /// What takes the sends of one connection.
    #[must_use]
    pub fn batch(self: &Arc<Self>) -> SendBatch {
        let random = fastrand::Rng::with_seed(self.seed.fetch_add(1, Ordering::Relaxed));
        let live = self.live.load_full();
        SendBatch {
            service: Arc::clone(self),
            admission: Admission::new(Arc::clone(&live.rules.send), random),
            live,
            begun: false,
            now_ms: 0,
            taken: 0,
            asked: AllAsked::new(),
            others: Vec::new(),
            notes: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Serves a send whose topic was made meanwhile.
    pub fn serve_again(self: &Arc<Self>, request: Request) {
        let Request { command, serialization, reply } = request;
        let mut batch = self.batch();
        batch.take(&command.as_ref(), serialization, reply.peer());
        batch.serve(Replies::of_one(reply));
    }

    /// Serves a send that takes a message back, once it is known when that is due.
    async fn take_back(self: Arc<Self>, request: Request) {
        match self.waiting.with_time(&request.command).await {
            Ok(command) => self.serve_again(Request { command, ..request }),
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// Tells a producer why its messages are not stored.
    pub fn refuse(&self, request: Request, refusal: Refusal) {
        let Request { command, reply, .. } = request;
        let sent = self.hook.as_ref().map(|hook| (hook, self.sent(&command.as_ref(), reply.peer())));
        let code = refusal.code;
        self.live.load().style.refuse(reply, refusal);
        if let Some((hook, sent)) = sent {
            hook.tell(vec![Sent { code, ..sent }]);
        }
    }

    /// What the hook is told of a send of which nothing has become yet.
    fn sent(&self, request: &CommandRef<'_>, peer: &Peer) -> Sent {
        Sent::of(request, peer.remote, self.live.load().rules.send.store_host)
    }
}

impl SendBatch {
    fn admit(&mut self, request: &CommandRef<'_>, peer: &Peer) -> Result<Admitted, Denied> {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin();
        }
        if let Some(terminal) = self.service.faults.terminal() {
            return Err(Refusal::new(response::SERVICE_NOT_AVAILABLE, terminal.to_string()).into());
        }
        self.admission.admit(request, peer.remote, self.now_ms)
    }

    fn begin(&mut self) {
        let live = self.service.live.load();
        if !Arc::ptr_eq(&self.live, &live) {
            self.admission.follow(Arc::clone(&live.rules.send));
            self.live = Arc::clone(&live);
        }
        self.admission.begin(self.service.topics.load_full(), self.service.groups.load_full());
        if self.admission.looks_at_time() {
            self.now_ms = self.service.clock.now_ms();
        }
    }

    /// What becomes of a send that is not admitted.
    #[cold]
    fn other(&mut self, denied: Denied, request: &CommandRef<'_>, serialization: Serialization, peer: &Peer) -> Other {
        let lacking = match denied {
            Denied::UnknownTopic => Lacking::Topic(TopicWanted::AsSent),
            Denied::NoDeadLetters(topic) => Lacking::Topic(TopicWanted::DeadLetters(topic)),
            Denied::UnknownGroup(group) => Lacking::Group(group),
            Denied::UnknownTime => Lacking::Time,
            Denied::Refused(refusal) => {
                if self.service.hook.is_some() {
                    self.refused.push(Sent { code: refusal.code, ..self.service.sent(request, peer) });
                }
                return Other::Refused(refusal);
            }
        };
        Other::Lacks(lacking, request.to_command(Bytes::copy_from_slice(request.body)), serialization)
    }

    /// Answers, or has answered, those that are not handed to the writer, and leaves the others.
    fn serve_others(&mut self, replies: &mut Replies) {
        let mut unknown = Vec::new();
        // From the back, so that numbers keep their meaning while handles are taken out.
        for (number, other) in self.others.drain(..).rev() {
            let reply = replies.take_out(number);
            match other {
                Other::Lacks(Lacking::Topic(wanted), command, serialization) => {
                    unknown.push((Request { command, serialization, reply }, wanted));
                }
                Other::Lacks(Lacking::Group(group), command, serialization) => {
                    let request = Request { command, serialization, reply };
                    let then = Arc::clone(&self.service);
                    notify(&self.service.create_group, CreateOnSendBack { group, request, then });
                }
                Other::Lacks(Lacking::Time, command, serialization) => {
                    let service = Arc::clone(&self.service);
                    let request = Request { command, serialization, reply };
                    actix_rt::spawn(async move { service.take_back(request).await });
                }
                Other::Refused(refusal) => self.live.style.refuse(reply, refusal),
            }
        }
        if !unknown.is_empty() {
            unknown.reverse();
            notify(&self.service.create, CreateOnSend { requests: unknown, then: Arc::clone(&self.service) });
        }
    }
}

impl Batch for SendBatch {
    fn take(&mut self, request: &CommandRef<'_>, serialization: Serialization, peer: &Peer) {
        match self.admit(request, peer) {
            Ok(Admitted { queue_id, waits }) => {
                self.asked.push(Asked { queue_id, waits });
                if self.service.hook.is_some() {
                    self.notes.push(Sent { queue_id: Some(queue_id), ..self.service.sent(request, peer) });
                }
            }
            Err(denied) => {
                let other = self.other(denied, request, serialization, peer);
                self.others.push((self.taken, other));
            }
        }
        self.taken += 1;
    }

    fn serve(&mut self, mut replies: Replies) {
        (self.begun, self.taken) = (false, 0);
        self.serve_others(&mut replies);
        let hook = self.service.hook.as_ref();
        hook.iter().for_each(|hook| hook.tell(std::mem::take(&mut self.refused)));
        let notes = hook.map(|hook| SendNotes::new(Arc::clone(hook), std::mem::take(&mut self.notes)));
        let Gathered { puts, keys } = self.admission.end();
        if !puts.is_empty() {
            let asked = std::mem::take(&mut self.asked);
            let replies = SendReplies::new(replies, asked, Arc::clone(&self.live.style)).noted(notes);
            notify(&self.service.append, AppendBatch { puts, keys, answer: AppendAnswer::Clients(replies) });
        }
    }
}
