//! Which messages of a queue a consumer wants: by tag, or by a condition on their properties.
//!
//! Tags are compared by the queue entry alone. A condition needs the record.

mod sql;
mod tag;

pub use sql::{DEPTH_MAX, NODES_MAX, Position, SqlError, SqlFilter, TEXT_BYTES_MAX};
pub use tag::TagFilter;
