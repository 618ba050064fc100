//! A place where a cluster can be started, stopped, and started again at the same addresses; and who sends to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use ferromq::client::{Client, ClientOptions, OutgoingMessage, ProducerOptions, Sent, SpoolOptions, SpooledProducer};
use tempfile::TempDir;

use crate::inbox::{Inbox, body, from_the_first};
use crate::raw::LIMIT;
use crate::support::{namesrv_in, small};

/// The place, with the files of its cluster and a spool.
pub(crate) struct Place {
    directory: TempDir,
    host: Ipv4Addr,
}

impl Place {
    /// On a loopback address of its own, where nobody else is given a port while the cluster is away.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(64);
        let [.., high, low] = std::process::id().to_be_bytes();
        let host = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low);
        Self { directory: tempfile::tempdir().unwrap(), host }
    }

    pub(crate) fn name_servers(&self) -> String {
        self.at(9_876).to_string()
    }

    pub(crate) fn spool(&self) -> SpoolOptions {
        SpoolOptions::at(self.spool_directory())
    }

    pub(crate) fn spool_directory(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    fn at(&self, port: u16) -> SocketAddr {
        (self.host, port).into()
    }

    pub(crate) async fn start_namesrv(&self) -> Namesrv {
        let options = NamesrvOptions { listen: self.at(9_876), ..namesrv_in(&self.directory) };
        Namesrv::builder(options).start().await.unwrap()
    }

    pub(crate) async fn start_broker(&self) -> Broker {
        let options = BrokerOptions {
            listen: self.at(10_911),
            announced_host: self.host.to_string(),
            store_ip: IpAddr::from(self.host),
            name_servers: vec![self.name_servers()],
            ..small(&self.directory)
        };
        Broker::builder(options).start().await.unwrap()
    }

    pub(crate) async fn start(&self) -> Cluster {
        let namesrv = self.start_namesrv().await;
        Cluster { broker: self.start_broker().await, namesrv }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::new(ClientOptions::of(self.name_servers())).await.unwrap()
    }

    /// A producer with the spool of the place.
    pub(crate) async fn producer(&self) -> SpooledProducer {
        self.client().await.producer("writers").options(trying_once()).start_spooled(self.spool()).await.unwrap()
    }

    /// The messages of a topic in the order in which the broker stored them, once there are so many.
    pub(crate) async fn stored(&self, topic: &str, count: usize) -> Vec<String> {
        let (client, inbox) = (self.client().await, Inbox::default());
        let builder = client.push_consumer("readers").options(from_the_first());
        let builder = builder.subscribe(topic, ferromq::client::Wanted::All);
        let consumer = builder.start(inbox.listener()).await.unwrap();
        inbox.holds(count).await;
        consumer.stop().await.unwrap();
        let mut messages = inbox.messages();
        messages.sort_by_key(|message| message.physical_offset);
        messages.iter().map(|message| body(message)).collect()
    }
}

/// A name server and a broker.
pub(crate) struct Cluster {
    pub(crate) namesrv: Namesrv,
    pub(crate) broker: Broker,
}

impl Cluster {
    pub(crate) async fn stop(self) {
        self.broker.stop().await.unwrap();
        self.namesrv.stop().await;
    }
}

/// Tries once; a slow machine does not make that late.
pub(crate) fn trying_once() -> ProducerOptions {
    ProducerOptions { send_timeout: LIMIT, retries: 0, ..ProducerOptions::default() }
}

pub(crate) fn message(body: &str) -> OutgoingMessage {
    OutgoingMessage::to("Orders", body.to_owned()).unwrap()
}

/// Sends these one after the other, and expects that all go to the spool.
pub(crate) async fn spool(producer: &SpooledProducer, bodies: &[String]) {
    for body in bodies {
        let sent = producer.send(&message(body)).await.unwrap();
        assert!(matches!(sent, Sent::Spooled { .. }), "{body}: {sent:?}");
    }
}

/// Waits until nothing waits any more.
pub(crate) async fn drained(producer: &SpooledProducer) {
    let drained = tokio::time::timeout(LIMIT, producer.drained()).await;
    drained.unwrap_or_else(|_| panic!("{:?} after {LIMIT:?}", producer.waiting())).unwrap();
}
