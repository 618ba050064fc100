//! `ferromq standalone`: name server and broker in one process.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::broker::{self, BrokerArgs};
use super::config_file::ConfigFileArgs;
use super::namesrv::{self, NamesrvArgs};
use super::serve::{self, StandaloneStart};
use super::{data_dir, machine};

/// Where everything lies unless the command line or the file says otherwise.
const DATA: &str = "ferromq-data";

/// Run a name server and a broker in one process: all that clients need.
///
/// When both serve, one line that begins with `ready` is printed to standard output. Ctrl-C and SIGTERM stop it
/// in good order.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq standalone
  ferromq standalone --data /var/lib/ferromq --host 0.0.0.0
  ferromq standalone --port 0 --namesrv-port 0         on ports that the system chooses, for tests")]
pub(super) struct StandaloneArgs {
    /// Where everything lies [default: ./ferromq-data, or storePathRootDir of the file for the store].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address that both listen on.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", value_parser = machine::host)]
    host: IpAddr,
    /// The port of the name server.
    #[arg(long, value_name = "PORT", default_value_t = crate::namesrv::config::NAMESRV_PORT)]
    namesrv_port: u16,
    /// The port of the broker [default: listenPort of the file, or 10911].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Threads that do nothing but serve connections of the broker; see `ferromq broker --help`.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    connection_threads: usize,
    #[command(flatten)]
    file: ConfigFileArgs,
}

/// Runs the command.
pub(super) fn run(args: StandaloneArgs) -> anyhow::Result<()> {
    let start = plan(&args)?;
    data_dir::prepare(&start.namesrv.data_dir)?;
    broker::prepare_store(&start.broker)?;
    serve::standalone(start)
}

/// The same as the two commands would do, with the broker told of the name server beside it.
fn plan(args: &StandaloneArgs) -> anyhow::Result<StandaloneStart> {
    let namesrv = namesrv::plan(&NamesrvArgs {
        host: args.host,
        port: Some(args.namesrv_port),
        data: Some(args.data.clone().unwrap_or_else(|| DATA.into())),
        // The file is the broker's.
        file: ConfigFileArgs::default(),
        print_config: false,
    })?;
    let arguments = BrokerArgs {
        namesrv: Some(serve::local(namesrv.bind).to_string()),
        host: args.host,
        port: args.port,
        data: args.data.clone(),
        connection_threads: args.connection_threads,
        file: args.file.clone(),
        print_config: false,
        print_important: false,
    };
    let broker = broker::plan(&arguments, Path::new(DATA))?;
    Ok(StandaloneStart { namesrv, broker })
}
