//! Texts of agents: what is shown of them has no character that a terminal obeys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::model::text::{fit, fit_middle, scrub, truncate_bytes};

fuzz_target!(|text: &str| {
    let shown = [scrub(text), fit(text, 20), fit_middle(text, 20)];
    assert!(shown.iter().all(|shown| !shown.chars().any(char::is_control)), "{shown:?}");
    assert!(truncate_bytes(text, 10).len() <= 10);
});
