//! Bounds how many queues hold file descriptors and mappings at once: a process has some tens of thousands of each, and a
//! broker may have a hundred thousand queues.
//!
//! The queues that are open stand in a row, and when one too many opens its files, the one at the front is asked to let
//! go. One that was used meanwhile goes to the end instead and the next one is asked, a few times at most.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use actix::{Message, Recipient, WeakRecipient};

use super::fault::notify;

/// How many queues in use are passed over before one is closed all the same.
const CHANCES: u8 = 8;

/// Let go of your files, unless you have used them since you were asked last.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseIdle {
    /// How many more queues may be passed over; at zero it is closed used or not.
    pub chances: u8,
}

/// The row of open queues.
#[derive(Debug)]
pub struct OpenQueues {
    limit: usize,
    /// Standing here does not keep a queue alive whose topic is deleted.
    row: Mutex<VecDeque<WeakRecipient<CloseIdle>>>,
}

impl OpenQueues {
    /// A row of at most so many.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, row: Mutex::default() }
    }

    /// A queue that stands in the row no longer has opened its files.
    pub fn opened(&self, queue: Recipient<CloseIdle>) {
        self.enter(queue, CHANCES);
    }

    /// A queue that was asked to let go was in use.
    pub fn used(&self, queue: Recipient<CloseIdle>, asked: CloseIdle) {
        self.enter(queue, asked.chances.saturating_sub(1));
    }

    fn enter(&self, queue: Recipient<CloseIdle>, chances: u8) {
        let asked = {
            let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
            row.push_back(queue.downgrade());
            if row.len() > self.limit { row.pop_front() } else { None }
        };
        if let Some(oldest) = asked.and_then(|oldest| oldest.upgrade()) {
            notify(&oldest, CloseIdle { chances });
        }
    }
}
