//! Goes through recordings on a thread of its own: what was asked for last is what is answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as blocking;

use tokio::sync::mpsc;

use crate::app::history::{self, History};
use crate::app::past::{PastNews, Travel};
use crate::mesh::derive::Snapshot;
use crate::model::mark::Mark;
use crate::model::time::Millis;
use crate::recording::tape::{Tape, TapeError};

/// How long before an instant histories begin.
const BEFORE: Millis = history::SPAN;

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
            let mut waiting: Option<Order> = None;
            while let Some(first) = waiting.take().or_else(|| ordered.recv().ok()) {
                let (order, step) = latest(first, || ordered.try_recv().ok());
                waiting = step;
                let Some(news) = tapes.go(order).transpose() else { continue };
                if answer.blocking_send(news).is_err() {
                    return;
                }
                // What was before takes longer. Whoever goes on meanwhile does not wait for it.
                let mut is_wanted = || {
                    waiting = waiting.take().or_else(|| ordered.try_recv().ok());
                    waiting.is_none()
                };
                if let Ok(Some(news)) = tapes.before(&mut is_wanted)
                    && answer.blocking_send(Ok(news)).is_err()
                {
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

/// Of instants that are asked for one after another the last one counts. A step is from where one is then: it waits.
fn latest(first: Order, mut more: impl FnMut() -> Option<Order>) -> (Order, Option<Order>) {
    let mut order = first;
    while let Travel::To(_) = order.0 {
        match more() {
            Some(step @ (Travel::Step(_), _)) => return (order, Some(step)),
            Some(next) => order = next,
            None => break,
        }
    }
    (order, None)
}

/// Recordings that are open, by mesh.
#[derive(Default)]
struct Tapes {
    open: Vec<(usize, Tape)>,
    /// What was before the instant that is shown, by mesh.
    followed: Vec<(usize, Followed)>,
}

/// A recording that is followed up to an instant.
struct Followed {
    tape: Tape,
    history: History,
    last: Option<Snapshot>,
}

impl Followed {
    /// Goes on to an instant, or begins anew where it is before or far away. Ends where it is not wanted any more.
    fn go(&mut self, at_ms: Millis, is_wanted: &mut impl FnMut() -> bool) -> Result<bool, TapeError> {
        let from = at_ms - BEFORE;
        if self.tape.at_ms().is_none_or(|here| here > at_ms || here < from) || self.last.is_none() {
            (self.history, self.last) = (History::default(), None);
            self.tape.seek(from.max(self.tape.span().0))?;
            self.take()?;
        }
        while let Some(here) = self.tape.at_ms().filter(|here| *here < at_ms) {
            if !is_wanted() {
                return Ok(false);
            }
            self.tape.seek((here + history::STEP / 2).min(at_ms))?;
            // Nothing was observed for a while: the next moment is further on.
            if self.tape.at_ms() == Some(here) && self.tape.peek()?.is_none_or(|next| next > at_ms) {
                break;
            }
            if self.tape.at_ms() == Some(here) {
                self.tape.step()?;
            }
            self.take()?;
        }
        Ok(true)
    }

    fn take(&mut self) -> Result<(), TapeError> {
        let snapshot = self.tape.snapshot()?;
        self.history.take(self.last.as_ref(), &snapshot, None, snapshot.at_ms);
        self.last = Some(snapshot);
        Ok(())
    }
}

impl Tapes {
    fn go(&mut self, (travel, places): Order) -> Result<Option<PastNews>, String> {
        match travel {
            Travel::Close => {
                (self.open, self.followed) = Default::default();
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
        Ok(Some(PastNews::Moment { at_ms, from_ms, to_ms, marks: opened.then(|| self.marks()), snapshots }))
    }

    /// What was before the instant that is shown; nothing where that is not wanted any more.
    fn before(&mut self, is_wanted: &mut impl FnMut() -> bool) -> Result<Option<PastNews>, TapeError> {
        let Some(at_ms) = self.open.iter().filter_map(|(_, tape)| tape.at_ms()).max() else { return Ok(None) };
        let mut histories = Vec::new();
        for (mesh, followed) in &mut self.followed {
            if !followed.go(at_ms, is_wanted)? {
                return Ok(None);
            }
            histories.push((*mesh, followed.history.clone()));
        }
        Ok(Some(PastNews::Before { at_ms, histories }))
    }

    fn open_all(&mut self, places: Places) -> Result<(), String> {
        (self.open, self.followed) = Default::default();
        let mut failed = None;
        for (mesh, place) in places.into_iter().enumerate() {
            let Some(place) = place else { continue };
            match Tape::open(&place) {
                Ok(tape) => {
                    let again = Followed { tape: tape.another(), history: History::default(), last: None };
                    self.followed.push((mesh, again));
                    self.open.push((mesh, tape));
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use Travel::{Close, Step, To};

    #[test]
    fn a_step_is_from_the_instant_that_was_asked_for_before_it() {
        let of = |asked: &[Travel]| {
            let mut orders = asked.iter().map(|travel| (*travel, Vec::new()));
            let first = orders.next().unwrap();
            let (order, waiting) = latest(first, || orders.next());
            (order.0, waiting.map(|waiting| waiting.0))
        };
        assert_eq!(of(&[To(1), To(2), To(3)]), (To(3), None));
        assert_eq!(of(&[To(1), Step(false), To(2)]), (To(1), Some(Step(false))));
        assert_eq!(of(&[To(1), Close]), (Close, None));
        assert_eq!(of(&[Step(true), Step(true)]), (Step(true), None));
    }
}
