//! The client: what sends and receives messages over the wire that official clients speak.
//!
//! ```text
//! Producer, Puller ─► Routes (name servers) ─► Connections (one per address) ─► Connection (one socket)
//!                              Membership ─────────────┘
//! ```
//!
//! Everything here is plain async code on whatever tokio runtime calls it; one connection per broker carries all
//! requests, and replies are paired by their opaque.
//!
//! What the members of a consumer group go by is here as decisions without I/O: [`allocation`] (whose queue is which),
//! [`owned_queues`] (what to do when that changes), [`process_queue`] (what was pulled and is not consumed), [`subscription`]
//! (what is wanted). A consumer that acts on them is not here yet; [`membership`] holds the requests that it makes.

pub mod actors;
pub mod address_server;
pub mod allocation;
pub mod calls;
pub mod connection;
pub mod consume_hooks;
pub mod consumer_options;
pub mod discovery;
pub mod error;
mod gatherer;
pub mod instance;
pub mod latency_faults;
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
pub mod send_hooks;
mod sender;
pub mod spool;
mod spool_drain;
mod spool_thread;
pub mod spooled_producer;
pub mod subscription;
pub mod tally;
pub mod tls;
pub mod trace;
pub mod transactions;

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
pub use spool::{SpoolOptions, Waiting};
pub use spooled_producer::{Sent, SpooledProducer};
pub use subscription::Wanted;
pub use tls::{Identity, Tls, TlsAdvice, TlsOptions, Trust};
pub use trace::TraceRecord;
pub use trace::tracer::{TraceCounts, TraceOptions};
pub use transactions::{TransactionListener, TransactionProducer, TransactionState};
