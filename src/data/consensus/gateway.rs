//! Calls to etcd's JSON gateway: bounded answers, errors by their codes, and a token that is renewed once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::wire::WireError;
use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::http::{self, BodyError};
use crate::data::tls::Tls;
use crate::model::source::Fault;
use crate::model::text::Text;

/// A frozen member takes a connection and never answers.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The same of what changes something.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of one answer that are read at most: a page of keys is far smaller.
const MOST_BYTES: u64 = 16 << 20;
/// The same of a member's metrics, which are 150 kB.
const MOST_METRICS: u64 = 2 << 20;
/// A password that was refused is not tried again for so long: each try costs the server work.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// gRPC's codes that are told apart.
pub const INVALID: i64 = 3;
pub const NOT_FOUND: i64 = 5;
pub const DENIED: i64 = 7;
pub const PRECONDITION: i64 = 9;
pub const OUT_OF_RANGE: i64 = 11;
pub const UNAVAILABLE: i64 = 14;
pub const UNAUTHENTICATED: i64 = 16;

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// Nothing was sent: no connection.
    NotReached(String),
    /// It was sent, and its answer was not understood or did not come.
    Lost(String),
    /// The same over TLS, by a console that shows no certificate: the server may have hung up for that.
    Closed(String),
    /// The server refused it: code and message.
    Refused(i64, Text),
    /// The gateway is switched off.
    Off,
    /// A client certificate with a CommonName is refused by every gateway with users.
    CommonName,
}

impl CallError {
    /// The same for people, about a server.
    #[must_use]
    pub fn fault(&self, at: &Address) -> Fault {
        let at = at.name();
        match self {
            Self::NotReached(why) | Self::Lost(why) => Fault::transient(format!("{at}: {why}")),
            Self::Closed(why) => Fault {
                todo: "where the server asks for a client certificate, set tls.cert_file and tls.key_file".into(),
                ..Fault::transient(format!("{at}: {why}"))
            },
            Self::Off => Fault::setup(
                format!("{at}: its JSON gateway is switched off"),
                "start etcd without --enable-grpc-gateway=false",
            ),
            Self::CommonName => Fault::setup(
                format!("{at}: its gateway refuses client certificates with a CommonName"),
                "use a certificate without CommonName, and set etcd.user",
            ),
            Self::Refused(INVALID, why) => {
                Fault::setup(format!("{at}: {why}"), "where it has users, set etcd.user and etcd.password_file")
            }
            Self::Refused(DENIED, _) => Fault::setup(
                format!("{at}: permission denied"),
                "grant the user read access to the whole of each prefix in etcd.prefixes",
            ),
            Self::Refused(UNAUTHENTICATED, _) => {
                Fault::setup(format!("{at}: user or password is refused"), "correct etcd.user and its password")
            }
            Self::Refused(code, why) => Fault::transient(format!("{at}: {why} (code {code})")),
        }
    }

    /// Whether the server said so with a code.
    #[must_use]
    pub fn is(&self, code: i64) -> bool {
        matches!(self, Self::Refused(of, _) if *of == code)
    }
}

/// How a call is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// A member without a leader refuses at once, in place of waiting for one.
    pub needs_leader: bool,
    /// It is protected where the server has users.
    pub needs_user: bool,
    /// Its answer is waited for longer: it changes something.
    pub is_patient: bool,
    /// For so long, where even that is too short.
    pub within: Option<Duration>,
}

/// Calls to the members of one cluster.
pub struct Gateway {
    plain: reqwest::Client,
    /// With roots; made when it is needed.
    secured: OnceLock<reqwest::Client>,
    tls: Tls,
    user: Option<(String, Token)>,
    token: Mutex<Held>,
    /// Whether it shows a certificate of its own.
    is_known: bool,
    /// Bytes of answers so far, streams included.
    received: Arc<AtomicU64>,
}

/// A token, and when a password was refused.
#[derive(Default)]
struct Held {
    token: Option<SecretString>,
    refused: Option<tokio::time::Instant>,
}

impl Gateway {
    /// Calls with what the settings add to the platform's roots, and as a user. The roots are loaded now if an address of the
    /// settings is `encrypted`, else when a member names such an address.
    pub fn new(tls: &Tls, encrypted: bool, user: Option<(String, Token)>) -> Result<Self, Fault> {
        Ok(Self {
            plain: http::build(tls, false, None, 1)?,
            secured: if encrypted { http::build(tls, true, None, 1)?.into() } else { OnceLock::new() },
            tls: tls.clone(),
            user,
            token: Mutex::default(),
            is_known: tls.cert_file.is_some(),
            received: Arc::default(),
        })
    }

    fn client(&self, at: &Address) -> Result<&reqwest::Client, CallError> {
        if !at.is_encrypted() {
            return Ok(&self.plain);
        }
        if let Some(client) = self.secured.get() {
            return Ok(client);
        }
        let client = http::build(&self.tls, true, None, 1).map_err(|fault| CallError::NotReached(fault.to_string()))?;
        Ok(self.secured.get_or_init(|| client))
    }

    /// One call.
    pub async fn post<T: DeserializeOwned>(
        &self,
        at: &Address,
        path: &str,
        body: &Value,
        manner: Manner,
    ) -> Result<T, CallError> {
        let first = self.post_once(at, path, body, manner).await;
        // A token that ran out is renewed once.
        let renew = manner.needs_user && self.user.is_some();
        let bytes = match first {
            Err(error) if renew && error.is(UNAUTHENTICATED) => {
                self.token.lock().await.token = None;
                self.post_once(at, path, body, manner).await?
            }
            other => other?,
        };
        serde_json::from_slice(&bytes).map_err(|e| CallError::Lost(format!("{path} was answered oddly: {e}")))
    }

    async fn post_once(&self, at: &Address, path: &str, body: &Value, manner: Manner) -> Result<Vec<u8>, CallError> {
        let request = self
            .request(at, path, manner)
            .await?
            .timeout(manner.within.unwrap_or(if manner.is_patient { PATIENCE } else { ANSWER_WITHIN }))
            .json(body);
        let response = request.send().await.map_err(|e| self.unsent(at, &e))?;
        let status = response.status();
        let bytes = http::whole(response, MOST_BYTES).await.map_err(|e| match e {
            BodyError::TooLarge => CallError::Lost(format!("the answer to {path} is larger than 16 MB")),
            BodyError::Broken(why) => CallError::Lost(format!("the answer to {path} broke off: {why}")),
        })?;
        self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if status == StatusCode::OK { Ok(bytes) } else { Err(refused(status, &bytes)) }
    }

    /// What a member tells of itself as metrics.
    pub async fn metrics(&self, at: &Address) -> Result<String, CallError> {
        let sent = self.client(at)?.get(format!("{}/metrics", at.as_str())).timeout(ANSWER_WITHIN).send().await;
        let response = sent.map_err(|e| self.unsent(at, &e))?;
        let bytes = http::whole(response, MOST_METRICS).await;
        let bytes = bytes.map_err(|_| CallError::Lost("its metrics were not understood".into()))?;
        self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The count of bytes of all answers. Streams add to it too.
    #[must_use]
    pub fn received(&self) -> Arc<AtomicU64> {
        self.received.clone()
    }

    /// Opens a stream. Its lines come until one side hangs up.
    pub async fn stream(&self, at: &Address, path: &str, body: String) -> Result<reqwest::Response, CallError> {
        let manner = Manner { needs_leader: true, needs_user: true, is_patient: false, within: None };
        let request = self.request(at, path, manner).await?.header("content-type", "application/json").body(body);
        let response = tokio::time::timeout(ANSWER_WITHIN, request.send()).await;
        let late = |_| CallError::Lost(format!("{path} was not answered within {} s", ANSWER_WITHIN.as_secs()));
        let response = response.map_err(late)?.map_err(|e| self.unsent(at, &e))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let bytes = http::whole(response, 4_096).await.unwrap_or_default();
        Err(refused(status, &bytes))
    }

    async fn request(&self, at: &Address, path: &str, manner: Manner) -> Result<reqwest::RequestBuilder, CallError> {
        let mut request = self.client(at)?.post(format!("{}{path}", at.as_str()));
        if manner.needs_leader {
            request = request.header("Grpc-Metadata-hasleader", "true");
        }
        if manner.needs_user
            && let Some(token) = self.token(at).await?
        {
            // Without the word Bearer.
            request = request.header("authorization", token.expose_secret());
        }
        Ok(request)
    }

    /// A request that got no answer at all.
    fn unsent(&self, at: &Address, error: &reqwest::Error) -> CallError {
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { http::cause(error) };
        if error.is_connect() {
            CallError::NotReached(why)
        } else if at.is_encrypted() && !self.is_known && !error.is_timeout() {
            CallError::Closed(why)
        } else {
            CallError::Lost(why)
        }
    }

    /// The token of the user; a password is sent where there is none.
    async fn token(&self, at: &Address) -> Result<Option<SecretString>, CallError> {
        let Some((name, password)) = &self.user else { return Ok(None) };
        let mut held = self.token.lock().await;
        if let Some(token) = &held.token {
            return Ok(Some(token.clone()));
        }
        let refused_again = || CallError::Refused(UNAUTHENTICATED, "the password was refused a moment ago".into());
        if held.refused.is_some_and(|at| at.elapsed() < REFUSED_FOR) {
            return Err(refused_again());
        }
        let password = password.read().await.map_err(|fault| CallError::Lost(fault.to_string()))?;
        let body = json!({ "name": name, "password": password.expose_secret() });
        let path = "/v3/auth/authenticate";
        let sent =
            self.client(at)?.post(format!("{}{path}", at.as_str())).timeout(ANSWER_WITHIN).json(&body).send().await;
        let response = sent.map_err(|e| self.unsent(at, &e))?;
        let status = response.status();
        let bytes = http::whole(response, 64 << 10).await.map_err(|_| CallError::Lost("no token came".into()))?;
        if status != StatusCode::OK {
            let error = refused(status, &bytes);
            if matches!(error, CallError::Refused(INVALID | UNAUTHENTICATED, _)) {
                held.refused = Some(tokio::time::Instant::now());
                return Err(CallError::Refused(UNAUTHENTICATED, "user or password is refused".into()));
            }
            return Err(error);
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = answer["token"].as_str().ok_or_else(|| CallError::Lost("no token came".into()))?;
        let token = SecretString::from(token.to_owned());
        held.token = Some(token.clone());
        Ok(Some(token))
    }
}

/// What is no answer: by the code in it, or by what it is where it is no JSON.
fn refused(status: StatusCode, bytes: &[u8]) -> CallError {
    match serde_json::from_slice::<WireError>(bytes) {
        Ok(error) => {
            let message = if error.message.is_empty() { error.error } else { error.message };
            CallError::Refused(error.code, Text::bounded(&message, 300))
        }
        Err(_) if status == StatusCode::NOT_FOUND => CallError::Off,
        Err(_) if status == StatusCode::BAD_REQUEST => CallError::CommonName,
        Err(_) => CallError::Lost(format!("the server answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(404, "404 page not found", CallError::Off)]
    #[case(400, "CommonName of client sending a request against gateway will be ignored", CallError::CommonName)]
    #[case(412, r#"{"error":"x","message":"not leader","code":9}"#, CallError::Refused(PRECONDITION, "not leader".into()))]
    #[case(400, r#"{"error":"x","message":"not leader","code":9}"#, CallError::Refused(PRECONDITION, "not leader".into()))]
    #[case(500, "<html>", CallError::Lost("the server answered 500 Internal Server Error".into()))]
    fn errors_are_told_by_their_code(#[case] status: u16, #[case] body: &str, #[case] expected: CallError) {
        assert_eq!(refused(StatusCode::from_u16(status).unwrap(), body.as_bytes()), expected);
    }
}
