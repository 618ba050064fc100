//! The commands of the binary, a file each: arguments in, result on standard output, what goes wrong as an error.
//!
//! Standard output carries results and the line that says that a server is ready; everything else, the log included,
//! goes to standard error. What a command does beyond reading its arguments is the business of `actors` and `client`.

pub mod access;
mod admin;
pub mod bench;
mod broker;
mod config_file;
pub mod consume;
mod data_dir;
mod logging;
mod machine;
mod message_json;
mod namesrv;
pub mod produce;
mod rocketmq;
mod running;
pub mod serve;
mod standalone;
mod store;
mod table;
mod times;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use self::access::AccessError;
use self::config_file::ConfigFileError;
use self::logging::LogLevel;
use crate::client::discovery::NAME_SERVERS_VARIABLE;
use crate::properties_file::SettingsError;

/// A command failed while it did what it was asked to.
const EXIT_FAILURE: u8 = 1;
/// The command line or a configuration file asks for something that cannot be done.
const EXIT_USAGE: u8 = 2;
/// Where name servers are when nobody says so.
const NAME_SERVER_HERE: &str = "127.0.0.1:9876";

/// FerroMQ: Apache RocketMQ's name server, broker and shell tools in one program.
///
/// It speaks RocketMQ 4.9's protocol and reads and writes its files, so that official clients work with it
/// unchanged. The shortest way to a running system is `ferromq standalone`.
#[derive(Debug, Parser)]
#[command(
    name = "ferromq",
    version,
    max_term_width = 110,
    after_help = "\
Examples:
  ferromq standalone                            name server on 9876, broker on 10911, data in ./ferromq-data
  ferromq namesrv                               a name server alone
  ferromq broker -n 127.0.0.1:9876 -c my.conf   a broker alone, with RocketMQ's own configuration file
  ferromq produce -t orders --body hello        send a message
  ferromq consume -t orders                     print what comes in
  ferromq store verify ferromq-data             check a store that no broker has open
  ferromq admin clusterList                     what mqadmin does, by its names

Called as mqnamesrv, mqbroker or mqadmin (through a link), it takes RocketMQ's options.

Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How much to log: error, warn, info, debug or trace. Without it RUST_LOG decides, and without that info.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Standalone(standalone::StandaloneArgs),
    Namesrv(namesrv::NamesrvArgs),
    Broker(broker::BrokerArgs),
    Produce(produce::ProduceArgs),
    Consume(consume::ConsumeArgs),
    Bench(bench::BenchArgs),
    Store(store::StoreArgs),
    Admin(admin::AdminArgs),
}

/// Does what the command line says; what `main` is.
pub fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    let program = arguments.first().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
    match program {
        Some("mqnamesrv") => rocketmq::namesrv(arguments),
        Some("mqbroker") => rocketmq::broker(arguments),
        Some("mqadmin") => {
            arguments.insert(1, "admin".into());
            ferromq(arguments)
        }
        _ => ferromq(arguments),
    }
}

fn ferromq(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error, EXIT_USAGE),
    };
    logging::start(cli.log_level);
    let outcome = match cli.command {
        Command::Standalone(args) => standalone::run(args),
        Command::Namesrv(args) => namesrv::run(args),
        Command::Broker(args) => broker::run(args),
        Command::Produce(args) => produce::run(&args),
        Command::Consume(args) => consume::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Admin(args) => admin::run(&args),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    report(&error);
    ExitCode::from(if is_usage(&error) { EXIT_USAGE } else { EXIT_FAILURE })
}

/// Prints help or version to standard output, a mistake to standard error, and returns the exit code.
fn explain(error: &clap::Error, usage: u8) -> ExitCode {
    // Nobody is left to be told that this could not be printed.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(usage),
    }
}

/// Prints an error.
fn report(error: &anyhow::Error) {
    eprintln!("error: {}", told(error));
}

/// The name servers that a command asks: those that it is given, else those that the environment names, else one on this machine.
fn name_servers(given: Option<&str>) -> String {
    let of_environment = || env::var(NAME_SERVERS_VARIABLE).ok().filter(|named| !named.is_empty());
    given.map(ToOwned::to_owned).or_else(of_environment).unwrap_or_else(|| NAME_SERVER_HERE.into())
}

/// An error with its causes in one line. Many an error names its cause itself, which is not said again then.
fn told(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = line + ": " + &cause;
        }
    }
    line
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<SettingsError>()
        || error.is::<ConfigFileError>()
        || error.is::<AccessError>()
        || store::is_usage(error)
        || admin::is_usage(error)
}

/// Prints a text, and ends in peace when nobody reads it to its end.
fn print(text: &str) -> anyhow::Result<()> {
    unless_reader_left(io::stdout().write_all(text.as_bytes()).map_err(Into::into))
}

/// Turns the news that nobody reads standard output any more, as after `| head`, into a quiet end.
fn unless_reader_left(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
