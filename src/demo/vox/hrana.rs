//! A small Hrana v3 server over a libSQL file: what a remote libSQL database looks like to its clients.
#![allow(clippy::result_large_err, reason = "a refusal is an answer, and answers are large")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use libsql::{Builder, Connection, params::Params};
use libsql_hrana::proto::{
    Batch, BatchCond, BatchResult, BatchStreamResp, CloseStreamResp, Col, CursorEntry, CursorReqBody, CursorRespBody,
    DescribeCol, DescribeResult, DescribeStreamResp, Error, ExecuteStreamResp, GetAutocommitStreamResp,
    PipelineReqBody, PipelineRespBody, Row, SequenceStreamResp, StepBeginEntry, StepEndEntry, StepErrorEntry, Stmt,
    StmtResult, StreamRequest, StreamResponse, StreamResult, Value,
};
use tokio::sync::Mutex;

struct Server {
    path: PathBuf,
    token: Option<String>,
    /// Streams that were left open, by baton.
    streams: Mutex<HashMap<String, Connection>>,
    /// A connection that only watches: its `data_version` moves with each commit of others.
    watcher: Mutex<Option<Connection>>,
    /// What commits are counted from, so that a server that is started again counts on.
    base: u64,
}

/// The routes of a Hrana server over the file at `path`; with a token, every request must bear it.
pub fn router(path: &Path, token: Option<String>) -> Router {
    let base = u64::try_from(crate::clock::wall_clock()).unwrap_or(0);
    let server =
        Arc::new(Server { path: path.to_owned(), token, streams: Mutex::default(), watcher: Mutex::default(), base });
    Router::new()
        .route("/v3", get(|| async { StatusCode::OK }))
        .route("/v3/pipeline", post(pipeline))
        .route("/v3/cursor", post(cursor))
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
        .with_state(server)
}

impl Server {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        match &self.token {
            Some(token) if bearer != Some(token.as_str()) => {
                Err((StatusCode::UNAUTHORIZED, r#"{"error":"Unauthorized"}"#).into_response())
            }
            _ => Ok(()),
        }
    }

    async fn stream(&self, baton: Option<&str>) -> Result<Connection, Response> {
        if let Some(baton) = baton {
            let open = self.streams.lock().await.remove(baton);
            return open.ok_or_else(|| (StatusCode::BAD_REQUEST, r#"{"error":"unknown baton"}"#).into_response());
        }
        let failed = |e: libsql::Error| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response();
        let database = Builder::new_local(&self.path).build().await.map_err(failed)?;
        let connection = database.connect().map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        Ok(connection)
    }

    /// A number that moves with each commit.
    async fn commits(&self) -> Option<u64> {
        let mut watcher = self.watcher.lock().await;
        if watcher.is_none() {
            *watcher = Builder::new_local(&self.path).build().await.ok()?.connect().ok();
        }
        let version = crate::data::sqlite::data_version(watcher.as_ref()?).await.ok()?;
        Some(self.base + u64::try_from(version).ok()?)
    }

    async fn keep(&self, connection: Connection) -> String {
        let baton = format!("{:016x}", fastrand::u64(..));
        self.streams.lock().await.insert(baton.clone(), connection);
        baton
    }
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    ([("content-type", "application/json")], body).into_response()
}

async fn pipeline(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Result<Response, Response> {
    server.admit(&headers)?;
    let request: PipelineReqBody =
        serde_json::from_slice(&body).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()).into_response())?;
    let connection = server.stream(request.baton.as_deref()).await?;
    let mut results = Vec::with_capacity(request.requests.len());
    let mut closed = false;
    for request in request.requests {
        closed |= matches!(request, StreamRequest::Close(_));
        results.push(match answer(&server, &connection, request).await {
            Ok(response) => StreamResult::Ok { response },
            Err(error) => StreamResult::Error { error },
        });
    }
    let baton = if closed { None } else { Some(server.keep(connection).await) };
    Ok(json(&PipelineRespBody { baton, base_url: None, results }))
}

async fn answer(server: &Server, connection: &Connection, request: StreamRequest) -> Result<StreamResponse, Error> {
    Ok(match request {
        StreamRequest::Close(_) => StreamResponse::Close(CloseStreamResp {}),
        StreamRequest::Execute(request) => {
            StreamResponse::Execute(ExecuteStreamResp { result: execute(connection, &request.stmt).await? })
        }
        StreamRequest::Batch(request) => {
            let mut result = batch(connection, &request.batch).await;
            result.replication_index = server.commits().await;
            StreamResponse::Batch(BatchStreamResp { result })
        }
        StreamRequest::Sequence(request) => {
            connection.execute_batch(request.sql.as_deref().unwrap_or_default()).await.map_err(sql_error)?;
            StreamResponse::Sequence(SequenceStreamResp {})
        }
        StreamRequest::Describe(request) => {
            let sql = request.sql.unwrap_or_default();
            let statement = connection.prepare(&sql).await.map_err(sql_error)?;
            let cols = statement
                .columns()
                .iter()
                .map(|c| DescribeCol { name: c.name().to_owned(), decltype: c.decl_type().map(str::to_owned) })
                .collect();
            let first = sql.trim_start().get(..6).unwrap_or_default().to_ascii_uppercase();
            let result = DescribeResult { params: Vec::new(), cols, is_explain: false, is_readonly: first == "SELECT" };
            StreamResponse::Describe(DescribeStreamResp { result })
        }
        StreamRequest::GetAutocommit(_) => {
            StreamResponse::GetAutocommit(GetAutocommitStreamResp { is_autocommit: connection.is_autocommit() })
        }
        StreamRequest::StoreSql(_) | StreamRequest::CloseSql(_) | StreamRequest::None => {
            return Err(Error { message: "not offered by this server".into(), code: "UNSUPPORTED".into() });
        }
    })
}

fn sql_error(error: libsql::Error) -> Error {
    let message = match error {
        libsql::Error::SqliteFailure(_, message) => message,
        other => other.to_string(),
    };
    Error { message: format!("SQLite error: {message}"), code: "SQLITE_ERROR".into() }
}

async fn execute(connection: &Connection, stmt: &Stmt) -> Result<StmtResult, Error> {
    let sql = stmt.sql.as_deref().unwrap_or_default();
    let params = if stmt.named_args.is_empty() {
        Params::Positional(stmt.args.iter().map(to_libsql).collect())
    } else {
        Params::Named(stmt.named_args.iter().map(|a| (a.name.clone(), to_libsql(&a.value))).collect())
    };
    let before = connection.total_changes();
    let mut rows = connection.query(sql, params).await.map_err(sql_error)?;
    let width = rows.column_count();
    let cols = (0..width).map(|i| Col { name: rows.column_name(i).map(str::to_owned), decltype: None }).collect();
    let mut all = Vec::new();
    while let Some(row) = rows.next().await.map_err(sql_error)? {
        all.push(Row {
            values: (0..width).map(|i| to_hrana(row.get_value(i).unwrap_or(libsql::Value::Null))).collect(),
        });
    }
    drop(rows);
    Ok(StmtResult {
        cols,
        rows_read: all.len() as u64,
        rows: all,
        affected_row_count: connection.total_changes() - before,
        last_insert_rowid: Some(connection.last_insert_rowid()),
        replication_index: None,
        rows_written: 0,
        query_duration_ms: 0.0,
    })
}

async fn batch(connection: &Connection, batch: &Batch) -> BatchResult {
    let mut result = BatchResult::default();
    for step in &batch.steps {
        let run = step.condition.as_ref().is_none_or(|condition| holds(condition, &result, connection.is_autocommit()));
        let (answer, error) = match (run, &step.stmt) {
            (false, _) => (None, None),
            (true, stmt) => match execute(connection, stmt).await {
                Ok(answer) => (Some(answer), None),
                Err(error) => (None, Some(error)),
            },
        };
        result.step_results.push(answer);
        result.step_errors.push(error);
    }
    result
}

fn holds(condition: &BatchCond, so_far: &BatchResult, autocommit: bool) -> bool {
    let at = |step: &u32| usize::try_from(*step).unwrap_or(usize::MAX);
    match condition {
        BatchCond::None => true,
        BatchCond::Ok { step } => so_far.step_results.get(at(step)).is_some_and(Option::is_some),
        BatchCond::Error { step } => so_far.step_errors.get(at(step)).is_some_and(Option::is_some),
        BatchCond::Not { cond } => !holds(cond, so_far, autocommit),
        BatchCond::And(list) => list.conds.iter().all(|c| holds(c, so_far, autocommit)),
        BatchCond::Or(list) => list.conds.iter().any(|c| holds(c, so_far, autocommit)),
        BatchCond::IsAutocommit {} => autocommit,
    }
}

/// The same as a batch, answered line by line.
async fn cursor(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Result<Response, Response> {
    server.admit(&headers)?;
    let request: CursorReqBody =
        serde_json::from_slice(&body).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()).into_response())?;
    let connection = server.stream(request.baton.as_deref()).await?;
    let result = batch(&connection, &request.batch).await;
    let baton = Some(server.keep(connection).await);
    let mut out = serde_json::to_string(&CursorRespBody { baton, base_url: None }).unwrap_or_default();
    let mut push = |entry: CursorEntry| {
        out.push('\n');
        out.push_str(&serde_json::to_string(&entry).unwrap_or_default());
    };
    for (step, (answer, error)) in (0u32..).zip(result.step_results.into_iter().zip(result.step_errors)) {
        if let Some(error) = error {
            push(CursorEntry::StepError(StepErrorEntry { step, error }));
        } else if let Some(answer) = answer {
            push(CursorEntry::StepBegin(StepBeginEntry { step, cols: answer.cols }));
            answer.rows.into_iter().for_each(|row| push(CursorEntry::Row { row }));
            let end = StepEndEntry {
                affected_row_count: answer.affected_row_count,
                last_insert_rowid: answer.last_insert_rowid,
            };
            push(CursorEntry::StepEnd(end));
        }
    }
    out.push('\n');
    Ok(([("content-type", "text/plain")], out).into_response())
}

fn to_libsql(value: &Value) -> libsql::Value {
    match value {
        Value::None | Value::Null => libsql::Value::Null,
        Value::Integer { value } => libsql::Value::Integer(*value),
        Value::Float { value } => libsql::Value::Real(*value),
        Value::Text { value } => libsql::Value::Text(value.to_string()),
        Value::Blob { value } => libsql::Value::Blob(value.to_vec()),
    }
}

fn to_hrana(value: libsql::Value) -> Value {
    match value {
        libsql::Value::Null => Value::Null,
        libsql::Value::Integer(value) => Value::Integer { value },
        libsql::Value::Real(value) => Value::Float { value },
        libsql::Value::Text(value) => Value::Text { value: value.into() },
        libsql::Value::Blob(value) => Value::Blob { value: value.into() },
    }
}
