//! Signals that end the program, or bring it back to the foreground.

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    End,
    /// Somebody else asks what Ctrl-Z asks.
    Stop,
    Continued,
}

/// The signals that are listened for.
pub struct Signals {
    ends: [tokio::signal::unix::Signal; 4],
    stop: tokio::signal::unix::Signal,
    continued: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts listening.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ends = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];
        let [a, b, c, d] = ends;
        let [stop, continued] = [rustix::process::Signal::TSTP, rustix::process::Signal::CONT]
            .map(|one| signal(SignalKind::from_raw(one.as_raw())));
        Ok(Self { ends: [signal(a)?, signal(b)?, signal(c)?, signal(d)?], stop: stop?, continued: continued? })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        let [a, b, c, d] = &mut self.ends;
        tokio::select! {
            _ = a.recv() => Signal::End,
            _ = b.recv() => Signal::End,
            _ = c.recv() => Signal::End,
            _ = d.recv() => Signal::End,
            _ = self.stop.recv() => Signal::Stop,
            _ = self.continued.recv() => Signal::Continued,
        }
    }
}
