//! The actors that a client is made of. An application of actix may have them on its own arbiter ([`Threads::Here`]), or put
//! them together itself, with actors of its own in the places of some: the examples of [`RebalanceActor`] and [`PullActor`]
//! do so.
//!
//! ```text
//!                        Beats                       Beat
//!  RebalanceActor ──────────────► InstanceActor ───────────► ConnectionActor   one per broker
//!  one per consumer ◄──────────────── │ ▲  Rebalance, ResetOffsets
//!     │  │    GiveUp, Locked          │ └── Pushed: what brokers ask
//!     │  └──────────► PullActor       │ OffsetsOf
//!     │               one per queue   ▼
//!     │                  └──────► OffsetStoreActor   one per consumer
//!     └── OffsetOf, Forget, MoveTo ──►▲  Progress
//! ```
//!
//! | mailbox | who sends | what bounds it | when it is gone |
//! |---|---|---|---|
//! | InstanceActor | consumers, producers, connections, RebalanceActors | pushes: the room of their channel; else a few per consumer and producer | calls fail with [`Ended`](crate::client::ClientError::Ended) |
//! | ConnectionActor | InstanceActor | one heartbeat per interval and change | the next heartbeat starts another |
//! | DiscoveryActor | nobody | one question per interval | the name servers stay those that are known |
//! | RebalanceActor | InstanceActor, application | notices of brokers; one round at a time | the consumer is at its end |
//! | PullActor | RebalanceActor, calls | calls under way: what the queue may hold, `held_max` | the queue is taken anew |
//! | OffsetStoreActor | PullActors, RebalanceActor, InstanceActor, application | one per call that ends | queues cannot be taken over |
//!
//! All of one client run on one arbiter. Their work is asking brokers; what they decide is in [`owned_queues`],
//! [`process_queue`] and [`allocation`]. The application's listener runs on its own runtime.
//!
//! [`Threads::Here`]: engine::Threads::Here
//! [`RebalanceActor`]: rebalance_actor::RebalanceActor
//! [`PullActor`]: pull_actor::PullActor
//! [`owned_queues`]: super::owned_queues
//! [`process_queue`]: super::process_queue
//! [`allocation`]: super::allocation

pub mod connection_actor;
pub mod discovery_actor;
pub mod engine;
pub mod instance_actor;
pub mod offset_store_actor;
pub mod pull_actor;
pub mod rebalance_actor;
