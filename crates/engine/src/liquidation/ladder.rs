//! One visit of an account below its requirement: cancel its orders, convert collateral, reduce with an order no worse than the bankruptcy
//! price (how much, and at what price at worst, is the market's policy), the tranche, insurance, deleveraging. Each rung looks again whether the account is healthy.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::liquidation::health::{Closable, Health};
use crate::liquidation::rounds::{BankruptAccount, BankruptPosition};
use crate::liquidation::slices::Slice;
use crate::margin::Change;
use crate::orders::Incoming;
use crate::step::{Step, wide};
use xos_book::RestingOrder;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CancelReason, EventKind, Flags, SelfTrade, Side, Tif, TrancheSpec};
use xos_units::{
    AccountId, Amount, OrderId, Ppm, Price, Qty, VenueId,
    division::{fee_up, whole_parts},
    notional,
};

/// Number of an order that no command placed.
pub(crate) const LIQUIDATION_ORDER: OrderId = OrderId(0);

/// The side that closes a position.
pub(crate) fn closing_side(lots: i64) -> Side {
    if lots > 0 { Side::Sell } else { Side::Buy }
}

impl Engine {
    pub(crate) fn visit(&mut self, step: &mut Step, id: AccountId) {
        let cools_until = self.liquidations.visits.next(id).filter(|next_ns| *next_ns > step.time_ns);
        if self.liquidations.visits.next(id).is_none() {
            self.liquidations.repayments.set(id, None);
            let health = self.health(id);
            let event = step.push(EventKind::LiquidationStarted);
            event.account = id.0;
            event.amount = wide(health.equity);
            event.counter_amount = wide(health.maintenance.ceil());
        }
        self.start_clock(step, id);
        for rung in [
            Self::cancel_orders,
            Self::convert_collateral,
            Self::reduce,
            Self::give_to_tranche,
            Self::resolve_bankruptcy,
        ] {
            rung(self, step, id);
            if self.violation.is_some() {
                return;
            }
            if !self.is_liquidatable(id) {
                self.end_liquidation(step, id);
                return;
            }
        }
        let closable = self.closable(id);
        let largest =
            closable.first().and_then(|closable| self.instruments[closable.at].liquidation.as_ref());
        let cooldown_ns = largest.map_or(0, |terms| terms.cooldown_ns());
        // Never now: a visit that changed nothing must not come again before time has passed.
        let next_ns = cools_until.unwrap_or(step.time_ns.saturating_add(cooldown_ns.max(1)));
        self.liquidations.visits.set(id, Some(next_ns));
    }

    fn cancel_orders(&mut self, step: &mut Step, id: AccountId) {
        for slot in self.orders_of(id, None, None) {
            self.cancel_resting(step, slot, CancelReason::Liquidation);
        }
    }

    /// Orders that close a part of what the account holds; while it cools down none, unless it owes more than it has.
    fn reduce(&mut self, step: &mut Step, id: AccountId) {
        let cools = self.liquidations.visits.next(id).is_some_and(|next_ns| next_ns > step.time_ns);
        if cools && self.health(id).equity >= Amount::ZERO {
            return;
        }
        let Some(first) = self.first_to_reduce(step, id) else { return };
        let before = self.health(id);
        self.send_order(step, id, first);
        if self.is_scenario(id)
            && self.violation.is_none()
            && self.is_liquidatable(id)
            && let Some(other) = self.other_half(step, id, first.closable.at)
        {
            self.send_order(step, id, other);
        }
        self.count_freed(id, &before, &self.health(id));
    }

    fn send_order(&mut self, step: &mut Step, id: AccountId, slice: Slice) {
        let Slice { closable: Closable { at, lots: position, cost }, lots } = slice;
        let health = self.health(id);
        let instrument = &self.instruments[at];
        let terms = instrument.liquidation.as_ref().expect("a closable position has terms");
        let fee_rate = Ppm(terms.spec.fee_ppm);
        let (price, side, k) =
            (health.worst_price(instrument, position, cost), closing_side(position), instrument.k);
        let event = step.push(EventKind::LiquidationOrder);
        event.side = side.code();
        event.account = id.0;
        event.instrument = instrument.id.0;
        event.price = price.0;
        event.qty = lots.0;
        event.amount = wide(health.equity);
        event.counter_amount = wide(health.maintenance.ceil());
        let order = RestingOrder {
            account: id,
            owner: self.accounts[id.index()].owner,
            instrument: instrument.id,
            venue: VenueId(0),
            tif: Tif::Ioc,
            flags: Flags::REDUCE_ONLY,
            self_trade: SelfTrade::CancelMaker,
            ..RestingOrder::unlinked(LIQUIDATION_ORDER, side, price, lots)
        };
        let eligibility = self.eligibility_of(id, order.venue);
        let mut incoming = Incoming { order, at, per_lot: Amount::ZERO, display: Qty::ZERO, eligibility };
        let first = step.events.len();
        self.match_liquidation(step, &mut incoming);
        let trades = step.events[first..].iter().filter(|event| event.kind == EventKind::Trade.code());
        let value =
            trades.fold(Amount::ZERO, |sum, event| sum + notional(Price(event.price), Qty(event.qty), k));
        if value > Amount::ZERO {
            self.charge_liquidation(step, id, at, fee_up(value, fee_rate));
        }
        let after = self.health(id);
        // Invariant 24: at the bankruptcy price or better, solvent stays solvent.
        if health.equity >= Amount::ZERO && after.equity < Amount::ZERO {
            let detail = format!(
                "account {} had {} and owes {} after its order",
                id.0, health.equity.0, -after.equity.0
            );
            self.halt(24, step.sequence, detail);
        }
    }

    #[inline(never)]
    pub(super) fn match_liquidation(&mut self, step: &mut Step, incoming: &mut Incoming) {
        // As for every order that matches: makers are judged by the open interest before it.
        self.instruments[incoming.at].hold_open_interest(true);
        self.match_and_tell(step, incoming, false);
        self.instruments[incoming.at].hold_open_interest(false);
    }

    /// The fee is never more than the equity left.
    fn charge_liquidation(&mut self, step: &mut Step, id: AccountId, at: usize, fee: Amount) {
        let fee = fee.min(self.health(id).equity.max(Amount::ZERO));
        if fee == Amount::ZERO {
            return;
        }
        let instrument = self.instruments[at].id.0;
        self.post_insurance(step, id, -fee, Reason::LiquidationFee);
        let event = step.push(EventKind::LiquidationFee);
        event.account = id.0;
        event.instrument = instrument;
        event.amount = wide(fee);
        event.counter_amount = wide(self.told_fund(self.fund_of(id)));
    }

    /// Moves money from the insurance fund to an account; a negative amount to the fund.
    pub(crate) fn post_insurance(&mut self, step: &Step, id: AccountId, amount: Amount, reason: Reason) {
        let (fund, user) = (self.fund_of(id), Party::User(id));
        let (from, to) = if amount >= Amount::ZERO { (fund, user) } else { (user, fund) };
        let result = self.ledger.post(from, to, SETTLEMENT, amount.abs(), reason, step.sequence);
        self.money(step.sequence, result);
    }

    /// Below the backstop the markets' tranches take what they may, each position at its bankruptcy price.
    fn give_to_tranche(&mut self, step: &mut Step, id: AccountId) {
        let health = self.health(id);
        for Closable { at, lots, cost } in self.workable(id) {
            let terms = self.instruments[at].liquidation.as_ref().expect("a closable position has terms");
            let backstop = health.maintenance.ceil().times(Ppm(terms.spec.backstop_ppm));
            let Some(tranche) = terms.tranche() else { continue };
            if health.equity.as_requirement() >= backstop {
                continue;
            }
            let price = health.bankruptcy_price(&self.instruments[at], lots, cost);
            let taken = self.room_of_tranche(&tranche, id, at, lots, price);
            if taken > Qty::ZERO {
                self.take_over(step, id, AccountId(tranche.account), at, lots, taken, price);
            }
        }
    }

    /// Lots that a tranche can take: within its cap, the position limit and its own margin.
    fn room_of_tranche(
        &self,
        tranche: &TrancheSpec,
        from: AccountId,
        at: usize,
        lots: i64,
        price: Price,
    ) -> Qty {
        let id = AccountId(tranche.account);
        if id == from || id.index() >= self.accounts.len() || self.is_isolated(id) {
            return Qty::ZERO;
        }
        let instrument = &self.instruments[at];
        if self.check_money_kind(id, instrument).is_err() {
            return Qty::ZERO;
        }
        let stand = self.accounts[id.index()].stand(instrument.key);
        if stand.is_none() && self.check_room(id, instrument.class(), 1).is_err() {
            return Qty::ZERO;
        }
        let (held, buys, sells) = stand.map_or((0, Qty::ZERO, Qty::ZERO), |s| (s.lots, s.buys, s.sells));
        let (same_way, resting) = if lots > 0 { (held, buys) } else { (-held, sells) };
        let capped = whole_parts(tranche.notional_max, Amount(instrument.mark_value));
        let capped = if self.defends(Defence::TrancheCap) { capped } else { i128::MAX };
        let cap = i64::try_from(capped).unwrap_or(i64::MAX).min(instrument.position_max - resting.0);
        let taken = Qty(lots.abs().min(cap.saturating_sub(same_way)).max(0));
        let side = if lots > 0 { Side::Buy } else { Side::Sell };
        let loss = self.loss_of_fill(instrument, side, price, taken);
        let change = Change::side(instrument.key, side, taken, Amount::ZERO);
        if self.margin_with(id, Some(&change)).covers(loss) { taken } else { Qty::ZERO }
    }

    #[allow(clippy::too_many_arguments)]
    fn take_over(
        &mut self,
        step: &mut Step,
        from: AccountId,
        to: AccountId,
        at: usize,
        lots: i64,
        taken: Qty,
        price: Price,
    ) {
        if self.instruments[at].settling {
            self.settle_both(step, at, from, to);
        }
        let side = closing_side(lots);
        let given = self.move_lots(step.sequence, at, from, side, price, taken);
        let received = self.move_lots(step.sequence, at, to, side.opposite(), price, taken);
        let (realised, left) = given.map_or((Amount::ZERO, 0), |(closed, left, _)| (closed.realised, left));
        let event = step.push(EventKind::TrancheTookOver);
        event.side = side.code();
        event.account = from.0;
        event.instrument = self.instruments[at].id.0;
        event.price = price.0;
        event.qty = taken.0;
        event.remaining = left;
        event.amount = wide(realised);
        event.set_counterpart(0, to.0, 0, 0, 0);
        self.emit_closed_lots(step, at, to, side.opposite(), price, received);
        self.check_open_interest(step.sequence, at);
        self.look_at_debt(to);
    }

    /// Insurance pays what it may of the debt; the positions are closed at the end of the look, at the prices left.
    fn resolve_bankruptcy(&mut self, step: &mut Step, id: AccountId) {
        let before = self.health(id);
        let positions = self.resolvable(id);
        let Some(largest) = positions.first() else { return };
        if before.equity >= Amount::ZERO {
            return;
        }
        let health = if self.defends(Defence::PayerFirst) {
            self.draw_insurance(step, id, largest.at, -before.equity);
            self.health(id)
        } else {
            Health { equity: Amount::ZERO, ..before }
        };
        let mut rounding = Amount::ZERO;
        for Closable { at, lots, cost } in positions {
            let price = health.bankruptcy_price(&self.instruments[at], lots, cost);
            rounding += notional(Price(1), Qty(lots.abs()), self.instruments[at].k);
            let position = BankruptPosition { account: id, at, long: lots > 0, lots: Qty(lots.abs()), price };
            self.liquidations.bankrupt.positions.push(position);
        }
        let due = (-health.equity).max(Amount::ZERO);
        self.liquidations.bankrupt.accounts.push(BankruptAccount { account: id, due, rounding });
    }

    pub(crate) fn draw_insurance(&mut self, step: &mut Step, id: AccountId, at: usize, debt: Amount) {
        let fund = self.told_fund(self.fund_of(id));
        let terms = self.instruments[at].liquidation.as_mut().expect("a closable position has terms");
        let is_capped = self.switches.defends(Defence::InsuranceDrawCap);
        let most = if is_capped { terms.draw_left(step.time_ns) } else { debt };
        let paid = debt.min(fund).min(most);
        if paid <= Amount::ZERO {
            return;
        }
        terms.draw(step.time_ns, paid);
        self.post_insurance(step, id, paid, Reason::InsurancePaid);
        let event = step.push(EventKind::InsurancePaid);
        event.account = id.0;
        event.instrument = self.instruments[at].id.0;
        event.amount = wide(paid);
        event.counter_amount = wide(self.ledger.house(Party::Insurance, SETTLEMENT));
    }
}

impl Health {
    /// Leverage beyond this counts as this when deleveraging divides, millionths: a hundred.
    pub(crate) const LEVERAGE_PPM_MAX: i64 = 100_000_000;
}
