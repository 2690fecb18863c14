//! How connections to a remote database are made: by the one TLS stack, with a meter.
//!
//! The libSQL client's own TLS feature brings an outdated stack; it takes a connector instead.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper_014::Uri;
use hyper_014::client::connect::{Connected, Connection};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Counts what comes in, and stops an answer that is larger than anyone asked for.
#[derive(Debug)]
pub struct Meter {
    received: AtomicU64,
    limit: AtomicU64,
}

impl Meter {
    /// Starts counting from zero, with a bound in bytes until the next start.
    pub fn start(&self, limit: u64) {
        self.received.store(0, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes received since the start.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether the bound was met.
    #[must_use]
    pub fn exceeded(&self) -> bool {
        self.received() > self.limit.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: &[u8]) -> io::Result<()> {
        self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if self.exceeded() { Err(io::Error::other("the answer is larger than allowed")) } else { Ok(()) }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self { received: AtomicU64::new(0), limit: AtomicU64::new(u64::MAX) }
    }
}

/// Connects over plain TCP or TLS, by the scheme.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    meter: Arc<Meter>,
}

impl Connector {
    /// Connects by a TLS configuration; what comes in is counted.
    #[must_use]
    pub fn new(tls: rustls::ClientConfig, meter: Arc<Meter>) -> Self {
        Self { tls: TlsConnector::from(Arc::new(tls)), meter }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Metered;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Metered>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { tls, meter } = self.clone();
        Box::pin(async move {
            let host = uri.host().ok_or_else(|| io::Error::other("the address names no host"))?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let secure = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            tcp.set_nodelay(true)?;
            let stream = if secure {
                let name = ServerName::try_from(host).map_err(io::Error::other)?;
                Stream::Tls(Box::new(tls.connect(name, tcp).await?))
            } else {
                Stream::Plain(tcp)
            };
            Ok(Metered { stream, meter })
        })
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that counts what it reads.
pub struct Metered {
    stream: Stream,
    meter: Arc<Meter>,
}

impl Connection for Metered {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_read(cx, buf),
        };
        match polled {
            Poll::Ready(Ok(())) => Poll::Ready(self.meter.count(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
