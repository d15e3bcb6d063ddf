//! The fill: money and positions of both sides, and the checks that nothing was made or lost.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::instrument::Traded;
use crate::liquidation::{LIQUIDATION_ORDER, Trader};
use crate::orders::Incoming;
use crate::step::{Step, wide};
use xos_book::{RestingOrder, Slot};
use xos_ledger::{Fee, Party, Reason, SETTLEMENT};
use xos_protocol::{EventFlags, EventKind, Flags, PriceSource, SelfTrade, Side};
use xos_risk::{Closed, Holding, fee_base, fees_of_fill};
use xos_units::{
    AccountId, Amount, AssetId, OrderId, Ppm, Price, Qty, VenueId, division::share_down, notional,
};

/// One side of a fill.
#[derive(Clone, Copy)]
pub(crate) struct FillSide {
    pub(crate) account: AccountId,
    pub(crate) order: OrderId,
    pub(crate) venue: VenueId,
    pub(crate) side: Side,
}

impl FillSide {
    #[inline(always)]
    pub(crate) fn of(order: &RestingOrder) -> Self {
        Self { account: order.account, order: order.id, venue: order.venue, side: order.side }
    }
}

impl Engine {
    #[inline(never)]
    pub(crate) fn fill(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        slot: Slot,
        resting: &RestingOrder,
        lots: Qty,
    ) {
        let sequence = step.sequence;
        if self.instruments[incoming.at].settling {
            self.settle_both(step, incoming.at, incoming.order.account, resting.account);
        }
        self.check_fill(sequence, incoming, resting, lots);
        let instrument = &self.instruments[incoming.at];
        let price = resting.price;
        let mut fees = (self.fees(incoming.order.venue, instrument), self.fees(resting.venue, instrument));
        let base = fee_base(instrument.outcome_terms(), price, lots, instrument.k);
        if self.charges_apart {
            fees = self.lowered_of_fill(&incoming.order, resting, base, fees);
        }
        // A liquidation order pays a fee of its own, after it.
        let pays = incoming.order.id != LIQUIDATION_ORDER;
        let taker_ppm = if pays { fees.0.taker_ppm } else { 0 };
        let rates = (Ppm(taker_ppm), Ppm(fees.1.maker_ppm));
        let (mut taker_fee, mut maker_fee) = fees_of_fill(base, rates.0, rates.1);
        if !self.defends(Defence::FeesRoundUp) {
            (taker_fee, maker_fee) =
                (share_down(base, rates.0), share_down(base, rates.1.max(Ppm::default())));
        }
        if rates.1.0 < 0 && !self.defends(Defence::RebateCap) {
            maker_fee = -share_down(base, Ppm(-rates.1.0));
        }
        incoming.order.remaining -= lots;
        self.last_trade_id += 1;
        let resting_left = resting.remaining - lots;
        let hidden = if resting.is_iceberg { self.hidden(resting.id) } else { Qty::ZERO };
        let is_public = self.is_public(incoming.at, price);
        let event = step.push(EventKind::Trade);
        if !is_public {
            event.flags = EventFlags::NOT_PUBLIC;
        }
        event.side = incoming.order.side.code();
        event.venue = incoming.order.venue.0;
        event.account = incoming.order.account.0;
        event.instrument = incoming.order.instrument.0;
        event.order_id = incoming.order.id.0;
        event.price = price.0;
        event.qty = lots.0;
        event.remaining = incoming.order.remaining.0;
        event.detail = [0; 32];
        let (id, account, venue) = (resting.id.0, resting.account.0, resting.venue.0);
        event.set_counterpart(id, account, venue, (resting_left + hidden).0, self.last_trade_id);
        event.amount = wide(taker_fee);
        event.counter_amount = wide(maker_fee);

        // The resting side gives its reserve back before it pays.
        self.unreserve(sequence, resting, lots);
        if is_public {
            self.instruments[incoming.at].printed(step.time_ns, price);
        }
        let (taker, maker) = (FillSide::of(&incoming.order), FillSide::of(resting));
        self.deliver(sequence, incoming.at, &taker, &maker, price, lots);
        self.pay_fees(step, incoming.at, &taker, &maker, taker_fee, maker_fee);
        if !self.collaterals.is_empty() {
            self.spot_moved(incoming.at, [taker.account, maker.account]);
        }
        // An account that trades with itself moves no position: it must not turn unrealised profit into cash.
        let (mut taker_closed, mut maker_closed) = (None, None);
        if taker.account != maker.account {
            taker_closed = self.move_position(sequence, incoming.at, &taker, price, lots);
            maker_closed = self.move_position(sequence, incoming.at, &maker, price, lots);
        }
        if resting_left > Qty::ZERO {
            self.instruments[incoming.at].group_mut(resting.profile).shrink(&mut self.pool, slot, lots);
        } else if hidden > Qty::ZERO {
            self.replenish(slot);
        } else {
            self.unlink_resting(sequence, slot, resting);
        }
        self.emit_closed(step, incoming.at, &taker, price, taker_closed);
        self.emit_closed(step, incoming.at, &maker, price, maker_closed);
        if hidden > Qty::ZERO && resting_left == Qty::ZERO {
            self.emit_replenished(step, slot);
        }
        if let Some(question) = self.instruments[incoming.at].question() {
            self.refresh_worst_case(taker.account, question);
            self.refresh_worst_case(maker.account, question);
            if self.instruments[incoming.at].implied {
                self.refresh_best(incoming.at, question, maker.side);
            }
        }
        self.check_open_interest(sequence, incoming.at);
        if self.liquidations.wanted | self.liquidations.converts {
            let closed =
                |closed: Option<(Closed, _, _)>| closed.map_or(Qty::ZERO, |(closed, ..)| closed.lots);
            let taken = Trader { account: taker.account, fee: taker_fee, closed: closed(taker_closed) };
            let made = Trader { account: maker.account, fee: maker_fee, closed: closed(maker_closed) };
            self.look_at_traders(incoming.at, price, [taken, made], !pays);
        }
        if (incoming.order.flags | resting.flags) & Flags::PROTECTED != 0 {
            self.count_protected(step, &incoming.order, resting, lots);
        }
        if self.instruments[incoming.at].triggers > 0 {
            self.traded(step, &incoming.order, resting, lots);
        }
    }

    /// What a trade means to orders that wait.
    #[cold]
    pub(crate) fn traded(
        &mut self,
        step: &mut Step,
        incoming: &RestingOrder,
        resting: &RestingOrder,
        lots: Qty,
    ) {
        self.price_reached(resting.instrument.index(), PriceSource::Last);
        if incoming.account != resting.account {
            for order in [incoming, resting] {
                if order.flags & Flags::BRACKET != 0 {
                    self.arm_exits(order.id, lots);
                }
            }
        }
        if resting.flags & Flags::BRACKET != 0 && resting.remaining == lots {
            self.entry_left(step, resting.id);
        }
    }

    /// Invariants 9 to 11 of a fill: oldest order of the best level, within both limits and the band, never
    /// against oneself unless asked.
    #[inline(always)]
    fn check_fill(&mut self, sequence: u64, incoming: &Incoming, resting: &RestingOrder, lots: Qty) {
        let instrument = &self.instruments[incoming.at];
        let sound = incoming.reaches(resting.price)
            && lots > Qty::ZERO
            && lots <= resting.remaining
            && lots <= incoming.order.remaining
            && resting.side == incoming.order.side.opposite()
            && resting.prev == xos_book::NO_SLOT
            && (self.admission.dividing == 0 || self.is_eligible(&incoming.eligibility.profile, resting))
            && resting.price >= instrument.band_low
            && resting.price <= instrument.band_high
            && (resting.owner != incoming.order.owner || incoming.order.self_trade == SelfTrade::None);
        if !sound {
            let detail = format!(
                "order {} must not fill {} lots of order {}",
                incoming.order.id.0, lots.0, resting.id.0
            );
            self.halt(10, sequence, detail);
        }
    }

    /// What the two sides exchange.
    #[inline(always)]
    pub(crate) fn deliver(
        &mut self,
        sequence: u64,
        at: usize,
        taker: &FillSide,
        maker: &FillSide,
        price: Price,
        lots: Qty,
    ) {
        let instrument = &self.instruments[at];
        let (traded, value) = (instrument.traded, notional(price, lots, instrument.k));
        let (buyer, seller) = match taker.side {
            Side::Buy => (Party::User(taker.account), Party::User(maker.account)),
            Side::Sell => (Party::User(maker.account), Party::User(taker.account)),
        };
        match traded {
            Traded::Perpetual { .. } => {}
            Traded::Outcome { .. } => {
                let result = self.ledger.post(buyer, seller, SETTLEMENT, value, Reason::Trade, sequence);
                self.money(sequence, result);
            }
            Traded::Spot { base, quote, base_atoms_per_lot } => {
                let delivered = Amount(i128::from(base_atoms_per_lot)).times_lots(lots);
                let result = self.ledger.post(buyer, seller, quote, value, Reason::Trade, sequence);
                self.money(sequence, result);
                let result = self.ledger.post(seller, buyer, base, delivered, Reason::Trade, sequence);
                self.money(sequence, result);
            }
        }
    }

    /// Who has some of an asset may have changed with a fill in spot, its fees included.
    #[cold]
    pub(crate) fn spot_moved(&mut self, at: usize, accounts: [AccountId; 2]) {
        if let Traded::Spot { base, quote, .. } = self.instruments[at].traded {
            for account in accounts {
                self.asset_moved(account, base);
                self.asset_moved(account, quote);
            }
        }
    }

    #[inline(always)]
    pub(crate) fn pay_fees(
        &mut self,
        step: &mut Step,
        at: usize,
        taker: &FillSide,
        maker: &FillSide,
        taker_fee: Amount,
        maker_fee: Amount,
    ) {
        let quote = self.instruments[at].quote();
        if maker_fee < Amount::ZERO {
            let (from, to) = (Party::User(taker.account), Party::User(maker.account));
            let result = self.ledger.post(from, to, quote, -maker_fee, Reason::Rebate, step.sequence);
            self.money(step.sequence, result);
            self.split_fee(step, at, taker, quote, taker_fee + maker_fee);
        } else {
            self.split_fee(step, at, taker, quote, taker_fee);
            self.split_fee(step, at, maker, quote, maker_fee);
        }
    }

    /// Divides a fee among its receivers: shares round down, what is left is rounding's.
    #[inline(never)]
    pub(super) fn split_fee(
        &mut self,
        step: &mut Step,
        at: usize,
        payer: &FillSide,
        quote: AssetId,
        fee: Amount,
    ) {
        if fee == Amount::ZERO {
            return;
        }
        if self.instruments[at].divides_apart {
            return self.divide_apart(step, at, payer, quote, fee);
        }
        let (instrument, split) = (self.instruments[at].id, self.instruments[at].split);
        let mut rest = fee;
        let mut share_of = |ppm: i32| {
            let share = if ppm == 0 { Amount::ZERO } else { share_down(fee, Ppm(ppm)) };
            rest -= share;
            share
        };
        let (deployer, venue) = (share_of(split.deployer_ppm), share_of(split.venue_ppm));
        let (insurance, protocol) = (share_of(split.insurance_ppm), share_of(split.protocol_ppm));
        let result = self.ledger.post_fee(&Fee {
            payer: payer.account,
            asset: quote,
            paid: fee,
            instrument,
            through: payer.venue,
            deployer,
            venue,
            insurance,
            protocol,
            rounding: rest,
            sequence: step.sequence,
        });
        self.money(step.sequence, result);
    }

    /// Moves one side's position and, for a perpetual, posts what it realised.
    #[inline(never)]
    pub(crate) fn move_position(
        &mut self,
        sequence: u64,
        at: usize,
        side: &FillSide,
        price: Price,
        lots: Qty,
    ) -> Option<(Closed, i64, Amount)> {
        let k = self.instruments[at].k;
        let buys = side.side == Side::Buy;
        self.change_holding(sequence, at, side.account, |holding| holding.fill(buys, price, lots, k))
    }

    /// Closes a part of a position at a value that need not be a whole price.
    #[inline(never)]
    pub(crate) fn close_at_value(
        &mut self,
        sequence: u64,
        at: usize,
        account: AccountId,
        value: Amount,
        lots: Qty,
    ) -> Option<(Closed, i64, Amount)> {
        self.change_holding(sequence, at, account, |holding| Some(holding.close(value, lots)))
    }

    #[inline(always)]
    fn change_holding(
        &mut self,
        sequence: u64,
        at: usize,
        account: AccountId,
        change: impl FnOnce(&mut Holding) -> Option<Closed>,
    ) -> Option<(Closed, i64, Amount)> {
        let instrument = &mut self.instruments[at];
        if let Traded::Spot { .. } = instrument.traded {
            return None;
        }
        let stand = self.accounts[account.index()].stand_mut(instrument.key);
        let before = stand.holding();
        let mut after = before;
        let closed = change(&mut after);
        stand.set_holding(after);
        instrument.cost_sum += after.cost - before.cost;
        instrument.position_changed(account, before.lots, after.lots);
        let turned = instrument.triggers > 0 && before.lots.signum() * after.lots.signum() != 1;
        if stand.is_empty() {
            self.emptied.push((account, instrument.key));
        }
        if turned {
            self.position_closed(account, at);
        }
        let closed = closed?;
        let instrument = &self.instruments[at];
        if let Traded::Perpetual { .. } = instrument.traded {
            let (user, clearing) = (Party::User(account), Party::Clearing(instrument.id));
            let (from, to) =
                if closed.realised >= Amount::ZERO { (clearing, user) } else { (user, clearing) };
            let result =
                self.ledger.post(from, to, SETTLEMENT, closed.realised.abs(), Reason::Realised, sequence);
            self.money(sequence, result);
        }
        Some((closed, after.lots, after.realised))
    }

    /// Moves lots of a position that no order trades.
    pub(crate) fn move_lots(
        &mut self,
        sequence: u64,
        at: usize,
        account: AccountId,
        side: Side,
        price: Price,
        lots: Qty,
    ) -> Option<(Closed, i64, Amount)> {
        let side = FillSide { account, order: LIQUIDATION_ORDER, venue: VenueId(0), side };
        self.move_position(sequence, at, &side, price, lots)
    }

    /// Tells what moving lots closed.
    pub(crate) fn emit_closed_lots(
        &self,
        step: &mut Step,
        at: usize,
        account: AccountId,
        side: Side,
        price: Price,
        closed: Option<(Closed, i64, Amount)>,
    ) {
        let side = FillSide { account, order: LIQUIDATION_ORDER, venue: VenueId(0), side };
        self.emit_closed(step, at, &side, price, closed);
    }

    #[inline(always)]
    pub(crate) fn emit_closed(
        &self,
        step: &mut Step,
        at: usize,
        side: &FillSide,
        price: Price,
        closed: Option<(Closed, i64, Amount)>,
    ) {
        let Some((closed, position, realised)) = closed else { return };
        let event = step.push(EventKind::PnlRealised);
        event.side = side.side.code();
        event.account = side.account.0;
        event.instrument = self.instruments[at].id.0;
        event.order_id = side.order.0;
        event.price = price.0;
        event.qty = closed.lots.0;
        event.remaining = position;
        event.amount = wide(closed.realised);
        event.counter_amount = wide(realised);
    }

    /// Invariant 17 and its money: longs equal shorts (plus complete sets), costs mirror the clearing account.
    #[inline(always)]
    pub(crate) fn check_open_interest(&mut self, sequence: u64, at: usize) {
        let instrument = &self.instruments[at];
        let net = instrument.long_lots - instrument.short_lots;
        let (expected, mirrored) = match instrument.traded {
            Traded::Spot { .. } => return,
            Traded::Outcome { question, .. } => (i128::from(self.questions[question.index()].sets), true),
            Traded::Perpetual { .. } => {
                let clearing = self.ledger.house(Party::Clearing(instrument.id), SETTLEMENT);
                (0, instrument.cost_sum + clearing == Amount::ZERO)
            }
        };
        if net != expected || !mirrored {
            let detail = format!(
                "instrument {}: {} lots long, {} short, {expected} due; costs {}",
                at + 1,
                instrument.long_lots,
                instrument.short_lots,
                instrument.cost_sum.0
            );
            self.halt(17, sequence, detail);
        }
    }
}
