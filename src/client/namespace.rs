//! Names of topics and groups within a namespace: several applications share a cluster without knowing of each other's names.

use std::borrow::Cow;

use crate::broker::topics::is_reserved_topic;
use crate::protocol::names::{self, DEAD_LETTER_PREFIX, NameError, RETRY_PREFIX};

/// What groups of the cluster's own begin with.
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

/// A namespace, or none.
///
/// In the cluster a name is `namespace%name`, behind what marks a retry or dead-letter topic; names that are the cluster's own
/// stay what they are.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.NamespaceUtil` 4.9.7 (read); results compared with those of the class.
///
/// # Example
/// ```
/// use ferromq::client::namespace::Namespace;
///
/// let test = Namespace::new("test")?;
/// assert_eq!(test.qualified("Invoices"), "test%Invoices");
/// assert_eq!(test.stripped("%RETRY%test%bookkeeping"), "%RETRY%bookkeeping");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// The name with the `%` behind it; empty for none.
    prefix: String,
}

impl Namespace {
    /// The namespace of this name; an empty one is none.
    ///
    /// # Errors
    /// The name holds what neither topics nor groups may.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        names::check_topic(name)?;
        Ok(Self { prefix: format!("{name}%") })
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.prefix.is_empty()
    }

    /// What the cluster calls a topic or group that is called `name` here. A name that is in the namespace already stays what
    /// it is.
    #[must_use]
    pub fn qualified<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let (mark, bare) = split_mark(name);
        if self.prefix.is_empty() || is_system(name) || bare.starts_with(&self.prefix) {
            return name.into();
        }
        format!("{mark}{}{bare}", self.prefix).into()
    }

    /// What a topic or group of the cluster is called here.
    #[must_use]
    pub fn stripped<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let (mark, bare) = split_mark(name);
        match bare.strip_prefix(&self.prefix).filter(|_| !self.prefix.is_empty() && !is_system(name)) {
            Some(own) if mark.is_empty() => own.into(),
            Some(own) => format!("{mark}{own}").into(),
            None => name.into(),
        }
    }
}

fn is_system(name: &str) -> bool {
    is_reserved_topic(name) || name.starts_with(SYSTEM_GROUP_PREFIX)
}

/// What marks a retry or dead-letter topic, and the rest.
fn split_mark(name: &str) -> (&str, &str) {
    let marked = [RETRY_PREFIX, DEAD_LETTER_PREFIX].into_iter().find_map(|mark| Some((mark, name.strip_prefix(mark)?)));
    marked.unwrap_or(("", name))
}
