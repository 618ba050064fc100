//! A cluster whose broker has a fast port.

use std::net::{SocketAddr, TcpListener};

use ferromq::actors::options::BrokerOptions;

use crate::support::{Cluster, free_port};

const ATTEMPTS: usize = 20;

/// For that the port has to be chosen, with the second below it free too.
pub(crate) async fn with_fast_port() -> (Cluster, SocketAddr) {
    let pair = (0..ATTEMPTS).find_map(|_| {
        let chosen = TcpListener::bind(free_port()).unwrap().local_addr().unwrap();
        let fast = SocketAddr::new(chosen.ip(), chosen.port() - 2);
        TcpListener::bind(fast).is_ok().then_some((chosen, fast))
    });
    let (listen, fast) = pair.expect("two free ports");
    (Cluster::start_with(|options| BrokerOptions { listen, ..options }).await, fast)
}
