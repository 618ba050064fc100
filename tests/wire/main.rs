//! Bytes on the wire: what the reference wrote is read as it meant it, and what we write is read back as we meant it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::indexing_slicing, reason = "a failed index is a failed test")]

mod codec_properties;
mod frame_document;
mod framing;
mod headers;
mod headers_that_repeat;
mod pull_sys_flags;
mod recorded_frames;
mod support;
mod typed_headers;
