//! Placeholder of frame.
