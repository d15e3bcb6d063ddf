//! An instrument as the engine keeps it: terms in the form the hot path reads, prices, book, open interest.

use crate::account::{Class, StandKey};
use crate::admission::{ProfileAt, Reach};
use crate::funding::Funding;
use crate::halt::Halt;
use crate::holders::AccountSet;
use crate::liquidation::LiquidationTerms;
use crate::oracle::Oracle;
use crate::tiers::PerpetualMargin;
use xos_book::Book;
use xos_protocol::{
    Fees, InstrumentSpec, InstrumentState, InstrumentTerms, Matching, Phases, PriceSource, Product,
    QuestionSpec, Split,
};
use xos_risk::OutcomeTerms;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, PPM_ONE, Ppm, Price, Qty, QuestionId, VenueId};

/// What is traded, with the terms only that product has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traded {
    Spot { base: AssetId, quote: AssetId, base_atoms_per_lot: u64 },
    Perpetual { initial: Ppm, maintenance: Ppm },
    Outcome { question: QuestionId, ticks_per_unit: i64 },
}

#[derive(Debug)]
pub(crate) struct Instrument {
    pub(crate) id: InstrumentId,
    pub(crate) key: StandKey,
    pub(crate) traded: Traded,
    /// As an operator set it.
    pub(crate) state: InstrumentState,
    /// What it accepts: the strictest of its state, what its prices allow and its volatility halt.
    pub(crate) gate: InstrumentState,
    pub(crate) matching: Matching,
    pub(crate) k: u32,
    pub(crate) mark: Price,
    pub(crate) index: Price,
    /// Of the last trade; 0: none.
    pub(crate) last: Price,
    /// Orders that wait here for a price.
    pub(crate) triggers: u32,
    /// Mark x k: value of one lot.
    pub(crate) mark_value: i128,
    /// Mark x k x initial margin rate of the first tier: requirement of one lot where there is no more to it.
    pub(crate) margin_value: i128,
    /// Not everybody trades it: isolated accounts only, or nobody who decides its question.
    pub(crate) is_restricted: bool,
    /// Its question trades no more.
    pub(crate) is_closed: bool,
    /// The time to which it trades has come.
    pub(crate) is_over: bool,
    pub(crate) phases: Phases,
    /// What its delisting, where one is announced, lets it accept.
    pub(crate) curb: InstrumentState,
    /// What a guardian holds it to.
    pub(crate) emergency: InstrumentState,
    /// What its auction, where one is under way, lets it accept.
    pub(crate) auction: InstrumentState,
    /// Orders do not simply match here: they collect for an auction, or trade with other outcomes too.
    pub(crate) matches_apart: bool,
    /// An outcome whose incoming orders trade with all others at once.
    pub(crate) implied: bool,
    /// Tiers and open-interest scaling; none: one rate for every size.
    pub(crate) margin: Option<Box<PerpetualMargin>>,
    /// Volatility halt; none: no move stops it.
    pub(crate) halt: Option<Box<Halt>>,
    /// Terms of liquidation; none: positions are never liquidated.
    pub(crate) liquidation: Option<Box<LiquidationTerms>>,
    /// Bounds of the band; the widest prices where there is none.
    pub(crate) band_low: Price,
    pub(crate) band_high: Price,
    pub(crate) price_max: Price,
    pub(crate) qty_min: Qty,
    pub(crate) qty_max: Qty,
    pub(crate) notional_min: Amount,
    pub(crate) notional_max: Amount,
    pub(crate) position_max: i64,
    pub(crate) orders_max: u32,
    pub(crate) band_ppm: i32,
    pub(crate) fees: Fees,
    pub(crate) split: Split,
    /// A referrer has a share of its fees, or receipts follow them.
    pub(crate) divides_apart: bool,
    /// Traded with simulated money.
    pub(crate) is_simulated: bool,
    /// Resting orders: of the profile that is at home here, which is the only one if there is but one, and of the others by
    /// their places; bits of the groups that have orders, and the only group if there is but one; where there are several
    /// the best price of each side. See `groups.rs`.
    pub(crate) book: Book,
    pub(crate) others: Vec<Book>,
    pub(crate) home: ProfileAt,
    pub(crate) occupied: Reach,
    pub(crate) sole: ProfileAt,
    pub(crate) tops: [Price; 2],
    /// Sum of the long and of the short positions.
    pub(crate) long_lots: i128,
    pub(crate) short_lots: i128,
    /// Sum of the costs of all positions; a perpetual's clearing account mirrors it.
    pub(crate) cost_sum: Amount,
    /// Accounts with a position, of a perpetual.
    pub(crate) holders: AccountSet,
    pub(crate) oracle: Option<Box<Oracle>>,
    /// Number of the last settlement of funding; a stand of another number is still due.
    pub(crate) epoch: u32,
    /// Whether a settlement of funding is under way: only then anybody is due.
    pub(crate) settling: bool,
    pub(crate) funding: Option<Box<Funding>>,
    /// The specification; an outcome's is its question's.
    pub(crate) spec: Option<Box<InstrumentSpec>>,
    /// The only venue whose orders it takes; 0: every venue's.
    pub(crate) own_venue: VenueId,
}

/// Whether a fee is divided apart from the common way.
pub(crate) fn divides_apart(split: &Split) -> bool {
    split.referrer_ppm != 0 || split.receipts
}

impl Instrument {
    pub(crate) fn from_spec(id: InstrumentId, spec: InstrumentSpec) -> Self {
        let traded = match spec.product {
            Product::Spot { base, quote, base_atoms_per_lot } => {
                Traded::Spot { base: AssetId(base), quote: AssetId(quote), base_atoms_per_lot }
            }
            Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } => Traded::Perpetual {
                initial: Ppm(initial_margin_ppm),
                maintenance: Ppm(maintenance_margin_ppm),
            },
        };
        let mut instrument = Self::new(id, traded, &spec.terms);
        instrument.is_restricted = spec.isolated_only;
        instrument.margin = PerpetualMargin::of(&spec).map(Box::new);
        instrument.oracle = spec.oracle.as_ref().map(|oracle| Box::new(Oracle::new(oracle)));
        instrument.funding = spec.funding.as_ref().map(|funding| Box::new(Funding::new(funding)));
        instrument.halt = spec.halt.as_deref().map(|halt| Box::new(Halt::new(*halt)));
        let liquidation = spec.liquidation.as_deref();
        instrument.liquidation = liquidation.map(|terms| Box::new(LiquidationTerms::of(terms)));
        instrument.spec = Some(Box::new(spec));
        instrument.refresh_gate();
        instrument
    }

    #[inline(never)]
    fn holder_changed(&mut self, account: AccountId, holds: bool) {
        if holds {
            self.holders.insert(account);
        } else {
            self.holders.remove(account);
        }
    }

    pub(crate) fn outcome(id: InstrumentId, question: QuestionId, spec: &QuestionSpec) -> Self {
        let traded = Traded::Outcome { question, ticks_per_unit: spec.ticks_per_unit };
        Self {
            is_restricted: spec.resolution.is_some(),
            implied: spec.implied,
            matches_apart: spec.implied,
            ..Self::new(id, traded, &spec.terms)
        }
    }

    fn new(id: InstrumentId, traded: Traded, terms: &InstrumentTerms) -> Self {
        let class = match traded {
            Traded::Spot { .. } => Class::Spot,
            Traded::Perpetual { .. } => Class::Perpetual,
            Traded::Outcome { .. } => Class::Outcome,
        };
        Self {
            id,
            key: StandKey::new(class, id),
            traded,
            state: InstrumentState::Continuous,
            gate: InstrumentState::Continuous,
            matching: terms.matching,
            k: terms.quote_atoms_per_tick_lot,
            mark: Price::ZERO,
            index: Price::ZERO,
            last: Price::ZERO,
            triggers: 0,
            mark_value: 0,
            margin_value: 0,
            is_restricted: false,
            is_closed: false,
            is_over: false,
            phases: terms.phases,
            curb: InstrumentState::Continuous,
            emergency: InstrumentState::Continuous,
            auction: InstrumentState::Continuous,
            matches_apart: false,
            implied: false,
            margin: None,
            halt: None,
            liquidation: None,
            band_low: Price(i64::MIN),
            band_high: Price(i64::MAX),
            price_max: Price(terms.price_max_ticks),
            qty_min: Qty(terms.qty_min_lots),
            qty_max: Qty(terms.qty_max_lots),
            notional_min: terms.notional_min,
            notional_max: terms.notional_max,
            position_max: terms.position_max_lots,
            orders_max: terms.orders_per_account_max,
            band_ppm: terms.band_ppm,
            fees: terms.fees,
            split: terms.split,
            divides_apart: divides_apart(&terms.split),
            is_simulated: false,
            book: Book::default(),
            others: Vec::new(),
            home: 0,
            occupied: 1,
            sole: 0,
            tops: [Price::ZERO; 2],
            long_lots: 0,
            short_lots: 0,
            cost_sum: Amount::ZERO,
            holders: AccountSet::default(),
            oracle: None,
            epoch: 0,
            settling: false,
            funding: None,
            spec: None,
            own_venue: VenueId(terms.venue),
        }
    }

    pub(crate) fn set_state(&mut self, state: InstrumentState) {
        self.state = state;
        self.refresh_gate();
    }

    /// Its question trades no more, or something is done with it: it accepts cancels.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.refresh_gate();
    }

    /// The time to which it trades has come: it accepts cancels.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
        self.refresh_gate();
    }

    /// Whether it is closed by its question, or by time.
    pub(crate) fn trades_no_more(&self) -> bool {
        self.is_closed | self.is_over
    }

    /// It is no outcome yet.
    pub(crate) fn reserve(&mut self) {
        self.implied = false;
        self.close();
    }

    /// It accepts again what its state says.
    pub(crate) fn reopen(&mut self) {
        self.is_closed = false;
        self.refresh_gate();
    }

    /// Whether index and mark may be relied on.
    pub(crate) fn has_fresh_prices(&self) -> bool {
        self.state == InstrumentState::Settled || self.oracle.as_ref().is_none_or(|oracle| oracle.is_fresh())
    }

    /// Takes the strictest of state, prices, halt, delisting and auction, after one of them changed.
    pub(crate) fn refresh_gate(&mut self) {
        self.gate = stricter(self.gate_beside_auction(), self.auction);
        self.matches_apart = self.implied || self.auction != InstrumentState::Continuous;
    }

    /// What it would accept without its auction.
    pub(crate) fn gate_beside_auction(&self) -> InstrumentState {
        let prices = self.oracle.as_ref().map_or(InstrumentState::Continuous, |oracle| oracle.admits());
        let halt = self.halt.as_ref().map_or(InstrumentState::Continuous, |halt| halt.status);
        let closed =
            if self.trades_no_more() { InstrumentState::CancelOnly } else { InstrumentState::Continuous };
        let held = stricter(self.curb, self.emergency);
        stricter(stricter(self.state, closed), stricter(stricter(prices, halt), held))
    }

    /// A new mark: values of one lot and the band follow from it.
    pub(crate) fn set_mark(&mut self, mark: Price) {
        self.mark = mark;
        self.mark_value = i128::from(mark.0) * i128::from(self.k);
        if let Traded::Perpetual { initial, .. } = self.traded {
            self.margin_value = self.mark_value * i128::from(initial.0);
        }
        self.scale_by_open_interest();
        if self.band_ppm > 0 && mark > Price::ZERO {
            let width = i128::from(mark.0) * i128::from(self.band_ppm) / i128::from(PPM_ONE);
            let width = i64::try_from(width).expect("a band is narrower than the mark");
            self.band_low = Price(mark.0 - width);
            self.band_high = Price(mark.0 + width);
        }
    }

    /// A trade was public: stops watch its price, and a halt measures from it.
    #[inline(always)]
    pub(crate) fn printed(&mut self, time_ns: u64, price: Price) {
        self.last = price;
        if let Some(halt) = &mut self.halt {
            halt.traded(time_ns, price);
        }
    }

    /// One of its prices; 0: never set.
    pub(crate) fn price_of(&self, source: PriceSource) -> Price {
        match source {
            PriceSource::Last => self.last,
            PriceSource::Mark => self.mark,
            PriceSource::Index => self.index,
        }
    }

    #[inline(always)]
    pub(crate) fn class(&self) -> Class {
        match self.traded {
            Traded::Spot { .. } => Class::Spot,
            Traded::Perpetual { .. } => Class::Perpetual,
            Traded::Outcome { .. } => Class::Outcome,
        }
    }

    #[inline(always)]
    pub(crate) fn outcome_terms(&self) -> Option<OutcomeTerms> {
        match self.traded {
            Traded::Outcome { ticks_per_unit, .. } => Some(OutcomeTerms { ticks_per_unit }),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn question(&self) -> Option<QuestionId> {
        match self.traded {
            Traded::Outcome { question, .. } => Some(question),
            _ => None,
        }
    }

    /// Asset in which prices are paid and fees fall.
    #[inline(always)]
    pub(crate) fn quote(&self) -> AssetId {
        match self.traded {
            Traded::Spot { quote, .. } => quote,
            _ => xos_ledger::SETTLEMENT,
        }
    }

    /// Moves open interest, and keeps a perpetual's holders, as one position changes.
    #[inline(always)]
    pub(crate) fn position_changed(&mut self, account: AccountId, before: i64, after: i64) {
        if (before == 0) != (after == 0) && self.class() == Class::Perpetual {
            self.holder_changed(account, after != 0);
        }
        self.long_lots += i128::from(after.max(0) - before.max(0));
        self.short_lots += i128::from((-after).max(0) - (-before).max(0));
        if self.margin.is_some() {
            self.scale_by_open_interest();
        }
    }
}

const fn strictness(state: InstrumentState) -> u8 {
    match state {
        InstrumentState::Continuous => 0,
        InstrumentState::PostOnly => 1,
        InstrumentState::ReduceOnly => 2,
        InstrumentState::Auction => 3,
        InstrumentState::Uncrossing => 4,
        InstrumentState::CancelOnly => 5,
        InstrumentState::Halted => 6,
        InstrumentState::Settled => 7,
    }
}

pub(crate) const fn stricter(a: InstrumentState, b: InstrumentState) -> InstrumentState {
    if strictness(a) >= strictness(b) { a } else { b }
}
