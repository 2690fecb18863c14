//! Many things, each in a place of its own that stays while the thing does. Copies of a slab share what did not
//! change, so that the next snapshot of a mesh costs what changed since the last one, not what there is.

use std::sync::Arc;

/// Things in one chunk: a change copies one chunk, and comparing two slabs skips chunks that are shared.
const CHUNK: usize = 8;

type Chunk<T> = [Option<Arc<T>>; CHUNK];

/// Things by place.
#[derive(Debug)]
pub struct SharedSlab<T> {
    chunks: Arc<Vec<Arc<Chunk<T>>>>,
    len: usize,
}

impl<T> Default for SharedSlab<T> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<T> Clone for SharedSlab<T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len }
    }
}

impl<T> SharedSlab<T> {
    /// How many things there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One more than the last place that may be taken.
    #[must_use]
    pub fn places(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// The thing at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Arc<T>> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)?.as_ref()
    }

    /// Puts a thing in a place, or empties it. Answers what stood there.
    pub fn put(&mut self, place: usize, thing: Option<Arc<T>>) -> Option<Arc<T>> {
        let missing = (place / CHUNK + 1).saturating_sub(self.chunks.len());
        if missing > 0 {
            let chunks = Arc::make_mut(&mut self.chunks);
            chunks.extend((0..missing).map(|_| Arc::new(std::array::from_fn(|_| None))));
        }
        let slot = &mut Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[place / CHUNK])[place % CHUNK];
        self.len = self.len + usize::from(thing.is_some()) - usize::from(slot.is_some());
        std::mem::replace(slot, thing)
    }

    /// Everything, in the order of the places.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.shared().map(|thing| &**thing)
    }

    /// The same, to be kept.
    pub fn shared(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().flatten())
    }

    /// The places that are taken, and what stands there.
    pub fn taken(&self) -> impl Iterator<Item = (usize, &Arc<T>)> {
        let places = self
            .chunks
            .iter()
            .enumerate()
            .flat_map(|(i, chunk)| chunk.iter().enumerate().map(move |(j, slot)| (i * CHUNK + j, slot)));
        places.filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    /// Places where another thing stands than did before, or nothing any more.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let chunks = self.chunks.len().max(before.chunks.len());
        let differ = move |i: &usize| match (self.chunks.get(*i), before.chunks.get(*i)) {
            (Some(a), Some(b)) => !Arc::ptr_eq(a, b),
            _ => true,
        };
        (0..chunks).filter(differ).flat_map(move |i| {
            let slot = move |slab: &'a Self, j: usize| slab.chunks.get(i).and_then(|chunk| chunk[j].as_ref());
            (0..CHUNK).filter(move |&j| !same(slot(self, j), slot(before, j))).map(move |j| i * CHUNK + j)
        })
    }
}

/// What stands at a place that is taken; panics where none is, as a slice does.
impl<T> std::ops::Index<usize> for SharedSlab<T> {
    type Output = T;
    fn index(&self, place: usize) -> &T {
        self.chunks[place / CHUNK][place % CHUNK].as_ref().expect("a place that is taken")
    }
}

impl<T> FromIterator<T> for SharedSlab<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Self {
        let mut slab = Self::default();
        for (place, thing) in things.into_iter().enumerate() {
            slab.put(place, Some(Arc::new(thing)));
        }
        slab
    }
}

fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_shelf_is_a_map_and_tells_what_changed(
            first in prop::collection::vec((0usize..200, prop::option::of(0u8..9)), 0..60),
            then in prop::collection::vec((0usize..200, prop::option::of(0u8..9)), 0..60),
        ) {
            let (mut slab, mut map) = (SharedSlab::default(), BTreeMap::new());
            let put = |slab: &mut SharedSlab<u8>, map: &mut BTreeMap<usize, u8>, (place, thing): (usize, Option<u8>)| {
                slab.put(place, thing.map(Arc::new));
                match thing {
                    Some(thing) => map.insert(place, thing),
                    None => map.remove(&place),
                };
            };
            for step in first {
                put(&mut slab, &mut map, step);
            }
            let (before, known) = (slab.clone(), map.clone());
            for step in then {
                put(&mut slab, &mut map, step);
            }
            let all = |slab: &SharedSlab<u8>| slab.taken().map(|(place, thing)| (place, **thing)).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(all(&slab), map.clone());
            prop_assert_eq!(all(&before), known.clone(), "what was copied stays as it was");
            prop_assert_eq!(slab.len(), map.len());
            let changed: Vec<usize> = slab.changed_since(&before).collect();
            for place in 0..220 {
                if map.get(&place) != known.get(&place) {
                    prop_assert!(changed.contains(&place));
                }
            }
            prop_assert_eq!(before.changed_since(&before).count(), 0);
        }
    }
}
