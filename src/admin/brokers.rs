//! Brokers: their settings, their state, and what they clean up.

use std::collections::BTreeMap;

use super::{Admin, properties_text, request};
use crate::client::ClientError;
use crate::protocol::body::kv::KvTable;
use crate::protocol::body::stats::BrokerStatsData;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::query::ViewStats;
use crate::protocol::headers::transaction::ResumeCheck;

impl Admin {
    /// A broker's settings by key: GET_BROKER_CONFIG.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn broker_config(&self, broker: &str) -> Result<BTreeMap<String, String>, ClientError> {
        let reply = self.ask(broker, Command::request(request::GET_BROKER_CONFIG)).await?;
        Ok(properties_text::read(&reply.text()))
    }

    /// Gives keys of a broker's settings other values: UPDATE_BROKER_CONFIG.
    ///
    /// # Errors
    /// As [`Admin::broker_config`].
    pub async fn update_broker_config(&self, broker: &str, settings: &[(&str, &str)]) -> Result<(), ClientError> {
        let command = Command::request(request::UPDATE_BROKER_CONFIG).with_body(properties_text::write(settings));
        self.ask(broker, command).await.map(drop)
    }

    /// How a broker is: GET_BROKER_RUNTIME_INFO.
    ///
    /// # Errors
    /// As [`Admin::broker_config`].
    pub async fn runtime_info(&self, broker: &str) -> Result<BTreeMap<String, String>, ClientError> {
        let reply = self.ask(broker, Command::request(request::GET_BROKER_RUNTIME_INFO)).await?;
        reply.body::<KvTable>().map(|info| info.table)
    }

    /// One counter over the last minute, hour and day: VIEW_BROKER_STATS_DATA. What is counted is told by
    /// [`Counter::name`](crate::broker::stats::Counter::name), and `key` says of what.
    ///
    /// # Errors
    /// As [`Admin::broker_config`]; the broker refuses what was never counted.
    pub async fn broker_stats(&self, broker: &str, counter: &str, key: &str) -> Result<BrokerStatsData, ClientError> {
        let header = ViewStats { stats_name: counter.into(), stats_key: key.into() };
        self.ask(broker, request(request::VIEW_BROKER_STATS_DATA, header.to_ext())).await?.body()
    }

    /// Has a broker remove queue files of which all messages are gone from the log: CLEAN_EXPIRED_CONSUMEQUEUE.
    ///
    /// # Errors
    /// As [`Admin::broker_config`].
    pub async fn clean_expired_queues(&self, broker: &str) -> Result<(), ClientError> {
        self.ask(broker, Command::request(request::CLEAN_EXPIRED_CONSUMEQUEUE)).await.map(drop)
    }

    /// Has a broker remove segments of the log whose time is over, without waiting for the hour: DELETE_EXPIRED_COMMITLOG.
    ///
    /// # Errors
    /// As [`Admin::broker_config`].
    pub async fn delete_expired_log(&self, broker: &str) -> Result<(), ClientError> {
        self.ask(broker, Command::request(request::DELETE_EXPIRED_COMMITLOG)).await.map(drop)
    }

    /// Has a broker ask again what became of a transaction that it had given up: RESUME_CHECK_HALF_MESSAGE. `message_id` is the
    /// half message's offset id.
    ///
    /// # Errors
    /// As [`Admin::broker_config`].
    pub async fn resume_transaction_check(&self, broker: &str, message_id: &str) -> Result<(), ClientError> {
        let header = ResumeCheck { msg_id: message_id.into() };
        self.ask(broker, request(request::RESUME_CHECK_HALF_MESSAGE, header.to_ext())).await.map(drop)
    }
}
