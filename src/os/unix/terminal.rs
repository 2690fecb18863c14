//! The terminal.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Columns and rows; nothing where the terminal does not say.
#[must_use]
pub fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Waits until the terminal hangs up. Answers false where that cannot be told.
#[must_use]
pub fn wait_for_hangup() -> bool {
    let stdin = std::io::stdin();
    loop {
        // No event is asked for: only a hang-up or an error is reported.
        let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => return true,
            Ok(_) => {}
        }
    }
}
