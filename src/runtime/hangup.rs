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
    let (sender, gone) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("hangup".into()).spawn(move || {
        if crate::os::terminal::wait_for_hangup() {
            let _ = sender.send(());
        }
    });
    Hangup(spawned.ok().map(|_| gone))
}
