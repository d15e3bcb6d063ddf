//! Headroom of an account: equity less requirements, with or without one more order. The mathematics is risk's;
//! here it meets the state.

use crate::account::{Account, StandKey};
use crate::engine::Engine;
use crate::instrument::{Instrument, Traded};
use crate::scenario::Hypothesis;
use xos_book::RestingOrder;
use xos_ledger::SETTLEMENT;
use xos_protocol::{Fees, Side};
use xos_risk::{OutcomeStand, worst_case, worst_side};
use xos_units::{
    AccountId, Amount, AssetId, Ppm, Price, Qty, QuestionId, Requirement, VenueId, division::fee_up,
    division::portion_down, notional, widening_up,
};

/// A change of resting orders to be judged before it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) key: StandKey,
    pub(crate) buys: Qty,
    pub(crate) sells: Qty,
    pub(crate) buy_reserve: Amount,
    pub(crate) sell_reserve: Amount,
}

impl Change {
    /// Lots with their reserve on one side; negative to take them away.
    #[inline(always)]
    pub(crate) fn side(key: StandKey, side: Side, lots: Qty, reserve: Amount) -> Self {
        let none = Self {
            key,
            buys: Qty::ZERO,
            sells: Qty::ZERO,
            buy_reserve: Amount::ZERO,
            sell_reserve: Amount::ZERO,
        };
        match side {
            Side::Buy => Self { buys: lots, buy_reserve: reserve, ..none },
            Side::Sell => Self { sells: lots, sell_reserve: reserve, ..none },
        }
    }

    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            key: self.key,
            buys: self.buys + other.buys,
            sells: self.sells + other.sells,
            buy_reserve: self.buy_reserve + other.buy_reserve,
            sell_reserve: self.sell_reserve + other.sell_reserve,
        }
    }
}

/// Equity with reserves already taken off, and the margin requirement, kept apart so that comparing them needs no
/// division.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Margin {
    pub(crate) equity: Amount,
    pub(crate) initial: Requirement,
}

impl Margin {
    /// Whether headroom, less a loss, is at least zero.
    #[inline(always)]
    pub(crate) fn covers(&self, loss: Amount) -> bool {
        (self.equity - loss).as_requirement() >= self.initial
    }

    /// Headroom in atoms.
    pub(crate) fn headroom(&self) -> Amount {
        self.equity - self.initial.ceil()
    }
}

/// A position that an order reduces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduced {
    /// Signed lots.
    pub(crate) position: i64,
    /// Of these, lots that are counted as closed already.
    pub(crate) before: Qty,
}

impl Engine {
    #[inline(always)]
    fn add_perpetual(
        &self,
        margin: &mut Margin,
        account: &Account,
        lots: i64,
        cost: Amount,
        orders: &Change,
    ) {
        let key = orders.key;
        let instrument = &self.instruments[key.instrument().index()];
        margin.equity += xos_risk::unrealised(lots, instrument.mark_value, cost);
        margin.equity -= orders.buy_reserve + orders.sell_reserve;
        let worst = worst_side(lots, orders.buys, orders.sells);
        margin.initial += if instrument.margin.is_none() && account.leverages.is_none() {
            Requirement(widening_up(instrument.margin_value, worst.0))
        } else {
            instrument.initial_of(worst, account.leverage(instrument.id))
        };
    }

    /// Equity and requirement of an account, with `change` made to its orders on a perpetual.
    #[inline]
    pub(crate) fn margin_with(&self, id: AccountId, change: Option<&Change>) -> Margin {
        let mut margin = self.margin_without_relief(id, change);
        if self.scenarios.accounts.len() > 0 {
            self.relieve(&mut margin, id, Hypothesis { change, ..Hypothesis::default() });
        }
        margin
    }

    /// The same without what scenario mode takes from the requirement.
    #[inline(always)]
    fn margin_without_relief(&self, id: AccountId, change: Option<&Change>) -> Margin {
        let account = &self.accounts[id.index()];
        let mut margin = Margin {
            equity: self.ledger.settlement(id).free() + self.worst_cases(id),
            initial: Requirement::ZERO,
        };
        if !self.collaterals.is_empty() {
            margin.equity += self.collateral(id, true);
        }
        let mut pending = change;
        for stand in &account.stands {
            if !stand.key.is_perpetual() {
                break;
            }
            let mut orders = Change {
                key: stand.key,
                buys: stand.buys,
                sells: stand.sells,
                buy_reserve: stand.buy_reserve(),
                sell_reserve: stand.sell_reserve(),
            };
            if let Some(change) = pending
                && change.key == stand.key
            {
                orders = orders.plus(*change);
                pending = None;
            }
            self.add_perpetual(&mut margin, account, stand.lots, stand.holding().cost, &orders);
            let instrument = &self.instruments[stand.key.instrument().index()];
            if instrument.settling {
                margin.equity += instrument.unsettled(stand);
            }
        }
        if let Some(change) = pending
            && change.key.is_perpetual()
        {
            self.add_perpetual(&mut margin, account, 0, Amount::ZERO, change);
        }
        margin
    }

    /// Equity and requirement of an account as it stands.
    #[inline]
    pub(crate) fn margin(&self, id: AccountId) -> Margin {
        self.margin_with(id, None)
    }

    /// Margin of an account if its question had another worst case, by a change on an outcome or by sets.
    pub(crate) fn margin_with_worst_case(
        &self,
        id: AccountId,
        question: QuestionId,
        worst: Amount,
        change: Option<&Change>,
    ) -> Margin {
        let mut margin = self.margin_without_relief(id, None);
        margin.equity += worst - self.accounts[id.index()].worst_case(question);
        if self.scenarios.accounts.len() > 0 {
            let question = Some(question);
            self.relieve(&mut margin, id, Hypothesis { change, question, ..Hypothesis::default() });
        }
        margin
    }

    /// The worst case of a question for an account with a change on one of its outcomes and `sets` lots more of
    /// every outcome.
    pub(crate) fn worst_case_with(
        &self,
        account: &Account,
        question: QuestionId,
        change: Option<&Change>,
        sets: i64,
    ) -> Amount {
        let question = &self.questions[question.index()];
        let stands = account.outcomes(question.first, question.outcomes);
        let mut pending = change;
        let mut all: Vec<OutcomeStand> = Vec::with_capacity(stands.len() + 1);
        for stand in stands {
            let mut outcome = stand.outcome();
            if let Some(change) = pending
                && change.key == stand.key
            {
                outcome.buys += change.buy_reserve;
                outcome.sells += change.sell_reserve;
                pending = None;
            }
            all.push(outcome);
        }
        if let Some(change) = pending {
            all.push(OutcomeStand { position_lots: 0, buys: change.buy_reserve, sells: change.sell_reserve });
        }
        if sets != 0 {
            all.resize(question.outcomes as usize, OutcomeStand::default());
            for outcome in &mut all {
                outcome.position_lots += sets;
            }
        }
        worst_case(all.into_iter(), question.outcomes as usize, question.unit)
    }

    /// Recomputes the worst case of the question an outcome belongs to, after a change.
    #[inline]
    pub(crate) fn refresh_worst_case(&mut self, id: AccountId, question: QuestionId) {
        let asked = &mut self.questions[question.index()];
        let account = &mut self.accounts[id.index()];
        let stands = account.outcomes(asked.first, asked.outcomes);
        let worst = worst_case(stands.iter().map(|s| s.outcome()), asked.outcomes as usize, asked.unit);
        let any = !stands.is_empty();
        if any {
            asked.holders.insert(id);
        } else {
            asked.holders.remove(id);
        }
        account.set_worst_case(question, worst, any);
    }

    /// The fee schedule of an order.
    #[inline(always)]
    pub(crate) fn fees(&self, venue: VenueId, instrument: &Instrument) -> Fees {
        match venue.0 {
            0 => instrument.fees,
            id => self.venues[id as usize - 1].fees.unwrap_or(instrument.fees),
        }
    }

    /// What an account is charged: the schedule, lowered by its volume and its cap.
    #[inline(always)]
    pub(crate) fn rates(&self, account: AccountId, venue: VenueId, instrument: &Instrument) -> Fees {
        let fees = self.fees(venue, instrument);
        if self.charges_apart { self.lowered(account, venue, fees) } else { fees }
    }

    /// Reserve of one lot of an order: settlement atoms for perpetuals and outcomes, for spot the asset paid.
    #[inline(always)]
    pub(crate) fn reserve_per_lot(
        &self,
        instrument: &Instrument,
        venue: VenueId,
        side: Side,
        price: Price,
    ) -> Amount {
        let spot = match instrument.traded {
            Traded::Spot { base_atoms_per_lot, .. } => {
                if side == Side::Sell {
                    return Amount(i128::from(base_atoms_per_lot));
                }
                true
            }
            _ => false,
        };
        let fees = self.fees(venue, instrument);
        let rate = Ppm(fees.highest_ppm());
        xos_risk::reserve_per_lot(
            instrument.outcome_terms(),
            spot,
            side == Side::Buy,
            price,
            instrument.k,
            rate,
        )
    }

    /// Whether an account can bear to lose this by reducing by `lots`.
    #[cold]
    pub(crate) fn bears(
        &self,
        id: AccountId,
        instrument: &Instrument,
        equity: Amount,
        reduced: Reduced,
        loss: Amount,
        lots: Qty,
    ) -> bool {
        // An outcome has no maintenance requirement and no loss.
        if loss == Amount::ZERO && !self.is_scenario(id) {
            return equity >= loss;
        }
        self.bearable(id, instrument, equity, reduced, lots).is_some_and(|most| loss <= most)
    }

    /// The most that an account can bear to lose by reducing by `lots`: equity pays for it and for the fees, it is no more
    /// than the margin that the lots give free, and no more than their share of the equity. Otherwise closing would leave
    /// a debt, or the rest of the positions without the margin they had. Below zero it is the equity; none where the lots
    /// give nothing free.
    #[cold]
    pub(crate) fn bearable(
        &self,
        id: AccountId,
        instrument: &Instrument,
        equity: Amount,
        reduced: Reduced,
        lots: Qty,
    ) -> Option<Amount> {
        if equity < Amount::ZERO {
            return Some(equity);
        }
        let freed = Requirement(widening_up(instrument.margin_value, lots.0)).floor();
        let share = self.share_of_equity(id, instrument, equity, reduced, lots)?;
        Some(equity.min(freed).min(share))
    }

    /// The part of an equity, at least 0, that lots of a position have in the maintenance requirement of their account;
    /// none where it is no less without them, which only scenario mode knows.
    pub(crate) fn share_of_equity(
        &self,
        id: AccountId,
        instrument: &Instrument,
        equity: Amount,
        reduced: Reduced,
        lots: Qty,
    ) -> Option<Amount> {
        if self.is_scenario(id) {
            let left = |gone: Qty| reduced.position - reduced.position.signum() * gone.0;
            let needed = |gone: Qty| self.maintenance_without(id, instrument, reduced.position, left(gone));
            let (before, after) = (needed(reduced.before), needed(reduced.before + lots));
            return match before > Requirement::ZERO {
                true if after <= before => Some(portion_down(equity, (before - after).0, before.0)),
                false if after == before => Some(Amount::ZERO),
                _ => None,
            };
        }
        let own = |gone: Qty| instrument.maintenance_of(Qty(reduced.position.abs()) - gone);
        let mut all = own(reduced.before) - own(Qty::ZERO);
        self.equity_with(id, |instrument, lots| all += instrument.maintenance_of(lots));
        let share = own(reduced.before) - own(reduced.before + lots);
        Some(portion_down(equity, share.0, all.0))
    }

    /// Position of an account and its resting lots on one side.
    #[inline(always)]
    pub(crate) fn stand_of(&self, account: AccountId, key: StandKey, side: Side) -> (i64, Qty) {
        match self.accounts[account.index()].stand(key) {
            None => (0, Qty::ZERO),
            Some(stand) => (stand.lots, stand.resting(side)),
        }
    }

    /// Whether a resting order's owner can afford a fill: headroom covers the loss at once, or it takes nothing.
    #[inline]
    pub(crate) fn affords(&self, instrument: &Instrument, resting: &RestingOrder, lots: Qty) -> bool {
        let margin = self.margin(resting.account);
        if let Traded::Spot { base, quote, base_atoms_per_lot } = instrument.traded {
            return margin.covers(Amount::ZERO)
                || self.gains(instrument, (base, base_atoms_per_lot, quote), resting, lots);
        }
        let loss = self.loss_of_fill(instrument, resting.side, resting.price, lots);
        let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
        let reducing = reduces(position, resting.side, lots);
        let reduced = Reduced { position, before: Qty::ZERO };
        margin.covers(loss)
            || (reducing && self.bears(resting.account, instrument, margin.equity, reduced, loss, lots))
    }

    /// Whether what a spot fill brings its owner is worth what it takes, fees counted: other assets at their value as
    /// collateral, of totals as liquidation sees them.
    #[cold]
    fn gains(
        &self,
        instrument: &Instrument,
        (base, base_atoms_per_lot, quote): (AssetId, u64, AssetId),
        resting: &RestingOrder,
        lots: Qty,
    ) -> bool {
        let delivered = Amount(i128::from(base_atoms_per_lot)).times_lots(lots);
        let value = notional(resting.price, lots, instrument.k);
        let fee = fee_up(value, Ppm(self.rates(resting.account, resting.venue, instrument).maker_ppm.max(0)));
        let (more_base, more_quote) = match resting.side {
            Side::Buy => (delivered, -value - fee),
            Side::Sell => (-delivered, value - fee),
        };
        let gained = |asset: AssetId, more: Amount| {
            if asset == SETTLEMENT {
                return more;
            }
            let total = self.ledger.balance(resting.account, asset).total;
            self.value_as_collateral(asset, total + more) - self.value_as_collateral(asset, total)
        };
        gained(base, more_base) + gained(quote, more_quote) >= Amount::ZERO
    }

    /// What a fill loses at once against the mark; 0 for outcomes, whose reserve is exact.
    #[inline(always)]
    pub(crate) fn loss_of_fill(
        &self,
        instrument: &Instrument,
        side: Side,
        price: Price,
        lots: Qty,
    ) -> Amount {
        match instrument.traded {
            Traded::Perpetual { .. } => {
                xos_risk::loss_against_mark(side == Side::Buy, price, instrument.mark, lots, instrument.k)
            }
            _ => Amount::ZERO,
        }
    }
}

/// Whether `lots` on `side` only take from a position.
#[inline(always)]
pub(crate) fn reduces(position: i64, side: Side, lots: Qty) -> bool {
    position.signum() == -side.sign() && lots.0 <= position.abs()
}

/// Lots of a position that an order on `side` can reduce.
#[inline(always)]
pub(crate) fn reducible(position: i64, side: Side) -> Qty {
    if position.signum() == -side.sign() { Qty(position.abs()) } else { Qty::ZERO }
}
