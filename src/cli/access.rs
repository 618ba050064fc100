//! How commands are let in by servers: the keys that requests are signed with, and how connections are encrypted.
//!
//! One set of options for every command that is a client. Secrets are not among them: a process list shows what a command
//! line says. They come from a file or from the environment.
//!
//! What is deliberately absent: `ferromq bench`, which writes prepared frames and signs none of them.

mod advice;
mod keys_file;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use thiserror::Error;

use self::keys_file::KeysFileError;
use crate::client::{ClientError, ClientOptions, ConnectionOptions, Connections, Identity, Tls, TlsOptions, Trust};
use crate::protocol::signature::Credentials;

const ACCESS_KEY: &str = "FERROMQ_ACCESS_KEY";
const SECRET_KEY: &str = "FERROMQ_SECRET_KEY";
const SECURITY_TOKEN: &str = "FERROMQ_SECURITY_TOKEN";
/// Where RocketMQ is installed, and the file of it that mqadmin takes its keys from.
const ROCKETMQ_HOME: &str = "ROCKETMQ_HOME";
const TOOLS_FILE: &str = "conf/tools.yml";

/// Keys and encryption, as arguments.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Keys and encryption")]
pub struct AccessArgs {
    /// Sign requests with the keys in this file, which has lines as RocketMQ's conf/tools.yml: accessKey: NAME, secretKey: SECRET.
    ///
    /// Without it, the environment's FERROMQ_ACCESS_KEY, FERROMQ_SECRET_KEY and FERROMQ_SECURITY_TOKEN count, and without those
    /// conf/tools.yml under ROCKETMQ_HOME, if there is one. Requests are not signed if none of them has keys.
    #[arg(long, value_name = "FILE", global = true)]
    credentials: Option<PathBuf>,
    /// Encrypt connections. Each of the other options about TLS does so too.
    #[arg(long, global = true)]
    tls: bool,
    /// Believe servers for whom an authority in this PEM file vouches, and no others [default: those that the platform trusts].
    #[arg(long, value_name = "FILE", global = true)]
    tls_trust: Option<PathBuf>,
    /// Believe every server, whoever it is: for tests with certificates that brokers make for themselves.
    #[arg(long, global = true, conflicts_with = "tls_trust")]
    tls_any_certificate: bool,
    /// The name that servers' certificates are of [default: the host that is connected to].
    #[arg(long, value_name = "NAME", global = true)]
    tls_server_name: Option<String>,
    /// A PEM file with the certificate that servers are shown which ask for one.
    #[arg(long, value_name = "FILE", global = true, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// A PEM file with its key.
    #[arg(long, value_name = "FILE", global = true, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl AccessArgs {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// Keys or certificates cannot be read, or are incomplete.
    pub(super) fn read(&self) -> Result<Access, AccessError> {
        let tls_options = self.tls_options();
        let tls = tls_options.as_ref().map(Tls::new).transpose().map_err(AccessError::Tls)?;
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = match &self.credentials {
            Some(path) => Some(keys_file::read(path)?.ok_or_else(|| AccessError::NoKeys { path: path.clone() })?),
            None => match of_environment(variable)? {
                Some(credentials) => Some(credentials),
                None => variable(ROCKETMQ_HOME).map_or(Ok(None), |home| of_rocketmq(Path::new(&home)))?,
            },
        };
        Ok(Access { credentials, tls_options, tls })
    }

    fn tls_options(&self) -> Option<TlsOptions> {
        let trust = match &self.tls_trust {
            Some(path) => Trust::AuthoritiesIn(path.clone()),
            None if self.tls_any_certificate => Trust::AnyCertificateForTestsOnly,
            None => Trust::Platform,
        };
        let pair = self.tls_certificate.clone().zip(self.tls_key.clone());
        let identity = pair.map(|(certificates, key)| Identity { certificates, key });
        let is_wanted = self.tls
            || self.tls_any_certificate
            || self.tls_trust.is_some()
            || self.tls_server_name.is_some()
            || identity.is_some();
        is_wanted.then(|| TlsOptions { trust, identity, server_name: self.tls_server_name.clone() })
    }
}

/// The keys that the environment has.
fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, AccessError> {
    match (variable(ACCESS_KEY), variable(SECRET_KEY)) {
        (Some(access_key), Some(secret_key)) => {
            Ok(Some(Credentials { access_key, secret_key, security_token: variable(SECURITY_TOKEN) }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(AccessError::HalfOfTheKeys { there: ACCESS_KEY, missing: SECRET_KEY }),
        (None, Some(_)) => Err(AccessError::HalfOfTheKeys { there: SECRET_KEY, missing: ACCESS_KEY }),
    }
}

/// The keys of mqadmin, where RocketMQ is installed. It need not have any.
fn of_rocketmq(home: &Path) -> Result<Option<Credentials>, AccessError> {
    let path = home.join(TOOLS_FILE);
    if path.exists() { Ok(keys_file::read(&path)?) } else { Ok(None) }
}

/// What a command is let in with.
pub(super) struct Access {
    credentials: Option<Credentials>,
    tls_options: Option<TlsOptions>,
    /// The same, with its files read.
    tls: Option<Tls>,
}

impl Access {
    /// Connections that are signed and encrypted so.
    pub(super) fn connections(&self) -> Connections {
        let (credentials, tls) = (self.credentials.clone().map(Arc::new), self.tls.clone());
        Connections::new(ConnectionOptions { credentials, tls, ..ConnectionOptions::default() })
    }

    /// A client that is.
    pub(super) fn client_options(&self, name_servers: &str) -> ClientOptions {
        let (credentials, tls) = (self.credentials.clone(), self.tls_options.clone());
        ClientOptions { credentials, tls, ..ClientOptions::of(name_servers) }
    }

    /// Adds to an error of a server that did not let the command in what to do about it.
    pub(super) fn explain<T>(&self, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        outcome.map_err(|error| advice::added_to(error, self.credentials.is_some(), self.tls.is_some()))
    }
}

/// Why a command cannot say who it is.
#[derive(Debug, Error)]
pub(super) enum AccessError {
    #[error(transparent)]
    KeysFile(#[from] KeysFileError),
    #[error("{} has no keys: it needs a line `accessKey: NAME` and a line `secretKey: SECRET`", path.display())]
    NoKeys { path: PathBuf },
    #[error("the environment has {there} and not {missing}: set both, or name a file with --credentials")]
    HalfOfTheKeys { there: &'static str, missing: &'static str },
    #[error(transparent)]
    Tls(ClientError),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        access: AccessArgs,
    }

    /// What a command line says about encryption.
    fn tls(line: &str) -> Option<TlsOptions> {
        let words = ["command"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().access.tls_options()
    }

    #[test]
    fn connections_are_encrypted_when_anything_is_said_of_it() {
        assert!(tls("").is_none());
        assert!(matches!(tls("--tls").unwrap().trust, Trust::Platform));
        assert!(matches!(tls("--tls-any-certificate").unwrap().trust, Trust::AnyCertificateForTestsOnly));
        assert_eq!(tls("--tls-server-name broker").unwrap().server_name.as_deref(), Some("broker"));
        let Trust::AuthoritiesIn(path) = tls("--tls-trust a.pem").unwrap().trust else { panic!("not trusted") };
        assert_eq!(path, Path::new("a.pem"));
        let identity = tls("--tls-certificate c.pem --tls-key k.pem").unwrap().identity.unwrap();
        assert_eq!((identity.certificates, identity.key), ("c.pem".into(), "k.pem".into()));
    }

    #[test]
    fn half_of_the_keys_are_none() {
        let of = |names: &'static [&'static str]| {
            of_environment(|name| names.contains(&name).then(|| name.to_lowercase())).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[]), Ok(None));
        let keys = of(&[ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN]).unwrap().unwrap();
        assert_eq!((&*keys.access_key, &*keys.secret_key), ("ferromq_access_key", "ferromq_secret_key"));
        assert_eq!(keys.security_token.as_deref(), Some("ferromq_security_token"));
        assert!(of(&[ACCESS_KEY]).unwrap_err().starts_with("the environment has FERROMQ_ACCESS_KEY and not FERROMQ_S"));
        assert!(of(&[SECRET_KEY]).unwrap_err().starts_with("the environment has FERROMQ_SECRET_KEY and not FERROMQ_A"));
    }
}
