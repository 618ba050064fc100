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
    /// Name servers cannot be asked, or know no such cluster.
    pub async fn masters(&self, brokers: &Brokers) -> Result<Vec<String>, AdminError> {
        self.addresses(brokers, |broker| broker.id == MASTER_ID).await
    }

    /// The same of masters and slaves.
    ///
    /// # Errors
    /// As [`Admin::masters`].
    pub async fn masters_and_slaves(&self, brokers: &Brokers) -> Result<Vec<String>, AdminError> {
        self.addresses(brokers, |_| true).await
    }

    async fn addresses(
        &self,
        brokers: &Brokers,
        choose: impl Fn(&BrokerAt) -> bool,
    ) -> Result<Vec<String>, AdminError> {
        if let Brokers::At(address) = brokers {
            return Ok(vec![address.clone()]);
        }
        let info = self.cluster_info().await?;
        let found = match brokers {
            Brokers::OfCluster(name) => of_cluster(&info, name)?,
            _ => all(&info),
        };
        Ok(found.into_iter().filter(choose).map(|broker| broker.address).collect())
    }

    /// The master of the set of this name.
    ///
    /// # Errors
    /// Name servers cannot be asked, or know no such master.
    pub async fn master_named(&self, name: &str) -> Result<String, AdminError> {
        let info = self.cluster_info().await?;
        let found = info.broker_addr_table.get(name).and_then(|set| set.broker_addrs.get(&MASTER_ID));
        let known = || info.broker_addr_table.keys().cloned().collect();
        found.cloned().ok_or_else(|| AdminError::UnknownBroker { name: name.into(), known: known() })
    }

    /// The masters that hold a topic.
    ///
    /// # Errors
    /// Name servers cannot be asked, or know no such topic.
    pub async fn masters_of_topic(&self, topic: &Topic) -> Result<Vec<BrokerAt>, ClientError> {
        Ok(masters_of(&self.routes().of(topic).await?))
    }

    /// The masters that know a consumer group: those that hold its retry topic.
    ///
    /// # Errors
    /// As [`Admin::masters_of_topic`].
    pub async fn masters_of_group(&self, group: &GroupName) -> Result<Vec<BrokerAt>, ClientError> {
        self.masters_of_topic(&Topic::retry_of(group)?).await
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

/// The masters of a route, in the order of their names.
fn masters_of(route: &TopicRouteData) -> Vec<BrokerAt> {
    let masters: BTreeSet<BrokerAt> =
        route.broker_datas.iter().flat_map(of_set).filter(|broker| broker.id == MASTER_ID).collect();
    masters.into_iter().collect()
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
        let broker_datas = info().broker_addr_table.into_values().rev().collect();
        let route = TopicRouteData { broker_datas, ..TopicRouteData::default() };
        let names: Vec<_> = masters_of(&route).into_iter().map(|broker| broker.name).collect();
        assert_eq!(names, ["a", "c"]);
    }
}
