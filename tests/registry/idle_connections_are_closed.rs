//! Who neither says nor is told anything for a while is taken to be gone.
//!
//! Connections are looked over once a second. Whether anything was said since the last time is all that is known of it, so
//! silence counts from the look that found somebody talking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::request;
use ferromq::protocol::command::Command;
use ferromq::time::ManualClock;

use crate::member::{Member, succeeds};
use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

/// Well below the two minutes after which consumers are taken off for want of heartbeats.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
const MOST_OF_IT: Duration = Duration::from_secs(7);

async fn with_clock() -> (Cluster, Arc<ManualClock>) {
    let clock = ManualClock::at(1_700_000_000_000);
    let cluster =
        Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), idle_limit: IDLE_LIMIT, ..options });
    (cluster.await, clock)
}

fn question() -> Command {
    ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)])
}

/// Lets time pass until a connection is closed on which nothing was ever said: all have been looked over then.
async fn all_are_looked_over(broker: SocketAddr, clock: &ManualClock) {
    let mut mute = Raw::connect(broker).await;
    // Once it is served it is there to be looked over, which the next connection in the row tells.
    succeeds(&mut Raw::connect(broker).await, question()).await;
    clock.advance(IDLE_LIMIT);
    assert!(mute.is_closed().await);
}

/// Connections that are never silent for as long as they are kept awake.
struct Awake {
    talker: Raw,
    dribbler: Raw,
    listener: Member,
}

impl Awake {
    async fn connect(broker: SocketAddr) -> Self {
        let (talker, mut dribbler) = (Raw::connect(broker).await, Raw::connect(broker).await);
        // The lengths of a frame of 64 KiB, which never becomes whole, and of its header.
        assert!(dribbler.write(&[0, 1, 0, 0, 0, 0, 1, 0]).await);
        let mut listener = Member::join(broker, "listener", "CG").await;
        listener.has_heard(&["CG"]).await;
        Self { talker, dribbler, listener }
    }

    /// One asks, one says a byte more, and one is told that somebody came and went.
    async fn are_kept_awake(&mut self, broker: SocketAddr) {
        succeeds(&mut self.talker, question()).await;
        assert!(self.dribbler.write(b"{").await);
        drop(Member::join(broker, "passing", "CG").await);
        self.listener.is_told_of(&["CG", "CG"]).await;
    }
}

#[actix::test]
async fn who_says_or_is_told_something_stays_and_who_does_not_is_closed() {
    let (cluster, clock) = with_clock().await;
    let broker = cluster.broker.address();
    let mut awake = Awake::connect(broker).await;
    let mut quiet = Raw::connect(broker).await;
    succeeds(&mut quiet, question()).await;
    awake.are_kept_awake(broker).await;
    all_are_looked_over(broker, &clock).await;
    clock.advance(MOST_OF_IT);
    awake.are_kept_awake(broker).await;
    clock.advance(MOST_OF_IT);
    assert!(quiet.is_closed().await, "nothing was said for {:?}", 2 * MOST_OF_IT);
    // Whoever was to be closed with it is closed by the end of this.
    awake.are_kept_awake(broker).await;
    all_are_looked_over(broker, &clock).await;
    awake.are_kept_awake(broker).await;
    all_are_looked_over(broker, &clock).await;
    clock.advance(IDLE_LIMIT);
    let Awake { mut talker, mut dribbler, mut listener } = awake;
    assert!(
        talker.is_closed().await && dribbler.is_closed().await && listener.is_closed().await,
        "now they are silent"
    );
    cluster.stop().await;
}

#[actix::test]
async fn the_end_of_a_silent_member_is_told_to_its_group() {
    let (cluster, clock) = with_clock().await;
    let broker = cluster.broker.address();
    let mut silent = Member::join(broker, "silent", "CG").await;
    let mut other = Member::join(broker, "other", "CG").await;
    silent.has_heard(&["CG", "CG"]).await;
    other.has_heard(&["CG"]).await;
    all_are_looked_over(broker, &clock).await;
    clock.advance(MOST_OF_IT);
    other.beats(&["T"]).await;
    clock.advance(MOST_OF_IT);
    assert!(silent.is_closed().await);
    other.is_told_of(&["CG"]).await;
    cluster.stop().await;
}
