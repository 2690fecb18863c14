//! Texts of agents: what is shown of them has no character that a terminal obeys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::model::text::{fit, fit_middle, is_hidden, scrub, truncate_bytes};

fuzz_target!(|text: &str| {
    let visible = scrub(text);
    let shown = [visible.clone(), fit(&visible, 20), fit_middle(&visible, 20)];
    let is_obeyed = |c: char| c.is_control() || is_hidden(c);
    assert!(shown.iter().all(|shown| !shown.chars().any(is_obeyed)), "{shown:?}");
    assert!(truncate_bytes(text, 10).len() <= 10);
});
