//! Access control: the accounts of brokers, and from where nobody needs one.
//!
//! Brokers of RocketMQ keep them in files, of which each broker has its own. Ours keep none yet.

use std::collections::BTreeMap;

use super::{Admin, AdminError, Reply, request};
use crate::client::ClientError;
use crate::protocol::body::acl::{AccessConfig, AclConfig};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::acl::{AclVersionsReply, DeleteAccess, UpdateAccess, UpdateGlobalAddresses};

/// How current a broker's files are.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// use ferromq::admin::{AclVersions, Admin, AdminError};
///
/// let current = |versions: &AclVersions| versions.files.values().all(|file| file.counter >= versions.version.counter);
/// let admin = Admin::new(&cluster.name_servers())?;
/// match admin.acl_versions(&cluster.broker().to_string()).await {
///     Ok(versions) => assert!(current(&versions)),
///     // Brokers without accounts say so.
///     Err(error) => assert!(matches!(error, AdminError::NoAccessControl { .. })),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclVersions {
    /// The broker's cluster.
    pub cluster: String,
    /// The set of master and slaves that it belongs to.
    pub broker_name: String,
    /// `host:port`, as the broker knows itself.
    pub address: String,
    /// The version of its default file, which 4.9.7 counts on only when it reads the file again.
    pub version: DataVersion,
    /// The versions of all its files, by their paths there.
    pub files: BTreeMap<String, DataVersion>,
}

impl Admin {
    /// Makes an account at a broker, or changes it: UPDATE_AND_CREATE_ACL_CONFIG. What is `None` or empty stays as it is, but
    /// for `admin`, which is set in any case, and for the secret, without which 4.9.7 refuses.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, or has no access control. `access` names no account.
    pub async fn update_access(&self, broker: &str, access: &AccessConfig) -> Result<(), AdminError> {
        let joined = |permissions: &[String]| (!permissions.is_empty()).then(|| permissions.join(","));
        let header = UpdateAccess {
            access_key: access.access_key.clone().unwrap_or_default(),
            secret_key: access.secret_key.clone(),
            white_remote_address: access.white_remote_address.clone(),
            admin: access.admin,
            default_topic_perm: access.default_topic_perm.clone(),
            default_group_perm: access.default_group_perm.clone(),
            topic_perms: joined(&access.topic_perms),
            group_perms: joined(&access.group_perms),
        };
        let command = request(request::UPDATE_AND_CREATE_ACL_CONFIG, header.to_ext());
        self.ask_of_access(broker, command).await.map(drop)
    }

    /// Removes an account from a broker: DELETE_ACL_CONFIG.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, as it does where there is no such account, or has no access control.
    pub async fn delete_access(&self, broker: &str, access_key: &str) -> Result<(), AdminError> {
        let header = DeleteAccess { access_key: access_key.into() };
        self.ask_of_access(broker, request(request::DELETE_ACL_CONFIG, header.to_ext())).await.map(drop)
    }

    /// Sets the addresses from where nobody needs an account, in one of a broker's files; in its default file unless another one
    /// is named: UPDATE_GLOBAL_WHITE_ADDRS_CONFIG.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, or has no access control.
    pub async fn update_global_addresses(
        &self,
        broker: &str,
        addresses: &[String],
        file: Option<&str>,
    ) -> Result<(), AdminError> {
        let header =
            UpdateGlobalAddresses { global_white_addrs: addresses.join(","), acl_file_full_path: file.map(Into::into) };
        let command = request(request::UPDATE_GLOBAL_WHITE_ADDRS_CONFIG, header.to_ext());
        self.ask_of_access(broker, command).await.map(drop)
    }

    /// What a broker's files say, secrets included: GET_BROKER_CLUSTER_ACL_CONFIG.
    ///
    /// # Errors
    /// The broker cannot be asked, refuses, or has no access control.
    pub async fn acl_config(&self, broker: &str) -> Result<AclConfig, AdminError> {
        let reply = self.ask_of_access(broker, Command::request(request::GET_BROKER_CLUSTER_ACL_CONFIG)).await?;
        Ok(reply.body()?)
    }

    /// How current they are: GET_BROKER_CLUSTER_ACL_INFO.
    ///
    /// # Errors
    /// As [`Admin::acl_config`].
    pub async fn acl_versions(&self, broker: &str) -> Result<AclVersions, AdminError> {
        let reply = self.ask_of_access(broker, Command::request(request::GET_BROKER_CLUSTER_ACL_INFO)).await?;
        let header = reply.header(AclVersionsReply::parse)?;
        let files = header.all_acl_file_version.map(|text| reply.json(&text)).transpose()?.unwrap_or_default();
        let version = reply.json(&header.version)?;
        let AclVersionsReply { cluster_name: cluster, broker_name, broker_addr: address, .. } = header;
        Ok(AclVersions { cluster, broker_name, address, version, files })
    }

    async fn ask_of_access(&self, broker: &str, command: Command) -> Result<Reply, AdminError> {
        self.ask(broker, command).await.map_err(|source| match tells_that_there_is_none(&source) {
            true => AdminError::NoAccessControl { broker: broker.into(), source },
            false => source.into(),
        })
    }
}

/// How RocketMQ's brokers say that they have nobody who could be asked.
const NO_VALIDATOR: &str = "because \"accessValidator\" is null";

/// Whether a broker without access control says so. Ours does not know the codes; RocketMQ's fails over what it does not have,
/// which it does not tell at all, or in the words of its Java: those before 14 have none.
///
/// # Source
/// `AdminBrokerProcessor` 4.9.7 (read), and what it answers on Java 17 (seen).
fn tells_that_there_is_none(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { code: response::REQUEST_CODE_NOT_SUPPORTED, .. } => true,
        ClientError::Refused { remark, .. } => remark.is_empty() || remark.ends_with(NO_VALIDATOR),
        ClientError::Timeout { code, .. } => {
            [request::GET_BROKER_CLUSTER_ACL_INFO, request::GET_BROKER_CLUSTER_ACL_CONFIG].contains(code)
        }
        _ => false,
    }
}
