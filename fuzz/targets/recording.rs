//! A recording: frames, what they hold, and the lines in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::recording::frame;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((head, _))) = frame::read_head(&mut rest) {
        if let Ok(lines) = frame::read_lines(&head, rest) {
            for line in frame::parse(&lines) {
                let _ = line;
            }
        }
        rest = rest.get(usize::try_from(head.bytes).unwrap_or(usize::MAX)..).unwrap_or_default();
    }
    for line in frame::parse(bytes) {
        let _ = line;
    }
});
