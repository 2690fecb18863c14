//! A real member that lets in only whom it knows: certificates with and without a common name, and users beside them.

use super::*;
use crate::support::authority::Authority;

#[test]
fn each_way_to_be_refused_has_its_own_sentence() {
    let authority = Authority::new();
    let (cert, secret) = authority.write("server", &authority.sign_as("127.0.0.1", None));
    let ca = authority.file("ca.pem");
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let more = [
        "--cert-file",
        &text(&cert),
        "--key-file",
        &text(&secret),
        "--trusted-ca-file",
        &text(&ca),
        "--client-cert-auth",
    ];
    let Some(cluster) = Cluster::start_encrypted(&more) else { return };
    let named = authority.write("named", &authority.sign_as("console", Some("console")));
    let nameless = authority.write("nameless", &authority.sign_as("console", None));
    let password = cluster.folder.path().join("password");
    std::fs::write(&password, "pw-of-tests\n").unwrap();
    let see = |client: Option<&(PathBuf, PathBuf)>, user: Option<&str>| {
        let mut config = format!("[tls]\nca_file = {}\n", json!(text(&ca)));
        if let Some((cert, key)) = client {
            config += &format!("cert_file = {}\nkey_file = {}\n", json!(text(cert)), json!(text(key)));
        }
        config += "[etcd]\nprefixes = [\"lk/=mutex\"]\n";
        if let Some(user) = user {
            config += &format!("user = \"{user}\"\npassword_file = {}\n", json!(text(&password)));
        }
        let path = cluster.folder.path().join("config.toml");
        std::fs::write(&path, config).unwrap();
        let output = lockkeeper()
            .args(["snapshot", "--format", "json", "--config", path.to_str().unwrap()])
            .args(["--etcd", &cluster.url(0).replace("http:", "https:")])
            .output()
            .unwrap();
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert!(!seen.to_string().contains("pw-of-tests"));
        seen
    };
    let answers = || {
        let seen = see(Some(&named), None);
        seen["groups"].to_string().contains("\"leads\"").then_some(seen)
    };
    let seen = wait_for("a leader that speaks TLS", answers);
    assert!(seen["findings"].as_array().unwrap().is_empty(), "{}", seen["findings"]);
    let refused = see(None, None);
    assert!(refused["findings"].to_string().to_lowercase().contains("certificate"), "{}", refused["findings"]);
    // Users on: a certificate with a common name is refused by the gateway, whatever the user.
    let post = |path: &str, body: Value| cluster.post_encrypted(&authority, &nameless, path, &body);
    for user in ["root", "eve"] {
        post("/v3/auth/user/add", json!({ "name": user, "password": "pw-of-tests" }));
    }
    post("/v3/auth/role/add", json!({ "name": "root" }));
    post("/v3/auth/user/grant", json!({ "user": "root", "role": "root" }));
    post("/v3/auth/enable", json!({}));
    let seen = see(Some(&named), Some("root"));
    assert!(seen["findings"].to_string().contains("CommonName"), "{}", seen["findings"]);
    let seen = see(Some(&nameless), Some("root"));
    assert!(seen["findings"].as_array().unwrap().is_empty(), "{}", seen["findings"]);
    let seen = see(Some(&nameless), Some("eve"));
    assert!(seen["findings"].to_string().contains("permission denied"), "{}", seen["findings"]);
}

#[test]
fn a_gateway_that_is_switched_off_is_said() {
    let Some(cluster) = Cluster::start_bare(&["--enable-grpc-gateway=false"]) else { return };
    let said = || {
        let findings = seen_json(&cluster, &[])["findings"].to_string();
        findings.contains("switched off").then_some(findings)
    };
    let findings = wait_for("an answer", said);
    assert!(findings.contains("--enable-grpc-gateway"), "{findings}");
}
