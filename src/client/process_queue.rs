//! What was pulled from one queue and is not consumed yet: what a listener is given next, how far the group has come, and
//! whether more should be pulled.
//!
//! Decides only: whoever owns it pulls, calls the listener and tells the broker.
//!
//! # Source
//! `org.apache.rocketmq.client.impl.consumer.ProcessQueue` and `DefaultMQPushConsumerImpl.pullMessage` 4.9.7 (read).

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::protocol::body::consumer::ProcessQueueInfo;
use crate::protocol::message::Message;
use crate::protocol::units::QueueOffset;

/// An empty queue keeps room for so many messages, and for more only while it has some.
const PLACES_KEPT: usize = 128;

/// What may be held of one queue before pulling is put off.
///
/// See the example of [`ProcessQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldMax {
    /// Messages: `pullThresholdForQueue`.
    pub messages: usize,
    /// Bytes of their bodies: `pullThresholdSizeForQueue`, which RocketMQ gives in MiB.
    pub bytes: u64,
    /// Offsets from the first to the last of them: `consumeConcurrentlyMaxSpan`; none where messages are consumed in order,
    /// as no later one can be done before an earlier one.
    pub span: Option<u64>,
}

impl Default for HeldMax {
    fn default() -> Self {
        Self { messages: 1_000, bytes: 100 * 1024 * 1024, span: Some(2_000) }
    }
}

/// Why pulling is put off.
///
/// See the example of [`ProcessQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// So many messages are held.
    Messages(usize),
    /// So many bytes of bodies are held.
    Bytes(u64),
    /// So many offsets lie between the first and the last that is held.
    Span(u64),
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(count) => write!(f, "{count} messages are not consumed yet"),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes are not consumed yet"),
            Self::Span(span) => write!(f, "one message is not consumed, and {span} behind it were pulled"),
        }
    }
}

/// The messages of one queue.
///
/// # Example
/// ```
/// use ferromq::client::process_queue::{HeldMax, Pressure, ProcessQueue};
/// use ferromq::protocol::units::QueueOffset;
/// # use ferromq::protocol::message::Message;
/// # use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, StoreTime};
/// # let host = ([127, 0, 0, 1], 10911).into();
/// # let message = |offset| Message {
/// #     topic: "Invoices".into(), queue_id: QueueId(0), flag: 0, queue_offset: QueueOffset(offset),
/// #     physical_offset: PhysicalOffset(0), sys_flag: 0, born_time: BornTime(0), born_host: host,
/// #     store_time: StoreTime(0), store_host: host, reconsume_times: 0, prepared_transaction_offset: 0,
/// #     body_crc: 0, body: "number 1".into(), properties: "".into(),
/// # };
///
/// let mut queue = ProcessQueue::default();
/// queue.put([message(5), message(6), message(7)]);
/// let taken = queue.take(2);
/// // The group has come as far as the first message that is not consumed.
/// assert_eq!(queue.done([taken[1].queue_offset]), Some(QueueOffset(5)));
/// assert_eq!(queue.done([taken[0].queue_offset]), Some(QueueOffset(7)));
///
/// queue.put((8..20).map(message));
/// let max = HeldMax { messages: 10, ..HeldMax::default() };
/// assert_eq!(queue.pressure(&max), Some(Pressure::Messages(13)));
/// ```
#[derive(Debug, Default)]
pub struct ProcessQueue {
    /// By their offsets. What is done leaves its place empty until it is the first or the last one: most are done in turn.
    places: VecDeque<Place>,
    /// Messages that are held.
    held: usize,
    /// The offsets, in their order, of those that no listener has.
    waiting: VecDeque<QueueOffset>,
    bytes: u64,
    /// Behind the last one that was ever pulled.
    end: Option<QueueOffset>,
}

#[derive(Debug)]
struct Place {
    offset: QueueOffset,
    message: Option<Arc<Message>>,
}

impl ProcessQueue {
    /// Takes in what was pulled. What is held already stays as it is.
    pub fn put(&mut self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            let (offset, bytes) = (message.queue_offset, message.body.len() as u64);
            let place = self.place(offset);
            if place.message.is_some() {
                continue;
            }
            place.message = Some(Arc::new(message));
            self.held += 1;
            self.wait(offset);
            self.bytes += bytes;
            self.end = self.end.max(Some(QueueOffset(offset.0.saturating_add(1))));
        }
    }

    /// The place of an offset, which is made if need be.
    fn place(&mut self, offset: QueueOffset) -> &mut Place {
        let at = self.find(offset).unwrap_or_else(|at| {
            self.places.insert(at, Place { offset, message: None });
            at
        });
        &mut self.places[at]
    }

    /// Where the place of an offset is, or would be.
    fn find(&self, offset: QueueOffset) -> Result<usize, usize> {
        match self.places.back() {
            Some(last) if last.offset >= offset => {}
            _ => return Err(self.places.len()),
        }
        // Most queues have no gaps.
        let first = self.places.front().map_or(0, |first| first.offset.0);
        let at = offset.0.saturating_sub(first) as usize;
        if self.places.get(at).is_some_and(|place| place.offset == offset) {
            return Ok(at);
        }
        self.places.binary_search_by_key(&offset, |place| place.offset)
    }

    fn held(&self, offset: QueueOffset) -> Option<&Arc<Message>> {
        self.places.get(self.find(offset).ok()?)?.message.as_ref()
    }

    /// Notes that no listener has a message.
    fn wait(&mut self, offset: QueueOffset) {
        let at = if self.waiting.back().is_none_or(|last| *last < offset) {
            Err(self.waiting.len())
        } else {
            self.waiting.binary_search(&offset)
        };
        if let Err(at) = at {
            self.waiting.insert(at, offset);
        }
    }

    /// The first messages that no listener has, up to `max`; it has them from now on.
    pub fn take(&mut self, max: usize) -> Vec<Arc<Message>> {
        let mut taken = Vec::with_capacity(max.min(self.waiting.len()));
        while taken.len() < max
            && let Some(offset) = self.waiting.pop_front()
        {
            taken.extend(self.held(offset).map(Arc::clone));
        }
        taken
    }

    /// Notes that there is nothing more before `next`: what lies between was not wanted.
    pub fn reach(&mut self, next: QueueOffset) {
        self.end = self.end.max(Some(next));
    }

    /// Takes messages back that no listener was called with after all.
    pub fn untake(&mut self, offsets: impl IntoIterator<Item = QueueOffset>) {
        for offset in offsets {
            if self.held(offset).is_some() {
                self.wait(offset);
            }
        }
    }

    /// Takes messages back from a listener that could not consume them, so that it is given them again, with one more attempt
    /// counted.
    pub fn put_back(&mut self, offsets: impl IntoIterator<Item = QueueOffset>) {
        for offset in offsets {
            let place = self.find(offset).ok().and_then(|at| self.places.get_mut(at));
            if let Some(message) = place.and_then(|place| place.message.as_mut()) {
                let message = Arc::make_mut(message);
                message.reconsume_times = message.reconsume_times.saturating_add(1);
                self.wait(offset);
            }
        }
    }

    /// Notes that messages were consumed, or are somebody else's affair; gives how far the group has come.
    pub fn done(&mut self, offsets: impl IntoIterator<Item = QueueOffset>) -> Option<QueueOffset> {
        for offset in offsets {
            if self.waiting.front().is_some_and(|first| *first <= offset)
                && let Ok(at) = self.waiting.binary_search(&offset)
            {
                self.waiting.remove(at);
            }
            let place = self.find(offset).ok().and_then(|at| self.places.get_mut(at));
            if let Some(message) = place.and_then(|place| place.message.take()) {
                self.held -= 1;
                self.bytes -= message.body.len() as u64;
            }
        }
        self.close_up();
        self.progress()
    }

    /// Removes empty places at both ends.
    fn close_up(&mut self) {
        let is_empty = |place: Option<&Place>| place.is_some_and(|place| place.message.is_none());
        while is_empty(self.places.front()) {
            self.places.pop_front();
        }
        while is_empty(self.places.back()) {
            self.places.pop_back();
        }
        // There may be many queues, most of which are idle.
        if self.places.is_empty() && self.places.capacity() > PLACES_KEPT {
            (self.places, self.waiting) = Default::default();
        }
    }

    /// Up to where everything that was pulled is consumed; `None` as long as nothing was.
    #[must_use]
    pub fn progress(&self) -> Option<QueueOffset> {
        self.places.front().map(|first| first.offset).or(self.end)
    }

    /// Why no more should be pulled now, if so.
    #[must_use]
    pub fn pressure(&self, max: &HeldMax) -> Option<Pressure> {
        let span = self.span();
        if self.held > max.messages {
            Some(Pressure::Messages(self.held))
        } else if self.bytes > max.bytes {
            Some(Pressure::Bytes(self.bytes))
        } else {
            max.span.filter(|max| span > *max).map(|_| Pressure::Span(span))
        }
    }

    /// What administrators are told of it.
    #[must_use]
    pub fn info(&self) -> ProcessQueueInfo {
        let end = |place: Option<&Place>| place.map_or(0, |place| place.offset.0 as i64);
        ProcessQueueInfo {
            cached_msg_count: self.held as i32,
            cached_msg_min_offset: end(self.places.front()),
            cached_msg_max_offset: end(self.places.back()),
            cached_msg_size_in_mib: (self.bytes >> 20) as i32,
            commit_offset: self.progress().map_or(0, |offset| offset.0 as i64),
            ..ProcessQueueInfo::default()
        }
    }

    /// Whether there are messages that no listener has.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Whether a listener has any of them.
    #[must_use]
    pub fn is_being_consumed(&self) -> bool {
        self.held > self.waiting.len()
    }

    fn span(&self) -> u64 {
        let ends = self.places.front().zip(self.places.back());
        ends.map_or(0, |(first, last)| last.offset.0 - first.offset.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, StoreTime};

    fn message(offset: u64, bytes: usize) -> Message {
        let host = ([127, 0, 0, 1], 1).into();
        Message {
            topic: "T".into(),
            queue_id: QueueId(0),
            flag: 0,
            queue_offset: QueueOffset(offset),
            physical_offset: PhysicalOffset(offset * 100),
            sys_flag: 0,
            born_time: BornTime(0),
            born_host: host,
            store_time: StoreTime(0),
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body_crc: 0,
            body: Bytes::from(vec![0; bytes]),
            properties: "".into(),
        }
    }

    fn filled(offsets: impl IntoIterator<Item = u64>) -> ProcessQueue {
        let mut queue = ProcessQueue::default();
        queue.put(offsets.into_iter().map(|offset| message(offset, 10)));
        queue
    }

    fn offsets(messages: &[Arc<Message>]) -> Vec<u64> {
        messages.iter().map(|message| message.queue_offset.0).collect()
    }

    fn done(queue: &mut ProcessQueue, offsets: &[u64]) -> Option<u64> {
        queue.done(offsets.iter().copied().map(QueueOffset)).map(|progress| progress.0)
    }

    #[test]
    fn a_group_comes_as_far_as_the_first_message_that_is_not_consumed() {
        let mut queue = filled([5, 6, 9]);
        assert_eq!(offsets(&queue.take(10)), [5, 6, 9]);
        assert_eq!(done(&mut queue, &[6]), Some(5));
        assert_eq!(done(&mut queue, &[5]), Some(9));
        assert_eq!(done(&mut queue, &[9]), Some(10));
        assert!(queue.is_empty() && !queue.is_being_consumed());
        assert_eq!(ProcessQueue::default().progress(), None);
    }

    #[test]
    fn what_cannot_be_consumed_is_given_again_before_the_others() {
        let mut queue = filled(0..4);
        assert_eq!(offsets(&queue.take(2)), [0, 1]);
        queue.put_back([QueueOffset(0), QueueOffset(1), QueueOffset(77)]);
        assert!(!queue.is_being_consumed());
        assert_eq!(offsets(&queue.take(3)), [0, 1, 2]);
        // Pulled once more, it is still the same message, which the listener has.
        queue.put([message(1, 10), message(3, 10)]);
        assert_eq!(offsets(&queue.take(3)), [3]);
    }

    #[test]
    fn pulling_is_put_off_by_numbers_bytes_and_span() {
        let max = HeldMax { messages: 3, bytes: 100, span: Some(50) };
        assert_eq!(filled(0..3).pressure(&max), None);
        assert_eq!(filled(0..4).pressure(&max), Some(Pressure::Messages(4)));
        assert_eq!(filled([0, 50]).pressure(&max), None);
        assert_eq!(filled([0, 51]).pressure(&max), Some(Pressure::Span(51)));
        assert_eq!(filled([0, 51]).pressure(&HeldMax { span: None, ..max }), None);
        let mut queue = ProcessQueue::default();
        queue.put([message(0, 60), message(1, 41)]);
        assert_eq!(queue.pressure(&max), Some(Pressure::Bytes(101)));
        queue.take(2);
        assert_eq!(queue.pressure(&max), Some(Pressure::Bytes(101)), "a listener has them in memory, too");
        done(&mut queue, &[0]);
        assert_eq!(queue.pressure(&max), None);
    }

    #[test]
    fn what_nobody_was_called_with_comes_first_again_and_counts_as_no_attempt() {
        let mut queue = filled(0..4);
        queue.take(2);
        queue.untake([QueueOffset(1), QueueOffset(9)]);
        let again = queue.take(2);
        assert_eq!(offsets(&again), [1, 2]);
        assert!(again.iter().all(|message| message.reconsume_times == 0), "{again:?}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Pull(u64),
        Take(usize),
        Done(usize),
        PutBack(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_u64..5).prop_map(Step::Pull),
            (0_usize..5).prop_map(Step::Take),
            any::<usize>().prop_map(Step::Done),
            any::<usize>().prop_map(Step::PutBack),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        /// Whatever happens, nothing before the progress is left to be consumed, it never goes back, each message is with one
        /// listener at a time, and in the end all of them were given to one.
        #[test]
        fn nothing_is_skipped_and_nothing_is_given_twice_at_once(steps in steps(), gap in 1_u64..4) {
            let mut queue = ProcessQueue::default();
            let (mut pulled, mut given, mut consumed) = (0, Vec::new(), BTreeSet::new());
            let mut progress = None;
            for step in steps.into_iter().chain([Step::Take(usize::MAX)]) {
                match step {
                    Step::Pull(count) => {
                        queue.put((pulled..pulled + count).map(|offset| message(offset * gap, 1)));
                        pulled += count;
                    }
                    Step::Take(max) => {
                        let taken = offsets(&queue.take(max));
                        prop_assert!(taken.iter().all(|offset| !given.contains(offset) && !consumed.contains(offset)));
                        given.extend(taken);
                    }
                    Step::Done(which) if !given.is_empty() => {
                        let offset = given.swap_remove(which % given.len());
                        consumed.insert(offset);
                        done(&mut queue, &[offset]);
                    }
                    Step::PutBack(which) if !given.is_empty() => {
                        let offset = given.swap_remove(which % given.len());
                        queue.put_back([QueueOffset(offset)]);
                    }
                    Step::Done(_) | Step::PutBack(_) => {}
                }
                prop_assert!(queue.progress() >= progress);
                progress = queue.progress();
                let before = (0..pulled).map(|number| number * gap).filter(|offset| Some(QueueOffset(*offset)) < progress);
                let all_before = before.into_iter().all(|offset| consumed.contains(&offset));
                prop_assert!(all_before);
                prop_assert_eq!(queue.bytes, pulled - consumed.len() as u64);
                prop_assert_eq!(queue.is_being_consumed(), !given.is_empty());
            }
            prop_assert_eq!(given.len() + consumed.len(), pulled as usize);
        }
    }
}
