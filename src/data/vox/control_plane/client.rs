//! Requests to a control plane: bounded answers, and errors that say what to do.

use std::time::Duration;

use chrono::DateTime;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::http::{self, BodyError, build, cause};
use crate::data::tls;
use crate::data::tls::Tls;
use crate::model::observation::{ClockSample, Cost};
use crate::model::source::Fault;
use crate::model::text::{Text, truncate_bytes};
use crate::model::time;
use crate::model::time::Millis;

/// How a call that reached the server was answered.
#[derive(Debug)]
pub enum Answer<T> {
    Value(T, Option<ClockSample>),
    /// 404: an older server.
    Absent,
    /// 403: says which role it takes.
    Denied(Text),
}

/// What a call was answered.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// The body, where it is JSON.
    pub json: Option<serde_json::Value>,
    text: Text,
}

impl Response {
    /// What a body says that came with a status.
    #[must_use]
    pub fn new(status: u16, body: &[u8]) -> Self {
        let json = serde_json::from_slice(body).ok();
        let detail = if json.is_some() { String::new() } else { String::from_utf8_lossy(body).into_owned() };
        Self { status, json, text: Text::new(truncate_bytes(detail.trim(), 200)) }
    }

    /// A refusal, for people.
    #[must_use]
    pub fn explain(&self) -> String {
        let text = if self.text.is_empty() { String::new() } else { format!(": {}", self.text) };
        let todo = match self.status {
            401 => "; give a mesh or admin token",
            403 => "; a mesh or admin token may do it, unless the reason says otherwise",
            429 | 503 => "; try again later",
            _ => "",
        };
        format!("the control plane refused ({}{text}){todo}", self.status)
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It never left.
    #[error("{0}")]
    NotSent(String),
    /// It may have arrived.
    #[error("{0}")]
    Unclear(String),
}

/// The server is up; what its Date header says.
pub struct Health {
    pub clock: Option<ClockSample>,
}

/// A client for one control plane.
pub struct Client {
    base: Address,
    token: Option<Token>,
    tls: Tls,
    max_answer: u64,
    clock: fn() -> Millis,
    http: Option<reqwest::Client>,
    timeout: Duration,
    /// Connections that are kept for the next request.
    idle: usize,
}

/// Whether a request that only reads is worth another try: the server may have closed a connection that was kept.
#[must_use]
pub fn is_worth_another_try(error: &reqwest::Error) -> bool {
    !(error.is_timeout() || error.is_connect() || error.is_builder())
}

impl Client {
    /// A client of the control plane at `base`. `max_answer` bounds an answer, in bytes.
    #[must_use]
    pub fn new(base: Address, token: Option<Token>, max_answer: u64, timeout: Duration, clock: fn() -> Millis) -> Self {
        Self { base, token, tls: Tls::default(), max_answer, clock, http: None, timeout, idle: 1 }
    }

    /// The same for writing: each request goes over a connection of its own, so that none is lost to one that the
    /// server has closed meanwhile.
    #[must_use]
    pub fn for_writing(self) -> Self {
        Self { idle: 0, ..self }
    }

    /// The same with what a configuration adds to the platform's roots.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Made at the first request: loading the platform's certificate roots takes a while.
    fn http(&mut self) -> Result<reqwest::Client, Fault> {
        if let Some(http) = &self.http {
            return Ok(http.clone());
        }
        let http = build(&self.tls, self.base.is_encrypted(), Some(self.timeout), self.idle)?;
        self.http = Some(http.clone());
        Ok(http)
    }

    /// A warning where a token would travel unencrypted.
    #[must_use]
    pub fn warning(&self) -> Option<Text> {
        tls::warning(&self.base, self.token.is_some())
    }

    /// `GET /health`.
    pub async fn health(&mut self, cost: &mut Cost) -> Result<Health, Fault> {
        let request = self.http()?.get(format!("{}/health", self.base));
        let (response, sample) = self.send(request, cost).await?;
        match response.status() {
            status if status.is_success() => {
                self.read(response, 1 << 16, cost).await?;
                Ok(Health { clock: sample })
            }
            status => Err(self.refusal(status, "/health", "")),
        }
    }

    /// A `GET` with the token.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str, cost: &mut Cost) -> Result<Answer<T>, Fault> {
        let request = self.http()?.get(format!("{}{path}", self.base));
        self.ask(path, request, cost).await
    }

    /// The inbox of one agent. The body names no claimer, so nothing is claimed.
    pub async fn inbox<T: DeserializeOwned>(
        &mut self,
        agent: &str,
        rows: usize,
        cost: &mut Cost,
    ) -> Result<Answer<T>, Fault> {
        let path = "/v1/populi/a2a/inbox";
        let body = serde_json::json!({ "receiver_agent_id": agent, "max_messages": rows });
        let request = self.http()?.post(format!("{}{path}", self.base)).json(&body);
        self.ask(path, request, cost).await
    }

    /// One call, answered with whatever the server says; with a body it is a `POST`.
    pub async fn call(&mut self, path: &str, body: Option<serde_json::Value>) -> Result<Response, CallError> {
        let not_sent = |fault: Fault| CallError::NotSent(fault.to_string());
        let http = self.http().map_err(not_sent)?;
        let address = format!("{}{path}", self.base);
        let mut request = match body {
            Some(body) => http.post(address).json(&body),
            None => http.get(address),
        };
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.read().await.map_err(not_sent)?.expose_secret());
        }
        let response = request.send().await.map_err(|e| {
            let why = format!("cannot reach {}: {}", self.base, cause(&e));
            if e.is_connect() { CallError::NotSent(why) } else { CallError::Unclear(why) }
        })?;
        let status = response.status().as_u16();
        let bytes = self
            .read(response, self.max_answer, &mut Cost::default())
            .await
            .map_err(|fault| CallError::Unclear(fault.to_string()))?;
        let detail = Response::new(status, &bytes);
        if detail.json.is_none() && status == 200 {
            return Err(CallError::Unclear(format!("{path} answered something that is not JSON")));
        }
        Ok(detail)
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        path: &str,
        request: RequestBuilder,
        cost: &mut Cost,
    ) -> Result<Answer<T>, Fault> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.read().await?.expose_secret()),
            None => request,
        };
        let (response, sample) = self.send(request, cost).await?;
        let status = response.status();
        let bytes = self.read(response, self.max_answer, cost).await?;
        if status.is_success() {
            let value = serde_json::from_slice(&bytes).map_err(|e| {
                Fault::transient(format!("{path} answered something that is not what it should be: {e}"))
            })?;
            return Ok(Answer::Value(value, sample));
        }
        let detail = String::from_utf8_lossy(&bytes);
        let detail = truncate_bytes(detail.trim(), 200);
        match status {
            StatusCode::NOT_FOUND => Ok(Answer::Absent),
            StatusCode::FORBIDDEN => Ok(Answer::Denied(Text::from(denial(detail)))),
            _ => Err(self.refusal(status, path, detail)),
        }
    }

    async fn send(
        &mut self,
        request: RequestBuilder,
        cost: &mut Cost,
    ) -> Result<(reqwest::Response, Option<ClockSample>), Fault> {
        let again = request.try_clone();
        let mut sent_ms = (self.clock)();
        cost.round_trips += 1;
        let mut answer = request.send().await;
        // Everything that is sent here only reads.
        if let (Err(error), Some(again)) = (&answer, again)
            && is_worth_another_try(error)
        {
            sent_ms = (self.clock)();
            cost.round_trips += 1;
            answer = again.send().await;
        }
        let response = answer.map_err(|e| {
            let why =
                if e.is_timeout() { format!("no answer within {} s", self.timeout.as_secs_f32()) } else { cause(&e) };
            Fault::transient(format!("cannot reach {}: {why}", self.base))
        })?;
        let sample = response
            .headers()
            .get(reqwest::header::DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
            .map(|date| ClockSample::between(sent_ms, date.timestamp_millis(), (self.clock)(), time::SECOND));
        Ok((response, sample))
    }

    async fn read(&self, response: reqwest::Response, max: u64, cost: &mut Cost) -> Result<Vec<u8>, Fault> {
        let bytes = http::whole(response, max).await.map_err(|error| match error {
            BodyError::TooLarge => Fault::setup(
                format!("the answer is larger than {}", time::bytes(max)),
                "raise limits.control_answer_bytes",
            ),
            BodyError::Broken(why) => Fault::transient(format!("the answer broke off: {why}")),
        })?;
        cost.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn refusal(&self, status: StatusCode, path: &str, detail: &str) -> Fault {
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        match status {
            StatusCode::UNAUTHORIZED => Fault::setup(
                format!("{} refused the token (401{detail})", self.base),
                if self.token.is_some() {
                    "use a mesh or admin token; a JWT works only once, so a poller cannot live on one"
                } else {
                    "give a mesh or admin token: VOX_MESH_TOKEN, --token-file or --token-env"
                },
            ),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Fault::busy(format!("{} asks for patience ({}{detail})", self.base, status.as_u16()))
            }
            _ if status.is_redirection() => Fault::setup(
                format!("{} redirects {path} elsewhere ({})", self.base, status.as_u16()),
                "give the address of the control plane itself",
            ),
            _ => Fault::transient(format!("{path} failed ({}{detail})", status.as_u16())),
        }
    }
}

/// What a 403 means: the server's own reason, then what it takes as a rule.
fn denial(detail: &str) -> String {
    let detail = if detail.is_empty() { "forbidden".to_owned() } else { detail.to_owned() };
    format!("{detail} (403): as a rule it needs a mesh or admin token")
}
