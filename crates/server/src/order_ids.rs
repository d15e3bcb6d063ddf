//! Where an order's id is looked up: one multiplication, by a number that the process draws.

use std::hash::{BuildHasher, Hasher, RandomState}; // tidy: lookup only

/// Makes the hash of an order's id.
#[derive(Clone, Debug)]
pub(crate) struct ByOrderId(u64);

/// With a factor of its own: whoever lets orders rest cannot choose ids that fall on one another.
pub(crate) fn by_order_id() -> ByOrderId {
    ByOrderId(RandomState::new().hash_one(0u64) | 1)
}

pub(crate) struct IdHasher {
    factor: u64,
    hash: u64,
}

impl BuildHasher for ByOrderId {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { factor: self.0, hash: 0 }
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        let product = (self.hash ^ id).wrapping_mul(self.factor);
        // The upper half depends on all bits of the id; a table takes both ends of a hash.
        self.hash = product ^ (product >> 32);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}
