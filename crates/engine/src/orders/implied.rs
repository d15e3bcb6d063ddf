//! The match of an order of a question with implied liquidity: before each meeting, the better of its own book and of
//! all other outcomes at once.

use crate::admission::meets_plain;
use crate::engine::Engine;
use crate::implied::is_better;
use crate::margin::reducible;
use crate::orders::fill::FillSide;
use crate::orders::{Incoming, is_reduce_only};
use crate::step::{Step, wide};
use xos_book::{NO_SLOT, RestingOrder, Slot};
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CancelReason, EventFlags, EventKind, Flags, PriceSource, SelfTrade, Side, Tif};
use xos_risk::fee_base;
use xos_units::division::{fee_up, portion_down, share_down};
use xos_units::{AccountId, Amount, Ppm, Price, Qty, QuestionId, notional};

/// The order of another outcome that a step trades with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    /// Index of its instrument.
    pub(crate) at: usize,
    pub(crate) slot: Slot,
    account: AccountId,
    pub(crate) price: Price,
    /// Fee of the maker; below 0 the rebate that it would have.
    fee: Amount,
}

/// What a step that is being planned comes to.
enum Planned {
    /// It can trade so many lots.
    Lots(Qty),
    /// An order left on its own account: everything is looked at anew.
    Again,
    /// What was left of the incoming order was cancelled.
    Ended,
}

impl Engine {
    /// Trades the incoming order against its book and against all other outcomes. True: what is left of it was
    /// cancelled on the way.
    #[cold]
    #[inline(never)]
    pub(crate) fn match_with_implied(&mut self, step: &mut Step, incoming: &mut Incoming) -> bool {
        let mut meetings = 0;
        while incoming.order.remaining > Qty::ZERO {
            let (side, limit) = (incoming.order.side, incoming.order.price);
            let instrument = &self.instruments[incoming.at];
            let front = instrument.front(&self.pool, side.opposite(), incoming.reach());
            let direct = front.filter(|(best, _)| incoming.reaches(*best));
            let implied = Some(incoming.reach())
                .filter(|reach| meets_plain(*reach))
                .and_then(|_| self.implied_for(incoming.at, side, limit))
                .filter(|price| direct.is_none_or(|(best, _)| is_better(side, *price, best)));
            let Some(needed) = self.meetings_needed(incoming.at, implied.is_some(), direct.is_some()) else {
                return false;
            };
            // The plan of a fill-or-kill order counted its meetings.
            if meetings + needed > self.limits.matches_per_command_max && incoming.order.tif != Tif::Fok {
                self.cancel_incoming(step, incoming, CancelReason::MatchLimit);
                return true;
            }
            let ended = match (implied, direct) {
                (Some(price), _) => self.step_implied(step, incoming, price, &mut meetings),
                (None, Some((_, slot))) => {
                    meetings += 1;
                    let resting = *self.pool.order(slot);
                    self.meet_resting(step, incoming, slot, &resting)
                }
                (None, None) => return false,
            };
            if ended {
                return true;
            }
        }
        false
    }

    /// Meetings that the next step, or the next order of the book, may take; none: there is nothing to meet.
    fn meetings_needed(&self, at: usize, implied: bool, direct: bool) -> Option<u32> {
        match self.instruments[at].question() {
            Some(question) if implied => Some(self.questions[question.index()].outcomes - 1),
            _ => direct.then_some(1),
        }
    }

    fn step_implied(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        price: Price,
        meetings: &mut u32,
    ) -> bool {
        let mut legs = std::mem::take(&mut self.legs);
        legs.clear();
        let planned = self.plan_step(step, incoming, &mut legs, meetings);
        let ended = match planned {
            Planned::Lots(lots) => {
                self.fill_implied(step, incoming, price, lots, &mut legs);
                !self.breached.is_empty() && self.pull_breached(step, incoming)
            }
            Planned::Again => false,
            Planned::Ended => true,
        };
        self.legs = legs;
        ended || self.violation.is_some()
    }

    /// Meets the first order of every leg and finds the lots that all of them can trade.
    fn plan_step(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        legs: &mut Vec<Leg>,
        meetings: &mut u32,
    ) -> Planned {
        let Some(id) = self.instruments[incoming.at].question() else { return Planned::Ended };
        let (side, question) = (incoming.order.side, &self.questions[id.index()]);
        let mut lots = incoming.order.remaining.min(question.sets_left(side));
        for at in question.instruments().map(|id| id.index()).filter(|at| *at != incoming.at) {
            let Some((price, slot)) = self.instruments[at].plain().front(side) else {
                self.halt(10, step.sequence, format!("outcome {} has no order for a step", at + 1));
                return Planned::Ended;
            };
            let resting = self.pool.order(slot);
            *meetings += 1;
            if resting.owner == incoming.order.owner && incoming.order.self_trade != SelfTrade::None {
                let resting = *resting;
                let ended = self.prevent_self_trade(step, incoming, slot, &resting);
                return if ended { Planned::Ended } else { Planned::Again };
            }
            lots = lots.min(resting.remaining);
            if is_reduce_only(resting) {
                let (position, _) = self.stand_of(resting.account, self.instruments[at].key, side);
                let capacity = reducible(position, side);
                if capacity == Qty::ZERO {
                    self.cancel_resting(step, slot, CancelReason::ReduceOnly);
                    return Planned::Again;
                }
                lots = lots.min(capacity);
            }
            let account = self.pool.order(slot).account;
            legs.push(Leg { at, slot, account, price, fee: Amount::ZERO });
        }
        match self.first_unaffordable(legs, lots) {
            Some(slot) => {
                self.cancel_resting(step, slot, CancelReason::Unaffordable);
                Planned::Again
            }
            None => Planned::Lots(lots),
        }
    }

    /// The first leg whose owner cannot afford these lots.
    fn first_unaffordable(&self, legs: &[Leg], lots: Qty) -> Option<Slot> {
        // A market maker has most legs: one look at its headroom serves all of them.
        let mut covered = None::<AccountId>;
        for leg in legs {
            if covered == Some(leg.account) {
                continue;
            }
            if self.margin(leg.account).covers(Amount::ZERO) {
                covered = Some(leg.account);
            } else if !self.affords(&self.instruments[leg.at], self.pool.order(leg.slot), lots) {
                return Some(leg.slot);
            }
        }
        None
    }

    /// Everything is checked: sets are created or redeemed, and every part trades.
    fn fill_implied(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        price: Price,
        lots: Qty,
        legs: &mut [Leg],
    ) {
        let Some(question) = self.instruments[incoming.at].question() else { return };
        self.check_step(step.sequence, incoming, price, lots, legs);
        let fee = self.taker_fee(incoming, price, lots);
        let rebates = self.leg_fees(lots, fee, legs);
        if self.charges_apart {
            self.count_step(incoming, price, lots, legs);
        }
        self.questions[question.index()].sets += incoming.order.side.sign() * lots.0;
        incoming.order.remaining -= lots;
        self.trade_taker(step, incoming, question, price, lots, fee);
        let taker = FillSide::of(&incoming.order);
        self.split_fee(step, incoming.at, &taker, SETTLEMENT, fee - rebates);
        self.finish_part(step, incoming.at, &incoming.order, (price, lots), None);
        for leg in legs.iter() {
            self.trade_leg(step, incoming, question, leg, lots);
        }
        self.refresh_worst_cases(question, incoming.order.account, legs);
        self.check_sets_locked(step.sequence, question);
    }

    fn taker_fee(&self, incoming: &Incoming, price: Price, lots: Qty) -> Amount {
        let instrument = &self.instruments[incoming.at];
        let base = fee_base(instrument.outcome_terms(), price, lots, instrument.k);
        let order = &incoming.order;
        fee_up(base, Ppm(self.rates(order.account, order.venue, instrument).taker_ppm))
    }

    /// Fills in the fee of each leg; gives what the rebates among them add up to, never more than the taker's fee.
    fn leg_fees(&self, lots: Qty, taker_fee: Amount, legs: &mut [Leg]) -> Amount {
        let mut claimed = Amount::ZERO;
        for leg in legs.iter_mut() {
            let instrument = &self.instruments[leg.at];
            let base = fee_base(instrument.outcome_terms(), leg.price, lots, instrument.k);
            let order = self.pool.order(leg.slot);
            let maker_ppm = self.rates(order.account, order.venue, instrument).maker_ppm;
            if maker_ppm >= 0 {
                leg.fee = fee_up(base, Ppm(maker_ppm));
            } else {
                let rebate = share_down(base, Ppm(-maker_ppm));
                (leg.fee, claimed) = (-rebate, claimed + rebate);
            }
        }
        if claimed <= taker_fee {
            return claimed;
        }
        let mut given = Amount::ZERO;
        for leg in legs.iter_mut().filter(|leg| leg.fee < Amount::ZERO) {
            let rebate = portion_down(taker_fee, -leg.fee.0, claimed.0);
            (leg.fee, given) = (-rebate, given + rebate);
        }
        given
    }

    fn trade_taker(
        &mut self,
        step: &mut Step,
        incoming: &Incoming,
        question: QuestionId,
        price: Price,
        lots: Qty,
        fee: Amount,
    ) {
        self.last_trade_id += 1;
        let sets = self.questions[question.index()].sets;
        let flags = self.flags_of_part(incoming.at, price);
        let event = step.push_order(EventKind::ImpliedTrade, &incoming.order);
        (event.flags, event.price, event.qty) = (flags, price.0, lots.0);
        event.detail = [0; 32];
        event.set_counterpart(0, 0, 0, 0, self.last_trade_id);
        event.amount = wide(fee);
        event.counter_amount = wide(Amount(sets.into()));
        self.pay_question(step.sequence, question, incoming.at, &incoming.order, price, lots);
    }

    /// Plain orders, which a step meets, are not the only public ones: it may pass better ones.
    fn flags_of_part(&self, at: usize, price: Price) -> u8 {
        if self.is_public(at, price) { 0 } else { EventFlags::NOT_PUBLIC }
    }

    fn trade_leg(
        &mut self,
        step: &mut Step,
        incoming: &Incoming,
        question: QuestionId,
        leg: &Leg,
        lots: Qty,
    ) {
        let (sequence, taker, resting) = (step.sequence, &incoming.order, *self.pool.order(leg.slot));
        let left = resting.remaining - lots;
        let hidden = if resting.is_iceberg { self.hidden(resting.id) } else { Qty::ZERO };
        self.last_trade_id += 1;
        let flags = self.flags_of_part(leg.at, leg.price);
        let event = step.push_order(EventKind::ImpliedLeg, &resting);
        (event.flags, event.qty, event.remaining) = (flags, lots.0, (left + hidden).0);
        event.detail = [0; 32];
        let counterpart = (taker.id.0, taker.account.0, taker.venue.0, taker.remaining.0);
        event.set_counterpart(counterpart.0, counterpart.1, counterpart.2, counterpart.3, self.last_trade_id);
        event.amount = wide(leg.fee);
        // The resting side gives its reserve back before it pays.
        self.unreserve(sequence, &resting, lots);
        self.pay_question(sequence, question, leg.at, &resting, leg.price, lots);
        if leg.fee < Amount::ZERO {
            let (from, to) = (Party::User(taker.account), Party::User(resting.account));
            let result = self.ledger.post(from, to, SETTLEMENT, -leg.fee, Reason::Rebate, sequence);
            self.money(sequence, result);
        } else {
            self.split_fee(step, leg.at, &FillSide::of(&resting), SETTLEMENT, leg.fee);
        }
        if left > Qty::ZERO {
            self.instruments[leg.at].group_mut(0).shrink(&mut self.pool, leg.slot, lots);
        } else if hidden > Qty::ZERO {
            self.replenish(leg.slot);
        } else {
            self.unlink_resting(sequence, leg.slot, &resting);
            self.refresh_best(leg.at, question, resting.side);
        }
        let replenished = (left == Qty::ZERO && hidden > Qty::ZERO).then_some(leg.slot);
        self.finish_part(step, leg.at, &resting, (leg.price, lots), replenished);
        if left + hidden == Qty::ZERO && resting.flags & Flags::BRACKET != 0 {
            self.entry_left(step, resting.id);
        }
    }

    /// A buyer pays the question, a seller is paid by it.
    fn pay_question(
        &mut self,
        sequence: u64,
        question: QuestionId,
        at: usize,
        order: &RestingOrder,
        price: Price,
        lots: Qty,
    ) {
        let value = notional(price, lots, self.instruments[at].k);
        let (user, collateral) = (Party::User(order.account), Party::Question(question));
        let (from, to, reason) = match order.side {
            Side::Buy => (user, collateral, Reason::Split),
            Side::Sell => (collateral, user, Reason::Merge),
        };
        let result = self.ledger.post(from, to, SETTLEMENT, value, reason, sequence);
        self.money(sequence, result);
    }

    /// What follows from one part of a step: position, the next lots of an iceberg, protection, waiting orders.
    fn finish_part(
        &mut self,
        step: &mut Step,
        at: usize,
        order: &RestingOrder,
        (price, lots): (Price, Qty),
        replenished: Option<Slot>,
    ) {
        if self.is_public(at, price) {
            self.instruments[at].printed(step.time_ns, price);
        }
        let side = FillSide::of(order);
        let closed = self.move_position(step.sequence, at, &side, price, lots);
        self.emit_closed(step, at, &side, price, closed);
        if let Some(slot) = replenished {
            self.emit_replenished(step, slot);
        }
        self.check_open_interest(step.sequence, at);
        if order.flags & Flags::PROTECTED != 0 {
            self.count_order_protected(step, order, lots);
        }
        if self.instruments[at].triggers > 0 {
            self.price_reached(at, PriceSource::Last);
            if order.flags & Flags::BRACKET != 0 {
                self.arm_exits(order.id, lots);
            }
        }
    }

    /// The worst case of each account that traded, once.
    fn refresh_worst_cases(&mut self, question: QuestionId, taker: AccountId, legs: &[Leg]) {
        self.refresh_worst_case(taker, question);
        self.look_at_debt(taker);
        for (at, leg) in legs.iter().enumerate() {
            let account = leg.account;
            if account != taker && legs[..at].iter().all(|before| before.account != account) {
                self.refresh_worst_case(account, question);
                self.look_at_debt(account);
            }
        }
    }

    /// Invariants 9 to 11 of a step: every leg is the oldest order of the best level of its outcome, all lots are there,
    /// nobody passes his limit, and the prices add up to one unit.
    fn check_step(&mut self, sequence: u64, incoming: &Incoming, price: Price, lots: Qty, legs: &[Leg]) {
        let order = &incoming.order;
        let mut sum = price;
        let mut sound = incoming.reaches(price) && lots > Qty::ZERO && lots <= order.remaining;
        for leg in legs {
            let resting = self.pool.order(leg.slot);
            sum += leg.price;
            sound &= resting.prev == NO_SLOT
                && lots <= resting.remaining
                && resting.side == order.side
                && (resting.owner != order.owner || order.self_trade == SelfTrade::None);
        }
        let unit = self.instruments[incoming.at].outcome_terms().map_or(0, |terms| terms.ticks_per_unit);
        if !sound || sum.0 != unit {
            let detail = format!("order {} must not take {} lots of implied liquidity", order.id.0, lots.0);
            self.halt(10, sequence, detail);
        }
    }
}
