//! One prefix: how it is read, and what stands below it.

use serde_json::json;

use super::gateway::{CallError, DENIED, Gateway, Manner};
use super::keys::{Keys, Values};
use super::layout::{Found, Layout, read};
use super::watch::range;
use super::wire::{Range, encoded};
use crate::config::address::Address;
use crate::model::observation::Cost;
use crate::model::text::Text;

/// Keys of one page.
const PAGE: usize = 500;
/// Keys of one prefix that are followed at most.
const MOST_KEYS: i64 = 200_000;
/// The same where no prefix is named: a store of something else is not read to find locks.
const MOST_GUESSED: i64 = 20_000;

/// A prefix that is followed.
pub struct Space {
    pub prefix: Vec<u8>,
    pub layout: Layout,
    pub keys: Keys,
    /// The revision up to which its keys are known; nothing before they were read.
    pub cursor: Option<i64>,
    /// Why it is not shown, or not whole.
    pub unseen: Option<Text>,
}

impl Space {
    /// A prefix of which nothing is known yet.
    #[must_use]
    pub fn new(prefix: &str, layout: Layout) -> Self {
        let values = match layout {
            Layout::Election | Layout::Single | Layout::Patroni => Values::All,
            Layout::Guess => Values::OfLeases,
            _ => Values::None,
        };
        let keys = Keys { values, ..Keys::default() };
        Self { prefix: prefix.as_bytes().to_vec(), layout, keys, cursor: None, unseen: None }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        let name = Text::bounded(&String::from_utf8_lossy(&self.prefix), 120);
        if name.is_empty() { "all keys".to_owned() } else { name.to_string() }
    }

    /// Whether a key stands below it.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix)
    }

    /// What its keys stand for.
    #[must_use]
    pub fn found(&self) -> Found {
        read(self.layout, &self.prefix, self.keys.all.iter())
    }

    /// Reads all of its keys, page by page, as of one revision. Answers whether that could be done.
    pub async fn read(&mut self, gateway: &Gateway, at: &Address, cost: &mut Cost) -> Result<bool, CallError> {
        self.cursor = None;
        let manner = Manner { needs_leader: true, needs_user: true, is_patient: false, within: None };
        let (first, end) = range(&self.prefix);
        let body = json!({ "key": first, "range_end": end, "count_only": true });
        let counted: Range = match gateway.post(at, "/v3/kv/range", &body, manner).await {
            Err(error) if error.is(DENIED) => {
                self.keys.all.clear();
                self.unseen =
                    Some(format!("{}: permission denied; the right must cover the whole prefix", self.name()).into());
                return Ok(false);
            }
            other => other?,
        };
        cost.round_trips += 1;
        let most = if self.layout == Layout::Guess { MOST_GUESSED } else { MOST_KEYS };
        if counted.count > most {
            self.keys.all.clear();
            let why = format!(
                "{}: {} keys, more than {most}; name the prefixes of locks in etcd.prefixes",
                self.name(),
                counted.count
            );
            self.unseen = Some(why.into());
            return Ok(false);
        }
        let (mut from, mut revision, mut all) = (first, 0, Vec::new());
        loop {
            let mut body = json!({ "key": from, "range_end": end, "limit": PAGE.to_string(), "keys_only": self.keys.values == Values::None });
            if revision > 0 {
                body["revision"] = revision.to_string().into();
            }
            let page: Range = gateway.post(at, "/v3/kv/range", &body, manner).await?;
            cost.round_trips += 1;
            cost.rows += page.kvs.len() as u64;
            if revision == 0 {
                revision = page.header.revision;
            }
            let (more, last) = (page.more, page.kvs.last().map(|kv| kv.key.clone()));
            all.extend(page.kvs);
            match last.filter(|_| more) {
                Some(mut last) => {
                    last.push(0);
                    from = encoded(&last).into();
                }
                None => break,
            }
        }
        self.keys.replace(all);
        (self.cursor, self.unseen) = (Some(revision), None);
        Ok(true)
    }
}
