//! What servers ask of a client, on the connection that it has opened: that members of a group have changed, say.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::frame::{self, Frame};
use crate::protocol::units::Opaque;

/// A request of a server.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::admin::Admin;
/// use ferromq::client::pushed::{Answer, Pushed};
/// use ferromq::client::{Connection, ConnectionOptions};
/// use ferromq::protocol::body::{Body, consumer::ConsumerRunningInfo, heartbeat::{ConsumerData, HeartbeatData}};
/// use ferromq::protocol::codes::{request, response};
/// use ferromq::protocol::command::Command;
/// use ferromq::protocol::names::GroupName;
/// use ferromq::protocol::units::Opaque;
/// use tokio::sync::mpsc;
///
/// let (pushes, mut asked) = mpsc::channel(16);
/// let (broker, group) = (cluster.broker().to_string(), GroupName::parse("bookkeeping")?);
/// let options = ConnectionOptions { pushes: Some(pushes), ..ConnectionOptions::default() };
/// let connection = Connection::open(&broker, options).await?;
/// # let consumer = ConsumerData { group_name: group.to_string(), ..ConsumerData::default() };
/// # let (client_id, consumer_data_set) = ("10.0.0.9@7".into(), vec![consumer]);
/// # let heartbeat = HeartbeatData { client_id, consumer_data_set, ..HeartbeatData::default() };
/// # let heartbeat = Command::request(request::HEART_BEAT).with_body(heartbeat.encode());
/// connection.call(heartbeat, Duration::from_secs(3)).await?;
/// tokio::spawn(async move {
///     while let Some(Pushed { command, answer, .. }) = asked.recv().await {
///         let answer: Answer = answer;
///         // What is not answered is told to be unknown.
///         if command.code == request::GET_CONSUMER_RUNNING_INFO {
///             let info = ConsumerRunningInfo { jstack: Some("idle".into()), ..ConsumerRunningInfo::default() };
///             answer.give(Command::reply(response::SUCCESS, Opaque(0)).with_body(info.encode()));
///         }
///     }
/// });
/// let admin = Admin::new(&name_servers)?;
/// let info = admin.consumer_running_info(&broker, &group, "10.0.0.9@7", true).await?;
/// assert_eq!(info.jstack.as_deref(), Some("idle"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pushed {
    /// `host:port` of the server, as it was connected to.
    pub address: Arc<str>,
    /// What it asks.
    pub command: Command,
    /// The way to answer it.
    pub answer: Answer,
}

/// The answer to a request of a server. One that is dropped says that nobody serves such requests, so that no server waits
/// in vain.
///
/// See the example of [`Pushed`].
#[derive(Debug)]
pub struct Answer {
    code: i32,
    /// `None` once it is given, or if none is wanted.
    opaque: Option<Opaque>,
    serialization: Serialization,
    outgoing: mpsc::WeakSender<Bytes>,
}

impl Answer {
    /// The way to answer a request that has come in `frame`.
    pub(super) fn to(frame: &Frame, command: &Command, outgoing: &mpsc::WeakSender<Bytes>) -> Self {
        Self {
            code: command.code,
            opaque: (!command.is_oneway()).then_some(command.opaque),
            serialization: frame.serialization,
            outgoing: outgoing.clone(),
        }
    }

    /// Answers with a reply, whose opaque is set here, if one is wanted and the connection still stands.
    pub fn give(mut self, reply: Command) {
        self.push(reply);
    }

    fn push(&mut self, reply: Command) {
        let Some(opaque) = self.opaque.take() else { return };
        let reply = frame::encoded(&reply.with_opaque(opaque), self.serialization);
        // With a full queue the server's call times out, which costs less than to stop reading its replies.
        self.outgoing.upgrade().map(|outgoing| outgoing.try_send(reply));
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let remark = format!(" request type {} not supported", self.code);
        self.push(Command::reply(response::REQUEST_CODE_NOT_SUPPORTED, Opaque(0)).with_remark(remark));
    }
}
