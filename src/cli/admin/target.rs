//! The brokers that a command is for.

use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::admin::Brokers;

/// One broker, those of a cluster, or all when none is named.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
#[group(id = TARGET, multiple = false)]
pub(super) struct OptionalTarget {
    /// The broker at this address, as host:port.
    #[arg(short = 'b', long, value_name = "ADDRESS")]
    broker_addr: Option<String>,
    /// The brokers of this cluster.
    #[arg(short = 'c', long = "cluster", value_name = "NAME")]
    cluster_name: Option<String>,
}

/// What clap knows the two options by.
const TARGET: &str = "target";

impl OptionalTarget {
    pub(super) fn brokers(&self) -> Brokers {
        match (&self.broker_addr, &self.cluster_name) {
            (Some(address), _) => Brokers::At(address.clone()),
            (None, Some(cluster)) => Brokers::OfCluster(cluster.clone()),
            (None, None) => Brokers::All,
        }
    }
}

/// The same where one of them must be named, so that nobody changes a whole deployment by an option that was forgotten. mqadmin
/// calls the cluster otherwise there.
#[derive(Clone, Debug)]
pub(super) struct Target(OptionalTarget);

impl Target {
    pub(super) fn brokers(&self) -> Brokers {
        self.0.brokers()
    }

    /// The cluster, if one was named.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.0.cluster_name.as_deref()
    }
}

impl Args for Target {
    fn augment_args(command: Command) -> Command {
        let command = OptionalTarget::augment_args(command).mut_group(TARGET, |group| group.required(true));
        command.mut_arg("cluster_name", |cluster| cluster.long("clusterName"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        OptionalTarget::augment_args_for_update(command)
    }
}

impl FromArgMatches for Target {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        OptionalTarget::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
