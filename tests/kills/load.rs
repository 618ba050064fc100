//! Senders that note what they are answered, until the connection breaks.

use std::cell::RefCell;
use std::fmt::Display;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use ferromq::protocol::message::encode_batch_item;
use ferromq::protocol::units::Opaque;
use tokio::sync::watch;

use crate::ledger::{DELAYED, ENDED, GROUP, Ledger, PLAIN, QUEUES};
use crate::raw::{Raw, ask_for, send_to, with};

const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;

/// One that sends messages of every kind, chosen by a seed.
pub(crate) struct Sender {
    name: String,
    client: Raw,
    random: fastrand::Rng,
    ledger: Rc<RefCell<Ledger>>,
    /// Told of each acknowledgement: where in the log the last message lies.
    acknowledged: watch::Sender<(usize, i64)>,
    sent: u64,
}

impl Sender {
    /// Sends until the broker is gone.
    pub(crate) async fn run(
        name: String,
        broker: SocketAddr,
        seed: u64,
        ledger: Rc<RefCell<Ledger>>,
        acknowledged: watch::Sender<(usize, i64)>,
    ) {
        let client = Raw::connect(broker).await;
        let random = fastrand::Rng::with_seed(seed);
        let mut sender = Self { name, client, random, ledger, acknowledged, sent: 0 };
        while sender.one().await.is_some() {}
    }

    async fn one(&mut self) -> Option<()> {
        match self.random.u8(..100) {
            0..60 => self.plain().await,
            60..75 => self.batch().await,
            75..82 => self.delayed().await,
            82..92 => self.transaction().await,
            _ => self.come_far().await,
        }
    }

    async fn plain(&mut self) -> Option<()> {
        let (topic, queue_id, body) = self.next();
        let properties = format!("TAGS\u{1}t{}\u{2}KEYS\u{1}{}", self.sent % 5, key_of(&body));
        let reply = self.ask(send_to(topic, queue_id, &properties, body.clone())).await?;
        self.note(&reply, topic, queue_id, vec![body]);
        Some(())
    }

    async fn batch(&mut self) -> Option<()> {
        let (topic, queue_id, first) = self.next();
        let mut bodies_of_batch = vec![first];
        for _ in 0..self.random.usize(0..6) {
            bodies_of_batch.push(self.body());
        }
        let mut items = Vec::new();
        for body in &bodies_of_batch {
            encode_batch_item(0, body.as_bytes(), &format!("KEYS\u{1}{}", key_of(body)), &mut items).unwrap();
        }
        let send = with(send_to(topic, queue_id, "", items), "m", true);
        let reply = self.ask(Command { code: request::SEND_BATCH_MESSAGE, ..send }).await?;
        self.note(&reply, topic, queue_id, bodies_of_batch);
        Some(())
    }

    async fn delayed(&mut self) -> Option<()> {
        let (_, queue_id, body) = self.next();
        let reply = self.ask(send_to(DELAYED, queue_id, "DELAY\u{1}1", body.clone())).await?;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        self.ledger.borrow_mut().acknowledge_delayed(body);
        Some(())
    }

    async fn transaction(&mut self) -> Option<()> {
        let (_, queue_id, body) = self.next();
        let properties = format!("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}UNIQ_KEY\u{1}{}", key_of(&body));
        let half = self.ask(with(send_to(ENDED, queue_id, &properties, body.clone()), "f", 4)).await?;
        assert_eq!(half.code, response::SUCCESS, "{half:?}");
        let how = *self.random.choice(&[COMMIT, ROLLBACK, 0]).unwrap();
        if how == 0 {
            return Some(());
        }
        if how == COMMIT {
            self.ledger.borrow_mut().begin_to_end(&body);
        }
        let (offset, at) = (half.ext.int64("queueOffset").unwrap(), lies_at(&half));
        let fields: [(&str, &dyn Display); 6] = [
            ("producerGroup", &"PG"),
            ("tranStateTableOffset", &offset),
            ("commitLogOffset", &at),
            ("commitOrRollback", &how),
            ("fromTransactionCheck", &false),
            ("msgId", &"id"),
        ];
        let reply = self.ask(ask_for(request::END_TRANSACTION, &fields)).await?;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        self.ledger.borrow_mut().acknowledge_end(body, how == COMMIT);
        Some(())
    }

    /// A group says that it has consumed all that was acknowledged to this sender.
    async fn come_far(&mut self) -> Option<()> {
        let (topic, queue_id, body) = self.next();
        let reply = self.ask(send_to(topic, queue_id, &format!("KEYS\u{1}{}", key_of(&body)), body.clone())).await?;
        let offset = self.note(&reply, topic, queue_id, vec![body]) + 1;
        let fields: [(&str, &dyn Display); 4] =
            [("consumerGroup", &GROUP), ("topic", &topic), ("queueId", &queue_id), ("commitOffset", &offset)];
        self.ask(ask_for(request::UPDATE_CONSUMER_OFFSET, &fields)).await.map(drop)
    }

    fn next(&mut self) -> (&'static str, i32, String) {
        let topic = PLAIN[self.random.usize(..PLAIN.len())];
        (topic, self.random.i32(0..QUEUES), self.body())
    }

    /// A body like no other, in which sender and number can be told.
    fn body(&mut self) -> String {
        self.sent += 1;
        format!("{} {} {}", self.name, self.sent, "x".repeat(self.random.usize(..400)))
    }

    fn note(&mut self, reply: &Command, topic: &str, queue_id: i32, sent: Vec<String>) -> i64 {
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        assert_eq!(reply.ext.int32("queueId").unwrap(), queue_id, "{reply:?}");
        let first = reply.ext.int64("queueOffset").unwrap();
        let mut ledger = self.ledger.borrow_mut();
        for (body, offset) in sent.into_iter().zip(first..) {
            ledger.acknowledge(topic, queue_id, offset, body);
        }
        let at = lies_at(reply);
        self.acknowledged.send_modify(|(count, furthest)| (*count, *furthest) = (*count + 1, at.max(*furthest)));
        first
    }

    /// The reply, or `None` when there is nobody any more to give one.
    async fn ask(&mut self, command: Command) -> Option<Command> {
        let mut out = BytesMut::new();
        frame::encode(&command.with_opaque(Opaque(self.sent as i32)), Serialization::Json, &mut out);
        if !self.client.write(&out).await {
            return None;
        }
        loop {
            let received = self.client.next().await?;
            if received.is_reply() {
                return Some(received);
            }
        }
    }
}

fn key_of(body: &str) -> String {
    body.replace(' ', "-")
}

/// Where the first message of a send lies in the log: its id says so. That of a batch is a row of them.
fn lies_at(reply: &Command) -> i64 {
    let ids = reply.ext.get("msgId").unwrap();
    let id = ids.split(',').next().unwrap();
    i64::from_str_radix(&id[id.len() - 16..], 16).unwrap()
}
