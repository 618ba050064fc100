//! Whatever servers answer, with any code, fields and bytes, to whatever a client asks: an answer or an error, soon, and no panic.
//! `FERROMQ_SIM_SEEDS` has seeds again, as `FROM..TO`.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use ferromq::client::membership::Membership;
use ferromq::client::route::Routes;
use ferromq::client::{Connections, ConsumerOptions, Limits, OutgoingMessage, ProducerOptions, Puller, Queue, Wanted};
use ferromq::protocol::body::queue_table::MessageQueue;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::{QueueId, QueueOffset};
use tokio::time::timeout;

use crate::fake_broker::{reply, route_reply};
use crate::fake_cluster::{FakeCluster, pulled, record};
use crate::inbox::{Inbox, from_the_first};
use crate::panics;
use crate::raw::LIMIT;
use crate::seeds::asked_or_first;

/// The fields that a client reads of any answer.
const FIELDS: [&str; 9] = [
    "suggestWhichBrokerId",
    "nextBeginOffset",
    "minOffset",
    "maxOffset",
    "offset",
    "msgId",
    "queueId",
    "queueOffset",
    "transactionId",
];
const VALUES: [&str; 12] = [
    "0",
    "1",
    "7",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "2147483647",
    "-2147483648",
    "18446744073709551615",
    "",
    "x",
    "1e9",
];
const CODES: [i32; 12] = [
    response::SUCCESS,
    response::SUCCESS,
    response::SUCCESS,
    response::PULL_NOT_FOUND,
    response::PULL_RETRY_IMMEDIATELY,
    response::PULL_OFFSET_MOVED,
    response::SYSTEM_ERROR,
    response::SYSTEM_BUSY,
    response::TOPIC_NOT_EXIST,
    response::FLUSH_DISK_TIMEOUT,
    response::QUERY_NOT_FOUND,
    i32::MIN,
];

fn fields(random: &mut Rng) -> ExtFields {
    let mut ext = ExtFields::builder();
    // Most answers have all fields, or nothing but the first one would ever be read.
    let is_whole = random.u8(..4) > 0;
    for name in FIELDS {
        let number = || ["0", "1", "7", "9223372036854775807", "-1"];
        if is_whole {
            ext.push(name, random.choice(number()).unwrap());
        } else if random.bool() {
            ext.push(name, random.choice(VALUES).unwrap());
        }
    }
    ext.build()
}

fn body(random: &mut Rng) -> Bytes {
    let mut bytes = match random.u8(..6) {
        0 => return Bytes::new(),
        1 => br#"{"consumerIdList":["a",""],"lockOKMQSet":[{"brokerName":"fake","queueId":-1,"topic":"T"}]}"#.to_vec(),
        2 => [record(random.u64(..), "one"), record(random.u64(..9), "two")].concat(),
        3 => route_reply(&Command::request(0), "127.0.0.1:1", *random.choice(&[0, 3, u32::MAX / 2]).unwrap())
            .body
            .to_vec(),
        4 => br#"{"brokerDatas":[{"brokerName":"fake","brokerAddrs":{}}],"queueDatas":[{"brokerName":"?"}]}"#.to_vec(),
        _ => (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
    };
    for _ in 0..random.usize(..3) {
        let at = random.usize(..bytes.len().max(1));
        bytes.get_mut(at).map(|byte| *byte = random.u8(..)).unwrap_or_default();
    }
    bytes.into()
}

fn any_answer(to: &Command, random: &mut Rng) -> Command {
    reply(to, *random.choice(&CODES).unwrap()).with_ext(fields(random)).with_body(body(random))
}

/// Everything that a client asks by itself, once.
async fn ask_everything(address: &str) {
    let connections = Connections::new(Limits::default());
    let (group, topic) = (GroupName::parse("G").unwrap(), Topic::parse("T").unwrap());
    let queue = Queue { broker_name: "fake".into(), address: address.into(), id: QueueId(0) };
    let own = MessageQueue { broker_name: "fake".into(), queue_id: 0, topic: "T".into() };
    let puller = Puller::new(connections.clone(), group.clone(), topic.clone());
    let membership = Membership::new(connections.clone(), "me", group);
    let routes = Routes::new(connections, address).unwrap();
    let _ = puller.pull(&queue, QueueOffset(0), 32, Duration::ZERO).await;
    let _ = (puller.max_offset(&queue).await, puller.min_offset(&queue).await, puller.offset_at(&queue, 5).await);
    let _ = (membership.members(address).await, membership.offset(&topic, &queue).await);
    let _ = (membership.lock(address, vec![own.clone()]).await, membership.unlock(address, vec![own]).await);
    let _ = (routes.of(&topic).await, routes.of_publishing(&topic).await);
}

#[tokio::test]
async fn by_everything_that_is_asked_once() {
    panics::watch();
    for seed in asked_or_first(150) {
        let random = Mutex::new(Rng::with_seed(seed));
        let cluster =
            FakeCluster::start(2, move |command, _| Some(vec![any_answer(command, &mut random.lock().unwrap())])).await;
        let asked = timeout(LIMIT, ask_everything(&cluster.broker.address)).await;
        assert!(asked.is_ok(), "seed {seed}: a call hangs");
        panics::none();
    }
}

#[tokio::test]
async fn by_a_producer_on_any_route() {
    panics::watch();
    for seed in asked_or_first(40) {
        let random = Mutex::new(Rng::with_seed(seed));
        let cluster = FakeCluster::start(2, move |command, _| {
            let random = &mut *random.lock().unwrap();
            // Half of the routes are good, so that something is sent at all.
            let is_good = command.code == request::GET_ROUTEINFO_BY_TOPIC && random.bool();
            (!is_good).then(|| vec![any_answer(command, random)])
        })
        .await;
        let send_timeout = Duration::from_millis(300);
        let options = ProducerOptions { send_timeout, ..ProducerOptions::default() };
        let producer = cluster.client().await.producer("G").options(options).start().await.unwrap();
        let message = OutgoingMessage::new(Topic::parse("T").unwrap(), "x");
        let sends = async {
            for _ in 0..5 {
                let _ = (producer.send(&message).await, producer.send_batch(std::slice::from_ref(&message)).await);
            }
        };
        assert!(timeout(LIMIT, sends).await.is_ok(), "seed {seed}: a send hangs");
        panics::none();
    }
}

/// What a consumer is answered at first is anything; then its broker comes to its senses, and it goes on.
#[tokio::test]
async fn by_a_consumer_which_goes_on_afterwards() {
    panics::watch();
    for seed in asked_or_first(2) {
        let (random, answers) = (Mutex::new(Rng::with_seed(seed)), AtomicUsize::new(0));
        let served = Mutex::new(BTreeSet::new());
        let cluster = FakeCluster::start(4, move |command, _| {
            let random = &mut *random.lock().unwrap();
            let is_early = answers.fetch_add(1, Ordering::SeqCst) < 120;
            // A route is believed for longer than a test takes.
            let is_route = command.code == request::GET_ROUTEINFO_BY_TOPIC;
            if is_early && !command.is_oneway() && !is_route && random.u8(..4) > 0 {
                return Some(vec![any_answer(command, random)]);
            }
            let offset = command.ext.int64("queueOffset").ok().filter(|_| command.code == request::PULL_MESSAGE)?;
            let queue = command.ext.int32("queueId").unwrap();
            if offset == 0 {
                served.lock().unwrap().insert(queue);
                return Some(vec![pulled(command, response::SUCCESS, 1, record(0, &format!("sane {queue}")))]);
            }
            // Wherever it was sent before, it has to come by where the message is.
            let is_over = !is_early && served.lock().unwrap().contains(&queue);
            (!is_over).then(|| vec![pulled(command, response::PULL_OFFSET_MOVED, 0, "")])
        })
        .await;
        let inbox = Inbox::default();
        let options = ConsumerOptions { rebalance_interval: Duration::from_millis(500), ..from_the_first() };
        let builder = cluster.client().await.push_consumer("readers").options(options).subscribe("T", Wanted::All);
        let consumer = builder.start(inbox.listener()).await.unwrap();
        let all = timeout(LIMIT, async {
            let sane = || inbox.messages().into_iter().filter(|message| message.body.starts_with(b"sane"));
            while sane().map(|message| message.body.clone()).collect::<BTreeSet<_>>().len() < 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(all.await.is_ok(), "seed {seed}: not all queues go on, {:?}", inbox.len());
        consumer.stop().await.unwrap();
        panics::none();
    }
}
