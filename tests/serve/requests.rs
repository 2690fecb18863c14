//! Who may ask, and requests that are none.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support;
use crate::support::service::{Service, database};

fn said(service: &Service, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    // Who is refused early may find the line closed.
    let _ = stream.write_all(bytes);
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_needed_where_one_is_set_and_beyond_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let token = folder.path().join("token");
    std::fs::write(&token, "a-secret-of-some-length\n").unwrap();
    let token = token.to_str().unwrap();
    let open = support::run(&["serve", "--listen", "0.0.0.0:0", "--db", &database]);
    assert_eq!(open.status.code(), Some(2));
    let why = String::from_utf8(open.stderr).unwrap();
    assert!(why.contains("can be reached from other machines; name a file with a token by --auth-file"), "{why}");
    let service = Service::start(&["--db", &database, "--auth-file", token]).await;
    assert_eq!(service.get("/healthz", &[]).await.0, 200);
    for header in ["", "Bearer nonsense", "Basic a-secret-of-some-length"] {
        let (status, _, text) = service.get("/metrics", &[("authorization", header)]).await;
        assert_eq!(status, 401, "{header}");
        assert!(!text.contains("a-secret"), "{text}");
    }
    assert_eq!(service.get("/metrics", &[("authorization", "Bearer a-secret-of-some-length")]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_cost_nobody_else_anything() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let service = Service::start(&["--db", &database]).await;
    // Some never end their head: others are answered meanwhile, and these are let go.
    let slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&service.address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
            stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
            stream
        })
        .collect();
    let large = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(64 << 10));
    let rebound = b"GET /v1/snapshot HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(said(&service, rebound).contains(" 403 "), "a name that was moved here reads nothing");
    assert!(said(&service, large.as_bytes()).contains(" 431 "));
    assert!(said(&service, b"\x16\x03\x01 no http\r\n\r\n").contains(" 400 "));
    let two = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(said(&service, two).matches("HTTP/1.1 200").count(), 2);
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert_eq!(service.get("/healthz", &[]).await.0, 200);
    assert_eq!(service.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_does_not_read_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO distributed_locks SELECT 'file:src/' || i, 'n', '1', 1, datetime('now'), datetime('now', '+1 hour'), 'r' FROM n";
    support::service::execute(&database, many).await;
    let service = Service::start(&["--db", &database]).await;
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.write_all(b"GET /v1/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let mut head = [0; 1_024];
    stream.read_exact(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
    // What is under way fits into no buffer, and nobody reads until the service has let go.
    support::wait_for("the end of the connection", || (service.connections() == 0).then_some(()));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() + 1_024 < length.unwrap(), "it read all of {length:?}");
    assert_eq!(service.get("/healthz", &[]).await.0, 200);
}
