//! Filtering as one types: words match as they stand, `~word` fuzzily, `field:value` a column; `!` turns each round.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// A filter, read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    negated: bool,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// In lower case, as it stands.
    Word(String),
    /// Its letters in order.
    Fuzzy(Pattern),
    Field {
        column: usize,
        value: String,
    },
}

impl Filter {
    /// Reads what was typed. Each column has two names, one for the screen and one in JSON; a field that no column has
    /// is taken as a word.
    #[must_use]
    pub fn parse(text: &str, names: &[[&str; 2]]) -> Self {
        let terms = text
            .split_whitespace()
            .filter_map(|word| {
                let (negated, word) = match word.strip_prefix('!') {
                    Some(rest) => (true, rest),
                    None => (false, word),
                };
                if word.is_empty() {
                    return None;
                }
                let field = word.split_once(':').and_then(|(field, value)| {
                    let named = |of: usize| names.iter().position(|name| name[of].eq_ignore_ascii_case(field));
                    let column = named(0).or_else(|| named(1))?;
                    Some(Kind::Field { column, value: value.to_lowercase() })
                });
                let word = || match word.strip_prefix('~') {
                    Some(letters) => Kind::Fuzzy(fuzzy(letters)),
                    None => Kind::Word(word.to_lowercase()),
                };
                Some(Term { negated, kind: field.unwrap_or_else(word) })
            })
            .collect();
        Self { terms }
    }

    /// Whether everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row passes; `cell` gives the text of a column.
    pub fn passes(&self, matcher: &mut Matcher, columns: usize, cell: &dyn Fn(usize) -> String) -> bool {
        let mut whole = None;
        let row = || (0..columns).map(cell).collect::<Vec<_>>().join(" ");
        self.terms.iter().all(|term| {
            let found = match &term.kind {
                Kind::Field { column, value } => cell(*column).to_lowercase().contains(value.as_str()),
                Kind::Word(word) => whole.get_or_insert_with(row).to_lowercase().contains(word.as_str()),
                Kind::Fuzzy(pattern) => {
                    let mut buffer = Vec::new();
                    pattern.score(Utf32Str::new(whole.get_or_insert_with(row), &mut buffer), matcher).is_some()
                }
            };
            found != term.negated
        })
    }
}

/// The letters of a word, in order.
#[must_use]
pub fn fuzzy(letters: &str) -> Pattern {
    Pattern::new(letters, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy)
}

/// The matcher, which is worth keeping between rows.
#[must_use]
pub fn matcher() -> Matcher {
    Matcher::new(Config::DEFAULT)
}

/// Ranks choices for a palette, best first; all of them, in their order, when nothing was typed.
#[must_use]
pub fn rank(text: &str, choices: &[String]) -> Vec<usize> {
    if text.trim().is_empty() {
        return (0..choices.len()).collect();
    }
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = matcher();
    let mut found: Vec<(u32, usize)> = choices
        .iter()
        .enumerate()
        .filter_map(|(i, choice)| {
            let mut buffer = Vec::new();
            Some((pattern.score(Utf32Str::new(choice, &mut buffer), &mut matcher)?, i))
        })
        .collect();
    found.sort_by_key(|&(score, i)| (std::cmp::Reverse(score), i));
    found.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("", true)]
    #[case("prs", false)]
    #[case("~prs", true)]
    #[case("PARSER", true)]
    #[case("zzz", false)]
    #[case("state:held", true)]
    #[case("STATE:HELD", true)]
    #[case("state:dead", false)]
    #[case("!state:dead", true)]
    #[case("!parser", false)]
    #[case("state:held forge", true)]
    #[case("state:held anvil", false)]
    #[case("nofield:x", false)]
    fn filters(#[case] text: &str, #[case] passes: bool) {
        let cells = ["file:src/parser.rs", "● held", "forge"];
        let filter = Filter::parse(text, &[["lock", "lock_key"], ["state", "state"], ["holder", "holder_node"]]);
        assert_eq!(filter.passes(&mut matcher(), 3, &|i| cells[i].to_owned()), passes, "{text}");
    }

    #[test]
    fn the_best_choice_comes_first() {
        let choices: Vec<String> = ["view locks", "refresh now", "view op-log"].map(str::to_owned).into();
        assert_eq!(rank("oplog", &choices)[0], 2);
        assert_eq!(rank("", &choices), [0, 1, 2]);
    }
}
