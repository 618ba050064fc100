//! An authority that vouches for servers and clients of a test, and servers that it vouches for.
#![allow(dead_code, reason = "not every test that includes this file does all of it")]

use std::path::PathBuf;
use std::sync::Arc;

use ferromq::client::Identity;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority, whose certificates lie as PEM files in a directory.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// What the authority vouches for.
pub(crate) struct Certified {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub(crate) files: Identity,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, directory: tempfile::tempdir().unwrap() };
        authority.file("authority", &authority.issuer.pem());
        authority
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let certificates = self.file(&format!("{name}-certificate"), &certificate.pem());
        let files = Identity { certificates, key: self.file(&format!("{name}-key"), &key.serialize_pem()) };
        Certified { certificate: certificate.into(), key: key.into(), files }
    }

    /// The file with its own certificate.
    pub(crate) fn pem(&self) -> PathBuf {
        self.path("authority")
    }

    /// Where a file of a name would be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Encrypts what goes to and comes from a server that speaks plain text; gives the address of what does so.
    pub(crate) async fn before(&self, server: &str, own: Certified, wants_clients_known: bool) -> String {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if wants_clients_known {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let known = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(known)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![own.certificate], own.key).unwrap();
        let (acceptor, server) = (TlsAcceptor::from(Arc::new(config)), server.to_owned());
        each_connection(move |stream| {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            async move {
                let mut encrypted = match acceptor.accept(stream).into_fallible().await {
                    Ok(encrypted) => encrypted,
                    // What is closed before it is read to its end may take back what it said.
                    Err((_, mut refused)) => return drop(tokio::io::copy(&mut refused, &mut tokio::io::sink()).await),
                };
                let mut plain = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
            }
        })
        .await
    }
}

/// A server that does this with each connection.
pub(crate) async fn each_connection<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}
