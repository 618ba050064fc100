//! Which brokers something is asked of: one by its address, those of a cluster, those that hold a topic.

use std::collections::BTreeSet;

use super::{Admin, AdminError};
use crate::client::ClientError;
use crate::protocol::body::cluster::ClusterInfo;
use crate::protocol::body::route::{BrokerData, MASTER_ID, TopicRouteData};
use crate::protocol::names::{GroupName, Topic};

/// Some brokers.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::{Admin, Brokers};
///
/// let admin = Admin::new(&name_servers)?;
/// let registered = admin.masters(&Brokers::OfCluster("DefaultCluster".into())).await?;
/// assert_eq!(registered, [cluster.broker().to_string()]);
/// assert_eq!(admin.masters(&Brokers::All).await?, registered);
/// // One that is named by its address need not be registered anywhere.
/// assert_eq!(admin.masters(&Brokers::At("10.0.0.1:10911".into())).await?, ["10.0.0.1:10911"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brokers {
    /// The one at an address, whether or not name servers know it.
    At(String),
    /// Those of a cluster.
    OfCluster(String),
    /// Every one.
    All,
}

/// A broker that name servers know.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::admin::{Admin, BrokerAt, of_cluster};
///
/// let info = Admin::new(&name_servers)?.cluster_info().await?;
/// let [BrokerAt { id, address, .. }] = &of_cluster(&info, "DefaultCluster")?[..] else { panic!("{info:?}") };
/// assert_eq!((*id, address), (0, &cluster.broker().to_string()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokerAt {
    /// The set of master and slaves that it belongs to.
    pub name: String,
    /// 0 for the master.
    pub id: i64,
    /// `host:port`.
    pub address: String,
}

impl Admin {
    /// The addresses of the masters among brokers, in the order of their names.
    ///
    /// # Errors
    /// Name servers cannot be asked, know no such cluster, or no master of it.
    pub async fn masters(&self, brokers: &Brokers) -> Result<Vec<String>, AdminError> {
        let (found, whose) = match brokers {
            Brokers::At(address) => return Ok(vec![address.clone()]),
            Brokers::OfCluster(name) => (of_cluster(&self.cluster_info().await?, name)?, format!("cluster {name:?}")),
            Brokers::All => (all(&self.cluster_info().await?), "the whole deployment".into()),
        };
        masters_among(found, whose).map(addresses)
    }

    /// The same of masters and slaves.
    ///
    /// # Errors
    /// Name servers cannot be asked, or know no such cluster.
    pub async fn masters_and_slaves(&self, brokers: &Brokers) -> Result<Vec<String>, AdminError> {
        match brokers {
            Brokers::At(address) => Ok(vec![address.clone()]),
            Brokers::OfCluster(name) => of_cluster(&self.cluster_info().await?, name).map(addresses),
            Brokers::All => Ok(addresses(all(&self.cluster_info().await?))),
        }
    }

    /// The master of the set of this name.
    ///
    /// # Errors
    /// Name servers cannot be asked, know no such set, or no master of it.
    pub async fn master_named(&self, name: &str) -> Result<String, AdminError> {
        master_of_set(&self.cluster_info().await?, name)
    }

    /// The masters that hold a topic. There is at least one.
    ///
    /// # Errors
    /// Name servers cannot be asked, know no such topic, or no master that holds it.
    pub async fn masters_of_topic(&self, topic: &Topic) -> Result<Vec<BrokerAt>, AdminError> {
        masters_among(of_route(&self.routes().of(topic).await?), format!("topic {topic}"))
    }

    /// The masters that know a consumer group: those that hold its retry topic.
    ///
    /// # Errors
    /// As [`Admin::masters_of_topic`].
    pub async fn masters_of_group(&self, group: &GroupName) -> Result<Vec<BrokerAt>, AdminError> {
        self.masters_of_topic(&Topic::retry_of(group).map_err(ClientError::from)?).await
    }
}

/// Every broker of a cluster.
///
/// # Errors
/// There is no such cluster.
pub fn of_cluster(info: &ClusterInfo, name: &str) -> Result<Vec<BrokerAt>, AdminError> {
    let Some(sets) = info.cluster_addr_table.get(name) else {
        let known = info.cluster_addr_table.keys().cloned().collect();
        return Err(AdminError::UnknownCluster { name: name.into(), known });
    };
    Ok(sets.iter().filter_map(|set| info.broker_addr_table.get(set)).flat_map(of_set).collect())
}

fn all(info: &ClusterInfo) -> Vec<BrokerAt> {
    info.broker_addr_table.values().flat_map(of_set).collect()
}

fn of_set(set: &BrokerData) -> impl Iterator<Item = BrokerAt> + use<'_> {
    set.broker_addrs.iter().map(|(id, address)| BrokerAt {
        name: set.broker_name.clone(),
        id: *id,
        address: address.clone(),
    })
}

/// The brokers of a route, in the order of their names.
fn of_route(route: &TopicRouteData) -> Vec<BrokerAt> {
    let brokers: BTreeSet<BrokerAt> = route.broker_datas.iter().flat_map(of_set).collect();
    brokers.into_iter().collect()
}

/// The masters among brokers, of which there is at least one: who goes through none of them would seem to have done something.
fn masters_among(brokers: Vec<BrokerAt>, whose: String) -> Result<Vec<BrokerAt>, AdminError> {
    let (masters, slaves): (Vec<_>, Vec<_>) = brokers.into_iter().partition(|broker| broker.id == MASTER_ID);
    if masters.is_empty() { Err(AdminError::NoMaster { whose, slaves: addresses(slaves) }) } else { Ok(masters) }
}

fn master_of_set(info: &ClusterInfo, name: &str) -> Result<String, AdminError> {
    let master = |set: &BrokerData| set.broker_addrs.get(&MASTER_ID).cloned();
    match info.broker_addr_table.get(name) {
        Some(set) => master(set).ok_or_else(|| AdminError::NoMaster {
            whose: format!("broker {name:?}"),
            slaves: set.broker_addrs.values().cloned().collect(),
        }),
        None => {
            let sets = info.broker_addr_table.iter().filter(|(_, set)| master(set).is_some());
            Err(AdminError::UnknownBroker { name: name.into(), known: sets.map(|(name, _)| name.clone()).collect() })
        }
    }
}

fn addresses(brokers: Vec<BrokerAt>) -> Vec<String> {
    brokers.into_iter().map(|broker| broker.address).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn info() -> ClusterInfo {
        let set = |name: &str, cluster: &str, addresses: &[(i64, &str)]| BrokerData {
            broker_addrs: addresses.iter().map(|(id, address)| (*id, (*address).into())).collect(),
            broker_name: name.into(),
            cluster: cluster.into(),
        };
        let sets = [
            set("a", "one", &[(0, "a:0"), (1, "a:1")]),
            set("b", "one", &[(1, "b:1")]),
            set("c", "two", &[(0, "c:0")]),
        ];
        let mut info = ClusterInfo::default();
        for set in sets {
            info.cluster_addr_table.entry(set.cluster.clone()).or_default().insert(set.broker_name.clone());
            info.broker_addr_table.insert(set.broker_name.clone(), set);
        }
        info
    }

    #[test]
    fn a_cluster_is_its_sets_and_an_unknown_one_is_told_with_those_there_are() {
        let addresses = |name| of_cluster(&info(), name).unwrap().into_iter().map(|broker| broker.address);
        assert_eq!(addresses("one").collect::<Vec<_>>(), ["a:0", "a:1", "b:1"]);
        let error = of_cluster(&info(), "three").unwrap_err().to_string();
        assert_eq!(error, "no cluster \"three\" is known to the name servers; there are: one, two");
    }

    #[test]
    fn the_masters_of_a_route_are_told_once_each() {
        let broker_datas = info().broker_addr_table.into_values().chain(info().broker_addr_table.into_values());
        let route = TopicRouteData { broker_datas: broker_datas.rev().collect(), ..TopicRouteData::default() };
        assert_eq!(addresses(masters_among(of_route(&route), "topic T".into()).unwrap()), ["a:0", "c:0"]);
    }

    #[test]
    fn where_there_is_no_master_there_is_an_error() {
        let slaves = of_cluster(&info(), "one").unwrap().into_iter().filter(|broker| broker.id != MASTER_ID);
        let error = masters_among(slaves.collect(), "cluster \"one\"".into()).unwrap_err().to_string();
        assert_eq!(error, "cluster \"one\" has no master; its slaves: a:1, b:1");
        assert_eq!(master_of_set(&info(), "a").unwrap(), "a:0");
        let error = master_of_set(&info(), "b").unwrap_err().to_string();
        assert_eq!(error, "broker \"b\" has no master; its slaves: b:1");
        let error = master_of_set(&info(), "d").unwrap_err().to_string();
        assert_eq!(error, "no broker \"d\" is known to the name servers; there are: a, c");
    }
}
