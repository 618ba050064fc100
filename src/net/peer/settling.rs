//! What must be right however the settling of a batch of requests ends, by a panic too.

use bytes::BytesMut;

use super::Peer;
use crate::net::ledger::Owing;

/// What is given back together: mostly all of one lane, whose budget is then told once.
pub(super) struct Freed<'a> {
    peer: &'a Peer,
    owing: Option<Owing>,
}

impl<'a> Freed<'a> {
    pub(super) fn of(peer: &'a Peer) -> Self {
        Self { peer, owing: None }
    }

    pub(super) fn extend(&mut self, struck: Option<Owing>) {
        let Some(owing) = struck.filter(|owing| owing.lent) else { return };
        match &mut self.owing {
            Some(freed) if freed.lane == owing.lane => freed.bytes += owing.bytes,
            _ => self.owing.replace(owing).iter().for_each(|other| self.peer.give_back(other)),
        }
    }
}

impl Drop for Freed<'_> {
    fn drop(&mut self) {
        self.owing.iter().for_each(|owing| self.peer.give_back(owing));
    }
}

/// Replies that are being written; half a one goes away again.
pub(super) struct WholeFrames<'a> {
    pub(super) bytes: &'a mut BytesMut,
    pub(super) whole: usize,
}

impl<'a> WholeFrames<'a> {
    pub(super) fn behind(bytes: &'a mut BytesMut) -> Self {
        Self { whole: bytes.len(), bytes }
    }
}

impl Drop for WholeFrames<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.whole);
    }
}
