//! `ferromq namesrv`: a name server alone.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use super::config_file::ConfigFileArgs;
use super::serve::{self, NamesrvStart, Wording};
use super::{data_dir, machine, print};
use crate::namesrv::config::NamesrvConfig;
use crate::properties_file::Origin;

/// Run a name server: brokers tell it what they have, clients ask it where topics are.
///
/// Name servers know nothing of each other; run several and name them all to brokers and clients.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq namesrv
  ferromq namesrv --port 9877 --data /var/lib/ferromq -c namesrv.conf")]
pub(super) struct NamesrvArgs {
    /// The address to listen on.
    #[arg(long, value_name = "HOST", default_value = "0.0.0.0", value_parser = machine::host)]
    pub(super) host: IpAddr,
    /// The port to listen on [default: listenPort of the file, or 9876].
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// Where its files lie, in a directory `namesrv` [default: the home directory, as in RocketMQ].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) file: ConfigFileArgs,
    /// Print every key of the configuration with its value, and end.
    #[arg(short = 'p', long)]
    pub(super) print_config: bool,
}

/// Runs the command.
pub(super) fn run(args: NamesrvArgs) -> anyhow::Result<()> {
    let start = plan(&args)?;
    if args.print_config {
        return print(&start.config.to_properties());
    }
    data_dir::prepare(&start.data_dir)?;
    serve::namesrv(start, Wording::Ours)
}

/// Brings flags, file and defaults together.
pub(super) fn plan(args: &NamesrvArgs) -> anyhow::Result<NamesrvStart> {
    let data_dir = args.data.clone().unwrap_or_else(machine::home).join("namesrv");
    let mut settings = NamesrvConfig::settings_at_default();
    let file_in = |directory: &Path, name: &str| directory.join(name).display().to_string();
    let kv_config_path = file_in(&data_dir, "kvConfig.json");
    settings.set(Origin::Default, "--data", "kvConfigPath", &kv_config_path)?;
    settings.set(Origin::Default, "--data", "configStorePath", &file_in(&data_dir, "namesrv.properties"))?;
    args.file.read_into(&mut settings)?;
    if args.data.is_some() {
        settings.set(Origin::Flag, "--data", "kvConfigPath", &kv_config_path)?;
    }
    if let Some(file) = &args.file.path {
        // Changes made by tools go back to where the settings came from, whatever the file says, as with the reference.
        settings.set(Origin::File, "-c", "configStorePath", &file.display().to_string())?;
    }
    if let Some(port) = args.port {
        settings.set(Origin::Flag, "--port", "listenPort", &port.to_string())?;
    }
    let config = NamesrvConfig::from_settings(settings);
    Ok(NamesrvStart { bind: SocketAddr::new(args.host, config.listen_port), config, data_dir })
}
