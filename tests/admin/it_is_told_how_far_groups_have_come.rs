//! GET_CONSUME_STATS, GET_BROKER_CONSUME_STATS, QUERY_CONSUME_TIME_SPAN, QUERY_TOPIC_CONSUME_BY_WHO and
//! QUERY_CORRECTION_OFFSET.

use std::fmt::Display;
use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::time::ManualClock;
use serde_json::json;

use crate::consumer::{
    Consumer, body, commit, is_refused, needs_its_fields, offsets, queue, succeeds, text, tool, with_messages,
    with_topic,
};
use crate::raw::{Raw, ask_for, pull_from};
use crate::support::Cluster;

const START_MS: i64 = 1_700_000_000_000;

fn stats_of(group: &str, topic: Option<&str>) -> Command {
    let mut fields: Vec<(&str, &dyn Display)> = vec![("consumerGroup", &group)];
    fields.extend(topic.iter().map(|topic| ("topic", topic as &dyn Display)));
    ask_for(request::GET_CONSUME_STATS, &fields)
}

/// The answer about queues, each with broker's offset, group's offset and time.
fn stats(queues: &[(&str, i32, [i64; 3])]) -> String {
    let lines: Vec<_> = queues
        .iter()
        .map(|(topic, queue_id, [max, consumed, time])| {
            let key = queue(topic, *queue_id);
            format!(r#"{key}:{{"brokerOffset":{max},"consumerOffset":{consumed},"lastTimestamp":{time}}}"#)
        })
        .collect();
    format!(r#"{{"consumeTps":0.0,"offsetTable":{{{}}}}}"#, lines.join(","))
}

/// Messages of topic A at the start and a second, two and three seconds later, the last one in queue 1. Topic B is empty and
/// has three queues to read and one to write.
async fn with_queues() -> (Cluster, Raw, std::sync::Arc<ManualClock>) {
    let clock = ManualClock::at(START_MS);
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), ..options }).await;
    let mut tool = tool(&cluster).await;
    with_topic(&mut tool, "A", 2, 2).await;
    with_topic(&mut tool, "B", 3, 1).await;
    for queue_id in [0, 0, 0, 1] {
        with_messages(&mut tool, "A", queue_id, 1).await;
        clock.advance(Duration::from_secs(1));
    }
    (cluster, tool, clock)
}

#[actix::test]
async fn by_queue_of_one_topic_or_of_all_that_the_group_has_stored_offsets_in() {
    let (cluster, mut tool, _) = with_queues().await;
    let a = |consumed: [i64; 3]| ("A", 0, consumed);
    let told = text(&succeeds(&mut tool, stats_of("CG", Some("A"))).await);
    assert_eq!(told, stats(&[a([3, 0, 0]), ("A", 1, [1, 0, 0])]), "nothing is stored");
    assert_eq!(text(&succeeds(&mut tool, stats_of("CG", None)).await), stats(&[]));
    for (topic, queue_id, offset) in [("A", 0, 2), ("A", 1, -5), ("B", 0, 9), ("gone", 0, 3)] {
        commit(&mut tool, topic, "CG", queue_id, offset).await;
    }
    let of_a = [a([3, 2, START_MS + 1_000]), ("A", 1, [1, 0, 0])];
    assert_eq!(text(&succeeds(&mut tool, stats_of("CG", Some("A"))).await), stats(&of_a));
    let of_b = [("B", 0, [0, 9, 0]), ("B", 1, [0, 0, 0]), ("B", 2, [0, 0, 0])];
    let mut of_all = [&of_a[..], &of_b[..]].concat();
    of_all.sort_by_key(|(topic, queue_id, _)| (*queue_id, *topic));
    for blank in [None, Some(""), Some("  ")] {
        assert_eq!(text(&succeeds(&mut tool, stats_of("CG", blank)).await), stats(&of_all), "{blank:?}");
    }
    for unknown in ["gone", "none", "no topic"] {
        assert_eq!(text(&succeeds(&mut tool, stats_of("CG", Some(unknown))).await), stats(&[]), "{unknown}");
    }
    // A group that is online is told of as far as it wants.
    let _online = Consumer::join(cluster.broker.address(), "c", "CG", &["B"]).await;
    assert_eq!(text(&succeeds(&mut tool, stats_of("CG", Some("A"))).await), stats(&[]));
    assert_eq!(text(&succeeds(&mut tool, stats_of("CG", None)).await), stats(&of_b));
    needs_its_fields(&mut tool, request::GET_CONSUME_STATS, &[("consumerGroup", &"CG")]).await;
    cluster.stop().await;
}

#[actix::test]
async fn of_every_group_that_has_settings() {
    let (cluster, mut tool, _) = with_queues().await;
    for (topic, group, offset) in [("A", "CG", 2), ("B", "CG", 9), ("A", "CH", 0), ("A", "nobody", 0)] {
        commit(&mut tool, topic, group, 0, offset).await;
    }
    for group in ["CG", "CH"] {
        let body = json!({"groupName": group}).to_string();
        succeeds(&mut tool, ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(body.into())).await;
    }
    let all = ask_for(request::GET_BROKER_CONSUME_STATS, &[("isOrder", &false)]);
    let told = text(&succeeds(&mut tool, all).await);
    let of_cg = stats(&[("A", 0, [3, 2, START_MS + 1_000]), ("A", 1, [1, 0, 0])]);
    let of_b = stats(&[("B", 0, [0, 9, 0])]);
    let of_ch = stats(&[("A", 0, [3, 0, 0]), ("A", 1, [1, 0, 0])]);
    let address = cluster.broker.address();
    assert!(told.starts_with(&format!(r#"{{"brokerAddr":"{address}","consumeStatsList":[{{"#)), "{told}");
    assert!(told.contains(&format!(r#"{{"CG":[{of_cg},{of_b}]}},{{"CH":[{of_ch}]}}"#)), "{told}");
    assert!(told.contains(r#"{"TOOLS_CONSUMER":[]}"#) && !told.contains("nobody"), "{told}");
    // Two messages behind, nine ahead, four behind.
    assert!(told.ends_with(r#"],"totalDiff":-3}"#), "{told}");
    let ordered = ask_for(request::GET_BROKER_CONSUME_STATS, &[("isOrder", &true)]);
    let told = text(&succeeds(&mut tool, ordered).await);
    assert!(told.contains(r#"{"CG":[]},{"CH":[]}"#) && told.ends_with(r#"],"totalDiff":0}"#), "{told}");
    cluster.stop().await;
}

#[actix::test]
async fn by_times() {
    let (cluster, mut tool, clock) = with_queues().await;
    commit(&mut tool, "A", "CG", 0, 2).await;
    commit(&mut tool, "B", "CG", 0, 9).await;
    clock.advance(Duration::from_millis(500));
    let now = 4_500;
    let spans =
        |topic: &str, group: &str| ask_for(request::QUERY_CONSUME_TIME_SPAN, &[("topic", &topic), ("group", &group)]);
    let line = |topic: &str, queue_id: i32, [min, max, consumed]: [i64; 3], delay: i64| {
        let key = json!({"brokerName": "broker-a", "queueId": queue_id, "topic": topic});
        json!({"minTimeStamp": min, "maxTimeStamp": max, "consumeTimeStamp": consumed, "delayTime": delay,
            "messageQueue": key})
    };
    let at = |after_ms: i64| START_MS + after_ms;
    let second = line("A", 1, [at(3_000), at(3_000), at(3_000)], now - 3_000);
    let told = body(&succeeds(&mut tool, spans("A", "CG")).await);
    let first = line("A", 0, [at(0), at(2_000), at(1_000)], now - 2_000);
    assert_eq!(told, json!({"consumeTimeSpanSet": [first, second]}));
    // Who has stored nothing has everything before it.
    let told = body(&succeeds(&mut tool, spans("A", "nobody")).await);
    let first = line("A", 0, [at(0), at(2_000), at(0)], now);
    assert_eq!(told, json!({"consumeTimeSpanSet": [first, second]}));
    commit(&mut tool, "A", "CG", 0, 3).await;
    let told = body(&succeeds(&mut tool, spans("A", "CG")).await);
    let first = line("A", 0, [at(0), at(2_000), at(2_000)], 0);
    assert_eq!(told, json!({"consumeTimeSpanSet": [first, second]}));
    let told = body(&succeeds(&mut tool, spans("B", "CG")).await);
    assert_eq!(told, json!({"consumeTimeSpanSet": [line("B", 0, [-1, -1, -1], 0)]}));
    is_refused(&mut tool, spans("none", "CG"), response::TOPIC_NOT_EXIST, "topic[none] not exist").await;
    needs_its_fields(&mut tool, request::QUERY_CONSUME_TIME_SPAN, &[("topic", &"A"), ("group", &"CG")]).await;
    cluster.stop().await;
}

#[actix::test]
async fn whoever_wants_a_topic_or_has_consumed_it_consumes_it() {
    let (cluster, mut tool, _) = with_queues().await;
    commit(&mut tool, "A", "CG", 0, 2).await;
    commit(&mut tool, "gone", "CH", 0, 2).await;
    let _online = Consumer::join(cluster.broker.address(), "c", "CI", &["A"]).await;
    for (topic, groups) in [("A", json!(["CG", "CI"])), ("gone", json!(["CH"])), ("B", json!([])), ("x y", json!([]))] {
        let told = body(&succeeds(&mut tool, ask_for(request::QUERY_TOPIC_CONSUME_BY_WHO, &[("topic", &topic)])).await);
        assert_eq!(told, json!({"groupList": groups}), "{topic}");
    }
    needs_its_fields(&mut tool, request::QUERY_TOPIC_CONSUME_BY_WHO, &[("topic", &"A")]).await;
    cluster.stop().await;
}

#[actix::test]
async fn the_smallest_offset_of_all_groups_is_told_and_none_is_forgotten_for_it() {
    let (cluster, mut tool, _) = with_queues().await;
    for (group, queue_id, offset) in [("CG", 0, 2), ("CG", 1, -5), ("CH", 0, 1), ("CH", 1, 1), ("CI", 0, 0)] {
        commit(&mut tool, "A", group, queue_id, offset).await;
    }
    let before = offsets(&mut tool).await;
    let asked = |fields: &[(&str, &dyn Display)]| {
        let all: [(&str, &dyn Display); 2] = [("topic", &"A"), ("compareGroup", &"CG")];
        ask_for(request::QUERY_CORRECTION_OFFSET, &[&all[..], fields].concat())
    };
    let told = body(&succeeds(&mut tool, asked(&[])).await);
    assert_eq!(told, json!({"correctionOffsets": {"0": 0, "1": 1}}));
    let told = body(&succeeds(&mut tool, asked(&[("filterGroups", &"CI,XX")])).await);
    assert_eq!(told, json!({"correctionOffsets": {"0": 1, "1": 1}}));
    let none = ask_for(request::QUERY_CORRECTION_OFFSET, &[("topic", &"none"), ("compareGroup", &"CG")]);
    assert_eq!(body(&succeeds(&mut tool, none).await), json!({"correctionOffsets": {}}));
    assert_eq!(offsets(&mut tool).await, before);
    needs_its_fields(&mut tool, request::QUERY_CORRECTION_OFFSET, &[("topic", &"A")]).await;
    cluster.stop().await;
}

#[actix::test]
async fn topics_with_more_queues_than_fit_an_answer_are_refused() {
    let (cluster, mut tool, _) = with_queues().await;
    with_topic(&mut tool, "Wide", i32::MAX as u32, i32::MAX as u32).await;
    commit(&mut tool, "Wide", "CG", 0, 0).await;
    let body = json!({"groupName": "CG"}).to_string();
    succeeds(&mut tool, ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(body.into())).await;
    let text = "with 2147483647 queues of topic[Wide] the answer has more than 65536";
    let of_topic: [(&str, &dyn Display); 5] =
        [("topic", &"Wide"), ("group", &"CG"), ("consumerGroup", &"CG"), ("timestamp", &-1), ("isForce", &true)];
    for code in [
        request::GET_CONSUME_STATS,
        request::GET_BROKER_CONSUME_STATS,
        request::QUERY_CONSUME_TIME_SPAN,
        request::INVOKE_BROKER_TO_RESET_OFFSET,
    ] {
        is_refused(&mut tool, ask_for(code, &of_topic), response::SYSTEM_ERROR, text).await;
    }
    cluster.stop().await;
}

#[actix::test]
async fn and_how_fast() {
    let (cluster, mut tool, clock) = with_queues().await;
    commit(&mut tool, "A", "CG", 0, 2).await;
    tool.pull(pull_from("A", 0, 0, 3)).await;
    clock.advance(Duration::from_secs(1));
    let rate = |reply: &Command| {
        let told = text(reply);
        told.strip_prefix(r#"{"consumeTps":"#).unwrap().split(',').next().unwrap().parse::<f64>().unwrap()
    };
    tool.ask_until(stats_of("CG", None), |reply| rate(reply) > 0.0).await;
    assert_eq!(rate(&succeeds(&mut tool, stats_of("CH", Some("A"))).await), 0.0);
    cluster.stop().await;
}
