//! Bytes to values and back: frames, headers, bodies and messages of RocketMQ's wire protocol.
//!
//! Nothing here reads a socket, a file or a clock, so that every byte of the protocol can be tested from a literal.

pub mod body;
pub mod codes;
pub mod command;
pub mod compression;
pub mod error;
pub mod ext_fields;
pub mod frame;
pub mod header_binary;
pub mod header_json;
mod header_memo;
pub mod headers;
pub mod ids;
pub mod message;
pub mod names;
pub mod properties;
pub mod refusal;
pub mod replies;
pub mod signature;
pub mod sys_flag;
mod text;
pub mod units;
pub mod versions;
mod words;
