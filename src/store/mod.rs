//! The log, its queues and its index on the disk, in the bytes of Apache RocketMQ 4.9.7.
//!
//! ```text
//!   CommitLog (one writer) ──append, publish──► segments ◄──copy, slice, cursor── LogView (any reader)
//!        │                                         ▲
//!   Positions: written, visible, synced         LogFlush, Preparation, Populator (threads of the caller)
//!
//!   RecordCursor ─► dispatch ─► ConsumeQueue (one owner each), Index (one owner)
//!   open ─► recovery ─► OpenStore: all of these, in step with each other
//!   OfflineStore: a store that nobody has open, looked at, judged and repaired
//! ```
//!
//! What is deliberately absent: threads, async, clocks (times are arguments), and the decision what a producer is
//! promised.

pub mod appender;
pub mod census;
pub mod checkpoint;
pub mod commitlog;
pub mod config_files;
pub mod consumequeue;
pub mod deleted_topics;
pub mod disk;
pub mod dispatch;
pub mod durable;
pub mod error;
mod file_disk;
pub mod flush;
pub mod flusher;
pub mod index;
pub mod layout;
pub mod lock;
mod log_damage;
mod log_files;
mod lost_entries;
pub mod offline;
pub mod offset_table;
pub mod open;
pub mod positions;
pub mod preparation;
pub mod puts;
pub mod queue_ext;
mod queue_file;
pub mod queue_sync;
pub mod queues;
pub mod recovery;
mod replay;
pub mod retention;
pub mod segment;
pub mod segments;
pub mod state;
pub mod timer_files;
pub mod view;

pub use appender::{Appender, MappedAppender, StagedAppender};
pub use census::Census;
pub use checkpoint::Checkpoint;
pub use commitlog::{CommitLog, Placed};
pub use consumequeue::{Beginning, ConsumeQueue, Placement, QueueCleaning, QueueEntry, QueueRead, QueueSnapshot};
pub use deleted_topics::DeletedTopics;
pub use disk::{Disk, FileDisk, SharedDisk};
pub use durable::{CloseParts, Durable};
pub use error::StoreError;
pub use flush::{LogFlush, Synced};
pub use flusher::{Flusher, Settled};
pub use index::{DetachedFiles, Index, IndexSnapshot, IndexSync};
pub use layout::StoreOptions;
pub use offline::{OfflineError, OfflineStore};
pub use open::{OpenStore, Report, open, open_with};
pub use positions::Positions;
pub use preparation::{Populator, Preparation};
pub use puts::{NewMessage, PutBatch, PutRef};
pub use queue_ext::{Extension, Unit, UnitAddress, UnitReader};
pub use queue_sync::QueueSync;
pub use queues::{DetachedTopic, Queues};
pub use recovery::{Damaged, Progress};
pub use replay::BitMaps;
pub use timer_files::{TimerFiles, TimerRow};
pub use view::{LogView, RecordCursor, Unreadable};
