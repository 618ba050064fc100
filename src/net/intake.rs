//! Sorts the requests of one connection into lanes and holds back those that no permit is left for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ledger::Owing;
use super::peer::Peer;
use super::reply::{Replies, ReplyTo};
use super::router::{Batch, Lane, Request, Router};
use crate::protocol::codes::response;
use crate::protocol::command::{CommandRef, Serialization};
use crate::protocol::error::ProtocolError;
use crate::protocol::frame::{FrameRef, Frames, HeaderScratch};
use crate::protocol::refusal::Refusal;

/// Most bytes of requests that one connection may have waiting for a permit before it is read no further.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// What a request costs beyond its bytes: its place in the ledger, in a batch and in the tables of its fields.
const REQUEST_OVERHEAD_BYTES: usize = 256;

/// The requests of one connection between their decoding and their service.
pub(super) struct Intake {
    peer: Arc<Peer>,
    router: Arc<Router>,
    scratch: HeaderScratch,
    lanes: Vec<LaneIntake>,
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// What one read brings for a lane, handed over at its end.
#[derive(Default)]
struct LaneIntake {
    /// Made with the first request: few connections use more than one or two lanes.
    batch: Option<Box<dyn Batch>>,
    /// What opens the lines of the requests that the batch has taken.
    owing: Vec<Owing>,
}

struct Held {
    lane: usize,
    bytes: usize,
    request: Request,
}

impl Intake {
    pub(super) fn new(peer: Arc<Peer>, router: Arc<Router>) -> Self {
        let lanes = router.lanes().iter().map(|_| LaneIntake::default()).collect();
        Self { peer, router, scratch: HeaderScratch::default(), lanes, held: VecDeque::new(), held_bytes: 0 }
    }

    /// Takes the whole frames at the front of `bytes` and hands each lane its share as one batch. Gives the bytes of
    /// these frames.
    ///
    /// # Errors
    /// What follows them is no frame, or one of them has no header. Those ahead of it are served all the same.
    pub(super) fn take(&mut self, bytes: &[u8], frame_bytes_max: usize, now: Duration) -> Result<usize, ProtocolError> {
        let mut frames = Frames::of(bytes, frame_bytes_max);
        let outcome = loop {
            match frames.next_frame() {
                Ok(Some(frame)) => match self.sort(&frame, now) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(frames.consumed()),
                Err(error) => break Err(error),
            }
        };
        self.serve(now);
        outcome
    }

    fn sort(&mut self, frame: &FrameRef<'_>, now: Duration) -> Result<(), ProtocolError> {
        let Self { peer, router, scratch, lanes, held, held_bytes } = self;
        let command = frame.command(scratch)?;
        if command.is_reply() {
            peer.replied(command.to_command(Bytes::copy_from_slice(frame.body)));
            return Ok(());
        }
        let bytes = frame.header.len() + frame.body.len() + REQUEST_OVERHEAD_BYTES;
        let index = router.lane_of(command.code);
        let owing = Owing::of(&command, frame.serialization, index);
        let Some((index, lane)) = index.and_then(|index| Some((index, router.lanes().get(index)?))) else {
            let remark = format!(" request type {} not supported", command.code);
            let reply = single(peer, owing, now);
            reply.refuse(Refusal::new(response::REQUEST_CODE_NOT_SUPPORTED, remark));
            return Ok(());
        };
        let lent = lane.budget().is_none_or(|budget| held.is_empty() && budget.try_take(bytes));
        let owing = Owing { bytes, lent, ..owing };
        if lent {
            if let Some(intake) = lanes.get_mut(index) {
                intake.batch_of(lane).take(&command, frame.serialization, peer);
                intake.owing.push(owing);
            }
        } else {
            let reply = single(peer, owing, now);
            let command = command.to_command(Bytes::copy_from_slice(frame.body));
            *held_bytes += bytes;
            let request = Request { command, serialization: frame.serialization, reply };
            held.push_back(Held { lane: index, bytes, request });
        }
        Ok(())
    }

    fn serve(&mut self, now: Duration) {
        for intake in &mut self.lanes {
            if let Some(batch) = intake.batch.as_mut().filter(|_| !intake.owing.is_empty()) {
                let lines = self.peer.owe(intake.owing.drain(..), now);
                batch.serve(Replies::new(Arc::clone(&self.peer), lines));
            }
        }
    }

    /// Hands over what was held and has a permit now; what was answered for lateness meanwhile is dropped.
    pub(super) fn release_held(&mut self) {
        while let Some(held) = self.held.pop_front() {
            let Some(lane) = self.router.lanes().get(held.lane) else { continue };
            let Some((budget, line)) = lane.budget().zip(held.request.reply.line()) else {
                self.held_bytes -= held.bytes;
                continue;
            };
            if !self.peer.struck(&[Some(line)]).is_empty() {
                self.held_bytes -= held.bytes;
                continue;
            }
            if !budget.try_take(held.bytes) {
                self.held.push_front(held);
                break;
            }
            self.held_bytes -= held.bytes;
            if !self.peer.lend(line) {
                budget.give_back(held.bytes);
                continue;
            }
            if let Some(intake) = self.lanes.get_mut(held.lane) {
                let Request { command, serialization, reply } = held.request;
                let batch = intake.batch_of(lane);
                batch.take(&command.as_ref(), serialization, &self.peer);
                batch.serve(Replies::of_one(reply));
            }
        }
    }

    /// Whether so much waits for permits that nothing more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX
    }

    /// Waits until something that is held may have a permit; for ever when nothing is held.
    pub(super) async fn permit(&self) {
        let budget = self.held.front().and_then(|held| self.router.lanes().get(held.lane)?.budget().cloned());
        match budget {
            Some(budget) => budget.room().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Intake {
    /// What was taken of a read that a panic has ended: no line was opened that would give it back.
    fn drop(&mut self) {
        for (lane, intake) in self.router.lanes().iter().zip(&self.lanes) {
            let lent: usize = intake.owing.iter().filter(|owing| owing.lent).map(|owing| owing.bytes).sum();
            lane.budget().iter().for_each(|budget| budget.give_back(lent));
        }
    }
}

impl LaneIntake {
    fn batch_of(&mut self, lane: &Lane) -> &mut dyn Batch {
        &mut **self.batch.get_or_insert_with(|| lane.batch())
    }
}

impl Owing {
    /// A request that holds nothing yet.
    fn of(command: &CommandRef<'_>, serialization: Serialization, lane: Option<usize>) -> Self {
        Self { opaque: command.opaque, serialization, oneway: command.is_oneway(), lane, bytes: 0, lent: false }
    }
}

/// Opens the line of a request that is in no batch.
fn single(peer: &Arc<Peer>, owing: Owing, now: Duration) -> ReplyTo {
    let line = peer.owe(std::iter::once(owing), now).pop().flatten();
    ReplyTo::new(Arc::clone(peer), line)
}
