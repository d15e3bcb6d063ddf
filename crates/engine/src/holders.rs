//! A set of accounts: one bit each, in blocks that exist only where a member stands. Each perpetual keeps the accounts
//! that hold a position in one, so that a change of its mark finds them without walking everybody.

use xos_units::AccountId;

const WORD_BITS: usize = 64;
const BLOCK_WORDS: usize = 64;
const BLOCK_BITS: usize = WORD_BITS * BLOCK_WORDS;

/// 4,096 accounts: a bit for each, and a bit for each word that is not zero.
#[derive(Clone, Debug)]
struct Block {
    filled: u64,
    words: [u64; BLOCK_WORDS],
}

impl Block {
    fn empty() -> Box<Self> {
        Box::new(Self { filled: 0, words: [0; BLOCK_WORDS] })
    }
}

/// A set of accounts. Inserting, removing and asking take constant time; iteration is in order of account.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountSet {
    blocks: Vec<Option<Box<Block>>>,
    count: usize,
}

/// Block, word and bit of an account.
#[inline(always)]
const fn place(index: usize) -> (usize, usize, u64) {
    (index / BLOCK_BITS, index / WORD_BITS % BLOCK_WORDS, 1 << (index % WORD_BITS))
}

/// The bits from `bit` upwards.
const fn from(bit: usize) -> u64 {
    u64::MAX << bit
}

impl AccountSet {
    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds an account; false if it was a member.
    pub(crate) fn insert(&mut self, account: AccountId) -> bool {
        let (block, word, bit) = place(account.index());
        if block >= self.blocks.len() {
            self.blocks.resize(block + 1, None);
        }
        let block = self.blocks[block].get_or_insert_with(Block::empty);
        let is_new = block.words[word] & bit == 0;
        block.words[word] |= bit;
        block.filled |= 1 << word;
        self.count += usize::from(is_new);
        is_new
    }

    /// Takes an account out; false if it was none.
    pub(crate) fn remove(&mut self, account: AccountId) -> bool {
        let (at, word, bit) = place(account.index());
        let Some(Some(block)) = self.blocks.get_mut(at) else { return false };
        if block.words[word] & bit == 0 {
            return false;
        }
        block.words[word] &= !bit;
        if block.words[word] == 0 {
            block.filled &= !(1 << word);
        }
        if block.filled == 0 {
            self.blocks[at] = None;
        }
        self.count -= 1;
        true
    }

    /// Whether an account is a member.
    pub(crate) fn contains(&self, account: AccountId) -> bool {
        let (block, word, bit) = place(account.index());
        matches!(self.blocks.get(block), Some(Some(block)) if block.words[word] & bit != 0)
    }

    /// The first member at or behind `account`: a cursor that can stop and go on.
    pub(crate) fn first_from(&self, account: AccountId) -> Option<AccountId> {
        let (start, mut word, _) = place(account.index());
        let mut bit = account.index() % WORD_BITS;
        for at in start..self.blocks.len() {
            if let Some(block) = &self.blocks[at] {
                let here = block.words[word] & from(bit);
                let behind = if word + 1 == BLOCK_WORDS { 0 } else { block.filled & from(word + 1) };
                let (found, bits) = match behind {
                    _ if here != 0 => (word, here),
                    0 => (word, 0),
                    filled => {
                        let word = filled.trailing_zeros() as usize;
                        (word, block.words[word])
                    }
                };
                if bits != 0 {
                    let index = at * BLOCK_BITS + found * WORD_BITS + bits.trailing_zeros() as usize;
                    return Some(AccountId::from_index(index));
                }
            }
            (word, bit) = (0, 0);
        }
        None
    }

    /// Every member, in order of account.
    pub(crate) fn iter(&self) -> impl Iterator<Item = AccountId> + '_ {
        let mut next = Some(AccountId::from_index(0));
        std::iter::from_fn(move || {
            let found = self.first_from(next?)?;
            next = Some(AccountId(found.0 + 1));
            Some(found)
        })
    }

    /// Adds every member of a set that is also in one of the others, a word at a time.
    pub(crate) fn insert_common<'a>(&mut self, set: &Self, others: impl Iterator<Item = &'a Self> + Clone) {
        for (at, block) in (0..).zip(&set.blocks) {
            let Some(block) = block else { continue };
            for (word, bits) in (0..).zip(block.words).filter(|(_, bits)| *bits != 0) {
                let any = others.clone().fold(0, |any, other| any | other.word(at, word));
                self.insert_word(at, word, bits & any);
            }
        }
    }

    /// Whether the two have a member in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.count > 0
            && (0..).zip(&other.blocks).any(|(at, block)| {
                let words = block.iter().flat_map(|block| block.words).enumerate();
                words.into_iter().any(|(word, bits)| bits & self.word(at, word) != 0)
            })
    }

    fn word(&self, block: usize, word: usize) -> u64 {
        self.blocks.get(block).and_then(|block| block.as_ref()).map_or(0, |block| block.words[word])
    }

    fn insert_word(&mut self, block: usize, word: usize, bits: u64) {
        if bits == 0 {
            return;
        }
        if block >= self.blocks.len() {
            self.blocks.resize(block + 1, None);
        }
        let block = self.blocks[block].get_or_insert_with(Block::empty);
        self.count += (bits & !block.words[word]).count_ones() as usize;
        block.words[word] |= bits;
        block.filled |= 1 << word;
    }

    /// Adds every member of another set, a word at a time.
    pub(crate) fn insert_all(&mut self, other: &Self) {
        if other.blocks.len() > self.blocks.len() {
            self.blocks.resize(other.blocks.len(), None);
        }
        for (mine, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            match (mine.as_deref_mut(), theirs) {
                (_, None) => {}
                (None, Some(theirs)) => {
                    self.count += theirs.words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
                    *mine = Some(theirs.clone());
                }
                (Some(mine), Some(theirs)) => {
                    for (mine, theirs) in mine.words.iter_mut().zip(&theirs.words) {
                        self.count += (theirs & !*mine).count_ones() as usize;
                        *mine |= theirs;
                    }
                    mine.filled |= theirs.filled;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_block_goes_with_its_last_member() {
        let mut set = AccountSet::default();
        assert!(set.insert(AccountId(1)) && set.insert(AccountId(5_000)) && !set.insert(AccountId(5_000)));
        assert!(
            set.contains(AccountId(1)) && !set.contains(AccountId(2)) && !set.contains(AccountId(90_000))
        );
        assert!(set.blocks[1].is_some());
        assert!(set.remove(AccountId(5_000)) && !set.remove(AccountId(5_000)));
        assert!(set.blocks[1].is_none() && set.len() == 1);
    }

    /// Members at the ends of words and blocks, and anywhere.
    fn accounts() -> impl Strategy<Value = Vec<u32>> {
        let edge = (0u32..4, prop::sample::select(vec![1u32, 2, 64, 65, 4_096, 4_097, 8_192]))
            .prop_map(|(block, edge)| block * 4_096 + edge);
        prop::collection::vec(prop_oneof![edge, 1u32..20_000], 0..80)
    }

    proptest! {
        #[test]
        fn it_is_a_set(first in accounts(), second in accounts(), gone in accounts(), ask in 1u32..30_000) {
            let (mut set, mut model) = (AccountSet::default(), BTreeSet::new());
            for account in first {
                prop_assert_eq!(set.insert(AccountId(account)), model.insert(account));
            }
            let mut other = AccountSet::default();
            for &account in &second {
                other.insert(AccountId(account));
            }
            let mut common = set.clone();
            let (some, more) = (model.iter().filter(|account| *account % 3 == 0), model.iter().skip(9));
            let (mut third, mut fourth) = (AccountSet::default(), AccountSet::default());
            some.for_each(|account| { third.insert(AccountId(*account)); });
            more.for_each(|account| { fourth.insert(AccountId(*account)); });
            let mut found = AccountSet::default();
            found.insert_common(&other, [&third, &fourth].into_iter());
            let is_common = |account: &u32| {
                third.contains(AccountId(*account)) || fourth.contains(AccountId(*account))
            };
            let expected: BTreeSet<u32> = second.iter().copied().filter(is_common).collect();
            prop_assert_eq!(found.iter().map(|id| id.0).collect::<BTreeSet<_>>(), expected.clone());
            prop_assert_eq!(found.len(), expected.len());
            common.insert_common(&other, [&set].into_iter());
            prop_assert_eq!(common.len(), set.len());
            set.insert_all(&other);
            model.extend(second);
            for account in gone {
                prop_assert_eq!(set.remove(AccountId(account)), model.remove(&account));
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.contains(AccountId(ask)), model.contains(&ask));
            let next = model.range(ask..).next().copied();
            prop_assert_eq!(set.first_from(AccountId(ask)).map(|id| id.0), next);
            let members: Vec<u32> = set.iter().map(|id| id.0).collect();
            prop_assert_eq!(members, model.into_iter().collect::<Vec<_>>());
        }
    }
}
