//! Deliveries on their way to the application: to the calls of a listener on its own runtime, or to whoever polls. Each has an
//! end that is heard of whatever happens.
//!
//! Waking the other thread is what costs most, so what can be handed over together is, and so are the verdicts.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use actix::{Message, Recipient};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::consume_hooks::{ConsumeHooks, Ending};
use super::consumer_options::{ConsumerOptions, Order};
use super::listener::{Delivery, Listener, RetryWhen, Verdict};
use crate::net::mailbox::notify;
use crate::protocol::message;

/// How long verdicts are gathered where no message waits for them: to wake the other thread for each is what costs most of all.
const GATHERED_FOR: Duration = Duration::from_millis(2);
/// The delay level of messages whose delivery takes too long.
const OVERDUE_LEVEL: u32 = 3;

/// Verdicts on deliveries, by the numbers that their queue has given them; none on what nobody was called with.
type Verdicts = Vec<(usize, Option<Verdict>)>;

/// Deliveries have come to their end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct CallsEnded {
    /// Which ones, by the numbers that their queue has given them, and how.
    pub(super) ended: Verdicts,
}

/// A delivery that somebody is to consume.
///
/// See the example of [`PullActor`](super::actors::pull_actor::PullActor).
#[derive(Debug)]
pub struct Call {
    /// What is brought.
    pub delivery: Delivery,
    end: End,
}

/// Where the verdict on a delivery goes. One that is dropped says that nobody was called with it.
#[derive(Debug)]
struct End {
    number: usize,
    to: Option<Arc<Recipient<CallsEnded>>>,
}

impl Call {
    /// A delivery of this number, whose queue hears the verdict.
    #[must_use]
    pub(super) fn new(delivery: Delivery, number: usize, to: Arc<Recipient<CallsEnded>>) -> Self {
        Self { delivery, end: End { number, to: Some(to) } }
    }

    /// Says what became of it.
    pub fn ended(mut self, verdict: Verdict) {
        self.end.say(Some(verdict));
    }
}

impl End {
    fn say(&mut self, verdict: Option<Verdict>) {
        if let Some(to) = self.to.take() {
            notify(&to, CallsEnded { ended: vec![(self.number, verdict)] });
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.say(None);
    }
}

/// Who consumes deliveries.
///
/// See the example of [`Lanes`].
#[derive(Clone)]
pub enum Calls {
    /// A listener.
    Listener(Arc<Lanes>),
    /// Whoever polls.
    Polled(mpsc::UnboundedSender<Call>),
}

impl Calls {
    /// Hands deliveries over. Their number is bounded by what queues may hold.
    pub fn begin(&self, calls: Vec<Call>) {
        match self {
            Self::Listener(lanes) => lanes.push(calls),
            // What nobody polls any more is dropped, and so has its end.
            Self::Polled(poll) => calls.into_iter().for_each(|call| drop(poll.send(call))),
        }
    }

    /// Has one message consumed out of turn, and gives the verdict; none if nobody is called with messages.
    pub async fn consume_directly(&self, message: message::Message) -> Option<Verdict> {
        let Self::Listener(lanes) = self else { return None };
        let lanes = Arc::clone(lanes);
        let runtime = lanes.runtime.clone();
        let called = runtime.spawn(async move { lanes.call(Delivery::alone(message)).await });
        // A runtime that was shut down calls nobody any more.
        Some(called.await.map_or(Verdict::LATER, |(verdict, _)| verdict))
    }

    /// Has nothing consumed any more.
    pub fn close(&self) {
        if let Self::Listener(lanes) = self {
            lanes.close();
        }
    }

    /// Begins no call until this is taken back.
    pub fn suspend(&self, is_suspended: bool) {
        if let Self::Listener(lanes) = self {
            lanes.is_suspended.send_replace(is_suspended);
        }
    }
}

/// The calls of one listener: so many at once.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use ferromq::client::calls::{Calls, Lanes};
/// use ferromq::client::consume_hooks::ConsumeHooks;
/// use ferromq::client::{ConsumerOptions, Delivery, Verdict};
/// use ferromq::time::SystemClock;
/// use tokio::runtime::Handle;
/// # use ferromq::protocol::message::Message;
/// # use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};
/// # let host = ([127, 0, 0, 1], 10911).into();
/// # let message = Message {
/// #     topic: "Invoices".into(), queue_id: QueueId(0), flag: 0, queue_offset: QueueOffset(0),
/// #     physical_offset: PhysicalOffset(0), sys_flag: 0, born_time: BornTime(0), born_host: host,
/// #     store_time: StoreTime(0), store_host: host, reconsume_times: 0, prepared_transaction_offset: 0,
/// #     body_crc: 0, body: "number 1".into(), properties: "".into(),
/// # };
///
/// async fn listener(delivery: Delivery) -> Result<(), &'static str> {
///     if delivery.messages[0].body.is_empty() { Err("it says nothing") } else { Ok(()) }
/// }
/// // Without hooks nobody needs to be told.
/// let hooks = ConsumeHooks::of(Vec::new(), &SystemClock::shared());
/// let lanes = Lanes::start(Arc::new(listener), &Handle::current(), &ConsumerOptions::default(), hooks);
/// let calls = Calls::Listener(lanes);
/// assert_eq!(calls.consume_directly(message.clone()).await, Some(Verdict::Consumed));
/// let empty = Message { body: "".into(), ..message };
/// assert_eq!(calls.consume_directly(empty).await, Some(Verdict::LATER));
/// calls.close();
/// # Ok(())
/// # }
/// ```
pub struct Lanes {
    listener: Arc<dyn Listener>,
    runtime: Handle,
    order: Order,
    /// How long a call may take, where order does not matter.
    limit: Duration,
    hooks: Option<ConsumeHooks>,
    waiting: Mutex<VecDeque<Call>>,
    /// A permit for each call that waits.
    count: Semaphore,
    is_suspended: watch::Sender<bool>,
    ended: Mutex<Vec<(End, Verdict)>>,
    report: Notify,
}

impl Lanes {
    /// Calls `listener` on `runtime`, as the options say, until [`Calls::close`].
    #[must_use]
    pub fn start(
        listener: Arc<dyn Listener>,
        runtime: &Handle,
        options: &ConsumerOptions,
        hooks: Option<ConsumeHooks>,
    ) -> Arc<Self> {
        let lanes = Arc::new(Self {
            listener,
            runtime: runtime.clone(),
            order: options.order,
            limit: options.consume_timeout,
            hooks,
            waiting: Mutex::default(),
            count: Semaphore::new(0),
            is_suspended: watch::Sender::new(false),
            ended: Mutex::default(),
            report: Notify::new(),
        });
        for _ in 0..options.deliveries_at_once.max(1) {
            runtime.spawn(Arc::clone(&lanes).run());
        }
        runtime.spawn(Arc::clone(&lanes).report());
        lanes
    }

    /// Ends the lanes: what waits is not consumed.
    fn close(&self) {
        self.count.close();
        self.report.notify_one();
        lock(&self.waiting).clear();
    }

    fn push(&self, calls: Vec<Call>) {
        let count = calls.len();
        lock(&self.waiting).extend(calls);
        self.count.add_permits(count);
    }

    async fn run(self: Arc<Self>) {
        let mut is_suspended = self.is_suspended.subscribe();
        while let Ok(one) = self.count.acquire().await {
            one.forget();
            // It does not fail: what it watches is held here.
            let _ = is_suspended.wait_for(|is_suspended| !is_suspended).await;
            let Some(Call { delivery, end }) = lock(&self.waiting).pop_front() else { continue };
            // Of a queue that was given up meanwhile another member is brought the messages.
            if !delivery.is_current() {
                continue;
            }
            let hooked = self.hooks.as_ref().map(|hooks| hooks.before(delivery.clone()));
            let (verdict, ending) = self.call(delivery).await;
            if let Some(call) = hooked {
                call.after(verdict, ending);
            }
            let mut ended = lock(&self.ended);
            ended.push((end, verdict));
            if ended.len() == 1 {
                self.report.notify_one();
            }
        }
    }

    /// Calls the listener. One that panics has consumed nothing; nor has one that takes too long: it is dropped where it waits.
    async fn call(&self, delivery: Delivery) -> (Verdict, Ending) {
        // It may panic before there is anything to poll, too, and must not take the lane with it.
        let Ok(mut consuming) = catch_unwind(AssertUnwindSafe(|| self.listener.consume(delivery))) else {
            return panicked();
        };
        let first = poll_fn(|cx| {
            Poll::Ready(match polled(&mut consuming, cx) {
                Poll::Ready(ended) => Some(ended),
                Poll::Pending => None,
            })
        });
        // Most listeners have nothing to wait for, and need no timer.
        if let Some(ended) = first.await {
            return ended;
        }
        let rest = poll_fn(|cx| polled(&mut consuming, cx));
        if self.order == Order::Queue {
            return rest.await;
        }
        let limit = self.limit;
        tokio::time::timeout(limit, rest).await.unwrap_or_else(|_| {
            tracing::warn!(?limit, "a listener takes too long and is not waited for; its messages come again");
            (Verdict::Retry { consumed: 0, when: RetryWhen::Level(OVERDUE_LEVEL) }, Ending::Overdue)
        })
    }

    /// Tells queues of ends: of all that have come together, at once.
    async fn report(self: Arc<Self>) {
        while !self.count.is_closed() {
            self.report.notified().await;
            if self.order == Order::None {
                tokio::time::sleep(GATHERED_FOR).await;
            }
            let ended = std::mem::take(&mut *lock(&self.ended));
            let mut of_one: Option<(Arc<Recipient<CallsEnded>>, Verdicts)> = None;
            for (mut end, verdict) in ended {
                let Some(to) = end.to.take() else { continue };
                match &mut of_one {
                    Some((queue, own)) if Arc::ptr_eq(queue, &to) => own.push((end.number, Some(verdict))),
                    _ => {
                        if let Some((queue, ended)) = of_one.replace((to, vec![(end.number, Some(verdict))])) {
                            notify(&queue, CallsEnded { ended });
                        }
                    }
                }
            }
            if let Some((queue, ended)) = of_one {
                notify(&queue, CallsEnded { ended });
            }
        }
    }
}

/// Polls a listener; if that panics, it has consumed nothing.
fn polled(
    consuming: &mut Pin<Box<dyn Future<Output = Verdict> + Send + '_>>,
    cx: &mut std::task::Context<'_>,
) -> Poll<(Verdict, Ending)> {
    let polled = catch_unwind(AssertUnwindSafe(|| consuming.as_mut().poll(cx)));
    polled.map_or_else(|_| Poll::Ready(panicked()), |polled| polled.map(|verdict| (verdict, Ending::Returned)))
}

fn panicked() -> (Verdict, Ending) {
    tracing::error!("a listener panicked; its messages come again");
    (Verdict::LATER, Ending::Panicked)
}

/// A std mutex: it is held for one change of a list and never across an await. No panic leaves the list half changed.
fn lock<T>(list: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
