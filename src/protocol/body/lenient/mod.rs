//! Reads the JSON that RocketMQ's peers really send.
//!
//! Strict JSON of the right shape goes straight through serde_json. Only what fails there is read again with the
//! indulgence of the reference's parser, in two steps that keep memory in proportion to the text:
//!
//! ```text
//! {{"queueId":0}:"5",1:null} ── dialect ──► {"{\"queueId\":0}":"5"} ── coerce ──► i64 5
//! ```
//!
//! - `dialect` rewrites the text: quotes bare keys, turns object keys into texts, drops members that are `null`
//!   (so that they read as absent);
//! - `coerce` makes numbers of texts, texts of numbers, and enumeration members of their ordinals.
//!
//! `{"$ref":…}` (the reference's mark for an object it has written before) is tolerated where it stands for a structure
//! or a list, which then has its defaults; it is not followed.

mod coerce;
mod dialect;

use serde::de::DeserializeOwned;

use super::BodyError;

/// Reads `bytes` as strict JSON, or failing that as fastjson's dialect.
///
/// # Errors
/// Tells what fits neither. Any bytes are an error at worst, never a panic.
///
/// # Source
/// What peers send: `spec/bodies.md` 1.2 and 1.4, measured with the decoders of Java 4.7.1 to 5.3.3, Go and Node.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Java replaces what is not UTF-8, so such a body is odd but not unreadable.
    let text = String::from_utf8_lossy(bytes);
    let strict = dialect::rewrite(&text)?;
    coerce::from_strict(&strict).map_err(|error| BodyError::Shape { body: type_name::<T>(), reason: error.to_string() })
}

/// The last part of a type's path: `HeartbeatData`, not where it lives.
fn type_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
