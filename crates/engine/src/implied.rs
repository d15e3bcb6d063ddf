//! Implied liquidity: what the best prices of a question's outcomes add up to, kept as books change, and the price that
//! it gives an incoming order. The step itself is with the orders.

use crate::admission::{Reach, meets_plain};
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::questions::Question;
use crate::sets::sets_most;
use crate::step::{Refused, refused};
use xos_book::LevelView;
use xos_protocol::{InstrumentState, Reject, Side};
use xos_units::{InstrumentId, Price, Qty, QuestionId};

/// Best prices of one side of all outcomes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bests {
    /// By outcome; 0: no order.
    prices: Vec<i64>,
    sum: i64,
    /// Outcomes that have an order.
    count: u32,
}

impl Bests {
    fn set(&mut self, outcome: usize, price: i64) {
        let before = std::mem::replace(&mut self.prices[outcome], price);
        self.sum += price - before;
        self.count += u32::from(price != 0);
        self.count -= u32::from(before != 0);
    }
}

/// Best prices of a question with implied liquidity. It follows from the books.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Implied {
    bids: Bests,
    asks: Bests,
}

impl Implied {
    pub(crate) fn of(outcomes: usize) -> Self {
        let bests = || Bests { prices: vec![0; outcomes], sum: 0, count: 0 };
        Self { bids: bests(), asks: bests() }
    }

    /// One more outcome, without orders.
    pub(crate) fn add_outcome(&mut self) {
        self.bids.prices.push(0);
        self.asks.prices.push(0);
    }

    /// The price of an outcome that the best prices of all others leave of a unit, 1 or more.
    fn price(&self, side: Side, outcome: usize, unit: i64) -> Option<Price> {
        let bests = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        let own = bests.prices[outcome];
        let others = bests.count - u32::from(own != 0);
        let price = unit - (bests.sum - own);
        (others as usize + 1 == bests.prices.len() && price >= 1).then_some(Price(price))
    }
}

/// The best levels of both sides, best first, each with the lots that other outcomes imply there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookWithImplied {
    /// Buys.
    pub bids: Vec<(LevelView, Qty)>,
    /// Sells.
    pub asks: Vec<(LevelView, Qty)>,
}

/// Whether a taker on `side` would rather trade at `a` than at `b`.
pub(crate) fn is_better(side: Side, a: Price, b: Price) -> bool {
    match side {
        Side::Buy => a < b,
        Side::Sell => a > b,
    }
}

impl Question {
    /// Complete sets that a step may still create, or redeem.
    pub(crate) fn sets_left(&self, side: Side) -> Qty {
        match side {
            Side::Buy => Qty(i64::try_from(sets_most(self.unit) - i128::from(self.sets)).unwrap_or(i64::MAX)),
            Side::Sell => Qty(self.sets),
        }
    }
}

impl Engine {
    /// The question of an outcome that has implied liquidity.
    #[inline(always)]
    pub(crate) fn implied_question(&self, at: usize) -> Option<QuestionId> {
        let instrument = &self.instruments[at];
        if instrument.implied { instrument.question() } else { None }
    }

    /// A book of such a question changed: its best price counts anew.
    #[inline]
    pub(crate) fn refresh_best(&mut self, at: usize, question: QuestionId, side: Side) {
        let best = self.instruments[at].plain().best_price(side).map_or(0, |price| price.0);
        let question = &mut self.questions[question.index()];
        let outcome = at - question.first.index();
        let Some(implied) = &mut question.implied else { return };
        match side {
            Side::Buy => implied.bids.set(outcome, best),
            Side::Sell => implied.asks.set(outcome, best),
        }
    }

    /// Best prices of every question, after its books were read.
    pub(crate) fn find_bests(&mut self) {
        for at in 0..self.instruments.len() {
            if let Some(question) = self.implied_question(at) {
                self.refresh_best(at, question, Side::Buy);
                self.refresh_best(at, question, Side::Sell);
            }
        }
    }

    /// Compares the best prices that are kept with the books.
    pub(crate) fn audit_bests(&self) -> Result<(), String> {
        for (at, question) in self.questions.iter().enumerate() {
            let Some(kept) = &question.implied else { continue };
            let mut found = Implied::of(question.outcomes as usize);
            for (outcome, id) in question.instruments().enumerate() {
                let book = self.instruments[id.index()].plain();
                let best = |side| book.best_price(side).map_or(0, |price: Price| price.0);
                found.bids.set(outcome, best(Side::Buy));
                found.asks.set(outcome, best(Side::Sell));
            }
            if found != **kept {
                return Err(format!("question {}: best prices {kept:?}, books say {found:?}", at + 1));
            }
        }
        Ok(())
    }

    /// The price at which an incoming order of a side would trade with all other outcomes, if that exists.
    pub(crate) fn implied_price(&self, at: usize, side: Side) -> Option<Price> {
        let question = &self.questions[self.implied_question(at)?.index()];
        let unit = question.spec.ticks_per_unit;
        let price = question.implied.as_ref()?.price(side, at - question.first.index(), unit)?;
        (question.sets_left(side) > Qty::ZERO && self.outcomes_trade(question)).then_some(price)
    }

    fn outcomes_trade(&self, question: &Question) -> bool {
        let trades = |id: InstrumentId| self.instruments[id.index()].gate == InstrumentState::Continuous;
        question.instruments().all(trades)
    }

    /// The implied price that an order of this price and side reaches and gets: no resting order of its own side has the
    /// better claim.
    pub(crate) fn implied_for(&self, at: usize, side: Side, limit: Price) -> Option<Price> {
        let question = &self.questions[self.implied_question(at)?.index()];
        let implied = question.implied.as_ref()?;
        let price = implied.price(side, at - question.first.index(), question.spec.ticks_per_unit)?;
        if is_better(side, limit, price) || self.is_claimed(at, side, limit, price) {
            return None;
        }
        (question.sets_left(side) > Qty::ZERO && self.outcomes_trade(question)).then_some(price)
    }

    /// Whether the best resting order of the own side comes before an order of this limit at an implied price.
    pub(crate) fn is_claimed(&self, at: usize, side: Side, limit: Price, price: Price) -> bool {
        let first = self.instruments[at].plain().best_price(side);
        first.is_some_and(|first| !is_better(side, first, price) && !is_better(side, first, limit))
    }

    /// Neither the book nor implied liquidity may be met.
    #[inline(always)]
    pub(crate) fn check_post_only(
        &self,
        instrument: &Instrument,
        side: Side,
        price: Price,
        reach: Reach,
    ) -> Result<(), Refused> {
        let mut best = instrument.best_price(side.opposite(), reach);
        if instrument.implied
            && meets_plain(reach)
            && let Some(implied) = self.implied_price(instrument.id.index(), side)
        {
            best = Some(
                best.map_or(implied, |best| if is_better(side, implied, best) { implied } else { best }),
            );
        }
        match best {
            Some(best) if !is_better(side, price, best) && instrument.gate != InstrumentState::Auction => {
                refused(Reject::PostOnlyWouldCross, price.0, best.0)
            }
            _ => Ok(()),
        }
    }

    /// What all other outcomes together offer an incoming order of a side, best price first, at most so many prices. It
    /// looks at levels as they stand.
    pub(crate) fn implied_levels(&self, at: usize, side: Side, most: usize) -> Vec<(Price, Qty)> {
        let mut found: Vec<(Price, Qty)> = Vec::new();
        let Some(id) = self.implied_question(at).filter(|_| self.implied_price(at, side).is_some()) else {
            return found;
        };
        let question = &self.questions[id.index()];
        let mut sets = question.sets_left(side);
        let others = question.instruments().map(|id| id.index()).filter(|other| *other != at);
        let mut legs: Vec<_> =
            others.map(|at| self.instruments[at].plain().levels(side).peekable()).collect();
        let mut taken = vec![0u128; legs.len()];
        while sets > Qty::ZERO {
            let (mut price, mut lots) = (question.spec.ticks_per_unit, sets.0.unsigned_abs().into());
            for (leg, taken) in legs.iter_mut().zip(&taken) {
                let Some(level) = leg.peek() else { return found };
                price -= level.price.0;
                lots = (level.lots - taken).min(lots);
            }
            let some = Qty(i64::try_from(lots).expect("no more than the sets left"));
            let full = found.len() == most || price < 1;
            match found.last_mut() {
                Some(last) if last.0 == Price(price) => last.1 += some,
                _ if full => break,
                _ => found.push((Price(price), some)),
            }
            sets -= some;
            for (leg, taken) in legs.iter_mut().zip(&mut taken) {
                *taken += lots;
                if leg.peek().is_some_and(|level| level.lots == *taken) {
                    leg.next();
                    *taken = 0;
                }
            }
        }
        found
    }

    /// What an order of an outcome would find on each side: the levels of its book, and in the second place the lots that
    /// all other outcomes imply at the price. At most `depth` prices a side.
    pub fn book_with_implied(&self, instrument: InstrumentId, depth: usize) -> BookWithImplied {
        let book = self.book(instrument, depth);
        let side = |levels: Vec<LevelView>, taker: Side| {
            let implied = match instrument.index() < self.instruments.len() {
                true => self.implied_levels(instrument.index(), taker, depth),
                false => Vec::new(),
            };
            merged(taker, levels, implied, depth)
        };
        BookWithImplied { bids: side(book.bids, Side::Sell), asks: side(book.asks, Side::Buy) }
    }
}

/// Two lists of levels that a taker of a side would find, best first, as one.
fn merged(
    taker: Side,
    levels: Vec<LevelView>,
    implied: Vec<(Price, Qty)>,
    depth: usize,
) -> Vec<(LevelView, Qty)> {
    let mut all: Vec<_> = levels.into_iter().map(|level| (level, Qty::ZERO)).collect();
    for (price, lots) in implied {
        match all.iter_mut().find(|(level, _)| level.price == price) {
            Some((_, there)) => *there = lots,
            None => all.push((LevelView { price, lots: 0, orders: 0 }, lots)),
        }
    }
    all.sort_unstable_by_key(|(level, _)| taker.sign() * level.price.0);
    all.truncate(depth);
    all
}
