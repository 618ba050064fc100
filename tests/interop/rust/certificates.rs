//! Certificates for servers of this machine and their clients, as PEM files.

use std::error::Error;
use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Writes an authority that vouches for both sides, and one that vouches for nobody.
pub(crate) fn write(directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("stranger.pem"), authority("stranger")?.pem())?;
    let authority = authority("authority")?;
    fs::write(directory.join("authority.pem"), authority.pem())?;
    for side in ["server", "client"] {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, side);
        fs::write(directory.join(format!("{side}.pem")), params.signed_by(&key, &authority)?.pem())?;
        fs::write(directory.join(format!("{side}.key")), key.serialize_pem())?;
    }
    Ok(())
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
