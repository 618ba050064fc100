//! Sends letters: to the queues in turn, again where that may go better, and not to brokers that were slow lately.
//!
//! A send that failed for a reason that another broker may not share is tried again elsewhere; SYSTEM_BUSY is not such a reason,
//! since trying again is what keeps a busy broker busy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::error::ClientError;
use super::latency_faults::{LatencyFaults, SendOutcome};
use super::letter::Letter;
use super::pool::Connections;
use super::producer_options::ProducerOptions;
use super::receipt::{SendReceipt, SendStatus};
use super::route::Queue;
use super::route_cache::{RouteCache, TopicRoute};
use super::within::within;
use crate::protocol::codes::response;
use crate::protocol::names::GroupName;
use crate::time::SharedClock;

/// What sends in the name of one group.
pub(super) struct Sender {
    pub(super) group: GroupName,
    pub(super) connections: Connections,
    /// Whether brokers are sent to at their second port.
    pub(super) vip_channel: bool,
    pub(super) routes: Arc<RouteCache>,
    pub(super) clock: SharedClock,
    pub(super) options: ProducerOptions,
    pub(super) faults: Mutex<LatencyFaults>,
}

/// The tries of one send so far.
struct Tries {
    began: Duration,
    brokers: Vec<Arc<str>>,
    /// In a box, since hardly any send fails and each has room for it.
    last: Option<Box<Outcome>>,
}

/// What a try came to that another one may do better than.
enum Outcome {
    Failed(ClientError),
    NotAsPromised(SendReceipt),
}

impl Sender {
    /// Tries until a broker takes the letter, the tries are used up, or the time is that began then.
    pub(super) async fn deliver(&self, letter: &Letter, began: Duration) -> Result<SendReceipt, ClientError> {
        let mut tries = Tries { began, brokers: Vec::new(), last: None };
        for _ in 0..=self.options.retries {
            let left = self.left(began);
            if left.is_zero() {
                break;
            }
            // A broker must have time left, too: if no name server says anything, the route that is known has to do.
            let told = within(|| left / 2, self.routes.of_publishing(&letter.topic)).await.ok().transpose()?;
            let Some(route) = told.or_else(|| self.routes.known(&letter.topic)) else { break };
            let Some(queue) = self.choose(&route, tries.brokers.last()) else { return Err(no_queue(letter)) };
            match self.attempt(letter, queue, began).await {
                Ok(receipt) if self.options.retry_unless_stored && receipt.status != SendStatus::Stored => {
                    tries.failed(queue, Outcome::NotAsPromised(receipt));
                }
                Err(error) if may_try_again(&error) => {
                    self.routes.doubt(&letter.topic);
                    tries.failed(queue, Outcome::Failed(error));
                }
                outcome => return outcome,
            }
        }
        tries.end(letter, self.clock.elapsed())
    }

    /// Sends the letter to one queue, once.
    pub(super) async fn deliver_to(&self, letter: &Letter, queue: &Queue) -> Result<SendReceipt, ClientError> {
        self.attempt(letter, queue, self.clock.elapsed()).await
    }

    /// What is left of the time of a send that began then.
    pub(super) fn left(&self, began: Duration) -> Duration {
        (began + self.options.send_timeout).saturating_sub(self.clock.elapsed())
    }

    /// Sends the letter to a queue in turn, and hears no more of it.
    pub(super) async fn deliver_oneway(&self, letter: &Letter) -> Result<(), ClientError> {
        let route = self.routes.of_publishing(&letter.topic).await?;
        let Some(queue) = self.choose(&route, None) else { return Err(no_queue(letter)) };
        let connection = self.connect(&queue.address).await?;
        let command = letter.to(queue.id, &self.group, self.clock.now_ms());
        connection.send_oneway(command, self.options.send_timeout).await
    }

    /// Sends the letter to one queue within what is left of the time of a send that began then, and notes how long that took.
    async fn attempt(&self, letter: &Letter, queue: &Queue, began: Duration) -> Result<SendReceipt, ClientError> {
        if !self.options.fault_tolerance {
            return self.exchange(letter, queue, began).await;
        }
        let asked = self.clock.elapsed();
        let answer = self.exchange(letter, queue, began).await;
        let now = self.clock.elapsed();
        let outcome = if answer.is_ok() { SendOutcome::Answered } else { SendOutcome::Failed };
        self.with_faults(|faults| faults.note(&queue.broker_name, now.saturating_sub(asked), outcome, now));
        answer
    }

    /// Connects, which counts as well as waiting for whoever connects already, and asks within what is left then: a connection on
    /// which nothing at all comes meanwhile is given up by its own limit.
    async fn exchange(&self, letter: &Letter, queue: &Queue, began: Duration) -> Result<SendReceipt, ClientError> {
        let late = |after| ClientError::Timeout { address: queue.address.to_string(), code: letter.code, after };
        let connecting = within(|| self.left(began), self.connect(&queue.address));
        let connection = connecting.await.unwrap_or_else(|after| Err(late(after)))?;
        let left = self.left(began);
        if left.is_zero() {
            return Err(late(self.options.send_timeout));
        }
        let command = letter.to(queue.id, &self.group, self.clock.now_ms());
        let reply = connection.request(command, left).await?;
        SendReceipt::read(&connection, queue, &letter.unique_ids, &reply)
    }

    /// The connection to send to a broker on.
    async fn connect(&self, address: &str) -> Result<Connection, ClientError> {
        if self.vip_channel
            && let Some(second) = second_port(address)
        {
            return self.connections.to(&second).await;
        }
        self.connections.to(address).await
    }

    /// The next queue in turn: of a broker that was not slow lately if that matters, else of another one than has just failed.
    fn choose<'a>(&self, route: &'a TopicRoute, failed: Option<&Arc<str>>) -> Option<&'a Queue> {
        if !self.options.fault_tolerance {
            return route.next_queue(|queue| failed != Some(&queue.broker_name));
        }
        let now = self.clock.elapsed();
        self.with_faults(|faults| {
            let queue = route.next_queue(|queue| faults.is_available(&queue.broker_name, now))?;
            if faults.is_available(&queue.broker_name, now) {
                return Some(queue);
            }
            let Some(broker) = faults.least_bad(now) else { return Some(queue) };
            let of_it = route.next_queue(|queue| queue.broker_name == broker)?;
            if of_it.broker_name != broker {
                faults.forget(&broker);
            }
            Some(of_it)
        })
    }

    /// A std mutex: it is held for a look into the table and never across an await. No panic leaves the table half changed.
    fn with_faults<T>(&self, look: impl FnOnce(&mut LatencyFaults) -> T) -> T {
        look(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tries {
    fn failed(&mut self, queue: &Queue, outcome: Outcome) {
        self.brokers.push(Arc::clone(&queue.broker_name));
        self.last = Some(Box::new(outcome));
    }

    fn end(self, letter: &Letter, now: Duration) -> Result<SendReceipt, ClientError> {
        let after = now.saturating_sub(self.began);
        match self.last.map(|last| *last) {
            Some(Outcome::NotAsPromised(receipt)) => Ok(receipt),
            Some(Outcome::Failed(error)) if self.brokers.len() == 1 => Err(error),
            Some(Outcome::Failed(error)) => Err(ClientError::GaveUp {
                topic: letter.topic.to_string(),
                brokers: self.brokers.join(", "),
                after,
                last: Box::new(error),
            }),
            None => Err(ClientError::Timeout { address: letter.topic.to_string(), code: letter.code, after }),
        }
    }
}

/// Where a broker takes everything but pulls: its port less two.
///
/// # Source
/// `MixAll.brokerVIPChannel` 4.9.7 (read).
fn second_port(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    Some(format!("{host}:{}", port.parse::<u16>().ok()?.checked_sub(2)?))
}

pub(super) fn no_queue(letter: &Letter) -> ClientError {
    ClientError::NoRoute { topic: letter.topic.to_string(), reason: "no broker takes messages for it".into() }
}

/// Whether another try may go better.
///
/// # Source
/// `DefaultMQProducerImpl.sendDefaultImpl` 4.9.7 (read): its `retryResponseCodes`.
pub(super) fn may_try_again(error: &ClientError) -> bool {
    const WORTH_IT: [i32; 6] = [
        response::TOPIC_NOT_EXIST,
        response::SERVICE_NOT_AVAILABLE,
        response::SYSTEM_ERROR,
        response::NO_PERMISSION,
        response::NO_BUYER_ID,
        response::NOT_IN_CURRENT_UNIT,
    ];
    error.is_of_transport() || error.refusal().is_some_and(|code| WORTH_IT.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32) -> ClientError {
        ClientError::Refused { address: "b:1".into(), code, remark: String::new() }
    }

    #[test]
    fn the_second_port_is_two_less() {
        assert_eq!(second_port("10.0.0.1:10911").as_deref(), Some("10.0.0.1:10909"));
        assert_eq!(second_port("[::1]:10911").as_deref(), Some("[::1]:10909"));
        assert_eq!((second_port("h:1"), second_port("h")), (None, None));
    }

    #[test]
    fn a_busy_broker_is_not_asked_again() {
        assert!(!may_try_again(&refused(response::SYSTEM_BUSY)));
        assert!(!may_try_again(&refused(response::MESSAGE_ILLEGAL)));
        assert!(may_try_again(&refused(response::SERVICE_NOT_AVAILABLE)));
        assert!(may_try_again(&ClientError::Closed { address: "b:1".into(), how: "was closed".into() }));
    }
}
