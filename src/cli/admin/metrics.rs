//! exportMetrics: how a cluster does, as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Context;
use super::export::{DIRECTORY, written};
use super::page::Page;
use crate::admin::of_cluster;
use crate::broker::groups::is_system_group;
use crate::broker::stats::Counter;
use crate::client::ClientError;
use crate::protocol::body::route::MASTER_ID;
use crate::protocol::codes::response;
use crate::protocol::names::{DEAD_LETTER_PREFIX, GroupName, RETRY_PREFIX};
use crate::protocol::versions;

/// The topics of brokers in which transactions and delayed messages wait.
const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

/// Write to a file how fast messages come and go at a cluster's masters, how full they are, and who consumes there.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ExportMetricsArgs {
    /// The cluster.
    #[arg(short, long, value_name = "NAME")]
    cluster_name: String,
    /// The directory of the file.
    #[arg(short, long, value_name = "DIR", default_value = DIRECTORY)]
    file_path: PathBuf,
}

impl ExportMetricsArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let info = context.admin.cluster_info().await?;
        let masters = of_cluster(&info, &self.cluster_name)?.into_iter().filter(|broker| broker.id == MASTER_ID);
        let (mut reports, mut total) = (Map::new(), Flow::default());
        for master in masters {
            let runtime = context.admin.runtime_info(&master.address).await?;
            let flow = Flow::of(context, &master.address, &runtime).await?;
            total.add(&flow);
            reports.insert(master.name, report(context, &master.address, &runtime, &flow).await?);
        }
        let total_data = json!({ "totalTps": total.tps("total"), "totalOneDayNum": total.of_day() });
        written(&self.file_path, "metrics.json", &json!({ "evaluateReport": reports, "totalData": total_data }))
    }
}

async fn report(
    context: &Context,
    broker: &str,
    runtime: &BTreeMap<String, String>,
    flow: &Flow,
) -> Result<Value, ClientError> {
    let config = context.admin.broker_config(broker).await?;
    let own = context.admin.system_topics_of_broker(broker).await?.topic_list;
    let topics = context.admin.topic_configs(broker).await?.topic_config_table;
    let is_own =
        |name: &str| own.contains(name) || [RETRY_PREFIX, DEAD_LETTER_PREFIX].iter().any(|p| name.starts_with(p));
    let topics = topics.values().filter(|topic| !is_own(&topic.topic_name)).count();
    let table = context.admin.groups(broker).await?.subscription_group_table;
    let groups: Vec<&str> =
        table.values().map(|group| &*group.group_name).filter(|group| !is_system_group(group)).collect();
    let cpus = config.get("clientCallbackExecutorThreads").map(|cpus| ("cpuNum", cpus));
    let memory = runtime.get("totalMemKBytes").map(|memory| ("totalMemKBytes", memory));
    Ok(json!({
        "runtimeEnv": cpus.into_iter().chain(memory).collect::<BTreeMap<_, _>>(),
        "runtimeQuota": {
            "diskRatio": {
                "commitLogDiskRatio": runtime.get("commitLogDiskRatio"),
                "consumeQueueDiskRatio": runtime.get("consumeQueueDiskRatio"),
            },
            "tps": flow.tps(""),
            "oneDayNum": flow.of_day(),
            "messageAverageSize": runtime.get("putMessageAverageSize"),
            "topicSize": topics,
            "groupSize": groups.len(),
        },
        "runtimeVersion": {
            "rocketmqVersion": runtime.get("brokerVersionDesc"),
            "clientInfo": clients(context, broker, &groups).await?,
        },
    }))
}

/// What the consumers of groups are, each kind once: `JAVA%407`. The names of versions later than 3.1 are not known here.
async fn clients(context: &Context, broker: &str, groups: &[&str]) -> Result<BTreeSet<String>, ClientError> {
    let mut kinds = BTreeSet::new();
    for group in groups.iter().filter_map(|name| GroupName::parse(name).ok()) {
        match context.admin.consumer_connection(broker, &group).await {
            Err(error) if error.refusal() == Some(response::CONSUMER_NOT_ONLINE) => {}
            connections => kinds.extend(
                connections?
                    .connection_set
                    .into_iter()
                    .map(|connection| format!("{}%{}", connection.language, versions::name(connection.version))),
            ),
        }
    }
    Ok(kinds)
}

/// How fast messages come and go, per second and within a day.
///
/// # Source
/// `ExportMetricsCommand` 4.9.7 (read, and its file seen).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Flow {
    in_tps: f64,
    out_tps: f64,
    half_tps: f64,
    delayed_tps: f64,
    in_of_day: i64,
    out_of_day: i64,
    half_of_day: i64,
    delayed_of_day: i64,
}

impl Flow {
    async fn of(context: &Context, broker: &str, runtime: &BTreeMap<String, String>) -> Result<Self, ClientError> {
        let (half_tps, half_of_day) = put(context, broker, HALF_TOPIC).await?;
        let (delayed_tps, delayed_of_day) = put(context, broker, SCHEDULE_TOPIC).await?;
        Ok(Self { half_tps, half_of_day, delayed_tps, delayed_of_day, ..Self::of_all(runtime) })
    }

    /// What a broker says of all messages together.
    fn of_all(runtime: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| runtime.get(key).map_or("", String::as_str);
        // Of the last ten seconds, minute and ten minutes.
        let tps = |key: &str| text(key).split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let count = |key: &str| text(key).parse::<i64>().unwrap_or_default();
        let of_yesterday = |what: &str| {
            let (today, yesterday) = (format!("{what}TotalTodayMorning"), format!("{what}TotalYesterdayMorning"));
            count(&today).saturating_sub(count(&yesterday))
        };
        Self {
            in_tps: tps("putTps"),
            out_tps: tps("getTransferedTps"),
            in_of_day: of_yesterday("msgPut"),
            out_of_day: of_yesterday("msgGet"),
            ..Self::default()
        }
    }

    fn add(&mut self, other: &Self) {
        let Self { in_tps, out_tps, half_tps, delayed_tps, in_of_day, out_of_day, half_of_day, delayed_of_day } = other;
        self.in_tps += in_tps;
        self.out_tps += out_tps;
        self.half_tps += half_tps;
        self.delayed_tps += delayed_tps;
        self.in_of_day = self.in_of_day.saturating_add(*in_of_day);
        self.out_of_day = self.out_of_day.saturating_add(*out_of_day);
        self.half_of_day = self.half_of_day.saturating_add(*half_of_day);
        self.delayed_of_day = self.delayed_of_day.saturating_add(*delayed_of_day);
    }

    /// Rates, by names that begin with `prefix` where there is one.
    fn tps(&self, prefix: &str) -> Value {
        let rates = [
            ("NormalInTps", self.in_tps),
            ("NormalOutTps", self.out_tps),
            ("TransInTps", self.half_tps),
            ("ScheduleInTps", self.delayed_tps),
        ];
        let name = |name: &str| match prefix {
            "" => name[..1].to_lowercase() + &name[1..],
            prefix => format!("{prefix}{name}"),
        };
        rates.into_iter().map(|(rate, tps)| (name(rate), json!(tps))).collect::<Map<_, _>>().into()
    }

    fn of_day(&self) -> Value {
        json!({
            "normalOneDayInNum": self.in_of_day,
            "normalOneDayOutNum": self.out_of_day,
            "transOneDayInNum": self.half_of_day,
            "scheduleOneDayInNum": self.delayed_of_day,
        })
    }
}

/// How many messages are put into a topic, per second and within a day.
async fn put(context: &Context, broker: &str, topic: &str) -> Result<(f64, i64), ClientError> {
    match context.admin.broker_stats(broker, Counter::TopicPutNums.name(), topic).await {
        // A broker refuses what it has never counted.
        Err(error) if error.refusal().is_some() => Ok((0.0, 0)),
        stats => stats.map(|stats| (stats.stats_minute.tps, stats.stats_day.sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let runtime = [
            ("putTps", "1.5 2.5 3.5"),
            ("getTransferedTps", "4.5 5.5 6.5"),
            ("msgPutTotalTodayMorning", "30"),
            ("msgPutTotalYesterdayMorning", "10"),
            ("msgGetTotalTodayMorning", "9"),
        ];
        Flow::of_all(&runtime.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn rates_are_those_of_the_last_seconds_and_counts_those_of_yesterday() {
        let expected = Flow { in_tps: 1.5, out_tps: 4.5, in_of_day: 20, out_of_day: 9, ..Flow::default() };
        assert_eq!(flow(), expected);
        assert_eq!(Flow::of_all(&BTreeMap::new()), Flow::default());
    }

    #[test]
    fn a_cluster_is_all_its_brokers() {
        let mut total = Flow { half_tps: 1.0, delayed_tps: 2.0, half_of_day: 3, delayed_of_day: 4, ..flow() };
        total.add(&total.clone());
        let tps = json!({"totalNormalInTps": 3.0, "totalNormalOutTps": 9.0, "totalTransInTps": 2.0, "totalScheduleInTps": 4.0});
        assert_eq!(total.tps("total"), tps);
        assert_eq!(flow().tps("")["normalInTps"], 1.5);
        let of_day = json!({
            "normalOneDayInNum": 40,
            "normalOneDayOutNum": 18,
            "transOneDayInNum": 6,
            "scheduleOneDayInNum": 8,
        });
        assert_eq!(total.of_day(), of_day);
    }
}
