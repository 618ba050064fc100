//! Pulls and what is answered to them.

use std::borrow::Cow;

use super::headers;
use crate::protocol::command::{ExtFields, ExtFieldsBuilder};
use crate::protocol::error::ProtocolError;

/// The fields of PULL_MESSAGE and LITE_PULL_MESSAGE; borrows from the received header.
///
/// # Source
/// `PullMessageRequestHeader` 4.9.7 (read); fixtures `frame_json_pull`, `frame_bin_pull`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullHeader<'a> {
    /// The consumer's group.
    pub consumer_group: Cow<'a, str>,
    /// The topic.
    pub topic: Cow<'a, str>,
    /// The queue.
    pub queue_id: i32,
    /// The first entry wanted.
    pub queue_offset: i64,
    /// How many messages at most.
    pub max_msg_nums: i32,
    /// Bits of [`crate::protocol::sys_flag::pull`].
    pub sys_flag: i32,
    /// How far the group has come, if the commit bit is set.
    pub commit_offset: i64,
    /// How long it may be held, in milliseconds, if the suspend bit is set.
    pub suspend_timeout_millis: i64,
    /// What it wants, if the subscription bit is set.
    pub subscription: Option<Cow<'a, str>>,
    /// The version of the subscription that it means.
    pub sub_version: i64,
    /// The language of `subscription`; TAG unless said.
    pub expression_type: Option<Cow<'a, str>>,
}

impl<'a> PullHeader<'a> {
    /// Reads the fields.
    ///
    /// # Errors
    /// Names the first field that is missing or cannot be read.
    pub fn parse(ext: &'a ExtFields) -> Result<Self, ProtocolError> {
        Ok(Self {
            consumer_group: ext.required("consumerGroup")?,
            topic: ext.required("topic")?,
            queue_id: ext.int32("queueId")?,
            queue_offset: ext.int64("queueOffset")?,
            max_msg_nums: ext.int32("maxMsgNums")?,
            sys_flag: ext.int32("sysFlag")?,
            commit_offset: ext.int64("commitOffset")?,
            suspend_timeout_millis: ext.int64("suspendTimeoutMillis")?,
            subscription: ext.get("subscription"),
            sub_version: ext.int64("subVersion")?,
            expression_type: ext.get("expressionType"),
        })
    }

    /// Appends the fields.
    pub fn write(&self, ext: &mut ExtFieldsBuilder) {
        ext.push("consumerGroup", &self.consumer_group).push("topic", &self.topic).push("queueId", self.queue_id);
        ext.push("queueOffset", self.queue_offset).push("maxMsgNums", self.max_msg_nums).push("sysFlag", self.sys_flag);
        ext.push("commitOffset", self.commit_offset).push("suspendTimeoutMillis", self.suspend_timeout_millis);
        ext.push_some("subscription", self.subscription.as_ref()).push("subVersion", self.sub_version);
        ext.push_some("expressionType", self.expression_type.as_ref());
    }
}

headers! {
    /// What a pull is answered with, besides messages.
    PullReplyHeader {
        /// The broker id to pull from next.
        suggest_which_broker_id: int64 "suggestWhichBrokerId",
        /// Where the next pull goes on.
        next_begin_offset: int64 "nextBeginOffset",
        /// The first entry that is there.
        min_offset: int64 "minOffset",
        /// The entry that will be written next.
        max_offset: int64 "maxOffset",
    }
}
