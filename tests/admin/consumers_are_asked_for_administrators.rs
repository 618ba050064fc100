//! INVOKE_BROKER_TO_GET_CONSUMER_STATUS, GET_CONSUMER_RUNNING_INFO and CONSUME_MESSAGE_DIRECTLY.

use std::fmt::Display;

use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::message;
use ferromq::protocol::units::Opaque;
use ferromq::time::ManualClock;

use crate::consumer::{Consumer, is_refused, needs_its_fields, queue, succeeds, text, tool, with_messages, with_topic};
use crate::raw::{Raw, ask_for, ext};
use crate::support::Cluster;

/// When the broker gives an answer up that it passes on.
const RELAY_MS: u64 = 10_000;

fn running_info(group: &str, client_id: &str) -> Command {
    let fields: [(&str, &dyn Display); 4] =
        [("consumerGroup", &group), ("clientId", &client_id), ("jstackEnable", &false), ("other", &"kept")];
    ask_for(request::GET_CONSUMER_RUNNING_INFO, &fields)
}

fn directly(client_id: &str, message_id: &str) -> Command {
    let fields: [(&str, &dyn Display); 4] =
        [("consumerGroup", &"CG"), ("clientId", &client_id), ("msgId", &message_id), ("brokerName", &"mine")];
    ask_for(request::CONSUME_MESSAGE_DIRECTLY, &fields)
}

fn status(client_id: &str) -> Command {
    let fields: [(&str, &dyn Display); 3] = [("topic", &"T"), ("group", &"CG"), ("clientAddr", &client_id)];
    ask_for(request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS, &fields)
}

/// The fields of a request, by name.
fn fields(command: &Command) -> Vec<String> {
    let mut fields: Vec<_> = command.ext.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort();
    fields
}

/// Sends what is answered later.
async fn asks(tool: &mut Raw, command: Command) -> Opaque {
    tool.send_as(command, Serialization::Json).await
}

async fn is_told(tool: &mut Raw, asked: Opaque) -> Command {
    let reply = tool.next().await.expect("a reply");
    assert_eq!(reply.opaque, asked, "{reply:?}");
    reply
}

#[actix::test]
async fn a_request_and_its_answer_are_passed_on_as_they_are() {
    let cluster = Cluster::start().await;
    let mut tool = tool(&cluster).await;
    let mut consumer = Consumer::join(cluster.broker.address(), "c", "CG", &["T"]).await;
    let asked = asks(&mut tool, running_info("CG", "c").with_body("body".into())).await;
    let heard = consumer.hears().await;
    assert_eq!((heard.code, heard.is_oneway()), (request::GET_CONSUMER_RUNNING_INFO, false), "{heard:?}");
    assert_eq!(fields(&heard), ["clientId=c", "consumerGroup=CG", "jstackEnable=false", "other=kept"]);
    assert_eq!(heard.body, "body");
    let reply = Command::reply(response::SUCCESS, heard.opaque).with_remark("hi").with_body("{\"x\":1}".into());
    consumer.answers_with(&heard, reply.with_ext(ext(&[("e", &"f")]))).await;
    let told = is_told(&mut tool, asked).await;
    assert_eq!((told.code, told.remark.as_deref(), &*told.body), (0, Some("hi"), &b"{\"x\":1}"[..]), "{told:?}");
    assert_eq!(fields(&told), ["e=f"]);
    let asked = asks(&mut tool, running_info("CG", "c")).await;
    let heard = consumer.hears().await;
    consumer.answers(&heard, response::SYSTEM_ERROR, "").await;
    let told = is_told(&mut tool, asked).await;
    assert_eq!((told.code, told.remark.as_deref()), (response::SYSTEM_ERROR, None), "{told:?}");
    cluster.stop().await;
}

#[actix::test]
async fn a_consumer_gets_the_message_that_it_is_to_consume() {
    let cluster = Cluster::start().await;
    let mut tool = tool(&cluster).await;
    with_topic(&mut tool, "T", 2, 2).await;
    let id = with_messages(&mut tool, "T", 0, 3).await;
    let mut consumer = Consumer::join(cluster.broker.address(), "c", "CG", &["T"]).await;
    for id in [id.clone(), id.to_lowercase()] {
        let asked = asks(&mut tool, directly("c", &id)).await;
        let heard = consumer.hears().await;
        assert_eq!(heard.code, request::CONSUME_MESSAGE_DIRECTLY, "{heard:?}");
        let of_message = format!("msgId={id}");
        assert_eq!(fields(&heard), ["brokerName=broker-a", "clientId=c", "consumerGroup=CG", &*of_message]);
        let messages = message::decode_all(heard.body.clone()).unwrap();
        assert_eq!(messages.iter().map(|message| &*message.body).collect::<Vec<_>>(), [b"message 2"]);
        let result = r#"{"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":3}"#;
        consumer.answers(&heard, response::SUCCESS, result).await;
        assert_eq!(text(&is_told(&mut tool, asked).await), result);
    }
    let error = response::SYSTEM_ERROR;
    let host = cluster.broker.address();
    let other = format!("0A000001{}", &id[8..]);
    let text = format!("the message {other} is of the broker at 10.0.0.1:{}, this one is at {host}", host.port());
    is_refused(&mut tool, directly("c", &other), error, &text).await;
    for nothing in ["", "xyz", "AC1100021F4018B4AAC20A1B2C3D0007"] {
        let text = format!("{nothing:?} is not the offset id of a message");
        is_refused(&mut tool, directly("c", nothing), error, &text).await;
    }
    for offset in [3, 1_000_000_000, i64::MAX] {
        let beside = format!("{}{offset:016X}", &id[..16]);
        let text = format!("can not find message by the offset, {offset}");
        is_refused(&mut tool, directly("c", &beside), error, &text).await;
    }
    is_refused(&mut tool, directly("zz", &id), error, "The Consumer <CG> <zz> not online").await;
    needs_its_fields(
        &mut tool,
        request::CONSUME_MESSAGE_DIRECTLY,
        &[("consumerGroup", &"CG"), ("clientId", &"c"), ("msgId", &id)],
    )
    .await;
    consumer.has_heard_nothing().await;
    cluster.stop().await;
}

#[actix::test]
async fn who_is_away_or_too_old_is_not_asked() {
    let cluster = Cluster::start().await;
    let mut tool = tool(&cluster).await;
    let address = cluster.broker.address();
    let mut old = Consumer::join_as(address, "old", "CG", &["T"], 61).await;
    let error = response::SYSTEM_ERROR;
    let text = "The Consumer <old> Version <V3_1_7> too low to finish, please upgrade it to V3_1_8_SNAPSHOT";
    is_refused(&mut tool, running_info("CG", "old"), error, text).await;
    is_refused(&mut tool, running_info("CG", "zz"), error, "The Consumer <CG> <zz> not online").await;
    is_refused(&mut tool, running_info("nobody", "old"), error, "The Consumer <nobody> <old> not online").await;
    needs_its_fields(&mut tool, request::GET_CONSUMER_RUNNING_INFO, &[("consumerGroup", &"CG"), ("clientId", &"old")])
        .await;
    old.has_heard_nothing().await;
    let mut just_new_enough = Consumer::join_as(address, "new", "CG", &["T"], 62).await;
    let asked = asks(&mut tool, running_info("CG", "new")).await;
    let heard = just_new_enough.hears().await;
    just_new_enough.answers(&heard, response::SUCCESS, "{}").await;
    assert_eq!(is_told(&mut tool, asked).await.body, "{}");
    cluster.stop().await;
}

#[actix::test]
async fn who_does_not_answer_holds_nobody_else_up() {
    let clock = ManualClock::at(1_700_000_000_000);
    let idle_limit = std::time::Duration::MAX;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), idle_limit, ..options }).await;
    let mut tool = tool(&cluster).await;
    let address = cluster.broker.address();
    let mut silent = Consumer::join(address, "silent", "CG", &["T"]).await;
    let mut talkative = Consumer::join(address, "c", "CG", &["T"]).await;
    let mut waiting = Raw::connect(address).await;
    let mut unanswered = Vec::new();
    // More than there are permits for what takes long.
    for _ in 0..40 {
        unanswered.push(asks(&mut waiting, running_info("CG", "silent")).await);
        silent.hears().await;
    }
    let asked = asks(&mut tool, running_info("CG", "c")).await;
    let heard = talkative.hears().await;
    talkative.answers(&heard, response::SUCCESS, "{}").await;
    assert_eq!(is_told(&mut tool, asked).await.body, "{}");
    let stats = ask_for(request::GET_CONSUME_STATS, &[("consumerGroup", &"CG")]);
    succeeds(&mut tool, stats).await;
    clock.advance(std::time::Duration::from_millis(RELAY_MS));
    let waited = format!("wait response on the channel <{}> timeout, 10000(ms)", silent.address());
    let text = format!("consumer <CG> <silent> Timeout: {waited}");
    let mut told_of = Vec::new();
    for _ in &unanswered {
        let told = waiting.next().await.expect("a reply");
        assert_eq!((told.code, told.remark.as_deref()), (response::CONSUME_MSG_TIMEOUT, Some(&*text)), "{told:?}");
        told_of.push(told.opaque);
    }
    told_of.sort();
    assert_eq!(told_of, unanswered);
    // Whose consumer goes away is told at once.
    let asked = asks(&mut waiting, running_info("CG", "silent")).await;
    silent.hears().await;
    drop(silent);
    let told = is_told(&mut waiting, asked).await;
    let text = "invoke consumer <CG> <silent> Exception: the connection to the client is closed";
    assert_eq!((told.code, told.remark.as_deref()), (response::SYSTEM_ERROR, Some(text)), "{told:?}");
    cluster.stop().await;
}

#[actix::test]
async fn an_administrator_who_has_gone_and_late_answers_disturb_nobody() {
    let cluster = Cluster::start().await;
    let address = cluster.broker.address();
    let mut consumer = Consumer::join(address, "c", "CG", &["T"]).await;
    let mut gone = Raw::connect(address).await;
    asks(&mut gone, running_info("CG", "c")).await;
    let heard = consumer.hears().await;
    drop(gone);
    consumer.answers(&heard, response::SUCCESS, "{}").await;
    // An answer that was given before, and one to nothing.
    consumer.answers(&heard, response::SUCCESS, "{}").await;
    let never = Command { opaque: Opaque(12_345), ..heard };
    consumer.answers(&never, response::SUCCESS, "{}").await;
    let mut tool = tool(&cluster).await;
    let asked = asks(&mut tool, running_info("CG", "c")).await;
    let heard = consumer.hears().await;
    consumer.answers(&heard, response::SUCCESS, "{\"y\":2}").await;
    assert_eq!(is_told(&mut tool, asked).await.body, "{\"y\":2}");
    cluster.stop().await;
}

#[actix::test]
async fn consumers_say_how_far_they_have_come() {
    let clock = ManualClock::at(1_700_000_000_000);
    let idle_limit = std::time::Duration::MAX;
    let cluster = Cluster::start_with(|options| BrokerOptions { clock: clock.clone(), idle_limit, ..options }).await;
    let mut tool = tool(&cluster).await;
    let error = response::SYSTEM_ERROR;
    is_refused(&mut tool, status(""), error, "No Any Consumer online in the consumer group: [CG]").await;
    let address = cluster.broker.address();
    let mut first = Consumer::join(address, "c", "CG", &["T"]).await;
    let mut second = Consumer::join(address, "d", "CG", &["T"]).await;
    // As Java writes it, with objects as keys.
    let says = |offset: i64| format!(r#"{{"messageQueueTable":{{{}:{offset}}}}}"#, queue("T", 0));
    let one = |id: &str, offset: i64| format!(r#""{id}":{{{}:{offset}}}"#, queue("T", 0));
    let table = |lines: &[String]| format!(r#"{{"consumerTable":{{{}}},"messageQueueTable":{{}}}}"#, lines.join(","));
    for all in ["", " "] {
        let asked = asks(&mut tool, status(all)).await;
        let (heard, also) = (first.hears().await, second.hears().await);
        assert_eq!(heard.code, request::GET_CONSUMER_STATUS_FROM_CLIENT, "{heard:?}");
        assert_eq!((fields(&heard), heard.is_oneway()), (vec!["group=CG".into(), "topic=T".into()], false));
        first.answers(&heard, response::SUCCESS, says(1)).await;
        second.answers(&also, response::SUCCESS, says(2)).await;
        assert_eq!(text(&is_told(&mut tool, asked).await), table(&[one("c", 1), one("d", 2)]));
    }
    // One alone; nobody.
    let asked = asks(&mut tool, status("d")).await;
    let heard = second.hears().await;
    second.answers(&heard, response::SUCCESS, says(3)).await;
    assert_eq!(text(&is_told(&mut tool, asked).await), table(&[one("d", 3)]));
    assert_eq!(text(&succeeds(&mut tool, status("nobody")).await), table(&[]));
    // Who says nothing, refuses or talks nonsense is left out.
    for (code, nonsense) in [(response::SUCCESS, "junk"), (response::SYSTEM_ERROR, ""), (response::SUCCESS, "")] {
        let asked = asks(&mut tool, status("")).await;
        let (heard, also) = (first.hears().await, second.hears().await);
        first.answers(&heard, code, nonsense).await;
        second.answers(&also, response::SUCCESS, says(4)).await;
        assert_eq!(text(&is_told(&mut tool, asked).await), table(&[one("d", 4)]), "{code} {nonsense}");
    }
    let asked = asks(&mut tool, status("")).await;
    let (_, also) = (first.hears().await, second.hears().await);
    second.answers(&also, response::SUCCESS, says(5)).await;
    second.has_heard_nothing().await;
    clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(text(&is_told(&mut tool, asked).await), table(&[one("d", 5)]));
    let mut old = Consumer::join_as(address, "old", "CG", &["T"], 27).await;
    let too_old = "the client does not support this feature. version=V3_0_6";
    is_refused(&mut tool, status("c"), error, too_old).await;
    needs_its_fields(&mut tool, request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS, &[("topic", &"T"), ("group", &"CG")])
        .await;
    first.has_heard_nothing().await;
    old.has_heard_nothing().await;
    cluster.stop().await;
}
