//! Who may do what at a broker.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plain_body;

/// One account.
///
/// # Source
/// `org.apache.rocketmq.common.PlainAccessConfig` 4.9.7 (read).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccessConfig {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// Whether it may change topics, groups and settings.
    pub admin: bool,
    /// What it may do with groups that are not named: `DENY`, `PUB`, `SUB` or `PUB|SUB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_group_perm: Option<String>,
    /// The same of topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_topic_perm: Option<String>,
    /// What it may do with groups, each as `group=SUB`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_perms: Vec<String>,
    /// What it shares with brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
    /// What it may do with topics, each as `topic=PUB|SUB`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topic_perms: Vec<String>,
    /// Where it may come from without a signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub white_remote_address: Option<String>,
}

/// Without the secret, which has no place in a log.
impl fmt::Debug for AccessConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessConfig")
            .field("access_key", &self.access_key)
            .field("admin", &self.admin)
            .field("default_group_perm", &self.default_group_perm)
            .field("default_topic_perm", &self.default_topic_perm)
            .field("group_perms", &self.group_perms)
            .field("topic_perms", &self.topic_perms)
            .field("white_remote_address", &self.white_remote_address)
            .finish_non_exhaustive()
    }
}

/// Answer of GET_BROKER_CLUSTER_ACL_CONFIG: what all files of a broker say.
///
/// # Source
/// `org.apache.rocketmq.common.protocol.header.GetBrokerClusterAclConfigResponseBody` 4.9.7 (read).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AclConfig {
    /// Addresses that need no account.
    pub global_white_addrs: Vec<String>,
    /// The accounts.
    pub plain_access_configs: Vec<AccessConfig>,
}

plain_body!(AclConfig);
