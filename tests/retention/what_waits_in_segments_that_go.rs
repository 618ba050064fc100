//! A segment that goes by force may hold messages that wait for their time or their ending. They are gone with it; what comes
//! behind them is not held up.

use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::retention_actor::CleanNow;
use ferromq::actors::transaction_actor::CheckNow;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::response;
use ferromq::store::StoreOptions;

use crate::keeper::{Keeper, fill, succeeded};
use crate::messages::{bodies, lies_at, messages_in, wait_for};
use crate::producer::{COMMIT, Producer, end};
use crate::raw::{Raw, send_to};

async fn send(client: &mut Raw, properties: &str, body: &str) -> i64 {
    lies_at(&client.ask(send_to("T", 0, properties, body.to_owned())).await)
}

#[actix::test]
async fn they_are_passed_over_and_what_follows_them_is_delivered() {
    let keeper = Keeper::start_with(|options| BrokerOptions {
        store: StoreOptions { delay_levels_ms: vec![3_600_000], ..options.store },
        timer: Some(TimerRules { ahead_ms_max: 7_200_000 }),
        ..options
    })
    .await;
    let mut client = keeper.client().await;
    for number in 0..30 {
        send(&mut client, "DELAY\u{1}1", &format!("gone {number}")).await;
        send(&mut client, "TIMER_DELAY_SEC\u{1}3600", &format!("gone as well {number}")).await;
    }
    let mut producer = Producer::join(keeper.broker.address(), "p").await;
    let lost = producer.begin("lost").await;
    // The topic comes with the first round.
    keeper.broker.transactions().check.send(CheckNow).await.unwrap();
    wait_for(&mut client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 0, 1).await;
    let filler = fill(&keeper, &mut client, "Filler", 4).await;
    send(&mut client, "DELAY\u{1}1", "delayed").await;
    send(&mut client, "TIMER_DELAY_SEC\u{1}3600", "timed").await;
    let kept = producer.begin("kept").await;
    wait_for(&mut client, "RMQ_SYS_TRANS_HALF_TOPIC", 0, 0, 2).await;
    keeper.used(86).await;
    let removed = keeper.clean(CleanNow::Due).await;
    assert!(removed.segments >= 3, "{removed:?}");
    assert_eq!(keeper.segments(), 1, "all but the last are gone");
    keeper.used(10).await;
    let mut client = keeper.after_hours(1).await;
    let mut delivered = bodies(&wait_for(&mut client, "T", 0, 0, 2).await);
    delivered.sort();
    assert_eq!(delivered, ["delayed", "timed"]);
    // Whose message is gone is told so; the other one is ended as ever.
    assert_ne!(client.ask(end(lost, COMMIT)).await.code, response::SUCCESS);
    succeeded(&client.ask(end(kept, COMMIT)).await);
    assert_eq!(bodies(&wait_for(&mut client, "T", 2, 0, 1).await), ["kept"]);
    keeper.broker.transactions().check.send(CheckNow).await.unwrap();
    // Everybody goes on.
    send(&mut client, "DELAY\u{1}1", "delayed later").await;
    send(&mut client, "TIMER_DELAY_SEC\u{1}3600", "timed later").await;
    wait_for(&mut client, "SCHEDULE_TOPIC_XXXX", 0, 31, 1).await;
    let mut client = keeper.after_hours(1).await;
    let mut delivered = bodies(&wait_for(&mut client, "T", 0, 2, 2).await);
    delivered.sort();
    assert_eq!(delivered, ["delayed later", "timed later"]);
    assert!(filler > 0 && messages_in(&mut client, "T", 0, 4).await.is_empty());
    let directory = keeper.stop().await;
    // A start with nothing of it left is a start like any other.
    let keeper = Keeper::start_in(directory, |options| BrokerOptions {
        store: StoreOptions { delay_levels_ms: vec![3_600_000], ..options.store },
        timer: Some(TimerRules { ahead_ms_max: 7_200_000 }),
        ..options
    })
    .await;
    keeper.clock.advance(Duration::from_secs(7_200));
    let mut client = keeper.client().await;
    send(&mut client, "", "plain").await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 4, 1).await), ["plain"]);
    keeper.stop().await;
}
