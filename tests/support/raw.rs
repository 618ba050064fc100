//! A client that says what the test wants, byte by byte, and reads what comes back.
#![allow(dead_code, reason = "not every test that includes this file says everything")]

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields, Language, Serialization};
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX, Frame};
use ferromq::protocol::units::Opaque;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is waited for takes milliseconds; who waits this long waits in vain.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// One connection of raw bytes.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: BytesMut,
    next_opaque: i32,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(timeout(LIMIT, TcpStream::connect(address)).await.unwrap().unwrap())
    }

    /// The same over a connection that is there already: one that was accepted.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new(), next_opaque: 1 }
    }

    /// This side's address, as the server sees it.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Writes bytes; false when the other side has closed the connection.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        timeout(LIMIT, self.stream.write_all(bytes)).await.expect("the other side reads").is_ok()
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let mut frames = Vec::new();
            if frame::needed(&self.buffer).is_some_and(|needed| needed <= self.buffer.len()) {
                let needed = frame::needed(&self.buffer).unwrap();
                let mut one = self.buffer.split_to(needed);
                frame::decode_all(&mut one, FRAME_BYTES_MAX, &mut frames).unwrap();
                return frames.pop();
            }
            let read = timeout(LIMIT, self.stream.read_buf(&mut self.buffer)).await;
            // A connection that is closed with bytes unread is reset.
            if read.expect("an answer or the end of the connection").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next command, or `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Command> {
        Some(self.next_frame().await?.command().unwrap())
    }

    /// Sends a request in an encoding without waiting for its reply; returns what pairs them.
    pub(crate) async fn send_as(&mut self, command: Command, serialization: Serialization) -> Opaque {
        let opaque = Opaque(self.next_opaque);
        self.next_opaque += 1;
        let mut out = BytesMut::new();
        frame::encode(&command.with_opaque(opaque), serialization, &mut out);
        assert!(self.write(&out).await, "the connection is open");
        opaque
    }

    /// Sends a request and returns its reply; what the server asks or tells meanwhile is passed over.
    pub(crate) async fn ask(&mut self, command: Command) -> Command {
        let opaque = self.send_as(command, Serialization::Json).await;
        loop {
            let received = self.next().await.expect("a reply");
            if received.is_reply() {
                assert_eq!(received.opaque, opaque, "{received:?}");
                return received;
            }
        }
    }

    /// Asks again until the reply is as it will be: what is acknowledged is in its queue a moment later.
    pub(crate) async fn ask_until(&mut self, command: Command, holds: impl Fn(&Command) -> bool) -> Command {
        let asked = timeout(LIMIT, async {
            loop {
                let reply = self.ask(command.clone()).await;
                if holds(&reply) {
                    return reply;
                }
            }
        });
        asked.await.expect("the reply that is waited for")
    }

    /// The reply to a pull once there is something to pull.
    pub(crate) async fn pull(&mut self, pull: Command) -> Command {
        self.ask_until(pull, |reply| reply.code != response::PULL_NOT_FOUND).await
    }

    /// Waits until something has arrived, and leaves it where it is.
    pub(crate) async fn has_bytes_to_read(&self) {
        timeout(LIMIT, self.stream.readable()).await.expect("an answer").unwrap();
    }

    /// Whether nothing more comes but the end.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.next_frame().await.is_none()
    }
}

/// A request of Java's kind with these fields.
pub(crate) fn ask_for(code: i32, fields: &[(&str, &dyn Display)]) -> Command {
    Command::request(code).with_language(Language::Java).with_ext(ext(fields))
}

/// These fields.
pub(crate) fn ext(fields: &[(&str, &dyn Display)]) -> ExtFields {
    let mut ext = ExtFields::builder();
    for (name, value) in fields {
        ext.push(name, value);
    }
    ext.build()
}

/// A send to a queue, in the short form.
pub(crate) fn send_to(topic: &str, queue_id: i32, properties: &str, body: impl Into<Bytes>) -> Command {
    let fields: [(&str, &dyn Display); 13] = [
        ("a", &"PG"),
        ("b", &topic),
        ("c", &"TBW102"),
        ("d", &4),
        ("e", &queue_id),
        ("f", &0),
        ("g", &1_700_000_000_000_i64),
        ("h", &0),
        ("i", &properties),
        ("j", &0),
        ("k", &false),
        ("l", &16),
        ("m", &false),
    ];
    ask_for(request::SEND_MESSAGE_V2, &fields).with_body(body.into())
}

/// The same request with another value of a field.
pub(crate) fn with(command: Command, name: &str, value: impl Display) -> Command {
    let mut ext = ExtFields::builder();
    for (other, value) in command.ext.iter() {
        ext.push(other, value);
    }
    ext.push(name, value);
    Command { ext: ext.build(), ..command }
}

/// A pull of a group that takes every tag.
pub(crate) fn pull_from(topic: &str, queue_id: i32, offset: i64, count: i32) -> Command {
    const SUBSCRIPTION: i32 = 4;
    pull_with(SUBSCRIPTION, topic, queue_id, offset, count)
}

/// The same, that waits when there is nothing.
pub(crate) fn waiting_pull_from(topic: &str, queue_id: i32, offset: i64, count: i32) -> Command {
    const SUSPEND_AND_SUBSCRIPTION: i32 = 2 + 4;
    pull_with(SUSPEND_AND_SUBSCRIPTION, topic, queue_id, offset, count)
}

fn pull_with(sys_flag: i32, topic: &str, queue_id: i32, offset: i64, count: i32) -> Command {
    let fields: [(&str, &dyn Display); 10] = [
        ("consumerGroup", &"CG"),
        ("topic", &topic),
        ("queueId", &queue_id),
        ("queueOffset", &offset),
        ("maxMsgNums", &count),
        ("sysFlag", &sys_flag),
        ("commitOffset", &0),
        ("suspendTimeoutMillis", &15_000),
        ("subscription", &"*"),
        ("subVersion", &0),
    ];
    ask_for(request::PULL_MESSAGE, &fields)
}
