//! Brokers that say nothing for two minutes are routed to no more, and their connection is closed.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::options::NamesrvOptions;
use ferromq::namesrv::config::NamesrvConfig;
use ferromq::properties_file::Origin;
use ferromq::protocol::codes::request;
use ferromq::time::ManualClock;
use serde_json::json;

use crate::by_hand::{Alone, MASTER_A, MASTER_B, SLAVE_A, brokers, data_version, only_are_left, succeeds, topics};

const START_MS: i64 = 1_700_000_000_000;
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A name server whose time the test tells, and that closes no connection for being idle: what closes one is the scan for
/// silent brokers, and nothing else.
async fn with_clock() -> (Alone, Arc<ManualClock>) {
    let clock = ManualClock::at(START_MS);
    let mut settings = NamesrvConfig::settings_at_default();
    settings.set(Origin::Flag, "test", "serverChannelMaxIdleTimeSeconds", "1000000").unwrap();
    let config = NamesrvConfig::from_settings(settings);
    let alone = Alone::start_with(|options| {
        let clock = clock.clone();
        NamesrvOptions { clock, config, ..options }
    });
    (alone.await, clock)
}

#[actix::test]
async fn whoever_is_silent_for_two_minutes_is_gone() {
    let (alone, clock) = with_clock().await;
    let (mut of_a, mut of_b) = (alone.connect().await, alone.connect().await);
    let (mut of_slave, mut client) = (alone.connect().await, alone.connect().await);
    succeeds(&mut of_a, MASTER_A.holds(1, &[("T", 4), ("OnlyA", 1)])).await;
    succeeds(&mut of_b, MASTER_B.holds(1, &[("T", 2)])).await;
    succeeds(&mut of_slave, SLAVE_A.holds(1, &[])).await;
    clock.advance(SILENCE_MAX);
    // To ask whether anything is new is a sign of life as long as nothing is.
    let asked = MASTER_B.asks(request::QUERY_DATA_VERSION).with_body(data_version(1).to_string().into());
    succeeds(&mut of_b, asked).await;
    let changed = SLAVE_A.asks(request::QUERY_DATA_VERSION).with_body(data_version(2).to_string().into());
    succeeds(&mut of_slave, changed).await;
    clock.advance(Duration::from_millis(1));
    assert!(of_a.is_closed().await, "the first scan comes five seconds after the start");
    assert!(of_slave.is_closed().await, "a broker that has news and does not tell them is silent");
    assert_eq!(brokers(&mut client).await, json!({"b": {"0": MASTER_B.address}}));
    assert_eq!(topics(&mut client).await, json!(["T"]));
    succeeds(&mut of_b, MASTER_B.holds(1, &[])).await;
    alone.stop().await;
}

#[actix::test]
async fn a_connection_that_is_closed_for_one_takes_the_others_along() {
    let (alone, clock) = with_clock().await;
    let (mut of_both, mut client) = (alone.connect().await, alone.connect().await);
    succeeds(&mut of_both, MASTER_A.holds(1, &[("OnlyA", 1)])).await;
    clock.advance(SILENCE_MAX);
    succeeds(&mut of_both, MASTER_B.holds(1, &[("T", 2)])).await;
    clock.advance(Duration::from_millis(1));
    assert!(of_both.is_closed().await, "one of its brokers is silent");
    only_are_left(&mut client, json!({})).await;
    assert_eq!(topics(&mut client).await, json!([]));
    alone.stop().await;
}
