//! How facts are written down and read back where serde's own way does not do. What is read may come from a file of
//! anybody's: what lasts as long as the program is bounded.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A word of the program's own, such as the name of a rule. An alias, since serde would borrow a `&str`.
pub type StaticStr = &'static str;

/// Bytes of words and lists that are kept for good.
const MOST: usize = 4 << 20;

/// What was read that must last as long as the program, each once.
#[derive(Default)]
struct Kept {
    things: HashMap<(TypeId, String), &'static (dyn Any + Send + Sync)>,
    bytes: usize,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// The list that equals this one and lasts as long as the program; nothing where too much is kept already.
fn keep<T: Debug + Send + Sync + 'static>(list: Vec<T>) -> Option<&'static [T]> {
    let key = (TypeId::of::<T>(), format!("{list:?}"));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.things.get(&key) {
        return known.downcast_ref::<&'static [T]>().copied();
    }
    kept.bytes += key.1.len();
    if kept.bytes > MOST {
        return None;
    }
    let list: &'static [T] = Box::leak(list.into_boxed_slice());
    kept.things.insert(key, Box::leak(Box::new(list)));
    Some(list)
}

/// Reads a word of the program's own.
pub fn word<'de, D: Deserializer<'de>>(from: D) -> Result<StaticStr, D::Error> {
    let word = keep(vec![String::deserialize(from)?]).and_then(|words| words.first());
    word.map(String::as_str).ok_or_else(|| D::Error::custom("too many different words"))
}

/// Reads a list of the program's own.
pub fn list<'de, D, T>(from: D) -> Result<&'static [T], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Debug + Send + Sync + 'static,
{
    keep(Vec::deserialize(from)?).ok_or_else(|| D::Error::custom("too many different lists"))
}

/// One of them within something larger.
#[derive(Deserialize)]
struct Word(#[serde(deserialize_with = "word")] StaticStr);

/// Reads words of the program's own.
pub fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<StaticStr>, D::Error> {
    Ok(Vec::<Word>::deserialize(from)?.into_iter().map(|word| word.0).collect())
}

/// Reads a list of what is known of things that have such a word for a name.
pub fn by_word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<(StaticStr, T)>, D::Error> {
    Ok(Vec::<(Word, T)>::deserialize(from)?.into_iter().map(|(word, of)| (word.0, of)).collect())
}

/// Reads a list of pairs of words that lasts.
pub fn word_pairs<'de, D: Deserializer<'de>>(from: D) -> Result<&'static [(StaticStr, StaticStr)], D::Error> {
    let pairs = by_word::<D, Word>(from)?.into_iter().map(|(word, of)| (word, of.0)).collect();
    keep(pairs).ok_or_else(|| D::Error::custom("too many different words"))
}

/// A list of one entry a table: one that was written by a version that knew fewer tables is filled up.
pub mod by_table {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::{Deserializer, Serialize, Serializer};

    /// Writes a list.
    pub fn serialize<S: Serializer, T: Serialize, const N: usize>(of: &[T; N], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(of)
    }

    /// Reads one.
    pub fn deserialize<'de, D: Deserializer<'de>, T: DeserializeOwned + Default, const N: usize>(
        from: D,
    ) -> Result<[T; N], D::Error> {
        let mut read = <Vec<T> as serde::Deserialize>::deserialize(from)?;
        if read.len() > N {
            return Err(D::Error::custom("it was written by a later version, which knows more tables"));
        }
        read.resize_with(N, T::default);
        read.try_into().map_err(|_| D::Error::custom("a list of another length"))
    }
}

/// A map whose keys are not texts: a list of pairs, in no order.
pub mod pairs {
    use std::collections::HashMap;
    use std::hash::Hash;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a map.
    pub fn serialize<S, K, V, H>(map: &HashMap<K, V, H>, to: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        to.collect_seq(map)
    }

    /// Reads one.
    pub fn deserialize<'de, D, K, V, H>(from: D) -> Result<HashMap<K, V, H>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        H: std::hash::BuildHasher + Default,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}
