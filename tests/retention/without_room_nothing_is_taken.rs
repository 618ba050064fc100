//! When the disk is too full sends are told so, in RocketMQ's words, reads go on, and whoever stores something of the
//! broker's own waits. When there is room again everything goes on by itself.

use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::retention_actor::CleanNow;
use ferromq::actors::transaction_actor::CheckNow;
use ferromq::broker::config::TransactionSettings;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::{request, response};
use ferromq::store::StoreOptions;
use ferromq::time::Clock;

use crate::keeper::{Keeper, figure, fill, min_offset};
use crate::messages::{bodies, messages_in, wait_for};
use crate::raw::{Raw, ask_for, pull_from, send_to, with};

async fn is_refused(client: &mut Raw) {
    let reply = client.ask(send_to("T", 0, "", "x")).await;
    let remark = reply.remark.unwrap_or_default();
    assert_eq!(reply.code, response::SERVICE_NOT_AVAILABLE, "{remark}");
    let words = "service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL:  0.";
    assert!(remark.starts_with(words), "{remark}");
}

#[actix::test]
async fn sends_are_told_so_and_reads_go_on() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 2).await;
    assert!(!keeper.used(90).await);
    assert_eq!(client.ask(send_to("T", 0, "", "taken")).await.code, response::SUCCESS);
    assert!(keeper.used(91).await);
    is_refused(&mut client).await;
    assert_eq!(figure(&mut client, "commitLogDiskRatio").await, "0.91");
    assert_eq!(figure(&mut client, "consumeQueueDiskRatio").await, "0.91");
    assert_eq!(wait_for(&mut client, "T", 0, 0, max as usize + 1).await.len() as i64, max + 1);
    assert_eq!(client.ask(pull_from("T", 0, max + 1, 1)).await.code, response::PULL_NOT_FOUND);
    // A round that finds it half emptied goes on refusing, the next look does not.
    keeper.used_from_now_on(86);
    keeper.clean(CleanNow::QueuesOnly).await;
    is_refused(&mut client).await;
    assert!(!keeper.used(90).await);
    let sent = client.ask(send_to("T", 0, "", "again")).await;
    assert_eq!((sent.code, sent.ext.int64("queueOffset").unwrap()), (response::SUCCESS, max + 1));
    keeper.stop().await;
}

/// What is young goes too, ten at a time, when that is the only way to room.
#[actix::test]
async fn above_eighty_five_percent_segments_go_however_young_they_are() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 14).await;
    keeper.used(85).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 0);
    keeper.used(95).await;
    is_refused(&mut client).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 10);
    is_refused(&mut client).await;
    keeper.used_from_now_on(40);
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 0);
    let sent = client.ask(send_to("T", 0, "", "again")).await;
    assert_eq!((sent.code, sent.ext.int64("queueOffset").unwrap()), (response::SUCCESS, max));
    let min = min_offset(&mut client, "T", 0).await;
    assert_eq!(wait_for(&mut client, "T", 0, min, (max - min) as usize + 1).await.len() as i64, max - min + 1);
    keeper.stop().await;
}

#[actix::test]
async fn shares_and_hours_are_changed_while_it_runs() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let update = |text: &'static str| ask_for(request::UPDATE_BROKER_CONFIG, &[]).with_body(text.into());
    assert_eq!(client.ask(update("diskSpaceWarningLevelRatio=50")).await.code, response::SUCCESS);
    assert!(keeper.used(51).await);
    is_refused(&mut client).await;
    let wrong = client.ask(update("deleteWhen=25")).await;
    assert!(wrong.remark.unwrap().contains("deleteWhen: expected hours from 00 to 23"));
    assert_eq!(
        client.ask(update("deleteWhen=5\nfileReservedTime=1\ndiskSpaceWarningLevelRatio=90")).await.code,
        response::SUCCESS
    );
    assert!(!keeper.used(51).await);
    fill(&keeper, &mut client, "T", 3).await;
    // Five o'clock: what was written a day ago, as the clock sees it, is older than an hour.
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 2);
    keeper.stop().await;
}

/// Delay levels, delivery times and transactions lose nothing, and deliver when there is room.
#[actix::test]
async fn what_the_broker_stores_of_its_own_waits() {
    let keeper = Keeper::start_with(|options| BrokerOptions {
        store: StoreOptions { delay_levels_ms: vec![1_000, 2_000], ..options.store },
        timer: Some(TimerRules { ahead_ms_max: 3_600_000 }),
        transactions: TransactionSettings { timeout: Duration::from_secs(6), ..TransactionSettings::default() },
        ..options
    })
    .await;
    let mut client = keeper.client().await;
    for (properties, body) in [
        ("DELAY\u{1}1", "delayed"),
        ("TIMER_DELAY_MS\u{1}1500", "timed"),
        ("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG", "half"),
    ] {
        let sys_flag = if body == "half" { 4 } else { 0 };
        let send = with(with(send_to("T", 0, properties, body), "f", sys_flag), "g", keeper.clock.now_ms());
        assert_eq!(client.ask(send).await.code, response::SUCCESS, "{body}");
    }
    wait_for(&mut client, "SCHEDULE_TOPIC_XXXX", 0, 0, 1).await;
    assert!(keeper.used(95).await);
    keeper.clock.advance(Duration::from_secs(60));
    // A round of asking wants to copy the half message, and cannot.
    let mut client = keeper.client().await;
    keeper.broker.transactions().check.send(CheckNow).await.unwrap();
    is_refused(&mut client).await;
    assert_eq!(messages_in(&mut client, "T", 0, 0).await, []);
    let half_topic = "RMQ_SYS_TRANS_HALF_TOPIC";
    assert_eq!(wait_for(&mut client, half_topic, 0, 0, 1).await.len(), 1);
    assert!(!keeper.used(20).await);
    let mut delivered = bodies(&wait_for(&mut client, "T", 0, 0, 2).await);
    delivered.sort();
    assert_eq!(delivered, ["delayed", "timed"]);
    keeper.broker.transactions().check.send(CheckNow).await.unwrap();
    assert_eq!(bodies(&wait_for(&mut client, half_topic, 0, 1, 1).await), ["half"], "copied, to be asked about");
    keeper.stop().await;
}
