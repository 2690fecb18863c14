//! Goes through recordings on a thread of its own: what was asked for last is what is answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as blocking;

use tokio::sync::mpsc;

use crate::app::past::{PastNews, Travel};
use crate::model::mark::Mark;
use crate::model::time::Millis;
use crate::recording::tape::{Tape, TapeError};

/// Answers that may wait to be shown.
const ANSWERS: usize = 4;

/// A recording of each mesh, in their order; nothing of a mesh of which nobody keeps one.
type Places = Vec<Option<PathBuf>>;

/// What is asked for.
type Order = (Travel, Places);

/// Goes through recordings.
pub struct Traveller {
    orders: blocking::Sender<Order>,
    answers: mpsc::Receiver<Result<PastNews, String>>,
}

impl Traveller {
    /// Starts one that waits. Its thread begins with the first order.
    pub fn start() -> Self {
        let (orders, ordered) = blocking::channel::<Order>();
        let (answer, answers) = mpsc::channel(ANSWERS);
        let thread = std::thread::Builder::new().name("past".into());
        // Without a thread there is no past: nobody answers.
        let _ = thread.spawn(move || {
            let mut tapes = Tapes::default();
            while let Ok(mut order) = ordered.recv() {
                // Steps add up; of other orders the last one counts.
                while let (Travel::To(_), Ok(next)) = (order.0, ordered.try_recv()) {
                    order = next;
                }
                let Some(news) = tapes.go(order).transpose() else { continue };
                if answer.blocking_send(news).is_err() {
                    return;
                }
            }
        });
        Self { orders, answers }
    }

    /// Asks for an instant.
    pub fn ask(&self, travel: Travel, places: Places) {
        let _ = self.orders.send((travel, places));
    }

    /// What was asked for, or why it cannot be had.
    pub async fn news(&mut self) -> Result<PastNews, String> {
        match self.answers.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

/// Recordings that are open, by mesh.
#[derive(Default)]
struct Tapes {
    open: Vec<(usize, Tape)>,
}

impl Tapes {
    fn go(&mut self, (travel, places): Order) -> Result<Option<PastNews>, String> {
        match travel {
            Travel::Close => {
                self.open.clear();
                return Ok(None);
            }
            Travel::Open(at_ms) => {
                self.open_all(places)?;
                let end = self.span().1;
                self.seek(at_ms.unwrap_or(end)).map_err(told)?;
            }
            Travel::To(at_ms) => self.seek(at_ms).map_err(told)?,
            Travel::Step(true) => {
                let nexts: Result<Vec<_>, _> = self.open.iter_mut().map(|(_, tape)| tape.peek()).collect();
                let Some(next) = nexts.map_err(told)?.into_iter().flatten().min() else { return Ok(None) };
                self.seek(next).map_err(told)?;
            }
            Travel::Step(false) => {
                let Some(here) = self.open.iter().filter_map(|(_, tape)| tape.at_ms()).max() else { return Ok(None) };
                let from = self.span().0;
                self.seek((here - 1).max(from)).map_err(told)?;
            }
        }
        if self.open.is_empty() {
            return Ok(None);
        }
        let at_ms = self.open.iter().filter_map(|(_, tape)| tape.at_ms()).max().unwrap_or(0);
        let (from_ms, to_ms) = self.span();
        let opened = matches!(travel, Travel::Open(_));
        let mut snapshots = Vec::new();
        for (mesh, tape) in &mut self.open {
            // Of a mesh that was not recorded yet nothing is shown.
            if tape.span().0 <= at_ms {
                snapshots.push((*mesh, Arc::new(tape.snapshot().map_err(told)?)));
            }
        }
        Ok(Some(PastNews { at_ms, from_ms, to_ms, marks: opened.then(|| self.marks()), snapshots }))
    }

    fn open_all(&mut self, places: Places) -> Result<(), String> {
        self.open.clear();
        let mut failed = None;
        for (mesh, place) in places.into_iter().enumerate() {
            let Some(place) = place else { continue };
            match Tape::open(&place) {
                Ok(tape) => self.open.push((mesh, tape)),
                Err(error) => failed = Some(told(error)),
            }
        }
        match failed {
            Some(why) if self.open.is_empty() => Err(why),
            None if self.open.is_empty() => Err("nothing is recorded: `record` is off in the configuration".into()),
            _ => Ok(()),
        }
    }

    fn seek(&mut self, at_ms: Millis) -> Result<(), TapeError> {
        self.open.iter_mut().try_for_each(|(_, tape)| tape.seek(at_ms))
    }

    fn span(&self) -> (Millis, Millis) {
        let spans = || self.open.iter().map(|(_, tape)| tape.span());
        (spans().map(|span| span.0).min().unwrap_or(0), spans().map(|span| span.1).max().unwrap_or(0))
    }

    fn marks(&self) -> Arc<[Mark]> {
        let mut marks: Vec<Mark> = self.open.iter().flat_map(|(_, tape)| tape.marks().cloned()).collect();
        marks.sort_by_key(|mark| mark.at_ms);
        marks.into()
    }
}

fn told(error: TapeError) -> String {
    format!("the past cannot be shown: {error}")
}
