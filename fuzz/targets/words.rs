//! What people type: filters, instants, addresses, commands of their own, themes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::config::address::Address;

fuzz_target!(|text: &str| {
    let _ = lockkeeper::app::filter::Filter::parse(text, &[["key", "key"], ["state", "state"]]);
    let _ = lockkeeper::app::own::Argument::parse(text);
    let _ = lockkeeper::app::theme::Theme::parse("a", text);
    let _ = lockkeeper::model::instant::parse(text, 1_800_000_000_000, 0);
    let _ = lockkeeper::model::time::parse_sqlite(text);
    for address in [Address::of_database(text), Address::of_control(text), Address::of_server(text)] {
        let _ = address.map(|address| (address.is_loopback(), address.name().len()));
    }
});
