//! Disks and mounts.

use std::fs::File;
use std::path::Path;

/// Bytes that are free where a file or folder lies; nothing where that cannot be told.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Magic numbers of file systems whose other users are on other machines.
#[cfg(target_os = "linux")]
const NETWORK: [u64; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b];

/// Whether a file is known to lie on a network mount.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_on_network(file: &File) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|fs| fs.f_type);
    kind.is_ok_and(|kind| NETWORK.contains(&(kind.cast_unsigned() & 0xffff_ffff)))
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_on_network(_: &File) -> bool {
    false
}
