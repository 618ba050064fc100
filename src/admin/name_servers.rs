//! Name servers: which brokers they know, their key-value table, their settings.
//!
//! They do not talk to each other: what changes one of them is told to all.

use std::collections::BTreeMap;

use super::{Admin, found, properties_text, request};
use crate::client::ClientError;
use crate::protocol::body::cluster::ClusterInfo;
use crate::protocol::body::kv::KvTable;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::{
    AddWritePermReply, DeleteKv, GetKv, KvReply, OfBrokerName, OfNamespace, PutKv, WipeWritePermReply,
};

impl Admin {
    /// Every broker by cluster and set: GET_BROKER_CLUSTER_INFO.
    ///
    /// # Errors
    /// No name server can be asked, or it refuses.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, ClientError> {
        self.ask_name_server(&Command::request(request::GET_BROKER_CLUSTER_INFO)).await?.body()
    }

    /// Sets a value in the tables of all name servers: PUT_KV_CONFIG.
    ///
    /// # Errors
    /// One of them cannot be asked, or refuses; the others are told nevertheless.
    pub async fn put_kv(&self, namespace: &str, key: &str, value: &str) -> Result<(), ClientError> {
        let header = PutKv { namespace: Some(namespace.into()), key: Some(key.into()), value: Some(value.into()) };
        self.tell_name_servers(&request(request::PUT_KV_CONFIG, header.to_ext())).await
    }

    /// A value: GET_KV_CONFIG; `None` if there is none.
    ///
    /// # Errors
    /// As [`Admin::cluster_info`].
    pub async fn kv(&self, namespace: &str, key: &str) -> Result<Option<String>, ClientError> {
        let header = GetKv { namespace: Some(namespace.into()), key: Some(key.into()) };
        let reply = found(self.ask_name_server(&request(request::GET_KV_CONFIG, header.to_ext())).await)?;
        let value = reply.map(|reply| reply.header(KvReply::parse)).transpose()?;
        Ok(value.and_then(|reply| reply.value))
    }

    /// Takes a value out of the tables of all name servers: DELETE_KV_CONFIG. It need not be there.
    ///
    /// # Errors
    /// As [`Admin::put_kv`].
    pub async fn delete_kv(&self, namespace: &str, key: &str) -> Result<(), ClientError> {
        let header = DeleteKv { namespace: namespace.into(), key: key.into() };
        self.tell_name_servers(&request(request::DELETE_KV_CONFIG, header.to_ext())).await
    }

    /// All values of a namespace: GET_KVLIST_BY_NAMESPACE; `None` if there is none of that name.
    ///
    /// # Errors
    /// As [`Admin::cluster_info`].
    pub async fn kv_table(&self, namespace: &str) -> Result<Option<BTreeMap<String, String>>, ClientError> {
        let header = OfNamespace { namespace: Some(namespace.into()) };
        let reply = found(self.ask_name_server(&request(request::GET_KVLIST_BY_NAMESPACE, header.to_ext())).await)?;
        reply.map(|reply| reply.body::<KvTable>().map(|table| table.table)).transpose()
    }

    /// Takes the write permission of all topics at a set of brokers, at one name server, and returns how many they were:
    /// WIPE_WRITE_PERM_OF_BROKER. It holds until a broker registers a change.
    ///
    /// # Errors
    /// The name server cannot be asked, or refuses.
    pub async fn wipe_write_permission(&self, name_server: &str, broker_name: &str) -> Result<u32, ClientError> {
        let header = OfBrokerName { broker_name: broker_name.into() };
        let reply = self.ask(name_server, request(request::WIPE_WRITE_PERM_OF_BROKER, header.to_ext())).await?;
        Ok(count(reply.header(WipeWritePermReply::parse)?.wipe_topic_count))
    }

    /// Gives it back: ADD_WRITE_PERM_OF_BROKER.
    ///
    /// # Errors
    /// As [`Admin::wipe_write_permission`].
    pub async fn add_write_permission(&self, name_server: &str, broker_name: &str) -> Result<u32, ClientError> {
        let header = OfBrokerName { broker_name: broker_name.into() };
        let reply = self.ask(name_server, request(request::ADD_WRITE_PERM_OF_BROKER, header.to_ext())).await?;
        Ok(count(reply.header(AddWritePermReply::parse)?.add_topic_count))
    }

    /// A name server's settings by key: GET_NAMESRV_CONFIG.
    ///
    /// # Errors
    /// As [`Admin::wipe_write_permission`].
    pub async fn name_server_config(&self, name_server: &str) -> Result<BTreeMap<String, String>, ClientError> {
        let reply = self.ask(name_server, Command::request(request::GET_NAMESRV_CONFIG)).await?;
        Ok(properties_text::read(&reply.text()))
    }

    /// Gives keys of a name server's settings other values: UPDATE_NAMESRV_CONFIG.
    ///
    /// # Errors
    /// As [`Admin::wipe_write_permission`].
    pub async fn update_name_server_config(
        &self,
        name_server: &str,
        settings: &[(&str, &str)],
    ) -> Result<(), ClientError> {
        let command = Command::request(request::UPDATE_NAMESRV_CONFIG).with_body(properties_text::write(settings));
        self.ask(name_server, command).await.map(drop)
    }
}

/// A number of topics, which no server makes negative.
fn count(topics: i32) -> u32 {
    u32::try_from(topics).unwrap_or(0)
}
