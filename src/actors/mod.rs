//! Actors: mailboxes, order, wiring and timers. What is decided is decided in `broker/`, `namesrv/` and `store/`.
//!
//! ```text
//! connections ─ SendService ─► CommitLogActor ─doorbell─► DispatchActor ─► QueueActor ◄─► HoldActor
//!      │                            │ AwaitSync                │   ▲           │
//!      │                            ▼                          ▼   │           ▼
//!      │                        FlushActor ──doorbell──► (same) IndexActor   ReadPool
//!      │      ScheduleActor (one per delay level) ── follows a QueueActor, appends to CommitLogActor ─► DelayOffsetActor
//!      │      TransactionActor ── reads half messages, appends copies, asks producers through ClientActor
//!      ├─ PullService ─────────────────────────────────────────────┘
//!      ├─ SendBackService, EndTransactionService ─ read in the ReadPool, append to CommitLogActor
//!      ├─► TopicActor ─► RegistrationActor ─► name servers
//!      ├─► GroupActor ─► TopicActor
//!      ├─► ClientActor ─► GroupActor, FilterActor
//!      ├─ ConsumeStatsService ─ asks OffsetActor, reads in the ReadPool
//!      ├─ ConsumerService ─ asks ClientActor, OffsetActor and the consumers themselves
//!      ├─► OffsetActor, QueueLockActor, StatsActor, BrokerActor, LookupService
//!      ├─► RetentionActor ─ asks DispatchActor, QueueActors and IndexActor, removes in the ReadPool ─► TopicActor
//!      └─ SlowGroupActor ─ asks OffsetActor, reads in the ReadPool ─► GroupActor
//! ```
//!
//! # Mailboxes
//!
//! None has a capacity, since actix's bounds nothing; what bounds them stands here. A mailbox whose actor is gone makes
//! [`fault::notify`] log an error.
//!
//! | actor | takes | bounded by | when that is used up | after a panic |
//! |---|---|---|---|---|
//! | CommitLogActor | AppendBatch, Synced, Seal, CloseTopics, OpenTopics | the budget of sends in flight; other requests in flight; 1 MiB from each actor that follows a queue | connections are read no further; SYSTEM_BUSY | the broker ends |
//! | DispatchActor | Appended (one at most), OpenQueue, MakeQueue, QueueOf, SettledUpTo, TopicsWithQueues, RemoveTopics, QueuesOf, CleaningOfQueue, QueueCleaned | pulls and other requests in flight | connections are read no further | the broker ends |
//! | QueueActor | Enqueue, Pull, BoundsOf, SnapshotOf, Warmed, Chosen, AwaitGrowth, CloseIdle, Retire, CleaningOf, Cleaned | how far dispatch may be ahead; pulls in flight | dispatch waits | the broker ends |
//! | HoldActor | Park, Wake, Release, ConnectionClosed | pulls in flight; parked ones by `HoldLimits` | SYSTEM_BUSY | restarts empty, parked pulls are answered |
//! | FlushActor | AwaitSync (two at most), QueueDirty, IndexDirty, SyncNow, SyncQueues, CloseStore | queues, index files | – | the broker ends |
//! | ScheduleActor (one per delay level) | NextOf; follows its queue by itself | one turn at a time: 256 messages, 1 MiB | its queue grows | restarts with its offset |
//! | TransactionActor | CheckNow; its own timer | one round at a time: 64 copies, 1 MiB | – | restarts with the next round |
//! | TimerActor | PersistTimer; follows its queues by itself | one turn at a time: 256 messages, 1 MiB | its queues grow | begins anew with its queues |
//! | SlowGroupActor | CheckGroups; its own timer | one round at a time | – | restarts |
//! | RetentionActor | Requests, CleanNow, CheckSpace, StopCleaning; its own timers | requests in flight; one round at a time | as of requests | restarts with the next round |
//! | FilterActor | RegisterFilters, UnregisterFilters, PersistFilters | heartbeats in flight | as of requests | restarts with what it published |
//! | DelayOffsetActor | Delivered, LevelsDelivered, PersistDelays, Requests | one from each level at a time | – | restarts with its table |
//! | IndexActor | IndexKeys, IndexSnapshotOf, CurrentFile, DetachExpired | how far dispatch may be ahead | dispatch waits | restarts with its files and what is left to do |
//! | TopicActor | Requests, CreateOnSend, EnsureTopic, MakeTopic, ApplyOrder, SettingsChanged, LogBegins, Persist | requests in flight, per connection and in all | connections are read no further | restarts with what it published |
//! | GroupActor | Requests, FindGroup, EnsureGroup, CreateOnPull, CreateOnSendBack, SwitchOff, Persist | the same | the same | restarts with what it published |
//! | OffsetActor | Requests, Commit, OffsetsOf, StoredOffset, CloneOffsets, ForgetGroup, Persist | the same; pulls in flight | the same | restarts with its table |
//! | ClientActor | Requests, PeerClosed, AskProducer, ProducerOf, ConsumersOf | the same; connections | the same | restarts with the clients that it knows |
//! | QueueLockActor, BrokerActor | Requests | the same | the same | restart with what they know |
//! | StatsActor | PutCounted, GotCounted, SentBack, Requests, RuntimeFigures, GroupRates | one a second from dispatch and from each queue that is pulled from; requests in flight | as of requests | restarts with its counters |
//! | RegistrationActor | TopicsChanged, Register, RegisterNow, Unregister | changes of topics; those that come together are one | – | restarts, registers again |
//! | NamesrvActor | Requests, PeerClosed | requests in flight, per connection and in all | connections are read no further | restarts, brokers register again |
//! | an application's hook | `Told` (one at most), which leads to 65,536 events at most | what it has not taken yet | further events are lost and counted | told nothing more |

pub mod append_answer;
pub mod arbiters;
mod backlog;
pub mod broker;
pub mod broker_actor;
pub mod builder;
pub mod client_actor;
pub mod commitlog_actor;
mod config_writer;
mod consume_stats_service;
mod consumer_service;
pub mod delay_offset_actor;
pub mod dispatch_actor;
pub mod dispatch_cleaning;
mod dispatch_removal;
mod dispatch_rows;
mod doorbell;
mod end_transaction_service;
pub mod extensions;
pub mod fault;
pub mod filter_actor;
pub mod flush_actor;
pub mod group_actor;
pub mod hold_actor;
pub mod hooks;
pub mod index_actor;
mod late;
pub mod live;
pub mod local_cluster;
mod lookup_service;
pub mod namesrv;
pub mod namesrv_actor;
pub mod offset_actor;
pub mod open_queues;
pub mod options;
mod preparer;
pub mod published;
pub mod pull_reply;
pub mod pull_service;
pub mod queue_actor;
pub mod queue_directory;
pub mod queue_lock_actor;
pub mod read_pool;
mod recovery_lines;
pub mod registration_actor;
mod reply_service;
pub mod requests;
pub mod retention_actor;
pub mod runtime_info;
pub mod schedule_actor;
mod send_back_service;
pub mod send_reply;
pub mod send_service;
pub mod slow_group_actor;
pub mod stats_actor;
mod store_reads;
mod tables;
pub mod timer_actor;
pub mod topic_actor;
pub mod transaction_actor;
pub mod waiting_messages;
mod wiring;
