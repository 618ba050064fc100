//! An actix application that embeds a name server and a broker, serves until Ctrl-C, and stops them in order.
//!
//! ```text
//! cargo run --release --example embed -- ./data 9876 10911
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().unwrap_or_else(|| "./ferromq-data".into());
    let mut port = |default: u16| arguments.next().map_or(Ok(default), |port| port.parse());
    let (namesrv_port, broker_port) = (port(9876)?, port(10911)?);
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));

    let namesrv_options = NamesrvOptions { listen: at(namesrv_port), ..NamesrvOptions::at(format!("{data}/namesrv")) };
    let namesrv = Namesrv::builder(namesrv_options).start().await?;
    let broker_options = BrokerOptions {
        listen: at(broker_port),
        name_servers: vec![namesrv.address().to_string()],
        ..BrokerOptions::at(format!("{data}/store"))
    };
    let broker = Broker::builder(broker_options).start().await?;
    #[expect(clippy::print_stdout, reason = "what an application tells its user")]
    {
        println!("ready: name server {}, broker {}, data in {data}", namesrv.address(), broker.address());
    }

    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        terminal = broker.ended() => eprintln!("{terminal}"),
    }
    broker.stop().await?;
    namesrv.stop().await;
    Ok(())
}
