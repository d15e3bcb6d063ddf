//! Order id to slot: open addressing, multiplicative hash, backward-shift deletion.
//!
//! Ids are sequence numbers, unique and never chosen by a client, so the hash needs no secret.

use crate::pool::{NO_SLOT, Slot};

#[derive(Clone, Copy, Debug)]
struct Cell {
    id: u64,
    slot: Slot,
}

const EMPTY: Cell = Cell { id: 0, slot: NO_SLOT };

#[derive(Debug)]
pub(crate) struct IdIndex {
    cells: Vec<Cell>,
    shift: u32,
    len: usize,
    /// Ids that fit before the table grows: two thirds of its cells.
    len_max: usize,
}

impl IdIndex {
    pub(crate) fn new() -> Self {
        Self { cells: vec![EMPTY; 16], shift: 64 - 4, len: 0, len_max: 16 * 2 / 3 }
    }

    #[inline(always)]
    fn home(&self, id: u64) -> usize {
        id.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_shr(self.shift) as usize
    }

    #[inline(always)]
    pub(crate) fn get(&self, id: u64) -> Option<Slot> {
        let mask = self.cells.len() - 1;
        let mut at = self.home(id);
        loop {
            let cell = self.cells[at & mask];
            if cell.slot == NO_SLOT {
                return None;
            }
            if cell.id == id {
                return Some(cell.slot);
            }
            at += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn touch(&self, id: u64) -> u64 {
        self.cells[self.home(id)].id
    }

    #[inline]
    pub(crate) fn insert(&mut self, id: u64, slot: Slot) {
        if self.len >= self.len_max {
            self.resize(self.cells.len() * 2);
        }
        let mask = self.cells.len() - 1;
        let mut at = self.home(id) & mask;
        while self.cells[at].slot != NO_SLOT {
            at = (at + 1) & mask;
        }
        self.cells[at] = Cell { id, slot };
        self.len += 1;
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: u64) {
        let mask = self.cells.len() - 1;
        let mut hole = self.home(id) & mask;
        loop {
            if self.cells[hole].slot == NO_SLOT {
                return;
            }
            if self.cells[hole].id == id {
                break;
            }
            hole = (hole + 1) & mask;
        }
        self.len -= 1;
        let mut at = (hole + 1) & mask;
        while self.cells[at].slot != NO_SLOT {
            let home = self.home(self.cells[at].id) & mask;
            // The cell may move into the hole if its home does not lie between the hole and the cell.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = self.cells[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.cells[hole] = EMPTY;
    }

    /// Makes room for as many ids in all.
    pub(crate) fn reserve(&mut self, count: usize) {
        let mut cells = self.cells.len();
        while count * 3 > cells * 2 {
            cells *= 2;
        }
        if cells > self.cells.len() {
            self.resize(cells);
        }
    }

    #[cold]
    fn resize(&mut self, cells: usize) {
        let old = std::mem::replace(&mut self.cells, vec![EMPTY; cells]);
        self.shift = 64 - cells.ilog2();
        self.len_max = cells * 2 / 3;
        self.len = 0;
        for cell in old.into_iter().filter(|cell| cell.slot != NO_SLOT) {
            self.insert(cell.id, cell.slot);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((1u64..200, any::<bool>()), 1..400)) {
            let (mut index, mut model) = (IdIndex::new(), HashMap::new());
            for (at, (id, insert)) in steps.into_iter().enumerate() {
                if insert && !model.contains_key(&id) {
                    index.insert(id, at as u32);
                    model.insert(id, at as u32);
                } else if !insert {
                    index.remove(id);
                    model.remove(&id);
                }
                prop_assert_eq!(index.len(), model.len());
                for id in 1..200 {
                    prop_assert_eq!(index.get(id), model.get(&id).copied());
                }
            }
        }
    }
}
