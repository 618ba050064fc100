//! Which clusters there are, and which brokers in them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plain_body;
use super::route::BrokerData;

/// Answer of GET_BROKER_CLUSTER_INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterInfo {
    /// Every set of brokers by name.
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// The names of a cluster's sets.
    pub cluster_addr_table: BTreeMap<String, BTreeSet<String>>,
}

plain_body!(ClusterInfo);
