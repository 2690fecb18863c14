//! A process of its own for the tests: what else touches the same files and ports as the console.
//!
//! `vox_peer hold DB`: writes as today's Vox does, with a POSIX write lock on the whole file and its log.
//! `vox_peer try-lock DB`: takes that lock over and over, and counts how often it was refused.
//! `vox_peer storm DB`: commits as fast as it can, and checkpoints at random.
//! `vox_peer shell PROGRAM ARGUMENTS...`: runs a job in the foreground as a shell does; continues it when it stops.
//! `vox_peer panic`: takes the terminal as the console does, and panics.
//! `vox_peer hrana DB TOKEN [PORT]`: a Hrana server that can be slowed and made to fail from standard input.
//! `vox_peer plane TOKEN [PORT]`: a control plane of two healthy nodes, in the same manner.
//! `vox_peer holder DB NODE SEED`: takes, renews, releases and leaves locks at random.
//! `vox_peer consumer DB AGENT SEED`: claims and acknowledges messages at random.
//! `vox_peer breaker PATH ID`: breaks the lock directory that each line of standard input names by token and instant.
//! `vox_peer break-and-die PATH TOKEN INSTANT STEP`: the same once, and ends at a step without a word.
//! `vox_peer open DB`: has the files open without any lock.

mod agents;
mod breakers;
mod locks;
mod panics;
mod planes;
mod server;
mod shell;
mod storm;

use std::path::Path;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["hold", database] => locks::hold(Path::new(database)).await,
        ["try-lock", database] => locks::try_lock(Path::new(database)),
        ["holder", database, node, seed] => {
            agents::holder(Path::new(database), node, seed.parse().expect("a seed")).await;
        }
        ["consumer", database, agent, seed] => {
            agents::consumer(Path::new(database), agent, seed.parse().expect("a seed")).await;
        }
        ["open", database] => agents::open_files(Path::new(database)),
        ["storm", database, seed] => storm::storm(Path::new(database), seed.parse().expect("a seed")).await,
        ["hrana", database, token, port @ ..] => {
            let router = lockkeeper::demo::vox::hrana::router(Path::new(database), None);
            server::serve(router, token, port.first().unwrap_or(&"0")).await;
        }
        ["plane", token, port @ ..] => {
            server::serve(planes::router(), token, port.first().unwrap_or(&"0")).await;
        }
        ["shell", program, rest @ ..] => shell::shell(program, rest),
        ["breaker", path, id] => breakers::breaker(Path::new(path), id),
        ["break-and-die", path, token, instant, step] => breakers::break_and_die(Path::new(path), token, instant, step),
        ["panic"] => panics::panics(),
        other => panic!("no such part: {other:?}"),
    }
}
