//! What etcd's JSON gateway sends: keys and values are base64, 64-bit numbers are strings, and what is zero is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// The header of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Header {
    #[serde(deserialize_with = "number")]
    pub cluster_id: u64,
    #[serde(deserialize_with = "number")]
    pub member_id: u64,
    #[serde(deserialize_with = "number")]
    pub revision: i64,
    #[serde(deserialize_with = "number")]
    pub raft_term: i64,
}

/// What a member says of itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    pub header: Header,
    pub version: String,
    #[serde(rename = "dbSize", deserialize_with = "number")]
    pub db_size: i64,
    #[serde(rename = "dbSizeInUse", deserialize_with = "number")]
    pub db_size_in_use: i64,
    #[serde(deserialize_with = "number")]
    pub leader: u64,
    #[serde(rename = "raftIndex", deserialize_with = "number")]
    pub raft_index: i64,
    #[serde(rename = "raftTerm", deserialize_with = "number")]
    pub raft_term: i64,
    #[serde(rename = "raftAppliedIndex", deserialize_with = "number")]
    pub raft_applied_index: i64,
    pub errors: Vec<String>,
    #[serde(rename = "isLearner")]
    pub is_learner: bool,
}

/// The members of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct MemberList {
    pub members: Vec<Member>,
}

/// One member, as the list has it. One that was not started yet has no name.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Member {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub id: u64,
    pub name: String,
    #[serde(rename = "clientURLs")]
    pub client_urls: Vec<String>,
    #[serde(rename = "isLearner")]
    pub is_learner: bool,
}

/// Keys of a range.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Range {
    pub header: Header,
    pub kvs: Vec<Kv>,
    pub more: bool,
    #[serde(deserialize_with = "number")]
    pub count: i64,
}

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Kv {
    #[serde(deserialize_with = "bytes")]
    pub key: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub value: Vec<u8>,
    #[serde(deserialize_with = "number")]
    pub lease: i64,
    #[serde(deserialize_with = "number")]
    pub version: i64,
    #[serde(deserialize_with = "number")]
    pub create_revision: i64,
    #[serde(deserialize_with = "number")]
    pub mod_revision: i64,
}

/// How long a lease has.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TimeToLive {
    /// Whole seconds; -1 for a lease that is gone.
    #[serde(rename = "TTL", deserialize_with = "number")]
    pub ttl: i64,
    #[serde(rename = "grantedTTL", deserialize_with = "number")]
    pub granted: i64,
    #[serde(deserialize_with = "all_bytes")]
    pub keys: Vec<Vec<u8>>,
}

/// A number among metrics in Prometheus' text format.
#[must_use]
pub fn metric(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let number: f64 = line.split(' ').next()?.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "it is bounded")]
    (0.0..9e15).contains(&number).then_some(number as i64)
}

/// One line of a watch.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WatchLine {
    pub result: Option<Watched>,
    pub error: Option<WatchError>,
}

/// What a watch saw.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Watched {
    pub header: Header,
    pub created: bool,
    pub canceled: bool,
    pub cancel_reason: String,
    #[serde(deserialize_with = "number")]
    pub compact_revision: i64,
    pub events: Vec<Event>,
}

/// Why a watch ended.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WatchError {
    #[serde(alias = "code")]
    pub grpc_code: i64,
    pub message: String,
}

/// A change of one key. Without a type it was put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub kv: Kv,
    pub prev_kv: Option<Kv>,
}

/// What a transaction answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Txn {
    pub header: Header,
    pub succeeded: bool,
    pub responses: Vec<TxnResponse>,
}

/// One answer of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TxnResponse {
    pub response_range: Option<Range>,
}

/// An error, as the gateway writes it. The HTTP status says less: it differs between versions.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WireError {
    pub code: i64,
    pub message: String,
    pub error: String,
}

/// A key or value as the wire has it.
#[must_use]
pub fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The end of the range of all keys with a prefix.
#[must_use]
pub fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // All keys: one zero byte stands for no end.
    vec![0]
}

/// A number, or a string of one.
fn number<'de, D: Deserializer<'de>, T: TryFrom<i128> + Default>(from: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(serde_json::Number),
        Text(String),
    }
    let wide = match Option::<Either>::deserialize(from)? {
        None => 0,
        Some(Either::Text(text)) => text.parse::<i128>().map_err(serde::de::Error::custom)?,
        Some(Either::Number(number)) => number.to_string().parse::<i128>().map_err(serde::de::Error::custom)?,
    };
    T::try_from(wide).map_err(|_| serde::de::Error::custom("a number beyond 64 bits"))
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

fn all_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_zero_is_left_out_and_numbers_are_strings() {
        let status: Status = serde_json::from_str(
            r#"{"header":{"cluster_id":"12570703134061491547","member_id":"17199877720088693522","revision":"1","raft_term":"2"},
            "version":"3.4.23","dbSize":"20480","raftIndex":"8","errors":["etcdserver: no leader"]}"#,
        )
        .unwrap();
        assert_eq!((status.header.member_id, status.leader, status.raft_index), (17_199_877_720_088_693_522, 0, 8));
        let range: Range = serde_json::from_str(
            r#"{"header":{"revision":"7"},"kvs":[{"key":"bGsvYQ==","create_revision":"2","lease":"5409564312027876619"}],"count":"1"}"#,
        )
        .unwrap();
        assert_eq!((range.kvs[0].key.as_slice(), range.kvs[0].lease), (&b"lk/a"[..], 5_409_564_312_027_876_619));
        let empty: Range = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, Range::default());
        let gone: TimeToLive = serde_json::from_str(r#"{"ID":"7","TTL":"-1"}"#).unwrap();
        assert_eq!(gone.ttl, -1);
    }

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# HELP etcd_q b\netcd_q_more 5\netcd_q 2.147483648e+09\netcd_odd NaN\n";
        assert_eq!(
            (metric(text, "etcd_q"), metric(text, "etcd_odd"), metric(text, "none")),
            (Some(2_147_483_648), None, None)
        );
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(end_of(b"lk/"), b"lk0");
        assert_eq!(end_of(&[b'a', 0xff, 0xff]), b"b");
        assert_eq!(end_of(&[0xff]), [0]);
        assert_eq!(end_of(b""), [0]);
    }

    proptest! {
        #[test]
        fn anything_is_an_answer_or_none(text in ".{0,300}") {
            let _ = serde_json::from_str::<Status>(&text);
            let _ = serde_json::from_str::<Range>(&text);
            let _ = serde_json::from_str::<WatchLine>(&text);
        }

        #[test]
        fn a_prefix_holds_its_keys(prefix in prop::collection::vec(any::<u8>(), 1..6), rest in prop::collection::vec(any::<u8>(), 0..6)) {
            let end = end_of(&prefix);
            let key: Vec<u8> = prefix.iter().chain(&rest).copied().collect();
            prop_assert!(key >= prefix && (end == [0] || key < end));
        }
    }
}
