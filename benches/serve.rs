//! What the service costs while many ask.
//!
//! `cargo bench --bench serve -- FILE` serves a database (`cargo run --release --example workload -- M FILE` makes one) to 500 listeners
//! of events and to a scraper that asks 100 times a second. It prints processor time and memory of the service, and how long an answer
//! took, before and while they ask (Linux). `--seconds N` measures for so long.

#![allow(clippy::cast_precision_loss, reason = "figures of a few digits")]

mod support;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use procfs::process::Process;

use self::support::{Running, run_ns};

const LISTENERS: usize = 500;
const SCRAPES: u64 = 100;

fn ask(stream: &mut BufReader<TcpStream>) -> usize {
    stream.get_mut().write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        stream.read_line(&mut line).expect("an answer");
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = n.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    length
}

fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).expect("the service listens")
}

/// Measures for a while; asks so many times a second.
fn measure(label: &str, process: u32, address: &str, a_second: u64, span: Duration) {
    let mut stream = BufReader::new(connect(address));
    let (began, before) = (Instant::now(), run_ns(process));
    let mut took: Vec<Duration> = Vec::new();
    let mut bytes = 0;
    while began.elapsed() < span {
        if a_second == 0 {
            std::thread::sleep(span.saturating_sub(began.elapsed()));
            continue;
        }
        let asked = Instant::now();
        bytes = ask(&mut stream);
        took.push(asked.elapsed());
        let next = Duration::from_nanos(1_000_000_000 / a_second * took.len() as u64);
        std::thread::sleep(next.saturating_sub(began.elapsed()));
    }
    let used = (run_ns(process) - before) as f64 / began.elapsed().as_nanos() as f64 * 100.0;
    let resident = Process::new(process.cast_signed()).and_then(|p| p.status()).ok().and_then(|status| status.vmrss);
    took.sort();
    let at = |of: usize| {
        took.get(took.len().saturating_sub(1) * of / 100).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    };
    println!(
        "{label:<34} {used:>6.2} % of a core  {:>6.1} MB  {bytes} bytes an answer in {:.2} ms, {:.2} ms at worst",
        resident.unwrap_or(0) as f64 / 1_024.0,
        at(50),
        at(100)
    );
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let seconds = words.iter().position(|word| word == "--seconds").and_then(|at| words.get(at + 1)?.parse().ok());
    let Some(file) = words.first().filter(|word| !word.starts_with('-')) else {
        println!("FILE: a database to serve; `cargo run --release --example workload -- M FILE` makes one");
        return;
    };
    let span = Duration::from_secs(seconds.unwrap_or(15));
    let state = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--db", file]).env("HOME", state.path());
    command.env("LOCKKEEPER_DB_ACCESS", "direct").env("XDG_STATE_HOME", state.path()).stderr(Stdio::piped());
    let mut service = Running(command.spawn().expect("the service starts"));
    let mut lines = BufReader::new(service.0.stderr.take().expect("its words")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("http://")?.1.to_owned())).expect("its address");
    std::thread::spawn(move || lines.for_each(drop));
    let process = service.0.id();
    // The first look is over.
    std::thread::sleep(Duration::from_secs(5));
    measure("nobody asks", process, &address, 0, span);
    measure("100 scrapes a second", process, &address, SCRAPES, span);
    let listeners: Vec<TcpStream> = (0..LISTENERS)
        .map(|_| {
            let mut stream = connect(&address);
            stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
            stream
        })
        .collect();
    measure("and 500 listeners who do not read", process, &address, SCRAPES, span);
    drop(listeners);
    measure("and they left", process, &address, SCRAPES, span);
}
