//! Placeholder of ids.
