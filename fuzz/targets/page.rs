//! A page of a database file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for (is_first, usable) in [(false, bytes.len()), (true, bytes.len()), (false, bytes.len().saturating_sub(32))] {
        let _ = lockkeeper::data::vox::pages::cells::parse(bytes, is_first, usable);
    }
});
