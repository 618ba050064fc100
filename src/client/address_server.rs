//! Asks an address server: somebody who knows, by plain HTTP, which name servers there are.

use std::time::Duration;

/// Longest answer that is read: hundreds of addresses.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// The only status that comes with an answer.
const OK: u16 = 200;

/// Why an address server has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// It cannot be reached, says no HTTP, or takes too long or too much room for its answer.
    #[error(transparent)]
    Http(#[from] ureq::Error),
    /// It has none for this question.
    #[error("it answers with status {status}")]
    Status {
        /// Its status.
        status: u16,
    },
}

/// What an address server answers, within `limit` from name resolution to the last byte. Blocks its thread for so long.
///
/// Proxies that the environment names are passed by, as RocketMQ does: who an address server is decides where all messages
/// go.
///
/// # Errors
/// See [`FetchError`].
pub(crate) fn fetch(url: &str, limit: Duration) -> Result<String, FetchError> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("ferromq/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = config.new_agent().get(url).call()?;
    match response.status().as_u16() {
        OK => Ok(response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string()?),
        status => Err(FetchError::Status { status }),
    }
}
