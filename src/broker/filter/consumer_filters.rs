//! The SQL92 filters of all consumer groups, and the text that is kept of them.
//!
//! A filter outlives its consumers: it is marked dead when they go, and bit maps are computed for it for a day longer, so
//! that a group that comes back may use them. It is born anew, and what is older is read again, when its condition changes.
//!
//! # Source
//! `ConsumerFilterManager` and `ConsumerFilterData` 4.9.7 (read, and measured: store fixture `e-queue-ext`).

mod file;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use imbl::OrdMap;
use thiserror::Error;

use self::file::{FilterEntry, FilterFile};
use super::bloom::{BloomFilter, GroupBits};
use super::sql::{SqlError, SqlFilter};
use crate::broker::topics::Changed;
use crate::protocol::body::subscription::{EXPRESSION_SQL92, SubscriptionData};
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::names::{self, NameError};

/// A record that was stored so shortly after a filter was born may have got its bit map from the filters before it.
const BIRTH_MS: i64 = 1_000;
/// How long before a start a group is taken to have died that lived when the file was written.
const DEAD_BEFORE_START_MS: i64 = 30_000;

/// A group's condition on the messages of a topic.
#[derive(Clone, Debug)]
pub struct ConsumerFilter {
    filter: SqlFilter,
    expression: Arc<str>,
    client_version: i64,
    bits: GroupBits,
    born_ms: i64,
    died_ms: Option<i64>,
}

impl ConsumerFilter {
    /// The condition, to be evaluated on a record's properties.
    #[must_use]
    pub fn filter(&self) -> &SqlFilter {
        &self.filter
    }

    /// The `subVersion` of the subscription that this is of; a pull with a newer one is to wait for its heartbeat.
    #[must_use]
    pub fn client_version(&self) -> i64 {
        self.client_version
    }

    /// Whether the group has no consumer any more. A dead filter filters as a living one.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.died_ms.is_some()
    }

    /// Whether a record may be wanted, by the bit map in its queue's extension. Without one, or if it is older than the
    /// filter or hardly younger, it may be. Then the condition decides.
    #[must_use]
    pub fn may_want(&self, bit_map: &[u8], stored_ms: i64) -> bool {
        stored_ms <= self.born_ms.saturating_add(BIRTH_MS) || self.bits.may_be_in(bit_map)
    }

    fn revived(&self, client_version: i64) -> Self {
        Self { client_version, died_ms: None, ..self.clone() }
    }
}

/// Why a subscription makes no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConsumerFilterError {
    /// The type is neither TAG nor SQL92.
    #[error("expression type {0:?} is none of TAG and SQL92")]
    Type(String),
    /// Neither the topic nor the group can be called so.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There are too many.
    #[error(
        "there are {CONDITIONS_MAX} conditions already; those of groups that are gone are kept for filterDataCleanTimeSpan"
    )]
    TooMany,
    /// The condition cannot be read.
    #[error(transparent)]
    Expression(#[from] SqlError),
}

/// What of a `consumerFilter.json` was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotLoaded {
    /// Nothing was, because the bit maps have been computed with other settings.
    #[error(
        "the filter of group {group} for topic {topic} has bits {bits:?}, which are not of the bloom filter that is set"
    )]
    All {
        /// The first group whose bits do not fit.
        group: String,
        /// Its topic.
        topic: String,
        /// Its bits.
        bits: GroupBits,
    },
    /// One filter cannot be read.
    #[error("the filter of group {group} for topic {topic}: {reason}")]
    One {
        /// Its group.
        group: String,
        /// Its topic.
        topic: String,
        /// Why not.
        reason: ConsumerFilterError,
    },
}

/// Compiled, the longest conditions of so many groups take 1 GB.
const CONDITIONS_MAX: usize = 10_000;
/// A topic with more filters has no bit maps: each filter is evaluated for each record.
const MAPPED_MAX: usize = 64;

type FiltersByGroup = OrdMap<Arc<str>, Arc<ConsumerFilter>>;

/// The filters of all groups. Cloning shares everything, so that a copy can be published.
#[derive(Clone, Debug)]
pub struct ConsumerFilters {
    bloom: BloomFilter,
    /// By topic; none is there without a filter.
    by_topic: OrdMap<Arc<str>, FiltersByGroup>,
    count: usize,
    changed: bool,
}

impl ConsumerFilters {
    /// A table without filters.
    #[must_use]
    pub fn new(bloom: BloomFilter) -> Self {
        Self { bloom, by_topic: OrdMap::new(), count: 0, changed: false }
    }

    /// Reads the content of `consumerFilter.json`, and says what of it was not taken. Whoever lived then has died since.
    ///
    /// # Errors
    /// Text that is no such file.
    pub fn load(text: &str, bloom: BloomFilter, now_ms: i64) -> Result<(Self, Vec<NotLoaded>), BodyError> {
        let file: FilterFile = lenient::read(text.as_bytes())?;
        let mut filters = Self::new(bloom);
        let mut left_out = Vec::new();
        for (topic, group, entry) in file.into_entries() {
            if !bloom.made(&entry.bloom_filter_data) {
                let bits = entry.bloom_filter_data;
                return Ok((Self::new(bloom), vec![NotLoaded::All { group, topic, bits }]));
            }
            match compile(&entry.expression_type, &entry.expression) {
                Ok(filter) => filters.put(&topic, &group, loaded(entry, filter, now_ms)),
                Err(reason) => left_out.push(NotLoaded::One { group, topic, reason }),
            }
        }
        filters.changed = false;
        Ok((filters, left_out))
    }

    /// Takes a subscription of a group that has consumers. By tags, or with an empty condition, it makes no filter. With a
    /// newer `subVersion` it replaces the group's filter, with the same one it revives it, with an older one it is ignored.
    ///
    /// # Errors
    /// It makes no filter; the one that the group had is gone then, if this would have replaced it.
    pub fn register(
        &mut self,
        group: &str,
        subscription: &SubscriptionData,
        now_ms: i64,
    ) -> Result<Changed, ConsumerFilterError> {
        let SubscriptionData { topic, sub_string: expression, sub_version, expression_type, .. } = subscription;
        if subscription.is_by_tag() || expression.is_empty() {
            return Ok(Changed::No);
        }
        if let Some(known) = self.find(topic, group) {
            let is_same_condition = expression_type == EXPRESSION_SQL92 && **expression == *known.expression;
            match sub_version.cmp(&known.client_version) {
                Ordering::Less => return Ok(Changed::No),
                Ordering::Equal if !known.is_dead() => return Ok(Changed::No),
                Ordering::Greater if !is_same_condition => {}
                Ordering::Equal | Ordering::Greater => {
                    let revived = known.revived(*sub_version);
                    self.put(topic, group, revived);
                    return Ok(Changed::Yes);
                }
            }
        }
        let compiled = match self.count >= CONDITIONS_MAX && self.find(topic, group).is_none() {
            true => Err(ConsumerFilterError::TooMany),
            false => check_names(topic, group).and_then(|()| compile(expression_type, expression)),
        };
        let filter = match compiled {
            Ok(filter) => filter,
            Err(error) => {
                self.remove(topic, group);
                return Err(error);
            }
        };
        let registered = ConsumerFilter {
            filter,
            expression: expression.as_str().into(),
            client_version: *sub_version,
            bits: self.bloom.bits_of(group, topic),
            born_ms: now_ms,
            died_ms: None,
        };
        self.put(topic, group, registered);
        Ok(Changed::Yes)
    }

    /// Takes all subscriptions of a group, as a heartbeat brings them: the filters of other topics are dead then. Returns
    /// the topics whose subscription makes no filter, each with the reason.
    pub fn register_all<'a>(
        &mut self,
        group: &str,
        subscriptions: impl IntoIterator<Item = &'a SubscriptionData>,
        now_ms: i64,
    ) -> Vec<(String, ConsumerFilterError)> {
        let mut refused = Vec::new();
        let mut wanted = HashSet::new();
        for subscription in subscriptions {
            wanted.insert(subscription.topic.as_str());
            if let Err(error) = self.register(group, subscription, now_ms) {
                refused.push((subscription.topic.clone(), error));
            }
        }
        self.bury(group, now_ms, |topic| !wanted.contains(topic));
        refused
    }

    /// Marks the filters of a group dead that has no consumer any more.
    pub fn unregister(&mut self, group: &str, now_ms: i64) {
        self.bury(group, now_ms, |_| true);
    }

    fn bury(&mut self, group: &str, now_ms: i64, has_ended: impl Fn(&str) -> bool) {
        let living = self.by_topic.iter().filter_map(|(topic, filters)| {
            let living = filters.get(group).filter(|filter| !filter.is_dead() && has_ended(topic))?;
            // The clock may have been set back; who dies before its birth would not count as dead in the file.
            let died_ms = Some(now_ms.max(living.born_ms));
            Some((Arc::clone(topic), ConsumerFilter { died_ms, ..ConsumerFilter::clone(living) }))
        });
        for (topic, dead) in living.collect::<Vec<_>>() {
            self.put(&topic, group, dead);
        }
    }

    /// The filter of a group for a topic, dead or alive.
    #[must_use]
    pub fn find(&self, topic: &str, group: &str) -> Option<&Arc<ConsumerFilter>> {
        self.by_topic.get(topic)?.get(group)
    }

    /// The filters of a topic, dead ones included, by group.
    pub fn of_topic(&self, topic: &str) -> impl Iterator<Item = (&str, &ConsumerFilter)> {
        self.by_topic.get(topic).into_iter().flatten().map(|(group, filter)| (&**group, &**filter))
    }

    /// The bit map of a record with these properties (`enableCalcFilterBitMap`); `None` if its topic has no filters, or so
    /// many that each record would cost more than the reading of it that a bit map saves.
    #[must_use]
    pub fn bit_map(&self, topic: &str, properties_text: &str) -> Option<Vec<u8>> {
        let filters = self.by_topic.get(topic).filter(|filters| filters.len() <= MAPPED_MAX)?;
        let mut map = self.bloom.empty_map();
        for filter in filters.values().filter(|filter| filter.filter.passes(properties_text)) {
            filter.bits.set_in(&mut map);
        }
        Some(map)
    }

    /// Forgets what has been dead for `span_ms` (`filterDataCleanTimeSpan`); to be called before the file is written.
    pub fn clean(&mut self, now_ms: i64, span_ms: i64) -> Changed {
        let mut removed = Changed::No;
        for (topic, filters) in self.by_topic.clone() {
            let has_gone =
                |filter: &ConsumerFilter| filter.died_ms.is_some_and(|died| now_ms.saturating_sub(died) >= span_ms);
            for (group, _) in filters.iter().filter(|(_, filter)| has_gone(filter)) {
                self.remove(&topic, group);
                removed = Changed::Yes;
            }
        }
        removed
    }

    fn put(&mut self, topic: &str, group: &str, filter: ConsumerFilter) {
        let replaced = self.by_topic.entry(topic.into()).or_default().insert(group.into(), Arc::new(filter));
        self.count += usize::from(replaced.is_none());
        self.changed = true;
    }

    fn remove(&mut self, topic: &str, group: &str) {
        let Some(filters) = self.by_topic.get_mut(topic) else { return };
        if filters.remove(group).is_some() {
            self.count -= 1;
            self.changed = true;
        }
        if filters.is_empty() {
            self.by_topic.remove(topic);
        }
    }

    /// The filter of a group for a topic as the file has it, for people.
    #[must_use]
    pub fn describe(&self, topic: &str, group: &str) -> Option<String> {
        self.find(topic, group).map(|filter| pretty(&entry_of(topic, group, filter)))
    }

    /// The text of `consumerFilter.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let entries = self.by_topic.iter().flat_map(|(topic, filters)| {
            filters.iter().map(|(group, filter)| (&**topic, &**group, entry_of(topic, group, filter)))
        });
        pretty(&FilterFile::of_entries(entries))
    }

    /// The same if anything has changed since the last time.
    pub fn changed_json(&mut self) -> Option<String> {
        std::mem::take(&mut self.changed).then(|| self.to_json())
    }

    /// Says that writing the text failed, so that the next turn writes again.
    pub fn mark_changed(&mut self) {
        self.changed = true;
    }
}

fn check_names(topic: &str, group: &str) -> Result<(), ConsumerFilterError> {
    names::check_topic(topic)?;
    Ok(names::check_group(group)?)
}

fn compile(expression_type: &str, expression: &str) -> Result<SqlFilter, ConsumerFilterError> {
    if expression_type != EXPRESSION_SQL92 {
        return Err(ConsumerFilterError::Type(expression_type.to_owned()));
    }
    Ok(SqlFilter::parse(expression)?)
}

/// An entry of the file, of which it is dead whether the file says so or not.
fn loaded(entry: FilterEntry, filter: SqlFilter, now_ms: i64) -> ConsumerFilter {
    let is_dead = entry.dead_time >= entry.born_time;
    let died_ms =
        if is_dead { entry.dead_time } else { entry.born_time.max(now_ms.saturating_sub(DEAD_BEFORE_START_MS)) };
    ConsumerFilter {
        filter,
        expression: entry.expression.into(),
        client_version: entry.client_version,
        bits: entry.bloom_filter_data,
        born_ms: entry.born_time,
        died_ms: Some(died_ms),
    }
}

fn entry_of(topic: &str, group: &str, filter: &ConsumerFilter) -> FilterEntry {
    FilterEntry {
        bloom_filter_data: filter.bits.clone(),
        born_time: filter.born_ms,
        client_version: filter.client_version,
        consumer_group: group.to_owned(),
        dead: filter.is_dead(),
        dead_time: filter.died_ms.unwrap_or(0),
        expression: String::from(&*filter.expression),
        expression_type: EXPRESSION_SQL92.to_owned(),
        topic: topic.to_owned(),
    }
}

#[cfg(test)]
mod tests;
