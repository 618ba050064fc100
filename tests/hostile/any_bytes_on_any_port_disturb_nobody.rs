//! Random bytes, and frames that random bytes were put into, on many connections to both servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, BytesMut};
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame;

use crate::fast_port::with_fast_port;
use crate::good_client::GoodClient;
use crate::raw::{Raw, ask_for, pull_from, send_to};

const SEED: u64 = 20_261_121;
const CONNECTIONS: usize = 300;
/// Codes above the highest that anybody has defined are answered alike.
const CODES: std::ops::Range<i32> = 0..400;

/// Nothing but noise.
fn noise(random: &mut fastrand::Rng) -> Vec<u8> {
    (0..random.usize(1..4096)).map(|_| random.u8(..)).collect()
}

/// A frame whose lengths are right around noise.
fn framed_noise(random: &mut fastrand::Rng) -> Vec<u8> {
    let header = noise(random);
    let mut out = Vec::new();
    out.put_u32(4 + header.len() as u32);
    out.put_u8(random.u8(..2));
    out.put_uint(header.len() as u64, 3);
    out.extend(header);
    out
}

/// Good requests of which some bytes were changed.
fn changed_requests(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = BytesMut::new();
    for request in [send_to("Bad", 0, "KEYS\u{1}k\u{2}", "body"), pull_from("Bad", 0, 0, 32)] {
        let serialization = *random.choice([Serialization::Json, Serialization::Binary].iter()).unwrap();
        frame::encode(&request, serialization, &mut out);
    }
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..out.len());
        out[at] = random.u8(..);
    }
    out.to_vec()
}

/// Requests of any code with fields that have the right names and any values, and noise for a body.
fn any_requests(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = BytesMut::new();
    for _ in 0..20 {
        let value: String = (0..random.usize(..20)).map(|_| random.char(..)).collect();
        let (long, int) = (random.i64(..), random.i32(-2..70_000));
        let request = ask_for(
            random.i32(CODES),
            &[
                ("topic", &value),
                ("b", &value),
                ("consumerGroup", &value),
                ("group", &value),
                ("queueId", &int),
                ("e", &int),
                ("offset", &long),
                ("queueOffset", &long),
                ("timestamp", &long),
                ("readQueueNums", &int),
                ("writeQueueNums", &int),
                ("perm", &int),
            ],
        );
        frame::encode(&request.with_body(noise(random).into()), Serialization::Json, &mut out);
    }
    out.to_vec()
}

/// Counts the panics of this process from now on, those that somebody catches too.
fn count_panics() -> Arc<AtomicUsize> {
    let (count, before) = (Arc::new(AtomicUsize::new(0)), std::panic::take_hook());
    let counted = Arc::clone(&count);
    std::panic::set_hook(Box::new(move |panic| {
        counted.fetch_add(1, Ordering::SeqCst);
        before(panic);
    }));
    count
}

#[actix::test]
async fn any_bytes_on_any_port_disturb_nobody() {
    let panics = count_panics();
    let (cluster, fast) = with_fast_port().await;
    let ports = [cluster.broker.address(), fast, cluster.namesrv.address()];
    let mut good = GoodClient::connect(&cluster, "Good").await;
    let random = &mut fastrand::Rng::with_seed(SEED);
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        let address = ports[number % ports.len()];
        let bytes = match random.u8(..4) {
            0 => noise(random),
            1 => framed_noise(random),
            2 => changed_requests(random),
            _ => any_requests(random),
        };
        let mut bad = Raw::connect(address).await;
        // Whether all of it is taken is the server's choice.
        bad.write(&bytes).await;
        if number % 30 == 0 {
            good.is_served().await;
        }
        open.push(bad);
    }
    good.is_served().await;
    GoodClient::connect(&cluster, "Late").await;
    assert!(cluster.broker.faults().terminal().is_none(), "seed {SEED}");
    assert_eq!(panics.load(Ordering::SeqCst), 0, "seed {SEED}");
    drop(open);
    cluster.stop().await;
}
