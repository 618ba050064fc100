//! Who hears of the calls of listeners.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::listener::{Delivery, Verdict};
use crate::time::SharedClock;

/// Hears of each call of a consumer's listener, on the task that calls it: what a hook waits for, the listener waits for. One
/// that panics is logged, and disturbs nobody.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// # tokio::time::timeout(std::time::Duration::from_secs(60), async {
/// use std::sync::Arc;
/// use ferromq::client::{CallEnd, ConsumeCall, ConsumeHook, Ending, Verdict};
/// # use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Wanted};
/// use tokio::sync::mpsc;
///
/// /// Tells how calls ended.
/// struct Ends(mpsc::UnboundedSender<(usize, CallEnd)>);
///
/// impl ConsumeHook for Ends {
///     fn after(&self, call: &ConsumeCall<'_>, end: &CallEnd) {
///         self.0.send((call.delivery.messages.len(), *end)).expect("somebody listens");
///     }
/// }
/// # let client = Client::new(ClientOptions::of(name_servers)).await?;
/// # let producer = client.producer("billing").start().await?;
/// # producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
///
/// let (ends, mut heard) = mpsc::unbounded_channel();
/// let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
/// let builder = client.push_consumer("bookkeeping").options(options).subscribe("Invoices", Wanted::All);
/// let listener = async |_: Delivery| -> () { panic!("there is no such invoice") };
/// let consumer = builder.hook(Arc::new(Ends(ends))).start(listener).await?;
/// let (messages, end) = heard.recv().await.expect("the consumer is there");
/// assert_eq!((messages, end.verdict, end.ending), (1, Verdict::LATER, Ending::Panicked));
/// # consumer.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).await?
/// # }
/// ```
pub trait ConsumeHook: Send + Sync + 'static {
    /// The listener is about to be called.
    fn before(&self, call: &ConsumeCall<'_>) {
        let _ = call;
    }

    /// The call is over. This is not told of calls that end with their runtime.
    fn after(&self, call: &ConsumeCall<'_>, end: &CallEnd) {
        let _ = (call, end);
    }
}

/// A call of a listener.
///
/// See the example of [`ConsumeHook`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConsumeCall<'a> {
    /// Which one it is of its consumer.
    pub number: u64,
    /// What the listener is brought.
    pub delivery: &'a Delivery,
}

/// How a call ended.
///
/// See the example of [`ConsumeHook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallEnd {
    /// What became of the delivery.
    pub verdict: Verdict,
    /// What it came to that by.
    pub ending: Ending,
    /// How long it took.
    pub took: Duration,
}

/// What a call's verdict comes from.
///
/// See the example of [`ConsumeHook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The listener gave it.
    Returned,
    /// The listener panicked.
    Panicked,
    /// The listener took too long, and was not waited for.
    Overdue,
}

/// The hooks of one consumer, of which there is at least one.
///
/// See the example of [`Lanes`](super::calls::Lanes).
pub struct ConsumeHooks {
    hooks: Vec<Arc<dyn ConsumeHook>>,
    clock: SharedClock,
    calls: AtomicU64,
}

impl ConsumeHooks {
    /// These hooks, if there are any.
    #[must_use]
    pub fn of(hooks: Vec<Arc<dyn ConsumeHook>>, clock: &SharedClock) -> Option<Self> {
        (!hooks.is_empty()).then(|| Self { hooks, clock: Arc::clone(clock), calls: AtomicU64::new(0) })
    }

    /// Tells of a call before it; what is given back tells of its end.
    pub(super) fn before(&self, delivery: Delivery) -> HookedCall<'_> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = HookedCall { hooks: self, number, delivery, began: self.clock.elapsed() };
        call.tell(|hook, call| hook.before(call));
        call
    }
}

/// A call that hooks hear of.
pub(super) struct HookedCall<'a> {
    hooks: &'a ConsumeHooks,
    number: u64,
    delivery: Delivery,
    began: Duration,
}

impl HookedCall<'_> {
    pub(super) fn after(self, verdict: Verdict, ending: Ending) {
        let took = self.hooks.clock.elapsed().saturating_sub(self.began);
        let end = CallEnd { verdict, ending, took };
        self.tell(|hook, call| hook.after(call, &end));
    }

    fn tell(&self, what: impl Fn(&dyn ConsumeHook, &ConsumeCall<'_>)) {
        let call = ConsumeCall { number: self.number, delivery: &self.delivery };
        for hook in &self.hooks.hooks {
            if catch_unwind(AssertUnwindSafe(|| what(&**hook, &call))).is_err() {
                tracing::error!("a hook of a consumer panicked; its listener goes on");
            }
        }
    }
}
