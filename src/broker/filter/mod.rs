//! Which messages of a queue a consumer wants.

mod tag;

pub use tag::TagFilter;
