//! Placeholder of compression.
