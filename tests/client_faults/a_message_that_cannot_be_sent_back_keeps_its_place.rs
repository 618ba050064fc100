//! Where order matters, nothing passes a message that is to go to the dead letters and does not get there.

use std::time::Duration;

use ferromq::client::{ConsumerOptions, Delivery, Order, RetryWhen, Verdict, Wanted};
use ferromq::protocol::codes::{request, response};

use crate::fake_broker::reply;
use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, body, from_the_first};

#[tokio::test]
async fn it_is_brought_again_before_what_is_behind_it() {
    let cluster = FakeCluster::start(1, |command, _| match command.code {
        request::PULL_MESSAGE if command.ext.int64("queueOffset") == Ok(0) => {
            Some(vec![pulled(command, response::SUCCESS, 2, [record(0, "first"), record(1, "second")].concat())])
        }
        request::CONSUMER_SEND_MSG_BACK => Some(vec![reply(command, response::SYSTEM_ERROR)]),
        _ => None,
    })
    .await;
    let inbox = Inbox::default();
    let seen = inbox.clone();
    let listener = move |delivery: Delivery| {
        let is_bad = body(&delivery.messages[0]) == "first" && seen.len() < 2;
        seen.take_in(delivery);
        let never = Verdict::Retry { consumed: 0, when: RetryWhen::Never };
        std::future::ready(if is_bad { never } else { Verdict::Consumed })
    };
    let suspend = Duration::from_millis(10);
    let options = ConsumerOptions { order: Order::Queue, suspend, ..from_the_first() };
    let builder = cluster.client().await.push_consumer("readers").options(options).subscribe("T", Wanted::All);
    let consumer = builder.start(listener).await.unwrap();
    inbox.holds(4).await;
    consumer.stop().await.unwrap();
    assert_eq!(inbox.bodies(), ["first", "first", "first", "second"]);
}
