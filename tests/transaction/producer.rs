//! A producer of transactions, byte by byte.

use std::fmt::Display;
use std::net::SocketAddr;

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::headers::transaction::CheckTransaction;
use ferromq::protocol::message::{self, Message};
use ferromq::time::{Clock, SystemClock};
use serde_json::json;

use crate::messages::lies_at;
use crate::raw::{Raw, ask_for, send_to, with};

pub(crate) const COMMIT: i32 = 8;
pub(crate) const ROLLBACK: i32 = 12;

/// When half messages are born whose broker's clock stands.
pub(crate) const BORN_MS: i64 = 1_795_000_000_000;

/// A half message as its producer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) offset: i64,
    pub(crate) at: i64,
}

pub(crate) struct Producer {
    pub(crate) client: Raw,
    born_ms: i64,
}

impl Producer {
    /// A producer of the group PG that is online.
    pub(crate) async fn join(broker: SocketAddr, id: &str) -> Self {
        let mut client = Raw::connect(broker).await;
        let body = json!({"clientID": id, "consumerDataSet": [], "producerDataSet": [{"groupName": "PG"}]});
        let reply = client.ask(ask_for(request::HEART_BEAT, &[]).with_body(body.to_string().into())).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        Self { client, born_ms: BORN_MS }
    }

    /// The same with messages of today: those of long ago are not asked about.
    pub(crate) fn born_now(self) -> Self {
        Self { born_ms: SystemClock::new().now_ms(), ..self }
    }

    pub(crate) async fn begin(&mut self, body: &str) -> Half {
        self.begin_with("", body).await
    }

    /// Sends a half message with more properties.
    pub(crate) async fn begin_with(&mut self, more: &str, body: &str) -> Half {
        let properties =
            format!("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}PG\u{2}UNIQ_KEY\u{1}{body}\u{2}WAIT\u{1}true\u{2}{more}");
        let send = with(with(send_to("T", 2, &properties, body.to_owned()), "f", 4), "g", self.born_ms);
        let sent = self.client.ask(send).await;
        Half { offset: sent.ext.int64("queueOffset").unwrap(), at: lies_at(&sent) }
    }

    pub(crate) async fn ends(&mut self, half: Half, how: i32) {
        let reply = self.client.ask(end(half, how)).await;
        assert_eq!((reply.code, reply.remark), (response::SUCCESS, None));
    }

    /// The next question of the broker.
    pub(crate) async fn is_asked(&mut self) -> (Half, Message) {
        let question = self.client.next().await.expect("a question");
        assert_eq!((question.code, question.is_oneway()), (request::CHECK_TRANSACTION_STATE, true), "{question:?}");
        let header = CheckTransaction::parse(&question.ext).unwrap();
        let (message, _) = message::decode(&question.body).unwrap();
        assert_eq!(header.msg_id.as_deref(), message.unique_id());
        assert_eq!(header.offset_msg_id, Some(message.offset_id()));
        (Half { offset: header.tran_state_table_offset, at: header.commit_log_offset }, message)
    }
}

pub(crate) fn end(half: Half, how: i32) -> Command {
    let fields: [(&str, &dyn Display); 6] = [
        ("producerGroup", &"PG"),
        ("tranStateTableOffset", &half.offset),
        ("commitLogOffset", &half.at),
        ("commitOrRollback", &how),
        ("fromTransactionCheck", &false),
        ("msgId", &"id"),
    ];
    ask_for(request::END_TRANSACTION, &fields)
}
