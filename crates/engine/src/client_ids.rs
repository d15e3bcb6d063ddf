//! Client ids that took effect, with their first answers.
//!
//! An answer carries its account and its client id, so it is all there is to keep. Answers that can be forgotten
//! stand in the order of their time; those that cannot, in the order in which they came. A resting order remembers
//! the number of its answer, which is where its client id is found.

use crate::lookup::{Lookup, Tag};
use std::collections::VecDeque;
use xos_protocol::{ClientId, EventRecord};
use xos_units::AccountId;

/// Answers of one piece of the queue: growing never copies what is there.
const PIECE: usize = 4_096;
/// Numbers of answers run round in 31 bits; the upper half of the numbers is of those that stay.
const NUMBERS: u32 = (1 << 31) - 1;
const PERMANENT: u32 = 1 << 31;

/// An answer that can be forgotten, and since when its retention runs.
#[derive(Clone, Copy, Debug)]
struct Passing {
    time_ns: u64,
    answer: EventRecord,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct ClientIds {
    lookup: Lookup,
    pieces: VecDeque<Vec<Passing>>,
    /// Number of the oldest answer.
    first: u32,
    /// Places of the first piece that are already forgotten.
    skip: usize,
    len: usize,
    /// A piece that is no longer needed, for the next one that is.
    spare: Vec<Passing>,
    /// Ids that are never forgotten: those of deposits.
    permanent: Vec<EventRecord>,
}

impl ClientIds {
    #[inline(always)]
    fn passing_at(&self, number: u32) -> &Passing {
        let at = self.skip + (number.wrapping_sub(self.first) & NUMBERS) as usize;
        &self.pieces[at / PIECE][at % PIECE]
    }

    #[inline(always)]
    fn answer_at(&self, number: u32) -> &EventRecord {
        if number & PERMANENT == 0 {
            &self.passing_at(number).answer
        } else {
            &self.permanent[(number & NUMBERS) as usize]
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

    /// Number of the answer to an id that is remembered for a time.
    pub(crate) fn number(&self, tag: Tag, account: AccountId, client_id: &ClientId) -> Option<u32> {
        self.lookup.find(tag, |number| {
            let answer = self.answer_at(number);
            answer.account == account.0 && answer.detail == *client_id
        })
    }

    /// The client id of the order whose answer has this number.
    pub(crate) fn client_id_at(&self, number: u32) -> ClientId {
        self.passing_at(number).answer.detail
    }

    /// Ids that count towards the limit.
    #[inline(always)]
    pub(crate) fn remembered(&self) -> usize {
        self.len
    }

    /// The number that the next answer will have.
    #[inline(always)]
    pub(crate) fn next_number(&self) -> u32 {
        self.first.wrapping_add(self.len as u32) & NUMBERS
    }

    /// Makes room for as many ids more.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.lookup.reserve(self.len + self.permanent.len() + count);
    }

    /// Keeps an answer until its retention has passed.
    #[inline]
    pub(crate) fn remember(&mut self, tag: Tag, answer: &EventRecord, time_ns: u64) {
        let number = self.next_number();
        self.push(Passing { time_ns, answer: *answer });
        self.lookup.insert(tag, number);
    }

    /// Keeps an answer for ever.
    pub(crate) fn remember_for_ever(&mut self, tag: Tag, answer: &EventRecord) {
        let at = u32::try_from(self.permanent.len()).expect("fewer than fit in memory");
        self.permanent.push(*answer);
        self.lookup.insert(tag, PERMANENT | at);
    }

    #[inline(always)]
    fn push(&mut self, passing: Passing) {
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(passing),
            _ => {
                let mut piece = std::mem::take(&mut self.spare);
                piece.reserve_exact(PIECE);
                piece.push(passing);
                self.pieces.push_back(piece);
            }
        }
        self.len += 1;
    }

    fn pop(&mut self) {
        self.first = self.first.wrapping_add(1) & NUMBERS;
        self.skip += 1;
        self.len -= 1;
        if self.skip == PIECE {
            self.skip = 0;
            self.spare = self.pieces.pop_front().unwrap_or_default();
            self.spare.clear();
        }
    }

    /// Forgets ids whose retention has passed; those whose order rests start anew: `rests` says so, and is told the
    /// answer's new number.
    pub(crate) fn forget(
        &mut self,
        now_ns: u64,
        retention_ns: u64,
        mut rests: impl FnMut(&EventRecord, u32) -> bool,
    ) {
        for _ in 0..self.len {
            let (oldest, number) = (*self.passing_at(self.first), self.first);
            if now_ns.saturating_sub(oldest.time_ns) < retention_ns {
                break;
            }
            let answer = oldest.answer;
            let tag = self.tag(AccountId(answer.account), &answer.detail);
            let renewed = self.next_number();
            if rests(&answer, renewed) {
                self.push(Passing { time_ns: now_ns, answer });
                self.lookup.moved(tag, number, renewed);
            } else {
                self.lookup.remove(tag, number);
            }
            self.pop();
        }
    }

    /// Those that can be forgotten, in order.
    pub(crate) fn passing(&self) -> impl Iterator<Item = (u64, &EventRecord)> {
        self.pieces.iter().flatten().skip(self.skip).map(|passing| (passing.time_ns, &passing.answer))
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

    /// Over several pieces and several rounds of forgetting: the same ids in the same order as a sorted model.
    #[test]
    fn forgets_in_order_and_renews_what_rests() {
        let mut ids = ClientIds { first: NUMBERS - 5_000, ..ClientIds::default() };
        // By (time, order of remembering), and the number under which an order that rests knows its id.
        let mut model: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let (mut numbers, mut remembered) = (BTreeMap::new(), 0u64);
        let kept = |id: u64| id.is_multiple_of(7) && id > 9_000;
        for now_ns in 0..60_000u64 {
            let due: Vec<_> = model.range(..=(now_ns.saturating_sub(RETENTION_NS), u64::MAX)).collect();
            let due: Vec<_> = if now_ns < RETENTION_NS { Vec::new() } else { due }
                .into_iter()
                .map(|(at, id)| (*at, *id))
                .collect();
            for (at, id) in due {
                model.remove(&at);
                if kept(id) {
                    remembered += 1;
                    model.insert((now_ns, remembered), id);
                }
            }
            ids.forget(now_ns, RETENTION_NS, |answer, number| {
                numbers.insert(answer.order_id, number);
                kept(answer.order_id)
            });
            let new = answer(1 + (now_ns % 3) as u32, now_ns);
            numbers.insert(now_ns, ids.next_number());
            ids.remember(ids.tag(AccountId(new.account), &new.detail), &new, now_ns);
            remembered += 1;
            model.insert((now_ns, remembered), now_ns);
            assert_eq!(ids.remembered(), model.len());
            if now_ns % 2_503 == 0 {
                let queue: Vec<_> =
                    ids.passing().map(|(time_ns, answer)| (time_ns, answer.order_id)).collect();
                let expected: Vec<_> = model.iter().map(|((time_ns, _), id)| (*time_ns, *id)).collect();
                assert_eq!(queue, expected);
                for id in 0..=now_ns {
                    let known = answer(1 + (id % 3) as u32, id);
                    let is_there = now_ns - id < RETENTION_NS || kept(id);
                    assert_eq!(find(&ids, &known), is_there.then_some(id), "id {id} at {now_ns}");
                    if is_there {
                        assert_eq!(ids.client_id_at(numbers[&id]), known.detail);
                    }
                }
            }
        }
        assert!(ids.pieces.len() > 2 && ids.first < NUMBERS - 5_000, "the numbers have run round");
    }

    #[test]
    fn what_stays_is_found_and_does_not_count() {
        let mut ids = ClientIds::default();
        for number in 0..500 {
            let (passing, stays) = (answer(1, 2 * number), answer(1, 2 * number + 1));
            ids.remember(ids.tag(AccountId(1), &passing.detail), &passing, number);
            ids.remember_for_ever(ids.tag(AccountId(1), &stays.detail), &stays);
        }
        ids.forget(u64::MAX, 1, |_, _| false);
        assert_eq!((ids.remembered(), ids.permanent().len()), (0, 500));
        for number in 0..500 {
            assert_eq!(find(&ids, &answer(1, 2 * number)), None);
            assert_eq!(find(&ids, &answer(1, 2 * number + 1)), Some(2 * number + 1));
            assert_eq!(find(&ids, &answer(2, 2 * number + 1)), None, "another account's");
        }
    }
}
