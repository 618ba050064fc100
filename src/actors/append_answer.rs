//! What became of the puts of a batch, and who is told.

use std::time::Duration;

use actix::Recipient;
use tokio::sync::oneshot;

use super::commitlog_actor::AppendBatch;
use super::fault::notify;
use super::send_reply::SendReplies;
use crate::protocol::codes::response;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId};
use crate::store::{Placed, PutBatch, StoreError};

/// How far a stored message is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutStatus {
    /// As safe as the flush policy promises.
    Ok,
    /// Stored, but not synced in time.
    FlushDiskTimeout,
}

/// A put that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether the promise of the flush policy was kept.
    pub status: PutStatus,
    /// Where each of its messages lies.
    pub placed: Vec<Placed>,
}

/// Who is told what became of the puts of a batch.
#[derive(Debug)]
pub enum AppendAnswer {
    /// The clients that have sent them, by replies.
    Clients(SendReplies),
    /// Somebody in this process, of each put in order, when the promise of the flush policy is kept. The channel closes
    /// without a word when the broker ends before that.
    Caller(oneshot::Sender<Vec<Result<Stored, Refusal>>>),
    /// Nobody.
    Nobody,
}

impl AppendAnswer {
    /// Puts that nobody awaits any more.
    #[must_use]
    pub fn answered(&self) -> Vec<usize> {
        match self {
            Self::Clients(replies) => replies.answered(),
            Self::Caller(_) | Self::Nobody => Vec::new(),
        }
    }

    /// Tells those who do not wait for a promise to be kept; true if there are others.
    pub fn answer_at_once(&mut self, outcomes: &Outcomes) -> bool {
        match self {
            Self::Clients(replies) => replies.answer_at_once(outcomes),
            Self::Caller(_) => true,
            Self::Nobody => false,
        }
    }

    /// Tells everybody else.
    pub fn answer_all(self, outcomes: &Outcomes, status: PutStatus) {
        match self {
            Self::Clients(mut replies) => replies.answer_all(outcomes, status),
            // A caller that went away does not want to know.
            Self::Caller(caller) => drop(caller.send(outcomes.told(status))),
            Self::Nobody => {}
        }
    }

    /// Tells everybody that is not told yet why none of so many puts is acknowledged.
    pub fn refuse_all(self, refusal: &Refusal, puts: usize) {
        match self {
            Self::Clients(mut replies) => replies.refuse_all(refusal),
            Self::Caller(caller) => drop(caller.send(vec![Err(refusal.clone()); puts])),
            Self::Nobody => {}
        }
    }

    /// Those that are not told yet wait up to `limit` for a promise.
    pub fn let_wait(&self, limit: Duration) {
        if let Self::Clients(replies) = self {
            replies.let_wait(limit);
        }
    }
}

/// Has puts stored and waits until the promise of the flush policy is kept; tells what became of each.
///
/// # Errors
/// The broker has ended.
pub async fn append(to: &Recipient<AppendBatch>, puts: PutBatch) -> Result<Vec<Result<Stored, Refusal>>, Refusal> {
    let (tell, told) = oneshot::channel();
    notify(to, AppendBatch { puts, keys: Vec::new(), answer: AppendAnswer::Caller(tell) });
    told.await.map_err(|_| Refusal::new(response::SERVICE_NOT_AVAILABLE, "the writer of the log is gone"))
}

/// The same for who goes on from where the records end; a batch of no puts is not sent.
///
/// # Errors
/// The broker has ended.
pub async fn append_up_to(
    to: &Recipient<AppendBatch>,
    puts: PutBatch,
) -> Result<Vec<Result<PhysicalOffset, Refusal>>, Refusal> {
    if puts.is_empty() {
        return Ok(Vec::new());
    }
    let end = |stored: Stored| stored.placed.last().map(Placed::end).unwrap_or_default();
    Ok(append(to, puts).await?.into_iter().map(|outcome| outcome.map(end)).collect())
}

/// The same for who needs all of them stored.
///
/// # Errors
/// The broker has ended, or one was refused.
pub async fn append_all(to: &Recipient<AppendBatch>, puts: PutBatch) -> Result<(), Refusal> {
    append(to, puts).await?.into_iter().try_for_each(|outcome| outcome.map(|_| ()))
}

/// What became of the puts of a batch, in their order.
#[derive(Debug, Default)]
pub struct Outcomes {
    placed: Vec<Placed>,
    puts: Vec<Put>,
}

#[derive(Debug)]
enum Put {
    /// Its messages end here among the placed ones.
    Stored {
        end: usize,
    },
    /// The same, some of them by an earlier put, the first of them in this queue.
    Again {
        end: usize,
        queue_id: QueueId,
    },
    Refused {
        end: usize,
        refusal: Refusal,
    },
}

/// What became of one put.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Its messages lie here.
    Stored(&'a [Placed]),
    /// The same, where some may have been stored by an earlier put: the first of them in this queue.
    Again(&'a [Placed], QueueId),
    /// Why nothing of it was stored.
    Refused(&'a Refusal),
}

impl Outcomes {
    /// Forgets everything but keeps its room.
    pub fn clear(&mut self) {
        self.placed.clear();
        self.puts.clear();
    }

    /// Notes what `append` does with the next put.
    #[inline]
    pub fn record(&mut self, append: impl FnOnce(&mut Vec<Placed>) -> Result<(), StoreError>) {
        let appended = append(&mut self.placed);
        let end = self.placed.len();
        match appended {
            Ok(()) => self.puts.push(Put::Stored { end }),
            Err(error) => self.refused(error.into()),
        }
    }

    /// Notes where the messages of the next put lie, of which some may have been there before, the first of them in this
    /// queue.
    pub fn again(&mut self, placed: impl IntoIterator<Item = Placed>, queue_id: QueueId) {
        self.placed.extend(placed);
        self.puts.push(Put::Again { end: self.placed.len(), queue_id });
    }

    /// Notes that the next put is refused.
    #[cold]
    pub fn refused(&mut self, refusal: Refusal) {
        self.puts.push(Put::Refused { end: self.placed.len(), refusal });
    }

    /// Notes that the next put was passed over: its producer was told to try again.
    pub fn skipped(&mut self) {
        let refusal = Refusal::new(response::SYSTEM_BUSY, "the request had waited too long");
        self.refused(refusal);
    }

    /// How many puts there were.
    #[must_use]
    pub fn puts(&self) -> usize {
        self.puts.len()
    }

    /// Whether any of them is in the log.
    #[must_use]
    pub fn are_some_stored(&self) -> bool {
        !self.placed.is_empty()
    }

    /// What became of one put.
    ///
    /// # Panics
    /// There was no such put.
    #[must_use]
    pub fn of(&self, number: usize) -> Outcome<'_> {
        let begin = number.checked_sub(1).and_then(|before| self.puts.get(before)).map_or(0, Put::end);
        match self.puts.get(number).expect("a put has an outcome") {
            Put::Stored { end } => Outcome::Stored(self.placed.get(begin..*end).unwrap_or_default()),
            Put::Again { end, queue_id } => Outcome::Again(self.placed.get(begin..*end).unwrap_or_default(), *queue_id),
            Put::Refused { refusal, .. } => Outcome::Refused(refusal),
        }
    }

    fn told(&self, status: PutStatus) -> Vec<Result<Stored, Refusal>> {
        let told = |number| match self.of(number) {
            Outcome::Stored(placed) | Outcome::Again(placed, _) => Ok(Stored { status, placed: placed.to_vec() }),
            Outcome::Refused(refusal) => Err(refusal.clone()),
        };
        (0..self.puts.len()).map(told).collect()
    }
}

impl Put {
    fn end(&self) -> usize {
        match self {
            Self::Stored { end } | Self::Again { end, .. } | Self::Refused { end, .. } => *end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::units::QueueOffset;

    #[test]
    fn what_was_there_before_is_stored_as_well() {
        let at = |physical| Placed { physical: PhysicalOffset(physical), size: 100, queue_offset: QueueOffset(0) };
        let mut outcomes = Outcomes::default();
        outcomes.skipped();
        assert!(!outcomes.are_some_stored());
        outcomes.again([at(900), at(100)], QueueId(2));
        assert!(outcomes.are_some_stored());
        assert!(matches!(outcomes.of(1), Outcome::Again([_, _], QueueId(2))));
    }
}
