//! Pulls that found nothing and wait: which of them a new entry wakes, which have waited long enough.
//!
//! Does not answer anybody: what it gives back is run again by its queue, and that run never parks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::filter::Filter;
use crate::protocol::names::Topic;
use crate::protocol::units::{ConnectionId, QueueId, QueueOffset};
use crate::store::QueueEntry;

/// What a parked pull waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// The topic of the queue.
    pub topic: Topic,
    /// The queue.
    pub queue_id: QueueId,
    /// The first entry that it has not seen.
    pub from: QueueOffset,
    /// Entries that do not pass do not wake it.
    pub filter: Filter,
    /// When it has waited long enough, on the clock that [`HoldTable::expire`] is told.
    pub until: Duration,
    /// Who waits: it is forgotten when the connection ends.
    pub connection: ConnectionId,
}

/// New entries of one queue, as far as a waiting pull cares.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The queue offset of the first entry.
    pub first: QueueOffset,
    /// The entries, in order.
    pub entries: Vec<QueueEntry>,
}

/// How many pulls may wait at once. Those are bounded by bytes as well that have filters: their clients may bring them
/// along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// In all.
    pub total: usize,
    /// Of one connection.
    pub per_connection: usize,
    /// Bytes of their filters in all,
    pub filter_bytes: usize,
    /// and of one connection.
    pub filter_bytes_per_connection: usize,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { total: 500_000, per_connection: 50_000, filter_bytes: 128 << 20, filter_bytes_per_connection: 16 << 20 }
    }
}

/// The parked pulls of a broker; `P` is what is needed to run one again.
#[derive(Debug)]
pub struct HoldTable<P> {
    limits: HoldLimits,
    next: u64,
    parked: HashMap<u64, (Wait, P)>,
    by_queue: HashMap<Topic, HashMap<QueueId, HashSet<u64>>>,
    by_connection: HashMap<ConnectionId, OfConnection>,
    by_time: BTreeMap<(Duration, u64), ()>,
    filter_bytes: usize,
}

#[derive(Debug, Default)]
struct OfConnection {
    numbers: HashSet<u64>,
    filter_bytes: usize,
}

/// Conditions that are evaluated for one arrival: others on this arbiter wait so long. Whoever is behind them is woken, and
/// told by its queue what there is for it, if only where it is to go on.
const EVALUATED_MAX: usize = 1_024;

impl<P> HoldTable<P> {
    /// An empty table that never holds more.
    #[must_use]
    pub fn new(limits: HoldLimits) -> Self {
        Self {
            limits,
            next: 0,
            parked: HashMap::new(),
            by_queue: HashMap::new(),
            by_connection: HashMap::new(),
            by_time: BTreeMap::new(),
            filter_bytes: 0,
        }
    }

    /// Parks a pull.
    ///
    /// # Errors
    /// There are too many: the pull comes back.
    pub fn park(&mut self, wait: Wait, pull: P) -> Result<(), P> {
        let bytes = wait.filter.bytes();
        let (waiting, held) =
            self.by_connection.get(&wait.connection).map_or((0, 0), |of| (of.numbers.len(), of.filter_bytes));
        let HoldLimits { total, per_connection, filter_bytes, filter_bytes_per_connection } = self.limits;
        if self.parked.len() >= total
            || waiting >= per_connection
            || (bytes > 0 && (self.filter_bytes + bytes > filter_bytes || held + bytes > filter_bytes_per_connection))
        {
            return Err(pull);
        }
        let number = self.next;
        self.next += 1;
        let of_connection = self.by_connection.entry(wait.connection).or_default();
        of_connection.numbers.insert(number);
        of_connection.filter_bytes += bytes;
        self.filter_bytes += bytes;
        self.by_time.insert((wait.until, number), ());
        self.by_queue.entry(wait.topic.clone()).or_default().entry(wait.queue_id).or_default().insert(number);
        self.parked.insert(number, (wait, pull));
        Ok(())
    }

    /// Takes out the pulls that an arrival wakes; `passes` tells whether an entry passes a filter.
    pub fn arrived(
        &mut self,
        topic: &Topic,
        queue_id: QueueId,
        arrival: &Arrival,
        passes: impl Fn(&Filter, &QueueEntry) -> bool,
    ) -> Vec<P> {
        let Some(waiting) = self.by_queue.get(topic).and_then(|queues| queues.get(&queue_id)) else {
            return Vec::new();
        };
        let (parked, mut left) = (&self.parked, EVALUATED_MAX);
        let woken: Vec<u64> = waiting
            .iter()
            .copied()
            .filter(|number| parked.get(number).is_some_and(|(wait, _)| wait.is_ended_by(arrival, &passes, &mut left)))
            .collect();
        woken.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the pulls of a queue.
    pub fn of_queue(&mut self, topic: &Topic, queue_id: QueueId) -> Vec<P> {
        let waiting = self.by_queue.get(topic).and_then(|queues| queues.get(&queue_id));
        let numbers: Vec<u64> = waiting.into_iter().flatten().copied().collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the pulls that have waited long enough.
    pub fn expire(&mut self, now: Duration) -> Vec<P> {
        let mut expired = Vec::new();
        while let Some((&(until, number), ())) = self.by_time.first_key_value() {
            if until > now {
                break;
            }
            expired.extend(self.take(number));
        }
        expired
    }

    /// When the next pull will have waited long enough.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        self.by_time.first_key_value().map(|(&(until, _), ())| until)
    }

    /// Forgets the pulls of a connection that is gone.
    pub fn connection_closed(&mut self, connection: ConnectionId) {
        let numbers = self.by_connection.get_mut(&connection).map(|of| std::mem::take(&mut of.numbers));
        for number in numbers.unwrap_or_default() {
            self.take(number);
        }
    }

    /// Takes out everything.
    pub fn take_all(&mut self) -> Vec<P> {
        self.by_queue.clear();
        self.by_connection.clear();
        self.by_time.clear();
        self.filter_bytes = 0;
        self.parked.drain().map(|(_, (_, pull))| pull).collect()
    }

    /// How many pulls are parked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Whether none is parked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    fn take(&mut self, number: u64) -> Option<P> {
        let (wait, pull) = self.parked.remove(&number)?;
        self.by_time.remove(&(wait.until, number));
        let bytes = wait.filter.bytes();
        self.filter_bytes -= bytes;
        if let Some(of_connection) = self.by_connection.get_mut(&wait.connection) {
            of_connection.numbers.remove(&number);
            of_connection.filter_bytes -= bytes;
            if of_connection.numbers.is_empty() {
                self.by_connection.remove(&wait.connection);
            }
        }
        if let Some(queues) = self.by_queue.get_mut(&wait.topic) {
            if let Some(waiting) = queues.get_mut(&wait.queue_id) {
                waiting.remove(&number);
                if waiting.is_empty() {
                    queues.remove(&wait.queue_id);
                }
            }
            if queues.is_empty() {
                self.by_queue.remove(&wait.topic);
            }
        }
        Some(pull)
    }
}

impl Wait {
    /// Up to `left` conditions are evaluated to find out.
    fn is_ended_by(&self, arrival: &Arrival, passes: impl Fn(&Filter, &QueueEntry) -> bool, left: &mut usize) -> bool {
        let mut new = (arrival.first.0..).zip(&arrival.entries).filter(|(offset, _)| *offset >= self.from.0);
        new.any(|(_, entry)| {
            if self.filter.reads_records() {
                match left.checked_sub(1) {
                    Some(rest) => *left = rest,
                    None => return true,
                }
            }
            passes(&self.filter, entry)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::broker::filter::{SqlFilter, TagFilter};
    use crate::protocol::properties::tags_code;
    use crate::protocol::units::PhysicalOffset;

    fn wait(queue: u32, from: u64, filter: Filter, until_ms: u64) -> Wait {
        Wait {
            topic: Topic::parse("T").unwrap(),
            queue_id: QueueId(queue),
            from: QueueOffset(from),
            filter,
            until: Duration::from_millis(until_ms),
            connection: ConnectionId(u64::from(queue)),
        }
    }

    fn arrive(table: &mut HoldTable<&'static str>, queue: u32, first: u64, tags: &[&str]) -> Vec<&'static str> {
        let entry = |tag: &&str| QueueEntry { physical: PhysicalOffset(0), size: 100, tags_code: tags_code(tag) };
        let arrival = Arrival { first: QueueOffset(first), entries: tags.iter().map(entry).collect() };
        let passes = |filter: &Filter, entry: &QueueEntry| filter.passes(entry, None, |_| None);
        table.arrived(&Topic::parse("T").unwrap(), QueueId(queue), &arrival, passes)
    }

    #[test]
    fn an_arrival_wakes_the_pulls_of_its_queue_whose_filter_it_passes() {
        let mut table = HoldTable::new(HoldLimits::default());
        table.park(wait(0, 5, Filter::all(), 100), "all").unwrap();
        table.park(wait(0, 5, TagFilter::parse("A || B").unwrap().into(), 100), "a or b").unwrap();
        table.park(wait(1, 5, Filter::all(), 100), "other queue").unwrap();
        assert_eq!(arrive(&mut table, 0, 4, &["A"]), Vec::<&str>::new(), "it has seen entry 4");
        assert_eq!(arrive(&mut table, 0, 5, &["C"]), ["all"]);
        assert_eq!(arrive(&mut table, 0, 6, &["C", "B"]), ["a or b"]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn pulls_expire_in_the_order_of_their_time() {
        let mut table = HoldTable::new(HoldLimits::default());
        table.park(wait(0, 0, Filter::all(), 300), "late").unwrap();
        table.park(wait(0, 0, Filter::all(), 100), "early").unwrap();
        assert_eq!(table.next_expiry(), Some(Duration::from_millis(100)));
        assert_eq!(table.expire(Duration::from_millis(99)), Vec::<&str>::new());
        assert_eq!(table.expire(Duration::from_millis(100)), ["early"]);
        assert_eq!(table.expire(Duration::from_millis(400)), ["late"]);
        assert!(table.is_empty() && table.next_expiry().is_none() && table.by_queue.is_empty());
    }

    #[test]
    fn a_closed_connection_takes_its_pulls_along() {
        let mut table = HoldTable::new(HoldLimits::default());
        table.park(wait(0, 0, Filter::all(), 100), "zero").unwrap();
        table.park(wait(1, 0, Filter::all(), 100), "one").unwrap();
        table.connection_closed(ConnectionId(0));
        assert_eq!(table.take_all(), ["one"]);
        assert!(table.by_queue.is_empty() && table.by_connection.is_empty());
    }

    #[test]
    fn only_so_many_wait_of_one_connection_and_in_all() {
        let mut table = HoldTable::new(HoldLimits { total: 3, per_connection: 2, ..HoldLimits::default() });
        let park =
            |table: &mut HoldTable<u32>, connection| table.park(wait(connection, 0, Filter::all(), 100), connection);
        assert_eq!([0, 0, 0].map(|connection| park(&mut table, connection)), [Ok(()), Ok(()), Err(0)]);
        assert_eq!([1, 1, 2].map(|connection| park(&mut table, connection)), [Ok(()), Err(1), Err(2)]);
        table.connection_closed(ConnectionId(0));
        assert_eq!(park(&mut table, 2), Ok(()));
        assert_eq!(table.expire(Duration::from_millis(100)), [1, 2]);
        assert!(table.by_connection.is_empty());
    }

    #[test]
    fn filters_have_room_for_so_many_bytes() {
        let limits = HoldLimits { filter_bytes: 20, filter_bytes_per_connection: 12, ..HoldLimits::default() };
        let mut table = HoldTable::new(limits);
        let park = |table: &mut HoldTable<u32>, connection, tags: &str| {
            table.park(wait(connection, 0, TagFilter::parse(tags).unwrap().into(), 100), connection)
        };
        // Four bytes each.
        assert_eq!([0, 0].map(|connection| park(&mut table, connection, "A||B")), [Ok(()), Err(0)]);
        assert_eq!([park(&mut table, 0, "A"), park(&mut table, 0, "*")], [Ok(()), Ok(())]);
        assert_eq!([1, 2].map(|connection| park(&mut table, connection, "A||B")), [Ok(()), Err(2)]);
        table.connection_closed(ConnectionId(0));
        assert_eq!(park(&mut table, 2, "A||B"), Ok(()));
        // Who stays with one that lets everything pass has all the room again.
        table.park(wait(2, 0, Filter::all(), 300), 9).unwrap();
        assert_eq!(table.expire(Duration::from_millis(100)), [1, 2]);
        assert_eq!(park(&mut table, 2, "A||B||C"), Ok(()));
        assert_eq!(table.expire(Duration::from_millis(300)), [2, 9]);
        assert_eq!((table.filter_bytes, table.by_connection.len()), (0, 0));
    }

    /// Evaluating them all would hold up every queue.
    #[test]
    fn who_waits_behind_many_conditions_is_woken_to_look_for_itself() {
        let mut table = HoldTable::new(HoldLimits::default());
        let filter = || Filter::Properties(SqlFilter::parse("a = 1").unwrap());
        for _ in 0..3 {
            table.park(wait(0, 0, filter(), 100), "condition").unwrap();
        }
        table.park(wait(0, 0, TagFilter::parse("B").unwrap().into(), 100), "tag").unwrap();
        let tags = vec!["A"; EVALUATED_MAX / 2];
        assert_eq!(arrive(&mut table, 0, 0, &tags), ["condition"], "the first two cost all that may be evaluated");
        assert_eq!(arrive(&mut table, 0, 0, &tags), Vec::<&str>::new());
    }
}
