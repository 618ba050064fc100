//! Framed TCP: frames in, replies out, permits for both, and a table that says who takes which request code.
//!
//! Nothing here knows what a request means. `actors/` fills the [`router::Router`] and answers through [`reply::ReplyTo`].
//!
//! ```text
//!  socket ──► reader task ── frames ──► router ── one batch per lane and read ──► Batch, Service
//!                 ▲ permits                              │ lines opened                │
//!                 │                                    Ledger ◄── lines struck ──┐     ▼
//!  socket ◄── writer task ◄── acks (buffer) + bulk (sources, 64 KB steps) ◄── Replies, ReplyTo
//! ```

pub mod budget;
pub mod bulk;
pub mod connection;
pub mod exchange;
mod intake;
mod ledger;
pub mod listener;
pub mod mailbox;
pub mod peer;
pub mod reply;
pub mod router;
pub mod terms;
mod writer;
