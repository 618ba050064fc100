//! What the tests of this folder share.

use std::fmt::Debug;

use ferromq::admin::Admin;
use ferromq::protocol::body::topic_config::{Permission, TopicConfig};
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::QueueId;
use tokio::time::timeout;

use crate::consumer;
use crate::raw::{LIMIT, Raw};
use crate::support::Cluster;

/// A cluster, its administrator, and its broker's address.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) admin: Admin,
    pub(crate) broker: String,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let cluster = Cluster::start().await;
        let admin = Admin::new(&cluster.name_servers()).unwrap();
        let broker = cluster.broker.address().to_string();
        Self { cluster, admin, broker }
    }

    /// Makes a topic with so many queues, and waits until name servers know it.
    pub(crate) async fn with_topic(&self, name: &str, queues: u32) -> Topic {
        let config = TopicConfig::new(name, queues, Permission::READ_WRITE);
        self.admin.save_topic(&self.broker, &config).await.unwrap();
        let topic = topic(name);
        until(async || self.admin.routes().of(&topic).await, Result::is_ok).await.unwrap();
        topic
    }

    /// Sends messages to a queue and waits until they are in it; returns the offset id of the last.
    pub(crate) async fn with_messages(&self, topic: &str, queue: QueueId, count: i64) -> String {
        consumer::with_messages(&mut self.raw().await, topic, queue.0 as i32, count).await
    }

    pub(crate) async fn raw(&self) -> Raw {
        Raw::connect(self.cluster.broker.address()).await
    }

    pub(crate) async fn stop(self) {
        self.cluster.stop().await;
    }
}

/// Asks again until the answer is as it will be.
pub(crate) async fn until<T: Debug>(ask: impl AsyncFn() -> T, holds: impl Fn(&T) -> bool) -> T {
    let asked = timeout(LIMIT, async {
        loop {
            let answer = ask().await;
            if holds(&answer) {
                return answer;
            }
        }
    });
    asked.await.expect("the answer that is waited for")
}

pub(crate) fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}
