//! How much waits to be written to one connection, and to all of them together.

use super::{Peer, REPLY_BYTES_MAX, State};

/// While all connections together have more waiting than they may, one that has this much waiting gets no more.
const REPLY_BYTES_FAIR: usize = 16 * 1024;

impl State {
    /// Bytes of replies that have not left, slices of the log counted as if they were copies.
    fn waiting_bytes(&self) -> usize {
        self.acks.len() + self.writing_bytes + self.bulk_cost
    }

    /// Whether some reply has not left. Of one in bulk that is on its way the head counts until all of it has.
    pub(super) fn is_written_to(&self) -> bool {
        self.waiting_bytes() > 0
    }

    /// Whether somebody may wait for something of it to leave.
    pub(super) fn is_much(&self) -> bool {
        self.waiting_bytes() >= REPLY_BYTES_FAIR
    }
}

impl Peer {
    /// Whether so much waits to be written that nothing should be added to it.
    pub(super) fn is_full(&self, state: &State) -> bool {
        state.acks.len() + state.bulk_cost >= REPLY_BYTES_MAX || (state.is_much() && self.replies.is_spent())
    }

    /// Counts what waits now among that of all connections.
    pub(super) fn note_waiting(&self, state: &mut State) {
        let now = state.waiting_bytes();
        self.replies.recount(state.noted_bytes, now);
        state.noted_bytes = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::sync::Arc;

    use bytes::{BufMut, Bytes, BytesMut};

    use super::*;
    use crate::net::budget::Budget;
    use crate::net::bulk::{STEP_BYTES, Slices};
    use crate::net::ledger::Owing;
    use crate::net::peer::{CallError, Outgoing, Readiness, Terms};
    use crate::protocol::command::{Command, Serialization};
    use crate::protocol::units::{ConnectionId, Opaque};
    use crate::time::SystemClock;

    const IN_ALL: usize = 100_000;

    fn peer(number: u64, replies: &Arc<Budget>) -> Arc<Peer> {
        let address = ([127, 0, 0, 1], 1).into();
        let terms: Arc<[Terms]> = Arc::new([Terms::default()]);
        Peer::new(ConnectionId(number), address, address, SystemClock::shared(), terms, Arc::clone(replies), None)
    }

    fn owe(peer: &Peer) -> Option<crate::net::ledger::Line> {
        let (serialization, opaque) = (Serialization::Json, Opaque(1));
        let owing = Owing {
            opaque,
            serialization,
            oneway: false,
            code: 0,
            lane: Some(0),
            bytes: 1,
            lent: false,
            common: false,
        };
        peer.owe(std::iter::once(owing), std::time::Duration::ZERO).pop().unwrap()
    }

    fn answer(peer: &Peer, bytes: usize) {
        peer.settle(&mut [owe(peer)], |_, _, _, out| {
            out.put_bytes(0, bytes);
            true
        });
    }

    #[test]
    fn who_has_much_waiting_gets_no_more_while_all_have_too_much() {
        let replies = Arc::new(Budget::new(IN_ALL));
        let (silent, slow, quick) = (peer(1, &replies), peer(2, &replies), peer(3, &replies));
        answer(&slow, REPLY_BYTES_FAIR);
        answer(&silent, IN_ALL - REPLY_BYTES_FAIR - 1);
        let ready = |peer: &Peer| peer.readiness(owe(peer));
        assert_eq!((ready(&slow), ready(&quick)), (Readiness::Ready, Readiness::Ready));
        answer(&silent, 1);
        assert_eq!((ready(&silent), ready(&slow), ready(&quick)), (Readiness::Full, Readiness::Full, Readiness::Ready));
        // What is being written counts until it has left.
        let mut out = BytesMut::new();
        silent.next_outgoing(&mut out);
        assert_eq!(ready(&slow), Readiness::Full);
        out.clear();
        silent.next_outgoing(&mut out);
        assert_eq!((ready(&silent), ready(&slow)), (Readiness::Ready, Readiness::Ready));
        slow.close();
        assert_eq!(replies.taken(), 0);
    }

    /// Its memory would grow with whatever others send to it.
    #[actix::test]
    async fn who_takes_nothing_is_asked_nothing() {
        let peer = peer(1, &Arc::new(Budget::new(IN_ALL)));
        let limit = std::time::Duration::from_secs(1);
        let ask = async || tokio::time::timeout(limit * 20, peer.call(Command::request(1), limit)).await.unwrap();
        answer(&peer, REPLY_BYTES_MAX);
        let before = peer.state().acks.len();
        assert_eq!(ask().await.err(), Some(CallError::ReadsNothing));
        peer.notify(Command::request(1));
        assert_eq!(peer.state().acks.len(), before);
        peer.close();
        assert_eq!(ask().await.err(), Some(CallError::Closed));
    }

    #[test]
    fn a_connection_is_settled_when_the_last_reply_was_written() {
        let peer = peer(1, &Arc::new(Budget::new(IN_ALL)));
        let mut out = BytesMut::new();
        answer(&peer, 10);
        assert!(!peer.is_settled());
        peer.next_outgoing(&mut out);
        assert!(!peer.is_settled(), "it is being written");
        out.clear();
        peer.next_outgoing(&mut out);
        assert!(peer.is_settled());
        let slices = Slices::new([Bytes::from_static(b"body")]);
        peer.settle_in_bulk(owe(&peer).unwrap(), Box::new(slices), |head, _, _| head.put_slice(b"head"));
        peer.next_outgoing(&mut out);
        assert!(!peer.is_settled(), "it is being written in steps");
        peer.next_outgoing(&mut out);
        assert!(peer.is_settled());
    }

    fn answer_in_bulk(peer: &Peer, bytes: usize) {
        let slices = Slices::new([Bytes::from(vec![0; bytes])]);
        peer.settle_in_bulk(owe(peer).unwrap(), Box::new(slices), |head, _, _| head.put_slice(b"head"));
    }

    #[test]
    fn replies_that_fit_into_one_step_leave_together() {
        let peer = peer(1, &Arc::new(Budget::new(IN_ALL)));
        let large = STEP_BYTES + 1;
        for bytes in [STEP_BYTES / 2, STEP_BYTES / 4, 1, large, 2, large, STEP_BYTES / 2, STEP_BYTES / 2] {
            answer_in_bulk(&peer, bytes);
        }
        let mut together = Vec::new();
        while let Outgoing::Write(bulks) = peer.next_outgoing(&mut BytesMut::new()) {
            together.push(bulks.iter().map(|bulk| bulk.source.remaining()).collect::<Vec<_>>());
        }
        let expected: [&[usize]; 5] =
            [&[STEP_BYTES / 2, STEP_BYTES / 4, 1], &[large], &[2], &[large], &[STEP_BYTES / 2]];
        assert_eq!(together[..5], expected, "the heads take room as well");
        // What goes before them does, too.
        answer(&peer, STEP_BYTES);
        answer_in_bulk(&peer, 1);
        answer_in_bulk(&peer, 1);
        let Outgoing::Write(bulks) = peer.next_outgoing(&mut BytesMut::new()) else { panic!("there is something") };
        assert_eq!(bulks.len(), 1);
    }
}
