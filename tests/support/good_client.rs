//! A client that behaves: what it is served while and after others do not.

use bytes::Bytes;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::message;

use crate::raw::{Raw, ask_for, pull_from, send_to};
use crate::support::Cluster;

/// Keeps one connection to the broker and one to the name server through everything.
pub(crate) struct GoodClient {
    broker: Raw,
    namesrv: Raw,
    topic: &'static str,
    sent: i64,
}

impl GoodClient {
    pub(crate) async fn connect(cluster: &Cluster, topic: &'static str) -> Self {
        let (broker, namesrv) =
            (Raw::connect(cluster.broker.address()).await, Raw::connect(cluster.namesrv.address()).await);
        let mut client = Self { broker, namesrv, topic, sent: 0 };
        client.is_served().await;
        client
    }

    /// Sends a message to its own topic, reads it again, and asks for its route.
    pub(crate) async fn is_served(&mut self) {
        let body = Bytes::from(format!("good {}", self.sent));
        let stored = self.broker.ask(send_to(self.topic, 0, "", body.clone())).await;
        assert_eq!(stored.code, response::SUCCESS, "{stored:?}");
        assert_eq!(stored.ext.int64("queueOffset").unwrap(), self.sent);
        let pulled = self.broker.pull(pull_from(self.topic, 0, self.sent, 1)).await;
        let messages = message::decode_all(pulled.body).unwrap();
        assert_eq!(messages.iter().map(|message| &message.body).collect::<Vec<_>>(), [&body]);
        self.sent += 1;
        let route = self.namesrv.ask(ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"TBW102")])).await;
        assert_eq!(route.code, response::SUCCESS, "{route:?}");
    }
}
