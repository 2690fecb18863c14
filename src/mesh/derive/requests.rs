//! What payloads and log entries say about who wants which resource. All of it is outside data.

use serde_json::Value;

use crate::model::text::Text;

/// The resources that a request's payload names.
pub(super) fn resources(payload: &str) -> Vec<String> {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return Vec::new() };
    let mut names: Vec<String> =
        ["resource_id", "lock_key", "path"].iter().filter_map(|k| map.get(*k)?.as_str().map(str::to_owned)).collect();
    if let Some(Value::Array(paths)) = map.get("paths") {
        names.extend(paths.iter().take(64).filter_map(|p| p.as_str().map(str::to_owned)));
    }
    names
}

/// Whether a request asks to read beside other readers.
pub(super) fn wants_to_share(payload: &str) -> bool {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return false };
    ["kind", "mode"].iter().any(|key| map.get(*key).and_then(Value::as_str) == Some("shared_read"))
}

/// An agent's id, written as a number or as text.
pub(super) fn agent_id(value: &Value) -> Option<Text> {
    value.as_i64().map(|n| Text::from(n.to_string())).or_else(|| value.as_str().map(Text::new))
}

/// The agents that a conflict message names as its sides.
pub(super) fn sides(payload: &str) -> Vec<Text> {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return Vec::new() };
    map.get("sides").and_then(Value::as_array).into_iter().flatten().take(64).filter_map(agent_id).collect()
}

/// What a conflict in the op-log says: the resource, and the agents that do not have it.
pub(super) fn conflict(kind_json: &str, logged_by: &Text) -> Vec<(String, Vec<Text>)> {
    if !kind_json.contains("Conflict") {
        return Vec::new();
    }
    let Ok(Value::Object(kind)) = serde_json::from_str::<Value>(kind_json) else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(detected) = kind.get("ConflictDetected")
        && let (Some(path), Some(sides)) = (detected["path"].as_str(), detected["sides"].as_array())
    {
        found.push((path.to_owned(), sides.iter().take(64).filter_map(agent_id).collect()));
    }
    // Whoever defers waits for the one it defers to.
    if let Some(deferred) = kind.get("ConflictDeferred")
        && let Some(path) = deferred["path"].as_str()
        && agent_id(&deferred["defer_to_agent"]).as_ref() != Some(logged_by)
    {
        found.push((path.to_owned(), vec![logged_by.clone()]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_name_those_who_wait() {
        let detected = r#"{"ConflictDetected":{"path":"a.rs","severity":"high","sides":[1,2]}}"#;
        assert_eq!(conflict(detected, &"1".into()), [("a.rs".to_owned(), vec!["1".into(), "2".into()])]);
        let deferred = r#"{"ConflictDeferred":{"path":"a.rs","defer_to_agent":7}}"#;
        assert_eq!(conflict(deferred, &"3".into()), [("a.rs".to_owned(), vec!["3".into()])]);
        assert_eq!(conflict(deferred, &"7".into()), []);
        for odd in ["\"ConflictDetected\"", r#"{"ConflictDetected":{"sides":5}}"#, "Conflict"] {
            assert_eq!(conflict(odd, &"1".into()), [], "{odd}");
        }
    }

    #[test]
    fn requests_name_their_resources_in_every_known_field() {
        let payload = r#"{"resource_id":"a","lock_key":"b","path":"c","paths":["d",5,"e"]}"#;
        assert_eq!(resources(payload), ["a", "b", "c", "d", "e"]);
        assert_eq!(resources("not json"), Vec::<String>::new());
    }
}
