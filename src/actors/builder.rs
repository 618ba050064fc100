//! Describes a broker: its options, and for each actor the function that makes it.
//!
//! Any of these functions can be replaced by one that makes another actor, or wraps this one: that is how tests put in
//! slow, deaf, failing and panicking parts, and how an application puts in its own.

use actix::Recipient;
use actix_rt::ArbiterHandle;

use super::arbiters::{Arbiters, start_on, supervise_on};
use super::broker::{Broker, StartError};
use super::client_actor::{ClientActor, ClientParts, ClientPorts};
use super::commitlog_actor::{CommitLogActor, CommitLogParts, CommitLogPorts};
use super::delay_offset_actor::{DelayOffsetActor, DelayOffsetParts, DelayOffsetPorts};
use super::dispatch_actor::{DispatchActor, DispatchParts, DispatchPorts};
use super::filter_actor::{FilterActor, FilterParts, FilterPorts};
use super::flush_actor::{FlushActor, FlushParts, FlushPorts};
use super::group_actor::{GroupActor, GroupParts, GroupPorts};
use super::hold_actor::{HoldActor, HoldParts, HoldPorts};
use super::hooks::{Consumed, Exchange, Hook, Hooks, Sent, Told};
use super::index_actor::{IndexActor, IndexParts, IndexPorts};
use super::offset_actor::{OffsetActor, OffsetParts, OffsetPorts};
use super::options::BrokerOptions;
use super::queue_actor::QueuePorts;
use super::queue_lock_actor::{QueueLockActor, QueueLockParts, QueueLockPorts};
use super::registration_actor::{RegistrationActor, RegistrationParts, RegistrationPorts};
use super::retention_actor::{RetentionActor, RetentionParts, RetentionPorts};
use super::schedule_actor::{ScheduleActor, ScheduleParts, SchedulePorts};
use super::slow_group_actor::{SlowGroupActor, SlowGroupParts, SlowGroupPorts};
use super::stats_actor::{StatsActor, StatsParts, StatsPorts};
use super::timer_actor::{TimerActor, TimerParts, TimerPorts};
use super::topic_actor::{TopicActor, TopicParts, TopicPorts};
use super::transaction_actor::{TransactionActor, TransactionParts, TransactionPorts};
use super::wiring;

/// Makes an actor on an arbiter.
pub(super) type Make<P, R> = Box<dyn FnOnce(P, &ArbiterHandle) -> R + Send>;

/// Describes a broker: options, and for each actor the function that makes it.
pub struct BrokerBuilder {
    pub(super) options: BrokerOptions,
    pub(super) storage: StorageMakers,
    pub(super) state: StateMakers,
    pub(super) aside: AsideMakers,
    pub(super) hooks: Hooks,
}

/// Make the actors that every message passes, and the one that counts them.
pub(super) struct StorageMakers {
    pub(super) commit_log: Make<CommitLogParts, CommitLogPorts>,
    pub(super) dispatch: Make<DispatchParts, DispatchPorts>,
    pub(super) queue: Option<QueueWrap>,
    pub(super) hold: Make<HoldParts, HoldPorts>,
    pub(super) index: Make<IndexParts, IndexPorts>,
    pub(super) flush: Make<FlushParts, FlushPorts>,
    pub(super) stats: Make<StatsParts, StatsPorts>,
}

/// Make the actors that know topics, groups and clients.
pub(super) struct StateMakers {
    pub(super) topic: Make<TopicParts, TopicPorts>,
    pub(super) group: Make<GroupParts, GroupPorts>,
    pub(super) offset: Make<OffsetParts, OffsetPorts>,
    pub(super) client: Make<ClientParts, ClientPorts>,
    pub(super) registration: Make<RegistrationParts, RegistrationPorts>,
    pub(super) queue_lock: Make<QueueLockParts, QueueLockPorts>,
    pub(super) filter: Make<FilterParts, FilterPorts>,
    pub(super) slow_group: Make<SlowGroupParts, SlowGroupPorts>,
}

/// Make the actors that bring messages on which were stored elsewhere first.
pub(super) struct AsideMakers {
    pub(super) delay_offset: Make<DelayOffsetParts, DelayOffsetPorts>,
    pub(super) schedule: MakeLevel,
    pub(super) transaction: Make<TransactionParts, TransactionPorts>,
    pub(super) timer: Make<TimerParts, TimerPorts>,
    pub(super) retention: Make<RetentionParts, RetentionPorts>,
}

/// Makes the actor of a delay level.
type MakeLevel = Box<dyn Fn(ScheduleParts, &ArbiterHandle) -> SchedulePorts + Send>;

/// Takes a queue's own ports and gives those that others are to use.
pub type QueueWrap = Box<dyn Fn(QueuePorts) -> QueuePorts + Send>;

/// Declares the methods that replace how an actor is made.
macro_rules! replaceable {
    ($($(#[$doc:meta])* $stage:ident.$name:ident: $parts:ty => $ports:ty,)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, make: impl FnOnce($parts, &ArbiterHandle) -> $ports + Send + 'static) -> Self {
                self.$stage.$name = Box::new(make);
                self
            }
        )*
    };
}

impl BrokerBuilder {
    pub(super) fn new(options: BrokerOptions) -> Self {
        Self {
            options,
            storage: StorageMakers::default(),
            state: StateMakers::default(),
            aside: AsideMakers::default(),
            hooks: Hooks::default(),
        }
    }

    replaceable! {
        /// Replaces the writer of the log.
        storage.commit_log: CommitLogParts => CommitLogPorts,
        /// Replaces the DispatchActor.
        storage.dispatch: DispatchParts => DispatchPorts,
        /// Replaces the HoldActor.
        storage.hold: HoldParts => HoldPorts,
        /// Replaces the IndexActor.
        storage.index: IndexParts => IndexPorts,
        /// Replaces the FlushActor.
        storage.flush: FlushParts => FlushPorts,
        /// Replaces the StatsActor.
        storage.stats: StatsParts => StatsPorts,
        /// Replaces the TopicActor.
        state.topic: TopicParts => TopicPorts,
        /// Replaces the GroupActor.
        state.group: GroupParts => GroupPorts,
        /// Replaces the OffsetActor.
        state.offset: OffsetParts => OffsetPorts,
        /// Replaces the ClientActor.
        state.client: ClientParts => ClientPorts,
        /// Replaces the RegistrationActor.
        state.registration: RegistrationParts => RegistrationPorts,
        /// Replaces the QueueLockActor.
        state.queue_lock: QueueLockParts => QueueLockPorts,
        /// Replaces the FilterActor.
        state.filter: FilterParts => FilterPorts,
        /// Replaces the SlowGroupActor.
        state.slow_group: SlowGroupParts => SlowGroupPorts,
        /// Replaces the DelayOffsetActor.
        aside.delay_offset: DelayOffsetParts => DelayOffsetPorts,
        /// Replaces the TransactionActor.
        aside.transaction: TransactionParts => TransactionPorts,
        /// Replaces the RetentionActor.
        aside.retention: RetentionParts => RetentionPorts,
        /// Replaces the TimerActor.
        aside.timer: TimerParts => TimerPorts,
    }

    /// Replaces the ScheduleActor of every delay level.
    #[must_use]
    pub fn schedule(mut self, make: impl Fn(ScheduleParts, &ArbiterHandle) -> SchedulePorts + Send + 'static) -> Self {
        self.aside.schedule = Box::new(make);
        self
    }

    /// Puts something in front of every QueueActor.
    #[must_use]
    pub fn queue(mut self, wrap: impl Fn(QueuePorts) -> QueuePorts + Send + 'static) -> Self {
        self.storage.queue = Some(Box::new(wrap));
        self
    }

    /// Tells `recipient` of every send when it is decided what becomes of it, stored or refused: see
    /// [`hooks`](super::hooks). RocketMQ calls that a `SendMessageHook`.
    ///
    /// ```
    /// # async fn example(options: ferromq::actors::options::BrokerOptions) -> Result<(), Box<dyn std::error::Error>> {
    /// use actix::{Actor, Context, Handler};
    /// use ferromq::actors::broker::Broker;
    /// use ferromq::actors::hooks::{Sent, Told};
    ///
    /// /// Counts what each group sends.
    /// #[derive(Default)]
    /// struct Bill {
    ///     bytes: std::collections::HashMap<Box<str>, usize>,
    /// }
    ///
    /// impl Actor for Bill {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Told<Sent>> for Bill {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, told: Told<Sent>, _: &mut Context<Self>) {
    ///         for sent in told.take().events {
    ///             if !sent.placed.is_empty() {
    ///                 *self.bytes.entry(sent.group).or_default() += sent.bytes;
    ///             }
    ///         }
    ///     }
    /// }
    ///
    /// let bill = Bill::default().start();
    /// let broker = Broker::builder(options).on_send(bill.recipient()).start().await?;
    /// # broker.stop().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_send(mut self, recipient: Recipient<Told<Sent>>) -> Self {
        self.hooks.sent = Some(Hook::new(recipient));
        self
    }

    /// Tells `recipient` of every pull when it is answered. RocketMQ calls that a `ConsumeMessageHook`.
    #[must_use]
    pub fn on_consume(mut self, recipient: Recipient<Told<Consumed>>) -> Self {
        self.hooks.consumed = Some(Hook::new(recipient));
        self
    }

    /// Tells `recipient` of every request, of whatever kind, when it comes and when it is answered. RocketMQ calls that an
    /// `RPCHook`.
    #[must_use]
    pub fn on_request(mut self, recipient: Recipient<Told<Exchange>>) -> Self {
        self.hooks.exchanged = Some(Hook::new(recipient));
        self
    }

    /// Opens the store and starts everything.
    ///
    /// # Errors
    /// See [`StartError`]; nothing goes on running then.
    pub async fn start(self) -> Result<Broker, StartError> {
        let arbiters = Arbiters::start(self.options.layout, self.options.connection_threads);
        // In a box, since what starts a broker would make the future of whoever embeds one ten kilobytes large.
        Box::pin(wiring::start(self, arbiters)).await
    }
}

impl Default for StorageMakers {
    fn default() -> Self {
        Self {
            commit_log: Box::new(|parts, on| start_on(on, |_| CommitLogActor::new(parts)).into()),
            dispatch: Box::new(|parts, on| start_on(on, |_| DispatchActor::new(parts)).into()),
            queue: None,
            hold: Box::new(|parts, on| supervise_on(on, |_| HoldActor::new(parts)).into()),
            index: Box::new(|parts, on| supervise_on(on, |_| IndexActor::new(parts)).into()),
            flush: Box::new(|parts, on| start_on(on, |_| FlushActor::new(parts)).into()),
            stats: Box::new(|parts, on| supervise_on(on, |_| StatsActor::new(parts)).into()),
        }
    }
}

impl Default for StateMakers {
    fn default() -> Self {
        Self {
            topic: Box::new(|parts, on| supervise_on(on, |_| TopicActor::new(parts)).into()),
            group: Box::new(|parts, on| supervise_on(on, |_| GroupActor::new(parts)).into()),
            offset: Box::new(|parts, on| supervise_on(on, |_| OffsetActor::new(parts)).into()),
            client: Box::new(|parts, on| supervise_on(on, |_| ClientActor::new(parts)).into()),
            registration: Box::new(|parts, on| supervise_on(on, |_| RegistrationActor::new(parts)).into()),
            filter: Box::new(|parts, on| supervise_on(on, |_| FilterActor::new(parts)).into()),
            slow_group: Box::new(|parts, on| supervise_on(on, |_| SlowGroupActor::new(parts)).into()),
            queue_lock: Box::new(|parts, on| supervise_on(on, |_| QueueLockActor::new(parts)).into()),
        }
    }
}

impl Default for AsideMakers {
    fn default() -> Self {
        Self {
            delay_offset: Box::new(|parts, on| supervise_on(on, |_| DelayOffsetActor::new(parts)).into()),
            schedule: Box::new(|parts, on| supervise_on(on, |_| ScheduleActor::new(parts)).into()),
            transaction: Box::new(|parts, on| supervise_on(on, |_| TransactionActor::new(parts)).into()),
            retention: Box::new(|parts, on| supervise_on(on, |_| RetentionActor::new(parts)).into()),
            timer: Box::new(|parts, on| supervise_on(on, |_| TimerActor::new(parts)).into()),
        }
    }
}
