//! updateAclConfig, deleteAclConfig, clusterAclConfigVersion, updateGlobalWhiteAddr, getAclConfig.

use std::io;

use anyhow::{Context as _, Result, ensure};
use clap::{ArgAction, Args};

use super::Context;
use super::page::{Cell, Page, Rows, row};
use super::several::{HalfDone, told_by_each};
use super::target::Target;
use crate::protocol::body::acl::AccessConfig;

/// What is shown in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Make an account at brokers, slaves too, or change it.
///
/// What is not named stays as it is, but for --admin.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateAclConfigArgs {
    #[command(flatten)]
    target: Target,
    /// The account, of more than 6 letters.
    #[arg(short, long, value_name = "NAME")]
    access_key: String,
    /// Its secret, of more than 6 letters; - reads it from standard input, as other users see what a command line says.
    #[arg(short, long, value_name = "SECRET")]
    secret_key: String,
    /// An address from which it needs no signature.
    #[arg(short, long, value_name = "ADDRESS")]
    white_remote_address: Option<String>,
    /// What it may do with topics that are not named: DENY, PUB, SUB or PUB|SUB.
    #[arg(short = 'i', long, value_name = "PERM")]
    default_topic_perm: Option<String>,
    /// What it may do with groups that are not named: DENY or SUB.
    #[arg(short = 'u', long, value_name = "PERM")]
    default_group_perm: Option<String>,
    /// What it may do with topics, as topicA=DENY,topicB=PUB|SUB.
    #[arg(short, long, value_name = "PERMS", value_delimiter = ',')]
    topic_perms: Vec<String>,
    /// What it may do with groups, as groupA=SUB,groupB=DENY.
    #[arg(short, long, value_name = "PERMS", value_delimiter = ',')]
    group_perms: Vec<String>,
    /// Whether it may change topics, groups and settings.
    #[arg(short = 'm', long, value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    admin: bool,
}

impl UpdateAclConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let access = AccessConfig {
            access_key: Some(self.access_key.clone()),
            admin: self.admin,
            default_group_perm: self.default_group_perm.clone(),
            default_topic_perm: self.default_topic_perm.clone(),
            group_perms: self.group_perms.clone(),
            secret_key: Some(self.secret()?),
            topic_perms: self.topic_perms.clone(),
            white_remote_address: self.white_remote_address.clone(),
        };
        let mut rows = Rows::new(&["broker", "accessKey", "admin"]);
        for broker in context.admin.masters_and_slaves(&self.target.brokers()).await? {
            context.admin.update_access(&broker, &access).await.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, &*self.access_key, self.admin]);
        }
        Ok(rows.into())
    }

    fn secret(&self) -> Result<String> {
        if self.secret_key != "-" {
            return Ok(self.secret_key.clone());
        }
        let mut line = String::new();
        io::stdin().read_line(&mut line).context("cannot read standard input")?;
        let secret = line.trim_end_matches(['\r', '\n']);
        ensure!(!secret.is_empty(), "standard input has no secret");
        Ok(secret.into())
    }
}

/// Remove an account from brokers, slaves too.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct DeleteAclConfigArgs {
    #[command(flatten)]
    target: Target,
    /// The account.
    #[arg(short, long, value_name = "NAME")]
    access_key: String,
}

impl DeleteAclConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let mut rows = Rows::new(&["broker", "accessKey"]);
        for broker in context.admin.masters_and_slaves(&self.target.brokers()).await? {
            let deleted = context.admin.delete_access(&broker, &self.access_key).await;
            deleted.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, &*self.access_key]);
        }
        Ok(rows.into())
    }
}

/// Set the addresses from where brokers want no account of anybody, at slaves too.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct UpdateGlobalWhiteAddrArgs {
    #[command(flatten)]
    target: Target,
    /// The addresses, as 10.10.103.*,192.168.0.*.
    #[arg(short, long, value_name = "ADDRESSES", value_delimiter = ',', required = true)]
    global_white_remote_addresses: Vec<String>,
    /// The file at the broker that is to have them [default: its first one, conf/plain_acl.yml].
    #[arg(short = 'p', long, value_name = "PATH")]
    acl_file_full_path: Option<String>,
}

impl UpdateGlobalWhiteAddrArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let (addresses, file) = (&self.global_white_remote_addresses, self.acl_file_full_path.as_deref());
        let mut rows = Rows::new(&["broker", "globalWhiteRemoteAddresses", "aclFile"]);
        for broker in context.admin.masters_and_slaves(&self.target.brokers()).await? {
            let updated = context.admin.update_global_addresses(&broker, addresses, file).await;
            updated.map_err(HalfDone::behind(&rows))?;
            rows.add(row![broker, addresses.join(","), file]);
        }
        Ok(rows.into())
    }
}

/// Show how current the files of accounts are, at the masters.
#[derive(Args, Clone, Debug)]
pub(super) struct ClusterAclConfigVersionArgs {
    #[command(flatten)]
    target: Target,
}

impl ClusterAclConfigVersionArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let brokers = context.admin.masters(&self.target.brokers()).await?;
        let answers = told_by_each(brokers, async |broker| context.admin.acl_versions(broker).await).await?;
        let mut rows = Rows::new(&["cluster", "broker", "address", "aclFile", "version", "changed"]);
        for (_, found) in answers {
            for (file, version) in found.files {
                let (cluster, name, address) = (&*found.cluster, &*found.broker_name, &*found.address);
                rows.add(row![cluster, name, address, file, version.counter, Cell::time(version.timestamp)]);
            }
        }
        Ok(rows.into())
    }
}

/// Show the accounts of brokers, and the addresses from where nobody needs one, at the masters.
#[derive(Args, Clone, Debug)]
#[command(rename_all = "camelCase")]
pub(super) struct GetAclConfigArgs {
    #[command(flatten)]
    target: Target,
    /// Show secrets too.
    #[arg(long)]
    show_secrets: bool,
}

const COLUMNS: &[&str] = &[
    "accessKey",
    "secretKey",
    "whiteRemoteAddress",
    "admin",
    "defaultTopicPerm",
    "defaultGroupPerm",
    "topicPerms",
    "groupPerms",
];

impl GetAclConfigArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Page> {
        let brokers = context.admin.masters(&self.target.brokers()).await?;
        let answers = told_by_each(brokers, async |broker| context.admin.acl_config(broker).await).await?;
        let mut parts = Vec::new();
        for (broker, config) in answers {
            let mut accounts = Rows::new(COLUMNS);
            for account in config.plain_access_configs {
                accounts.add(self.row(account));
            }
            let mut addresses = Rows::new(&["globalWhiteRemoteAddress"]);
            config.global_white_addrs.into_iter().for_each(|address| addresses.add(row![address]));
            let shown = vec![("accounts".into(), accounts.into()), ("addresses".into(), addresses.into())];
            parts.push((broker, Page::Parts(shown)));
        }
        Ok(Page::Parts(parts))
    }

    fn row(&self, account: AccessConfig) -> Vec<Cell> {
        let secret = account.secret_key.map(|secret| if self.show_secrets { secret } else { HIDDEN.into() });
        row![
            account.access_key,
            secret,
            account.white_remote_address,
            account.admin,
            account.default_topic_perm,
            account.default_group_perm,
            account.topic_perms.join(","),
            account.group_perms.join(","),
        ]
    }
}
