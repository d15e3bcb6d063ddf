//! Section 25: orders of one outcome trade with those of all others.

use super::events::{Cause, Closed};
use super::fill::flagged;
use super::matching::Reached;
use super::money::{fee_up, share_down};
use super::state::{House, Order, Party, SETTLEMENT, World};
use std::collections::BTreeMap;
use xos_protocol::{
    CancelReason, EventKind, EventRecord, Flags, InstrumentState, Int128, PriceSource, SelfTrade, Side,
};

/// A side of a question whose best prices reach a unit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cross {
    /// The question.
    pub question: u32,
    /// The side.
    pub side: Side,
    /// Whether the implied price of every outcome exists.
    pub exists: bool,
}

/// Whether a taker of this side would rather have `a` than `b`.
fn is_better(side: Side, a: i64, b: i64) -> bool {
    if side == Side::Buy { a < b } else { a > b }
}

impl World {
    /// The question of an outcome, if it has implied liquidity.
    pub(super) fn implied_question(&self, instrument: u32) -> Option<u32> {
        let id = self.question_of(instrument);
        (id != 0 && self.question(id).spec.implied).then_some(id)
    }

    /// The other outcomes, in order.
    fn legs_of(&self, question: u32, instrument: u32) -> Vec<u32> {
        self.question(question).instruments().filter(|&i| i != instrument).collect()
    }

    /// Where the oldest order of the plain profile at the best price of a side stands.
    fn first_of(&self, orders: &[Order], instrument: u32, side: Side) -> Option<usize> {
        let mut first: Option<usize> = None;
        for (at, order) in orders.iter().enumerate() {
            if order.instrument != instrument || order.side != side || !self.is_plain(order) {
                continue;
            }
            if first.is_none_or(|f| order.price * side.sign() > orders[f].price * side.sign()) {
                first = Some(at);
            }
        }
        first
    }

    /// Complete sets that may still be created, or are there to be redeemed.
    fn sets_left(&self, question: u32, side: Side) -> i128 {
        let question = self.question(question);
        if side == Side::Sell {
            return question.sets.into();
        }
        let unit = question.unit_value(1);
        let most = unit.saturating_mul(1 << 60).min((1 << 96) - 1);
        most / unit - i128::from(question.sets)
    }

    /// The implied price of an outcome for a side among these orders, with so many sets left.
    fn price_among(&self, orders: &[Order], instrument: u32, side: Side, sets: i128) -> Option<i64> {
        let id = self.implied_question(instrument)?;
        let question = self.question(id);
        let accepts = |i: u32| self.instrument(i).accepts() == InstrumentState::Continuous;
        if sets < 1 || !question.instruments().all(accepts) {
            return None;
        }
        let mut price = question.spec.ticks_per_unit;
        for leg in self.legs_of(id, instrument) {
            price -= orders[self.first_of(orders, leg, side)?].price;
        }
        (price >= 1).then_some(price)
    }

    /// The price that exists, whoever may get it.
    pub(super) fn implied_price(&self, instrument: u32, side: Side) -> Option<i64> {
        let sets = self.sets_left(self.implied_question(instrument)?, side);
        self.price_among(&self.orders, instrument, side, sets)
    }

    /// Whether an incoming order reaches a price and no resting order of its own side has the better claim to it.
    fn gets(&self, orders: &[Order], incoming: &Order, price: i64) -> bool {
        let side = incoming.side;
        let reaches = |order: &Order| !is_better(side, order.price, price);
        let claim = self.first_of(orders, incoming.instrument, side).map(|at| &orders[at]);
        let claimed = claim
            .is_some_and(|first| reaches(first) && first.price * side.sign() >= incoming.price * side.sign());
        reaches(incoming) && !claimed
    }

    /// Whether the next thing that an incoming order meets is a step: its price.
    pub(super) fn next_step(&self, incoming: &Order) -> Option<i64> {
        let price = self.implied_price(incoming.instrument, incoming.side)?;
        if !self.accepts_plain(incoming) || !self.gets(&self.orders, incoming, price) {
            return None;
        }
        let direct = self.best_met_by(incoming).map(|at| self.orders[at].price);
        direct.is_none_or(|direct| is_better(incoming.side, price, direct)).then_some(price)
    }

    pub(super) fn implied_crosses(&self) -> Vec<Cross> {
        let mut crosses = Vec::new();
        for (question, known) in (1..).zip(&self.questions) {
            for side in [Side::Buy, Side::Sell].into_iter().filter(|_| known.spec.implied) {
                let best = |i| Some(self.orders[self.first_of(&self.orders, i, side)?].price);
                let bests: Option<Vec<i64>> = known.instruments().map(best).collect();
                let beyond = bests.map(|bests| bests.iter().sum::<i64>() - known.spec.ticks_per_unit);
                if beyond.is_some_and(|beyond| beyond * side.sign() >= 0) {
                    let exists = known.instruments().all(|i| self.implied_price(i, side).is_some());
                    crosses.push(Cross { question, side, exists });
                }
            }
        }
        crosses
    }

    /// Meetings that a step takes.
    pub(super) fn meetings_of_step(&self, instrument: u32) -> u32 {
        let question = self.question(self.question_of(instrument));
        question.instruments().count() as u32 - 1
    }

    /// Lots of a leg's order that count, without its owner's money.
    fn reducible(&self, order: &Order, used: i64) -> i64 {
        let closable = self.holding(order.account, order.instrument).closable_by(order.side);
        let lots = order.visible();
        if order.is_reduce_only() { (closable - used).max(0).min(lots) } else { lots }
    }

    fn affords_leg(&self, order: &Order, lots: i64, used: i64) -> bool {
        let closable = self.holding(order.account, order.instrument).closable_by(order.side);
        let reduces = closable > 0 && used + lots <= closable;
        let standing = self.standing(order.account);
        let headroom = self.headroom(&standing);
        headroom >= 0 || (reduces && headroom + self.initial_margin(&standing) >= 0)
    }

    /// One step; gives the meetings that it took.
    pub(super) fn step_implied(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        price: i64,
        events: &mut Vec<EventRecord>,
    ) -> u32 {
        let (id, side) = (self.question_of(incoming.instrument), incoming.side);
        let legs = self.legs_of(id, incoming.instrument);
        let first = |world: &World, leg| world.first_of(&world.orders, leg, side).expect("every leg has one");
        let mut lots = i128::from(incoming.remaining).min(self.sets_left(id, side));
        for (met, &leg) in (1u32..).zip(&legs) {
            let at = first(self, leg);
            let order = self.orders[at].clone();
            let same_owner = self.has_same_owner(incoming.account, order.account);
            if incoming.self_trade != SelfTrade::None && same_owner {
                self.prevent_self_trade(cause, incoming, at, events);
                return met;
            }
            let can = self.reducible(&order, 0);
            if can == 0 {
                self.cancel_resting(cause, at, CancelReason::ReduceOnly, events);
                return met;
            }
            lots = lots.min(can.into());
        }
        let lots = i64::try_from(lots).expect("no more than the order has");
        let all = legs.len() as u32;
        for &leg in &legs {
            let at = first(self, leg);
            if !self.affords_leg(&self.orders[at], lots, 0) {
                self.cancel_resting(cause, at, CancelReason::Unaffordable, events);
                return all;
            }
        }
        self.trade_step(cause, incoming, price, lots, &legs, events);
        self.pull_breached(cause, incoming, events);
        all
    }

    fn trade_step(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        price: i64,
        lots: i64,
        legs: &[u32],
        events: &mut Vec<EventRecord>,
    ) {
        let (id, side) = (self.question_of(incoming.instrument), incoming.side);
        let fee = fee_up(self.fee_base(incoming.instrument, price, lots), self.rates(incoming).taker_ppm);
        let fees = self.leg_fees(side, lots, fee, legs);
        self.count_step(incoming, price, lots, legs);
        self.questions[id as usize - 1].sets += side.sign() * lots;
        incoming.remaining -= lots;
        self.last_trade_id += 1;
        let mut event = EventRecord {
            price,
            qty: lots,
            remaining: incoming.remaining,
            amount: Int128::new(fee),
            counter_amount: Int128::new(self.question(id).sets.into()),
            ..cause.of_order(EventKind::ImpliedTrade, incoming)
        };
        event.detail = [0; 32];
        event.set_counterpart(0, 0, 0, 0, self.last_trade_id);
        events.push(flagged(event, self.is_public(incoming.instrument, price)));
        let rebates: i128 = fees.iter().map(|fee| (-fee).max(0)).sum();
        self.pay_question(id, incoming, price, lots);
        self.divide_fee(cause, incoming, fee - rebates, events);
        self.trade_part(cause, incoming, price, lots, events);
        let mut traded = vec![incoming.account];
        for (&leg, &fee) in legs.iter().zip(&fees) {
            let at = self.first_of(&self.orders, leg, side).expect("every leg has one");
            self.orders[at].lose(lots);
            let order = self.orders[at].clone();
            if order.remaining == 0 {
                self.orders.remove(at);
            }
            self.last_trade_id += 1;
            let mut event = EventRecord {
                qty: lots,
                remaining: order.remaining,
                amount: Int128::new(fee),
                ..cause.of_order(EventKind::ImpliedLeg, &order)
            };
            event.detail = [0; 32];
            let taker = (incoming.id, incoming.account, incoming.venue, incoming.remaining);
            event.set_counterpart(taker.0, taker.1, taker.2, taker.3, self.last_trade_id);
            events.push(flagged(event, self.is_public(leg, order.price)));
            self.pay_question(id, &order, order.price, lots);
            let rebate = (-fee).max(0);
            self.post(Party::Account(incoming.account), Party::Account(order.account), SETTLEMENT, rebate);
            self.divide_fee(cause, &order, fee.max(0), events);
            self.trade_part(cause, &order, order.price, lots, events);
            if order.remaining == 0 {
                self.entry_left(cause, order.id, events);
            }
            traded.push(order.account);
        }
        traded.into_iter().for_each(|account| self.look_at_debt(account));
    }

    /// Volume of a leg, unless it has the owner of the incoming order; and of that, unless a leg has its owner.
    fn count_step(&mut self, incoming: &Order, price: i64, lots: i64, legs: &[u32]) {
        let owner = |world: &World, order: &Order| world.account(order.account).owner;
        let mut meets_itself = false;
        for &leg in legs {
            let order =
                self.orders[self.first_of(&self.orders, leg, incoming.side).expect("it is there")].clone();
            if owner(self, &order) == owner(self, incoming) {
                meets_itself = true;
            } else {
                self.count_volume(&order, self.fee_base(leg, order.price, lots));
            }
        }
        if !meets_itself {
            self.count_volume(incoming, self.fee_base(incoming.instrument, price, lots));
        }
    }

    /// The maker fee of each leg, negative: a rebate; together the rebates are no more than the taker's fee.
    fn leg_fees(&self, side: Side, lots: i64, taker_fee: i128, legs: &[u32]) -> Vec<i128> {
        let mut fees = Vec::new();
        for &leg in legs {
            let order = &self.orders[self.first_of(&self.orders, leg, side).expect("every leg has one")];
            let base = self.fee_base(leg, order.price, lots);
            let ppm = self.rates(order).maker_ppm;
            fees.push(if ppm >= 0 { fee_up(base, ppm) } else { -share_down(base, -ppm) });
        }
        let wanted: i128 = fees.iter().map(|fee| (-fee).max(0)).sum();
        if wanted > taker_fee {
            for fee in fees.iter_mut().filter(|fee| **fee < 0) {
                *fee = -(taker_fee * -*fee / wanted);
            }
        }
        fees
    }

    /// A buyer pays the question, a seller is paid by it.
    fn pay_question(&mut self, question: u32, order: &Order, price: i64, lots: i64) {
        let value = self.instrument(order.instrument).value(price, lots) * i128::from(order.side.sign());
        self.post(Party::Account(order.account), Party::House(House::Question(question)), SETTLEMENT, value);
    }

    /// Position of one part, and what sees its price.
    fn trade_part(
        &mut self,
        cause: &Cause,
        order: &Order,
        price: i64,
        lots: i64,
        events: &mut Vec<EventRecord>,
    ) {
        if self.is_public(order.instrument, price) {
            self.print(cause, order.instrument, price);
        }
        let closed: Option<Closed> = self.move_position(order, lots, price);
        if let Some(closed) = closed {
            events.push(cause.pnl_realised(order, price, &closed));
        }
        self.replenish(cause, order.id, events);
        self.protect(cause, order, lots, events);
        self.reach(order.instrument, PriceSource::Last);
        self.arm(order, lots);
    }

    /// The lots that a fill-or-kill order would certainly reach, steps counted.
    pub(super) fn plan_with_implied(&self, incoming: &Order, now_ns: u64) -> Reached {
        let Some(id) = self.implied_question(incoming.instrument) else { return Reached::default() };
        let mut plan = Plan {
            // What the plan leaves of every book.
            orders: self.orders.clone(),
            sets: self.sets_left(id, incoming.side),
            used: BTreeMap::new(),
            reached: Reached::default(),
            met: 0,
        };
        while plan.reached.lots < incoming.remaining && self.plan_next(&mut plan, incoming, now_ns) {}
        plan.reached
    }

    fn plan_next(&self, plan: &mut Plan, incoming: &Order, now_ns: u64) -> bool {
        let direct = self.best_among(&plan.orders, incoming);
        let step = self
            .price_among(&plan.orders, incoming.instrument, incoming.side, plan.sets)
            .filter(|&price| self.accepts_plain(incoming) && self.gets(&self.orders, incoming, price))
            .filter(|&price| direct.is_none_or(|at| is_better(incoming.side, price, plan.orders[at].price)));
        let needed = if step.is_some() { self.meetings_of_step(incoming.instrument) } else { 1 };
        if plan.met + needed > self.limits.matches_per_command_max {
            return false;
        }
        match (step, direct) {
            (Some(_), _) => self.plan_step(plan, incoming, now_ns),
            (None, Some(at)) => {
                plan.met += 1;
                let order = plan.orders.remove(at);
                let with_itself = order.account == incoming.account;
                match self.plan_order(plan, incoming, &order, with_itself, now_ns) {
                    None => return false,
                    Some(can) => {
                        let lots = can.min(incoming.remaining - plan.reached.lots);
                        let used = plan.used(&order).0;
                        if lots > 0 && (with_itself || self.affords_leg(&order, lots, used)) {
                            plan.count(&order, lots);
                            plan.reached.lots += lots;
                            plan.reached.shown += if self.is_shown(&order) { lots } else { 0 };
                            plan.lose(order, lots);
                        }
                    }
                }
                true
            }
            (None, None) => false,
        }
    }

    fn plan_step(&self, plan: &mut Plan, incoming: &Order, now_ns: u64) -> bool {
        let legs = self.legs_of(self.question_of(incoming.instrument), incoming.instrument);
        let mut lots = i128::from(incoming.remaining - plan.reached.lots).min(plan.sets);
        let first = |world: &World, plan: &Plan, leg| {
            world.first_of(&plan.orders, leg, incoming.side).expect("every leg has one")
        };
        for &leg in &legs {
            plan.met += 1;
            let at = first(self, plan, leg);
            let order = plan.orders[at].clone();
            match self.plan_order(plan, incoming, &order, false, now_ns) {
                None => return false,
                Some(0) => {
                    plan.orders.remove(at);
                    return true;
                }
                Some(can) => lots = lots.min(can.into()),
            }
        }
        let lots = i64::try_from(lots).expect("no more than the order has");
        for &leg in &legs {
            let at = first(self, plan, leg);
            if !self.affords_leg(&plan.orders[at], lots, plan.used(&plan.orders[at]).0) {
                plan.orders.remove(at);
                return true;
            }
        }
        let mut shown = lots;
        for &leg in &legs {
            let at = first(self, plan, leg);
            let order = plan.orders[at].clone();
            plan.count(&order, lots);
            if !self.is_shown(&order) {
                shown = 0;
            }
            if order.visible() == lots {
                let order = plan.orders.remove(at);
                plan.lose(order, lots);
            } else {
                plan.orders[at].lose(lots);
            }
        }
        plan.sets -= i128::from(lots);
        plan.reached.lots += lots;
        plan.reached.shown += shown;
        true
    }

    /// Whether these lots of an order, as a plan meets it, are lots that it shows now.
    fn is_shown(&self, met: &Order) -> bool {
        let hidden = |order: &Order| order.remaining - order.visible();
        self.orders.iter().any(|order| order.id == met.id && hidden(order) == hidden(met))
    }

    /// Lots of an order that the plan can count on; 0: it would leave; none: the incoming order would.
    fn plan_order(
        &self,
        plan: &Plan,
        incoming: &Order,
        order: &Order,
        with_itself: bool,
        now_ns: u64,
    ) -> Option<i64> {
        if incoming.self_trade != SelfTrade::None && self.has_same_owner(incoming.account, order.account) {
            return (incoming.self_trade == SelfTrade::CancelMaker).then_some(0);
        }
        let (used, flagged) = plan.used(order);
        let protection = self.protections.get(&(order.account, order.instrument));
        if order.flags.has(Flags::PROTECTED)
            && !with_itself
            && flagged > 0
            && protection.is_some_and(|p| p.after(now_ns, order.side, flagged).is_breached())
        {
            return Some(0);
        }
        Some(self.reducible(order, if with_itself { 0 } else { used }))
    }
}

/// What a plan has counted so far.
struct Plan {
    orders: Vec<Order>,
    /// Complete sets that it leaves.
    sets: i128,
    /// By account and outcome: lots, and of them those of flagged orders.
    used: BTreeMap<(u32, u32), (i64, i64)>,
    reached: Reached,
    met: u32,
}

impl Plan {
    /// An order whose visible lots are used up comes again with its next ones, at the back.
    fn lose(&mut self, mut order: Order, lots: i64) {
        order.lose(lots);
        if order.display > 0 && order.remaining > 0 {
            order.shown = order.display.min(order.remaining);
            self.orders.push(order);
        }
    }

    fn used(&self, order: &Order) -> (i64, i64) {
        self.used.get(&(order.account, order.instrument)).copied().unwrap_or_default()
    }

    fn count(&mut self, order: &Order, lots: i64) {
        let used = self.used.entry((order.account, order.instrument)).or_default();
        used.0 += lots;
        used.1 += if order.flags.has(Flags::PROTECTED) { lots } else { 0 };
    }
}
