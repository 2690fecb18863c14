//! Signals that end the program, or bring it back to the foreground.

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use crate::os::Signal;

/// The signals that are listened for.
#[derive(Debug)]
pub struct Signals {
    ends: [Listener; 4],
    /// To stop, and to go on. They are listened for where the terminal has to be given back first.
    job: Option<[Listener; 2]>,
}

impl Signals {
    /// Listens for what asks to end, to stop and to go on.
    pub fn listen() -> std::io::Result<Self> {
        let [stop, continued] = [rustix::process::Signal::TSTP, rustix::process::Signal::CONT]
            .map(|one| signal(SignalKind::from_raw(one.as_raw())));
        Ok(Self { job: Some([stop?, continued?]), ..Self::listen_for_end()? })
    }

    /// Listens for what asks to end; the rest is left to the system.
    pub fn listen_for_end() -> std::io::Result<Self> {
        let ends = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];
        let [a, b, c, d] = ends;
        Ok(Self { ends: [signal(a)?, signal(b)?, signal(c)?, signal(d)?], job: None })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        let [a, b, c, d] = &mut self.ends;
        let job = async {
            let Some([stop, continued]) = &mut self.job else { return std::future::pending().await };
            tokio::select! {
                _ = stop.recv() => Signal::Stop,
                _ = continued.recv() => Signal::Continued,
            }
        };
        tokio::select! {
            _ = a.recv() => Signal::End,
            _ = b.recv() => Signal::End,
            _ = c.recv() => Signal::End,
            _ = d.recv() => Signal::End,
            signal = job => signal,
        }
    }
}
