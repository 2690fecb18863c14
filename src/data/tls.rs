//! The one TLS stack: rustls with the platform's roots, and what a configuration adds to them. Certificates are
//! always verified; there is no switch for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::config::Layers;
use crate::config::address::Address;
use crate::config::locate::HostEnv;
use crate::model::source::Fault;
use crate::model::text::Text;

/// What is added to the platform's roots, as files of PEM. They are read when a connection is made, so that renewed
/// ones are picked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities that are trusted too.
    pub ca_file: Option<PathBuf>,
    /// What this console shows when it is asked who it is: its certificates, and their key.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// What the settings add.
    #[must_use]
    pub fn of(layers: &Layers, host: &HostEnv) -> Self {
        let path = |name| layers.text(name).map(|path| host.path(path));
        Self { ca_file: path("tls.ca_file"), cert_file: path("tls.cert_file"), key_file: path("tls.key_file") }
    }

    /// A configuration for connections. Where none of them is encrypted, no roots are loaded and nothing is trusted: a machine
    /// without roots can reach such an address, and loading them takes time and memory.
    pub fn config(&self, encrypted: bool) -> Result<ClientConfig, Fault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        if !encrypted {
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let builder = builder.map_err(|e| Fault::setup(format!("no TLS: {e}"), ""))?;
            return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        }
        let extra = self.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let roots = |e: rustls::Error| Fault::setup(format!("no TLS: {e}"), "install the system's certificate roots");
        let verifier = Arc::new(Verifier::new_with_extra_roots(extra, provider.clone()).map_err(roots)?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(roots)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let (cert, key) = match (&self.cert_file, &self.key_file) {
            (None, None) => return Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => (cert, key),
            _ => {
                let what = "a client certificate takes tls.cert_file and tls.key_file";
                return Err(Fault::setup(what, "set both, or neither"));
            }
        };
        let chain = certificates(cert)?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, &e.to_string()))?;
        builder.with_client_auth_cert(chain, secret).map_err(|e| unreadable(cert, &e.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(all) if all.is_empty() => Err(unreadable(path, "it holds no certificate")),
        Ok(all) => Ok(all),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

/// A file of PEM that is of no use. What stands in it is not said: it may be a key.
fn unreadable(path: &Path, why: &str) -> Fault {
    Fault::setup(format!("{}: {why}", path.display()), "correct the path, or write certificates and keys as PEM")
}

/// A warning where what is sent travels unencrypted to another machine.
#[must_use]
pub fn warning(address: &Address, with_token: bool) -> Option<Text> {
    if address.is_encrypted() || address.is_loopback() {
        return None;
    }
    let what = if with_token { "the token travels" } else { "everything travels" };
    Some(format!("{what} unencrypted to {}: use https:// to this host", address.name()).into())
}
