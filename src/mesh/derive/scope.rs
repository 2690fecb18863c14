//! Which repository a snapshot is of.

use crate::model::text::Text;

/// Which repository a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    pub repository: Text,
    /// Whether anything names it. What nothing names is not well: it is not there.
    pub known: bool,
}

impl Only {
    /// That nothing names it, where that is so.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        (!self.known).then(|| format!("nothing here names repository {}", self.repository))
    }
}

/// Whether something may be of a repository.
#[must_use]
pub fn may_be_of(id: &Text, repository: &str) -> bool {
    let hash = |s: &str| s.len() == 16 && s.bytes().all(|b| b.is_ascii_hexdigit());
    *id == repository || id.is_empty() || hash(id.raw()) != hash(repository)
}
