//! What the name server does: who is where, and a small table of texts.
//!
//! Name servers know nothing of each other; brokers tell every one of them. Only the key-value table outlives the
//! process, and the text of its file is returned for somebody else to write.

pub mod config;
pub mod kv_config;
pub mod route_table;
