//! A page of a table's tree, taken apart. Pure: bytes go in, and no bytes can do harm.

use std::ops::Range;

/// A page that is none of a table's tree, or is torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odd;

/// What a page holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Page {
    /// Pages below it, from left to right, each with the highest rowid on it; the last has none.
    Inner(Vec<(u32, Option<i64>)>),
    Leaf(Vec<Cell>),
}

/// One row, undecoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Cell {
    pub rowid: i64,
    /// What of it is on this page.
    pub bytes: Range<usize>,
    /// The page on which it goes on, and how many bytes are there and beyond.
    pub rest: Option<(u32, usize)>,
}

/// Takes a page apart. `first` says that it is page one, which begins with the file's header.
pub fn parse(page: &[u8], first: bool, usable: usize) -> Result<Page, Odd> {
    let start = if first { 100 } else { 0 };
    let leaf = match page.get(start).ok_or(Odd)? {
        5 => false,
        13 => true,
        _ => return Err(Odd),
    };
    let count = usize::from(short(page, start + 3)?);
    let pointers = start + if leaf { 8 } else { 12 };
    let pointer = |i: usize| short(page, pointers + 2 * i).map(usize::from);
    if leaf {
        // No page holds more cells than it has bytes for their pointers.
        let mut cells = Vec::with_capacity(count.min(page.len() / 2));
        for i in 0..count {
            cells.push(cell(page, pointer(i)?, usable)?);
        }
        return Ok(Page::Leaf(cells));
    }
    let child = |i: usize| {
        let at = pointer(i)?;
        let (rowid, _) = varint(page, at + 4)?;
        Ok((long(page, at)?, Some(rowid)))
    };
    let mut below: Vec<(u32, Option<i64>)> = (0..count).map(child).collect::<Result<_, _>>()?;
    below.push((long(page, start + 8)?, None));
    Ok(Page::Inner(below))
}

fn cell(page: &[u8], at: usize, usable: usize) -> Result<Cell, Odd> {
    let (payload, n) = varint(page, at)?;
    let (rowid, m) = varint(page, at + n)?;
    let payload = usize::try_from(payload).map_err(|_| Odd)?;
    let here = on_page(payload, usable);
    let end = at + n + m + here;
    if end > page.len() {
        return Err(Odd);
    }
    let rest = if here < payload { Some((long(page, end)?, payload - here)) } else { None };
    Ok(Cell { rowid, bytes: at..end, rest })
}

/// How much of a row of so many bytes stands on its leaf.
fn on_page(payload: usize, usable: usize) -> usize {
    let most = usable.saturating_sub(35);
    if payload <= most {
        return payload;
    }
    let least = (usable.saturating_sub(12) * 32 / 255).saturating_sub(23);
    let here = least + (payload - least) % usable.saturating_sub(4).max(1);
    if here <= most { here } else { least }
}

fn short(page: &[u8], at: usize) -> Result<u16, Odd> {
    page.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes).ok_or(Odd)
}

fn long(page: &[u8], at: usize) -> Result<u32, Odd> {
    page.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or(Odd)
}

/// A number of one to nine bytes, and how many it took.
fn varint(page: &[u8], at: usize) -> Result<(i64, usize), Odd> {
    let mut value: u64 = 0;
    for (n, byte) in page.get(at..).ok_or(Odd)?.iter().take(9).enumerate() {
        if n == 8 {
            return Ok(((value << 8 | u64::from(*byte)).cast_signed(), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((value.cast_signed(), n + 1));
        }
    }
    Err(Odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_do_harm(mut page in prop::collection::vec(any::<u8>(), 0..600), kind in prop::sample::select(vec![5u8, 13]), first: bool) {
            let start = if first { 100 } else { 0 };
            if let Some(byte) = page.get_mut(start) {
                *byte = kind;
            }
            let len = page.len();
            if let Ok(Page::Leaf(cells)) = parse(&page, first, 512) {
                prop_assert!(cells.iter().all(|cell| cell.bytes.end <= len && cell.bytes.start <= cell.bytes.end));
            }
        }

        #[test]
        fn a_number_is_read_back(n: i64) {
            let value = n.cast_unsigned();
            let mut bytes = Vec::new();
            if value >> 56 == 0 {
                let mut groups: Vec<u8> = (0..8).map(|i| (value >> (7 * i) & 0x7f) as u8).collect();
                while groups.len() > 1 && groups.last() == Some(&0) {
                    groups.pop();
                }
                groups.reverse();
                let last = groups.len() - 1;
                bytes.extend(groups.iter().enumerate().map(|(i, g)| if i < last { g | 0x80 } else { *g }));
            } else {
                bytes.extend((0..8).rev().map(|i| (value >> (8 + 7 * i) & 0x7f) as u8 | 0x80));
                bytes.push((value & 0xff) as u8);
            }
            prop_assert_eq!(varint(&bytes, 0), Ok((n, bytes.len())));
        }
    }
}
