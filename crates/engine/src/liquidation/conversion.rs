//! Conversion: collateral is sold in its spot book for a debt in the settlement asset. Each sale is no worse than the index less
//! the declared slippage, which is at most the haircut: no sale lowers equity.

use crate::engine::Engine;
use crate::instrument::{Instrument, Traded};
use crate::liquidation::{LIQUIDATION_ORDER, OPEN, WAIT_NS};
use crate::orders::{Asked, Incoming, held_asset};
use crate::step::{Refused, Step, refused, wide};
use xos_book::RestingOrder;
use xos_ledger::SETTLEMENT;
use xos_protocol::{CancelReason, EventKind, InstrumentState, Reject, SelfTrade, Side, Tif};
use xos_risk::unrealised;
use xos_units::{
    AccountId, Amount, AssetId, InstrumentId, PPM_ONE, Ppm, Price, QTY_LOTS_BOUND, Qty, VenueId,
    division::whole_parts, notional,
};

/// Debt that nobody reaches: no limit is declared.
pub(crate) const DEBT_UNBOUNDED: Amount = Amount(1 << 120);
/// Orders that one visit sends at most.
const CONVERSIONS_PER_VISIT_MAX: usize = 4;
/// More whole lots than any order has.
const LOTS_MAX: Qty = Qty(QTY_LOTS_BOUND - 1);

/// Collateral of an account that may be sold for its debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convertible {
    /// The asset.
    pub asset: AssetId,
    /// The spot instrument in whose book it is sold.
    pub instrument: InstrumentId,
    /// Whole lots, those that orders hold included.
    pub lots: Qty,
    /// Lowest price of a sale now.
    pub price: Price,
    /// Collateral value of all of it.
    pub value: Amount,
}

impl Instrument {
    /// Lowest price at which its base is converted.
    fn conversion_price(&self, slippage: Ppm) -> Price {
        let index = i128::from(self.index.0);
        let less = index * i128::from(slippage.0) / i128::from(PPM_ONE);
        Price(i64::try_from(index - less).expect("no more than the index").max(1))
    }

    fn base_atoms_per_lot(&self) -> u64 {
        match self.traded {
            Traded::Spot { base_atoms_per_lot, .. } => base_atoms_per_lot,
            _ => 1,
        }
    }
}

impl Engine {
    /// What an account owes in the settlement asset.
    pub fn debt(&self, id: AccountId) -> Amount {
        (-self.ledger.settlement(id).total).max(Amount::ZERO)
    }

    /// What it owes beyond the declared limit.
    #[inline(always)]
    pub(crate) fn excess_debt(&self, id: AccountId) -> Amount {
        -self.ledger.settlement(id).total - self.debt_max
    }

    /// What of an account's collateral may be sold for its debt, the most valuable first, then by asset.
    pub fn convertible(&self, id: AccountId) -> Vec<Convertible> {
        let mut found = Vec::new();
        if self.is_simulated(id) {
            return found;
        }
        for (asset, balance) in self.ledger.balances(id) {
            let Some(Some(collateral)) = self.collaterals.get(asset.index()) else { continue };
            let Some(slippage) = collateral.slippage else { continue };
            let instrument = &self.instruments[collateral.instrument.index()];
            let lots = balance.total.whole_lots(instrument.base_atoms_per_lot(), LOTS_MAX);
            if lots > Qty::ZERO {
                found.push(Convertible {
                    asset,
                    instrument: instrument.id,
                    lots,
                    price: instrument.conversion_price(slippage),
                    value: self.value_as_collateral(asset, balance.total),
                });
            }
        }
        found.sort_by_key(|one| (-one.value.0, one.asset));
        found
    }

    /// Whether an account owes too much and has something to sell for it.
    fn has_to_repay(&self, id: AccountId) -> bool {
        self.excess_debt(id) > Amount::ZERO && !self.convertible(id).is_empty()
    }

    /// An account whose money moved is looked at if it owes too much.
    pub(crate) fn look_at_debt(&mut self, id: AccountId) {
        if self.liquidations.converts && self.excess_debt(id) > Amount::ZERO {
            self.look_at_excess(id);
        }
    }

    #[cold]
    fn look_at_excess(&mut self, id: AccountId) {
        let liquidations = &self.liquidations;
        let is_known = liquidations.visits.next(id).is_some() || liquidations.repayments.next(id).is_some();
        if !is_known && self.has_to_repay(id) {
            self.liquidations.pending.insert(id);
        }
    }

    /// Whether an account that owes too much is to be visited for it now.
    pub(crate) fn is_due_to_repay(&mut self, id: AccountId) -> bool {
        if !self.liquidations.converts {
            return false;
        }
        if !self.has_to_repay(id) {
            self.liquidations.repayments.set(id, None);
            return false;
        }
        self.liquidations.repayments.next(id).is_none_or(|next_ns| next_ns == OPEN)
    }

    /// Sells collateral until the debt is within its limit; what cannot be sold now waits for the next visit.
    pub(crate) fn repay(&mut self, step: &mut Step, id: AccountId) {
        self.convert(step, id, Self::excess_debt);
        let next_ns = self.has_to_repay(id).then(|| step.time_ns.saturating_add(WAIT_NS));
        self.liquidations.repayments.set(id, next_ns);
    }

    /// A rung of the ladder: what the account would owe if its positions closed at the mark.
    pub(crate) fn convert_collateral(&mut self, step: &mut Step, id: AccountId) {
        if self.liquidations.converts {
            self.convert(step, id, Self::cash_short);
        }
    }

    fn cash_short(&self, id: AccountId) -> Amount {
        let mut cash = self.ledger.settlement(id).total;
        for stand in self.accounts[id.index()].stands.iter().take_while(|stand| stand.key.is_perpetual()) {
            let instrument = &self.instruments[stand.key.instrument().index()];
            cash += unrealised(stand.lots, instrument.mark_value, stand.holding().cost);
            cash += instrument.unsettled(stand);
        }
        -cash
    }

    fn convert(&mut self, step: &mut Step, id: AccountId, short: fn(&Self, AccountId) -> Amount) {
        let mut sent = 0;
        for collateral in self.convertible(id) {
            let needed = short(self, id);
            if needed <= Amount::ZERO || sent == CONVERSIONS_PER_VISIT_MAX || self.violation.is_some() {
                return;
            }
            sent += usize::from(self.sell(step, id, &collateral, needed));
        }
    }

    /// Offers as many lots as bring what is needed at the best bid; false if there is nothing to offer or no bid.
    fn sell(&mut self, step: &mut Step, id: AccountId, collateral: &Convertible, needed: Amount) -> bool {
        let at = collateral.instrument.index();
        let instrument = &self.instruments[at];
        let (limit, is_open) = (collateral.price, instrument.gate == InstrumentState::Continuous);
        let eligibility = self.eligibility_of(id, VenueId(0));
        let Some(best) = instrument.best_price(Side::Buy, eligibility.reach) else { return false };
        if !is_open || instrument.index == Price::ZERO || best < limit {
            return false;
        }
        let per_lot = notional(best, Qty(1), instrument.k);
        let wanted = whole_parts(needed + per_lot - Amount(1), per_lot);
        let wanted = Qty(i64::try_from(wanted).unwrap_or(i64::MAX)).min(collateral.lots);
        let (k, base_atoms) = (instrument.k, instrument.base_atoms_per_lot());
        if self.ledger.balance(id, collateral.asset).free().whole_lots(base_atoms, LOTS_MAX) < wanted {
            self.free_collateral(step, id, collateral.asset);
        }
        let total = self.ledger.settlement(id).total;
        let event = step.push(EventKind::ConversionOrder);
        event.side = Side::Sell.code();
        event.account = id.0;
        event.instrument = collateral.instrument.0;
        event.price = limit.0;
        event.qty = wanted.0;
        event.amount = wide(needed);
        event.counter_amount = wide(total);
        let before = self.maintenance(id).0;
        let order = RestingOrder {
            account: id,
            owner: self.accounts[id.index()].owner,
            instrument: collateral.instrument,
            venue: VenueId(0),
            tif: Tif::Ioc,
            self_trade: SelfTrade::CancelMaker,
            ..RestingOrder::unlinked(LIQUIDATION_ORDER, Side::Sell, limit, wanted)
        };
        let mut incoming = Incoming { order, at, per_lot: Amount::ZERO, display: Qty::ZERO, eligibility };
        let first = step.events.len();
        self.match_liquidation(step, &mut incoming);
        let (mut sold, mut brought) = (Qty::ZERO, Amount::ZERO);
        for trade in step.events[first..].iter().filter(|event| event.kind == EventKind::Trade.code()) {
            sold += Qty(trade.qty);
            brought += notional(Price(trade.price), Qty(trade.qty), k);
        }
        if sold > Qty::ZERO {
            let event = step.push(EventKind::CollateralConverted);
            event.account = id.0;
            event.instrument = collateral.instrument.0;
            event.qty = sold.0;
            event.amount = wide(brought);
            event.counter_amount = wide(self.ledger.settlement(id).total);
        }
        // Invariant 24: no step makes it worse, and no more is sold than is needed, but for a part of a lot.
        if self.maintenance(id).0 < before || brought >= needed + per_lot {
            let detail = format!("account {id}: {} lots brought {} of {}", sold.0, brought.0, needed.0);
            self.halt(24, step.sequence, detail);
        }
        true
    }

    /// The account's own orders that hold an asset leave.
    fn free_collateral(&mut self, step: &mut Step, id: AccountId, asset: AssetId) {
        for slot in self.orders_of(id, None, None) {
            let order = self.pool.order(slot);
            if held_asset(&self.instruments[order.instrument.index()], order.side) == Some(asset) {
                self.cancel_resting(step, slot, CancelReason::Conversion);
            }
        }
    }

    /// Whether paying `cost` leaves the debt of an account within the limit.
    #[cold]
    #[inline(never)]
    pub(crate) fn check_debt(&self, id: AccountId, cost: Amount) -> Result<(), Refused> {
        let owed = cost - self.ledger.settlement(id).total;
        if owed > self.debt_max { refused(Reject::DebtLimit, owed.0, self.debt_max.0) } else { Ok(()) }
    }

    /// Whether an order that costs this at once, and is not exempt, leaves it there.
    #[inline(always)]
    pub(crate) fn check_new_debt(&self, asked: &Asked, is_exempt: bool, cost: Amount) -> Result<(), Refused> {
        if is_exempt || !self.limits_debt {
            Ok(())
        } else {
            self.check_debt(asked.account, cost - asked.pulled)
        }
    }

    /// Whether nobody would look at an account that has to repay.
    pub(crate) fn repayment_is_missed(&self, id: AccountId) -> bool {
        let liquidations = &self.liquidations;
        let is_open = |next_ns: Option<u64>| next_ns == Some(OPEN);
        let (visit, repayment) = (liquidations.visits.next(id), liquidations.repayments.next(id));
        if liquidations.pending.contains(id) {
            return false;
        }
        let is_forgotten = is_open(visit) || is_open(repayment);
        let has_to = liquidations.converts && visit.is_none() && repayment.is_none() && self.has_to_repay(id);
        is_forgotten || (has_to && !(self.is_liquidatable(id) && self.waits_for_prices(id)))
    }

    /// The debt limit of the settlement asset; none: margin alone bounds a debt.
    pub fn debt_limit(&self) -> Option<Amount> {
        self.assets.get(SETTLEMENT.index()).and_then(|spec| spec.debt_max)
    }
}
