//! The record of a lock directory, and names beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::data::harn::lockdir;

fuzz_target!(|bytes: &[u8]| {
    let found = lockdir::Found::of(Some(bytes));
    let _ = found.state(1_800_000_000_000);
    let _ = found.record().map(|record| (record.owner.lane(), record.owner.agent()));
    let _ = std::str::from_utf8(bytes).map(|text| lockdir::moved_aside_from(text).map(str::len));
});
