//! A held pull commits when it arrives, not when it is answered, and what ends it tells where to go on.

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::sys_flag::pull as flags;

use crate::raw::{Raw, ask_for, ext, send_to};
use crate::support::Cluster;

fn held_pull(commit: i64) -> Command {
    let sys_flag = flags::COMMIT_OFFSET | flags::SUSPEND | flags::SUBSCRIPTION;
    let fields = ext(&[
        ("consumerGroup", &"CG"),
        ("topic", &"T"),
        ("queueId", &0),
        ("queueOffset", &1),
        ("maxMsgNums", &32),
        ("sysFlag", &sys_flag),
        ("commitOffset", &commit),
        ("suspendTimeoutMillis", &15_000),
        ("subscription", &"wanted"),
        ("subVersion", &0),
    ]);
    ask_for(request::PULL_MESSAGE, &[]).with_ext(fields)
}

fn offset(reply: &Command) -> i64 {
    reply.ext.int64("offset").unwrap()
}

#[actix::test]
async fn a_pull_that_is_held_has_committed_already() {
    let cluster = Cluster::start().await;
    let (mut reader, mut writer) =
        (Raw::connect(cluster.broker.address()).await, Raw::connect(cluster.broker.address()).await);
    assert_eq!(writer.ask(send_to("T", 0, "TAGS\u{1}wanted\u{2}", "first")).await.code, response::SUCCESS);
    let bound = ask_for(request::GET_MAX_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    writer.ask_until(bound, |reply| offset(reply) == 1).await;
    let held = reader.send_as(held_pull(1), Default::default()).await;
    let query = ask_for(request::QUERY_CONSUMER_OFFSET, &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0)]);
    writer.ask_until(query.clone(), |reply| offset(reply) == 1).await;
    let overtaken = ask_for(
        request::UPDATE_CONSUMER_OFFSET,
        &[("consumerGroup", &"CG"), ("topic", &"T"), ("queueId", &0), ("commitOffset", &5)],
    );
    assert_eq!(writer.ask(overtaken).await.code, response::SUCCESS);
    assert_eq!(writer.ask(send_to("T", 0, "TAGS\u{1}unwanted\u{2}", "second")).await.code, response::SUCCESS);
    assert_eq!(writer.ask(send_to("T", 0, "TAGS\u{1}wanted\u{2}", "third")).await.code, response::SUCCESS);
    let answer = reader.next().await.unwrap();
    assert_eq!(answer.opaque, held);
    if answer.code == response::PULL_RETRY_IMMEDIATELY {
        // It may end with nothing but a later place to go on.
        assert_eq!(answer.ext.int64("nextBeginOffset").unwrap(), 2);
    } else {
        assert_eq!((answer.code, answer.ext.int64("nextBeginOffset").unwrap()), (response::SUCCESS, 3), "{answer:?}");
    }
    assert_eq!(offset(&writer.ask(query).await), 5, "the answer committed nothing");
    cluster.stop().await;
}
