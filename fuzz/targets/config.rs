//! A configuration file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = lockkeeper::config::file::File::parse(text, Path::new("c.toml"), &lockkeeper::systems::table());
});
