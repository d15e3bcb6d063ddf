//! From 32 bytes that a client chose to where something about them stands: open addressing with cells of eight
//! bytes, at most half of them used.
//!
//! The hash has a secret (decision 33): whoever chooses ids without knowing it cannot make them fall on one another.
//! It decides where a cell stands and nothing that can be seen from outside, and nobody walks the cells.

use std::hash::{BuildHasher, RandomState}; // tidy: lookup only

/// A cell: the upper half of a hash, odd, so that no used cell is zero; and where the thing stands.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    tag: u32,
    at: u32,
}

const EMPTY: Cell = Cell { tag: 0, at: 0 };
const BITS_LEAST: u32 = 4;
const BITS_MOST: u32 = 31;

/// The hash of a key, cut to what a cell keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u32);

/// The cells. What they point to, and whether it has the key that is looked for, the caller knows.
#[derive(Debug)]
pub(crate) struct Lookup {
    cells: Vec<Cell>,
    bits: u32,
    len: usize,
    secret: [u64; 7],
}

impl Default for Lookup {
    fn default() -> Self {
        let random = RandomState::new();
        let secret = std::array::from_fn(|word| random.hash_one(word));
        Self { cells: vec![EMPTY; 1 << BITS_LEAST], bits: BITS_LEAST, len: 0, secret }
    }
}

impl Lookup {
    /// NH of the key (Black et al., UMAC, 1999): sums of products, of which two different keys have the same with a
    /// probability of 2^-64. Then its two halves in one, and a mix, since cells of like keys must not cluster.
    #[inline(always)]
    pub(crate) fn tag(&self, key: &[u8; 32], number: u32) -> Tag {
        let (words, _) = key.as_chunks::<8>();
        let word = |at: usize| u64::from_le_bytes(words[at]).wrapping_add(self.secret[at]);
        let product = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
        let sum = product(word(0), word(1))
            .wrapping_add(product(word(2), word(3)))
            .wrapping_add(product(self.secret[4].wrapping_add(u64::from(number)), self.secret[5]));
        let folded = ((sum >> 64) as u64).wrapping_mul(self.secret[6] | 1).wrapping_add(sum as u64);
        let mixed = (folded ^ (folded >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Tag(((mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as u32 | 1)
    }

    #[inline(always)]
    fn home(&self, tag: u32) -> usize {
        (tag >> (32 - self.bits)) as usize
    }

    /// Where the thing with this tag stands for which `is_it` says so.
    #[inline(always)]
    pub(crate) fn find(&self, tag: Tag, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len() - 1;
        let mut at = self.home(tag.0);
        loop {
            let cell = self.cells[at & mask];
            if cell.tag == 0 {
                return None;
            }
            if cell.tag == tag.0 && is_it(cell.at) {
                return Some(cell.at);
            }
            at += 1;
        }
    }

    /// Reads the cell where a search begins, so that it is in cache when it is needed.
    #[inline(always)]
    pub(crate) fn touch(&self, tag: Tag) -> u64 {
        u64::from(self.cells[self.home(tag.0)].at)
    }

    /// Adds a thing that is not there yet.
    #[inline]
    pub(crate) fn insert(&mut self, tag: Tag, at: u32) {
        if (self.len + 1) * 2 > self.cells.len() {
            self.reserve(self.len + 1);
        }
        self.place(Cell { tag: tag.0, at });
        self.len += 1;
    }

    #[inline(always)]
    fn place(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = self.home(cell.tag);
        while self.cells[at & mask].tag != 0 {
            at += 1;
        }
        self.cells[at & mask] = cell;
    }

    /// Makes room for as many things in all.
    pub(crate) fn reserve(&mut self, count: usize) {
        let mut bits = self.bits;
        while count * 2 > 1 << bits && bits < BITS_MOST {
            bits += 1;
        }
        if bits > self.bits {
            let old = std::mem::replace(&mut self.cells, vec![EMPTY; 1 << bits]);
            self.bits = bits;
            old.into_iter().filter(|cell| cell.tag != 0).for_each(|cell| self.place(cell));
        }
    }

    #[inline(always)]
    fn cell_of(&self, tag: Tag, thing: u32) -> Option<usize> {
        let mask = self.cells.len() - 1;
        let mut at = self.home(tag.0) & mask;
        while self.cells[at].tag != 0 {
            if self.cells[at].tag == tag.0 && self.cells[at].at == thing {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Forgets a thing.
    #[inline]
    pub(crate) fn remove(&mut self, tag: Tag, thing: u32) {
        let Some(mut hole) = self.cell_of(tag, thing) else { return };
        let mask = self.cells.len() - 1;
        self.len -= 1;
        let mut at = (hole + 1) & mask;
        while self.cells[at].tag != 0 {
            let home = self.home(self.cells[at].tag) & mask;
            // The cell may move into the hole if its home does not lie between the hole and the cell.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = self.cells[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.cells[hole] = EMPTY;
    }

    /// The longest way from a home to its cell.
    #[cfg(test)]
    fn longest_way(&self) -> usize {
        let mask = self.cells.len() - 1;
        let way = |(at, cell): (usize, &Cell)| at.wrapping_sub(self.home(cell.tag)) & mask;
        self.cells.iter().enumerate().filter(|(_, cell)| cell.tag != 0).map(way).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u64) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((1u64..120, 0u8..2), 1..500)) {
            let (mut lookup, mut model) = (Lookup::default(), BTreeMap::new());
            // Where things stand is their number in this list.
            let mut keys = Vec::new();
            for (number, step) in steps {
                let tag = lookup.tag(&key(number), 1);
                let new = keys.len() as u32;
                match (step, model.get(&number).copied()) {
                    (0, Some(at)) => {
                        lookup.remove(tag, at);
                        model.remove(&number);
                    }
                    (_, None) => {
                        lookup.insert(tag, new);
                        keys.push(number);
                        model.insert(number, new);
                    }
                    _ => {}
                }
                prop_assert_eq!(lookup.len, model.len());
                for number in 1..120 {
                    let found = lookup.find(lookup.tag(&key(number), 1), |at| keys[at as usize] == number);
                    prop_assert_eq!(found, model.get(&number).copied());
                }
            }
        }
    }

    /// Ids that differ in one place, in steps of any power of two, or in the account only: none piles up.
    #[test]
    fn ids_in_a_row_do_not_cluster() {
        const IDS: u64 = 1 << 15;
        for shift in [0, 8, 20, 40, 48] {
            for at in [0, 8, 16, 24] {
                let mut lookup = Lookup::default();
                for number in 0..IDS {
                    let mut id = [7; 32];
                    id[at..at + 8].copy_from_slice(&(number << shift).to_le_bytes());
                    lookup.insert(lookup.tag(&id, 1), number as u32);
                }
                let way = lookup.longest_way();
                assert!(way < 100, "word at {at}, steps of 2^{shift}: {way}, secret {:x?}", lookup.secret);
            }
        }
        let mut lookup = Lookup::default();
        for account in 1..=IDS as u32 {
            lookup.insert(lookup.tag(&[7; 32], account), account);
        }
        assert!(lookup.longest_way() < 100, "accounts: {}", lookup.longest_way());
    }

    #[test]
    fn another_secret_puts_the_same_ids_elsewhere() {
        let (one, other) = (Lookup::default(), Lookup::default());
        let same = (0..64).filter(|&number| one.tag(&key(number), 1) == other.tag(&key(number), 1)).count();
        assert!(same < 4, "{same} of 64 tags are equal");
    }
}
