//! CLONE_GROUP_OFFSET.

use std::fmt::Display;

use ferromq::protocol::codes::request;
use ferromq::protocol::command::Command;
use serde_json::json;

use crate::consumer::{Consumer, commit, needs_its_fields, offsets, succeeds, tool, with_topic};
use crate::raw::ask_for;
use crate::support::Cluster;

fn cloned(target: &str, besides: &[(&str, &dyn Display)]) -> Command {
    let fields: [(&str, &dyn Display); 2] = [("srcGroup", &"CG"), ("destGroup", &target)];
    ask_for(request::CLONE_GROUP_OFFSET, &[&fields[..], besides].concat())
}

#[actix::test]
async fn in_topics_that_are_there_and_that_the_source_still_wants() {
    let cluster = Cluster::start().await;
    let mut tool = tool(&cluster).await;
    with_topic(&mut tool, "A", 2, 2).await;
    with_topic(&mut tool, "B", 2, 2).await;
    for (topic, queue_id, offset) in [("A", 0, 2), ("A", 1, -5), ("B", 0, 9), ("gone", 0, 3)] {
        commit(&mut tool, topic, "CG", queue_id, offset).await;
    }
    commit(&mut tool, "A", "one", 7, 7).await;
    succeeds(&mut tool, cloned("one", &[("topic", &"A")])).await;
    succeeds(&mut tool, cloned("none", &[("topic", &"gone")])).await;
    succeeds(&mut tool, cloned("all", &[])).await;
    let nobody =
        ask_for(request::CLONE_GROUP_OFFSET, &[("srcGroup", &"nobody"), ("destGroup", &"CG"), ("topic", &"A")]);
    succeeds(&mut tool, nobody).await;
    let of_a = json!({"0": 2, "1": -5});
    let mut expected = json!({"A@CG": of_a, "B@CG": {"0": 9}, "gone@CG": {"0": 3}, "A@one": of_a, "A@all": of_a,
        "B@all": {"0": 9}});
    assert_eq!(offsets(&mut tool).await, expected);
    let _online = Consumer::join(cluster.broker.address(), "c", "CG", &["B"]).await;
    succeeds(&mut tool, cloned("two", &[("topic", &"A")])).await;
    assert_eq!(offsets(&mut tool).await, expected, "the source does not want it any more");
    succeeds(&mut tool, cloned("two", &[("topic", &"A"), ("offline", &true)])).await;
    expected["A@two"] = of_a;
    assert_eq!(offsets(&mut tool).await, expected);
    needs_its_fields(&mut tool, request::CLONE_GROUP_OFFSET, &[("srcGroup", &"CG"), ("destGroup", &"D")]).await;
    cluster.stop().await;
}
