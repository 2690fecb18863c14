//! What an etcd gateway answers, and the metrics of a member.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::data::consensus::wire;

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<wire::Range>(bytes);
    let _ = serde_json::from_slice::<wire::TimeToLive>(bytes);
    let _ = serde_json::from_slice::<wire::WatchLine>(bytes);
    let _ = std::str::from_utf8(bytes).map(|text| wire::metric(text, "etcd_server_has_leader"));
    let _ = wire::end_of(bytes);
});
