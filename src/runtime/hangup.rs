//! Notices that the terminal is gone, even where SIGHUP is ignored: otherwise reading it would spin for ever.

use tokio::sync::oneshot;

/// Resolves when the terminal hangs up.
pub struct Hangup(Option<oneshot::Receiver<()>>);

impl Hangup {
    /// Waits for it; for ever where it cannot be told.
    pub async fn wait(&mut self) {
        if let Some(gone) = &mut self.0
            && gone.await.is_ok()
        {
            return;
        }
        // Nobody watches: never poll what has ended again.
        self.0 = None;
        std::future::pending::<()>().await;
    }
}

/// Watches standard input from a thread of its own.
#[must_use]
pub fn watch() -> Hangup {
    use rustix::event::{PollFd, PollFlags, poll};
    let (sender, gone) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("hangup".into()).spawn(move || {
        let stdin = std::io::stdin();
        loop {
            // No event is asked for: only a hang-up or an error is reported.
            let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => {
                    let _ = sender.send(());
                    return;
                }
                Ok(_) => {}
            }
        }
    });
    Hangup(spawned.ok().map(|_| gone))
}
