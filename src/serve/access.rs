//! Who may ask: whoever names the token. Compared by its hash, so that time tells nothing of it.

use std::path::Path;

use sha2::{Digest, Sha256};

/// The least bytes of a token.
const LEAST: usize = 16;
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4_096;

/// A token, as its hash: the token itself is not kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The first line of a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let place = path.display();
        let size = std::fs::metadata(path).map_err(|e| format!("{place}: {e}"))?.len();
        if size > MAX_FILE {
            return Err(format!("{place}: larger than 4 KiB: this is no token"));
        }
        let text = std::fs::read_to_string(path).map_err(|e| format!("{place}: {e}"))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.len() < LEAST {
            return Err(format!(
                "{place}: the first line has fewer than {LEAST} characters; write a longer token there"
            ));
        }
        Ok(Self::of(token))
    }

    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether the value of an `Authorization` header names it.
    #[must_use]
    pub fn is_named_by(&self, header: Option<&str>) -> bool {
        let given = header.and_then(|header| header.split_once(' '));
        given.is_some_and(|(kind, token)| kind.eq_ignore_ascii_case("bearer") && Self::of(token.trim()).0 == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_named_exactly_and_a_short_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let token = Token::read(&path).map_err(|_| ()).unwrap();
        assert!(
            token.is_named_by(Some("Bearer 0123456789abcdef")) && token.is_named_by(Some("bearer 0123456789abcdef"))
        );
        for odd in [None, Some(""), Some("Bearer"), Some("Bearer 0123456789abcdeF"), Some("Basic 0123456789abcdef")] {
            assert!(!token.is_named_by(odd), "{odd:?}");
        }
        std::fs::write(&path, "short").unwrap();
        let why = Token::read(&path).map(|_| ()).unwrap_err();
        assert!(why.contains("fewer than 16") && !why.contains("short\""), "{why}");
    }
}
