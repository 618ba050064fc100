//! A listener whose requests the test answers itself.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ferromq::net::listener::{ListenOptions, Listener, Server, UNSERVED_BYTES_MAX};
use ferromq::net::router::{Lane, Request, Router};
use ferromq::time::SystemClock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::raw::LIMIT;

/// The one code that is served.
pub(crate) const CODE: i32 = 900;

/// A listener, and the requests that it has taken in.
pub(crate) struct Served {
    pub(crate) server: Server,
    requests: UnboundedReceiver<Request>,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::start_for(usize::MAX)
    }

    /// Serves so many connections at once.
    pub(crate) fn start_for(connections_max: usize) -> Self {
        Self::start_with(connections_max, UNSERVED_BYTES_MAX)
    }

    /// The same, with so much room for what has not arrived whole.
    pub(crate) fn start_with(connections_max: usize, unserved_bytes_max: usize) -> Self {
        let (taken, requests) = unbounded_channel();
        let lane =
            Lane::to(move |requests: Vec<Request>| requests.into_iter().for_each(|one| taken.send(one).unwrap()));
        let router = Router::new().route(&[CODE], lane);
        let unlimited = ListenOptions::new(SystemClock::shared(), Duration::from_secs(120));
        let options = ListenOptions { connections_max, unserved_bytes_max, ..unlimited };
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let server = listener.serve(router, options).unwrap();
        Self { server, requests }
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Request {
        timeout(LIMIT, self.requests.recv()).await.expect("a request").unwrap()
    }

    pub(crate) async fn stop(self) {
        self.server.stop_accepting();
        self.server.drain(Duration::ZERO).await;
    }
}

/// The connection that a request came by.
pub(crate) fn peer_of(request: &Request) -> Arc<ferromq::net::peer::Peer> {
    Arc::clone(request.reply.peer())
}
