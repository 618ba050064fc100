//! Whether a pull is run at all, and with which filter.
//!
//! # Source
//! Order of the checks, codes and texts: `PullMessageProcessor.processRequest` 4.9.7 (read; texts recorded).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::clients::SubscriptionTable;
use crate::broker::filter::{ConsumerFilters, Filter, SqlFilter, TagFilter};
use crate::broker::groups::GroupTable;
use crate::broker::topics::TopicTable;
use crate::protocol::body::subscription::{EXPRESSION_SQL92, EXPRESSION_TAG};
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::codes::response;
use crate::protocol::headers::pull::PullHeader;
use crate::protocol::names::{RETRY_PREFIX, Topic};
use crate::protocol::refusal::{Refusal, SEE_FAQ};
use crate::protocol::sys_flag::pull as flags;
use crate::protocol::units::{ConsumedOffset, QueueId};

/// What the configuration says about pulls.
#[derive(Clone, Debug)]
pub struct PullRules {
    /// Whether the broker's own permission lets it be read.
    pub readable: bool,
    /// The longest hold when long polling is off.
    pub short_polling: Option<Duration>,
    /// `enablePropertyFilter`: whether conditions on properties are taken.
    pub property_filter: bool,
    /// `filterSupportRetry`: what is tried again is filtered as it was first.
    pub filter_retried: bool,
    /// `slaveReadEnable`: the group then says which broker is pulled from next.
    pub slave_read: bool,
}

/// What a broker knows about who pulls what.
pub struct Known<'a> {
    /// The topics.
    pub topics: &'a TopicTable,
    /// The groups.
    pub groups: &'a GroupTable,
    /// What the groups that are online want.
    pub subscriptions: &'a SubscriptionTable,
    /// The conditions of the groups that choose by properties.
    pub filters: &'a ConsumerFilters,
}

/// A pull that is run.
#[derive(Clone, Debug)]
pub struct AdmittedPull {
    /// Its topic.
    pub topic: Topic,
    /// Its queue.
    pub queue_id: QueueId,
    /// The first entry wanted.
    pub offset: ConsumedOffset,
    /// How many messages at most.
    pub wanted: u32,
    /// Which of them.
    pub filter: Filter,
    /// How long it may be held.
    pub suspend: Option<Duration>,
    /// How far the group has come: to be stored now, whatever becomes of the pull.
    pub commit: Option<ConsumedOffset>,
    /// The broker to pull from next.
    pub suggested: Suggested,
    /// Who pulls.
    pub group: Arc<SubscriptionGroupConfig>,
}

/// The broker id that a client is to pull from next; 0 stands for the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suggested {
    /// When all is well.
    pub usually: u64,
    /// When the group is far behind.
    pub when_behind: u64,
}

/// Why a pull is not run, or not yet.
#[derive(Debug, PartialEq, Eq)]
pub enum PullDenied {
    /// The group does not exist; whether it may be made is for the owner of the groups to say.
    UnknownGroup,
    /// It is not run.
    Refused(Refusal),
}

impl From<Refusal> for PullDenied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Decides about one pull.
///
/// # Errors
/// See [`PullDenied`].
pub fn admit(
    rules: &PullRules,
    known: &Known<'_>,
    header: &PullHeader<'_>,
    from: SocketAddr,
) -> Result<AdmittedPull, PullDenied> {
    if !rules.readable {
        return Err(forbidden("the broker pulling message is forbidden".into()).into());
    }
    let group = known.groups.find(&header.consumer_group).ok_or(PullDenied::UnknownGroup)?;
    if !group.consume_enable {
        return Err(forbidden(format!("subscription group no permission, {}", header.consumer_group)).into());
    }
    let Some((topic, config)) = known.topics.find(&header.topic) else {
        return Err(no_topic(&header.topic).into());
    };
    if !config.perm.readable() {
        return Err(forbidden(format!("the topic[{topic}] pulling message is forbidden")).into());
    }
    let queue_id = u32::try_from(header.queue_id).ok().filter(|queue_id| *queue_id < config.read_queue_nums);
    let Some(queue_id) = queue_id else {
        let queues = config.read_queue_nums;
        return Err(Refusal::error(format!(
            "queueId[{}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{queues}] consumer:[/{from}]",
            header.queue_id
        ))
        .into());
    };
    Ok(AdmittedPull {
        topic: topic.clone(),
        queue_id: QueueId(queue_id),
        offset: ConsumedOffset(header.queue_offset),
        wanted: u32::try_from(header.max_msg_nums).unwrap_or(0),
        filter: filter(rules, known, group, header)?,
        suspend: suspend(rules, header),
        commit: (header.sys_flag & flags::COMMIT_OFFSET != 0).then_some(ConsumedOffset(header.commit_offset)),
        // Unless slaves may be read, it is the master.
        suggested: match rules.slave_read {
            true => Suggested {
                usually: group.broker_id.unsigned_abs(),
                when_behind: group.which_broker_when_consume_slowly.unsigned_abs(),
            },
            false => Suggested::default(),
        },
        group: Arc::clone(group),
    })
}

fn filter(
    rules: &PullRules,
    known: &Known<'_>,
    group: &SubscriptionGroupConfig,
    header: &PullHeader<'_>,
) -> Result<Filter, Refusal> {
    if header.sys_flag & flags::SUBSCRIPTION != 0 {
        let expression = header.subscription.as_deref().unwrap_or_default();
        let language = header.expression_type.as_deref().unwrap_or_default();
        return own_filter(rules, language, expression);
    }
    let broadcast_allowed = group.consume_broadcast_enable;
    let wanted = known
        .subscriptions
        .for_pull(&header.consumer_group, &header.topic, header.sub_version, broadcast_allowed)
        .map_err(Refusal::from)?;
    if wanted.tags.takes_all() {
        return Ok(retried(rules, known, header).unwrap_or_else(Filter::all));
    }
    if wanted.data.is_by_tag() {
        return Ok(wanted.tags.clone().into());
    }
    let registered = known.filters.find(&header.topic, &header.consumer_group).ok_or_else(|| {
        let remark = "The broker's consumer filter data is not exist!Your expression may be wrong!";
        Refusal::new(response::FILTER_DATA_NOT_EXIST, remark)
    })?;
    if registered.client_version() < header.sub_version {
        let remark = "the consumer's consumer filter data not latest";
        return Err(Refusal::new(response::FILTER_DATA_NOT_LATEST, remark));
    }
    check_language(rules, &wanted.data.expression_type)?;
    Ok(Filter::Group(Arc::clone(registered)))
}

/// The filter of a pull that brings its own.
fn own_filter(rules: &PullRules, language: &str, expression: &str) -> Result<Filter, Refusal> {
    let unreadable = || Refusal::new(response::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed");
    if language.is_empty() || language == EXPRESSION_TAG {
        return TagFilter::parse(expression).map(Filter::from).ok_or_else(unreadable);
    }
    check_language(rules, language)?;
    SqlFilter::parse(expression).map(Filter::Properties).map_err(|error| {
        let Refusal { code, remark } = unreadable();
        Refusal::new(code, format!("{remark}: {error}"))
    })
}

/// What chooses among messages that are tried again, by what they were first chosen by.
fn retried(rules: &PullRules, known: &Known<'_>, header: &PullHeader<'_>) -> Option<Filter> {
    if !rules.filter_retried || !rules.property_filter || !header.topic.starts_with(RETRY_PREFIX) {
        return None;
    }
    let wanted = known.subscriptions.group(&header.consumer_group)?;
    let condition = |topic: &Arc<str>| {
        let registered = known.filters.find(topic, &header.consumer_group)?;
        Some((topic.to_string(), registered.filter().clone()))
    };
    let conditions: BTreeMap<_, _> = wanted.topics.keys().filter_map(condition).collect();
    (!conditions.is_empty()).then(|| Filter::Retried(Arc::new(conditions)))
}

fn check_language(rules: &PullRules, expressions: &str) -> Result<(), Refusal> {
    if rules.property_filter && expressions == EXPRESSION_SQL92 {
        return Ok(());
    }
    Err(Refusal::error(format!("The broker does not support consumer to filter message by {expressions}")))
}

fn suspend(rules: &PullRules, header: &PullHeader<'_>) -> Option<Duration> {
    let asked = u64::try_from(header.suspend_timeout_millis).ok().map(Duration::from_millis);
    let asked = asked.filter(|limit| header.sys_flag & flags::SUSPEND != 0 && !limit.is_zero())?;
    Some(rules.short_polling.map_or(asked, |short| short.min(asked)))
}

/// What a pull from a topic is told that is not there, or no more.
#[must_use]
pub fn no_topic(topic: &str) -> Refusal {
    Refusal::new(response::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist, apply first please! {SEE_FAQ}"))
}

fn forbidden(remark: String) -> Refusal {
    Refusal::new(response::NO_PERMISSION, remark)
}
