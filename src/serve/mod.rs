//! A service without a screen: metrics, snapshots, answers and a stream of events over HTTP, for machines. It only reads.

mod access;
mod board;
mod events;
pub mod mcp;
mod metrics;
mod openmetrics;
mod routes;
pub mod series;
mod tools;
pub mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

pub use self::access::Token;
use self::board::Board;
use crate::action::executor::Purpose;
use crate::action::plan::Policy;
use crate::os::process;
use crate::os::signals::Signals;
use crate::runtime::engine::{News, Record};
use crate::runtime::engines::Engines;
use crate::settings::Settings;

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of the head of a request.
const MAX_HEAD: usize = 16 << 10;
/// How long a client may take nothing of its answer.
const STALLED: Duration = Duration::from_secs(10);
/// How long answers that are under way may take at the end.
const GRACE: Duration = Duration::from_secs(2);

/// What is served, and to whom.
pub struct Service {
    pub listen: SocketAddr,
    /// What everybody must name; nothing only where nobody but this machine can ask.
    pub token: Option<Token>,
    /// Nodes of a mesh that have a series of their own, at most.
    pub node_series: usize,
}

/// Serves until a signal ends it. Each mesh is polled once, however many ask.
pub async fn run(service: Service, meshes: Vec<Settings>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(service.listen).await.map_err(|e| {
        anyhow::anyhow!("cannot listen on {}: {e}; choose another address with --listen", service.listen)
    })?;
    let address = listener.local_addr()?;
    let mut signals = Signals::listen_for_end()?;
    let mut engines = Engines::start(&meshes, Purpose::Watch, &Record::Nothing)?;
    // Nobody sits before it: the pace of a quiet mesh is enough for machines too.
    engines.focused(true);
    let board = Arc::new(board_of(&meshes, service.node_series));
    let routes = routes::routes(board.clone(), service.token);
    eprintln!("lockkeeper: serving on http://{address}");
    process::tell_ready();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    loop {
        tokio::select! {
            biased;
            _ = signals.next() => break,
            (mesh, news) = engines.news() => if let News::Snapshot(snapshot) = news {
                board.take(mesh, snapshot);
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &room) => {
                let Some((stream, permit)) = accepted else { continue };
                let (routes, mut stopped) = (routes.clone(), stopped.clone());
                let mut stream = TimeoutStream::new(stream);
                stream.set_write_timeout(Some(STALLED));
                connections.spawn(async move {
                    let served = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD)
                        .max_buf_size(MAX_HEAD)
                        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(routes));
                    let mut served = std::pin::pin!(served);
                    tokio::select! {
                        _ = served.as_mut() => {}
                        _ = stopped.changed() => {
                            served.as_mut().graceful_shutdown();
                            let _ = tokio::time::timeout(GRACE, served).await;
                        }
                    }
                    drop(permit);
                });
            }
        }
    }
    process::tell_stopping();
    board.close();
    let _ = stop.send(true);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    engines.stop().await;
    Ok(())
}

fn board_of(meshes: &[Settings], node_series: usize) -> Board {
    // Plans are shown and never run: a console that may not write shows them too.
    let policies = meshes.iter().map(|mesh| Policy { read_only: false, ..mesh.policy() }).collect();
    Board::new(meshes.iter().map(|mesh| mesh.mesh.clone()), policies, node_series)
}

/// Answers one agent on standard input and output, until it leaves or a signal ends it.
pub async fn run_stdio(meshes: Vec<Settings>) -> anyhow::Result<()> {
    use rmcp::ServiceExt as _;
    let mut signals = Signals::listen_for_end()?;
    let mut engines = Engines::start(&meshes, Purpose::Watch, &Record::Nothing)?;
    let board = Arc::new(board_of(&meshes, 0));
    let served = mcp::Door::new(board.clone()).serve(rmcp::transport::stdio());
    let mut served = std::pin::pin!(async { Ok::<_, anyhow::Error>(served.await?.waiting().await?) });
    loop {
        tokio::select! {
            biased;
            _ = signals.next() => break,
            (mesh, news) = engines.news() => if let News::Snapshot(snapshot) = news {
                board.take(mesh, snapshot);
            },
            ended = &mut served => {
                ended?;
                break;
            }
        }
    }
    engines.stop().await;
    Ok(())
}

/// The next connection, once there is room for one. An error of one that was lost meanwhile is its own.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "accept");
            // Out of file descriptors: others have to end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
