//! Requests on their way to an actor: all of a lane that one read of a socket brought, as one message.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use tokio::sync::Semaphore;

use super::fault::notify;
use crate::net::reply::{ReplyTo, when_ready};
use crate::net::router::{Request, Service};
use crate::net::terms::Patience;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::Opaque;

/// What a request is told that nobody answers. Sends wait as long as `waitTimeMillsInSendQueue` says instead.
pub(super) const PATIENCE: Patience = Patience {
    limit: Duration::from_millis(3_500),
    remark: "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while",
};
/// Requests that change nothing and may have large answers. No order is kept among them.
const QUESTIONS: [i32; 24] = [
    request::GET_TOPIC_CONFIG,
    request::GET_SUBSCRIPTIONGROUP_CONFIG,
    request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
    request::VIEW_BROKER_STATS_DATA,
    request::GET_ALL_TOPIC_CONFIG,
    request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    request::GET_ALL_CONSUMER_OFFSET,
    request::GET_BROKER_CONFIG,
    request::GET_BROKER_RUNTIME_INFO,
    request::GET_CONSUMER_LIST_BY_GROUP,
    request::GET_CONSUMER_CONNECTION_LIST,
    request::GET_PRODUCER_CONNECTION_LIST,
    request::GET_ALL_PRODUCER_INFO,
    request::GET_ROUTEINFO_BY_TOPIC,
    request::GET_BROKER_CLUSTER_INFO,
    request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
    request::GET_NAMESRV_CONFIG,
    request::GET_KV_CONFIG,
    request::GET_KVLIST_BY_NAMESPACE,
    request::GET_TOPICS_BY_CLUSTER,
    request::GET_SYSTEM_TOPIC_LIST_FROM_NS,
    request::GET_UNIT_TOPIC_LIST,
    request::GET_HAS_UNIT_SUB_TOPIC_LIST,
    request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST,
];

/// What an actor that serves clients takes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Requests {
    /// In the order of their arrival.
    pub requests: Vec<Request>,
}

impl Requests {
    /// Those to be served now by `actor`. A question whose client has not taken what it was sent before comes again when it
    /// has.
    pub fn ready<A>(self, actor: Addr<A>) -> impl Iterator<Item = Request>
    where
        A: Actor<Context = Context<A>> + Handler<Self>,
    {
        self.requests.into_iter().filter_map(move |request| {
            if !QUESTIONS.contains(&request.command.code) {
                return Some(request);
            }
            when_ready(
                request,
                |request| &request.reply,
                || {
                    let actor = actor.clone().recipient();
                    move |request| notify(&actor, Self { requests: vec![request] })
                },
            )
        })
    }
}

/// A lane that leads straight to an actor.
pub struct ToActor(pub Recipient<Requests>);

impl Service for ToActor {
    fn serve(&self, requests: Vec<Request>) {
        notify(&self.0, Requests { requests });
    }
}

/// Serves each question in a task of its own, when it has a permit of those that its code takes, and its client has taken
/// what it was sent before: until then it comes again.
pub(super) fn serve_each<S: Service + Clone + Send + 'static>(
    service: &S,
    questions: Vec<Request>,
    permits: impl Fn(i32) -> Option<Arc<Semaphore>>,
    serve: impl AsyncFn(&S, Request) + Copy + 'static,
) {
    for question in questions {
        let (service, permits) = (service.clone(), permits(question.command.code));
        actix_rt::spawn(async move {
            let _permit = match &permits {
                Some(permits) => permits.acquire().await.ok(),
                None => None,
            };
            let again = || {
                let service = service.clone();
                move |question| service.serve(vec![question])
            };
            let Some(question) = when_ready(question, |question: &Request| &question.reply, again) else { return };
            serve(&service, question).await;
        });
    }
}

/// Answers a request with what a function made of it.
pub fn answer(reply: ReplyTo, outcome: Result<Command, Refusal>) {
    match outcome {
        Ok(command) => reply.send(command),
        Err(refusal) => reply.refuse(refusal),
    }
}

/// A request that several actors have a part in: it is answered with success when the last of them drops its share.
#[derive(Clone, Debug)]
pub struct Share {
    _of: Arc<Shared>,
}

#[derive(Debug)]
struct Shared(Option<ReplyTo>);

impl Share {
    /// The first share of a request.
    #[must_use]
    pub fn of(reply: ReplyTo) -> Self {
        Self { _of: Arc::new(Shared(Some(reply))) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(ReplyTo::succeed);
    }
}

/// A reply that says success, to be filled with what was asked for.
#[must_use]
pub fn success() -> Command {
    Command::reply(response::SUCCESS, Opaque(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::{
        broker_actor, client_actor, group_actor, namesrv_actor, offset_actor, stats_actor, topic_actor,
    };

    /// A question that no actor answers would be a code that was misspelt.
    #[test]
    fn questions_are_codes_that_actors_answer() {
        let served: [&[i32]; 7] = [
            &broker_actor::CODES,
            &client_actor::CODES,
            &group_actor::CODES,
            &namesrv_actor::CODES,
            &offset_actor::CODES,
            &stats_actor::CODES,
            &topic_actor::CODES,
        ];
        let unknown: Vec<_> = QUESTIONS.iter().filter(|code| !served.concat().contains(code)).collect();
        assert_eq!(unknown, Vec::<&i32>::new());
    }
}
