//! One event of the log, and the chain that ties it to the one before it in its topic.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::Seal;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The rule by which hashes are made; an event of another rule cannot be checked.
pub const PROVENANCE: &str = "harn-eventlog-provenance-v1";

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub topic: String,
    pub event_id: i64,
    pub kind: String,
    pub payload: Value,
    pub headers: Map<String, Value>,
    pub occurred_at_ms: Millis,
}

impl Event {
    /// A header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }

    /// The topic without what all topics of its kind share, and the number in it: what people call it.
    #[must_use]
    pub fn label(&self) -> Text {
        let room = self.topic.rsplit('.').next().unwrap_or(&self.topic);
        format!("{room}#{}", self.event_id).into()
    }

    /// A number that no other event of any topic has: the topic's hash above, the number in it below.
    #[must_use]
    pub fn id(&self) -> i64 {
        let topic = Sha256::digest(self.topic.as_bytes());
        let high = u32::from_be_bytes([topic[0], topic[1], topic[2], topic[3]]) >> 2;
        i64::from(high) << 32 | (self.event_id & 0xffff_ffff)
    }

    /// What the chain says of it. Nothing where it bears no hash.
    #[must_use]
    pub fn seal(&self) -> Option<Seal> {
        let own = self.header("harn.provenance.record_hash")?;
        if self.header("harn.provenance.schema") != Some(PROVENANCE) {
            return None;
        }
        Some(Seal {
            stream: Text::new(&self.topic),
            place: self.event_id,
            own: Text::new(own),
            before: self.header("harn.provenance.prev_hash").map(Text::new),
            holds: own == self.hash(),
        })
    }

    /// `sha256:` and the hash of everything in it but the hash itself, as compact JSON with sorted keys.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut headers = self.headers.clone();
        headers.remove("harn.provenance.record_hash");
        let mut whole = Map::new();
        whole.insert("event_id".into(), self.event_id.into());
        whole.insert("headers".into(), Value::Object(headers));
        whole.insert("kind".into(), self.kind.clone().into());
        whole.insert("occurred_at_ms".into(), self.occurred_at_ms.into());
        whole.insert("payload".into(), self.payload.clone());
        whole.insert("topic".into(), self.topic.clone().into());
        let mut whole = Value::Object(whole);
        whole.sort_all_objects();
        let digest = Sha256::digest(whole.to_string().as_bytes());
        digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Event {
        let mut event = Event {
            topic: "channels.tenant.default.coord.workspace.w.ops".into(),
            event_id: 7,
            kind: "channel.emit".into(),
            payload: json!({"b": [1, {"d": 2, "c": "ä\n"}], "a": null}),
            headers: Map::new(),
            occurred_at_ms: 1_795_241_204_290,
        };
        event.headers.insert("harn.provenance.schema".into(), PROVENANCE.into());
        event.headers.insert("a.header".into(), "x".into());
        let hash = event.hash();
        event.headers.insert("harn.provenance.record_hash".into(), hash.into());
        event
    }

    #[test]
    fn every_part_of_it_is_sealed() {
        let event = event();
        assert!(event.seal().unwrap().holds);
        let changes: [fn(&mut Event); 6] = [
            |e| e.event_id += 1,
            |e| e.kind.push('x'),
            |e| e.occurred_at_ms += 1,
            |e| e.topic.push('x'),
            |e| e.payload["b"][1]["d"] = json!(3),
            |e| drop(e.headers.insert("a.header".into(), "y".into())),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut changed = event.clone();
            change(&mut changed);
            assert!(!changed.seal().unwrap().holds, "change {i}");
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let mut other = event();
        other.payload = serde_json::from_str(r#"{"a":null,"b":[1,{"c":"ä\n","d":2}]}"#).unwrap();
        assert!(other.seal().unwrap().holds);
    }

    #[test]
    fn what_bears_no_hash_is_not_judged() {
        let mut bare = event();
        bare.headers.clear();
        assert_eq!(bare.seal(), None);
    }
}
