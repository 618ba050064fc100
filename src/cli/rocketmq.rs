//! The binary under the names of RocketMQ's programs: `mqnamesrv` and `mqbroker`, with their options, words and exit
//! codes, so that start scripts go on working.
//!
//! # Source
//! `NamesrvStartup`, `BrokerStartup` and `ServerUtil` 4.9.7 (read). What differs: ROCKETMQ_HOME is not needed, since
//! nothing is read from there, and a bad value in the file is an error instead of being passed over.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::broker::{self, BrokerArgs};
use super::config_file::ConfigFileArgs;
use super::namesrv::{self, NamesrvArgs};
use super::serve::{self, Wording};
use super::{data_dir, explain, logging, machine, print, report};
use crate::properties_file::SettingsError;

/// Wrong options.
const EXIT_OPTIONS: u8 = 1;
/// The start failed: -1 as the shell sees it.
const EXIT_START: u8 = 255;
/// The name server's address is illegal: -3 as the shell sees it.
const EXIT_ADDRESS: u8 = 253;

/// Apache RocketMQ's name server, as FerroMQ does it.
#[derive(Debug, Parser)]
#[command(name = "mqnamesrv", version)]
struct MqNamesrv {
    /// Name server config properties file.
    #[arg(short = 'c', long = "configFile", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Print all config items.
    #[arg(short = 'p', long = "printConfigItem")]
    print_config: bool,
    /// Taken and passed over, as in RocketMQ.
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDRESSES")]
    _namesrv: Option<String>,
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// Apache RocketMQ's broker, as FerroMQ does it.
#[derive(Debug, Parser)]
#[command(name = "mqbroker", version)]
struct MqBroker {
    /// Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'.
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDRESSES")]
    namesrv: Option<String>,
    /// Broker config properties file.
    #[arg(short = 'c', long = "configFile", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Print all config items.
    #[arg(short = 'p', long = "printConfigItem")]
    print_config: bool,
    /// Print important config items.
    #[arg(short = 'm', long = "printImportantConfig")]
    print_important: bool,
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// Runs as `mqnamesrv`.
pub(super) fn namesrv(arguments: Vec<OsString>) -> ExitCode {
    let args = match MqNamesrv::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return explain(&error, EXIT_OPTIONS),
    };
    logging::start(None);
    passed_over(&args.rest);
    finish(
        namesrv::plan(&NamesrvArgs {
            host: ANYWHERE,
            port: None,
            data: None,
            file: ConfigFileArgs { path: args.config_file, strict: false },
            print_config: args.print_config,
        })
        .and_then(|start| {
            if args.print_config {
                return print(&start.config.to_properties());
            }
            data_dir::prepare(&start.data_dir)?;
            serve::namesrv(start, Wording::RocketMq)
        }),
    )
}

/// Runs as `mqbroker`.
pub(super) fn broker(arguments: Vec<OsString>) -> ExitCode {
    let args = match MqBroker::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return explain(&error, EXIT_OPTIONS),
    };
    logging::start(None);
    passed_over(&args.rest);
    let plain = BrokerArgs {
        namesrv: args.namesrv,
        host: ANYWHERE,
        port: None,
        data: None,
        connection_threads: 0,
        file: ConfigFileArgs { path: args.config_file, strict: false },
        print_config: args.print_config,
        print_important: args.print_important,
    };
    finish(broker::plan(&plain, &machine::home()).and_then(|start| {
        if plain.print_config {
            return print(&start.config.to_properties());
        }
        if plain.print_important {
            return print(&start.config.to_important_properties());
        }
        broker::prepare_store(&start)?;
        serve::broker(start, Wording::RocketMq)
    }))
}

const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// `mqbroker autoCreateTopicEnable=true` is met with in scripts; it has never had any effect.
fn passed_over(rest: &[String]) {
    if !rest.is_empty() {
        tracing::warn!("passed over, as in RocketMQ: {}", rest.join(" "));
    }
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    if let Some(SettingsError::Value { key: "namesrvAddr", found, .. }) = error.downcast_ref() {
        let example = r#""127.0.0.1:9876;192.168.0.1:9876""#;
        let text = format!("The Name Server Address[{found}] illegal, please set it as follows, {example}\n");
        // RocketMQ prints this to standard output, where scripts look for it. Failing to print changes nothing.
        let _ = print(&text);
        return ExitCode::from(EXIT_ADDRESS);
    }
    report(&error);
    ExitCode::from(EXIT_START)
}
