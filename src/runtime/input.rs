//! Keys, clicks and resizes, read on a thread of their own.
//!
//! A thread, because reading them as a stream loses its wake-up when the stream is drained without waiting.

use crossterm::event::Event;
use tokio::sync::mpsc;

/// Events that may wait; a flood of pasted text waits in the terminal.
const WAITING: usize = 1_024;

/// What comes from the terminal.
pub struct Input(mpsc::Receiver<Event>);

impl Input {
    /// Starts reading. The thread ends with the process, or when the terminal does.
    pub fn listen() -> std::io::Result<Self> {
        let (sender, events) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("input".into()).spawn(move || {
            while let Ok(event) = crossterm::event::read() {
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(events))
    }

    /// The next one; `None` when the terminal is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// One that is there already.
    pub fn waiting(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}
