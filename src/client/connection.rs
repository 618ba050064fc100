//! One connection to a server: many requests under way at once, each reply paired by its opaque.
//!
//! It does not reconnect, choose servers or try again: when the socket ends, every waiting call fails with
//! [`ClientError::Closed`] and so does each later one.

mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use self::waiting::Waiting;
use super::error::ClientError;
use super::pushed::{Answer, Pushed};
use super::tls::{self, Tls};
use crate::protocol::body::BodyError;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, Serialization};
use crate::protocol::error::ProtocolError;
use crate::protocol::frame::{self, FRAME_BYTES_MAX, Frame, HeaderScratch};
use crate::protocol::signature::Credentials;
use crate::protocol::units::Opaque;

/// First size of the buffer that a socket is read into.
const READ_BYTES: usize = 64 * 1024;
/// Most frames that leave in one write.
const FRAMES_PER_WRITE: usize = 256;

/// Most room that a connection keeps for joining frames, also while it is idle.
const JOINED_BYTES_KEPT: usize = 256 * 1024;

/// What a connection may use.
///
/// # Example
/// ```
/// use ferromq::client::{ClientOptions, Limits};
/// use ferromq::protocol::command::Serialization;
///
/// // Shorter headers, and a quick answer where nobody listens; the rest stays what clients have.
/// let options = ClientOptions::of("10.0.0.1:9876");
/// let connect_timeout = std::time::Duration::from_millis(500);
/// let limits = Limits { connect_timeout, serialization: Serialization::Binary, ..options.limits };
/// assert!(limits.requests_under_way > Limits::default().requests_under_way);
/// let options = ClientOptions { limits, ..options };
/// assert_eq!(options.limits.connect_timeout, connect_timeout);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Requests that may wait for a reply at once; further ones wait for room.
    pub requests_under_way: usize,
    /// Longest frame that is accepted, in bytes.
    pub frame_bytes: usize,
    /// How request headers are written.
    pub serialization: Serialization,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            requests_under_way: 1024,
            frame_bytes: FRAME_BYTES_MAX,
            serialization: Serialization::Json,
        }
    }
}

/// How connections are made.
///
/// See the example of [`Pushed`].
#[derive(Clone, Debug, Default)]
pub struct ConnectionOptions {
    /// What each may use.
    pub limits: Limits,
    /// Who hears what servers ask. Without it, and when there is no more room in it, they are told that it is not supported.
    pub pushes: Option<mpsc::Sender<Pushed>>,
    /// What requests are signed with.
    pub credentials: Option<Arc<Credentials>>,
    /// How they are encrypted, if they are.
    pub tls: Option<Tls>,
}

impl From<Limits> for ConnectionOptions {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

/// A connection; clones share it, and the last one to go closes it.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = ferromq::actors::local_cluster::LocalCluster::start()?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use ferromq::client::{Connection, Limits};
/// use ferromq::protocol::body::{Body, cluster::ClusterInfo};
/// use ferromq::protocol::codes::{request, response};
/// use ferromq::protocol::command::Command;
///
/// let (connection, limit) = (Connection::open(&name_servers, Limits::default()).await?, Duration::from_secs(3));
/// // One carries many requests at once; each has its own reply.
/// let known = connection.call(Command::request(request::GET_BROKER_CLUSTER_INFO), limit);
/// let refused = connection.call(Command::request(request::SEND_MESSAGE), limit);
/// let (known, refused) = tokio::join!(known, refused);
/// assert_eq!(ClusterInfo::decode(&known?.body)?.broker_addr_table.len(), 1);
/// assert_eq!(refused.unwrap_err().refusal(), Some(response::REQUEST_CODE_NOT_SUPPORTED));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: String,
    serialization: Serialization,
    credentials: Option<Arc<Credentials>>,
    outgoing: mpsc::Sender<Bytes>,
    waiting: Arc<Waiting>,
    next_opaque: AtomicI32,
    room: Semaphore,
    reader: JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Connection {
    /// Connects to `address` (`host:port`).
    ///
    /// # Errors
    /// Nobody listens there, it takes too long, or what listens cannot be talked to in the way that the options say.
    pub async fn open(address: &str, options: impl Into<ConnectionOptions>) -> Result<Self, ClientError> {
        let options = options.into();
        let limit = options.limits.connect_timeout;
        let late = |late: Elapsed| ClientError::Connect { address: address.into(), source: late.into() };
        match options.tls.clone() {
            None => {
                let stream = timeout(limit, connect(address)).await.map_err(late)??;
                let (read_half, write_half) = stream.into_split();
                Ok(Self::over(read_half, write_half, address, options))
            }
            Some(tls) => {
                let encrypted = async { tls.encrypt(connect(address).await?, address).await };
                let stream = timeout(limit, encrypted).await.map_err(late)??;
                let (read_half, write_half) = tokio::io::split(stream);
                Ok(Self::over(read_half, write_half, address, options))
            }
        }
    }

    /// Talks over what is connected to `address`.
    fn over(
        read_half: impl AsyncRead + Unpin + Send + 'static,
        write_half: impl AsyncWrite + Unpin + Send + 'static,
        address: &str,
        options: ConnectionOptions,
    ) -> Self {
        let ConnectionOptions { limits, pushes, credentials, tls: _ } = options;
        let (outgoing, frames) = mpsc::channel(FRAMES_PER_WRITE);
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(write_frames(write_half, frames, waiting.clone()));
        let hears = Hears { address: address.into(), waiting: waiting.clone(), outgoing: outgoing.downgrade(), pushes };
        let reader = tokio::spawn(hears.read_frames(read_half, limits.frame_bytes));
        let shared = Shared {
            address: address.into(),
            serialization: limits.serialization,
            credentials,
            outgoing,
            waiting,
            next_opaque: AtomicI32::new(0),
            room: Semaphore::new(limits.requests_under_way),
            reader,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The address that was connected to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// Whether the socket has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.waiting.is_closed()
    }

    /// Waits until the socket has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut is_open = self.shared.waiting.is_open.subscribe();
        // It does not fail: what it watches is kept by whoever reads the socket, and dropped with it.
        async move { drop(is_open.wait_for(|is_open| !is_open).await) }
    }

    /// Sends a request and waits for its reply, whatever its code. Its frame is made at once, if so few requests are under way that it
    /// may leave.
    ///
    /// # Errors
    /// The connection is or gets closed, or no reply comes within `limit`. In both cases the server may have done what
    /// it was asked to. When nothing at all came meanwhile, the connection is closed: what a firewall has forgotten would
    /// otherwise be used until the system gives up.
    pub fn request(
        &self,
        command: Command,
        limit: Duration,
    ) -> impl Future<Output = Result<Command, ClientError>> + Send + use<'_> {
        let code = command.code;
        // The future of each call is as large as what it holds: a frame is smaller than a command. One that has to wait for room keeps
        // its command, which shares its body with the application's message; a frame has a copy.
        let asked = match self.shared.room.try_acquire() {
            Ok(room) => Asked::Framed(self.framed(command, room)),
            Err(_) => Asked::Waiting(Box::new(command)),
        };
        async move {
            let heard = self.shared.waiting.heard.load(Ordering::Relaxed);
            let answer = timeout(limit, self.exchange(asked)).await;
            answer.unwrap_or_else(|_| {
                if self.shared.waiting.heard.load(Ordering::Relaxed) == heard {
                    self.shared.waiting.close();
                }
                Err(ClientError::Timeout { address: self.shared.address.clone(), code, after: limit })
            })
        }
    }

    /// The same for calls that have one good answer: any other response code is an error.
    ///
    /// # Errors
    /// As [`Connection::request`], and [`ClientError::Refused`].
    pub async fn call(&self, command: Command, limit: Duration) -> Result<Command, ClientError> {
        let reply = self.request(command, limit).await?;
        if reply.code == response::SUCCESS { Ok(reply) } else { Err(self.refused(&reply)) }
    }

    /// Sends a request that wants no reply; returns when it is on its way to the socket.
    ///
    /// # Errors
    /// The connection is closed, or so full of what the server does not read that there is no room within `limit`.
    pub async fn send_oneway(&self, command: Command, limit: Duration) -> Result<(), ClientError> {
        let code = command.code;
        let pushing = self.push(self.encoded(command.with_opaque(self.next_opaque()).oneway()));
        timeout(limit, pushing)
            .await
            .unwrap_or_else(|_| Err(ClientError::Timeout { address: self.shared.address.clone(), code, after: limit }))
    }

    /// A refusal as the error it means here.
    #[must_use]
    pub fn refused(&self, reply: &Command) -> ClientError {
        ClientError::Refused {
            address: self.shared.address.clone(),
            code: reply.code,
            remark: reply.remark.clone().unwrap_or_default(),
        }
    }

    /// Fields of a reply that cannot be read, as an error.
    pub(crate) fn unreadable(&self, source: ProtocolError) -> ClientError {
        ClientError::Protocol { address: self.shared.address.clone(), source }
    }

    /// The same of its body.
    pub(crate) fn unreadable_body(&self, source: BodyError) -> ClientError {
        ClientError::Body { address: self.shared.address.clone(), source }
    }

    async fn exchange(&self, asked: Asked<'_>) -> Result<Command, ClientError> {
        let Framed { opaque, frame, room: _room } = match asked {
            Asked::Framed(framed) => framed,
            Asked::Waiting(command) => {
                self.framed(*command, self.shared.room.acquire().await.map_err(|_| self.closed())?)
            }
        };
        let mut entry = self.shared.waiting.enter(opaque).ok_or_else(|| self.closed())?;
        self.push(frame).await?;
        entry.reply().await.ok_or_else(|| self.closed())
    }

    async fn push(&self, frame: Bytes) -> Result<(), ClientError> {
        // A place first, as the future would hold the frame twice otherwise.
        let place = self.shared.outgoing.reserve().await.map_err(|_| self.closed())?;
        place.send(frame);
        Ok(())
    }

    fn framed<'a>(&self, command: Command, room: SemaphorePermit<'a>) -> Framed<'a> {
        let opaque = self.next_opaque();
        Framed { opaque, frame: self.encoded(command.with_opaque(opaque)), room }
    }

    /// The frame of a command, which is signed if requests are.
    fn encoded(&self, command: Command) -> Bytes {
        let command = match &self.shared.credentials {
            Some(credentials) => credentials.sign(command),
            None => command,
        };
        frame::encoded(&command, self.shared.serialization)
    }

    fn next_opaque(&self) -> Opaque {
        Opaque(self.shared.next_opaque.fetch_add(1, Ordering::Relaxed))
    }

    fn closed(&self) -> ClientError {
        let how = self.shared.waiting.failure.get().map_or_else(|| "was closed".into(), |why| format!("broke: {why}"));
        ClientError::Closed { address: self.shared.address.clone(), how }
    }
}

/// A request on its way to the socket.
enum Asked<'a> {
    Framed(Framed<'a>),
    /// For others to be answered, as no more may be under way.
    Waiting(Box<Command>),
}

/// A request that may leave.
struct Framed<'a> {
    opaque: Opaque,
    frame: Bytes,
    room: SemaphorePermit<'a>,
}

async fn connect(address: &str) -> Result<TcpStream, ClientError> {
    let failed = |source| ClientError::Connect { address: address.into(), source };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    // Requests are small and awaited: holding them back to fill a packet would only delay them.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Writes frames as they come, those that wait already in one go.
async fn write_frames(mut socket: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Bytes>, waiting: Arc<Waiting>) {
    let (mut batch, mut joined) = (Vec::<Bytes>::with_capacity(FRAMES_PER_WRITE), Vec::new());
    while frames.recv_many(&mut batch, FRAMES_PER_WRITE).await > 0 {
        let whole = if let [only] = batch.as_slice() {
            only.as_ref()
        } else {
            batch.drain(..).for_each(|frame| joined.extend_from_slice(&frame));
            joined.as_slice()
        };
        // A server that reads nothing would hold the socket for ever, also after everybody has given it up.
        let mut is_open = waiting.is_open.subscribe();
        let written = tokio::select! {
            // What encrypts keeps bytes until it is told to let them go; for others that costs nothing.
            written = async { socket.write_all(whole).await?; socket.flush().await } => written.is_ok(),
            _ = is_open.wait_for(|is_open| !is_open) => false,
        };
        batch.clear();
        joined.clear();
        joined.shrink_to(JOINED_BYTES_KEPT);
        if !written {
            break;
        }
    }
    waiting.close();
}

/// What becomes of what a server sends.
struct Hears {
    address: Arc<str>,
    waiting: Arc<Waiting>,
    outgoing: mpsc::WeakSender<Bytes>,
    pushes: Option<mpsc::Sender<Pushed>>,
}

impl Hears {
    /// Reads replies until the socket ends or brings what is no frame.
    async fn read_frames(self, mut socket: impl AsyncRead + Unpin, frame_bytes: usize) {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        let (mut frames, mut scratch) = (Vec::new(), HeaderScratch::default());
        while self.reads(&mut socket, &mut buffer).await {
            let decoded = frame::decode_all(&mut buffer, frame_bytes, &mut frames);
            let handled = frames.drain(..).try_for_each(|frame| self.handle(&frame, &mut scratch));
            scratch.forget_odd();
            if let Err(error) = decoded.and(handled) {
                tracing::warn!(address = &*self.address, %error, "closing a connection whose peer sent what cannot be read");
                break;
            }
            buffer.reserve(frame::needed(&buffer).map_or(READ_BYTES, |whole| whole.min(frame_bytes) - buffer.len()));
        }
        self.waiting.close();
    }

    /// Reads on; `false` when nothing more comes.
    async fn reads(&self, socket: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> bool {
        let read = socket.read_buf(buffer).await;
        if let Err(error) = &read {
            let advice = tls::advice_on(error).map(|advice| format!("; {advice}")).unwrap_or_default();
            // It breaks once.
            let _ = self.waiting.failure.set(format!("{error}{advice}"));
        }
        read.is_ok_and(|bytes| bytes > 0)
    }

    /// Gives a reply to who waits for it, and a request of the server to who hears those.
    fn handle(&self, frame: &Frame, scratch: &mut HeaderScratch) -> Result<(), ProtocolError> {
        let command = frame.command_with(scratch)?;
        self.waiting.heard.fetch_add(1, Ordering::Relaxed);
        if command.is_reply() {
            self.waiting.complete(command);
            return Ok(());
        }
        let answer = Answer::to(frame, &command, &self.outgoing);
        let pushed = Pushed { address: Arc::clone(&self.address), command, answer };
        // What finds no room is dropped, and so answered.
        if let Some(pushes) = &self.pushes {
            drop(pushes.try_send(pushed));
        }
        Ok(())
    }
}
