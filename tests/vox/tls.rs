//! Encrypted connections: certificates are verified, authorities of one's own are trusted, and who asks is told who
//! this is. Real TLS on the loopback.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockkeeper::clock::wall_clock;
use lockkeeper::config::address::Address;
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::control_plane::client::Client;
use lockkeeper::model::observation::Cost;
use lockkeeper::model::source::{Fault, FaultKind};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::{Authority, Signed};

/// A server that says it is well, to whom it lets in.
async fn serve(signed: &Signed, clients: Option<&Authority>) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.root.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::try_from(signed.key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    format!("https://{address}")
}

async fn ask(base: &str, tls: Tls) -> Result<(), Fault> {
    let mut client =
        Client::new(Address::of_control(base).unwrap(), None, 1 << 16, Duration::from_secs(20), wall_clock)
            .with_tls(tls);
    client.health(&mut Cost::default()).await.map(|_| ())
}

fn trusting(authority: &Authority) -> Tls {
    Tls { ca_file: Some(authority.file("ca.pem")), ..Tls::default() }
}

#[tokio::test]
async fn only_who_is_vouched_for_is_spoken_to() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let base = serve(&ours.sign("127.0.0.1"), None).await;
    ask(&base, trusting(&ours)).await.expect("an authority of our own");
    for (tls, who) in [(Tls::default(), "the platform's roots alone"), (trusting(&theirs), "another authority")] {
        let fault = ask(&base, tls).await.expect_err(who);
        assert!(fault.to_string().to_lowercase().contains("certificate"), "{who}: {fault}");
    }
    // A certificate for another name, though the authority is ours.
    let elsewhere = serve(&ours.sign("elsewhere.example"), None).await;
    let fault = ask(&elsewhere, trusting(&ours)).await.expect_err("another name");
    assert!(fault.to_string().to_lowercase().contains("certificate"), "{fault}");
}

#[tokio::test]
async fn who_asks_is_told_who_this_is() {
    let authority = Authority::new();
    let base = serve(&authority.sign("127.0.0.1"), Some(&authority)).await;
    ask(&base, trusting(&authority)).await.expect_err("nobody in particular");
    let console = authority.sign("console");
    std::fs::write(authority.file("cert.pem"), console.cert.pem()).unwrap();
    std::fs::write(authority.file("key.pem"), console.key.serialize_pem()).unwrap();
    let (cert_file, key_file) = (Some(authority.file("cert.pem")), Some(authority.file("key.pem")));
    ask(&base, Tls { cert_file, key_file, ..trusting(&authority) }).await.expect("a console with a certificate");
}

#[tokio::test]
async fn files_of_no_use_are_named() {
    let authority = Authority::new();
    let base = serve(&authority.sign("127.0.0.1"), None).await;
    std::fs::write(authority.file("odd.pem"), "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n")
        .unwrap();
    std::fs::write(authority.file("empty.pem"), "").unwrap();
    let ca = |path: &Path| Tls { ca_file: Some(path.to_owned()), ..Tls::default() };
    let half = Tls { cert_file: Some(authority.file("ca.pem")), ..Tls::default() };
    for (tls, printed) in [
        (ca(&authority.file("absent.pem")), "absent.pem"),
        (ca(&authority.file("odd.pem")), "odd.pem"),
        (ca(&authority.file("empty.pem")), "it holds no certificate"),
        (half, "tls.key_file"),
    ] {
        let fault = ask(&base, tls).await.expect_err(printed);
        assert!(fault.to_string().contains(printed), "{fault}");
        assert_eq!(fault.kind, FaultKind::Setup, "{fault}");
    }
}

/// What the program says of a control plane, on a machine that trusts no authority.
async fn without_roots(base: String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = crate::support::lockkeeper();
    command.args(["snapshot", "--control", &base]).env("SSL_CERT_FILE", "/dev/null").env("HOME", folder.path());
    command.env("SSL_CERT_DIR", folder.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn an_address_without_encryption_needs_no_roots() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    let plain = without_roots(format!("http://{address}")).await;
    assert!(plain.contains("404") && !plain.contains("roots"), "{plain}");
    let authority = Authority::new();
    let encrypted = without_roots(serve(&authority.sign("127.0.0.1"), None).await).await;
    assert!(encrypted.contains("roots"), "{encrypted}");
}
