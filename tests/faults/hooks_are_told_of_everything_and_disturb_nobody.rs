//! An application is told of every send, every pull and every request; whatever becomes of its actor, clients do not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, ActorContext, Context, Handler, Recipient};
use ferromq::actors::broker::Broker;
use ferromq::actors::builder::BrokerBuilder;
use ferromq::actors::commitlog_actor::FlushPolicy;
use ferromq::actors::hooks::{Answered, Asked, Consumed, Exchange, Sent, Told};
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::units::{ConsumedOffset, QueueId, QueueOffset};

use crate::load::{Answers, LIMIT, Load, acknowledged, connect, make_topic, pull_all, pull_from, send_command};
use crate::raw::{self, Raw, ask_for, send_to, waiting_pull_from};
use crate::support::{small, wait_until};
use crate::writers::{Behaviour, front};

const LOAD: Load = Load { lanes: 8, messages: 20, limit: LIMIT };

/// Everything that a hook was told.
struct Heard<T> {
    events: Arc<Mutex<Vec<T>>>,
    messages: Arc<Mutex<usize>>,
}

impl<T> Clone for Heard<T> {
    fn clone(&self) -> Self {
        Self { events: Arc::clone(&self.events), messages: Arc::clone(&self.messages) }
    }
}

impl<T: Clone + Send + Unpin + 'static> Heard<T> {
    /// An actor that remembers what it is told.
    fn start() -> (Self, Recipient<Told<T>>) {
        let heard = Self { events: Arc::default(), messages: Arc::default() };
        (heard.clone(), heard.start_actor())
    }

    fn start_actor(self) -> Recipient<Told<T>> {
        Listener(self).start().recipient()
    }

    fn events(&self) -> Vec<T> {
        self.events.lock().unwrap().clone()
    }

    /// What it has heard when it has heard so much.
    async fn at_least(&self, count: usize) -> Vec<T> {
        wait_until(LIMIT, "the hook is told", || self.events.lock().unwrap().len() >= count).await;
        self.events()
    }
}

struct Listener<T>(Heard<T>);

impl<T: Unpin + 'static> Actor for Listener<T> {
    type Context = Context<Self>;
}

impl<T: Send + Unpin + 'static> Handler<Told<T>> for Listener<T> {
    type Result = ();

    fn handle(&mut self, told: Told<T>, _: &mut Context<Self>) {
        let batch = told.take();
        assert_eq!(batch.lost, 0);
        *self.0.messages.lock().unwrap() += 1;
        self.0.events.lock().unwrap().extend(batch.events);
    }
}

/// What the producers were told: code, message id and offset in the queue, by how often.
fn answered(answers: &Answers) -> BTreeMap<(i32, String, String), usize> {
    let mut counts = BTreeMap::new();
    for (_, answer) in answers {
        let reply = answer.as_ref().unwrap();
        let field = |name| reply.ext.get(name).unwrap_or_default().into_owned();
        *counts.entry((reply.code, field("msgId"), field("queueOffset"))).or_default() += 1;
    }
    counts
}

/// What the hook was told of the same sends.
fn told(sends: &[Sent]) -> BTreeMap<(i32, String, String), usize> {
    let mut counts = BTreeMap::new();
    for sent in sends {
        let offset = sent.placed.first().map(|placed| placed.queue_offset.0.to_string()).unwrap_or_default();
        *counts.entry((sent.code, sent.message_ids().join(","), offset)).or_default() += 1;
    }
    counts
}

/// Each send of a load is told of once, as its producer is told.
async fn check_sends(options: BrokerOptions, change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Vec<Sent> {
    let (heard, recipient) = Heard::<Sent>::start();
    // No producer is told that it waited for too long when the machine is busy.
    let options = BrokerOptions { send_wait: Some(LIMIT), ..options };
    let broker = change(Broker::builder(options).on_send(recipient)).start().await.unwrap();
    make_topic(&broker, "Told").await;
    let answers = LOAD.run(&broker, "Told").await;
    let sends = heard.at_least(answers.len()).await;
    assert_eq!(told(&sends), answered(&answers));
    assert!(*heard.messages.lock().unwrap() <= sends.len());
    // Ends by itself where its writer broke.
    drop(broker.stop().await);
    assert_eq!(heard.events().len(), answers.len());
    sends
}

#[actix::test]
async fn every_send_is_told_of_once_with_what_became_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let sends = check_sends(small(&directory), |builder| builder).await;
    let bytes: BTreeSet<usize> = sends.iter().map(|sent| sent.bytes).collect();
    assert_eq!(bytes, (0..20).map(|number: usize| format!("Told-0-0-{number}").len()).collect());
    let of = |sent: &Sent| (sent.group.to_string(), sent.topic.to_string(), sent.queue_id);
    let expected = (0..4).map(|queue| ("writers".into(), "Told".into(), Some(QueueId(queue))));
    assert_eq!(sends.iter().map(of).collect::<BTreeSet<_>>(), expected.collect());
}

#[actix::test]
async fn also_those_that_wait_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    check_sends(BrokerOptions { flush: FlushPolicy::Sync, ..small(&directory) }, |builder| builder).await;
}

#[actix::test]
async fn also_those_that_the_writer_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let failing = front(Behaviour::Refusing { every: 3 });
    let sends = check_sends(small(&directory), |builder| builder.commit_log(failing)).await;
    assert_eq!(sends.iter().filter(|sent| sent.code == response::SYSTEM_ERROR).count(), sends.len() / 3);
}

#[actix::test]
async fn also_those_that_a_writer_breaks_over() {
    let directory = tempfile::tempdir().unwrap();
    let breaking = front(Behaviour::Panicking { at: 20 });
    let sends = check_sends(small(&directory), |builder| builder.commit_log(breaking)).await;
    let codes: BTreeSet<i32> = sends.iter().map(|sent| sent.code).collect();
    assert!(codes.contains(&response::SUCCESS) && codes.contains(&response::SERVICE_NOT_AVAILABLE), "{codes:?}");
}

#[actix::test]
async fn a_batch_is_told_of_with_all_its_messages_and_what_is_refused_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let (heard, recipient) = Heard::<Sent>::start();
    let mut options = small(&directory);
    options.topics.auto_create = false;
    let broker = Broker::builder(options).on_send(recipient).start().await.unwrap();
    make_topic(&broker, "Batches").await;
    let mut producer = Raw::connect(broker.address()).await;
    let item = b"\0\0\0\x17\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01x\0\0";
    assert_eq!(item.len(), 0x17);
    let batch = Command { code: request::SEND_BATCH_MESSAGE, ..send_to("Batches", 3, "", item.repeat(2)) };
    let mut replies = Vec::new();
    for send in [batch, send_to("Nowhere", 0, "", "x"), send_to("SELF_TEST_TOPIC", -1, "", "x")] {
        replies.push(producer.ask(send).await);
    }
    let codes = [response::SUCCESS, response::TOPIC_NOT_EXIST, response::NO_PERMISSION];
    assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), codes);
    // An answer may be read, and the next send refused, before the hook is told of it.
    let mut sends = heard.at_least(3).await;
    sends.sort_by(|a, b| a.topic.cmp(&b.topic));
    let summary = |sent: &Sent| (sent.topic.to_string(), sent.queue_id, sent.bytes, sent.placed.len(), sent.code);
    let expected = [
        ("Batches".into(), Some(QueueId(3)), 46, 2, codes[0]),
        ("Nowhere".into(), Some(QueueId(0)), 1, 0, codes[1]),
        ("SELF_TEST_TOPIC".into(), None, 1, 0, codes[2]),
    ];
    assert_eq!(sends.iter().map(summary).collect::<Vec<_>>(), expected);
    assert_eq!(sends[0].message_ids().join(","), replies[0].ext.get("msgId").unwrap());
    assert!(sends.iter().all(|sent| sent.born_host == producer.local_address() && &*sent.group == "PG"));
    broker.stop().await.unwrap();
}

#[actix::test]
async fn every_pull_is_told_of_when_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (heard, recipient) = Heard::<Consumed>::start();
    let options = BrokerOptions { auto_create_group: false, ..small(&directory) };
    let broker = Broker::builder(options).on_consume(recipient).start().await.unwrap();
    make_topic(&broker, "Pulled").await;
    let mut consumer = Raw::connect(broker.address()).await;
    let refused = consumer.ask(pull_from("Pulled", "Nobody", 0, Duration::ZERO)).await;
    assert_eq!(refused.code, response::SUBSCRIPTION_GROUP_NOT_EXIST, "{refused:?}");
    let group = r#"{"groupName":"CG","consumeEnable":true,"retryQueueNums":1}"#;
    let made = consumer.ask(ask_for(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).with_body(group.into())).await;
    assert_eq!(made.code, response::SUCCESS, "{made:?}");
    let nowhere = consumer.ask(raw::pull_from("Nowhere", 0, 0, 32)).await;
    assert_eq!(nowhere.code, response::TOPIC_NOT_EXIST, "{nowhere:?}");
    // One that waits is told of when it is given something.
    let mut parked = Raw::connect(broker.address()).await;
    let waits = waiting_pull_from("Pulled", 2, 0, 32);
    parked.send_as(waits, Serialization::Json).await;
    for body in ["first", "second"] {
        assert_eq!(consumer.ask(send_to("Pulled", 2, "", body)).await.code, response::SUCCESS);
    }
    let woken = parked.next().await.unwrap();
    let both = consumer.pull(raw::pull_from("Pulled", 2, 0, 32)).await;
    let end = consumer.ask(raw::pull_from("Pulled", 2, 2, 32)).await;
    let replies = [&refused, &nowhere, &woken, &both, &end];
    let pulls = heard.at_least(replies.len()).await;
    let told = |pull: &Consumed| (pull.code, pull.bytes as usize, pull.next.map(|next| next.0.to_string()));
    let replied = |reply: &&Command| {
        let next = reply.ext.get("nextBeginOffset").map(|next| next.into_owned());
        (reply.code, reply.body.len(), next)
    };
    assert_eq!(pulls.iter().map(told).collect::<Vec<_>>(), replies.iter().map(replied).collect::<Vec<_>>());
    let expected = Consumed {
        group: "CG".into(),
        topic: "Pulled".into(),
        queue_id: Some(QueueId(2)),
        remote: consumer.local_address(),
        offset: ConsumedOffset(0),
        next: Some(QueueOffset(2)),
        count: 2,
        bytes: both.body.len() as u64,
        code: response::SUCCESS,
    };
    assert_eq!(pulls[3], expected);
    broker.stop().await.unwrap();
}

/// The two halves of the exchanges of one client, by the number of the request.
fn halves(exchanges: &[Exchange], client: &Raw) -> (BTreeMap<i32, Asked>, BTreeMap<i32, Answered>) {
    let (mut asked, mut answered) = (BTreeMap::new(), BTreeMap::new());
    for exchange in exchanges {
        match exchange {
            Exchange::Asked(half) if half.remote == client.local_address() => {
                assert!(asked.insert(half.opaque.0, half.clone()).is_none(), "asked twice: {half:?}");
            }
            Exchange::Answered(half) if half.remote == client.local_address() => {
                assert!(asked.contains_key(&half.opaque.0), "answered first: {half:?}");
                assert!(answered.insert(half.opaque.0, half.clone()).is_none(), "answered twice: {half:?}");
            }
            _ => {}
        }
    }
    (asked, answered)
}

#[actix::test]
async fn every_request_is_told_of_when_it_comes_and_when_it_is_answered() {
    const UNKNOWN: i32 = 4_000;
    let directory = tempfile::tempdir().unwrap();
    let (heard, recipient) = Heard::<Exchange>::start();
    let broker = Broker::builder(small(&directory)).on_request(recipient).start().await.unwrap();
    make_topic(&broker, "Asked").await;
    let mut client = Raw::connect(broker.address()).await;
    let large = "x".repeat(100_000);
    let oneway = send_to("Asked", 0, "", "oneway").oneway();
    let opaque = client.send_as(oneway, Serialization::Binary).await;
    let mut expected = vec![(opaque.0, request::SEND_MESSAGE_V2, true, 6, None)];
    for (request, serialization) in [
        (send_to("Asked", 0, "", large.clone()), Serialization::Json),
        (send_to("Asked", 0, "", "x"), Serialization::Binary),
        (ask_for(UNKNOWN, &[]), Serialization::Json),
        (ask_for(request::GET_ALL_TOPIC_CONFIG, &[]), Serialization::Binary),
    ] {
        let (code, bytes) = (request.code, request.body.len());
        let opaque = client.send_as(request, serialization).await;
        let reply = client.next().await.unwrap();
        assert_eq!(reply.opaque, opaque);
        expected.push((opaque.0, code, false, bytes, Some(reply.code)));
    }
    // Large answers leave in another way.
    let pull = raw::pull_from("Asked", 0, 0, 32);
    let large = client.pull(pull).await;
    assert!(large.body.len() > 100_000);
    heard.at_least(2 * expected.len() + 1).await;
    let pulled = || {
        let (_, answered) = halves(&heard.events(), &client);
        answered.values().any(|half| (half.request, half.code) == (request::PULL_MESSAGE, response::SUCCESS))
    };
    wait_until(LIMIT, "the large answer is told of", pulled).await;
    let (asked, answered) = halves(&heard.events(), &client);
    let told = |opaque: &i32| {
        let half = &asked[opaque];
        (*opaque, half.code, half.oneway, half.bytes, answered.get(opaque).map(|half| half.code))
    };
    let opaques = expected.iter().map(|(opaque, ..)| opaque);
    assert_eq!(opaques.map(told).collect::<Vec<_>>(), expected);
    assert!(answered.iter().all(|(opaque, half)| half.request == asked[opaque].code));
    assert_eq!(expected[3].4, Some(response::REQUEST_CODE_NOT_SUPPORTED));
    broker.stop().await.unwrap();
}

/// Panics over the first message.
struct Breaking;

/// Ends before there is one.
struct Gone;

/// Takes messages and looks at none.
struct Indifferent;

impl Actor for Breaking {
    type Context = Context<Self>;
}

impl Actor for Gone {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Actor for Indifferent {
    type Context = Context<Self>;
}

impl<T: Send + 'static> Handler<Told<T>> for Breaking {
    type Result = ();

    fn handle(&mut self, _: Told<T>, _: &mut Context<Self>) {
        panic!("the application's own mistake");
    }
}

impl<T: Send + 'static> Handler<Told<T>> for Gone {
    type Result = ();

    fn handle(&mut self, _: Told<T>, _: &mut Context<Self>) {}
}

impl<T: Send + 'static> Handler<Told<T>> for Indifferent {
    type Result = ();

    fn handle(&mut self, _: Told<T>, _: &mut Context<Self>) {}
}

/// A broker whose hooks are this actor serves as one without hooks.
async fn check_undisturbed<A>(hook: A)
where
    A: Actor<Context = Context<A>> + Handler<Told<Sent>> + Handler<Told<Consumed>> + Handler<Told<Exchange>>,
{
    let directory = tempfile::tempdir().unwrap();
    let hook = hook.start();
    let broker = Broker::builder(small(&directory))
        .on_send(hook.clone().recipient())
        .on_consume(hook.clone().recipient())
        .on_request(hook.recipient())
        .start()
        .await
        .unwrap();
    make_topic(&broker, "Undisturbed").await;
    let answers = LOAD.run(&broker, "Undisturbed").await;
    assert_eq!(acknowledged(&answers).len(), answers.len());
    assert!(pull_all(&broker, "Undisturbed", answers.len()).await == acknowledged(&answers), "each message once");
    // Once more, when it has surely broken.
    connect(&broker).await.call(send_command("Undisturbed", 0, "last"), LIMIT).await.unwrap();
    assert!(broker.faults().terminal().is_none());
    broker.stop().await.unwrap();
}

#[actix::test]
async fn a_hook_that_panics_disturbs_nobody() {
    check_undisturbed(Breaking).await;
}

#[actix::test]
async fn a_hook_that_is_gone_disturbs_nobody() {
    check_undisturbed(Gone).await;
}

#[actix::test]
async fn a_hook_that_looks_at_nothing_disturbs_nobody() {
    check_undisturbed(Indifferent).await;
}
