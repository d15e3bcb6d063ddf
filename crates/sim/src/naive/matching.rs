//! Section 7: meeting resting orders one by one, and the plan of a fill-or-kill order.

use super::events::Cause;
use super::money::Reducing;
use super::state::{Order, World};
use std::collections::BTreeMap;
use xos_protocol::{CancelReason, EventKind, EventRecord, Flags, SelfTrade, Side, Tif};

/// What matching leaves of the incoming order.
pub(super) enum Left {
    /// It was filled or cancelled.
    Nothing,
    /// Lots that rest or are cancelled by time in force.
    Remainder,
}

impl World {
    /// Where the resting order stands that `incoming` meets next: best price first, then the oldest.
    pub(super) fn best_met_by(&self, incoming: &Order) -> Option<usize> {
        self.best_among(&self.orders, incoming)
    }

    pub(super) fn best_among(&self, orders: &[Order], incoming: &Order) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, order) in orders.iter().enumerate() {
            if self.may_meet(order, incoming) && best.is_none_or(|b| is_better(order, &orders[b])) {
                best = Some(at);
            }
        }
        best
    }

    /// Matches an incoming order that does not rest. Meanwhile the open interest counts as it was before.
    pub(super) fn take(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        events: &mut Vec<EventRecord>,
    ) -> Left {
        self.open_interest_before = Some((incoming.instrument, self.longs(incoming.instrument)));
        let first = events.len();
        let left = self.meet_all(cause, incoming, events);
        self.open_interest_before = None;
        let traded = events[first..]
            .iter()
            .rev()
            .find(|event| matches!(event.kind(), Some(EventKind::Trade | EventKind::ImpliedTrade)));
        let reached = match left {
            Left::Remainder => Some(incoming.price),
            Left::Nothing => traded.map(|event| event.price),
        };
        if matches!(left, Left::Nothing) {
            incoming.remaining = 0;
        }
        if let Some(price) = reached {
            self.tell_skips(cause, incoming, price, events);
        }
        left
    }

    fn meet_all(&mut self, cause: &Cause, incoming: &mut Order, events: &mut Vec<EventRecord>) -> Left {
        let mut met = 0;
        let implied = self.implied_question(incoming.instrument).is_some();
        // The plan of a fill-or-kill order counted its steps.
        let limit =
            if implied && incoming.tif == Tif::Fok { u32::MAX } else { self.limits.matches_per_command_max };
        while incoming.remaining > 0 {
            if let Some(price) = self.next_step(incoming) {
                if limit - met < self.meetings_of_step(incoming.instrument) {
                    let reason = CancelReason::MatchLimit;
                    events.push(cause.cancelled(incoming, reason, incoming.remaining, 0));
                    return Left::Nothing;
                }
                met += self.step_implied(cause, incoming, price, events);
                continue;
            }
            let Some(at) = self.best_met_by(incoming) else { return Left::Remainder };
            if self.halt_before(cause, incoming, self.orders[at].price, events) {
                return Left::Nothing;
            }
            if met == limit {
                let reason = CancelReason::MatchLimit;
                events.push(cause.cancelled(incoming, reason, incoming.remaining, 0));
                return Left::Nothing;
            }
            met += 1;
            let resting = self.orders[at].clone();
            if incoming.self_trade != SelfTrade::None
                && self.has_same_owner(incoming.account, resting.account)
            {
                self.prevent_self_trade(cause, incoming, at, events);
                continue;
            }
            match self.lots_of_meeting(incoming, &resting) {
                Ok(lots) => {
                    self.fill(cause, incoming, at, lots, events);
                    if lots < resting.visible() && incoming.remaining > 0 {
                        self.cancel_resting(cause, at, CancelReason::ReduceOnly, events);
                    }
                    self.pull_breached(cause, incoming, events);
                }
                Err(reason) => self.cancel_resting(cause, at, reason, events),
            }
        }
        Left::Nothing
    }

    /// Takes a resting order out.
    pub(super) fn cancel_resting(
        &mut self,
        cause: &Cause,
        at: usize,
        reason: CancelReason,
        events: &mut Vec<EventRecord>,
    ) {
        let order = self.orders.remove(at);
        self.cancelled(cause, &order, reason, events);
    }

    /// Tells that an order which is out already was cancelled.
    pub(super) fn cancelled(
        &mut self,
        cause: &Cause,
        order: &Order,
        reason: CancelReason,
        events: &mut Vec<EventRecord>,
    ) {
        events.push(cause.cancelled(order, reason, order.remaining, 0));
        self.entry_left(cause, order.id, events);
    }

    pub(super) fn prevent_self_trade(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        at: usize,
        events: &mut Vec<EventRecord>,
    ) {
        let reason = CancelReason::SelfTrade;
        let cancels_resting = matches!(incoming.self_trade, SelfTrade::CancelMaker | SelfTrade::CancelBoth);
        let cancels_incoming = matches!(incoming.self_trade, SelfTrade::CancelTaker | SelfTrade::CancelBoth);
        if cancels_resting {
            self.cancel_resting(cause, at, reason, events);
        }
        if cancels_incoming {
            events.push(cause.cancelled(incoming, reason, incoming.remaining, 0));
            incoming.remaining = 0;
        }
        if incoming.self_trade == SelfTrade::Decrement {
            let resting = &mut self.orders[at];
            let lots = incoming.remaining.min(resting.visible());
            resting.lose(lots);
            let id = resting.id;
            incoming.remaining -= lots;
            events.push(cause.cancelled(resting, reason, lots, resting.remaining));
            if resting.remaining == 0 {
                let gone = self.orders.remove(at);
                self.entry_left(cause, gone.id, events);
            }
            self.replenish(cause, id, events);
            events.push(cause.cancelled(incoming, reason, lots, incoming.remaining));
        }
    }

    /// How many lots the two orders trade, or why the resting one is cancelled instead.
    fn lots_of_meeting(&self, incoming: &Order, resting: &Order) -> Result<i64, CancelReason> {
        if self.is_outside_band(resting) {
            return Err(CancelReason::OutsideBand);
        }
        let closable = self.holding(resting.account, resting.instrument).closable_by(resting.side);
        let mut lots = incoming.remaining.min(resting.visible());
        if resting.is_reduce_only() {
            if closable == 0 {
                return Err(CancelReason::ReduceOnly);
            }
            lots = lots.min(closable);
        }
        if resting.account == incoming.account || self.affords_fill(resting, lots) {
            return Ok(lots);
        }
        Err(CancelReason::Unaffordable)
    }

    /// Whether the owner of a resting order can pay for, or margin, a fill of some of its lots.
    pub(super) fn affords_fill(&self, resting: &Order, lots: i64) -> bool {
        let instrument = self.instrument(resting.instrument);
        let closable = self.holding(resting.account, resting.instrument).closable_by(resting.side);
        let standing = self.standing(resting.account);
        let headroom = self.headroom(&standing);
        if instrument.is_spot() {
            return headroom >= 0 || self.gain_of_spot_fill(resting, lots) >= 0;
        }
        let equity = headroom + self.initial_margin(&standing);
        let loss = instrument.loss_against_mark(resting.side, resting.price, lots);
        let reducing = Reducing { before: 0, lots, equity, loss };
        let bears = lots <= closable && self.bears(&standing, resting.instrument, &reducing);
        bears || headroom - loss >= 0
    }

    fn is_outside_band(&self, order: &Order) -> bool {
        let band = self.instrument(order.instrument).band();
        band.is_some_and(|(lower, upper)| order.price < lower || order.price > upper)
    }

    /// The lots that a fill-or-kill order would certainly reach, and how many of them are shown. Changes nothing.
    pub(super) fn plan(&self, incoming: &Order, now_ns: u64) -> Reached {
        // In order of arrival, as in the book; an iceberg that shows its next lots arrives anew.
        let mut book: Vec<Order> =
            self.orders.iter().filter(|o| self.may_meet(o, incoming)).cloned().collect();
        let mut reached = Reached::default();
        let mut met = 0;
        let mut planned: BTreeMap<u32, Planned> = BTreeMap::new();
        while reached.lots < incoming.remaining && met < i64::from(self.limits.matches_per_command_max) {
            let best = (0..book.len()).min_by_key(|&at| book[at].price * incoming.side.sign());
            let Some(best) = best else { break };
            let resting = &book.remove(best);
            met += 1;
            let halt = self.instrument(incoming.instrument).halt.as_ref();
            if halt.is_some_and(|h| h.forbids(now_ns, incoming.side, resting.price).is_some()) {
                break;
            }
            let same_owner = self.has_same_owner(incoming.account, resting.account);
            if same_owner && incoming.self_trade != SelfTrade::None {
                if incoming.self_trade == SelfTrade::CancelMaker {
                    continue;
                }
                break;
            }
            let so_far = planned.entry(resting.account).or_default();
            let counts = resting.flags.has(Flags::PROTECTED) && resting.account != incoming.account;
            let protection = self.protections.get(&(resting.account, resting.instrument));
            if counts
                && so_far.protected > 0
                && protection.is_some_and(|p| p.after(now_ns, resting.side, so_far.protected).is_breached())
            {
                continue;
            }
            let step = match self.plan_meeting(incoming, resting, incoming.remaining - reached.lots, so_far) {
                Ok(step) => step,
                Err(Skipped::Leaves) => continue,
                Err(Skipped::Unaffordable) => {
                    // What is hidden may be met all the same, slice by slice.
                    let hidden = resting.remaining - resting.visible();
                    met += if hidden > 0 { (hidden + resting.display - 1) / resting.display } else { 0 };
                    continue;
                }
            };
            so_far.lots += step.lots;
            so_far.protected += if counts { step.lots } else { 0 };
            so_far.loss += step.loss;
            reached.lots += step.lots;
            let is_shown = self.orders.iter().any(|o| o.id == resting.id && o.remaining == resting.remaining);
            reached.shown += if is_shown { step.lots } else { 0 };
            let mut left = resting.clone();
            left.lose(step.lots);
            if left.display > 0 && left.remaining > 0 {
                left.shown = left.display.min(left.remaining);
                book.push(left);
            }
        }
        reached
    }

    fn plan_meeting(
        &self,
        incoming: &Order,
        resting: &Order,
        wanted: i64,
        so_far: &Planned,
    ) -> Result<Planned, Skipped> {
        if self.is_outside_band(resting) {
            return Err(Skipped::Leaves);
        }
        let closable = self.holding(resting.account, resting.instrument).closable_by(resting.side);
        let mut lots = wanted.min(resting.visible());
        if resting.is_reduce_only() {
            let used = if resting.account == incoming.account { 0 } else { so_far.lots };
            lots = lots.min((closable - used).max(0));
            if lots == 0 {
                return Err(Skipped::Leaves);
            }
        }
        let instrument = self.instrument(resting.instrument);
        let reduces = closable > 0 && so_far.lots + lots <= closable;
        if resting.account == incoming.account {
            return Ok(Planned { lots, loss: 0, protected: 0 });
        }
        let standing = self.standing(resting.account);
        let headroom = self.headroom(&standing);
        if instrument.is_spot() {
            let planned = Planned { lots, loss: 0, protected: 0 };
            return if headroom >= 0 { Ok(planned) } else { Err(Skipped::Unaffordable) };
        }
        let equity = headroom + self.initial_margin(&standing);
        let loss = instrument.loss_against_mark(resting.side, resting.price, lots);
        let reducing = Reducing { before: so_far.lots, lots, equity: equity - so_far.loss, loss };
        let bears = reduces && self.bears(&standing, resting.instrument, &reducing);
        if bears || headroom - so_far.loss - loss >= 0 {
            Ok(Planned { lots, loss, protected: 0 })
        } else {
            Err(Skipped::Unaffordable)
        }
    }
}

/// What a plan reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    pub(super) lots: i64,
    /// Of the lots, those that were shown before.
    pub(super) shown: i64,
}

/// Why a plan does not count on an order: it leaves when it is met, or perhaps does, unless its owner has gains before.
enum Skipped {
    Leaves,
    Unaffordable,
}

/// What a plan has counted of one account.
#[derive(Clone, Copy, Debug, Default)]
struct Planned {
    lots: i64,
    loss: i128,
    /// Of the lots, those of flagged orders.
    protected: i64,
}

/// Whether a taker would rather meet `a` than `b`, both of one side.
fn is_better(a: &Order, b: &Order) -> bool {
    match a.side {
        Side::Buy => a.price > b.price,
        Side::Sell => a.price < b.price,
    }
}
