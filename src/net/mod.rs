//! Framed TCP: frames in, replies out, permits for both, and a table that says who takes which request code.
//!
//! Nothing here knows what a request means. `actors/` fills the [`router::Router`] and answers through [`reply::ReplyTo`].
//!
//! ```text
//!  socket ──► reader task ── frames ──► router ── one batch per lane and read ──► Service
//!                 ▲ permits                                                         │
//!  socket ◄── writer task ◄── acks (buffer) + bulk (sources, 64 KB steps) ◄── ReplyTo
//! ```

pub mod budget;
pub mod bulk;
pub mod connection;
mod intake;
pub mod listener;
pub mod peer;
pub mod reply;
pub mod router;
