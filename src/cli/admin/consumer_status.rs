//! consumerStatus: what consumers say of themselves.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::Args;

use super::Context;
use super::connections::{addresses, by_id, of_group};
use super::page::{Cell, Page, Rows, row};
use crate::client::ClientError;
use crate::protocol::body::consumer::{ConsumerRunningInfo, property};
use crate::protocol::names::GroupName;

/// Show what the consumers of a group say of themselves, or one of them in full.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ConsumerStatusArgs {
    /// The group.
    #[arg(short = 'g', long, value_parser = GroupName::parse)]
    consumer_group: GroupName,
    /// The id of one consumer, which is shown in full.
    #[arg(short = 'i', long, value_name = "ID")]
    client_id: Option<String>,
    /// The broker to ask through, as host:port; without it, those that know the group.
    #[arg(short, long, value_name = "ADDRESS")]
    broker_addr: Option<String>,
    /// With the stacks of its threads, where the client has such a thing.
    #[arg(short = 's', long)]
    jstack: bool,
}

impl ConsumerStatusArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        match &self.client_id {
            Some(id) => Ok(in_full(&self.ask(context, id).await?)),
            None => self.of_all(context).await,
        }
    }

    async fn of_all(&self, context: &Context) -> Result<Page> {
        let told = of_group(context, &self.consumer_group, self.broker_addr.as_deref()).await?;
        let clients: BTreeMap<_, _> = by_id(told.connection_set).collect();
        let mut rows = Rows::new(&["clientId", "address", "language", "version", "queues", "subscriptions", "started"]);
        for (id, client) in clients {
            let info = self.ask(context, &id).await;
            // One that does not answer hides none of the others.
            let info = info.inspect_err(|error| tracing::warn!("{id}: {error}")).ok();
            let queues = info.as_ref().map(|info| info.mq_table.len());
            let wants = info.as_ref().map(subscriptions);
            let started = info.as_ref().and_then(started);
            rows.add(row![id, client.client_addr, client.language, client.version, queues, wants, started]);
        }
        Ok(rows.into())
    }

    /// Asks through one broker after the other that knows the group: not every client is connected to each.
    async fn ask(&self, context: &Context, client_id: &str) -> Result<ConsumerRunningInfo> {
        let mut failure: Option<ClientError> = None;
        for broker in addresses(context, &self.consumer_group, self.broker_addr.as_deref()).await? {
            let asked = context.admin.consumer_running_info(&broker, &self.consumer_group, client_id, self.jstack);
            match asked.await {
                Ok(info) => return Ok(info),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => bail!("no broker knows a group {}", self.consumer_group),
        }
    }
}

fn subscriptions(info: &ConsumerRunningInfo) -> String {
    let wanted = info.subscription_set.iter().map(|wanted| format!("{}:{}", wanted.topic, wanted.sub_string));
    wanted.collect::<Vec<_>>().join(" ")
}

fn started(info: &ConsumerRunningInfo) -> Option<Cell> {
    Some(Cell::time(info.properties.get(property::STARTED)?.parse().ok()?))
}

fn in_full(info: &ConsumerRunningInfo) -> Page {
    let mut wants = Rows::new(&["topic", "expression", "type"]);
    for wanted in &info.subscription_set {
        wants.add(row![&*wanted.topic, &*wanted.sub_string, &*wanted.expression_type]);
    }
    let mut queues =
        Rows::new(&["topic", "broker", "queue", "consumerOffset", "cached", "locked", "dropped", "lastPulled"]);
    for (queue, held) in info.mq_table.iter() {
        let (topic, broker, pulled) = (&*queue.topic, &*queue.broker_name, Cell::time(held.last_pull_timestamp));
        let (id, cached) = (queue.queue_id, held.cached_msg_count);
        queues.add(row![topic, broker, id, held.commit_offset, cached, held.locked, held.dropped, pulled]);
    }
    let columns = &["topic", "pullRt", "pullTps", "consumeRt", "okTps", "failedTps", "failedLastHour"];
    let mut rates = Rows::new(columns);
    for (topic, at) in &info.status_table {
        let (pull, failed) = ((at.pull_rt, at.pull_tps), (at.consume_failed_tps, at.consume_failed_msgs));
        rates.add(row![&**topic, pull.0, pull.1, at.consume_rt, at.consume_ok_tps, failed.0, failed.1]);
    }
    let mut parts = vec![
        ("properties".to_owned(), info.properties.clone().into()),
        ("subscriptions".to_owned(), wants.into()),
        ("queues".to_owned(), queues.into()),
        ("rates".to_owned(), rates.into()),
    ];
    if let Some(stacks) = &info.jstack {
        parts.push(("jstack".to_owned(), Page::Pairs(vec![("jstack".into(), (&**stacks).into())])));
    }
    Page::Parts(parts)
}
