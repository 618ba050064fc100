//! Reads a properties file into settings, and says what in it deserves a word.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;

use crate::properties_file::{Notice, Settings, SettingsError};

/// The file that was named cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {}", path.display())]
pub(super) struct ConfigFileError {
    path: PathBuf,
    source: io::Error,
}

/// The options of every server about its file.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ConfigFileArgs {
    /// A properties file as RocketMQ's own. What the command line says wins over it.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(super) path: Option<PathBuf>,
    /// Refuse a configuration file with unknown keys instead of warning about them.
    #[arg(long)]
    pub(super) strict: bool,
}

impl ConfigFileArgs {
    /// Reads the file, if one was named, and logs what its author should know.
    pub(super) fn read_into(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        for notice in settings.read(&path.display().to_string(), &content(path)?)? {
            match notice {
                Notice::UnknownKey { .. } if self.strict => return Err(SettingsError::UnknownKey(notice).into()),
                Notice::UnknownKey { .. } | Notice::NotYet { .. } => tracing::warn!("{notice}"),
                Notice::NoEffect { .. } => tracing::info!("{notice}"),
            }
        }
        Ok(())
    }
}

fn content(path: &Path) -> Result<Vec<u8>, ConfigFileError> {
    std::fs::read(path).map_err(|source| ConfigFileError { path: path.into(), source })
}
