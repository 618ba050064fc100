//! Which messages of a queue a consumer wants: by tag, or by a condition on their properties.
//!
//! Tags are compared by the queue entry alone. A condition needs the record, unless the bit map beside the entry says that
//! it would not pass.

mod bloom;
mod choice;
mod consumer_filters;
mod sql;
mod tag;

pub use bloom::{BloomFilter, GroupBits};
pub use choice::Filter;
pub use consumer_filters::{ConsumerFilter, ConsumerFilterError, ConsumerFilters, NotLoaded};
pub use sql::{DEPTH_MAX, NODES_MAX, Position, SqlError, SqlFilter, TEXT_BYTES_MAX};
pub use tag::TagFilter;
