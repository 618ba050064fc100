//! Where the actors of one client run: on a thread of their own, or on the arbiter that starts them.

use std::thread::JoinHandle;

use actix::{Addr, Recipient};
use actix_rt::{ArbiterHandle, System};
use tokio::sync::oneshot;

use super::instance_actor::{
    AddConsumer, AddProducer, Beats, InstanceActor, InstanceParts, RemoveConsumer, RemoveProducer,
};
use crate::client::error::ClientError;
use crate::net::mailbox::start_unbounded;

/// Which thread a client's actors run on.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use ferromq::client::{Client, ClientOptions, OutgoingMessage, Threads};
///
/// // In an application of actix the client's actors may run where its own do.
/// let options = ClientOptions { threads: Threads::Here, ..ClientOptions::of(name_servers) };
/// let producer = Client::new(options).await?.producer("billing").start().await?;
/// producer.send(&OutgoingMessage::to("Invoices", "number 1")?).await?;
/// // Unless it is said, nothing that the application does holds heartbeats up.
/// assert_eq!(Threads::default(), Threads::Own);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// One of their own, so that nothing the application does holds heartbeats up.
    #[default]
    Own,
    /// The one that makes the client, which has to be an actix arbiter: for applications of actix, and for simulations.
    Here,
}

/// The actors of one client; it ends when this is dropped.
pub(in crate::client) struct Engine {
    instance: Addr<InstanceActor>,
    arbiter: ArbiterHandle,
    own: Option<Own>,
}

/// A thread with an actix system of its own.
struct Own {
    system: System,
    thread: JoinHandle<()>,
}

/// How to reach an InstanceActor, or what stands in for one.
#[derive(Clone)]
pub(in crate::client) struct InstancePorts {
    /// A consumer begins.
    pub(in crate::client) add_consumer: Recipient<AddConsumer>,
    /// A consumer ends.
    pub(in crate::client) remove_consumer: Recipient<RemoveConsumer>,
    /// A producer begins.
    pub(in crate::client) add_producer: Recipient<AddProducer>,
    /// A producer ends.
    pub(in crate::client) remove_producer: Recipient<RemoveProducer>,
    /// Brokers are to be told.
    pub(in crate::client) beat: Recipient<Beats>,
}

impl Engine {
    /// Starts the actors of a client.
    ///
    /// # Errors
    /// The system gives no thread.
    ///
    /// # Panics
    /// With [`Threads::Here`] where no arbiter runs.
    pub(in crate::client) async fn start(threads: Threads, parts: InstanceParts) -> Result<Self, ClientError> {
        match threads {
            Threads::Here => {
                let instance = start_unbounded(|_| InstanceActor::new(parts));
                Ok(Self { instance, arbiter: actix_rt::Arbiter::current(), own: None })
            }
            Threads::Own => {
                let (tell, told) = oneshot::channel();
                let thread = std::thread::Builder::new().name("ferromq-client".into()).spawn(move || {
                    let runner = System::new();
                    let instance = runner.block_on(async { start_unbounded(|_| InstanceActor::new(parts)) });
                    let arbiter = runner.block_on(async { actix_rt::Arbiter::current() });
                    // Who started it may have given up; then nobody stops it either.
                    if tell.send((instance, arbiter, System::current())).is_ok()
                        && let Err(error) = runner.run()
                    {
                        tracing::error!(%error, "the thread of a client ended badly");
                    }
                });
                let thread = thread.map_err(|source| ClientError::Thread { source })?;
                let (instance, arbiter, system) = told.await.map_err(|_| ClientError::Ended)?;
                Ok(Self { instance, arbiter, own: Some(Own { system, thread }) })
            }
        }
    }

    /// The ways to the client's instance.
    #[must_use]
    pub(in crate::client) fn ports(&self) -> InstancePorts {
        let instance = &self.instance;
        InstancePorts {
            add_consumer: instance.clone().recipient(),
            remove_consumer: instance.clone().recipient(),
            add_producer: instance.clone().recipient(),
            remove_producer: instance.clone().recipient(),
            beat: instance.clone().recipient(),
        }
    }

    /// Runs `start` where the actors run, and gives what it gives.
    ///
    /// # Errors
    /// The client has come to its end.
    pub(in crate::client) async fn run<T: Send + 'static>(
        &self,
        start: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        let (tell, told) = oneshot::channel();
        self.arbiter.spawn_fn(move || {
            // Who asked may have given up.
            let _ = tell.send(start());
        });
        told.await.map_err(|_| ClientError::Ended)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            own.system.stop();
            // Its end is not waited for: whoever drops a client may be what it would have to wait for.
            drop(own.thread);
        }
    }
}
