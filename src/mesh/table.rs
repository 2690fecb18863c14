//! One table as it was read: rows by key, each in a place that stays, and which places changed since somebody looked.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows by key.
#[derive(Debug, Clone)]
pub struct Table<K, T> {
    rows: Vec<Option<Arc<T>>>,
    place_of: HashMap<K, u32, RandomState>,
    free: Vec<u32>,
    touched: Vec<u32>,
    /// Of those, the ones that were given to a key or taken from one.
    moved: Vec<u32>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            place_of: HashMap::default(),
            free: Vec::new(),
            touched: Vec::new(),
            moved: Vec::new(),
        }
    }
}

/// What the row at a place was and is.
pub type RowChange<T> = (u32, Option<Arc<T>>, Option<Arc<T>>);

impl<K: Eq + Hash + Clone, T: PartialEq> Table<K, T> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.place_of.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.place_of.is_empty()
    }

    /// The row at a place.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<&Arc<T>> {
        self.rows.get(place as usize)?.as_ref()
    }

    /// The row of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Arc<T>> {
        self.at(*self.place_of.get(key)?)
    }

    /// Every row, in the order of the places.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.rows.iter().flatten()
    }

    /// The places that are taken.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.rows).filter(|(_, row)| row.is_some()).map(|(place, _)| place)
    }

    /// Takes a row; nothing where it is known already. Answers what changed.
    pub fn set(&mut self, key: K, row: T) -> Option<RowChange<T>> {
        let place = if let Some(&place) = self.place_of.get(&key) {
            if self.at(place).is_some_and(|known| **known == row) {
                return None;
            }
            place
        } else {
            let place = self.free.pop().unwrap_or_else(|| {
                self.rows.push(None);
                u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
            });
            self.place_of.insert(key, place);
            self.moved.push(place);
            place
        };
        let row = Some(Arc::new(row));
        let before = std::mem::replace(&mut self.rows[place as usize], row.clone());
        self.touched.push(place);
        Some((place, before, row))
    }

    /// Takes a row away. Answers what changed.
    pub fn remove(&mut self, key: &K) -> Option<RowChange<T>> {
        let place = self.place_of.remove(key)?;
        self.free.push(place);
        self.touched.push(place);
        self.moved.push(place);
        Some((place, self.rows[place as usize].take(), None))
    }

    /// Replaces all rows. Answers what changed. Rows of one key are distinguished by how many came before.
    pub fn replace(&mut self, rows: Vec<T>, key: impl Fn(&T, u32) -> K) -> Vec<RowChange<T>> {
        let mut changes = Vec::new();
        let mut kept = vec![false; self.rows.len()];
        for row in rows {
            let mut nth = 0;
            let key = loop {
                let key = key(&row, nth);
                let place = self.place_of.get(&key).map(|place| *place as usize);
                match place.and_then(|place| kept.get(place)) {
                    Some(true) => nth += 1,
                    _ => break key,
                }
            };
            let place = self.place_of.get(&key).copied();
            changes.extend(self.set(key, row));
            let place = place.or(self.touched.last().copied()).unwrap_or(0) as usize;
            kept.resize(kept.len().max(place + 1), false);
            kept[place] = true;
        }
        if kept.contains(&false) {
            let gone = |place: &u32| kept.get(*place as usize) == Some(&false);
            let mut keys: Vec<(u32, K)> =
                self.place_of.iter().filter(|(_, p)| gone(p)).map(|(key, place)| (*place, key.clone())).collect();
            // The same rows leave the same places free, in the same order.
            keys.sort_unstable_by_key(|(place, _)| *place);
            changes.extend(keys.iter().filter_map(|(_, key)| self.remove(key)));
        }
        changes
    }

    /// The places that changed since this was asked for the last time.
    pub fn take_touched(&mut self) -> Places {
        let mut touched = Places { all: std::mem::take(&mut self.touched), moved: std::mem::take(&mut self.moved) };
        touched.all.sort_unstable();
        touched.all.dedup();
        touched
    }
}

/// A table as it is written: what stands at each place, by key, and the places to be taken next, the last one first.
#[derive(Serialize, Deserialize)]
struct Written<K, R> {
    rows: Vec<Option<(K, R)>>,
    free: Vec<u32>,
}

impl<K: Serialize, T: Serialize> Serialize for Table<K, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut rows: Vec<Option<(&K, &T)>> = std::iter::repeat_with(|| None).take(self.rows.len()).collect();
        for (key, place) in &self.place_of {
            let place = *place as usize;
            rows[place] = self.rows[place].as_deref().map(|row| (key, row));
        }
        Written { rows, free: self.free.clone() }.serialize(to)
    }
}

impl<'de, K: Deserialize<'de> + Eq + Hash, T: Deserialize<'de>> Deserialize<'de> for Table<K, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { rows, free } = Written::<K, T>::deserialize(from)?;
        let mut table = Self { free, ..Self::default() };
        let mut taken = 0;
        for (place, row) in (0u32..).zip(rows) {
            table.rows.push(row.map(|(key, row)| {
                table.place_of.insert(key, place);
                taken += 1;
                Arc::new(row)
            }));
        }
        let free: HashSet<u32> = table.free.iter().copied().collect();
        let is_free = |place: &u32| table.rows.get(*place as usize).is_some_and(Option::is_none);
        let whole = free.len() == table.free.len() && free.iter().all(is_free);
        if !whole || taken != table.place_of.len() || taken + free.len() != table.rows.len() {
            return Err(D::Error::custom("a table whose places do not agree with its rows"));
        }
        Ok(table)
    }
}

/// Places of rows that changed.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Each once.
    pub all: Vec<u32>,
    /// Those among them that may stand for another key now, or for none.
    pub moved: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_table_is_a_map_and_knows_what_was_touched(steps in prop::collection::vec(
            prop_oneof![
                (0u8..20, 0u8..5).prop_map(|(k, v)| vec![Some((k, Some(v)))]),
                (0u8..20).prop_map(|k| vec![Some((k, None))]),
                prop::collection::btree_map(0u8..20, 0u8..5, 0..8)
                    .prop_map(|all| all.into_iter().map(|(k, v)| Some((k, Some(v)))).chain([None]).collect()),
            ], 0..40)) {
            let mut table: Table<u8, (u8, u8)> = Table::default();
            let mut map: BTreeMap<u8, u8> = BTreeMap::new();
            let mut seen: BTreeMap<u32, (u8, u8)> = BTreeMap::new();
            for step in steps {
                // A step that ends in nothing replaces everything.
                if step.last() == Some(&None) {
                    let rows: Vec<(u8, u8)> = step.iter().flatten().filter_map(|(k, v)| Some((*k, (*v)?))).collect();
                    map = rows.iter().copied().collect();
                    table.replace(rows, |row, _| row.0);
                } else if let Some(Some((k, Some(v)))) = step.first() {
                    prop_assert_eq!(table.set(*k, (*k, *v)).is_none(), map.insert(*k, *v) == Some(*v));
                } else if let Some(Some((k, None))) = step.first() {
                    prop_assert_eq!(table.remove(k).is_some(), map.remove(k).is_some());
                }
                for place in table.take_touched().all {
                    match table.at(place) {
                        Some(row) => seen.insert(place, **row),
                        None => seen.remove(&place),
                    };
                }
                let mut rows: Vec<(u8, u8)> = table.iter().map(|row| **row).collect();
                prop_assert_eq!(seen.values().copied().collect::<Vec<_>>(), rows.clone(), "who follows the touches sees all");
                rows.sort_unstable();
                prop_assert_eq!(rows, map.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(table.len(), map.len());
            }
        }
    }
}
