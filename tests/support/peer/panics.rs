//! What the console leaves behind when it panics.

use lockkeeper::runtime::screen::Screen;
use lockkeeper::settings::Settings;

/// Takes the terminal, lets a background thread panic (which must leave the screen alone), then panics.
pub fn panics() {
    let settings = Settings::given(&[]).expect("settings");
    let screen = Screen::open(true, &settings).expect("a terminal");
    let outcome = std::thread::spawn(|| panic!("in the background")).join();
    assert!(outcome.is_err());
    print!("still on the screen");
    let kept = Some(screen);
    assert!(kept.is_none(), "on purpose");
}
