//! getBrokerConfig, updateBrokerConfig, brokerStatus, cleanExpiredCQ, deleteExpiredCommitLog, cleanUnusedTopic.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::page::{Page, Rows, row};
use super::several::{HalfDone, told_by_each};
use super::target::{OptionalTarget, Target};
use crate::client::ClientError;

/// Show the settings of brokers, slaves too.
#[derive(Args, Clone, Debug)]
pub(super) struct GetBrokerConfigArgs {
    #[command(flatten)]
    target: Target,
}

impl GetBrokerConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        each(context, &self.target, async |broker| context.admin.broker_config(broker).await).await
    }
}

/// What each broker says, slaves too.
async fn each(
    context: &Context,
    target: &Target,
    ask: impl AsyncFn(&str) -> Result<BTreeMap<String, String>, ClientError>,
) -> Result<Page> {
    let brokers = context.admin.masters_and_slaves(&target.brokers()).await?;
    let answers = told_by_each(brokers, async |broker| ask(broker).await).await?;
    Ok(Page::Parts(answers.into_iter().map(|(broker, told)| (broker, told.into())).collect()))
}

/// Give a key of brokers' settings another value.
///
/// A broker that has a configuration file writes it there. Some keys are heeded at the next start only, which brokers say.
#[derive(Args, Clone, Debug)]
pub(super) struct UpdateBrokerConfigArgs {
    #[command(flatten)]
    target: Target,
    /// The key.
    #[arg(short, long)]
    key: String,
    /// Its value.
    #[arg(short, long)]
    value: String,
}

impl UpdateBrokerConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["broker", "key", "value"]);
        for broker in context.admin.masters(&self.target.brokers()).await? {
            let update = context.admin.update_broker_config(&broker, &[(&self.key, &self.value)]).await;
            update.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, &*self.key, &*self.value]);
        }
        Ok(rows.into())
    }
}

/// Show how brokers are, slaves too: what they hold, how fast messages come and go, how full the disk is.
#[derive(Args, Clone, Debug)]
pub(super) struct BrokerStatusArgs {
    #[command(flatten)]
    target: Target,
}

impl BrokerStatusArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        each(context, &self.target, async |broker| context.admin.runtime_info(broker).await).await
    }
}

/// What brokers clean up when they are told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cleaning {
    Queues,
    Log,
    Topics,
}

/// Which brokers clean up: all of them unless told otherwise.
#[derive(Args, Clone, Debug)]
pub(super) struct CleanArgs {
    #[command(flatten)]
    target: OptionalTarget,
}

impl CleanArgs {
    pub(super) async fn run(&self, context: &Context, what: Cleaning) -> Result<Page> {
        let mut rows = Rows::new(&["broker", "told"]);
        for broker in context.admin.masters(&self.target.brokers()).await? {
            let told = match what {
                Cleaning::Queues => context.admin.clean_expired_queues(&broker).await.map(|()| "expired queue files"),
                Cleaning::Log => context.admin.delete_expired_log(&broker).await.map(|()| "expired log segments"),
                Cleaning::Topics => context.admin.clean_unused_topics(&broker).await.map(|()| "queues without topic"),
            };
            rows.add(row![broker, told.map_err(HalfDone::behind(&rows))?]);
        }
        Ok(rows.into())
    }
}
