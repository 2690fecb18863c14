//! What ties the entries of an op-log together: each carries the hash of the one before it.

use sha3::{Digest, Sha3_256};

use super::LogEntry;
use super::text::Text;
use super::time::Millis;

/// A hash.
pub type Hash = [u8; 32];

/// What ties an entry to others, worked out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Links {
    pub number: Option<u64>,
    /// What its successor carries.
    pub own: Option<Hash>,
    /// What it carries; nothing where that is no hash as the log writes it.
    pub before: Option<Hash>,
}

impl Links {
    /// The links of an entry.
    #[must_use]
    pub fn of(entry: &LogEntry) -> Self {
        let number = operation_number(entry.operation_id.raw());
        let predecessor = entry.predecessor_hash.as_ref().map(Text::raw);
        Self {
            number,
            own: number.zip(entry.timestamp_ms).map(|(number, at)| hash(number, at, predecessor)),
            before: predecessor.and_then(bytes),
        }
    }
}

/// The bytes of a hash in lowercase hex.
fn bytes(hex: &str) -> Option<Hash> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut all = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in all.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(all)
}

/// The number in `OP-000007`.
#[must_use]
pub fn operation_number(operation_id: &str) -> Option<u64> {
    operation_id.strip_prefix("OP-")?.parse().ok()
}

/// What the next entry of the same process carries: lowercase hex of SHA3-256 over the number and the
/// time as little-endian u64, then the entry's own predecessor hash as text.
#[must_use]
pub fn link(number: u64, timestamp_ms: Millis, predecessor_hash: Option<&str>) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or_default();
    hash(number, timestamp_ms, predecessor_hash).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn hash(number: u64, timestamp_ms: Millis, predecessor_hash: Option<&str>) -> Hash {
    let mut hasher = Sha3_256::new();
    hasher.update(number.to_le_bytes());
    hasher.update(timestamp_ms.unsigned_abs().to_le_bytes());
    hasher.update(predecessor_hash.unwrap_or_default().as_bytes());
    hasher.finalize().into()
}
