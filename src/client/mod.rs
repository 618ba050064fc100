//! The client: what sends and receives messages over the wire that official clients speak. It talks to name servers and brokers of
//! FerroMQ and of RocketMQ 4.9.
//!
//! [`Client`] is where an application begins; it makes [producers](Producer) and consumers, which are
//! [brought messages](PushConsumer) or [ask for them](PullConsumer).
//!
//! # Map
//!
//! | files | what they are |
//! |---|---|
//! | [`instance`] | the client: one identity, and what everything in its name shares |
//! | [`producer`], [`transactions`], [`spool::producer`], [`requests`]; [`push_consumer`], [`pull_consumer`] | what it makes |
//! | [`outgoing`], [`receipt`], [`listener`], [`error`](mod@error) | what applications give and get |
//! | [`producer_options`], [`consumer_options`], [`discovery`], [`namespace`], [`tls`] | settings |
//! | [`send_hooks`], [`consume_hooks`], [`trace`] | who hears of all that |
//! | [`allocation`], [`owned_queues`], [`process_queue`], [`subscription`], [`tally`] | decisions of consumers: whose queue is which, what follows when that changes, what comes next, what is wanted, how it went |
//! | [`selector`], [`letter`], [`spool`], `latency_faults` | decisions of producers: which queue, what travels, what waits on the disk, who was slow |
//! | [`pull`], [`membership`], [`route`] | requests, each with its answer |
//! | [`route_cache`], [`pool`], [`connection`], [`pushed`] | the ways to servers, and what these ask unasked |
//! | `sender`, `gatherer`, `spool::thread`, `spool::drain`, [`calls`], [`member`] | what carries out: sends, batches, spools, calls of listeners, the requests of one consumer |
//! | [`actors`] | what is done without being asked: heartbeats, rebalances, pulls, offsets |
//!
//! Decisions know no socket, no actor and no runtime: times are arguments.
//!
//! # How a message travels
//!
//! ```text
//! out   Producer::send ─► SendHook ─► Letter ─► Sender ─► RouteCache: which queue ─► Connections ─► broker
//!                                                 ▲ └───── again, at another broker, if that may help ◄──┤
//!          gatherer: many as one ─────────────────┘                                   SendReceipt ◄──────┘
//!
//! in    broker ─► PullActor ─► ProcessQueue ─► Calls ─► Listener, or PullConsumer::poll
//!         ▲           │ ▲                                  │
//!         │           │ └───────────── Verdict ◄───────────┘
//!         │           └─ Progress ─► OffsetStoreActor ─► broker, or a file
//!         └─ what is not consumed goes back, and comes again under the topic of the group's retries
//! ```
//!
//! A send has no actor: it is written, and its answer awaited, on the runtime of whoever sends. A listener runs on the runtime
//! that its consumer was started on. So what an application does, or hangs in, holds the actors up only where it wants them on
//! an arbiter of its own ([`Threads::Here`]).
//!
//! # Who owns what
//!
//! | | owns | ends |
//! |---|---|---|
//! | [`Client`] | the id, the routes, the connections of its actors and those of whoever sends, who waits for replies, the thread of its actors | with its last clone and the last of what it has made |
//! | `InstanceActor` | the groups, and which brokers have been told of them; hands on what brokers ask | with the client |
//! | `ConnectionActor` | that one broker knows the client, also after either was away | when no route names the broker any more |
//! | `DiscoveryActor` | the question which name servers there are, where an address server is asked | with the client |
//! | `RebalanceActor` | which queues one consumer has ([`owned_queues`]), and a PullActor for each | when the consumer is stopped or dropped |
//! | `PullActor` | what was pulled of one queue and is not consumed ([`process_queue`]), and where to pull next | when the queue is given up |
//! | `OffsetStoreActor` | how far one consumer has come, and that it is stored | with the consumer |
//!
//! They know each other by typed messages alone: [`actors`] has the drawing and the table of mailboxes, ARCHITECTURE.md what
//! happens when one dies.
//!
//! # Where to start reading
//!
//! `Client::new` in `instance.rs` puts everything together. From there `producer/own.rs` and `sender.rs` are the way out;
//! `push_consumer.rs`, `actors/rebalance_actor.rs` and `actors/pull_actor.rs` are the way in, and `calls.rs` is where a listener is
//! called. `tests/client_sim` has members share queues without network or clock, and says what has to hold.

pub mod actors;
pub(crate) mod address_server;
pub mod allocation;
pub mod calls;
pub mod connection;
pub mod consume_hooks;
pub mod consumer_options;
pub mod discovery;
pub mod error;
mod gatherer;
pub mod instance;
mod latency_faults;
pub mod letter;
pub mod listener;
pub mod member;
pub mod membership;
pub mod namespace;
pub mod offset_file;
pub mod outgoing;
pub mod owned_queues;
pub mod pool;
pub mod process_queue;
pub mod producer;
pub mod producer_options;
pub mod pull;
pub mod pull_consumer;
pub mod push_consumer;
pub mod pushed;
pub mod receipt;
pub mod requests;
pub mod route;
pub mod route_cache;
pub mod selector;
mod send_back;
pub mod send_hooks;
mod sender;
pub mod spool;
pub mod subscription;
pub mod tally;
pub mod tls;
pub mod trace;
pub mod transactions;
mod within;

pub use actors::engine::Threads;
pub use connection::{Connection, ConnectionOptions, Limits};
pub use consume_hooks::{CallEnd, ConsumeCall, ConsumeHook, Ending};
pub use consumer_options::{Begin, ConsumerOptions, Order};
pub use discovery::Discovery;
pub use error::ClientError;
pub use instance::{Client, ClientOptions};
pub use listener::{Delivery, Listener, RetryWhen, Verdict};
pub use outgoing::{Delay, OutgoingMessage};
pub use pool::Connections;
pub use producer::{Producer, ProducerBuilder, Submitted};
pub use producer_options::{Compression, Gathering, ProducerOptions};
pub use pull::{PullStatus, Pulled, Puller};
pub use pull_consumer::{PullConsumer, PullConsumerBuilder};
pub use push_consumer::{PushConsumer, PushConsumerBuilder};
pub use receipt::{SendReceipt, SendStatus};
pub use requests::Reply;
pub use route::{Queue, Routes};
pub use send_hooks::{EndedTransaction, SendHook, SentMessage};
pub use spool::producer::{Sent, SpooledProducer};
pub use spool::{SpoolOptions, Waiting};
pub use subscription::Wanted;
pub use tls::{Identity, Tls, TlsAdvice, TlsOptions, Trust};
pub use trace::TraceRecord;
pub use trace::tracer::{TraceCounts, TraceOptions};
pub use transactions::{TransactionListener, TransactionProducer, TransactionState};
