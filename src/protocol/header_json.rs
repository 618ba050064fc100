//! Placeholder of header_json.
