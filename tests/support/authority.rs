//! An authority for certificates, and what it signs, as files.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

/// It signs whatever it is asked to.
pub struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub root: rustls::pki_types::CertificateDer<'static>,
}

/// A certificate and its key.
pub struct Signed {
    pub cert: rcgen::Certificate,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        Self { folder, root: cert.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Where a file of it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a host.
    pub fn sign(&self, name: &str) -> Signed {
        self.sign_as(name, Some(name))
    }

    /// The same with a common name of its own, or none.
    pub fn sign_as(&self, name: &str, common: Option<&str>) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Signed { cert, key }
    }

    /// Writes `NAME.pem` and `NAME.key`; answers where they are.
    pub fn write(&self, name: &str, signed: &Signed) -> (PathBuf, PathBuf) {
        let (cert, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        std::fs::write(&cert, signed.cert.pem()).unwrap();
        std::fs::write(&key, signed.key.serialize_pem()).unwrap();
        (cert, key)
    }
}
