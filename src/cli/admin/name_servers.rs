//! getNamesrvConfig, updateNamesrvConfig, updateKvConfig, deleteKvConfig, wipeWritePerm, addWritePerm.

use anyhow::Result;
use clap::Args;

use super::Context;
use super::page::{Cell, Page, Rows, row};
use super::several::{HalfDone, told_by_each};
use crate::client::ClientError;

/// Show the settings of the name servers.
#[derive(Args, Clone, Debug)]
pub(super) struct GetNamesrvConfigArgs {}

impl GetNamesrvConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let name_servers = context.admin.name_servers();
        let ask = async |name_server: &&String| context.admin.name_server_config(name_server).await;
        let answers = told_by_each(name_servers.iter(), ask).await?;
        Ok(Page::Parts(answers.into_iter().map(|(name_server, told)| (name_server.clone(), told.into())).collect()))
    }
}

/// Give a key of the name servers' settings another value, at each of them.
#[derive(Args, Clone, Debug)]
pub(super) struct UpdateNamesrvConfigArgs {
    /// The key.
    #[arg(short, long)]
    key: String,
    /// Its value.
    #[arg(short, long)]
    value: String,
}

impl UpdateNamesrvConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["nameServer", "key", "value"]);
        for name_server in context.admin.name_servers().iter() {
            let updated = context.admin.update_name_server_config(name_server, &[(&self.key, &self.value)]).await;
            updated.map_err(HalfDone::behind(&rows))?;
            rows.add(row![&**name_server, &*self.key, &*self.value]);
        }
        Ok(rows.into())
    }
}

/// Set a value in the tables of all name servers.
#[derive(Args, Clone, Debug)]
pub(super) struct UpdateKvConfigArgs {
    /// The table.
    #[arg(short = 's', long)]
    namespace: String,
    /// The key.
    #[arg(short, long)]
    key: String,
    /// Its value.
    #[arg(short, long)]
    value: String,
}

impl UpdateKvConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        context.admin.put_kv(&self.namespace, &self.key, &self.value).await?;
        Ok(kv_row(&self.namespace, &self.key, (&*self.value).into()))
    }
}

/// Take a value out of the tables of all name servers.
#[derive(Args, Clone, Debug)]
pub(super) struct DeleteKvConfigArgs {
    /// The table.
    #[arg(short = 's', long)]
    namespace: String,
    /// The key.
    #[arg(short, long)]
    key: String,
}

impl DeleteKvConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        context.admin.delete_kv(&self.namespace, &self.key).await?;
        Ok(kv_row(&self.namespace, &self.key, Cell::Nothing))
    }
}

fn kv_row(namespace: &str, key: &str, value: Cell) -> Page {
    let mut rows = Rows::new(&["namespace", "key", "value"]);
    rows.add(row![namespace, key, value]);
    rows.into()
}

/// A set of brokers, as the name servers call it.
///
/// It holds until one of its brokers registers a change.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct WritePermArgs {
    /// The set's name.
    #[arg(short, long, value_name = "NAME")]
    broker_name: String,
}

impl WritePermArgs {
    pub(super) async fn wipe(&self, context: &Context) -> Result<Page> {
        let wipe = async |name_server: &str| context.admin.wipe_write_permission(name_server, &self.broker_name).await;
        self.at_each(context, &["nameServer", "broker", "topicsWiped"], wipe).await
    }

    pub(super) async fn add(&self, context: &Context) -> Result<Page> {
        let add = async |name_server: &str| context.admin.add_write_permission(name_server, &self.broker_name).await;
        self.at_each(context, &["nameServer", "broker", "topicsAdded"], add).await
    }

    /// Changes the permission at one name server after the other, and tells of how many topics.
    async fn at_each(
        &self,
        context: &Context,
        columns: &'static [&'static str],
        change: impl AsyncFn(&str) -> Result<u32, ClientError>,
    ) -> Result<Page> {
        let mut rows = Rows::new(columns);
        for name_server in context.admin.name_servers().iter() {
            let changed = change(name_server).await.map_err(HalfDone::behind(&rows))?;
            rows.add(row![&**name_server, &*self.broker_name, changed]);
        }
        Ok(rows.into())
    }
}
