//! HTTP for whoever needs it: one client with the platform's certificate roots, and bodies that are bounded as they come in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Response;

use super::tls::Tls;
use crate::model::source::Fault;

/// One HTTP client: no redirects, no proxies, certificates always verified. It reaches `https://` only if it is to be `encrypted`.
/// `idle` connections are kept.
pub fn build(tls: &Tls, encrypted: bool, timeout: Option<Duration>, idle: usize) -> Result<reqwest::Client, Fault> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.config(encrypted)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(idle)
        .user_agent(concat!("lockkeeper/", env!("CARGO_PKG_VERSION")));
    let builder = match timeout {
        Some(timeout) => builder.timeout(timeout),
        None => builder,
    };
    builder.build().map_err(|e| Fault::setup(format!("no HTTP client: {e}"), ""))
}

/// What lies at the bottom of an error; it names no address.
#[must_use]
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Why a body was not read whole.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It broke off; why.
    Broken(String),
}

/// A body of at most `max` bytes.
pub async fn whole(response: Response, max: u64) -> Result<Vec<u8>, BodyError> {
    whole_counted(response, max, &AtomicU64::default()).await
}

/// The same, and counts the bytes as they come.
pub async fn whole_counted(mut response: Response, max: u64, came: &AtomicU64) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|n| n > max) {
        return Err(BodyError::TooLarge);
    }
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| BodyError::Broken(cause(&e)))? {
        if (all.len() + chunk.len()) as u64 > max {
            return Err(BodyError::TooLarge);
        }
        all.extend_from_slice(&chunk);
        came.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(all)
}

/// The first bytes of a body as text; what is no text is shown as such. For reasons, which may be cut.
pub async fn head(mut response: Response, max: u64) -> String {
    let mut all = Vec::new();
    while (all.len() as u64) < max
        && let Ok(Some(chunk)) = response.chunk().await
    {
        all.extend_from_slice(&chunk);
    }
    all.truncate(usize::try_from(max).unwrap_or(usize::MAX));
    String::from_utf8_lossy(&all).into_owned()
}
