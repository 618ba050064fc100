//! Keeps the client known to one broker: connected, and told what its groups are.
//!
//! Takes [`Beat`] from the InstanceActor. When that fails, or the connection ends, it opens another, later each time, and beats again
//! at once: brokers forget a client with its connection. Holds nothing that the next [`Beat`] does not bring anew.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture};
use bytes::Bytes;

use crate::client::connection::Connection;
use crate::client::error::ClientError;
use crate::client::pool::Connections;
use crate::protocol::codes::request;
use crate::protocol::command::Command;

/// How long a broker has for a heartbeat.
const BEAT_TIMEOUT: Duration = Duration::from_secs(3);
/// After how long a lost connection is opened again: first, and at most.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// Tells the broker what the client's groups are; done when it has answered.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ClientError>")]
pub struct Beat {
    /// The body of HEART_BEAT.
    pub data: Bytes,
}

/// One broker.
///
/// # Example
/// ```
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use actix::Actor;
/// use ferromq::client::Connections;
/// use ferromq::client::actors::connection_actor::{Beat, ConnectionActor};
/// use ferromq::protocol::body::{Body, heartbeat::{HeartbeatData, ProducerData}};
/// # use ferromq::admin::Admin;
///
/// let broker = cluster.broker().to_string();
/// let producer_data_set = vec![ProducerData { group_name: "billing".into() }];
/// let data = HeartbeatData { client_id: "10.0.0.9@7".into(), producer_data_set, ..HeartbeatData::default() };
/// // The broker knows the group for as long as the actor is there, also after a restart.
/// let connection = ConnectionActor::new(broker.clone(), Connections::default()).start();
/// connection.send(Beat { data: data.encode() }).await??;
/// let known = Admin::new(&name_servers)?.producers(&broker).await?;
/// assert!(known.data.contains_key("billing"));
/// # Ok(())
/// # }
/// ```
pub struct ConnectionActor {
    address: String,
    connections: Connections,
    /// What was told last.
    last: Bytes,
    /// Whether somebody waits for the connection to end.
    is_watched: bool,
    /// Whether another try is under way, or put off.
    is_retried: bool,
    again_after: Duration,
}

impl ConnectionActor {
    /// An actor for the broker at `address`, which does nothing before the first [`Beat`].
    #[must_use]
    pub fn new(address: String, connections: Connections) -> Self {
        let [again_after, _] = AGAIN_AFTER;
        Self { address, connections, last: Bytes::new(), is_watched: false, is_retried: false, again_after }
    }

    fn beat(&mut self) -> impl Future<Output = Result<Connection, ClientError>> + use<> {
        let (connections, address, data) = (self.connections.clone(), self.address.clone(), self.last.clone());
        async move {
            let connection = connections.to(&address).await?;
            connection.call(Command::request(request::HEART_BEAT).with_body(data), BEAT_TIMEOUT).await?;
            Ok(connection)
        }
    }

    /// Waits for the end of a connection on which the broker knows the client.
    fn stands(&mut self, connection: &Connection, ctx: &mut Context<Self>) {
        [self.again_after, _] = AGAIN_AFTER;
        if std::mem::replace(&mut self.is_watched, true) {
            return;
        }
        let ended = wrap_future::<_, Self>(connection.ended()).map(|(), actor, ctx| {
            actor.is_watched = false;
            actor.again(ctx);
        });
        ctx.spawn(ended);
    }

    /// Tries to be known there until it is.
    fn again(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_retried, true) {
            return;
        }
        let [_, longest] = AGAIN_AFTER;
        let after = self.again_after;
        self.again_after = (after * 2).min(longest);
        ctx.run_later(after, |actor, ctx| {
            let beaten = wrap_future::<_, Self>(actor.beat()).map(|beaten, actor, ctx| {
                actor.is_retried = false;
                match beaten {
                    Ok(connection) => actor.stands(&connection, ctx),
                    Err(error) => {
                        tracing::debug!(address = actor.address, %error, "the broker is not there again yet");
                        actor.again(ctx);
                    }
                }
            });
            ctx.spawn(beaten);
        });
    }
}

impl Actor for ConnectionActor {
    type Context = Context<Self>;
}

impl Handler<Beat> for ConnectionActor {
    type Result = ResponseActFuture<Self, Result<(), ClientError>>;

    fn handle(&mut self, beat: Beat, _: &mut Context<Self>) -> Self::Result {
        self.last = beat.data;
        Box::pin(wrap_future::<_, Self>(self.beat()).map(|beaten, actor, ctx| {
            match beaten {
                Ok(connection) => actor.stands(&connection, ctx),
                Err(error) => {
                    actor.again(ctx);
                    return Err(error);
                }
            }
            Ok(())
        }))
    }
}
