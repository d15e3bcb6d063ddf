//! Section 5: the ladder of checks of a place, and what an amend shares with it.

use super::events::{Cause, order_of};
use super::matching::Left;
use super::money::{Reducing, fee_up};
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Instrument, Kind, Order, Party, SETTLEMENT, World};
use xos_protocol::{CancelReason, CommandRecord, EventRecord, Flags, InstrumentState, Reject, Side, Tif};

impl World {
    pub(super) fn place(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (order, pulled) = self.admitted_order(cause, cause.sequence, command)?;
        // Nothing below can fail.
        events.push(cause.accepted(&order));
        self.pull(cause, order.account, pulled, events);
        self.take_and_keep(cause, order, events);
        Ok(())
    }

    /// The order that a place asks for, if it passes every check, and what it needs of the parent of an isolated account.
    pub(super) fn admitted_order(
        &self,
        cause: &Cause,
        id: u64,
        command: &CommandRecord,
    ) -> Result<(Order, i128), Refusal> {
        let refusal = match self.checked_order(cause, id, command) {
            Ok(order) => return Ok((order, 0)),
            Err(refusal) => refusal,
        };
        let isolated = self.accounts.get(command.account as usize - 1).and_then(|account| account.isolated);
        let Some((parent, _)) = isolated else { return Err(refusal) };
        let missing = refusal.value;
        let is_other = refusal.reject != Reject::InsufficientMargin || command.tif() == Some(Tif::Fok);
        let side = command.side().expect("a checked side");
        let closable = self.holding(command.account, command.instrument).closable_by(side);
        let reduces = closable > 0 && (command.flags & Flags::REDUCE_ONLY != 0 || command.qty <= closable);
        if is_other || reduces || self.available(parent, SETTLEMENT) < missing {
            return Err(refusal);
        }
        // The same world, in which the parent has paid already.
        let mut paid = self.clone();
        paid.post(Party::Account(parent), Party::Account(command.account), SETTLEMENT, missing);
        let order = paid.checked_order(cause, id, command)?;
        Ok((order, missing))
    }

    /// The order that a place asks for, if it passes every check. Its id is never that of another order, which the checks
    /// would take for the order itself.
    fn checked_order(&self, cause: &Cause, id: u64, command: &CommandRecord) -> Result<Order, Refusal> {
        let venues = self.venues.len();
        check(usize::from(command.venue) <= venues, Reject::UnknownVenue, command.venue, venues as i128)?;
        check_id(command.instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        self.check_trades_here(command)?;
        let mut order = order_of(id, command);
        order.classes = self.dividing_classes(command.account);
        self.check_place(cause, &mut order)?;
        Ok(order)
    }

    /// An incoming order matches, and its remainder rests or is cancelled.
    pub(super) fn take_and_keep(&mut self, cause: &Cause, mut order: Order, events: &mut Vec<EventRecord>) {
        let id = order.id;
        if self.instrument(order.instrument).accepts() == InstrumentState::Auction {
            self.keep_remainder(cause, order, events);
            return;
        }
        match self.take(cause, &mut order, events) {
            Left::Nothing => {}
            Left::Remainder => self.keep_remainder(cause, order, events),
        }
        if !self.orders.iter().any(|resting| resting.id == id) {
            self.entry_left(cause, id, events);
        }
    }

    /// The lots that matching left of an incoming order rest or are cancelled.
    pub(super) fn keep_remainder(&mut self, cause: &Cause, order: Order, events: &mut Vec<EventRecord>) {
        match order.tif {
            Tif::Gtc | Tif::Gtd => {
                let shown = order.display.min(order.remaining);
                self.orders.push(Order { shown, ..order });
            }
            // A fill-or-kill order whose plan held has no remainder; if it had one it would be treated alike.
            Tif::Ioc | Tif::Fok => {
                events.push(cause.cancelled(&order, CancelReason::IocRemainder, order.remaining, 0));
            }
        }
    }

    fn check_place(&self, cause: &Cause, order: &mut Order) -> Result<(), Refusal> {
        let instrument = self.instrument(order.instrument);
        let terms = &instrument.terms;
        let tif = order.tif;
        check_state(instrument, order)?;
        self.check_kind_of_money(order.account, order.instrument)?;
        self.check_listed(order.instrument, order.venue)?;
        self.check_admitted(order.account, order.venue)?;
        self.check_cap(order.account, order.venue, order.instrument)?;
        if matches!(tif, Tif::Gtc | Tif::Gtd) {
            self.check_profiles(order)?;
        }
        self.check_protection(cause, order)?;
        if order.flags.has(Flags::MARKET) {
            check(matches!(tif, Tif::Ioc | Tif::Fok), Reject::MarketTif, tif.code(), 0)?;
        }
        if order.flags.has(Flags::POST_ONLY) {
            let may_rest = matches!(tif, Tif::Gtc | Tif::Gtd) && !order.flags.has(Flags::MARKET);
            check(may_rest, Reject::PostOnlyTif, tif.code(), 0)?;
        }
        check(
            !(order.is_reduce_only() && instrument.is_spot()),
            Reject::ReduceOnlySpot,
            order.instrument,
            0,
        )?;
        if tif == Tif::Gtd {
            let in_future = order.expires_ns > cause.time_ns;
            check(in_future, Reject::ExpiryNotInFuture, order.expires_ns, cause.time_ns)?;
        }
        check_price(instrument, order.price)?;
        check(order.total >= 1, Reject::QtyNotPositive, order.total, 1)?;
        if !order.is_reduce_only() {
            let min = terms.qty_min_lots;
            check(order.total >= min, Reject::QtyBelowMin, order.total, min)?;
        }
        check(order.total <= terms.qty_max_lots, Reject::QtyAboveMax, order.total, terms.qty_max_lots)?;
        self.check_iceberg(order)?;
        self.check_mark_and_band(order)?;
        order.remaining = self.clip_reduce_only(order)?;
        order.total = order.remaining;
        self.check_notional(order)?;
        if matches!(tif, Tif::Gtc | Tif::Gtd) {
            self.check_order_counts(order)?;
        }
        self.check_instruments_stood_in(order)?;
        if order.flags.has(Flags::POST_ONLY) {
            self.check_post_only(order)?;
        }
        self.check_position_limit(order)?;
        if tif == Tif::Fok {
            let now_ns = cause.time_ns;
            let reached = match self.implied_question(order.instrument) {
                Some(_) => self.plan_with_implied(order, now_ns),
                None => self.plan(order, now_ns),
            };
            check(reached.lots >= order.total, Reject::FokNotFillable, reached.shown, order.total)?;
        }
        self.check_money(order, None)
    }

    /// 312 and 313.
    pub(super) fn check_mark_and_band(&self, order: &Order) -> Result<(), Refusal> {
        let instrument = self.instrument(order.instrument);
        let has_mark = !instrument.is_perpetual() || instrument.mark > 0;
        check(has_mark, Reject::MarkMissing, order.instrument, 0)?;
        let Some((lower, upper)) = instrument.band() else { return Ok(()) };
        match order.side {
            Side::Buy => check(order.price <= upper, Reject::PriceOutsideBand, order.price, upper),
            Side::Sell => check(order.price >= lower, Reject::PriceOutsideBand, order.price, lower),
        }
    }

    /// 314; the lots that a reduce-only order may have, all lots for any other order.
    pub(super) fn clip_reduce_only(&self, order: &Order) -> Result<i64, Refusal> {
        if !order.is_reduce_only() {
            return Ok(order.remaining);
        }
        let holding = self.holding(order.account, order.instrument);
        let closable = holding.closable_by(order.side);
        check(closable > 0, Reject::NothingToReduce, holding.position, 0)?;
        Ok(order.remaining.min(closable))
    }

    /// 315 and 316.
    pub(super) fn check_notional(&self, order: &Order) -> Result<(), Refusal> {
        let instrument = self.instrument(order.instrument);
        let notional = instrument.value(order.price, order.remaining);
        let (min, max) = (instrument.terms.notional_min.0, instrument.terms.notional_max.0);
        check(notional >= min || order.is_reduce_only(), Reject::NotionalBelowMin, notional, min)?;
        check(notional <= max, Reject::NotionalAboveMax, notional, max)
    }

    /// 317 and 318.
    fn check_order_counts(&self, order: &Order) -> Result<(), Refusal> {
        let own = || self.orders.iter().filter(|o| o.account == order.account);
        let here = own().filter(|o| o.instrument == order.instrument).count() as i128;
        let limit = i128::from(self.instrument(order.instrument).terms.orders_per_account_max);
        check(here < limit, Reject::OpenOrdersLimit, here, limit)?;
        let all = own().count() as i128;
        let limit = i128::from(self.limits.orders_per_account_max);
        check(all < limit, Reject::AccountOrdersLimit, all, limit)
    }

    /// The declared number of instruments of this product in which one account may stand.
    pub(super) fn instruments_limit(&self, instrument: u32) -> i128 {
        match self.instrument(instrument).kind {
            Kind::Perpetual { .. } => self.limits.perpetuals_per_account_max.into(),
            Kind::Spot { .. } | Kind::Outcome { .. } => self.limits.instruments_per_account_max.into(),
        }
    }

    fn check_instruments_stood_in(&self, order: &Order) -> Result<(), Refusal> {
        if self.stands_in(order.account, order.instrument) {
            return Ok(());
        }
        let count = self.instruments_stood_in(order.account, order.instrument) as i128;
        let limit = self.instruments_limit(order.instrument);
        check(count < limit, Reject::AccountInstrumentsLimit, count, limit)
    }

    /// 320.
    pub(super) fn check_post_only(&self, order: &Order) -> Result<(), Refusal> {
        if self.instrument(order.instrument).accepts() == InstrumentState::Auction {
            return Ok(());
        }
        let sign = order.side.sign();
        let direct = self.best_met_by(order).map(|at| self.orders[at].price);
        let implied = self.implied_price(order.instrument, order.side);
        let implied = implied.filter(|price| self.accepts_plain(order) && price * sign <= order.price * sign);
        match direct.into_iter().chain(implied).min_by_key(|price| price * sign) {
            None => Ok(()),
            Some(best) => refuse(Reject::PostOnlyWouldCross, order.price, best),
        }
    }

    /// 321; the order itself does not rest, or is not counted.
    pub(super) fn check_position_limit(&self, order: &Order) -> Result<(), Refusal> {
        let instrument = self.instrument(order.instrument);
        if instrument.is_spot() {
            return Ok(());
        }
        let position = self.holding(order.account, order.instrument).position;
        let others: i64 = self.other_lots(order);
        let reached = position * order.side.sign() + others + order.remaining;
        let max = instrument.terms.position_max_lots;
        check(reached <= max, Reject::PositionLimit, reached.abs(), max)
    }

    /// Lots of the account's other resting orders of the same side on the same instrument.
    fn other_lots(&self, order: &Order) -> i64 {
        let same = |o: &&Order| {
            o.account == order.account
                && o.instrument == order.instrument
                && o.side == order.side
                && o.id != order.id
        };
        self.orders.iter().filter(same).map(|o| o.remaining).sum()
    }

    /// Check 19. `order` is as it would rest; of an amend, `before` is the same order as it rests now.
    pub(super) fn check_money(&self, order: &Order, before: Option<&Order>) -> Result<(), Refusal> {
        let mut after = self.standing(order.account);
        let headroom_before = self.headroom(&after);
        let initial_before = self.initial_margin(&after);
        after.orders.retain(|o| o.id != order.id);
        if let Some(asset) = self.asset_held(order) {
            let needed = self.reserve(order);
            let mut limit =
                self.free(order.account, asset) + before.map_or(0, |resting| self.reserve(resting));
            if asset == SETTLEMENT {
                limit = limit.min(self.headroom(&after));
            }
            check(needed <= limit, Reject::InsufficientBalance, needed, limit)?;
            let lost = self.collateral_value(asset, limit) - self.collateral_value(asset, limit - needed);
            let passes = lost <= self.settlement_brought(order) || self.headroom(&after) >= lost;
            let missing = lost - self.headroom(&after);
            let is_settlement = asset == SETTLEMENT;
            return check(is_settlement || passes, Reject::InsufficientMargin, missing, headroom_before);
        }
        let instrument = self.instrument(order.instrument);
        let closable = self.holding(order.account, order.instrument).closable_by(order.side);
        let may_rest = matches!(order.tif, Tif::Gtc | Tif::Gtd);
        let others = if may_rest { self.other_lots(order) } else { 0 };
        let reduces = closable > 0 && order.remaining + others <= closable;
        after.orders.push(order.clone());
        let loss = instrument.loss_against_mark(order.side, order.price, order.remaining);
        let headroom_after = self.headroom(&after) - loss;
        let takes_nothing = !instrument.is_perpetual() && headroom_after >= headroom_before;
        let mut passes = headroom_after >= 0 || takes_nothing;
        if !passes && instrument.is_perpetual() && reduces {
            let equity = self.headroom(&after) + self.initial_margin(&after);
            let reducing = Reducing { before: 0, lots: order.remaining, equity, loss };
            let bears = self.bears(&after, order.instrument, &reducing);
            if equity < 0 || !self.frees_nothing(&after, order.instrument, &reducing) {
                let most = self.most_borne(&after, order.instrument, &reducing);
                check(bears, Reject::ReducingLoss, loss, most)?;
            }
            passes = bears && (!after.is_scenario || self.initial_margin(&after) <= initial_before);
        }
        check(passes, Reject::InsufficientMargin, -headroom_after, headroom_before)?;
        let is_exempt = match (instrument.is_perpetual(), order.side) {
            (true, _) => reduces,
            (false, Side::Buy) => takes_nothing,
            (false, Side::Sell) => true,
        };
        if is_exempt { Ok(()) } else { self.check_debt(order.account, self.reserve(order) + loss) }
    }
}

impl World {
    /// What a spot order brings of the settlement asset at its limit price, the worst fee taken off.
    fn settlement_brought(&self, order: &Order) -> i128 {
        let instrument = self.instrument(order.instrument);
        let value = instrument.value(order.price, 1);
        let fees = self.fees(order.venue, order.instrument);
        let fee = fee_up(value, super::governance::highest(fees));
        match (instrument.kind, order.side) {
            (Kind::Spot { quote: SETTLEMENT, .. }, Side::Sell) => (value - fee) * i128::from(order.remaining),
            (Kind::Spot { base: SETTLEMENT, base_atoms_per_lot, .. }, Side::Buy) => {
                base_atoms_per_lot * i128::from(order.remaining)
            }
            _ => 0,
        }
    }
}

/// 205 to 208, and 211.
pub(super) fn check_state(instrument: &Instrument, order: &Order) -> Result<(), Refusal> {
    match instrument.accepts() {
        InstrumentState::Continuous => Ok(()),
        InstrumentState::PostOnly => {
            let is_post_only = order.flags.has(Flags::POST_ONLY);
            check(is_post_only, Reject::InstrumentPostOnly, order.instrument, 0)
        }
        InstrumentState::Settled => refuse(Reject::InstrumentSettled, order.instrument, 0),
        InstrumentState::Halted => refuse(Reject::InstrumentHalted, order.instrument, 0),
        InstrumentState::CancelOnly => refuse(Reject::InstrumentCancelOnly, order.instrument, 0),
        InstrumentState::ReduceOnly => {
            check(order.is_reduce_only(), Reject::InstrumentReduceOnly, order.instrument, 0)
        }
        InstrumentState::Uncrossing => refuse(Reject::InstrumentUncrossing, order.instrument, 0),
        InstrumentState::Auction => {
            let only_reduces = instrument.accepts_beside_auction() == InstrumentState::ReduceOnly;
            let passes = order.is_reduce_only() || !only_reduces;
            check(passes, Reject::InstrumentReduceOnly, order.instrument, 0)?;
            let rests = matches!(order.tif, Tif::Gtc | Tif::Gtd) && !order.flags.has(Flags::MARKET);
            check(rests, Reject::InstrumentInAuction, order.instrument, 0)
        }
    }
}

/// 307 and 308.
pub(super) fn check_price(instrument: &Instrument, price: i64) -> Result<(), Refusal> {
    check(price >= 1, Reject::PriceNotPositive, price, 1)?;
    let max = instrument.terms.price_max_ticks;
    check(price <= max, Reject::PriceAboveMax, price, max)
}
