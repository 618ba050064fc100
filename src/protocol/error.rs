//! Placeholder of error.
