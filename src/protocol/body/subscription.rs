//! What a consumer group wants of one topic.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::plain_body;

/// Expression type of a subscription by tags.
pub const EXPRESSION_TAG: &str = "TAG";
/// Expression type of a subscription by an SQL92 condition on properties.
pub const EXPRESSION_SQL92: &str = "SQL92";
/// The expression that takes every message.
pub const SUBSCRIBE_ALL: &str = "*";

/// What stands between the tags of an expression.
pub const TAG_SEPARATOR: &str = "||";

/// A group's subscription of a topic.
///
/// # Units
/// `sub_version`: the consumer's clock in milliseconds when it last changed the subscription; larger is newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionData {
    /// Filtering by an uploaded class, which no version still in use does.
    pub class_filter_mode: bool,
    /// Java hash codes of the tags, to compare queue entries with.
    pub code_set: BTreeSet<i32>,
    /// [`EXPRESSION_TAG`] or [`EXPRESSION_SQL92`].
    pub expression_type: String,
    /// The expression: `*`, `TagA || TagB`, or a condition.
    pub sub_string: String,
    /// When the consumer last changed it.
    pub sub_version: i64,
    /// The tags.
    pub tags_set: BTreeSet<String>,
    /// The topic.
    pub topic: String,
}

/// The tags of an expression as `TagA || TagB`, whatever is blank left out.
pub fn tags_of(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(TAG_SEPARATOR).map(str::trim).filter(|tag| !tag.is_empty())
}

impl SubscriptionData {
    /// Whether messages are chosen by tags; a missing type means that.
    #[must_use]
    pub fn is_by_tag(&self) -> bool {
        self.expression_type.is_empty() || self.expression_type == EXPRESSION_TAG
    }

    /// Whether every message is wanted.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.is_by_tag() && (self.sub_string == SUBSCRIBE_ALL || self.sub_string.is_empty())
    }
}

impl Default for SubscriptionData {
    fn default() -> Self {
        Self {
            class_filter_mode: false,
            code_set: BTreeSet::new(),
            expression_type: EXPRESSION_TAG.into(),
            sub_string: String::new(),
            sub_version: 0,
            tags_set: BTreeSet::new(),
            topic: String::new(),
        }
    }
}

/// Request of CHECK_CLIENT_CONFIG: may this client subscribe like this?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CheckClientRequestBody {
    /// The client that asks.
    pub client_id: String,
    /// Its consumer group.
    pub group: String,
    /// What it wants to subscribe.
    pub subscription_data: SubscriptionData,
}

plain_body!(SubscriptionData, CheckClientRequestBody);
