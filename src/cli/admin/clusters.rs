//! clusterList: the brokers of each cluster, and how busy they are.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::page::{Cell, Page, Rows, row};
use crate::admin::of_cluster;

/// List the brokers of each cluster, with how busy they are.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ClusterListArgs {
    /// With how many messages came and went today and yesterday.
    #[arg(short, long)]
    more_stats: bool,
    /// Again and again, with so many seconds between.
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    interval: Option<u64>,
}

impl ClusterListArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let Some(interval) = self.interval else { return self.look(context).await };
        loop {
            self.look(context).await?.print(context.json)?;
            tokio::time::sleep(Duration::from_secs(interval)).await;
        }
    }

    async fn look(&self, context: &Context) -> Result<Page> {
        let info = context.admin.cluster_info().await?;
        let mut rows = Rows::new(if self.more_stats { MORE } else { USUAL });
        for cluster in info.cluster_addr_table.keys() {
            for broker in of_cluster(&info, cluster)? {
                // One that is gone, and that name servers still know, hides none of the others.
                let told = context.admin.runtime_info(&broker.address).await;
                let told = told.inspect_err(|error| tracing::warn!("{error}")).unwrap_or_default();
                let mut row = row![&**cluster, broker.name];
                row.extend(if self.more_stats {
                    today_and_yesterday(&told)
                } else {
                    now(&told, context.clock.now_ms(), broker.id, broker.address)
                });
                rows.add(row);
            }
        }
        Ok(rows.into())
    }
}

const USUAL: &[&str] =
    &["cluster", "broker", "id", "address", "version", "inTps", "outTps", "pageCacheLockMs", "hoursKept", "diskRatio"];

/// What a broker says of this minute. A broker that says nothing has no figures.
fn now(told: &BTreeMap<String, String>, now_ms: i64, id: i64, address: String) -> Vec<Cell> {
    // Rates over ten seconds, a minute, ten minutes and a longer time; the first is looked at.
    let rate = |key| number::<f64>(told, key);
    let oldest = number::<i64>(told, "earliestMessageTimeStamp").filter(|time| *time > 0);
    let hours = oldest.map(|oldest| (now_ms - oldest).max(0) as f64 / 3_600_000.0);
    row![
        id,
        address,
        told.get("brokerVersionDesc").cloned(),
        rate("putTps"),
        rate("getTransferedTps"),
        number::<i64>(told, "pageCacheLockTimeMills"),
        hours,
        number::<f64>(told, "commitLogDiskRatio"),
    ]
}

const MORE: &[&str] = &["cluster", "broker", "inYesterday", "outYesterday", "inToday", "outToday"];

fn today_and_yesterday(told: &BTreeMap<String, String>) -> Vec<Cell> {
    let between = |from: &str, to: &str| {
        let (from, to) = (number::<i64>(told, from)?, number::<i64>(told, to)?);
        Some(to.saturating_sub(from))
    };
    row![
        between("msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning"),
        between("msgGetTotalYesterdayMorning", "msgGetTotalTodayMorning"),
        between("msgPutTotalTodayMorning", "msgPutTotalTodayNow"),
        between("msgGetTotalTodayMorning", "msgGetTotalTodayNow"),
    ]
}

/// The first number of a value.
fn number<T: std::str::FromStr>(told: &BTreeMap<String, String>, key: &str) -> Option<T> {
    told.get(key)?.split_whitespace().next()?.parse().ok()
}
