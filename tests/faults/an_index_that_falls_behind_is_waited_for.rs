//! An IndexActor that does not come along: dispatch waits for it before memory fills, and goes on when it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::actors::arbiters::supervise_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::index_actor::{IndexActor, IndexPorts};
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;

use crate::raw::{Raw, ask_for, send_to};
use crate::support::small;
use crate::writers::gate;

const MESSAGES: usize = 300;
/// Each message counts for itself and for its key.
const AHEAD_MAX: usize = 100;

fn max_offset() -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &"Keyed"), ("queueId", &0)])
}

fn offset_of(reply: &Command) -> usize {
    reply.ext.int64("offset").unwrap() as usize
}

#[actix::test]
async fn sends_go_on_and_consumers_see_what_is_indexed() {
    let directory = tempfile::tempdir().unwrap();
    let open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&open);
    let broker = Broker::builder(BrokerOptions { dispatch_ahead_max: AHEAD_MAX, ..small(&directory) })
        .index(move |parts, on| {
            let ports: IndexPorts = supervise_on(on, |_| IndexActor::new(parts)).into();
            IndexPorts { keys: gate(ports.keys, opened, on), ..ports }
        })
        .start()
        .await
        .unwrap();
    let mut client = Raw::connect(broker.address()).await;
    for number in 0..MESSAGES {
        let send = send_to("Keyed", 0, "KEYS\u{1}key\u{2}", format!("message {number}"));
        assert_eq!(client.ask(send).await.code, response::SUCCESS);
    }
    let seen = client.ask_until(max_offset(), |reply| offset_of(reply) >= AHEAD_MAX / 2).await;
    // A turn of dispatch is not cut short; sends that are answered one by one make small ones.
    assert!(offset_of(&seen) < AHEAD_MAX, "dispatched {} with none indexed", offset_of(&seen));
    open.store(true, Ordering::SeqCst);
    client.ask_until(max_offset(), |reply| offset_of(reply) == MESSAGES).await;
    broker.stop().await.unwrap();
}
