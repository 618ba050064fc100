//! Messages on their way into the log, as records already: everything is written but what the log alone knows.
//!
//! They are made by whoever has the messages, so that the one writer copies them and stamps three numbers into each.
//! What is deliberately absent: whether a message may be stored, and who is told what became of it.

use std::net::SocketAddr;
use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::error::StoreError;
use crate::protocol::message::{Message, PROPERTIES_LENGTH_MAX, RecordParts, body_crc};
use crate::protocol::names::Topic;
use crate::protocol::sys_flag;
use crate::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

/// A message to be stored: everything but what the log itself assigns.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// Where it goes.
    pub topic: &'a Topic,
    /// The queue of the topic.
    pub queue_id: QueueId,
    /// The application's own number.
    pub flag: i32,
    /// Bits of [`sys_flag`]; the host bits are set from the addresses.
    pub sys_flag: i32,
    /// When the producer made it.
    pub born_time: BornTime,
    /// Where the producer is.
    pub born_host: SocketAddr,
    /// Which broker this is.
    pub store_host: SocketAddr,
    /// How often a consumer has sent it back.
    pub reconsume_times: i32,
    /// Where the half message of a committed transaction lies; 0 for others.
    pub prepared_transaction_offset: u64,
    /// The properties text, complete.
    pub properties: &'a [u8],
    /// The body as it came.
    pub body: &'a [u8],
}

impl<'a> NewMessage<'a> {
    /// An ordinary message without properties, made by the broker at `host` itself.
    #[must_use]
    pub fn plain(topic: &'a Topic, queue_id: QueueId, born: BornTime, host: SocketAddr, body: &'a [u8]) -> Self {
        Self {
            topic,
            queue_id,
            flag: 0,
            sys_flag: 0,
            born_time: born,
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            properties: b"",
            body,
        }
    }
}

impl<'a> NewMessage<'a> {
    /// A stored message once more, somewhere else: everything else is as it was.
    #[must_use]
    pub fn again(message: &'a Message, topic: &'a Topic, queue_id: QueueId) -> Self {
        Self {
            topic,
            queue_id,
            flag: message.flag,
            sys_flag: message.sys_flag,
            born_time: message.born_time,
            born_host: message.born_host,
            store_host: message.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: 0,
            properties: message.properties.bytes(),
            body: &message.body,
        }
    }
}

/// Puts in the order in which they are to be stored. A put is one message, or several that are stored together or not at
/// all.
#[derive(Debug, Default)]
pub struct PutBatch {
    records: Vec<u8>,
    // Producers that wait for each answer bring one put at a time, which then takes no memory of its own.
    puts: SmallVec<[Put; 1]>,
    /// Each topic once per run of puts to it.
    topics: SmallVec<[Topic; 1]>,
}

#[derive(Clone, Copy, Debug)]
struct Put {
    /// Where its records end; they begin where those of the put before it end.
    end: usize,
    topic: usize,
    queue_id: QueueId,
}

/// One put of a batch.
#[derive(Clone, Copy, Debug)]
pub struct PutRef<'a> {
    /// Where it goes.
    pub topic: &'a Topic,
    /// The queue of the topic.
    pub queue_id: QueueId,
    /// Its records, one behind the other.
    pub records: &'a [u8],
}

impl PutBatch {
    /// Room for so many puts whose records take about so many bytes.
    #[must_use]
    pub fn with_capacity(puts: usize, bytes: usize) -> Self {
        Self { records: Vec::with_capacity(bytes), puts: SmallVec::with_capacity(puts), topics: SmallVec::new() }
    }

    /// A batch of one put of one message.
    ///
    /// # Errors
    /// As [`PutWriter::add`].
    pub fn of(message: &NewMessage<'_>) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        batch.push(message)?;
        Ok(batch)
    }

    /// Appends a put of one message.
    ///
    /// # Errors
    /// As [`PutWriter::add`].
    pub fn push(&mut self, message: &NewMessage<'_>) -> Result<(), StoreError> {
        let mut put = self.begin(message.topic, message.queue_id);
        put.add(message)?;
        put.finish();
        Ok(())
    }

    /// Begins a put of several messages.
    pub fn begin(&mut self, topic: &Topic, queue_id: QueueId) -> PutWriter<'_> {
        if self.topics.last() != Some(topic) {
            self.topics.push(topic.clone());
        }
        let topic = self.topics.len() - 1;
        let start = self.records.len();
        PutWriter { batch: self, start, topic, queue_id }
    }

    /// How many puts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.puts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty()
    }

    /// Bytes of all records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// The puts in order.
    pub fn iter(&self) -> impl Iterator<Item = PutRef<'_>> {
        let mut start = 0;
        self.puts.iter().map(move |put| {
            let records = self.range(std::mem::replace(&mut start, put.end)..put.end);
            let topic = self.topics.get(put.topic).expect("a put names a topic of its batch");
            PutRef { topic, queue_id: put.queue_id, records }
        })
    }

    /// Each put as a batch of its own.
    #[must_use]
    pub fn into_each(self) -> Vec<Self> {
        let each = self.iter().map(|put| Self {
            records: put.records.to_vec(),
            puts: smallvec![Put { end: put.records.len(), topic: 0, queue_id: put.queue_id }],
            topics: smallvec![put.topic.clone()],
        });
        each.collect()
    }

    fn range(&self, range: Range<usize>) -> &[u8] {
        self.records.get(range).expect("a put's records lie in its batch")
    }
}

/// A put that is being written; one that is not finished is not there.
#[derive(Debug)]
pub struct PutWriter<'a> {
    batch: &'a mut PutBatch,
    start: usize,
    topic: usize,
    queue_id: QueueId,
}

impl PutWriter<'_> {
    /// Adds a message, which goes to the topic and queue of the put.
    ///
    /// # Errors
    /// [`StoreError::PropertiesTooLong`], [`StoreError::Unstorable`]; nothing is added then.
    #[inline]
    pub fn add(&mut self, message: &NewMessage<'_>) -> Result<(), StoreError> {
        debug_assert_eq!(self.batch.topics.get(self.topic), Some(message.topic), "a put goes to one topic");
        if message.properties.len() > PROPERTIES_LENGTH_MAX {
            return Err(StoreError::PropertiesTooLong { length: message.properties.len() });
        }
        let is_inner_batch = message.sys_flag & sys_flag::INNER_BATCH != 0;
        if self.queue_id.0 > i32::MAX as u32 || is_inner_batch {
            return Err(unstorable(self.queue_id, is_inner_batch));
        }
        let record = RecordParts {
            topic: message.topic.as_str(),
            queue_id: self.queue_id,
            flag: message.flag,
            queue_offset: QueueOffset(0),
            physical_offset: PhysicalOffset(0),
            sys_flag: message.sys_flag,
            born_time: message.born_time,
            born_host: message.born_host,
            store_time: StoreTime(0),
            store_host: message.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: message.prepared_transaction_offset as i64,
            body_crc: body_crc(message.body),
            body: message.body,
            properties: message.properties,
        };
        record.append_to(&mut self.batch.records);
        Ok(())
    }

    /// Bytes of the records so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batch.records.len() - self.start
    }

    /// Puts it behind the others.
    pub fn finish(self) {
        let end = self.batch.records.len();
        self.batch.puts.push(Put { end, topic: self.topic, queue_id: self.queue_id });
    }
}

#[cold]
fn unstorable(queue_id: QueueId, is_inner_batch: bool) -> StoreError {
    let what = match is_inner_batch {
        true => "the flag of an inner batch (0x80)".to_owned(),
        false => format!("the queue number {queue_id}"),
    };
    StoreError::Unstorable { what }
}

impl Drop for PutWriter<'_> {
    fn drop(&mut self) {
        let finished = self.batch.puts.last().map_or(0, |put| put.end);
        self.batch.records.truncate(finished);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Whatever the way on which a message comes here: the log would end at it at the next start.
    #[test]
    fn what_could_not_be_read_again_is_no_put() {
        let (topic, host) = (Topic::parse("T").unwrap(), "127.0.0.1:1".parse().unwrap());
        let message = |queue_id| NewMessage::plain(&topic, QueueId(queue_id), BornTime(0), host, b"");
        assert!(PutBatch::of(&message(i32::MAX as u32)).is_ok());
        let mut batch = PutBatch::of(&message(0)).unwrap();
        let bytes = batch.bytes();
        for unstorable in [message(1 << 31), NewMessage { sys_flag: sys_flag::INNER_BATCH, ..message(0) }] {
            assert!(matches!(batch.push(&unstorable), Err(StoreError::Unstorable { .. })));
        }
        assert_eq!((batch.len(), batch.bytes()), (1, bytes));
    }
}
