//! Placeholder of message.
