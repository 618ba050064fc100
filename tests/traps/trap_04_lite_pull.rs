//! Lite pull consumers of 5.x send LITE_PULL_MESSAGE and mean PULL_MESSAGE.

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;

use crate::raw::{Raw, pull_from, send_to};
use crate::support::Cluster;

#[actix::test]
async fn a_lite_pull_is_answered_like_a_pull() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.broker.address()).await;
    assert_eq!(client.ask(send_to("T", 0, "", "body")).await.code, response::SUCCESS);
    assert_eq!(client.pull(pull_from("T", 0, 0, 32)).await.code, response::SUCCESS);
    for offset in [0, 1, 7] {
        let pull = client.ask(pull_from("T", 0, offset, 32)).await;
        let lite = Command { code: request::LITE_PULL_MESSAGE, ..pull_from("T", 0, offset, 32) };
        let lite = client.ask(lite).await;
        assert_eq!(Command { opaque: pull.opaque, ..lite }, pull);
    }
    cluster.stop().await;
}
