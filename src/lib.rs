//! FerroMQ: Apache RocketMQ's NameServer, Broker and client as a library of actix actors.
//!
//! # Map
//!
//! An arrow only ever points downwards; `tests/tidy.rs` holds the crate to it.
//!
//! ```text
//! main, cli ─► actors, admin ─► client ─► net, broker, namesrv ─► store ─► protocol ─► time, properties_file
//! ```
//!
//! | module | what it is | what is absent from it |
//! |---|---|---|
//! | [`time`] | the clock as an argument | – |
//! | [`properties_file`] | RocketMQ's properties files: typed settings, errors with lines | files: text in, values out |
//! | [`protocol`] | bytes to values and back | I/O, clocks, actors |
//! | [`store`] | log, queues, index, recovery | async, threads, sockets |
//! | [`broker`], [`namesrv`] | what to do: state and input in, decision out | sockets, files, sleeping |
//! | [`net`] | framed TCP, permits, replies, routing by code | knowledge of any one request |
//! | [`actors`] | mailboxes, order, wiring, timers | anything a unit test would want to call |
//! | [`client`] | producer and consumer over the same wire | – |
//! | [`admin`] | every request of administrators, as a function | actors; words for people |
//! | [`cli`] | the commands of the binary | decisions: it reads arguments and starts actors |

// A future is as large as all that it may ever have to wait for, and moved as a whole when it is spawned: what is seldom waited
// for goes into a box. `clippy.toml` has the size. Tests, which hold settings of brokers, may be larger.
#![warn(clippy::large_futures)]

pub mod actors;
pub mod admin;
pub mod broker;
pub mod cli;
pub mod client;
pub mod namesrv;
pub mod net;
pub mod properties_file;
pub mod protocol;
pub mod store;
pub mod time;
