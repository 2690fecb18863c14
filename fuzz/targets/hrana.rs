//! What a remote database answers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for statements in [0, 1, 3] {
        let _ = lockkeeper::data::vox::hrana::cursor::parsed(bytes, statements);
    }
    let _ = lockkeeper::data::vox::hrana::read(bytes, 1);
});
