//! Names into numbers, in the order in which they are first met.
//!
//! Agents' names are short. Up to fifteen bytes they are compared as one number, so that telling a hundred thousand
//! of them apart follows no pointer to what was met before.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::text::Text;

/// The numbers given so far.
#[derive(Default)]
pub(super) struct Names<'a> {
    short: HashMap<u128, u32, RandomState>,
    long: HashMap<&'a str, u32, RandomState>,
    pub(super) met: Vec<&'a Text>,
}

impl<'a> Names<'a> {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &'a Text) -> u32 {
        let next = super::small(self.met.len());
        let number = match packed(name.raw()) {
            Some(packed) => *self.short.entry(packed).or_insert(next),
            None => *self.long.entry(name.raw()).or_insert(next),
        };
        if number == next {
            self.met.push(name);
        }
        number
    }
}

impl Names<'_> {
    /// The numbers given, in the order of the names.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut all: Vec<(u128, u32)> = self
            .met
            .iter()
            .zip(0..)
            .map(|(name, number)| {
                let mut head = [0; 16];
                let bytes = name.raw().as_bytes();
                let n = bytes.len().min(16);
                head[..n].copy_from_slice(&bytes[..n]);
                (u128::from_be_bytes(head), number)
            })
            .collect();
        // The first bytes decide nearly always.
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.met[a.1 as usize].cmp(self.met[b.1 as usize])));
        all.into_iter().map(|(_, number)| number).collect()
    }
}

/// A short name and its length as one number.
fn packed(name: &str) -> Option<u128> {
    let bytes = name.as_bytes();
    let mut all = [0; 16];
    all.get_mut(..bytes.len().min(15))?.copy_from_slice(bytes.get(..bytes.len().min(15))?);
    all[15] = u8::try_from(bytes.len()).ok().filter(|n| *n < 16)?;
    Some(u128::from_le_bytes(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_a_number_and_no_others_do() {
        let names: Vec<Text> =
            ["1", "10", "1\0", "", "123456789012345", "1234567890123456", "12345678901234567"].map(Text::from).into();
        let mut index = Names::default();
        let first: Vec<u32> = names.iter().map(|name| index.number(name)).collect();
        assert_eq!(first, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(names.iter().map(|name| index.number(name)).collect::<Vec<_>>(), first);
        assert_eq!(index.met.len(), names.len());
        let mut by_name: Vec<&Text> = names.iter().collect();
        by_name.sort();
        let sorted: Vec<&Text> = index.sorted().into_iter().map(|number| index.met[number as usize]).collect();
        assert_eq!(sorted, by_name);
    }
}
