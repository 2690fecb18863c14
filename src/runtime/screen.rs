//! The terminal: set up, drawn on, and restored after quit, panic, signals and suspension.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;

use crate::app::App;
use crate::app::first::First;
use crate::os::process;
use crate::runtime::minimal_backend::MinimalBackend;
use crate::settings::Settings;
use crate::ui::{self, TermCaps, glyphs};

type Backend = MinimalBackend<BufWriter<Stdout>>;

/// The most bytes that are handed to the terminal's clipboard; terminals refuse more.
const MAX_COPY: usize = 74_000;

/// Whether this program controls the terminal: a panic elsewhere must not write to a terminal that is not.
static OURS: AtomicBool = AtomicBool::new(false);
/// Whether the window has a name that is ours.
static TITLED: AtomicBool = AtomicBool::new(false);

/// The most columns of a title or a notification.
const MOST_PRINTED: usize = 200;

/// The terminal while this program controls it.
pub struct Screen {
    terminal: Terminal<Backend>,
    mouse: bool,
    caps: TermCaps,
}

impl Screen {
    /// Takes the terminal.
    pub fn open(mouse: bool, settings: &Settings) -> io::Result<Self> {
        restore_on_panic();
        take(mouse)?;
        let backend = MinimalBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let caps = TermCaps::of_environment(settings.color, &settings.unicode);
        Ok(Self { terminal: Terminal::new(backend)?, mouse, caps })
    }

    /// Draws one frame; only what changed goes out, in one write.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let caps = self.caps;
        let mut layout = ui::Layout::default();
        self.terminal.draw(|frame| layout = ui::draw(app, caps, frame))?;
        layout.note(app);
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Draws the first screen.
    pub fn draw_first(&mut self, first: &First, theme: &str) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let caps = self.caps;
        self.terminal.draw(|frame| ui::first::draw(first, theme, caps, frame))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Forgets what is on screen: the next frame is drawn whole. (`Terminal::clear` would ask the terminal
    /// for its cursor, and the answer would go to the thread that reads keys.)
    pub fn clear(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Switches mouse reports.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on {
            execute!(self.terminal.backend_mut(), EnableMouseCapture)
        } else {
            execute!(self.terminal.backend_mut(), DisableMouseCapture)
        }
    }

    /// Hands a text to the terminal's clipboard by OSC 52. Base64, so nothing in it can be obeyed.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let text = crate::model::text::truncate_bytes(text, MAX_COPY);
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        self.write_text(&format!("\x1b]52;c;{encoded}\x07"))
    }

    /// Rings the bell.
    pub fn bell(&mut self) -> io::Result<()> {
        self.write_text("\x07")
    }

    /// Asks for a desktop notification, in the two ways that terminals understand.
    pub fn notify(&mut self, text: &str) -> io::Result<()> {
        let text = self.spoken(text);
        self.write_text(&format!("\x1b]9;{text}\x07\x1b]777;notify;lockkeeper;{text}\x07"))
    }

    /// Calls the window so. The name it had is kept by the terminal, and given back at the end.
    pub fn title(&mut self, text: &str) -> io::Result<()> {
        let keep = if TITLED.swap(true, Ordering::SeqCst) { "" } else { "\x1b[22;0t" };
        self.write_text(&format!("{keep}\x1b]2;{}\x07", self.spoken(text)))
    }

    /// A text that ends no sequence it stands in: visible, short, and without what divides the fields of one.
    fn spoken(&self, text: &str) -> String {
        let text = crate::model::text::fit(&crate::model::text::scrub(text), MOST_PRINTED).replace(';', ",");
        if self.caps.unicode { text } else { glyphs::in_ascii(&text) }
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(text.as_bytes())?;
        Write::flush(out)
    }

    /// Gives the terminal back and stops, as the shell's Ctrl-Z does; being continued is told by a signal.
    /// Answers false where there is no shell to go back to.
    pub fn suspend(&mut self) -> io::Result<bool> {
        if !process::can_be_continued() {
            return Ok(false);
        }
        give_back();
        process::stop_this()?;
        Ok(true)
    }

    /// Takes the terminal again after a suspension, whoever asked for it: the shell may have set it up for itself.
    pub fn resume(&mut self) -> io::Result<()> {
        // Raw mode that is thought to be on is not switched on again.
        let _ = disable_raw_mode();
        take(self.mouse)?;
        self.clear()
    }

    /// Gives the terminal back.
    pub fn close(self) -> anyhow::Result<()> {
        give_back();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, cursor::Hide)?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// Restores everything, in the order that leaves the least behind if the terminal is half gone.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        if TITLED.swap(false, Ordering::SeqCst) {
            let _ = io::stdout().write_all(b"\x1b]2;\x07\x1b[23;0t");
        }
        let _ = execute!(
            io::stdout(),
            DisableMouseCapture,
            DisableFocusChange,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            cursor::Show
        );
        let _ = disable_raw_mode();
    }
}

/// A panic restores the terminal before it is told. Panics of background tasks are caught where they
/// happen; they are logged, and leave the screen alone.
fn restore_on_panic() {
    let main = std::thread::current().id();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if crate::panic_guard::expected() {
            return;
        }
        if std::thread::current().id() == main {
            give_back();
            previous(info);
        } else {
            tracing::error!("{info}");
        }
    }));
}
