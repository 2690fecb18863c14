//! When two names mean the same resource.
//!
//! `file:src/a.rs`, `./src/a.rs` and `src/a.rs` are one file: the prefix only says what kind of name it is. An
//! absolute path ends in the relative one, but so may the paths of other files. It is read as relative only
//! where the root of the work tree is known for certain: some message names it as its repository, and it is the
//! only root that any message names. With two roots there may be two work trees with a file of that name each,
//! and since two different resources must never be joined, an absolute path then equals only itself.

use std::collections::BTreeSet;

use crate::model::text::Text;

/// What is known about how resources are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The one work tree of the mesh, with a slash at its end.
    root: Option<String>,
}

impl Names {
    /// Learns the roots of work trees from the repositories that messages name.
    #[must_use]
    pub fn of<'a>(repositories: impl Iterator<Item = &'a Text>) -> Self {
        let paths = repositories.map(Text::raw).filter(|id| id.starts_with('/'));
        let roots: BTreeSet<&str> = paths.map(|path| path.trim_end_matches('/')).collect();
        let mut roots = roots.into_iter().filter(|root| !root.is_empty());
        match (roots.next(), roots.next()) {
            (Some(only), None) => Self { root: Some(format!("{only}/")) },
            _ => Self::default(),
        }
    }

    /// The name to compare by.
    #[must_use]
    pub fn canonical<'a>(&self, name: &'a str) -> &'a str {
        let name = name.strip_prefix("file:").unwrap_or(name);
        let name = name.strip_prefix("./").unwrap_or(name);
        let inside = self.root.as_deref().and_then(|root| name.strip_prefix(root));
        inside.filter(|rest| !rest.is_empty() && !rest.split('/').any(|part| part == "..")).unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spellings_of_one_name_are_joined() {
        let names = Names::default();
        assert_eq!(names.canonical("file:src/a.rs"), names.canonical("src/a.rs"));
        assert_eq!(names.canonical("./src/a.rs"), "src/a.rs");
        assert_ne!(names.canonical("/w/src/a.rs"), names.canonical("src/a.rs"));
        assert_ne!(names.canonical("task:7"), names.canonical("7"));
    }

    #[test]
    fn an_absolute_path_is_relative_to_the_one_root_that_is_known() {
        let names = Names { root: Some("/w/".into()) };
        assert_eq!(names.canonical("file:/w/src/a.rs"), "src/a.rs");
        for other in ["/work/src/a.rs", "/w/", "/w/../src/a.rs", "/v/w/src/a.rs"] {
            assert_eq!(names.canonical(other), other, "another place stays another name");
        }
    }
}
