//! A broker on a copy of a store that a Java broker wrote answers the clients as that one did, and leaves the store as
//! it was.

use actix::{Actor, Context, Handler, MessageResult};
use actix_rt::ArbiterHandle;
use ferromq::actors::arbiters::start_on;
use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::actors::schedule_actor::{NextOf, SchedulePorts};
use ferromq::broker::config::FilterSettings;
use ferromq::protocol::body::lenient;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::compression::plain_body;
use ferromq::protocol::ids::parse_offset_id;
use ferromq::protocol::message::{self, Message};
use ferromq::protocol::units::{QueueOffset, StoreTime};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fixture::{Fixture, check_message, digest, hex};
use crate::raw::{Raw, ask_for};
use crate::support::small;

/// No body of the fixtures is longer.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A delay level that delivers nothing.
struct Idle;

impl Actor for Idle {
    type Context = Context<Self>;
}

impl Handler<NextOf> for Idle {
    type Result = MessageResult<NextOf>;

    fn handle(&mut self, _: NextOf, _: &mut Context<Self>) -> Self::Result {
        MessageResult(QueueOffset(0))
    }
}

/// A broker on a store, and a client of it.
struct Served {
    fixture: Fixture,
    broker: Broker,
    client: Raw,
}

impl Served {
    async fn start(name: &str) -> Self {
        let fixture = Fixture::unpack(name);
        let filters = FilterSettings { enabled: true, ..FilterSettings::default() };
        let options = BrokerOptions { store: fixture.options(), filters, ..small(&fixture.directory) };
        // What is pending in the store fell due long ago, and the recorded broker had delivered nothing yet.
        let nobody = |_, on: &ArbiterHandle| SchedulePorts { next: start_on(on, |_| Idle).recipient() };
        let broker = Broker::builder(options).schedule(nobody).start().await.unwrap();
        let client = Raw::connect(broker.address()).await;
        Self { fixture, broker, client }
    }

    async fn ask(&mut self, command: Command) -> Command {
        let reply = self.client.ask(command).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        reply
    }

    /// Asks for one number about a queue.
    async fn number(&mut self, code: i32, field: &'static str, row: &Value) -> i64 {
        let (topic, queue_id) = (row["topic"].as_str().unwrap(), row["queueId"].as_i64().unwrap());
        self.ask(ask_for(code, &[("topic", &topic), ("queueId", &queue_id)])).await.ext.int64(field).unwrap()
    }

    async fn offset_by_time(&mut self, row: &Value, time: StoreTime) -> i64 {
        let (topic, queue_id) = (row["topic"].as_str().unwrap(), row["queueId"].as_i64().unwrap());
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("topic", &topic), ("queueId", &queue_id), ("timestamp", &time.0)];
        self.ask(ask_for(request::SEARCH_OFFSET_BY_TIMESTAMP, &fields)).await.ext.int64("offset").unwrap()
    }

    async fn pull(&mut self, row: &Value, offset: i64, count: i64, expression: &str) -> Command {
        const SUBSCRIPTION: i32 = 4;
        let (topic, queue_id) = (row["topic"].as_str().unwrap(), row["queueId"].as_i64().unwrap());
        let condition = expression.strip_prefix("SQL92:");
        let (expression, language) = condition.map_or((expression, "TAG"), |condition| (condition, "SQL92"));
        let fields: [(&str, &dyn std::fmt::Display); 11] = [
            ("consumerGroup", &"CG_manifest"),
            ("topic", &topic),
            ("queueId", &queue_id),
            ("queueOffset", &offset),
            ("maxMsgNums", &count),
            ("sysFlag", &SUBSCRIPTION),
            ("commitOffset", &0),
            ("suspendTimeoutMillis", &15_000),
            ("subscription", &expression),
            ("subVersion", &0),
            ("expressionType", &language),
        ];
        self.client.ask(ask_for(request::PULL_MESSAGE, &fields)).await
    }

    /// A table of settings as the broker tells it.
    async fn table(&mut self, code: i32) -> Value {
        lenient::read(&self.ask(ask_for(code, &[])).await.body).unwrap()
    }

    /// A file of settings. Java's have keys without quotes.
    fn file(&self, name: &str) -> Value {
        let path = self.fixture.options().config_dir().join(name);
        lenient::read(&std::fs::read(path).unwrap()).unwrap()
    }
}

/// The code of a reply to a pull that went like this.
fn code_of(status: &str) -> i32 {
    match status {
        "FOUND" => response::SUCCESS,
        "NO_MATCHED_MESSAGE" => response::PULL_RETRY_IMMEDIATELY,
        "OFFSET_OVERFLOW_ONE" => response::PULL_NOT_FOUND,
        "OFFSET_OVERFLOW_BADLY" | "OFFSET_TOO_SMALL" => response::PULL_OFFSET_MOVED,
        other => panic!("no pull from a queue with messages goes like {other}"),
    }
}

async fn check_client_row(served: &mut Served, row: &Value) {
    let number = |key: &str| row[key].as_i64().unwrap();
    let min = served.number(request::GET_MIN_OFFSET, "offset", row).await;
    let max = served.number(request::GET_MAX_OFFSET, "offset", row).await;
    assert_eq!((min, max), (number("minOffset"), number("maxOffset")), "{row}");
    let pulled = served.pull(row, min, 32, "*").await;
    assert_eq!((row["pullStatus"].as_str(), pulled.code), (Some("FOUND"), response::SUCCESS), "{row}");
    assert_eq!(pulled.ext.int64("nextBeginOffset").unwrap(), number("pullNext"), "{row}");
    let messages = message::decode_all(pulled.body).unwrap();
    assert_eq!(messages.len() as i64, number("pullCount"), "{row}");
    let first = &messages[0];
    assert_eq!(first.unique_id(), row["firstMsgId"].as_str(), "{row}");
    let body = plain_body(first.sys_flag, &first.body, BODY_BYTES_MAX).unwrap();
    assert_eq!(digest(&body), row["firstBodySha256"].as_str().unwrap(), "{row}");
    assert_eq!(served.offset_by_time(row, first.store_time).await, number("searchOffsetOfFirst"), "{row}");
}

#[actix::test]
async fn the_questions_of_the_official_client() {
    // In f there is no topic, so that Java's client had no route. Of c7 ours makes what b0 was.
    for name in [
        "a-clean",
        "b0-clean-many-files",
        "b1-killed",
        "c1-torn-tail-abort",
        "c3-body-flip-abort",
        "c4-body-flip-old-file-clean",
        "c5-queues-and-index-missing",
        "c6-log-shorter-than-queues",
        "c8-garbage-tail-abort",
        "d-segments-deleted",
        "e-queue-ext",
    ] {
        let mut served = Served::start(name).await;
        for row in served.fixture.rows("clientAnswers").to_vec() {
            check_client_row(&mut served, &row).await;
        }
        for row in served.fixture.rows("queues").to_vec() {
            let earliest = served.number(request::GET_EARLIEST_MSG_STORETIME, "timestamp", &row).await;
            assert_eq!(earliest, row["earliestStoreTimestamp"].as_i64().unwrap(), "{name}: {row}");
        }
        served.broker.stop().await.unwrap();
    }
}

/// QUERY_MESSAGE is not served yet; the index that will answer it has what the client got.
#[test]
fn as_many_messages_of_a_key_as_the_client_got() {
    for name in ["a-clean", "b0-clean-many-files", "d-segments-deleted"] {
        let fixture = Fixture::unpack(name);
        let store = fixture.open();
        let view = store.log.view();
        for row in fixture.rows("clientAnswers").iter().filter(|row| row["queryKey"].is_string()) {
            let (topic, key) = (row["topic"].as_str().unwrap(), row["queryKey"].as_str().unwrap());
            let index = store.index.as_ref().unwrap();
            let found = index.lookup(topic, key, 64, StoreTime(0), StoreTime(i64::MAX)).unwrap().records;
            // A hash may stand for several keys: the client drops what has another.
            let has_key = |message: &Message| message.keys().is_some_and(|keys| keys.split(' ').any(|one| one == key));
            let records = found.iter().filter_map(|at| view.slice(*at, view.record_size(*at)?));
            let count = records.filter(|record| has_key(&message::decode(record).unwrap().0)).count();
            assert_eq!(count as u64, row["queryCount"].as_u64().unwrap(), "{name}: {row}");
        }
    }
}

async fn check_pull(served: &mut Served, row: &Value) {
    let number = |key: &str| row[key].as_i64().unwrap();
    let status = row["status"].as_str().unwrap();
    let expression = row["expression"].as_str().unwrap_or("*");
    let reply = served.pull(row, number("offset"), number("maxMsgNums"), expression).await;
    assert_eq!((reply.code, reply.remark.as_deref()), (code_of(status), Some(status)), "{row}");
    let told = ["nextBeginOffset", "minOffset", "maxOffset"];
    for field in told {
        assert_eq!(reply.ext.int64(field).unwrap(), number(field), "{row}: {field}");
    }
    assert_eq!(reply.body.len() as i64, number("bytes"), "{row}");
    let messages = message::decode_all(reply.body).unwrap();
    let offsets: Vec<u64> = messages.iter().map(|message| message.queue_offset.0).collect();
    assert_eq!(Value::from(offsets), row["queueOffsets"], "{row}");
}

#[actix::test]
async fn pulls_at_every_offset_and_with_every_expression() {
    for name in ["a-clean", "e-queue-ext"] {
        check_pulls(name).await;
    }
}

async fn check_pulls(name: &str) {
    let mut served = Served::start(name).await;
    let topics = served.file("topics.json");
    for row in served.fixture.rows("getMessage").to_vec() {
        // The store was asked of all queues; clients cannot pull from topics that are in no table.
        if topics["topicConfigTable"].get(row["topic"].as_str().unwrap()).is_some() {
            check_pull(&mut served, &row).await;
        } else {
            assert_eq!(served.pull(&row, 0, 1, "*").await.code, response::TOPIC_NOT_EXIST, "{row}");
        }
    }
    served.broker.stop().await.unwrap();
}

#[actix::test]
async fn every_message_by_its_id_and_every_offset_by_time() {
    let mut served = Served::start("a-clean").await;
    for row in served.fixture.rows("messages").to_vec() {
        let (_, at) = parse_offset_id(row["msgId"].as_str().unwrap()).unwrap();
        let found = served.ask(ask_for(request::VIEW_MESSAGE_BY_ID, &[("offset", &at.0)])).await;
        let found = message::decode_all(found.body).unwrap();
        assert_eq!(found.len(), 1, "{row}");
        check_message(&row, &found[0]);
    }
    for row in served.fixture.rows("offsetByTimestamp").to_vec() {
        let offset = served.offset_by_time(&row, StoreTime(row["timestamp"].as_i64().unwrap())).await;
        assert_eq!(offset, row["offset"].as_i64().unwrap(), "{row}");
    }
    served.broker.stop().await.unwrap();
}

/// Every entry of one of Java's tables is one of ours.
fn check_holds(ours: &Value, java: &Value, table: &str) {
    let java = java[table].as_object().unwrap();
    assert!(!java.is_empty(), "{table}");
    for (name, entry) in java {
        assert_eq!(&ours[table][name], entry, "{table}: {name}");
    }
}

#[actix::test]
async fn the_settings_that_java_wrote() {
    let mut served = Served::start("a-clean").await;
    let topics = served.table(request::GET_ALL_TOPIC_CONFIG).await;
    check_holds(&topics, &served.file("topics.json"), "topicConfigTable");
    let groups = served.table(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG).await;
    check_holds(&groups, &served.file("subscriptionGroup.json"), "subscriptionGroupTable");
    let offsets = served.table(request::GET_ALL_CONSUMER_OFFSET).await;
    let java = served.file("consumerOffset.json");
    assert_eq!(java["offsetTable"]["FixOrder@CG_order"]["1"], 6);
    assert_eq!(offsets, java);
    served.broker.stop().await.unwrap();
}

/// Messages that are still to be delivered lie where they lay, and Java's note of how far delivery has come is kept.
#[actix::test]
async fn the_store_is_left_as_it_was() {
    let mut served = Served::start("a-clean").await;
    for row in served.fixture.rows("clientAnswers").to_vec() {
        check_client_row(&mut served, &row).await;
    }
    let offsets = served.file("consumerOffset.json");
    let Served { fixture, broker, .. } = served;
    broker.stop().await.unwrap();
    let root = fixture.options().root;
    assert!(!root.join("abort").exists());
    let changes = ["checkpoint", "lock", "config/consumerOffset.json", "config/subscriptionGroup.json"];
    let mut kept = 0;
    for row in fixture.rows("files") {
        let path = row["path"].as_str().unwrap();
        if changes.contains(&path.trim_end_matches(".bak")) {
            continue;
        }
        let bytes = std::fs::read(root.join(path)).unwrap();
        assert_eq!(hex(&Sha256::digest(&bytes)), row["sha256"].as_str().unwrap(), "{path}");
        kept += usize::from(path.starts_with("consumequeue/SCHEDULE_TOPIC_XXXX/") || path == "config/delayOffset.json");
    }
    assert_eq!(kept, 5, "four levels have messages");
    let kept: Value = lenient::read(&std::fs::read(root.join("config/consumerOffset.json")).unwrap()).unwrap();
    assert_eq!(kept, offsets);
}
