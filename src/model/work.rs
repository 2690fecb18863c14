//! Signs of work on a resource.

use std::collections::BTreeMap;

use super::text::Text;
use super::time::Millis;

/// What was found of one resource. Instants are on the console's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// The file that changed last, and when.
    pub changed: Option<(Text, Millis)>,
    /// The last commit that touched it, by its short name, and when it was made.
    pub committed: Option<(Text, Millis)>,
}

/// By the name of the resource.
pub type Works = BTreeMap<String, Work>;
