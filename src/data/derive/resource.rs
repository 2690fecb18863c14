//! When two names mean the same resource.
//!
//! `file:src/a.rs` and `src/a.rs` are one file: the prefix only says what kind of name it is. An
//! absolute path ends in the relative one, but so may other files' paths; since two different
//! resources must never be joined, an absolute path equals only itself.

/// The name to compare by.
#[must_use]
pub fn canonical(name: &str) -> &str {
    let name = name.strip_prefix("file:").unwrap_or(name);
    name.strip_prefix("./").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn only_spellings_of_one_name_are_joined() {
        assert_eq!(canonical("file:src/a.rs"), canonical("src/a.rs"));
        assert_eq!(canonical("./src/a.rs"), "src/a.rs");
        assert_ne!(canonical("/w/src/a.rs"), canonical("src/a.rs"));
        assert_ne!(canonical("task:7"), canonical("7"));
    }
}
