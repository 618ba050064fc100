//! Placeholder of header_binary.
