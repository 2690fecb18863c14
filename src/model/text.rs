//! Text that came from outside, made safe to show.
//!
//! Everything a database, a server or an agent wrote passes through [`Text`] once, at ingest.
//! What is shown can hold no terminal control, no bidirectional override and no invisible
//! character; what was really there is kept beside it for identity, guards and JSON.

use std::borrow::{Borrow, Cow};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize as _;
use unicode_width::UnicodeWidthChar;

/// The longest single-line value kept from outside, in bytes. Longer ones are cut with an ellipsis.
pub const MAX_FIELD: usize = 1024;

/// The most bytes that are kept of what was really there. Of more, what is kept ends with what distinguishes it from others.
const MAX_RAW: usize = 16 << 10;

/// How many combining marks may follow one another before the rest become visible.
const MAX_COMBINING: usize = 2;

/// A value from outside: what to show, and what it really was.
#[derive(Clone)]
pub struct Text {
    shown: Arc<str>,
    /// Behind one pointer: there are many texts, and few of them are odd.
    raw: Option<Arc<Box<str>>>,
}

impl Text {
    /// Takes a single-line value of any content and length.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        Self::bounded(raw, MAX_FIELD)
    }

    /// Takes a value of up to `max` bytes; what is beyond is cut, and the cut is visible.
    #[must_use]
    pub fn bounded(raw: &str, max: usize) -> Self {
        let cut = truncate_bytes(raw, max);
        let shown = if cut.len() < raw.len() { Cow::Owned(format!("{}…", scrub(cut))) } else { scrub(cut) };
        match shown {
            Cow::Borrowed(s) => Self { shown: s.into(), raw: None },
            Cow::Owned(s) => Self { shown: s.into(), raw: Some(Arc::new(kept(raw, MAX_RAW.max(max)))) },
        }
    }

    /// What may be drawn.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What was really there: for identity, guards and escaped JSON, never for the screen.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.raw.as_ref().map_or(&*self.shown, |raw| raw)
    }

    /// A part of what was really there, to be kept: shared where it is all of it.
    #[must_use]
    pub fn part(&self, part: &str) -> Arc<str> {
        if self.raw.is_none() && *self.shown == *part { self.shown.clone() } else { part.into() }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw().is_empty()
    }
}

/// What is kept of a text that may be long.
fn kept(raw: &str, most: usize) -> Box<str> {
    if raw.len() <= most {
        return raw.into();
    }
    let told_by = foldhash::fast::FixedState::with_seed(0).hash_one(raw);
    format!("{}…{told_by:016x}", truncate_bytes(raw, most)).into()
}

/// Texts that are the same, kept once: names of nodes, agents and repositories stand in many rows.
#[derive(Debug, Default)]
pub struct Interner(std::collections::HashSet<Text, foldhash::fast::RandomState>);

impl Interner {
    /// Names that are kept at most; beyond, all are forgotten, and kept anew as they come.
    const MOST: usize = 200_000;

    /// Shares a text with those that were the same.
    pub fn share(&mut self, text: &mut Text) {
        match self.0.get(text) {
            Some(known) => *text = known.clone(),
            None => {
                if self.0.len() >= Self::MOST {
                    self.0.clear();
                }
                self.0.insert(text.clone());
            }
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self { shown: "".into(), raw: None }
    }
}
impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}
impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.raw(), f)
    }
}
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.raw() == other.raw()
    }
}
impl Eq for Text {}
impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.raw() == other
    }
}
impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.raw() == *other
    }
}
impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw().cmp(other.raw())
    }
}
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw().hash(state);
    }
}
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.raw()
    }
}
impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(replace) = replacement() {
            return serializer.serialize_str(&replace.borrow_mut().name(self.raw()));
        }
        // What it would be read back as is all there is to say of nearly every text.
        let is_plain = self.shown.len() <= MAX_FIELD && self.raw.is_none();
        if !is_plain && EXACT.get() && Self::new(self.raw()).shown != self.shown {
            return (&*self.shown, self.raw()).serialize(serializer);
        }
        serializer.serialize_str(self.raw())
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match serde::Deserialize::deserialize(from)? {
            Written::Plain(raw) => Ok(Self::new(&raw)),
            // What may be shown is made safe again, whoever wrote it.
            Written::Exact(shown, raw) => {
                Ok(Self { shown: scrub(&shown).into(), raw: (shown != raw).then(|| Arc::new(kept(&raw, 2 * MAX_RAW))) })
            }
        }
    }
}

/// A text as it is written.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Plain(#[serde(borrow)] Cow<'a, str>),
    Exact(Cow<'a, str>, Cow<'a, str>),
}

thread_local! {
    /// Whether texts are written with what is shown of them, where that does not follow from what they are.
    static EXACT: Cell<bool> = const { Cell::new(false) };
}

/// Stand-ins for texts of others that are written.
pub trait Replace {
    /// For a name, or what somebody says.
    fn name(&mut self, text: &str) -> String;
    /// For what is written to be read by a program.
    fn body(&mut self, text: &str) -> String;
}

thread_local! {
    static REPLACE: RefCell<Option<Rc<RefCell<dyn Replace>>>> = const { RefCell::new(None) };
}

fn replacement() -> Option<Rc<RefCell<dyn Replace>>> {
    REPLACE.with_borrow(Clone::clone)
}

/// Has stand-ins written for texts meanwhile.
pub fn replacing<R: Replace + 'static, T>(by: &Rc<RefCell<R>>, write: impl FnOnce() -> T) -> T {
    let by: Rc<RefCell<dyn Replace>> = by.clone();
    let before = REPLACE.replace(Some(by));
    let written = write();
    REPLACE.set(before);
    written
}

/// Writes what a program reads.
pub fn body<S: serde::Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    match replacement() {
        Some(replace) => to.serialize_str(&replace.borrow_mut().body(text)),
        None => to.serialize_str(text),
    }
}

/// Writes what names nobody: a hash, or a number with its kind before it (`OP-000007`). Anything else is a text as any.
pub fn hash<S: serde::Serializer>(text: &Option<Text>, to: S) -> Result<S::Ok, S::Error> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match text {
        Some(text) if is_hash(text.raw()) || text.raw().strip_prefix("OP-").is_some_and(digits) => {
            to.serialize_some(text.raw())
        }
        other => serde::Serialize::serialize(other, to),
    }
}

/// The same of one that is always there.
pub fn one_hash<S: serde::Serializer>(text: &Text, to: S) -> Result<S::Ok, S::Error> {
    hash(&Some(text.clone()), to)
}

/// Writes what is needed for guards alone, or nothing where stand-ins are written.
pub fn guard<S: serde::Serializer, T: serde::Serialize>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    value.as_ref().filter(|_| replacement().is_none()).serialize(to)
}

/// Has texts that are written meanwhile read back as exactly what they are. Elsewhere a text is written as what it really was.
pub fn exactly<T>(write: impl FnOnce() -> T) -> T {
    let before = EXACT.replace(true);
    let written = write();
    EXACT.set(before);
    written
}

/// The longest prefix of at most `max` bytes that ends on a character.
#[must_use]
pub fn truncate_bytes(s: &str, max: usize) -> &str {
    if s.len() <= max {
        return s;
    }
    let mut end = max;
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

/// Replaces everything that a terminal could obey or that a reader cannot see by something visible.
#[must_use]
pub fn scrub(s: &str) -> Cow<'_, str> {
    if s.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(s);
    }
    let mut out = String::with_capacity(s.len());
    let mut marks = 0;
    let mut changed = false;
    for c in s.chars().flat_map(apart) {
        let safe = match c {
            '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
            '\x7f' => '\u{2421}',
            c if is_hidden(c) => '\u{fffd}',
            c => match c.width() {
                None => '\u{fffd}',
                Some(0) if marks >= MAX_COMBINING || out.is_empty() => '\u{fffd}',
                Some(_) => c,
            },
        };
        marks = if safe.width() == Some(0) { marks + 1 } else { 0 };
        changed |= safe != c;
        out.push(safe);
    }
    changed |= out.len() != s.len();
    if changed { Cow::Owned(out) } else { Cow::Borrowed(s) }
}

/// A letter that terminals place in two ways, as the two letters that it stands for.
fn apart(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        '\u{e33}' => ('\u{e4d}', Some('\u{e32}')),
        '\u{eb3}' => ('\u{ecd}', Some('\u{eb2}')),
        c => (c, None),
    };
    std::iter::once(first).chain(second)
}

/// Characters that steer direction, hide, or join without being seen.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Serialised JSON with everything but plain visible text written as `\uXXXX`: still the same JSON, and
/// safe to print on a terminal.
#[must_use]
pub fn escape_json(json: String) -> String {
    let plain = |b: u8| b == b'\n' || (0x20..0x7f).contains(&b);
    let Some(first) = json.bytes().position(|b| !plain(b)) else { return json };
    let mut out = String::with_capacity(json.len() + 64);
    out.push_str(&json[..first]);
    for c in json[first..].chars() {
        let control = c != '\n' && c.is_control();
        if control || is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Cuts to `width` columns, with an ellipsis where something was cut.
#[must_use]
pub fn fit(s: &str, width: usize) -> Cow<'_, str> {
    let mut used = 0;
    let mut keep = 0;
    for (at, c) in s.char_indices() {
        let w = c.width().unwrap_or(0);
        if used + w > width {
            if width == 0 {
                return Cow::Borrowed("");
            }
            return Cow::Owned(format!("{}…", &s[..keep]));
        }
        used += w;
        if used < width {
            keep = at + c.len_utf8();
        }
    }
    Cow::Borrowed(s)
}

/// Like [`fit`], but cuts in the middle: the end of a path says more than its start.
#[must_use]
pub fn fit_middle(s: &str, width: usize) -> Cow<'_, str> {
    let total: usize = s.chars().map(|c| c.width().unwrap_or(0)).sum();
    if total <= width || width < 8 {
        return fit(s, width);
    }
    let tail_width = (width - 1) * 2 / 3;
    let head: String = take_width(s.chars(), width - 1 - tail_width);
    let tail: String = take_width(s.chars().rev(), tail_width).chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

fn take_width(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_become_visible() {
        assert_eq!(scrub("a\x1b[31mb\x07"), "a␛[31mb␇");
        assert_eq!(scrub("x\u{9b}31m"), "x\u{fffd}31m");
        assert_eq!(scrub("\u{202e}evil\u{200b}"), "\u{fffd}evil\u{fffd}");
    }

    #[test]
    fn identity_survives_scrubbing() {
        let (a, b) = (Text::new("k\x1b"), Text::new("k␛"));
        assert_eq!(a.as_str(), b.as_str());
        assert_ne!(a, b);
        assert_eq!(a.raw(), "k\x1b");
    }

    #[test]
    fn fits_wide_text() {
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit_middle("file:src/a/very/long/path/parser.rs", 20).chars().count(), 20);
    }

    #[test]
    fn escaped_json_parses_back() {
        let value = serde_json::json!({"k": "a\u{9b}b\u{202e}\u{e0041}\u{7f}"});
        let text = escape_json(serde_json::to_string(&value).unwrap());
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    proptest! {
        #[test]
        fn scrubbed_text_is_safe(s in any::<String>()) {
            let t = Text::new(&s);
            prop_assert!(t.as_str().chars().all(|c| !c.is_control() && !is_hidden(c)));
            prop_assert_eq!(t.raw(), s.as_str());
            let fitted = fit(t.as_str(), 10);
            prop_assert!(unicode_width::UnicodeWidthStr::width(fitted.as_ref()) <= 11);
        }
    }
}
