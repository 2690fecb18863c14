//! A server whose manners are told from standard input: `ok`, `delay MS`, `status N`, `garbage`, `huge N`, `cut`
//! (answers break off in their middle), `token T` (asked for from now on), `count`, `lose N` (the N-th request from
//! now is carried out and its answer lost), `fail N` (the N-th request from now is not carried out).

use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;

#[derive(Clone, Default)]
struct Manners {
    token: String,
    delay: Duration,
    status: Option<u16>,
    garbage: bool,
    cut: bool,
    huge: usize,
    lose: Option<u64>,
    fail: Option<u64>,
    deny_writes: bool,
    requests: u64,
}

/// Serves until it is killed. With port 0, any that is free.
pub async fn serve(router: Router, token: &str, port: &str) {
    let manners = Arc::new(Mutex::new(Manners { token: token.to_owned(), ..Manners::default() }));
    let behave = manners.clone();
    let router = router.layer(middleware::from_fn(move |request, next| answer(behave.clone(), request, next)));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let mut manners = manners.lock().expect("the manners");
            let (requests, words) = (manners.requests, line.split(' ').collect::<Vec<_>>());
            let number = |i: usize| words.get(i).and_then(|w| w.parse::<u64>().ok()).unwrap_or(0);
            match words[0] {
                "count" => println!("{requests}"),
                "delay" => manners.delay = Duration::from_millis(number(1)),
                "status" => manners.status = u16::try_from(number(1)).ok(),
                "garbage" => manners.garbage = true,
                "cut" => manners.cut = true,
                "token" => words[1].clone_into(&mut manners.token),
                "lose" => manners.lose = Some(requests + number(1)),
                "deny-writes" => manners.deny_writes = true,
                "fail" => manners.fail = Some(requests + number(1)),
                "huge" => manners.huge = usize::try_from(number(1)).unwrap_or(0),
                _ => *manners = Manners { requests, token: manners.token.clone(), ..Manners::default() },
            }
            if words[0] != "count" {
                println!("done");
            }
        }
    });
    axum::serve(listener, router).await.expect("serving");
}

async fn answer(manners: Arc<Mutex<Manners>>, request: Request, next: Next) -> Response {
    let now = {
        let mut manners = manners.lock().expect("the manners");
        manners.requests += 1;
        manners.clone()
    };
    let bearer = request.headers().get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if request.uri().path() != "/health" && bearer != format!("Bearer {}", now.token) {
        return (StatusCode::UNAUTHORIZED, r#"{"error":"Unauthorized"}"#).into_response();
    }
    tokio::time::sleep(now.delay).await;
    let lost = || (StatusCode::BAD_GATEWAY, "as told").into_response();
    if now.fail == Some(now.requests) {
        return lost();
    }
    let request = if now.deny_writes {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        if String::from_utf8_lossy(&bytes).contains("BEGIN IMMEDIATE") {
            return (StatusCode::FORBIDDEN, "this token reads only").into_response();
        }
        Request::from_parts(parts, Body::from(bytes))
    } else {
        request
    };
    if now.lose == Some(now.requests) {
        let _ = next.run(request).await;
        return lost();
    }
    match now {
        Manners { status: Some(code), garbage: true, .. } => {
            (StatusCode::from_u16(code).expect("a status"), Body::from(vec![0xff, 0xfe])).into_response()
        }
        Manners { status: Some(code), .. } => {
            (StatusCode::from_u16(code).expect("a status"), "as told").into_response()
        }
        Manners { garbage: true, .. } => Body::from(vec![0xff, 0xfe, b'{', 0x1b]).into_response(),
        Manners { huge, .. } if huge > 0 => Body::from(vec![b' '; huge]).into_response(),
        Manners { cut: true, .. } => cut(next.run(request).await).await,
        _ => next.run(request).await,
    }
}

/// The first half of an answer, and then the connection breaks.
async fn cut(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 64 << 20).await.expect("a body");
    let half = futures::stream::iter([Ok(bytes.slice(..bytes.len() / 2))]);
    let broken = futures::stream::once(async {
        // The half is on its way by then.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("as told"))
    });
    Response::from_parts(parts, Body::from_stream(half.chain(broken)))
}
