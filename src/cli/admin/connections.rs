//! producerConnection, producer, consumerConnection: who is there.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::Args;

use super::page::{Cell, Page, Rows, row};
use super::{Context, wire_name};
use crate::admin::AdminError;
use crate::protocol::body::connection::{Connection, ConsumerConnection};
use crate::protocol::names::{GroupName, Topic};

/// Show the producers of a group that are connected to the brokers of a topic.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ProducerConnectionArgs {
    /// The group.
    #[arg(short = 'g', long, value_parser = GroupName::parse)]
    producer_group: GroupName,
    /// A topic that it sends to.
    #[arg(short, long, value_parser = Topic::parse)]
    topic: Topic,
}

impl ProducerConnectionArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut clients = BTreeMap::new();
        let mut refusal = None;
        for broker in context.admin.masters_of_topic(&self.topic).await? {
            match context.admin.producer_connection(&broker.address, &self.producer_group).await {
                Err(error) if error.refusal().is_some() => refusal = Some(error),
                told => clients.extend(by_id(told?.connection_set)),
            }
        }
        match refusal {
            Some(refusal) if clients.is_empty() => Err(refusal.into()),
            _ => Ok(table(clients).into()),
        }
    }
}

/// List the producers of every group that are connected to a broker.
#[derive(Args, Clone, Debug)]
pub(super) struct ProducerArgs {
    /// The broker's address, as host:port.
    #[arg(short, long, value_name = "ADDRESS")]
    broker: String,
}

impl ProducerArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let columns = &["producerGroup", "clientId", "remoteIP", "language", "version", "lastHeard"];
        let mut rows = Rows::new(columns);
        for (group, producers) in context.admin.producers(&self.broker).await?.data {
            for producer in producers {
                let address = producer.remote_ip.trim_start_matches('/');
                let heard = Cell::time(producer.last_update_timestamp);
                rows.add(row![&*group, producer.client_id, address, producer.language, producer.version, heard]);
            }
        }
        Ok(rows.into())
    }
}

/// Show the consumers of a group that are connected, and what the group wants.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct ConsumerConnectionArgs {
    /// The group.
    #[arg(short = 'g', long, value_parser = GroupName::parse)]
    consumer_group: GroupName,
    /// The broker to ask, as host:port; without it, all that know the group.
    #[arg(short, long, value_name = "ADDRESS")]
    broker_addr: Option<String>,
}

impl ConsumerConnectionArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let told = of_group(context, &self.consumer_group, self.broker_addr.as_deref()).await?;
        let mut wants = Rows::new(&["topic", "expression", "type", "version"]);
        for wanted in told.subscription_table.values() {
            let (topic, expression) = (&*wanted.topic, &*wanted.sub_string);
            wants.add(row![topic, expression, &*wanted.expression_type, wanted.sub_version]);
        }
        let how = vec![
            ("consumeType".to_owned(), wire_name(&told.consume_type)),
            ("messageModel".to_owned(), wire_name(&told.message_model)),
            ("consumeFromWhere".to_owned(), wire_name(&told.consume_from_where)),
        ];
        Ok(Page::Parts(vec![
            ("connections".into(), table(by_id(told.connection_set).collect()).into()),
            ("subscriptions".into(), wants.into()),
            ("group".into(), Page::Pairs(how)),
        ]))
    }
}

/// The consumers of a group at a broker, or at all that know the group: each once, though it is connected to all of them.
pub(super) async fn of_group(context: &Context, group: &GroupName, broker: Option<&str>) -> Result<ConsumerConnection> {
    let brokers = addresses(context, group, broker).await?;
    let mut all: Option<ConsumerConnection> = None;
    let mut refusal = None;
    for broker in &brokers {
        match context.admin.consumer_connection(broker, group).await {
            Err(error) if error.refusal().is_some() => refusal = Some(error),
            told => {
                let told = told?;
                let all = all.get_or_insert_with(|| ConsumerConnection { connection_set: Vec::new(), ..told.clone() });
                all.connection_set.extend(told.connection_set);
                all.subscription_table.extend(told.subscription_table);
            }
        }
    }
    match (all, refusal) {
        (Some(all), _) => Ok(all),
        (None, Some(refusal)) => Err(refusal.into()),
        (None, None) => bail!("no broker knows a group {group}"),
    }
}

/// The brokers to ask about a group.
pub(super) async fn addresses(
    context: &Context,
    group: &GroupName,
    broker: Option<&str>,
) -> Result<Vec<String>, AdminError> {
    match broker {
        Some(address) => Ok(vec![address.to_owned()]),
        None => {
            let brokers = context.admin.masters_of_group(group).await?;
            Ok(brokers.into_iter().map(|broker| broker.address).collect())
        }
    }
}

/// Clients by their ids: one has as many connections as there are brokers.
pub(super) fn by_id(connections: Vec<Connection>) -> impl Iterator<Item = (String, Connection)> {
    connections.into_iter().map(|connection| (connection.client_id.clone(), connection))
}

fn table(clients: BTreeMap<String, Connection>) -> Rows {
    let mut rows = Rows::new(&["clientId", "address", "language", "version"]);
    for (id, client) in clients {
        rows.add(row![id, client.client_addr, client.language, client.version]);
    }
    rows
}
