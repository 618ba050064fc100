//! What can be wrong with a record.

use thiserror::Error;

/// What is no record.
///
/// # Example
/// ```
/// use ferromq::client::TraceRecord;
/// use ferromq::client::trace::TraceError;
///
/// let read = |text: &str| TraceRecord::decode_all(text).expect_err("it is no record");
/// // A client of another day may write what is not known here; what is cut short was damaged.
/// assert_eq!(read("PubAfter\u{1}1\u{2}"), TraceError::Kind("PubAfter".into()));
/// assert!(matches!(read("SubAfter\u{1}C1\u{2}"), TraceError::Fields { found: 2, expected: 6, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A kind that there is not.
    #[error("{0:?} is no kind of trace record")]
    Kind(String),
    /// A record that ends too soon.
    #[error("a trace record {kind} has {found} fields, and needs {expected}")]
    Fields {
        /// Its kind.
        kind: String,
        /// How many it has.
        found: usize,
        /// How many it has at least.
        expected: usize,
    },
    /// A field that says nothing.
    #[error("{text:?} in a trace record is no {wanted}")]
    Value {
        /// What it says.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
}
