//! Price levels of one side: a 64-ary radix tree over ticks with a bitmap in every node, as high as the prices in
//! it need (at most seven nodes for 2^40 ticks), and the best level cached. All steps are bounded.

use crate::pool::{NO_SLOT, Slot};
use xos_protocol::Side;
use xos_units::Price;

const NONE: u32 = u32::MAX;
const HEIGHT_MAX: usize = 7;

/// Which child of a node a key leads to, `depth` nodes above the leaf.
#[inline(always)]
fn digit(key: u64, depth: u32) -> usize {
    (key.wrapping_shr(depth.wrapping_mul(6)) & 63) as usize
}

/// Whether a tree is too low for a key. Bounded prices keep the shift below 64.
#[inline(always)]
fn exceeds(key: u64, height: u32) -> bool {
    key.wrapping_shr(height.wrapping_mul(6)) != 0
}

#[derive(Clone, Copy, Debug)]
struct Node {
    used: u64,
    child: [u32; 64],
}

/// One price with its queue.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// Sum of the remaining lots.
    pub lots: u128,
    /// Oldest order.
    pub head: Slot,
    /// Youngest order.
    pub tail: Slot,
    /// Number of orders.
    pub orders: u32,
}

/// The levels of one side.
#[derive(Debug)]
pub struct Ladder {
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    levels: Vec<Level>,
    free_levels: Vec<u32>,
    root: u32,
    height: u32,
    best: u32,
    side: Side,
}

impl Ladder {
    /// An empty side.
    pub fn new(side: Side) -> Self {
        Self {
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            levels: Vec::new(),
            free_levels: Vec::new(),
            root: NONE,
            height: 0,
            best: NONE,
            side,
        }
    }

    /// Index of the best level.
    #[inline(always)]
    pub fn best(&self) -> Option<u32> {
        (self.best != NONE).then_some(self.best)
    }

    /// The level at an index.
    #[inline(always)]
    pub fn level(&self, at: u32) -> &Level {
        &self.levels[at as usize]
    }

    /// The level at an index.
    #[inline(always)]
    pub fn level_mut(&mut self, at: u32) -> &mut Level {
        &mut self.levels[at as usize]
    }

    fn new_node(&mut self) -> u32 {
        let node = Node { used: 0, child: [NONE; 64] };
        match self.free_nodes.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    /// Makes the tree high enough for a key.
    fn reach(&mut self, key: u64) {
        if self.root == NONE {
            self.height = 1;
            while exceeds(key, self.height) {
                self.height += 1;
            }
            self.root = self.new_node();
        }
        while exceeds(key, self.height) {
            let root = self.new_node();
            self.nodes[root as usize].used = 1;
            self.nodes[root as usize].child[0] = self.root;
            self.root = root;
            self.height += 1;
        }
    }

    /// The level at a price, made if it is not there.
    #[inline]
    pub fn find_or_insert(&mut self, price: Price) -> u32 {
        if self.best != NONE && self.level(self.best).price == price {
            return self.best;
        }
        let key = price.0 as u64;
        if self.root == NONE || exceeds(key, self.height) {
            self.reach(key);
        }
        let mut node = self.root;
        for depth in (1..self.height).rev() {
            let slot = digit(key, depth);
            let child = self.nodes[node as usize].child[slot];
            node = if child != NONE {
                child
            } else {
                let made = self.new_node();
                self.nodes[node as usize].child[slot] = made;
                self.nodes[node as usize].used |= 1 << slot;
                made
            };
        }
        let slot = digit(key, 0);
        let found = self.nodes[node as usize].child[slot];
        if found != NONE {
            return found;
        }
        let made = self.new_level(price);
        let leaf = &mut self.nodes[node as usize];
        leaf.child[slot] = made;
        leaf.used |= 1 << slot;
        if self.best == NONE || self.better(price, self.level(self.best).price) {
            self.best = made;
        }
        made
    }

    /// The level at a price.
    #[inline]
    pub fn find(&self, price: Price) -> Option<u32> {
        let key = price.0 as u64;
        if self.root == NONE || exceeds(key, self.height) {
            return None;
        }
        let mut node = self.root;
        for depth in (0..self.height).rev() {
            node = self.nodes[node as usize].child[digit(key, depth)];
            if node == NONE {
                return None;
            }
        }
        Some(node)
    }

    fn new_level(&mut self, price: Price) -> u32 {
        let level = Level { price, lots: 0, head: NO_SLOT, tail: NO_SLOT, orders: 0 };
        match self.free_levels.pop() {
            Some(at) => {
                self.levels[at as usize] = level;
                at
            }
            None => {
                self.levels.push(level);
                (self.levels.len() - 1) as u32
            }
        }
    }

    #[inline(always)]
    fn better(&self, a: Price, b: Price) -> bool {
        match self.side {
            Side::Buy => a > b,
            Side::Sell => a < b,
        }
    }

    /// Nodes from the root to the leaf of a key that is in the tree.
    #[inline(always)]
    fn path(&self, key: u64) -> [u32; HEIGHT_MAX] {
        let mut path = [NONE; HEIGHT_MAX];
        let mut node = self.root;
        for depth in (0..self.height).rev() {
            path[depth as usize] = node;
            if depth > 0 {
                node = self.nodes[node as usize].child[digit(key, depth)];
            }
        }
        path
    }

    /// Removes the level at a price; it must be there and empty of orders.
    #[inline]
    pub fn remove(&mut self, price: Price) {
        let key = price.0 as u64;
        let path = self.path(key);
        let level = self.nodes[path[0] as usize].child[digit(key, 0)];
        for depth in 0..self.height {
            let slot = digit(key, depth);
            let node = &mut self.nodes[path[depth as usize] as usize];
            node.child[slot] = NONE;
            node.used &= !(1 << slot);
            if node.used != 0 {
                break;
            }
            self.free_nodes.push(path[depth as usize]);
            if depth + 1 == self.height {
                self.root = NONE;
            }
        }
        self.free_levels.push(level);
        if self.best == level {
            self.best = if self.root == NONE { NONE } else { self.extreme(self.root, self.height) };
        }
    }

    /// Best level below a node of the given height.
    #[inline]
    fn extreme(&self, mut node: u32, height: u32) -> u32 {
        for _ in 0..height {
            let inner = &self.nodes[node as usize];
            let slot = match self.side {
                Side::Buy => 63 - inner.used.leading_zeros(),
                Side::Sell => inner.used.trailing_zeros(),
            };
            node = inner.child[slot as usize];
        }
        node
    }

    /// Best level among those worse than a price that is in the tree.
    #[inline]
    pub fn worse_than(&self, price: Price) -> Option<u32> {
        let key = price.0 as u64;
        let path = self.path(key);
        for depth in 0..self.height {
            let slot = digit(key, depth);
            let used = self.nodes[path[depth as usize] as usize].used;
            let rest = match self.side {
                Side::Buy => used & ((1 << slot) - 1),
                Side::Sell => used & !(u64::MAX >> (63 - slot)),
            };
            if rest != 0 {
                let slot = match self.side {
                    Side::Buy => 63 - rest.leading_zeros(),
                    Side::Sell => rest.trailing_zeros(),
                };
                let child = self.nodes[path[depth as usize] as usize].child[slot as usize];
                return Some(self.extreme(child, depth));
            }
        }
        None
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.levels.capacity() * size_of::<Level>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn prices() -> impl Strategy<Value = i64> {
        prop_oneof![
            1i64..200,
            1i64..100_000,
            1i64..(1 << 40),
            Just((1 << 40) - 1),
            Just(63),
            Just(64),
            Just(4096)
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_set(steps in proptest::collection::vec((prices(), any::<bool>()), 1..300), buy in any::<bool>()) {
            let side = if buy { Side::Buy } else { Side::Sell };
            let (mut ladder, mut model) = (Ladder::new(side), BTreeSet::new());
            for (price, insert) in steps {
                if insert {
                    let at = ladder.find_or_insert(Price(price));
                    prop_assert_eq!(ladder.level(at).price, Price(price));
                    model.insert(price);
                } else if let Some(&gone) = model.iter().nth(price as usize % model.len().max(1)) {
                    ladder.remove(Price(gone));
                    model.remove(&gone);
                }
                let mut seen = vec![];
                let mut next = ladder.best();
                while let Some(at) = next {
                    seen.push(ladder.level(at).price.0);
                    next = ladder.worse_than(ladder.level(at).price);
                }
                let mut expected: Vec<_> = model.iter().copied().collect();
                if buy {
                    expected.reverse();
                }
                prop_assert_eq!(seen, expected);
            }
        }
    }
}
