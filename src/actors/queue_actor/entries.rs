//! How entries get into a queue, and who hears of it.

use actix::{AsyncContext, Context};

use super::{Enqueue, QueueActor};
use crate::actors::backlog::RETRY_AFTER;
use crate::actors::fault::{Guarded, Terminal, go_on_later, guarded, notify};
use crate::actors::flush_actor::QueueDirty;
use crate::actors::hold_actor::Wake;
use crate::broker::hold::Arrival;
use crate::protocol::units::QueueOffset;
use crate::store::{ConsumeQueue, Placement, QueueEntry, StoreError};

/// A queue that has waited for room places so many messages of dispatch before others on this arbiter have their turn.
const MESSAGES_AT_ONCE: usize = 16;

impl QueueActor {
    pub(super) fn enqueue(&mut self, enqueue: Enqueue, ctx: &mut Context<Self>) {
        if self.left.add(enqueue) {
            self.place(ctx);
        }
    }

    /// Places entries in the order in which they came. For want of room they are kept and tried again: until then their
    /// turns are not over, so that nobody takes them for dispatched.
    fn place(&mut self, ctx: &mut Context<Self>) {
        self.left.take_up();
        for message in 0.. {
            let Some(enqueue) = self.left.front_mut() else { break };
            if message == MESSAGES_AT_ONCE {
                self.left.pause();
                go_on_later(ctx, "entries", Self::place);
                break;
            }
            let first = self.queue.max_offset();
            let (placed, outcome) = append(&mut self.queue, enqueue);
            let entries = match self.awaited {
                true => enqueue.entries.iter().take(placed).map(|(_, entry)| *entry).collect(),
                false => Vec::new(),
            };
            enqueue.entries.drain(..placed);
            enqueue.extensions.drain(..placed.min(enqueue.extensions.len()));
            self.announce(first, entries);
            match outcome {
                Ok(()) => drop(self.left.done()),
                Err(error) if error.is_shortage() => {
                    if self.left.put_off() {
                        tracing::error!(%error, "messages are stored but cannot be consumed until there is room");
                    }
                    ctx.run_later(RETRY_AFTER, |actor, ctx| {
                        guarded(actor, ctx, "retry", Self::place);
                    });
                    break;
                }
                Err(error) => {
                    let at = format!("queue {} of {}", self.queue.queue_id(), self.queue.topic());
                    self.shared.faults.end(Terminal { actor: Self::NAME, at, cause: error.to_string() });
                    // What follows would land in wrong places; recovery brings all of it.
                    self.left.clear();
                    break;
                }
            }
        }
        self.note_use(ctx);
    }

    /// Tells those whose entry has come.
    pub(super) fn tell_of_growth(&mut self) {
        let max = self.queue.max_offset();
        for grown in self.growth.extract_if(.., |awaited| awaited.entry < max) {
            // Who waited may be gone.
            let _ = grown.tell.send(());
        }
    }

    /// Tells those who sync and those who wait what has come.
    fn announce(&mut self, first: QueueOffset, entries: Vec<QueueEntry>) {
        if !self.growth.is_empty() {
            self.tell_of_growth();
        }
        if let Some(sync) = self.queue.untold() {
            notify(&self.shared.dirty, QueueDirty { sync });
        }
        if self.awaited && self.queue.max_offset() > first {
            let arrival = Arrival { first, entries };
            let (topic, queue_id) = (self.queue.topic().clone(), self.queue.queue_id());
            notify(&self.shared.hold.wake, Wake { topic, queue_id, arrival });
        }
    }
}

/// Appends entries until one cannot be; tells how many were.
fn append(queue: &mut ConsumeQueue, enqueue: &Enqueue) -> (usize, Result<(), StoreError>) {
    let mut placed = 0;
    let mut extensions = enqueue.extensions.iter();
    let outcome = enqueue.entries.iter().try_for_each(|(offset, entry)| {
        if let Placement::OutOfStep(at) = queue.append_extended(*entry, *offset, extensions.next())? {
            let (topic, queue_id) = (queue.topic(), queue.queue_id());
            tracing::error!(%topic, %queue_id, %offset, %at, "entries are missing from a queue");
        }
        placed += 1;
        Ok(())
    });
    (placed, outcome)
}
