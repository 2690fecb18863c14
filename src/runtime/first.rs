//! Shows the first screen until something is chosen.

use std::time::Duration;

use crossterm::event::{Event, KeyEventKind};

use super::hangup;
use super::screen::Screen;
use crate::app::first::{Chosen, First};
use crate::os::Signal;
use crate::os::signals::Signals;
use crate::settings::Settings;

/// How often keys are looked for. No thread waits for them: it would take the first key of what comes after.
const LOOK: Duration = Duration::from_millis(30);

/// Shows it; leaves the terminal as it was.
pub async fn run(first: &mut First, theme: &str, settings: &Settings) -> anyhow::Result<Chosen> {
    let mut screen = Screen::open(false, settings)?;
    let mut signals = Signals::listen()?;
    let mut hangup = hangup::watch();
    screen.draw_first(first, theme)?;
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::End => return Ok(Chosen::Quit),
                Signal::Stop => _ = screen.suspend()?,
                Signal::Continued => {
                    screen.resume()?;
                    screen.draw_first(first, theme)?;
                }
            },
            () = hangup.wait() => return Ok(Chosen::Quit),
            () = tokio::time::sleep(LOOK) => {
                let mut seen = false;
                // Without any time at all it would look nowhere.
                while crossterm::event::poll(Duration::from_millis(1))? {
                    seen = true;
                    match crossterm::event::read()? {
                        Event::Key(key) if key.kind != KeyEventKind::Release => {
                            if let Some(chosen) = first.key(key) {
                                return Ok(chosen);
                            }
                        }
                        Event::Paste(text) => first.paste(&text),
                        _ => {}
                    }
                }
                if seen {
                    screen.draw_first(first, theme)?;
                }
            }
        }
    }
}
