//! Producers that are online.

use super::{Admin, request};
use crate::client::ClientError;
use crate::protocol::body::connection::{ProducerConnection, ProducerTableInfo};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::client::OfProducerGroup;
use crate::protocol::names::GroupName;

impl Admin {
    /// The connections of a group's producers to a broker: GET_PRODUCER_CONNECTION_LIST.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses: also when it knows none of them.
    pub async fn producer_connection(
        &self,
        broker: &str,
        group: &GroupName,
    ) -> Result<ProducerConnection, ClientError> {
        let header = OfProducerGroup { producer_group: group.to_string() };
        self.ask(broker, request(request::GET_PRODUCER_CONNECTION_LIST, header.to_ext())).await?.body()
    }

    /// Every producer of a broker by its group: GET_ALL_PRODUCER_INFO.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn producers(&self, broker: &str) -> Result<ProducerTableInfo, ClientError> {
        self.ask(broker, Command::request(request::GET_ALL_PRODUCER_INFO)).await?.body()
    }
}
