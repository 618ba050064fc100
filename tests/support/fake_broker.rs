//! A name server and broker in one: every request goes to a closure of the test, and what that returns goes back.
#![allow(dead_code, reason = "not every test that includes this file fakes in every way")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use ferromq::protocol::body::Body;
use ferromq::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use ferromq::protocol::body::topic_config::Permission;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a fake broker does with one request: the frames to write, in order, or `None` to close the connection.
pub(crate) type Answers = Option<Vec<Command>>;

/// A server that is told what to answer; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct FakeBroker {
    /// `host:port`.
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Command>>>,
    accepted: Arc<AtomicUsize>,
}

impl FakeBroker {
    /// Serves with `answer`, which sees each request and a number that counts them over all connections.
    pub(crate) async fn start(answer: impl Fn(&Command, usize) -> Answers + Send + Sync + 'static) -> Self {
        Self::serving(false, answer).await
    }

    /// The same for what clients send messages to: they come and go without the test hearing of it.
    pub(crate) async fn start_for_clients(answer: impl Fn(&Command, usize) -> Answers + Send + Sync + 'static) -> Self {
        Self::serving(true, answer).await
    }

    async fn serving(greets: bool, answer: impl Fn(&Command, usize) -> Answers + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let broker = Self { address, received: Arc::default(), accepted: Arc::default() };
        let (answer, received, accepted) = (Arc::new(answer), broker.received.clone(), broker.accepted.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, greets, answer.clone(), received.clone()));
            }
        });
        broker
    }

    /// A broker that also is the name server of a topic with queues on itself.
    pub(crate) async fn with_route(
        queues: u32,
        answer: impl Fn(&Command, usize) -> Answers + Send + Sync + 'static,
    ) -> Self {
        let own_address = Arc::new(Mutex::new(String::new()));
        let address = own_address.clone();
        let broker = Self::start_for_clients(move |command, number| {
            if command.code == request::GET_ROUTEINFO_BY_TOPIC {
                return Some(vec![route_reply(command, &address.lock().unwrap(), queues)]);
            }
            answer(command, number)
        })
        .await;
        own_address.lock().unwrap().clone_from(&broker.address);
        broker
    }

    /// The connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The requests so far of one code.
    pub(crate) fn received(&self, code: i32) -> Vec<Command> {
        self.received.lock().unwrap().iter().filter(|command| command.code == code).cloned().collect()
    }
}

/// An answer of this code to a request.
pub(crate) fn reply(to: &Command, code: i32) -> Command {
    Command::reply(code, to.opaque)
}

/// The answer of a name server: a topic with queues on this broker.
pub(crate) fn route_reply(to: &Command, address: &str, queues: u32) -> Command {
    let route = TopicRouteData {
        broker_datas: vec![BrokerData {
            broker_addrs: [(0, address.to_owned())].into(),
            broker_name: "fake".into(),
            cluster: "c".into(),
        }],
        queue_datas: vec![QueueData {
            broker_name: "fake".into(),
            perm: Permission::READ_WRITE,
            read_queue_nums: queues,
            write_queue_nums: queues,
            ..QueueData::default()
        }],
        ..TopicRouteData::default()
    };
    reply(to, response::SUCCESS).with_body(route.encode())
}

async fn serve(
    mut stream: TcpStream,
    greets: bool,
    answer: Arc<impl Fn(&Command, usize) -> Answers>,
    received: Arc<Mutex<Vec<Command>>>,
) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    while stream.read_buf(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
        frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames).unwrap();
        let mut out = BytesMut::new();
        for frame in frames.drain(..) {
            let command = frame.command().unwrap();
            if greets && matches!(command.code, request::HEART_BEAT | request::UNREGISTER_CLIENT) {
                frame::encode(&reply(&command, response::SUCCESS), Serialization::Json, &mut out);
                continue;
            }
            let number = {
                let mut received = received.lock().unwrap();
                received.push(command.clone());
                received.len() - 1
            };
            let Some(answers) = answer(&command, number) else { return };
            answers.iter().for_each(|answer| frame::encode(answer, Serialization::Json, &mut out));
        }
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}
