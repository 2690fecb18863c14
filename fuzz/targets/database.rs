//! A database file with its write-ahead log, as somebody else writes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::data::vox::pages::Pages;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
    let (main, rest) = bytes.split_at(bytes.len() / 2);
    std::fs::write(&file, main).expect("a file");
    std::fs::write(&log, rest).expect("a log");
    let Ok(mut pages) = Pages::open(&file) else { return };
    let _ = pages.refresh();
    let mut page = Vec::new();
    for number in 0..4 {
        let _ = pages.read(number, &mut page);
    }
});
