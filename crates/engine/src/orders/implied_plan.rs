//! The plan of a fill-or-kill order of a question with implied liquidity: like that of any other, with steps where the
//! match would take them.

use crate::admission::{PLAIN, Reach, meets_plain};
use crate::engine::Engine;
use crate::implied::is_better;
use crate::instrument::Instrument;
use crate::margin::{reduces, reducible};
use crate::orders::is_reduce_only;
use crate::orders::place::Asked;
use crate::orders::plan::{Met, Walk};
use crate::step::{Refused, refused};
use std::collections::BTreeMap;
use xos_book::RestingOrder;
use xos_protocol::{Flags, Reject, SelfTrade, Side};
use xos_units::{AccountId, Amount, InstrumentId, OwnerId, Price, Qty};

/// What the plan already asks of one account on one outcome.
#[derive(Clone, Copy, Default)]
struct Used {
    lots: Qty,
    /// Of the lots, those of flagged orders.
    protected: Qty,
}

/// Where the plan stands in a book.
struct Queue<'a> {
    at: usize,
    walk: Walk<'a>,
    /// What it meets next, none at the end, and what the plan left of it.
    next: Option<Met>,
    left: Qty,
}

/// Lots that the plan counts on at a price.
#[derive(Clone, Copy)]
pub(crate) struct PlannedFill {
    pub(crate) price: Price,
    pub(crate) lots: Qty,
    /// A direct trade of an account with itself.
    pub(crate) with_itself: bool,
}

pub(crate) struct Plan<'a> {
    asked: &'a Asked<'a>,
    owner: OwnerId,
    mode: SelfTrade,
    time_ns: u64,
    found: Qty,
    /// Of these, lots that are shown.
    shown: Qty,
    pub(crate) fills: Vec<PlannedFill>,
    /// What is left of the order would be cancelled on the way.
    pub(crate) cancelled: bool,
    meetings: u32,
    direct: Queue<'a>,
    legs: Vec<Queue<'a>>,
    sets_left: Qty,
    used: BTreeMap<(AccountId, InstrumentId), Used>,
}

/// What a meeting in the plan comes to.
enum Seen {
    /// It can count on so many lots.
    Counts(Qty),
    /// The order would leave.
    PassedOver,
    /// The incoming order would.
    Ends,
}

impl Engine {
    /// Refuses a fill-or-kill order whose whole quantity cannot fill now.
    pub(crate) fn check_fillable_with_implied(
        &self,
        asked: &Asked,
        mode: SelfTrade,
        time_ns: u64,
    ) -> Result<(), Refused> {
        let plan = self.plan_with_implied(asked, mode, time_ns);
        if plan.found < asked.lots {
            // A refused order does not measure what is hidden.
            return refused(Reject::FokNotFillable, plan.shown.0, asked.lots.0);
        }
        Ok(())
    }

    /// What a match would certainly come to.
    pub(crate) fn plan_with_implied<'a>(
        &'a self,
        asked: &'a Asked<'a>,
        mode: SelfTrade,
        time_ns: u64,
    ) -> Plan<'a> {
        let at = asked.instrument.id.index();
        let question = self.implied_question(at).map(|id| &self.questions[id.index()]);
        let others = question.into_iter().flat_map(|question| question.instruments());
        let others = others.map(|id| id.index()).filter(|other| *other != at);
        let reach = self.eligibility_of(asked.account, asked.venue).reach;
        let mut plan = Plan {
            asked,
            owner: self.accounts[asked.account.index()].owner,
            mode,
            time_ns,
            found: Qty::ZERO,
            shown: Qty::ZERO,
            fills: Vec::new(),
            cancelled: false,
            meetings: 0,
            direct: self.queue_of(at, asked.side.opposite(), reach),
            legs: others.map(|at| self.queue_of(at, asked.side, PLAIN)).collect(),
            sets_left: question.map_or(Qty::ZERO, |question| question.sets_left(asked.side)),
            used: BTreeMap::new(),
        };
        // Whether all outcomes trade does not change on the way.
        let steps = meets_plain(reach) && self.implied_price(at, asked.side).is_some();
        while plan.found < asked.lots && self.plan_next(&mut plan, steps) {}
        plan
    }

    fn queue_of(&self, at: usize, side: Side, reach: Reach) -> Queue<'_> {
        let walk = Walk::over(self.instruments[at].queue(&self.pool, side, reach));
        let mut queue = Queue { at, walk, next: None, left: Qty::ZERO };
        self.to_next(&mut queue);
        queue
    }

    fn to_next(&self, queue: &mut Queue) {
        queue.next = self.meet(&mut queue.walk);
        queue.left = queue.next.map_or(Qty::ZERO, |met| met.lots);
    }

    /// Takes lots that the plan counts on from what a queue meets next; true if they are shown now.
    fn count_on(&self, queue: &mut Queue, met: &Met, lots: Qty) -> bool {
        queue.left -= lots;
        if queue.left == Qty::ZERO {
            queue.walk.counted(met);
            self.to_next(queue);
        }
        !met.again
    }

    /// The implied price where the plan stands, if the order reaches and gets it.
    fn planned_price(&self, plan: &Plan) -> Option<Price> {
        let asked = plan.asked;
        let mut price = asked.instrument.outcome_terms()?.ticks_per_unit;
        for leg in &plan.legs {
            price -= self.pool.order(leg.next?.slot).price.0;
        }
        let price = Price(price);
        let (side, limit) = (asked.side, asked.price);
        let reached = price >= Price(1) && !is_better(side, limit, price);
        let claimed = self.is_claimed(asked.instrument.id.index(), side, limit, price);
        (reached && !claimed && plan.sets_left > Qty::ZERO).then_some(price)
    }

    /// The next meeting or step of a plan. False: nothing more can be counted on.
    fn plan_next(&self, plan: &mut Plan, steps: bool) -> bool {
        let (side, limit) = (plan.asked.side, plan.asked.price);
        let price = |slot| self.pool.order(slot).price;
        let direct = plan.direct.next.filter(|met| !is_better(side, limit, price(met.slot)));
        let implied = if steps { self.planned_price(plan) } else { None };
        let implied = implied.filter(|at| direct.is_none_or(|met| is_better(side, *at, price(met.slot))));
        let needed = match (implied, direct) {
            (Some(_), _) => plan.legs.len() as u32,
            (None, Some(_)) => 1,
            (None, None) => return false,
        };
        if plan.meetings + needed > self.limits.matches_per_command_max {
            plan.cancelled = true;
            return false;
        }
        match (implied, direct) {
            (Some(at), _) => self.plan_step_of(plan, at),
            (None, Some(met)) => self.plan_meeting(plan, &met),
            (None, None) => false,
        }
    }

    fn plan_meeting(&self, plan: &mut Plan, met: &Met) -> bool {
        let resting = self.pool.order(met.slot);
        plan.meetings += 1;
        let own = resting.account == plan.asked.account;
        let wanted = plan.asked.lots - plan.found;
        match self.see(plan, plan.asked.instrument, resting, wanted.min(met.lots), own) {
            Seen::Ends => {
                plan.cancelled = true;
                return false;
            }
            Seen::Counts(lots) if own || self.can_afford(plan, resting, plan.asked.instrument, lots) => {
                plan.count(resting, lots);
                plan.fill(resting.price, lots, !met.again, own);
                plan.direct.walk.counted(met);
            }
            Seen::Counts(_) | Seen::PassedOver => {}
        }
        self.to_next(&mut plan.direct);
        true
    }

    fn plan_step_of(&self, plan: &mut Plan, price: Price) -> bool {
        let mut lots = (plan.asked.lots - plan.found).min(plan.sets_left);
        for leg in 0..plan.legs.len() {
            plan.meetings += 1;
            let queue = &plan.legs[leg];
            let Some(met) = queue.next else { return false };
            let (instrument, resting) = (&self.instruments[queue.at], self.pool.order(met.slot));
            match self.see(plan, instrument, resting, lots.min(queue.left), false) {
                Seen::Ends => {
                    plan.cancelled = true;
                    return false;
                }
                Seen::PassedOver => {
                    self.to_next(&mut plan.legs[leg]);
                    return true;
                }
                Seen::Counts(counted) => lots = counted,
            }
        }
        for leg in 0..plan.legs.len() {
            let queue = &plan.legs[leg];
            let Some(met) = queue.next else { return false };
            if !self.can_afford(plan, self.pool.order(met.slot), &self.instruments[queue.at], lots) {
                self.to_next(&mut plan.legs[leg]);
                return true;
            }
        }
        let mut shown = true;
        for leg in 0..plan.legs.len() {
            let Some(met) = plan.legs[leg].next else { return false };
            plan.count(self.pool.order(met.slot), lots);
            shown &= self.count_on(&mut plan.legs[leg], &met, lots);
        }
        plan.sets_left -= lots;
        plan.fill(price, lots, shown, false);
        true
    }

    /// Lots of a resting order, no more than `wanted`, that the plan can count on as far as the order itself goes.
    fn see(
        &self,
        plan: &Plan,
        instrument: &Instrument,
        resting: &RestingOrder,
        wanted: Qty,
        with_itself: bool,
    ) -> Seen {
        if resting.owner == plan.owner && plan.mode != SelfTrade::None {
            return if plan.mode == SelfTrade::CancelMaker { Seen::PassedOver } else { Seen::Ends };
        }
        let key = (resting.account, resting.instrument);
        let used = plan.used.get(&key).copied().unwrap_or_default();
        // It will be gone once what was counted before breaches its protection.
        if resting.flags & Flags::PROTECTED != 0
            && !with_itself
            && used.protected > Qty::ZERO
            && self
                .protections
                .get(&(key.1, key.0))
                .is_some_and(|kept| kept.is_breached_by(plan.time_ns, resting.side, used.protected))
        {
            return Seen::PassedOver;
        }
        if !is_reduce_only(resting) {
            return Seen::Counts(wanted);
        }
        let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
        // Trades of an account with itself move no position.
        let used = if with_itself { Qty::ZERO } else { used.lots };
        let lots = wanted.min(reducible(position, resting.side) - used);
        if lots <= Qty::ZERO { Seen::PassedOver } else { Seen::Counts(lots) }
    }

    fn can_afford(&self, plan: &Plan, resting: &RestingOrder, instrument: &Instrument, lots: Qty) -> bool {
        let used = plan.used.get(&(resting.account, resting.instrument)).copied().unwrap_or_default();
        let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
        let margin = self.margin(resting.account);
        let reducing = reduces(position, resting.side, used.lots + lots);
        margin.covers(Amount::ZERO) || (reducing && margin.equity >= Amount::ZERO)
    }
}

impl Plan<'_> {
    fn fill(&mut self, price: Price, lots: Qty, shown: bool, with_itself: bool) {
        self.found += lots;
        self.shown += if shown { lots } else { Qty::ZERO };
        self.fills.push(PlannedFill { price, lots, with_itself });
    }

    fn count(&mut self, resting: &RestingOrder, lots: Qty) {
        let used = self.used.entry((resting.account, resting.instrument)).or_default();
        used.lots += lots;
        if resting.flags & Flags::PROTECTED != 0 {
            used.protected += lots;
        }
    }
}
