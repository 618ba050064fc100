//! What administrators ask of consumers, through the brokers.

use std::time::Duration;

use ferromq::admin::{Admin, AdminError, Reset, ResetTo};
use ferromq::client::discovery::NAME_SERVERS_VARIABLE;
use ferromq::client::{Client, ConsumerOptions};
use ferromq::protocol::body::consumer::ConsumeOutcome;
use ferromq::protocol::command::Language;
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::StoreTime;

use crate::inbox::{Inbox, expect, from_the_first, numbered, reader, send, until};
use crate::{Outcome, Run};

/// An administrator, and the address of the broker that has what was just sent.
async fn site(client: &Client, topic: &str) -> Result<(Admin, String), Box<dyn std::error::Error>> {
    let receipts = send(client, topic, &numbered(0..20)).await?;
    let admin = Admin::new(&std::env::var(NAME_SERVERS_VARIABLE)?)?;
    let name = receipts.first().map(|receipt| receipt.broker_name.to_string()).unwrap_or_default();
    let info = admin.cluster_info().await?;
    let broker = info.broker_addr_table.get(&name).ok_or("the broker is not there")?.broker_addrs[&0].clone();
    Ok((admin, broker))
}

pub(crate) async fn offsets_are_reset(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Reset"), Inbox::default());
    let (admin, broker) = site(&client, &topic).await?;
    let persist_interval = Duration::from_millis(100);
    let options = ConsumerOptions { persist_interval, ..from_the_first() };
    let consumer = reader(&client, &topic, &topic, options, &inbox).await?;
    inbox.holds(20).await;
    let (group, topic) = (GroupName::parse(&topic)?, Topic::parse(&topic)?);
    // A broker moves what is stored, and so refuses until something is.
    let reset = Reset { to: ResetTo::Time(StoreTime(0)), force: true, consumers: Language::Java };
    until(async || admin.reset_offsets(&broker, &group, &topic, reset).await.is_ok()).await;
    inbox.holds(40).await;
    Ok(consumer.stop().await?)
}

pub(crate) async fn state_is_told(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("State"), Inbox::default());
    let (admin, broker) = site(&client, &topic).await?;
    let consumer = reader(&client, &topic, &topic, from_the_first(), &inbox).await?;
    inbox.holds(20).await;
    let group = GroupName::parse(&topic)?;
    let info = admin.consumer_running_info(&broker, &group, client.id(), false).await?;
    expect(info.mq_table.keys().any(|queue| queue.topic == topic), || format!("{info:?}"))?;
    let id = inbox.messages().first().map(|message| message.offset_id()).unwrap_or_default();
    let result = admin.consume_directly(&broker, &group, client.id(), &id).await?;
    expect(result.consume_result == ConsumeOutcome::Success, || format!("{result:?}"))?;
    inbox.holds(21).await;
    Ok(consumer.stop().await?)
}

/// The broker has `aclEnable=false`.
pub(crate) async fn accounts_are_not_there(run: &Run) -> Outcome {
    let (admin, broker) = site(&run.client().await?, &run.name("NoAccounts")).await?;
    // Two of the requests are never answered.
    let admin = admin.with_limit(Duration::from_secs(2));
    let outcomes = [
        admin.delete_access(&broker, "somebody").await,
        admin.update_global_addresses(&broker, &["10.0.0.1".into()], None).await,
        admin.acl_config(&broker).await.map(drop),
        admin.acl_versions(&broker).await.map(drop),
    ];
    let are_told = outcomes.iter().all(|outcome| matches!(outcome, Err(AdminError::NoAccessControl { .. })));
    expect(are_told, || format!("{outcomes:?}"))
}
