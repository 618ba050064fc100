//! Sorts the requests of one connection into lanes and holds back those that no permit is left for.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::exchange::{Asked, Exchange};
use super::ledger::{Lines, Owing};
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
    /// What is to be told of the requests of this read before any of them is answered.
    asked: Vec<Exchange>,
}

/// What one read brings for a lane, handed over at its end, and what is held back.
#[derive(Default)]
struct LaneIntake {
    /// Made with the first request: few connections use more than one or two lanes.
    batch: Option<Box<dyn Batch>>,
    /// What opens the lines of the requests that the batch has taken.
    owing: Vec<Owing>,
    /// Requests that no permit was left for.
    held: VecDeque<Held>,
    held_bytes: usize,
}

struct Held {
    bytes: usize,
    request: Request,
}

impl Intake {
    pub(super) fn new(peer: Arc<Peer>, router: Arc<Router>) -> Self {
        let lanes = router.lanes().iter().map(|_| LaneIntake::default()).collect();
        Self { peer, router, scratch: HeaderScratch::default(), lanes, asked: Vec::new() }
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
        tell(&self.router, &mut self.asked);
        self.serve(now);
        self.scratch.forget_odd();
        outcome
    }

    fn sort(&mut self, frame: &FrameRef<'_>, now: Duration) -> Result<(), ProtocolError> {
        let Self { peer, router, scratch, lanes, asked } = self;
        let command = frame.command(scratch)?;
        if command.is_reply() {
            peer.replied(command.to_command(Bytes::copy_from_slice(frame.body)));
            return Ok(());
        }
        if router.exchanges().is_some() {
            asked.push(Exchange::Asked(Asked::of(&command, frame.body, peer.id, peer.remote)));
        }
        let bytes = frame.header.len() + frame.body.len() + REQUEST_OVERHEAD_BYTES;
        let index = router.lane_of(command.code);
        let owing = Owing::of(&command, frame.serialization, index);
        let served = index.map(usize::from).and_then(|index| router.lanes().get(index).zip(lanes.get_mut(index)));
        let Some((lane, intake)) = served else {
            tell(router, asked);
            let remark = format!(" request type {} not supported", command.code);
            let reply = single(peer, owing, now);
            reply.refuse(Refusal::new(response::REQUEST_CODE_NOT_SUPPORTED, remark));
            return Ok(());
        };
        let common = lane.budget().is_none();
        let lent = match lane.budget() {
            Some(budget) => intake.held.is_empty() && budget.try_take(bytes),
            None => {
                router.others().take(bytes);
                true
            }
        };
        let owing = Owing { bytes, lent, common, ..owing };
        if lent {
            // Noted first, so that a panic takes no permit with it.
            intake.owing.push(owing);
            intake.batch_of(lane).take(&command, frame.serialization, peer);
        } else {
            let reply = single(peer, owing, now);
            let command = command.to_command(Bytes::copy_from_slice(frame.body));
            intake.held_bytes += bytes;
            intake
                .held
                .push_back(Held { bytes, request: Request { command, serialization: frame.serialization, reply } });
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

    /// Hands over what was held and has a permit now, as one batch of each lane.
    pub(super) fn release_held(&mut self) {
        for (intake, lane) in self.lanes.iter_mut().zip(self.router.lanes()) {
            intake.release_held(lane, &self.peer);
        }
    }

    /// Bytes of requests that wait for a permit.
    pub(super) fn held_bytes(&self) -> usize {
        self.lanes.iter().map(|intake| intake.held_bytes).sum()
    }

    /// Whether so much waits for permits that nothing more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes() > HELD_BYTES_MAX
    }

    /// Waits until something that is held may have a permit; for ever when nothing is held.
    pub(super) async fn permit(&self) {
        let room_for = |(intake, lane): (&LaneIntake, &'_ Lane)| {
            let (bytes, budget) = (intake.held.front()?.bytes, Arc::clone(lane.budget()?));
            Some(Box::pin(async move { budget.room_for(bytes).await }))
        };
        let mut rooms: Vec<_> = self.lanes.iter().zip(self.router.lanes()).filter_map(room_for).collect();
        let mut any = |context: &mut Context<'_>| rooms.iter_mut().any(|room| room.as_mut().poll(context).is_ready());
        poll_fn(|context| if any(context) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Drop for Intake {
    /// What was taken of a read that a panic has ended: no line was opened that would give it back.
    fn drop(&mut self) {
        for (lane, intake) in self.router.lanes().iter().zip(&self.lanes) {
            let lent: usize = intake.owing.iter().filter(|owing| owing.lent).map(|owing| owing.bytes).sum();
            match lane.budget() {
                Some(budget) => budget.give_back(lent),
                None => self.router.others().give_back(lent),
            }
        }
    }
}

impl LaneIntake {
    fn batch_of(&mut self, lane: &Lane) -> &mut dyn Batch {
        &mut **self.batch.get_or_insert_with(|| lane.batch())
    }

    fn release_held(&mut self, lane: &Lane, peer: &Arc<Peer>) {
        let mut lines = Lines::new();
        while let Some(bytes) = self.held.front().map(|held| held.bytes)
            && let Some(budget) = lane.budget().filter(|budget| budget.try_take(bytes))
            && let Some(Held { request, .. }) = self.held.pop_front()
        {
            self.held_bytes -= bytes;
            let Request { command, serialization, reply } = request;
            let line = reply.into_line();
            if line.is_some_and(|line| peer.lend(line)) {
                lines.push(line);
                self.batch_of(lane).take(&command.as_ref(), serialization, peer);
            } else {
                // It was answered for lateness meanwhile.
                budget.give_back(bytes);
            }
        }
        if !lines.is_empty() {
            self.batch_of(lane).serve(Replies::new(Arc::clone(peer), lines));
        }
    }
}

impl Owing {
    /// A request that holds nothing yet.
    fn of(command: &CommandRef<'_>, serialization: Serialization, lane: Option<u8>) -> Self {
        let (opaque, oneway, code) = (command.opaque, command.is_oneway(), command.code);
        Self { opaque, serialization, oneway, code, lane, bytes: 0, lent: false, common: false }
    }
}

/// Tells whoever wants to know of what was asked.
fn tell(router: &Router, asked: &mut Vec<Exchange>) {
    if let Some(hook) = router.exchanges().filter(|_| !asked.is_empty()) {
        hook(std::mem::take(asked));
    }
}

/// Opens the line of a request that is in no batch.
fn single(peer: &Arc<Peer>, owing: Owing, now: Duration) -> ReplyTo {
    let line = peer.owe(std::iter::once(owing), now).pop().flatten();
    ReplyTo::new(Arc::clone(peer), line)
}
