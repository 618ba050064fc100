//! `ferromq broker`: a broker alone.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use super::config_file::ConfigFileArgs;
use super::serve::{self, BrokerStart, Wording};
use super::{data_dir, machine, print};
use crate::broker::config::BrokerConfig;
use crate::client::discovery::NAME_SERVERS_VARIABLE;
use crate::properties_file::{Origin, Settings};

/// The environment's word on who is asked for name servers. RocketMQ reads system properties of these names, which are the Java
/// machine's.
const ADDRESS_SERVER: [(&str, &str); 2] = [
    ("ROCKETMQ_NAMESRV_DOMAIN", "rmqAddressServerDomain"),
    ("ROCKETMQ_NAMESRV_DOMAIN_SUBGROUP", "rmqAddressServerSubGroup"),
];

/// Run a broker: it keeps messages and hands them out.
///
/// It takes RocketMQ's own configuration files. A store that RocketMQ wrote is continued. With
/// fetchNamesrvAddrByAddressServer=true in the file and no name servers named, it asks an address server for them
/// (rmqAddressServerDomain and rmqAddressServerSubGroup of the file, or the environment's ROCKETMQ_NAMESRV_DOMAIN and
/// ROCKETMQ_NAMESRV_DOMAIN_SUBGROUP).
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq broker -n 127.0.0.1:9876
  ferromq broker -n 10.0.0.1:9876;10.0.0.2:9876 -c conf/broker.conf --data /var/lib/ferromq")]
pub(super) struct BrokerArgs {
    /// Name servers, as host:port;host:port [default: namesrvAddr of the file, or the environment's NAMESRV_ADDR].
    #[arg(short = 'n', long, value_name = "ADDRESSES")]
    pub(super) namesrv: Option<String>,
    /// The address to listen on. What clients are told is brokerIP1 of the file, or this one, or, when it is all of
    /// them, this machine's address in its private network.
    #[arg(long, value_name = "HOST", default_value = "0.0.0.0", value_parser = machine::host)]
    pub(super) host: IpAddr,
    /// The port to listen on [default: listenPort of the file, or 10911].
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// Where the store lies, in a directory `store` [default: storePathRootDir of the file, or the home directory].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Threads that do nothing but serve connections. With none, the thread of log and queues serves them too: that costs
    /// the least, and is the fastest on few cores.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) connection_threads: usize,
    #[command(flatten)]
    pub(super) file: ConfigFileArgs,
    /// Print every key of the configuration with its value, and end.
    #[arg(short = 'p', long)]
    pub(super) print_config: bool,
    /// Print the important keys of the configuration, and end.
    #[arg(short = 'm', long)]
    pub(super) print_important: bool,
}

/// Runs the command.
pub(super) fn run(args: BrokerArgs) -> anyhow::Result<()> {
    let start = plan(&args, &machine::home())?;
    if args.print_config {
        return print(&start.config.to_properties());
    }
    if args.print_important {
        return print(&start.config.to_important_properties());
    }
    prepare_store(&start)?;
    serve::broker(start, Wording::Ours)
}

/// Makes the directory of the store; the log's own ones are made by the store.
pub(super) fn prepare_store(start: &BrokerStart) -> anyhow::Result<()> {
    data_dir::prepare(&start.config.store.root)
}

/// Brings flags, file, environment and defaults together; the store lies under `data_default` where nobody says.
pub(super) fn plan(args: &BrokerArgs, data_default: &Path) -> anyhow::Result<BrokerStart> {
    let mut settings = settings(args, data_default)?;
    args.file.read_into(&mut settings)?;
    if args.data.is_some() && !settings.is_default("storePathRootDir") {
        tracing::info!("--data wins over storePathRootDir={} of the file", settings.text("storePathRootDir"));
    }
    let mut flag = |name: &str, key: &str, value: Option<String>| match value {
        Some(value) => settings.set(Origin::Flag, name, key, &value),
        None => Ok(()),
    };
    flag("--namesrv", "namesrvAddr", args.namesrv.clone())?;
    flag("--port", "listenPort", args.port.map(|port| port.to_string()))?;
    flag("--data", "storePathRootDir", args.data.as_deref().map(store_in))?;
    let config = BrokerConfig::from_settings(settings, machine::resolve)?;
    Ok(BrokerStart {
        bind: SocketAddr::new(args.host, config.listen_port),
        config,
        config_file: args.file.path.clone(),
        connection_threads: args.connection_threads,
    })
}

/// The defaults that only the machine knows.
fn settings(args: &BrokerArgs, data_default: &Path) -> anyhow::Result<Settings> {
    let mut settings = BrokerConfig::settings_at_default();
    let mut default = |place: &str, key: &str, value: &str| settings.set(Origin::Default, place, key, value);
    if let Some(name) = machine::host_name() {
        default("host name", "brokerName", &name)?;
    }
    default("--host", "brokerIP1", &machine::reachable(args.host).to_string())?;
    default("home directory", "storePathRootDir", &store_in(data_default))?;
    // Below the file and the flag, as in RocketMQ.
    for (variable, key) in [(NAME_SERVERS_VARIABLE, "namesrvAddr")].into_iter().chain(ADDRESS_SERVER) {
        if let Ok(value) = std::env::var(variable) {
            default(variable, key, &value)?;
        }
    }
    Ok(settings)
}

fn store_in(data: &Path) -> String {
    data.join("store").display().to_string()
}
