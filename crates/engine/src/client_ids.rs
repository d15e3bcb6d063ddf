//! Client ids that took effect, with their first answers.
//!
//! An answer carries its account and its client id, so it is all there is to keep. Answers that can be forgotten
//! stand in slots that never move, in two chains each: all of orders (or of money) in the order of their time, and those
//! of one account among them. A resting order remembers the slot of its answer, where its client id is found.

use crate::lookup::{Lookup, Tag};
use xos_protocol::{ClientId, EventRecord};
use xos_units::AccountId;

/// Slots of one piece: growing never copies what is there.
const PIECE: usize = 4_096;
/// Slots have 31 bits; the upper half of the numbers is of answers that stay.
const SLOTS: u32 = (1 << 31) - 1;
const PERMANENT: u32 = 1 << 31;
const NONE: u32 = u32::MAX;
/// Ids that are looked at to make room for one: so many resting orders may stand before one that can go.
const LOOKS: usize = 64;

/// Which ids make room for which: what moved money is not forgotten for a flood of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdsOf {
    Money,
    Orders,
}

impl IdsOf {
    pub(crate) const ALL: [Self; 2] = [Self::Money, Self::Orders];
}

/// How many ids of orders, and of money, one account and all of them may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) of_account: u32,
    pub(crate) of_all: u32,
}

/// No room, and none can be made: how many are remembered, and the bound that they have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) remembered: u32,
    pub(crate) limit: u32,
}

/// An answer that can be forgotten, since when its retention runs, and its neighbours.
#[derive(Clone, Copy, Debug)]
struct Passing {
    time_ns: u64,
    answer: EventRecord,
    older: u32,
    newer: u32,
    newer_of_account: u32,
}

/// A chain of slots.
#[derive(Clone, Copy, Debug)]
struct Chain {
    oldest: u32,
    newest: u32,
    len: u32,
}

const EMPTY: Chain = Chain { oldest: NONE, newest: NONE, len: 0 };

#[derive(Debug)]
struct Chains {
    all: Chain,
    /// By number of the account. Its order is that of `all`.
    of_account: Vec<Chain>,
}

/// The table.
#[derive(Debug)]
pub(crate) struct ClientIds {
    lookup: Lookup,
    pieces: Vec<Vec<Passing>>,
    slots: u32,
    free: Vec<u32>,
    chains: [Chains; 2],
    /// Ids that are never forgotten: those of deposits.
    permanent: Vec<EventRecord>,
}

impl Default for ClientIds {
    fn default() -> Self {
        Self {
            lookup: Lookup::default(),
            pieces: Vec::new(),
            slots: 0,
            free: Vec::new(),
            chains: std::array::from_fn(|_| Chains { all: EMPTY, of_account: Vec::new() }),
            permanent: Vec::new(),
        }
    }
}

impl ClientIds {
    #[inline(always)]
    fn passing_at(&self, slot: u32) -> &Passing {
        &self.pieces[slot as usize / PIECE][slot as usize % PIECE]
    }

    #[inline(always)]
    fn passing_mut(&mut self, slot: u32) -> &mut Passing {
        &mut self.pieces[slot as usize / PIECE][slot as usize % PIECE]
    }

    #[inline(always)]
    fn answer_at(&self, number: u32) -> &EventRecord {
        if number & PERMANENT == 0 {
            &self.passing_at(number).answer
        } else {
            &self.permanent[(number & SLOTS) as usize]
        }
    }

    /// The tag of an id, for the calls that follow.
    #[inline(always)]
    pub(crate) fn tag(&self, account: AccountId, client_id: &ClientId) -> Tag {
        self.lookup.tag(client_id, account.0)
    }

    /// Reads ahead where an id would be found.
    #[inline(always)]
    pub(crate) fn touch(&self, tag: Tag) -> u64 {
        self.lookup.touch(tag)
    }

    /// The first answer to an id, as long as it is remembered.
    #[inline(always)]
    pub(crate) fn answer(&self, tag: Tag, account: AccountId, client_id: &ClientId) -> Option<&EventRecord> {
        let is_it = |number| {
            let answer = self.answer_at(number);
            answer.account == account.0 && answer.detail == *client_id
        };
        self.lookup.find(tag, is_it).map(|number| self.answer_at(number))
    }

    /// Slot of the answer to an id that is remembered for a time.
    pub(crate) fn slot(&self, tag: Tag, account: AccountId, client_id: &ClientId) -> Option<u32> {
        self.lookup.find(tag, |number| {
            let answer = self.answer_at(number);
            answer.account == account.0 && answer.detail == *client_id
        })
    }

    /// The client id of the order whose answer has this slot.
    pub(crate) fn client_id_at(&self, slot: u32) -> ClientId {
        self.passing_at(slot).answer.detail
    }

    /// Ids that count towards the bounds.
    pub(crate) fn remembered(&self, of: IdsOf) -> usize {
        self.chains[of as usize].all.len as usize
    }

    /// The slot that the next answer will have.
    #[inline(always)]
    pub(crate) fn next_slot(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.slots)
    }

    /// Makes room in the table for as many ids more.
    pub(crate) fn reserve(&mut self, count: usize) {
        let used = self.slots as usize - self.free.len() + self.permanent.len();
        self.lookup.reserve(used + count);
    }

    /// Whether an account may have one more id.
    #[inline(always)]
    pub(crate) fn has_room(&self, of: IdsOf, account: AccountId, bounds: Bounds) -> bool {
        let chains = &self.chains[of as usize];
        let of_account = chains.of_account.get(account.0 as usize).map_or(0, |chain| chain.len);
        of_account < bounds.of_account && chains.all.len < bounds.of_all
    }

    /// Makes room for one more id of an account: its own oldest is forgotten, or the oldest of all, of those whose
    /// order does not rest.
    #[cold]
    pub(crate) fn make_room(
        &mut self,
        of: IdsOf,
        account: AccountId,
        bounds: Bounds,
        now_ns: u64,
        rests: impl Fn(&EventRecord) -> bool,
    ) -> Result<(), Full> {
        let its = |ids: &Self| ids.chains[of as usize].of_account.get(account.0 as usize).copied();
        let all = |ids: &Self| Some(ids.chains[of as usize].all);
        if !self.drop_one(of, bounds.of_account, now_ns, its, &rests) {
            let remembered = its(self).map_or(0, |chain| chain.len);
            return Err(Full { remembered, limit: bounds.of_account });
        }
        if !self.drop_one(of, bounds.of_all, now_ns, all, &rests) {
            let remembered = self.chains[of as usize].all.len;
            return Err(Full { remembered, limit: bounds.of_all });
        }
        Ok(())
    }

    /// Whether a chain is below its bound, at once or after its oldest has gone.
    fn drop_one(
        &mut self,
        of: IdsOf,
        bound: u32,
        now_ns: u64,
        chain: impl Fn(&Self) -> Option<Chain>,
        rests: &impl Fn(&EventRecord) -> bool,
    ) -> bool {
        let len = chain(self).map_or(0, |chain| chain.len);
        if len < bound {
            return true;
        }
        for _ in 0..LOOKS.min(len as usize) {
            let Some(Chain { oldest, .. }) = chain(self) else { return false };
            self.take_off(of, oldest);
            if !rests(&self.passing_at(oldest).answer) {
                self.release(oldest);
                return true;
            }
            self.append(of, oldest, now_ns);
        }
        false
    }

    /// Keeps an answer until its retention has passed, or younger ones need its place.
    #[inline]
    pub(crate) fn remember(&mut self, of: IdsOf, tag: Tag, answer: &EventRecord, time_ns: u64) {
        let passing = Passing { time_ns, answer: *answer, older: NONE, newer: NONE, newer_of_account: NONE };
        let slot = match self.free.pop() {
            Some(slot) => {
                *self.passing_mut(slot) = passing;
                slot
            }
            None => self.push(passing),
        };
        self.append(of, slot, time_ns);
        self.lookup.insert(tag, slot);
    }

    /// Keeps an answer for ever.
    pub(crate) fn remember_for_ever(&mut self, tag: Tag, answer: &EventRecord) {
        let at = u32::try_from(self.permanent.len()).expect("fewer than fit in memory");
        self.permanent.push(*answer);
        self.lookup.insert(tag, PERMANENT | at);
    }

    fn push(&mut self, passing: Passing) -> u32 {
        if (self.slots as usize).is_multiple_of(PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        self.pieces[self.slots as usize / PIECE].push(passing);
        self.slots += 1;
        self.slots - 1
    }

    /// Puts a slot at the young end of both its chains.
    #[inline(always)]
    fn append(&mut self, of: IdsOf, slot: u32, time_ns: u64) {
        let chains = &mut self.chains[of as usize];
        let older = std::mem::replace(&mut chains.all.newest, slot);
        chains.all.len += 1;
        if older == NONE {
            chains.all.oldest = slot;
        }
        let passing = &mut self.pieces[slot as usize / PIECE][slot as usize % PIECE];
        (passing.time_ns, passing.older, passing.newer, passing.newer_of_account) =
            (time_ns, older, NONE, NONE);
        let account = passing.answer.account as usize;
        if chains.of_account.len() <= account {
            chains.of_account.resize(account + 1, EMPTY);
        }
        let chain = &mut chains.of_account[account];
        let before = std::mem::replace(&mut chain.newest, slot);
        chain.len += 1;
        if before == NONE {
            chain.oldest = slot;
        } else {
            self.passing_mut(before).newer_of_account = slot;
        }
        if older != NONE {
            self.passing_mut(older).newer = slot;
        }
    }

    /// Takes a slot out of both its chains; it is the oldest of its account.
    fn take_off(&mut self, of: IdsOf, slot: u32) {
        let Passing { answer, older, newer, newer_of_account, .. } = *self.passing_at(slot);
        let chains = &mut self.chains[of as usize];
        chains.all.len -= 1;
        let chain = &mut chains.of_account[answer.account as usize];
        debug_assert_eq!(chain.oldest, slot);
        chain.len -= 1;
        chain.oldest = newer_of_account;
        if newer_of_account == NONE {
            chain.newest = NONE;
        }
        if older == NONE {
            chains.all.oldest = newer;
        }
        if newer == NONE {
            chains.all.newest = older;
        }
        if older != NONE {
            self.passing_mut(older).newer = newer;
        }
        if newer != NONE {
            self.passing_mut(newer).older = older;
        }
    }

    fn release(&mut self, slot: u32) {
        let answer = &self.passing_at(slot).answer;
        let tag = self.tag(AccountId(answer.account), &answer.detail);
        self.lookup.remove(tag, slot);
        self.free.push(slot);
    }

    /// Forgets ids whose retention has passed; those whose order rests start anew.
    pub(crate) fn forget(&mut self, now_ns: u64, retention_ns: u64, rests: impl Fn(&EventRecord) -> bool) {
        for of in IdsOf::ALL {
            for _ in 0..self.remembered(of) {
                let slot = self.chains[of as usize].all.oldest;
                let oldest = self.passing_at(slot);
                if now_ns.saturating_sub(oldest.time_ns) < retention_ns {
                    break;
                }
                let stays = rests(&oldest.answer);
                self.take_off(of, slot);
                if stays {
                    self.append(of, slot, now_ns);
                } else {
                    self.release(slot);
                }
            }
        }
    }

    /// Those that can be forgotten, in order.
    pub(crate) fn passing(&self, of: IdsOf) -> impl Iterator<Item = (u64, &EventRecord)> {
        let mut next = self.chains[of as usize].all.oldest;
        std::iter::from_fn(move || {
            if next == NONE {
                return None;
            }
            let passing = self.passing_at(next);
            next = passing.newer;
            Some((passing.time_ns, &passing.answer))
        })
    }

    /// Those that stay for ever, in the order in which they came.
    pub(crate) fn permanent(&self) -> &[EventRecord] {
        &self.permanent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const RETENTION_NS: u64 = 10_000;

    fn answer(account: u32, number: u64) -> EventRecord {
        let mut detail = [0; 32];
        detail[..8].copy_from_slice(&number.to_be_bytes());
        EventRecord { account, detail, order_id: number, ..EventRecord::ZERO }
    }

    fn find(ids: &ClientIds, of: &EventRecord) -> Option<u64> {
        let account = AccountId(of.account);
        ids.answer(ids.tag(account, &of.detail), account, &of.detail).map(|answer| answer.order_id)
    }

    fn remember(ids: &mut ClientIds, of: IdsOf, new: &EventRecord, time_ns: u64) {
        ids.remember(of, ids.tag(AccountId(new.account), &new.detail), new, time_ns);
    }

    fn queue(ids: &ClientIds, of: IdsOf) -> Vec<(u64, u64)> {
        ids.passing(of).map(|(time_ns, answer)| (time_ns, answer.order_id)).collect()
    }

    fn account_of(id: u64) -> u32 {
        // Half of them are of account 1, few of accounts 5 to 9.
        if id.is_multiple_of(2) { 1 } else { 2 + (id % 3) as u32 + if id % 97 == 1 { 3 } else { 0 } }
    }

    /// The same ids in the same order as a sorted model that looks at everything.
    #[test]
    fn forgets_by_age_and_by_count_and_renews_what_rests() {
        let mut ids = ClientIds::default();
        // By (time, order of remembering).
        let mut model: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let (mut slots, mut turn) = (BTreeMap::new(), 0u64);
        let rests = |id: u64| id.is_multiple_of(70) && id > 9_000;
        let bounds = Bounds { of_account: 400, of_all: 700 };
        for now_ns in 0..30_000u64 {
            let retention_ns = if now_ns < 20_000 { RETENTION_NS } else { 500 };
            let mut renew = |model: &mut BTreeMap<_, u64>, at| {
                let id = model.remove(&at).expect("it is there");
                if rests(id) {
                    turn += 1;
                    model.insert((now_ns, turn), id);
                }
                !rests(id)
            };
            let due: Vec<_> = model.keys().filter(|at| now_ns - at.0 >= retention_ns).copied().collect();
            for at in due {
                renew(&mut model, at);
            }
            let account = account_of(now_ns);
            let of = |model: &BTreeMap<(u64, u64), u64>, account: Option<u32>| -> Vec<_> {
                let its = |(_, id): &(&(u64, u64), &u64)| account.is_none_or(|is| is == account_of(**id));
                model.iter().filter(its).map(|(at, _)| *at).collect()
            };
            for (account, bound) in [(Some(account), 400), (None, 700)] {
                let all = of(&model, account);
                if all.len() >= bound {
                    assert!(all.into_iter().take(LOOKS).any(|at| renew(&mut model, at)));
                }
            }
            ids.forget(now_ns, retention_ns, |answer| rests(answer.order_id));
            if !ids.has_room(IdsOf::Orders, AccountId(account), bounds) {
                let made = ids.make_room(IdsOf::Orders, AccountId(account), bounds, now_ns, |answer| {
                    rests(answer.order_id)
                });
                assert_eq!(made, Ok(()));
            }
            slots.insert(now_ns, ids.next_slot());
            remember(&mut ids, IdsOf::Orders, &answer(account, now_ns), now_ns);
            turn += 1;
            model.insert((now_ns, turn), now_ns);
            assert_eq!(ids.remembered(IdsOf::Orders), model.len());
            if now_ns % 503 == 0 {
                let expected: Vec<_> = model.iter().map(|((time_ns, _), id)| (*time_ns, *id)).collect();
                assert_eq!(queue(&ids, IdsOf::Orders), expected);
                let there: Vec<_> = model.values().copied().collect();
                for id in 0..=now_ns {
                    let known = answer(account_of(id), id);
                    let is_there = there.contains(&id);
                    assert_eq!(find(&ids, &known), is_there.then_some(id), "id {id} at {now_ns}");
                    if is_there {
                        assert_eq!(ids.client_id_at(slots[&id]), known.detail, "its slot never moves");
                    }
                }
            }
        }
        assert!(ids.slots <= 702, "slots are used again: {}", ids.slots);
    }

    #[test]
    fn room_is_made_among_its_own_and_only_among_the_oldest() {
        let mut ids = ClientIds::default();
        let bounds = Bounds { of_account: 100, of_all: 8_000 };
        for number in 0..100 {
            remember(&mut ids, IdsOf::Orders, &answer(1, number), number);
            remember(&mut ids, IdsOf::Money, &answer(1, 1_000 + number), number);
        }
        assert!(!ids.has_room(IdsOf::Orders, AccountId(1), bounds));
        assert!(ids.has_room(IdsOf::Orders, AccountId(2), bounds), "another one's flood is not its own");
        let one = AccountId(1);
        // The first 64 rest: each goes to the back, and nothing is forgotten.
        let full = ids.make_room(IdsOf::Orders, one, bounds, 200, |answer| answer.order_id < 64);
        assert_eq!(full, Err(Full { remembered: 100, limit: 100 }));
        assert_eq!(queue(&ids, IdsOf::Orders)[0], (64, 64));
        assert_eq!(queue(&ids, IdsOf::Orders)[99], (200, 63));
        // One more look, and the next one goes.
        assert_eq!(ids.make_room(IdsOf::Orders, one, bounds, 201, |answer| answer.order_id < 64), Ok(()));
        assert_eq!((ids.remembered(IdsOf::Orders), ids.remembered(IdsOf::Money)), (99, 100));
        assert_eq!((find(&ids, &answer(1, 64)), find(&ids, &answer(1, 65))), (None, Some(65)));
        let all = Bounds { of_account: 1_000, of_all: 100 };
        assert_eq!(ids.make_room(IdsOf::Money, AccountId(2), all, 201, |_| false), Ok(()));
        assert_eq!(find(&ids, &answer(1, 1_000)), None, "of all, the oldest makes room");
        let none = Bounds { of_account: 0, of_all: 0 };
        let full = Err(Full { remembered: 0, limit: 0 });
        assert_eq!(ids.make_room(IdsOf::Money, AccountId(3), none, 201, |_| false), full);
    }

    #[test]
    fn what_stays_is_found_and_does_not_count() {
        let mut ids = ClientIds::default();
        for number in 0..500 {
            let (passing, stays) = (answer(1, 2 * number), answer(1, 2 * number + 1));
            remember(&mut ids, IdsOf::Orders, &passing, number);
            ids.remember_for_ever(ids.tag(AccountId(1), &stays.detail), &stays);
        }
        ids.forget(u64::MAX, 1, |_| false);
        assert_eq!((ids.remembered(IdsOf::Orders), ids.permanent().len()), (0, 500));
        for number in 0..500 {
            assert_eq!(find(&ids, &answer(1, 2 * number)), None);
            assert_eq!(find(&ids, &answer(1, 2 * number + 1)), Some(2 * number + 1));
            assert_eq!(find(&ids, &answer(2, 2 * number + 1)), None, "another account's");
        }
    }
}
