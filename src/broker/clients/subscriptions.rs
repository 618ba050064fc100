//! What the groups that are online want: the part of the client registry that every pull reads.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use imbl::OrdMap;
use thiserror::Error;

use crate::broker::filter::TagFilter;
use crate::protocol::body::heartbeat::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel};
use crate::protocol::body::subscription::SubscriptionData;
use crate::protocol::codes::response;
use crate::protocol::refusal::{Refusal, SEE_FAQ};

/// What a group wants of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTopic {
    /// As its members said.
    pub data: Arc<SubscriptionData>,
    /// Made once and not by each pull: a heartbeat of megabytes may name a million tags.
    pub tags: TagFilter,
}

impl From<Arc<SubscriptionData>> for WantedTopic {
    fn from(data: Arc<SubscriptionData>) -> Self {
        let tags = match data.takes_all() {
            true => TagFilter::all(),
            false => TagFilter::of_codes(data.code_set.iter().copied()),
        };
        Self { data, tags }
    }
}

/// What a group that is online wants, as its members' last heartbeats say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSubscription {
    /// Who drives the pulls.
    pub consume_type: ConsumeType,
    /// How members share messages.
    pub message_model: MessageModel,
    /// Where the group begins when it has stored no offset.
    pub consume_from_where: ConsumeFromWhere,
    /// What it wants, by topic.
    pub topics: BTreeMap<Arc<str>, WantedTopic>,
}

impl GroupSubscription {
    /// Takes over what a heartbeat says.
    ///
    /// Of a topic that stays, the newer subscription counts: members are restarted one by one, and an old one's heartbeat
    /// must not take back what a new one wants.
    ///
    /// # Source
    /// `ConsumerGroupInfo.updateSubscription` 4.9.7 (read).
    pub(super) fn take(&mut self, consumer: &ConsumerData) -> Taken {
        self.consume_type = consumer.consume_type;
        self.message_model = consumer.message_model;
        self.consume_from_where = consumer.consume_from_where;
        let before = self.topics.len();
        let wanted: HashSet<&str> = consumer.subscription_data_set.iter().map(|wanted| wanted.topic.as_str()).collect();
        self.topics.retain(|topic, _| wanted.contains(&**topic));
        let mut taken = Taken { topics_changed: self.topics.len() != before, changes: Vec::new() };
        for wanted in &consumer.subscription_data_set {
            match self.topics.get_mut(wanted.topic.as_str()) {
                Some(known) if wanted.sub_version > known.data.sub_version => {
                    let before = std::mem::replace(known, Arc::clone(wanted).into());
                    if before.data.sub_string != wanted.sub_string {
                        taken.changes.push((before.data, Arc::clone(wanted)));
                    }
                }
                Some(_) => {}
                None => {
                    self.topics.insert(wanted.topic.as_str().into(), Arc::clone(wanted).into());
                    taken.topics_changed = true;
                }
            }
        }
        taken
    }
}

/// What a heartbeat has changed.
pub(super) struct Taken {
    /// Whether topics came or went.
    pub(super) topics_changed: bool,
    /// What was wanted of a topic before, and what is now, where that is something else.
    pub(super) changes: Vec<(Arc<SubscriptionData>, Arc<SubscriptionData>)>,
}

/// Why a pull that relies on the group's heartbeats is refused. The texts are RocketMQ's; each is a response code of its
/// own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubscriptionRefusal {
    /// No member of the group is online: SUBSCRIPTION_NOT_EXIST.
    #[error("the consumer's group info not exist{faq}", faq = SEE_FAQ)]
    GroupOffline,
    /// The group consumes by broadcast and must not: NO_PERMISSION.
    #[error("the consumer group[{0}] can not consume by broadcast way")]
    BroadcastForbidden(Arc<str>),
    /// The group does not want the topic: SUBSCRIPTION_NOT_EXIST.
    #[error("the consumer's subscription not exist{faq}", faq = SEE_FAQ)]
    NotSubscribed,
    /// The consumer has changed its subscription and not yet said so by a heartbeat: SUBSCRIPTION_NOT_LATEST.
    #[error("the consumer's subscription not latest")]
    NotLatest,
}

impl From<SubscriptionRefusal> for Refusal {
    fn from(refusal: SubscriptionRefusal) -> Self {
        let code = match refusal {
            SubscriptionRefusal::GroupOffline | SubscriptionRefusal::NotSubscribed => response::SUBSCRIPTION_NOT_EXIST,
            SubscriptionRefusal::BroadcastForbidden(_) => response::NO_PERMISSION,
            SubscriptionRefusal::NotLatest => response::SUBSCRIPTION_NOT_LATEST,
        };
        Self::new(code, refusal.to_string())
    }
}

/// What all groups that are online want, at one moment. Cloning shares everything.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionTable {
    groups: OrdMap<Arc<str>, Arc<GroupSubscription>>,
}

impl SubscriptionTable {
    /// What a group wants, if a member is online.
    #[must_use]
    pub fn group(&self, group: &str) -> Option<&Arc<GroupSubscription>> {
        self.groups.get(group)
    }

    /// What a pull without a subscription of its own is filtered by. `sub_version` is the request's, and
    /// `broadcast_allowed` the group's setting.
    ///
    /// # Errors
    /// See [`SubscriptionRefusal`], checked in this order.
    ///
    /// # Source
    /// `PullMessageProcessor.processRequest` 4.9.7 (read; texts recorded).
    pub fn for_pull(
        &self,
        group: &str,
        topic: &str,
        sub_version: i64,
        broadcast_allowed: bool,
    ) -> Result<&WantedTopic, SubscriptionRefusal> {
        let (name, group) = self.groups.get_key_value(group).ok_or(SubscriptionRefusal::GroupOffline)?;
        if group.message_model == MessageModel::Broadcasting && !broadcast_allowed {
            return Err(SubscriptionRefusal::BroadcastForbidden(name.clone()));
        }
        let wanted = group.topics.get(topic).ok_or(SubscriptionRefusal::NotSubscribed)?;
        if wanted.data.sub_version < sub_version {
            return Err(SubscriptionRefusal::NotLatest);
        }
        Ok(wanted)
    }

    /// The groups that are online and want a topic.
    pub fn groups_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.groups.iter().filter(move |(_, group)| group.topics.contains_key(topic)).map(|(name, _)| name)
    }

    /// Whether nothing has changed since `other` was cloned from this; costs a comparison of pointers.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.groups.ptr_eq(&other.groups)
    }

    pub(super) fn insert(&mut self, group: Arc<str>, subscription: Arc<GroupSubscription>) {
        self.groups.insert(group, subscription);
    }

    pub(super) fn remove(&mut self, group: &str) {
        self.groups.remove(group);
    }
}
