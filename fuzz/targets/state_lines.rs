//! Lines of the journal and of the history of findings, as a crash or another program left them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = lockkeeper::model::journal::read(text.lines());
    let _ = lockkeeper::model::event::read(text.lines());
});
