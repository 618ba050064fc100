//! Delivery times that cannot be kept are refused, and mean nothing to a broker that was not asked to keep any.

use ferromq::actors::options::BrokerOptions;
use ferromq::broker::timer::TimerRules;
use ferromq::protocol::codes::response;
use ferromq::store::StoreOptions;

use crate::messages::{bodies, wait_for};
use crate::raw::{Raw, send_to, with};
use crate::support::Cluster;

#[actix::test]
async fn times_that_cannot_be_kept() {
    let rules = TimerRules { ahead_ms_max: 5_000 };
    let cluster = Cluster::start_with(|options| BrokerOptions { timer: Some(rules), ..options }).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let no_number = "the delivery time is no number: TIMER_DELIVER_MS, TIMER_DELAY_MS and TIMER_DELAY_SEC take one that is \
                     not negative";
    let too_far = "the delivery time lies 6000 ms ahead, this broker takes up to 5000 ms (timerMaxDelaySec)";
    let no_message = "TIMER_DEL_UNIQKEY is \"K\", and no message with that key waits";
    let half = "a half message has no delivery time, and takes no message back";
    for (properties, text) in [
        ("TIMER_DELIVER_MS\u{1}tomorrow", no_number),
        ("TIMER_DELAY_MS\u{1}-1", no_number),
        ("TIMER_DELAY_SEC\u{1}6", too_far),
        ("TIMER_DEL_UNIQKEY\u{1}K", no_message),
        ("TIMER_DEL_UNIQKEY\u{1}K\u{2}TRAN_MSG\u{1}true", half),
        ("TIMER_DELAY_SEC\u{1}1\u{2}TRAN_MSG\u{1}true", half),
    ] {
        let reply = client.ask(send_to("T", 0, properties, "x")).await;
        assert_eq!((reply.code, reply.remark.as_deref()), (response::MESSAGE_ILLEGAL, Some(text)), "{properties}");
    }
    let reply = client.ask(with(send_to("T", 0, "", "x"), "b", "rmq_sys_wheel_timer")).await;
    assert_ne!(reply.code, response::SUCCESS, "{reply:?}");
    // Nothing of it was stored.
    client.ask(send_to("T", 0, "", "next")).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["next"]);
    cluster.stop().await;
}

#[actix::test]
async fn a_key_alone_without_an_index() {
    let rules = TimerRules { ahead_ms_max: 5_000 };
    let without = |options: BrokerOptions| BrokerOptions {
        timer: Some(rules),
        store: StoreOptions { index_enabled: false, ..options.store },
        ..options
    };
    let cluster = Cluster::start_with(without).await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    let refused = client.ask(send_to("T", 0, "TIMER_DEL_UNIQKEY\u{1}K", "x")).await;
    let text = "there is no index to look TIMER_DEL_UNIQKEY up in: the time, TIMER_DELIVER_MS, is needed as well";
    assert_eq!((refused.code, refused.remark.as_deref()), (response::MESSAGE_ILLEGAL, Some(text)));
    cluster.stop().await;
}

/// As RocketMQ 4.9.7 does.
#[actix::test]
async fn without_being_asked_for_they_mean_nothing() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    client.ask(send_to("T", 0, "TIMER_DELAY_SEC\u{1}soon", "at once")).await;
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, 0, 1).await), ["at once"]);
    cluster.stop().await;
}
