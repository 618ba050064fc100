//! Consumer groups as brokers have them configured.

use super::{Admin, request};
use crate::client::ClientError;
use crate::protocol::body::Body;
use crate::protocol::body::subscription_group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::topic::{DeleteGroup, OfGroup};
use crate::protocol::names::GroupName;

impl Admin {
    /// Makes a group at a broker, or gives it other settings: UPDATE_AND_CREATE_SUBSCRIPTIONGROUP.
    ///
    /// # Errors
    /// The broker cannot be asked, or refuses.
    pub async fn save_group(&self, broker: &str, group: &SubscriptionGroupConfig) -> Result<(), ClientError> {
        let command = Command::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP).with_body(group.encode());
        self.ask(broker, command).await.map(drop)
    }

    /// All groups of a broker with their settings: GET_ALL_SUBSCRIPTIONGROUP_CONFIG.
    ///
    /// # Errors
    /// As [`Admin::save_group`].
    pub async fn groups(&self, broker: &str) -> Result<SubscriptionGroupTable, ClientError> {
        self.ask(broker, Command::request(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).await?.body()
    }

    /// One group's settings: GET_SUBSCRIPTIONGROUP_CONFIG, which brokers know since RocketMQ 5.
    ///
    /// # Errors
    /// As [`Admin::save_group`].
    pub async fn group(&self, broker: &str, group: &GroupName) -> Result<SubscriptionGroupConfig, ClientError> {
        let header = OfGroup { group: group.to_string() };
        self.ask(broker, request(request::GET_SUBSCRIPTIONGROUP_CONFIG, header.to_ext())).await?.body()
    }

    /// Deletes a group at a broker, with its offsets if `with_offsets`: DELETE_SUBSCRIPTIONGROUP. A group that is not there is
    /// deleted as well as any other.
    ///
    /// # Errors
    /// As [`Admin::save_group`].
    pub async fn delete_group(&self, broker: &str, group: &GroupName, with_offsets: bool) -> Result<(), ClientError> {
        let group_name = group.to_string();
        let header = DeleteGroup { group_name, remove_offset: with_offsets, clean_offset: with_offsets };
        self.ask(broker, request(request::DELETE_SUBSCRIPTIONGROUP, header.to_ext())).await.map(drop)
    }
}
