//! What a consumer wants of a topic: as it says so, as brokers are told, and as it is looked at once more here.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::protocol::body::subscription::{EXPRESSION_SQL92, EXPRESSION_TAG, SUBSCRIBE_ALL, SubscriptionData, tags_of};
use crate::protocol::codes::response;
use crate::protocol::message::Message;
use crate::protocol::names::Topic;
use crate::protocol::properties::java_hash;

/// Why an expression is none.
///
/// # Example
/// ```
/// use ferromq::client::Wanted;
/// use ferromq::client::subscription::SubscriptionError;
/// use ferromq::protocol::names::Topic;
///
/// let topic = Topic::parse("Invoices")?;
/// let advice = |wanted: Wanted| match wanted.subscription(&topic, 0) {
///     Ok(_) => "fine",
///     Err(SubscriptionError::NoTag(_)) => "choose a tag",
///     Err(SubscriptionError::BlankCondition) => "write a condition",
///     Err(_) => "look at the message",
/// };
/// assert_eq!(advice(Wanted::Tags("new || changed".into())), "fine");
/// assert_eq!(advice(Wanted::Tags("||".into())), "choose a tag");
/// assert_eq!(advice(Wanted::Condition(" ".into())), "write a condition");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// Separators, and nothing between them: no message would come.
    #[error("the expression {0:?} names no tag: write tags with || between them, or * for all messages")]
    NoTag(String),
    /// A condition of blanks.
    #[error("a condition says which messages are wanted, as in \"amount > 100\": this one is blank")]
    BlankCondition,
}

/// Which messages of a topic are wanted.
///
/// # Example
/// ```
/// use ferromq::client::Wanted;
/// use ferromq::protocol::names::Topic;
///
/// let topic = Topic::parse("Invoices")?;
/// let subscription = Wanted::Tags("new || changed".into()).subscription(&topic, 0)?;
/// assert_eq!(subscription.tags_set.len(), 2);
/// assert!(Wanted::Tags(" || ".into()).subscription(&topic, 0).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Every one.
    #[default]
    All,
    /// Those with one of the tags of an expression as `TagA || TagB`; `*` and an empty one are all.
    Tags(String),
    /// Those whose properties meet an SQL92 condition; brokers have to allow that with `enablePropertyFilter`.
    Condition(String),
}

impl Wanted {
    /// As brokers are told, the subscription having been changed last at `version_ms` of the client's clock, in milliseconds
    /// since the epoch.
    ///
    /// # Errors
    /// Nothing could ever be meant by it.
    ///
    /// # Source
    /// `org.apache.rocketmq.common.filter.FilterAPI` 4.9.7 (read), which takes an expression of blanks between separators for
    /// one that no message meets.
    pub fn subscription(&self, topic: &Topic, version_ms: i64) -> Result<SubscriptionData, SubscriptionError> {
        let data = SubscriptionData {
            sub_string: SUBSCRIBE_ALL.into(),
            sub_version: version_ms,
            topic: topic.to_string(),
            ..SubscriptionData::default()
        };
        match self {
            Self::Tags(expression) if !expression.is_empty() && expression != SUBSCRIBE_ALL => {
                let tags_set: BTreeSet<String> = tags_of(expression).map(Into::into).collect();
                if tags_set.is_empty() {
                    return Err(SubscriptionError::NoTag(expression.clone()));
                }
                let code_set = tags_set.iter().map(|tag| java_hash(tag)).collect();
                Ok(SubscriptionData { sub_string: expression.clone(), tags_set, code_set, ..data })
            }
            Self::All | Self::Tags(_) => Ok(data),
            Self::Condition(condition) if condition.trim().is_empty() => Err(SubscriptionError::BlankCondition),
            Self::Condition(condition) => {
                Ok(SubscriptionData { sub_string: condition.clone(), expression_type: EXPRESSION_SQL92.into(), ..data })
            }
        }
    }
}

/// Whether a message that a broker has sent is wanted: it goes by hashes of tags, which two tags may share.
#[must_use]
pub fn wants(subscription: &SubscriptionData, message: &Message) -> bool {
    subscription.expression_type != EXPRESSION_TAG
        || subscription.tags_set.is_empty()
        || message.tags().is_some_and(|tags| subscription.tags_set.contains(tags))
}

/// Notices that members of a group want different things: brokers go by what the last heartbeat said, and refuse the pulls of
/// members that want something else, until their next heartbeat.
#[derive(Debug, Default)]
pub(super) struct Disagreement {
    refused: u32,
}

impl Disagreement {
    /// So many refusals one after the other are more than a broker that is yet to hear of a new subscription.
    const TOLD_AT: u32 = 3;
    /// It is told again after so many more.
    const TOLD_EVERY: u32 = 60;

    /// Takes in how a pull ended; gives whether it should be told.
    pub(super) fn is_told_after(&mut self, refusal: Option<i32>) -> bool {
        const OF_SUBSCRIPTION: [i32; 2] = [response::SUBSCRIPTION_NOT_EXIST, response::SUBSCRIPTION_NOT_LATEST];
        let is_meant = refusal.is_some_and(|code| OF_SUBSCRIPTION.contains(&code));
        self.refused = if is_meant { self.refused.wrapping_add(1) } else { 0 };
        self.refused % Self::TOLD_EVERY == Self::TOLD_AT
    }
}
