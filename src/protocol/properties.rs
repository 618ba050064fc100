//! Placeholder of properties.
