//! An account's stand in instruments and questions. Balances are the ledger's.

use xos_book::{NO_SLOT, Slot};
use xos_protocol::{Int128, Side};
use xos_risk::{Holding, OutcomeStand};
use xos_units::{AccountId, Amount, InstrumentId, OwnerId, Qty, QuestionId};

/// Sort key of an instrument within an account: perpetuals first, then spot, then outcomes, each by id. A margin
/// check walks only the head of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StandKey(pub(crate) u32);

/// The three products, in key order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Perpetual = 0,
    Spot = 1,
    Outcome = 2,
}

const CLASS_SHIFT: u32 = 28;

impl StandKey {
    #[inline(always)]
    pub(crate) fn new(class: Class, instrument: InstrumentId) -> Self {
        Self(((class as u32) << CLASS_SHIFT) | instrument.0)
    }
    #[inline(always)]
    pub(crate) fn is_perpetual(self) -> bool {
        self.0 < 1 << CLASS_SHIFT
    }
    #[inline(always)]
    pub(crate) fn instrument(self) -> InstrumentId {
        InstrumentId(self.0 & ((1 << CLASS_SHIFT) - 1))
    }
    fn floor(class: Class) -> Self {
        Self((class as u32) << CLASS_SHIFT)
    }
    fn ceiling(class: Class) -> Self {
        Self((class as u32 + 1) << CLASS_SHIFT)
    }
}

/// Position and resting orders of an account on one instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    pub(crate) key: StandKey,
    pub(crate) orders: u32,
    /// First of the account's resting orders here.
    pub(crate) head: Slot,
    pub(crate) buys: Qty,
    pub(crate) sells: Qty,
    /// Settlement of funding up to which it is settled.
    pub(crate) epoch: u32,
    /// Signed lots held.
    pub(crate) lots: i64,
    // Amounts lie in halves of 64 bits, so that no padding widens the record: there are millions of them.
    cost: Int128,
    realised: Int128,
    buy_reserve: Int128,
    sell_reserve: Int128,
}

const _: () = assert!(size_of::<Stand>() == 104);

impl Stand {
    pub(crate) fn new(key: StandKey) -> Self {
        Self {
            key,
            orders: 0,
            head: NO_SLOT,
            buys: Qty::ZERO,
            sells: Qty::ZERO,
            epoch: 0,
            lots: 0,
            cost: Int128::default(),
            realised: Int128::default(),
            buy_reserve: Int128::default(),
            sell_reserve: Int128::default(),
        }
    }

    /// Lots, cost and realised profit.
    #[inline(always)]
    pub(crate) fn holding(&self) -> Holding {
        Holding { lots: self.lots, cost: Amount(self.cost.get()), realised: Amount(self.realised.get()) }
    }

    #[inline(always)]
    pub(crate) fn set_holding(&mut self, holding: Holding) {
        self.lots = holding.lots;
        self.cost = Int128::new(holding.cost.0);
        self.realised = Int128::new(holding.realised.0);
    }

    /// Reserve of the resting buys; of spot orders the ledger holds it instead.
    #[inline(always)]
    pub(crate) fn buy_reserve(&self) -> Amount {
        Amount(self.buy_reserve.get())
    }

    /// Reserve of the resting sells.
    #[inline(always)]
    pub(crate) fn sell_reserve(&self) -> Amount {
        Amount(self.sell_reserve.get())
    }

    /// Lots of the resting orders of one side.
    #[inline(always)]
    pub(crate) fn resting(&self, side: Side) -> Qty {
        match side {
            Side::Buy => self.buys,
            Side::Sell => self.sells,
        }
    }

    #[inline(always)]
    fn resting_mut(&mut self, side: Side) -> (&mut Qty, &mut Int128) {
        match side {
            Side::Buy => (&mut self.buys, &mut self.buy_reserve),
            Side::Sell => (&mut self.sells, &mut self.sell_reserve),
        }
    }

    /// More resting lots and their reserve on one side.
    #[inline(always)]
    pub(crate) fn add_resting(&mut self, side: Side, lots: Qty, reserve: Amount) {
        let (resting, reserved) = self.resting_mut(side);
        *resting += lots;
        *reserved = Int128::new(reserved.get() + reserve.0);
    }

    /// Fewer resting lots on one side; gives the reserve that is left there.
    #[inline(always)]
    pub(crate) fn take_resting(&mut self, side: Side, lots: Qty, reserve: Amount) -> Amount {
        let (resting, reserved) = self.resting_mut(side);
        *resting -= lots;
        let left = reserved.get() - reserve.0;
        *reserved = Int128::new(left);
        Amount(left)
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.orders == 0 && self.lots == 0
    }

    #[inline(always)]
    pub(crate) fn outcome(&self) -> OutcomeStand {
        OutcomeStand { position_lots: self.lots, buys: self.buy_reserve(), sells: self.sell_reserve() }
    }
}

/// A margin account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) owner: OwnerId,
    /// Resting orders over all instruments.
    pub(crate) orders: u32,
    /// Credential classes, a bit each.
    pub(crate) classes: u32,
    pub(crate) stands: Vec<Stand>,
    /// Nothing for the many accounts that stand in no question.
    questions: Option<Box<WorstCases>>,
    /// Nothing for the many accounts that chose no leverage.
    pub(crate) leverages: Option<Box<Leverages>>,
    /// Of an isolated account: whose it is, and where it trades.
    pub(crate) isolated: Option<Isolated>,
}

/// What makes an account isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isolated {
    pub(crate) parent: AccountId,
    pub(crate) instrument: InstrumentId,
}

/// Chosen leverages, in order of instrument.
pub(crate) type Leverages = Vec<(InstrumentId, u32)>;

/// Worst case of each question in which an account stands, and their sum.
#[derive(Clone, Debug, Default)]
struct WorstCases {
    by_question: Vec<(QuestionId, Amount)>,
    sum: Amount,
}

/// Up to this many stands a walk beats a binary search.
const WALK_MAX: usize = 8;

impl Account {
    pub(crate) fn of(owner: OwnerId) -> Self {
        Self { owner, ..Self::default() }
    }

    #[inline(always)]
    pub(crate) fn find(&self, key: StandKey) -> Option<usize> {
        // Most accounts stand in one instrument.
        if self.stands.first().is_some_and(|stand| stand.key == key) { Some(0) } else { self.search(key) }
    }

    fn search(&self, key: StandKey) -> Option<usize> {
        if self.stands.len() <= WALK_MAX {
            self.stands.iter().position(|stand| stand.key == key)
        } else {
            self.stands.binary_search_by_key(&key, |stand| stand.key).ok()
        }
    }

    #[inline(always)]
    pub(crate) fn stand(&self, key: StandKey) -> Option<&Stand> {
        self.find(key).map(|at| &self.stands[at])
    }

    /// The stand on an instrument, made if it is not there.
    #[inline(always)]
    pub(crate) fn stand_mut(&mut self, key: StandKey) -> &mut Stand {
        let at = match self.find(key) {
            Some(at) => at,
            None => self.new_stand(key),
        };
        &mut self.stands[at]
    }

    #[cold]
    fn new_stand(&mut self, key: StandKey) -> usize {
        let at = self.stands.partition_point(|stand| stand.key < key);
        // Most accounts stand in few instruments: grow by one, then by a quarter, not by doubling.
        if self.stands.len() == self.stands.capacity() {
            self.stands.reserve_exact(1 + self.stands.len() / 4);
        }
        self.stands.insert(at, Stand::new(key));
        at
    }

    /// Removes the stand if nothing is left in it.
    #[inline]
    pub(crate) fn forget_if_empty(&mut self, key: StandKey) {
        if let Some(at) = self.find(key)
            && self.stands[at].is_empty()
        {
            self.stands.remove(at);
            self.stands.shrink_to_fit();
        }
    }

    /// Stands of one product.
    pub(crate) fn count(&self, class: Class) -> usize {
        let from = self.stands.partition_point(|stand| stand.key < StandKey::floor(class));
        self.stands.partition_point(|stand| stand.key < StandKey::ceiling(class)) - from
    }

    /// Stands in the outcomes of a question whose instruments are `first .. first + count`.
    #[inline]
    pub(crate) fn outcomes(&self, first: InstrumentId, count: u32) -> &[Stand] {
        let from = StandKey::new(Class::Outcome, first);
        let to = StandKey(from.0 + count);
        let start = self.stands.partition_point(|stand| stand.key < from);
        let end = start + self.stands[start..].partition_point(|stand| stand.key < to);
        &self.stands[start..end]
    }

    /// Sum of the worst cases of all questions; none for an account that stood in no question.
    #[inline(always)]
    pub(crate) fn worst_cases(&self) -> Option<Amount> {
        self.questions.as_ref().map(|questions| questions.sum)
    }

    /// Whether it stood in a question.
    #[inline(always)]
    pub(crate) fn stands_in_questions(&self) -> bool {
        self.questions.is_some()
    }

    /// Leaves a question whose instruments are `first .. first + count`: no stand and no worst case stays.
    pub(crate) fn leave_question(&mut self, question: QuestionId, first: InstrumentId, count: u32) {
        let key = StandKey::new(Class::Outcome, first);
        let start = self.stands.partition_point(|stand| stand.key < key);
        let end = start + self.outcomes(first, count).len();
        self.stands.drain(start..end);
        self.stands.shrink_to_fit();
        self.set_worst_case(question, Amount::ZERO, false);
    }

    /// The worst cases by question.
    pub(crate) fn questions(&self) -> &[(QuestionId, Amount)] {
        self.questions.as_ref().map_or(&[], |questions| &questions.by_question)
    }

    /// The worst case of a question as last set.
    #[inline]
    pub(crate) fn worst_case(&self, question: QuestionId) -> Amount {
        self.questions().iter().find(|(id, _)| *id == question).map_or(Amount::ZERO, |(_, worst)| *worst)
    }

    /// Sets the worst case of a question.
    #[inline]
    pub(crate) fn set_worst_case(&mut self, question: QuestionId, worst: Amount, stands: bool) {
        if self.questions.is_none() && !stands {
            return;
        }
        let questions = self.questions.get_or_insert_default();
        match questions.by_question.iter().position(|(id, _)| *id == question) {
            Some(at) => {
                questions.sum += worst - questions.by_question[at].1;
                if stands {
                    questions.by_question[at].1 = worst;
                } else {
                    questions.by_question.swap_remove(at);
                }
            }
            None if stands => {
                questions.by_question.push((question, worst));
                questions.sum += worst;
            }
            None => {}
        }
    }
}
