//! Sorts the requests of one connection into lanes and holds back those that no permit is left for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::peer::{Charge, Owing, Peer};
use super::router::{Request, Router};
use crate::protocol::codes::response;
use crate::protocol::error::ProtocolError;
use crate::protocol::frame::Frame;
use crate::protocol::refusal::Refusal;

/// Most bytes of requests that one connection may have waiting for a permit before it is read no further.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// What a request costs beyond its bytes: its place in the ledger, in a batch and in the tables of its fields.
const REQUEST_OVERHEAD_BYTES: usize = 256;

/// The requests of one connection between their decoding and their service.
pub(super) struct Intake {
    peer: Arc<Peer>,
    router: Arc<Router>,
    /// One batch per lane, filled by a read and handed over at its end.
    batches: Vec<Vec<Request>>,
    held: VecDeque<Held>,
    held_bytes: usize,
}

struct Held {
    lane: usize,
    bytes: usize,
    request: Request,
}

impl Intake {
    pub(super) fn new(peer: Arc<Peer>, router: Arc<Router>) -> Self {
        let batches = router.lanes().iter().map(|_| Vec::new()).collect();
        Self { peer, router, batches, held: VecDeque::new(), held_bytes: 0 }
    }

    /// Takes the frames of one read and hands each lane its share as one batch.
    pub(super) fn take(&mut self, frames: &mut Vec<Frame>, now: Duration) -> Result<(), ProtocolError> {
        for frame in frames.drain(..) {
            self.sort(&frame, now)?;
        }
        self.serve();
        Ok(())
    }

    fn sort(&mut self, frame: &Frame, now: Duration) -> Result<(), ProtocolError> {
        let command = frame.command()?;
        if command.is_reply() {
            self.peer.replied(command);
            return Ok(());
        }
        let bytes = frame.header.len() + frame.body.len() + REQUEST_OVERHEAD_BYTES;
        let Some(index) = self.router.lane_of(command.code) else {
            let reply = self.peer.owe(&command, frame.serialization, Owing::nothing(now));
            let remark = format!(" request type {} not supported", command.code);
            reply.refuse(Refusal::new(response::REQUEST_CODE_NOT_SUPPORTED, remark));
            return Ok(());
        };
        let Some(lane) = self.router.lanes().get(index) else { return Ok(()) };
        let lent = lane.budget.as_ref().is_none_or(|budget| self.held.is_empty() && budget.try_take(bytes));
        let budget = lane.budget.clone().filter(|_| lent);
        let owing = Owing { charge: Charge { bytes, budget }, patience: lane.patience, now };
        let reply = self.peer.owe(&command, frame.serialization, owing);
        let request = Request { command, serialization: frame.serialization, reply };
        if lent {
            if let Some(batch) = self.batches.get_mut(index) {
                batch.push(request);
            }
        } else {
            self.held_bytes += bytes;
            self.held.push_back(Held { lane: index, bytes, request });
        }
        Ok(())
    }

    fn serve(&mut self) {
        for (lane, batch) in self.router.lanes().iter().zip(&mut self.batches) {
            if !batch.is_empty() {
                let next = Vec::with_capacity(batch.len().min(64));
                lane.service.serve(std::mem::replace(batch, next));
            }
        }
    }

    /// Hands over what was held and has a permit now; what was answered for lateness meanwhile is dropped.
    pub(super) fn release_held(&mut self) {
        while let Some(held) = self.held.pop_front() {
            let Some(budget) = self.router.lanes().get(held.lane).and_then(|lane| lane.budget.as_ref()) else {
                continue;
            };
            if !held.request.reply.is_awaited() {
                self.held_bytes -= held.bytes;
                continue;
            }
            if !budget.try_take(held.bytes) {
                self.held.push_front(held);
                break;
            }
            self.held_bytes -= held.bytes;
            if !self.peer.lend(&held.request.reply, budget) {
                budget.give_back(held.bytes);
                continue;
            }
            if let Some(batch) = self.batches.get_mut(held.lane) {
                batch.push(held.request);
            }
        }
        self.serve();
    }

    /// Whether so much waits for permits that nothing more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX
    }

    /// Waits until something that is held may have a permit; for ever when nothing is held.
    pub(super) async fn permit(&self) {
        let budget = self.held.front().and_then(|held| self.router.lanes().get(held.lane)?.budget.clone());
        match budget {
            Some(budget) => budget.room().await,
            None => std::future::pending().await,
        }
    }
}

impl Owing {
    fn nothing(now: Duration) -> Self {
        Self { charge: Charge::default(), patience: None, now }
    }
}
