//! A client whose socket takes whatever there is does not keep the thread: others have their turn after each step.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, BytesMut};
use ferromq::net::bulk::BulkSource;
use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;

use crate::raw::Raw;
use crate::served::{CODE, Served};

/// Far less than a socket takes at once.
const SHORT_BYTES: usize = 20 * 1024;
const SHORT_ANSWERS: usize = 40;

/// A body of zeros that notes how many turns others had each time that some of it was taken.
struct Zeros {
    remaining: usize,
    turns: Arc<AtomicUsize>,
    seen: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl BulkSource for Zeros {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn cost(&self) -> usize {
        1
    }

    fn fill(&mut self, out: &mut BytesMut, step: usize) {
        let bytes = self.remaining.min(step);
        out.put_bytes(0, bytes);
        self.remaining -= bytes;
        self.seen.lock().unwrap().push(self.turns.load(Ordering::Relaxed));
    }
}

#[actix::test]
async fn after_a_step_of_short_answers_too() {
    let mut served = Served::start();
    let mut client = Raw::connect(served.server.local()).await;
    let mut requests = Vec::new();
    for _ in 0..SHORT_ANSWERS {
        client.send_as(Command::request(CODE), Serialization::Json).await;
        requests.push(served.request().await);
    }
    let (turns, seen) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    for request in requests {
        let zeros = Zeros { remaining: SHORT_BYTES, turns: Arc::clone(&turns), seen: Arc::clone(&seen) };
        request.reply.send_in_bulk(Box::new(zeros), |out, opaque, serialization| {
            frame::encode_prefix(&Command::reply(response::SUCCESS, opaque), serialization, SHORT_BYTES, out);
        });
    }
    let through = Rc::new(Cell::new(false));
    let others = actix_rt::spawn({
        let (turns, through) = (Arc::clone(&turns), Rc::clone(&through));
        async move {
            while !through.get() {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..SHORT_ANSWERS {
        assert_eq!(client.next().await.unwrap().body.len(), SHORT_BYTES);
    }
    through.set(true);
    others.await.unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    // Three fit into a step of 64 KiB, and a second one begins where the first was not full. Those who give up their turn
    // are woken in the reverse order, so that the last one may be the first of the next round.
    let longest = seen.chunk_by(|one, next| one == next).map(<[usize]>::len).max();
    assert!(longest.is_some_and(|longest| longest <= 12), "{seen:?}");
    served.stop().await;
}
