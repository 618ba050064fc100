//! What only tools ask of a name server: its key-value table, its settings, and changes to what brokers have said.
//!
//! The table and the settings are written to their files before they are changed; a change that cannot be written is not
//! made, and who asked for it is told. What is changed of the routes lasts until the broker registers a change.
//!
//! # Source
//! `org.apache.rocketmq.namesrv.processor.DefaultRequestProcessor` 4.9.7 (read; codes and texts measured).

use super::{NamesrvActor, listed};
use crate::actors::requests::success;
use crate::namesrv::config::ConfigError;
use crate::namesrv::kv_config::Change;
use crate::net::router::Request;
use crate::protocol::body::Body;
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::error::ProtocolError;
use crate::protocol::headers::namesrv::{
    AddWritePermReply, DeleteKv, DeleteRoute, GetKv, KvReply, OfBrokerName, OfCluster, OfNamespace, PutKv,
    WipeWritePermReply,
};
use crate::protocol::refusal::Refusal;

/// How much of a name or a value is logged, in characters: each may have two megabytes.
const LOGGED_CHARS_MAX: usize = 200;

impl NamesrvActor {
    pub(super) fn put_kv(&mut self, request: &Request) -> Result<Command, Refusal> {
        let PutKv { namespace, key, value } = PutKv::parse(&request.command.ext)?;
        let (Some(namespace), Some(key)) = (namespace, key) else {
            return Err(Refusal::error("namespace or key is null"));
        };
        let value = value.ok_or(ProtocolError::FieldMissing { field: "value" })?;
        let change = self.parts.kv.put(&namespace, &key, &value).map_err(|error| Refusal::error(error.to_string()))?;
        self.change_kv(change)?;
        let (namespace, key) = (logged(&namespace), logged(&key));
        tracing::info!(peer = %request.reply.peer().remote, namespace, key, "a tool has set a value");
        Ok(success())
    }

    pub(super) fn delete_kv(&mut self, request: &Request) -> Result<Command, Refusal> {
        let DeleteKv { namespace, key } = DeleteKv::parse(&request.command.ext)?;
        self.change_kv(self.parts.kv.delete(&namespace, &key))?;
        let (namespace, key) = (logged(&namespace), logged(&key));
        tracing::info!(peer = %request.reply.peer().remote, namespace, key, "a tool has deleted a value");
        Ok(success())
    }

    fn change_kv(&mut self, change: Change) -> Result<(), Refusal> {
        self.parts.kv_file.write(&change.text).map_err(|error| Refusal::error(error.to_string()))?;
        self.parts.kv = change.table;
        Ok(())
    }

    pub(super) fn kv_value(&self, command: &Command) -> Result<Command, Refusal> {
        let GetKv { namespace, key } = GetKv::parse(&command.ext)?;
        let names = namespace.as_deref().zip(key.as_deref());
        match names.and_then(|(namespace, key)| self.parts.kv.value(namespace, key)) {
            Some(value) => Ok(success().with_ext(KvReply { value: Some(value.into()) }.to_ext())),
            None => Err(not_found(&format!("{} Key: {}", or_null(namespace.as_deref()), or_null(key.as_deref())))),
        }
    }

    pub(super) fn kv_namespace(&self, command: &Command) -> Result<Command, Refusal> {
        let OfNamespace { namespace } = OfNamespace::parse(&command.ext)?;
        match namespace.as_deref().and_then(|namespace| self.parts.kv.list(namespace)) {
            Some(table) => Ok(success().with_body(table.encode())),
            None => Err(not_found(or_null(namespace.as_deref()))),
        }
    }

    /// Logs every value, so that the log of any hour tells what the table was.
    pub(super) fn log_kv(&mut self) {
        for (namespace, key, value) in self.parts.kv.entries() {
            tracing::info!(namespace = logged(namespace), key = logged(key), value = logged(value), "key-value table");
        }
    }

    pub(super) fn wipe_write_permission(&mut self, request: &Request) -> Result<Command, Refusal> {
        let OfBrokerName { broker_name } = OfBrokerName::parse(&request.command.ext)?;
        let wipe_topic_count = count(self.routes.wipe_write_permission(&broker_name));
        let (peer, broker) = (request.reply.peer().remote, logged(&broker_name));
        tracing::info!(%peer, broker, wipe_topic_count, "a tool has taken the write permission of a broker's topics");
        Ok(success().with_ext(WipeWritePermReply { wipe_topic_count }.to_ext()))
    }

    pub(super) fn add_write_permission(&mut self, request: &Request) -> Result<Command, Refusal> {
        let OfBrokerName { broker_name } = OfBrokerName::parse(&request.command.ext)?;
        let add_topic_count = count(self.routes.add_write_permission(&broker_name));
        let (peer, broker) = (request.reply.peer().remote, logged(&broker_name));
        tracing::info!(%peer, broker, add_topic_count, "a tool has given a broker's topics the write permission");
        Ok(success().with_ext(AddWritePermReply { add_topic_count }.to_ext()))
    }

    pub(super) fn delete_topic(&mut self, request: &Request) -> Result<Command, Refusal> {
        let DeleteRoute { topic, cluster_name } = DeleteRoute::parse(&request.command.ext)?;
        let cluster = cluster_name.as_deref().filter(|name| !name.is_empty());
        self.routes.delete_topic(&topic, cluster);
        let (topic, cluster) = (logged(&topic), cluster.map(logged));
        tracing::info!(peer = %request.reply.peer().remote, topic, cluster, "a tool has deleted the route of a topic");
        Ok(success())
    }

    pub(super) fn topics_of_cluster(&self, command: &Command) -> Result<Command, Refusal> {
        let OfCluster { cluster } = OfCluster::parse(&command.ext)?;
        listed(&self.routes.topics_of_cluster(&cluster))
    }

    pub(super) fn update_config(&mut self, command: &Command) -> Result<Command, Refusal> {
        let text = std::str::from_utf8(&command.body).map_err(|_| Refusal::error("the properties are not UTF-8"))?;
        let config = self.parts.config.updated(text).map_err(|error| match error {
            ConfigError::Refused(_) => Refusal::new(response::NO_PERMISSION, error.to_string()),
            _ => Refusal::error(error.to_string()),
        })?;
        let written = self.parts.config_file.write(&config.to_properties());
        written.map_err(|error| Refusal::error(error.to_string()))?;
        self.parts.config = config;
        Ok(success())
    }
}

fn not_found(what: &str) -> Refusal {
    Refusal::new(response::QUERY_NOT_FOUND, format!("No config item, Namespace: {what}"))
}

/// A name that is not there, in the words of the reference.
fn or_null(name: Option<&str>) -> &str {
    name.unwrap_or("null")
}

/// A number of topics for the wire.
fn count(topics: usize) -> i32 {
    i32::try_from(topics).unwrap_or(i32::MAX)
}

/// The head of a text that a peer sent.
fn logged(text: &str) -> &str {
    text.char_indices().nth(LOGGED_CHARS_MAX).map_or(text, |(end, _)| text.split_at(end).0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::fs::{self, File};
    use std::sync::Arc;

    use super::*;
    use crate::actors::config_writer::ConfigWriter;
    use crate::actors::fault::Faults;
    use crate::actors::namesrv_actor::NamesrvParts;
    use crate::namesrv::config::NamesrvConfig;
    use crate::namesrv::kv_config::KvConfig;
    use crate::store::disk::FileDisk;
    use crate::time::SystemClock;

    #[test]
    fn the_table_is_logged_a_line_a_value_whatever_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut kv = KvConfig::default();
        for (namespace, key, value) in [("ns", "k", "two\nlines"), ("ns", "l", &"é".repeat(LOGGED_CHARS_MAX + 1))] {
            kv = kv.put(namespace, key, value).unwrap().table;
        }
        let writer = |name: &str| ConfigWriter::new(Arc::new(FileDisk), directory.path().join(name));
        let mut actor = NamesrvActor::new(NamesrvParts {
            config: NamesrvConfig::default(),
            kv,
            kv_file: writer("kvConfig.json"),
            config_file: writer("namesrv.properties"),
            clock: SystemClock::shared(),
            faults: Faults::default(),
        });
        let path = directory.path().join("log");
        let log = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        let log = log.with_writer(Arc::new(File::create(&path).unwrap())).finish();
        tracing::subscriber::with_default(log, || actor.log_kv());
        let long = "é".repeat(LOGGED_CHARS_MAX);
        let first = r#" INFO key-value table namespace="ns" key="k" value="two\nlines""#;
        let second = format!(r#" INFO key-value table namespace="ns" key="l" value="{long}""#);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{first}\n{second}\n"));
    }
}
