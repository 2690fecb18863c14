//! What a control plane answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockkeeper::data::vox::control_plane::wire;

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<wire::Nodes>(bytes).map(wire::Nodes::into_facts);
    let _ = serde_json::from_slice::<wire::Leases>(bytes).map(wire::Leases::into_facts);
    let _ = serde_json::from_slice::<wire::Queue>(bytes).map(wire::Queue::into_facts);
    let _ = serde_json::from_slice::<wire::Inbox>(bytes).map(wire::Inbox::into_facts);
});
