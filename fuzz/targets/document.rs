//! A document that a consensus group publishes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = lockkeeper::data::consensus::document::Document::read(bytes);
});
