//! updateOrderConf, and what else keeps the name servers' word on ordered topics: `broker-a:4;broker-b:4`, which says how many
//! queues each broker has for good.

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::page::{Page, Rows, row};
use super::{Context, Usage};
use crate::admin::{Admin, AdminError};
use crate::namesrv::kv_config::ORDER_TOPIC_CONFIG;
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::names::Topic;

/// Set, show or delete which queues an ordered topic has.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateOrderConfArgs {
    /// The topic.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
    /// What to do.
    #[arg(short, long)]
    method: Method,
    /// The queues, as broker-a:4;broker-b:4.
    #[arg(short = 'v', long, value_name = "QUEUES", required_if_eq("method", "put"), value_parser = well_formed)]
    order_conf: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Set it.
    Put,
    /// Show it.
    Get,
    /// Delete it.
    Delete,
}

impl UpdateOrderConfArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let (admin, topic) = (&context.admin, self.topic.as_str());
        let conf = match self.method {
            Method::Put => {
                let conf = self.order_conf.clone().unwrap_or_default();
                admin.put_kv(ORDER_TOPIC_CONFIG, topic, &conf).await?;
                Some(conf)
            }
            Method::Get => {
                let conf = admin.kv(ORDER_TOPIC_CONFIG, topic).await?;
                Some(conf.with_context(|| format!("no order is configured for topic {topic}"))?)
            }
            Method::Delete => {
                admin.delete_kv(ORDER_TOPIC_CONFIG, topic).await?;
                None
            }
        };
        let mut rows = Rows::new(&["topic", "orderConf"]);
        rows.add(row![topic, conf]);
        Ok(rows.into())
    }
}

/// The names of the sets that brokers belong to, by which their queues are noted.
///
/// # Errors
/// Name servers do not know one of the addresses, though a broker may be there: nothing could be noted of its queues.
pub(super) async fn sets_of(admin: &Admin, brokers: &[String]) -> Result<Vec<String>, AdminError> {
    let info = admin.cluster_info().await?;
    let sets = || info.broker_addr_table.values();
    let set_of = |address: &String| {
        let set = sets().find(|set| set.broker_addrs.values().any(|known| known == address));
        let known = || sets().filter_map(|set| set.broker_addrs.get(&MASTER_ID).cloned()).collect();
        set.map(|set| set.broker_name.clone())
            .ok_or_else(|| AdminError::UnknownBroker { name: address.clone(), known: known() })
    };
    brokers.iter().map(set_of).collect()
}

/// Notes that a topic has so many queues at each of some sets, whatever is noted of others.
pub(super) async fn keep(admin: &Admin, topic: &Topic, sets: &[String], queues: u32) -> Result<(), AdminError> {
    let known = admin.kv(ORDER_TOPIC_CONFIG, topic.as_str()).await?.unwrap_or_default();
    Ok(admin.put_kv(ORDER_TOPIC_CONFIG, topic.as_str(), &merged(&known, sets, queues)).await?)
}

/// Takes back what is noted of a topic at some sets, whatever is noted of others.
pub(super) async fn forget(admin: &Admin, topic: &Topic, sets: &[String]) -> Result<(), AdminError> {
    let known = admin.kv(ORDER_TOPIC_CONFIG, topic.as_str()).await?.unwrap_or_default();
    let left = of_others(&known, sets).collect::<Vec<_>>().join(";");
    if left.is_empty() {
        admin.delete_kv(ORDER_TOPIC_CONFIG, topic.as_str()).await?;
    } else {
        admin.put_kv(ORDER_TOPIC_CONFIG, topic.as_str(), &left).await?;
    }
    Ok(())
}

fn merged(known: &str, sets: &[String], queues: u32) -> String {
    let others = of_others(known, sets).map(str::to_owned);
    let mut parts: Vec<String> = others.chain(sets.iter().map(|set| format!("{set}:{queues}"))).collect();
    parts.sort();
    parts.join(";")
}

/// The parts of what is noted that are of none of the sets.
fn of_others<'a>(known: &'a str, sets: &'a [String]) -> impl Iterator<Item = &'a str> {
    let set_of = |part: &'a str| part.split(':').next().unwrap_or_default();
    known.split(';').filter(move |part| !part.is_empty() && !sets.iter().any(|set| set == set_of(part)))
}

/// A value that clients can read: they would find no queue in any other.
fn well_formed(text: &str) -> Result<String, Usage> {
    let is_part =
        |part: &str| part.split_once(':').is_some_and(|(name, count)| !name.is_empty() && count.parse::<u32>().is_ok());
    if text.split(';').all(is_part) { Ok(text.into()) } else { Err(Usage("expected broker-a:4;broker-b:4".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_of_other_brokers_stays() {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        assert_eq!(merged("", std::slice::from_ref(&a), 4), "a:4");
        assert_eq!(merged("b:8;a:2", std::slice::from_ref(&a), 4), "a:4;b:8");
        assert_eq!(merged("a:2;", &[a.clone(), b], 4), "a:4;b:4");
        assert_eq!(of_others("ab:1;a:2;;c:3", &[a]).collect::<Vec<_>>(), ["ab:1", "c:3"]);
    }

    #[test]
    fn an_order_names_brokers_and_numbers() {
        assert!(well_formed("a:4").is_ok() && well_formed("a:4;b-1:0").is_ok());
        for text in ["", "a", "a:", ":4", "a:4;", "a:-1", "a:4,b:4"] {
            assert!(well_formed(text).is_err(), "{text}");
        }
    }
}
