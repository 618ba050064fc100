//! Replies whose body is large: written in steps, so that an acknowledgement never waits behind a megabyte.

use bytes::{Bytes, BytesMut};

/// Most bytes of a bulk reply that leave before acknowledgements get their turn again.
pub const STEP_BYTES: usize = 64 * 1024;

/// A reply's bytes, produced when the socket has room for them.
///
/// A reader that never takes its replies thus costs one list of places in the log, not copies of the messages.
pub trait BulkSource: Send {
    /// Bytes not yet produced.
    fn remaining(&self) -> usize;

    /// Bytes of memory that are held until the reply has left.
    fn cost(&self) -> usize;

    /// Appends up to `step` of the next bytes to `out`.
    fn fill(&mut self, out: &mut BytesMut, step: usize);
}

/// A body that lies in memory as a list of slices.
#[derive(Debug)]
pub struct Slices {
    slices: std::collections::VecDeque<Bytes>,
    remaining: usize,
}

impl Slices {
    /// A source that gives `slices` one after another.
    #[must_use]
    pub fn new(slices: impl IntoIterator<Item = Bytes>) -> Self {
        let slices: std::collections::VecDeque<Bytes> = slices.into_iter().collect();
        let remaining = slices.iter().map(Bytes::len).sum();
        Self { slices, remaining }
    }
}

impl BulkSource for Slices {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn cost(&self) -> usize {
        self.remaining
    }

    fn fill(&mut self, out: &mut BytesMut, step: usize) {
        let mut room = step;
        while room > 0
            && let Some(front) = self.slices.front_mut()
        {
            let part = front.split_to(front.len().min(room));
            out.extend_from_slice(&part);
            room -= part.len();
            self.remaining -= part.len();
            if front.is_empty() {
                self.slices.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_leave_in_order_and_in_steps() {
        let mut source = Slices::new([Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"defgh")]);
        let mut steps = Vec::new();
        while source.remaining() > 0 {
            let mut out = BytesMut::new();
            source.fill(&mut out, 4);
            steps.push(out.freeze());
        }
        assert_eq!(steps, [&b"abcd"[..], b"efgh"]);
    }
}
