//! Placeholder of codes.
