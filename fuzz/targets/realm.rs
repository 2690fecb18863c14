//! What the files of a realm hold, and what its server answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::data::meerkat::rpc::asked::Asked;

fuzz_target!(|bytes: &[u8]| {
    let _ = lockkeeper::data::meerkat::lease::Lease::read(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = lockkeeper::data::meerkat::event::Event::read(1, text);
    let _ = lockkeeper::data::meerkat::work::Item::read("realm", "item", 1, text);
    let _ = lockkeeper::data::meerkat::run::Run::read([Some(text); 6], text.len());
    let Ok(answer) = serde_json::from_str(text) else { return };
    let mut asked = Asked::new(60_000);
    asked.take_mobs(&answer);
    let mob = "mob".into();
    asked.take_members(&mob, &answer, 1);
    asked.take_status(&(mob, "member".into()), &answer, 2);
    let _ = asked.groups(&"realm".into());
});
