//! Tells the program which commit it is built from, where that is known.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=LOCKKEEPER_COMMIT");
    // Who works on it builds anew after each commit otherwise.
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_release || std::env::var_os("LOCKKEEPER_COMMIT").is_some() {
        return;
    }
    let head = Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"]).output();
    if let Some(path) = head.ok().filter(|output| output.status.success()) {
        println!("cargo:rerun-if-changed={}", String::from_utf8_lossy(&path.stdout).trim());
    }
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Some(commit) = commit.ok().filter(|output| output.status.success()) {
        println!("cargo:rustc-env=LOCKKEEPER_COMMIT={}", String::from_utf8_lossy(&commit.stdout).trim());
    }
}
