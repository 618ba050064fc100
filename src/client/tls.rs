//! Encrypted connections: whose certificates are believed, and what a client shows of its own.
//!
//! Servers of RocketMQ take plain and encrypted connections on one port (`tls.server.mode`); the client decides.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
};

use super::error::ClientError;

/// How a client encrypts its connections. [`TlsOptions::default`] believes whom the platform believes.
///
/// # Example
/// ```
/// use ferromq::client::{ClientError, Identity, Tls, TlsOptions, Trust};
///
/// # let folder = tempfile::tempdir()?;
/// # let file = |name: &str, text: String| {
/// #     let path = folder.path().join(name);
/// #     std::fs::write(&path, text).map(|()| path)
/// # };
/// # let made = rcgen::generate_simple_self_signed(["client.example".to_owned()])?;
/// # let authority = file("authority.pem", made.cert.pem())?;
/// # let (certificate, key) = (file("client.pem", made.cert.pem())?, file("client.key", made.signing_key.serialize_pem())?);
/// let options = TlsOptions {
///     trust: Trust::AuthoritiesIn(authority),
///     identity: Some(Identity { certificates: certificate, key }),
///     // Brokers are known by addresses, and their certificates by this name.
///     server_name: Some("broker.example".into()),
/// };
/// let tls = Tls::new(&options)?;
/// // Files are read once, and what is wrong with them is said before anybody is connected to.
/// let trust = Trust::AuthoritiesIn("no such file".into());
/// let error = Tls::new(&TlsOptions { trust, ..options }).expect_err("there is no such file");
/// assert!(matches!(error, ClientError::TlsOptions(reason) if reason.contains("no such file")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Whose certificates are believed.
    pub trust: Trust,
    /// What servers are shown that ask who the client is.
    pub identity: Option<Identity>,
    /// The name that each server's certificate has to be of; unless it is said, the host that is connected to. Clusters name
    /// their brokers by addresses, which certificates rarely do.
    pub server_name: Option<String>,
}

/// Whose certificates are believed.
///
/// See the example of [`TlsOptions`].
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those of authorities that the platform trusts.
    #[default]
    Platform,
    /// Those of the authorities in this PEM file, and of no others.
    AuthoritiesIn(PathBuf),
    /// Any: whoever is between client and server can read and change everything. It is for tests against brokers that make
    /// certificates for themselves (`tls.test.mode.enable`), and logs a warning.
    AnyCertificateForTestsOnly,
}

/// A client's own certificate.
///
/// See the example of [`TlsOptions`].
#[derive(Clone, Debug)]
pub struct Identity {
    /// A PEM file of the certificate, with those that vouch for it behind it.
    pub certificates: PathBuf,
    /// A PEM file of its key.
    pub key: PathBuf,
}

/// What to do about a connection that could not be encrypted. Its words are those of [`TlsOptions`].
///
/// # Example
/// ```
/// use ferromq::client::TlsAdvice;
///
/// // A tool has other names for its options than a program, and gives advice in its own words.
/// let option = |advice: TlsAdvice| match advice {
///     TlsAdvice::TrustItsAuthority => "--tls-trust",
///     TlsAdvice::SayItsName => "--tls-server-name",
///     TlsAdvice::SayWhoYouAre => "--tls-certificate",
///     _ => "--tls",
/// };
/// assert_eq!(option(TlsAdvice::SayItsName), "--tls-server-name");
/// assert!(TlsAdvice::SayItsName.to_string().contains("set `server_name`"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsAdvice {
    /// The server does not speak TLS.
    SpeakPlain,
    /// Nobody who is trusted vouches for the server.
    TrustItsAuthority,
    /// The certificate is of another server.
    SayItsName,
    /// The certificate is expired, or for something else.
    MendItsCertificate,
    /// The server ended it.
    SayWhoYouAre,
    /// Anything else.
    CompareSettings,
}

impl fmt::Display for TlsAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpeakPlain => {
                "it seems to take plain connections only: leave `tls` out of the client's options, or switch TLS on there"
            }
            Self::TrustItsAuthority => {
                "nobody who is trusted vouches for it: name the authority's certificate with `Trust::AuthoritiesIn`"
            }
            Self::SayItsName => "its certificate is another's: set `server_name` to a name that is in it",
            Self::MendItsCertificate => "its certificate is not in order: it needs another one",
            Self::SayWhoYouAre => {
                "it refused: it may want the client's certificate, see `identity`, or another version of TLS"
            }
            Self::CompareSettings => "look at the settings of both sides",
        })
    }
}

/// Makes connections encrypted, in the way that options say; clones share what was read.
///
/// See the example of [`TlsOptions`].
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads what the options name.
    ///
    /// # Errors
    /// A file that cannot be read or holds nothing of the kind, a key that is not the certificate's, a name that is none.
    pub fn new(options: &TlsOptions) -> Result<Self, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(wrong)?;
        let builder = match &options.trust {
            Trust::Platform => builder.with_root_certificates(of_platform()?),
            Trust::AuthoritiesIn(path) => builder.with_root_certificates(of_file(path)?),
            Trust::AnyCertificateForTestsOnly => {
                tracing::warn!("any certificate of a server is believed: connections are safe from nobody");
                builder.dangerous().with_custom_certificate_verifier(Arc::new(BelievesAnything(provider)))
            }
        };
        let config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificates, key }) => {
                let own_key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, "key", error))?;
                builder.with_client_auth_cert(certificates_in(certificates)?, own_key).map_err(wrong)?
            }
        };
        let server_name = options.server_name.as_deref().map(name).transpose()?;
        Ok(Self { connector: Arc::new(config).into(), server_name })
    }

    /// Encrypts a connection to `address`.
    ///
    /// # Errors
    /// The server does not speak TLS, or is not believed.
    pub(super) async fn encrypt(&self, stream: TcpStream, address: &str) -> Result<TlsStream<TcpStream>, ClientError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name(address.rsplit_once(':').map_or(address, |(host, _)| host))?,
        };
        let shaken = self.connector.connect(name, stream).await;
        shaken.map_err(|source| ClientError::Tls {
            address: address.into(),
            advice: advice_on(&source).unwrap_or(TlsAdvice::SpeakPlain),
            source,
        })
    }
}

/// A name of a server, or its address.
fn name(text: &str) -> Result<ServerName<'static>, ClientError> {
    let bare = text.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).map_err(|error| ClientError::TlsOptions(format!("{text:?} is no server name: {error}")))
}

fn of_platform() -> Result<RootCertStore, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: String = found.errors.iter().map(|error| format!(" ({error})")).collect();
        let cure = "name a file of authorities, see `Trust::AuthoritiesIn`";
        return Err(ClientError::TlsOptions(format!("the platform trusts no authority{errors}: {cure}")));
    }
    Ok(roots)
}

fn of_file(path: &Path) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in(path)? {
        roots.add(certificate).map_err(|error| unusable(path, "certificate of an authority", error))?;
    }
    Ok(roots)
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable(path, "certificate", error))?;
    if certificates.is_empty() {
        return Err(unusable(path, "certificate", "there is none"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, what: &str, error: impl fmt::Display) -> ClientError {
    ClientError::TlsOptions(format!("no {what} can be taken from {}: {error}", path.display()))
}

fn wrong(error: RustlsError) -> ClientError {
    ClientError::TlsOptions(error.to_string())
}

/// What to do about an error of an encrypted connection, if it is one of encryption.
pub(super) fn advice_on(error: &io::Error) -> Option<TlsAdvice> {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>())?;
    Some(match error {
        // An authority of the name of one that is trusted is still another one.
        RustlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            TlsAdvice::TrustItsAuthority
        }
        RustlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsAdvice::SayItsName,
        RustlsError::InvalidCertificate(_) => TlsAdvice::MendItsCertificate,
        RustlsError::InvalidMessage(_) => TlsAdvice::SpeakPlain,
        RustlsError::AlertReceived(_) => TlsAdvice::SayWhoYouAre,
        _ => TlsAdvice::CompareSettings,
    })
}

/// Takes every certificate for good.
#[derive(Debug)]
struct BelievesAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for BelievesAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
