//! The course of one schedule: whose exchange is next, and what befalls it.

use std::future::Future;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tokio::sync::{Notify, oneshot};

/// What a line does to one exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Well,
    /// Refused before anything ran.
    Before,
    Busy,
    /// Lost on its way: nothing ran, and nobody knows.
    LostBefore,
    /// The answer was lost, and it is carried out later, when nobody waits any more.
    Late,
    /// Carried out, and the answer was lost.
    LostAfter,
    /// Carried out, and what was read after it was lost.
    RereadLost,
    KilledBefore,
    KilledAfter,
}

const BAD: [Fate; 8] = [
    Fate::Before,
    Fate::Busy,
    Fate::LostBefore,
    Fate::Late,
    Fate::LostAfter,
    Fate::RereadLost,
    Fate::KilledBefore,
    Fate::KilledAfter,
];

/// What all consoles of one schedule share.
#[derive(Clone)]
pub struct Course(Arc<Mutex<Inner>>, Arc<Notify>);

struct Inner {
    random: Rng,
    /// How likely an exchange goes wrong, in percent.
    trouble: u8,
    /// Consoles at an exchange, each until it is its turn.
    waiting: Vec<(usize, oneshot::Sender<()>)>,
    /// Consoles that run.
    running: usize,
    killed: Vec<Arc<Notify>>,
}

impl Course {
    pub fn new(mut random: Rng, consoles: usize) -> Self {
        let trouble = [0, 20, 45][random.usize(..3)];
        let killed = (0..consoles).map(|_| Arc::default()).collect();
        let inner = Inner { random, trouble, waiting: Vec::new(), running: 0, killed };
        Self(Arc::new(Mutex::new(inner)), Arc::default())
    }

    /// From here on nothing goes wrong.
    pub fn calm(&self) {
        self.0.lock().unwrap().trouble = 0;
    }

    /// A number below `limit`.
    pub fn draw(&self, limit: u8) -> u8 {
        self.0.lock().unwrap().random.u8(..limit)
    }

    /// Waits for this console's turn, and says what befalls its exchange.
    pub async fn turn(&self, console: usize) -> Fate {
        let (sender, turn) = oneshot::channel();
        self.0.lock().unwrap().waiting.push((console, sender));
        self.1.notify_one();
        turn.await.expect("a turn");
        let mut inner = self.0.lock().unwrap();
        if inner.random.u8(..100) >= inner.trouble {
            return Fate::Well;
        }
        BAD[inner.random.usize(..BAD.len())]
    }

    /// Never comes back: the console's process ended.
    pub async fn die(&self, console: usize) -> ! {
        let killed = self.0.lock().unwrap().killed[console].clone();
        killed.notify_one();
        std::future::pending().await
    }

    /// Lets one console after the other do its next exchange, until none runs. Which one follows from the number alone:
    /// it is chosen when each waits.
    async fn conduct(&self) {
        loop {
            let next = {
                let mut inner = self.0.lock().unwrap();
                if inner.running == 0 {
                    return;
                }
                (inner.waiting.len() == inner.running).then(|| {
                    inner.waiting.sort_by_key(|(console, _)| *console);
                    let count = inner.waiting.len();
                    let at = inner.random.usize(..count);
                    inner.waiting.swap_remove(at).1
                })
            };
            match next {
                Some(next) => next.send(()).expect("a console that waits"),
                None => self.1.notified().await,
            }
        }
    }

    /// Runs what each console does, by turns: nothing where it was killed.
    pub async fn run<T>(&self, all: impl IntoIterator<Item = (usize, impl Future<Output = T>)>) -> Vec<Option<T>> {
        let one = async |console: usize, work| {
            let killed = self.0.lock().unwrap().killed[console].clone();
            let ended = tokio::select! {
                done = work => Some(done),
                () = killed.notified() => None,
            };
            self.0.lock().unwrap().running -= 1;
            self.1.notify_one();
            ended
        };
        let all: Vec<_> = all.into_iter().map(|(console, work)| one(console, work)).collect();
        self.0.lock().unwrap().running = all.len();
        futures::future::join(futures::future::join_all(all), self.conduct()).await.0
    }
}
