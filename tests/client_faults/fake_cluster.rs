//! A name server and broker of one topic that says what a test has it say, and otherwise what a sane one does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use ferromq::client::{Client, ClientOptions};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::lists::ConsumerList;
use ferromq::protocol::body::lock::{LockBatchRequestBody, LockBatchResponseBody};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::message::{RecordParts, body_crc};
use ferromq::protocol::units::{BornTime, PhysicalOffset, QueueId, QueueOffset, StoreTime};

use crate::fake_broker::{FakeBroker, reply, route_reply};
use crate::raw::ext;

/// What a test says to a request; `None` leaves it to a sane broker.
pub(crate) type Says = Option<Vec<Command>>;

pub(crate) struct FakeCluster {
    pub(crate) broker: FakeBroker,
    members: Arc<Mutex<Vec<String>>>,
}

impl FakeCluster {
    /// With so many queues; what `says` is told are requests and the address of the broker.
    pub(crate) async fn start(queues: u32, says: impl Fn(&Command, &str) -> Says + Send + Sync + 'static) -> Self {
        let address: Arc<OnceLock<String>> = Arc::default();
        let (members, own) = (Arc::<Mutex<Vec<String>>>::default(), address.clone());
        let known = members.clone();
        let broker = FakeBroker::start_for_clients(move |command, _| {
            let own = own.get().map_or("", String::as_str);
            Some(says(command, own).unwrap_or_else(|| sane(command, own, queues, &known.lock().unwrap())))
        })
        .await;
        address.set(broker.address.clone()).unwrap();
        Self { broker, members }
    }

    /// A client, which the broker knows as a member of every group.
    pub(crate) async fn client(&self) -> Client {
        self.client_with(|options| options).await
    }

    pub(crate) async fn client_with(&self, change: impl FnOnce(ClientOptions) -> ClientOptions) -> Client {
        let client = Client::new(change(ClientOptions::of(&self.broker.address))).await.unwrap();
        self.members.lock().unwrap().push(client.id().to_owned());
        client
    }
}

/// What a broker says where all is well: nothing is stored of any group, and nothing more comes from any queue.
fn sane(command: &Command, address: &str, queues: u32, members: &[String]) -> Vec<Command> {
    let success = reply(command, response::SUCCESS);
    vec![match command.code {
        request::GET_ROUTEINFO_BY_TOPIC if command.ext.get("topic").is_some_and(|topic| topic == "T") => {
            route_reply(command, address, queues)
        }
        request::GET_ROUTEINFO_BY_TOPIC => reply(command, response::TOPIC_NOT_EXIST),
        request::GET_CONSUMER_LIST_BY_GROUP => {
            success.with_body(ConsumerList { consumer_id_list: members.to_vec() }.encode())
        }
        request::LOCK_BATCH_MQ => {
            let lock_ok_mq_set = LockBatchRequestBody::decode(&command.body).unwrap().mq_set;
            success.with_body(LockBatchResponseBody { lock_ok_mq_set }.encode())
        }
        request::QUERY_CONSUMER_OFFSET => reply(command, response::QUERY_NOT_FOUND),
        request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => stored(command),
        // It is held for longer than any test takes.
        request::PULL_MESSAGE => return Vec::new(),
        _ if command.is_oneway() => return Vec::new(),
        _ => success,
    }]
}

/// A message was stored.
pub(crate) fn stored(to: &Command) -> Command {
    reply(to, response::SUCCESS).with_ext(ext(&[("msgId", &"ID"), ("queueId", &0), ("queueOffset", &41)]))
}

/// The answer to a pull.
pub(crate) fn pulled(to: &Command, code: i32, next: i64, body: impl Into<Bytes>) -> Command {
    let fields = ext(&[("suggestWhichBrokerId", &0), ("nextBeginOffset", &next), ("minOffset", &0), ("maxOffset", &9)]);
    reply(to, code).with_ext(fields).with_body(body.into())
}

/// A stored message of queue 0.
pub(crate) fn record(queue_offset: u64, body: &str) -> Vec<u8> {
    let host: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let parts = RecordParts {
        topic: "T",
        queue_id: QueueId(0),
        flag: 0,
        queue_offset: QueueOffset(queue_offset),
        physical_offset: PhysicalOffset(queue_offset.wrapping_mul(100)),
        sys_flag: 0,
        born_time: BornTime(1),
        born_host: host,
        store_time: StoreTime(2),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_crc: body_crc(body.as_bytes()),
        body: body.as_bytes(),
        properties: b"TAGS\x01red",
    };
    let mut out = Vec::new();
    parts.append_to(&mut out);
    out
}
