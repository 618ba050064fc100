//! The brokers that a command is for.

use clap::Args;

use crate::admin::Brokers;

/// One broker, or those of a cluster.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// The broker at this address, as host:port.
    #[arg(short = 'b', long, value_name = "ADDRESS")]
    broker_addr: Option<String>,
    /// The brokers of this cluster.
    #[arg(short = 'c', long, alias = "cluster", value_name = "NAME")]
    cluster_name: Option<String>,
}

impl Target {
    pub(super) fn brokers(&self) -> Brokers {
        match (&self.broker_addr, &self.cluster_name) {
            (Some(address), _) => Brokers::At(address.clone()),
            (None, Some(cluster)) => Brokers::OfCluster(cluster.clone()),
            (None, None) => Brokers::All,
        }
    }

    /// The cluster that was named.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.cluster_name.as_deref()
    }
}

/// The brokers of a target that may be left out: all of them then.
pub(super) fn brokers_or_all(target: Option<&Target>) -> Brokers {
    target.map_or(Brokers::All, Target::brokers)
}
