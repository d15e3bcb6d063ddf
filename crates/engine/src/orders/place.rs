//! Place: the ladder of checks, a marked line, and what cannot fail any more.

use crate::account::Class;
use crate::auction::check_collected;
use crate::client_ids::IdsOf;
use crate::defence::Defence;
use crate::engine::Engine;
use crate::instrument::{Instrument, Traded};
use crate::margin::{Change, Margin, Reduced, reduces, reducible};
use crate::orders::Incoming;
use crate::orders::iceberg::{check_iceberg, tell_display};
use crate::orders::resting::held_asset;
use crate::shape::{self, PlaceWords};
use crate::step::{Refused, Step, refused};
use xos_book::{NO_SLOT, RestingOrder};
use xos_protocol::{CancelReason, CommandRecord, EventKind, Flags, InstrumentState, Reject, Side, Tif};
use xos_units::{AccountId, Amount, AssetId, OrderId, Price, Qty, notional};

/// What a price and quantity are judged as: a new order, or an amended one with its old part known.
pub(crate) struct Asked<'a> {
    pub(crate) account: AccountId,
    pub(crate) instrument: &'a Instrument,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) lots: Qty,
    pub(crate) venue: xos_units::VenueId,
    /// Signed lots that the account holds, and those of its other resting orders on this side.
    pub(crate) position: i64,
    pub(crate) others: Qty,
    /// Whether it may rest: then those may fill before it.
    pub(crate) rests: bool,
    /// Lots and reserve of the resting order that this one replaces.
    pub(crate) replaced_lots: Qty,
    pub(crate) replaced_reserve: Amount,
    /// Comes to an isolated account from its parent with the order.
    pub(crate) pulled: Amount,
}

/// An order that passed every check.
pub(crate) struct Admitted {
    pub(crate) lots: Qty,
    pub(crate) per_lot: Amount,
    /// What an isolated account needs of its parent for it.
    pub(crate) pulled: Amount,
}

impl Engine {
    #[inline(always)]
    pub(crate) fn place(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let words = shape::place(command)?;
        self.known_account(command)?;
        self.once(step, command, Some(IdsOf::Orders), |engine, step| engine.place_once(step, command, &words))
    }

    #[inline(always)]
    fn place_once(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        words: &PlaceWords,
    ) -> Result<(), Refused> {
        let Admitted { lots, per_lot, pulled } = self.admit(step.time_ns, command, words)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let mut incoming = self.incoming(OrderId(step.sequence), command, words, lots, per_lot);
        let accepted = step.push_order(EventKind::OrderAccepted, &incoming.order);
        if words.display != Qty::ZERO {
            tell_display(accepted, words.display);
        }
        if pulled != Amount::ZERO {
            self.pull(step, command.account(), pulled);
        }
        self.work(step, &mut incoming);
        Ok(())
    }

    /// A checked order on its way into the book.
    #[inline(always)]
    pub(crate) fn incoming(
        &self,
        id: OrderId,
        command: &CommandRecord,
        words: &PlaceWords,
        lots: Qty,
        per_lot: Amount,
    ) -> Incoming {
        let at = command.instrument().index();
        let owner = self.accounts[command.account().index()].owner;
        let order = RestingOrder {
            remaining: lots,
            expires_ns: command.expires_ns,
            account: command.account(),
            owner,
            instrument: command.instrument(),
            venue: command.venue(),
            tif: words.tif,
            flags: words.flags.0,
            self_trade: words.self_trade,
            client_id_at: if command.has_client_id() { self.client_ids.next_slot() } else { NO_SLOT },
            ..RestingOrder::unlinked(id, words.side, command.price(), lots)
        };
        let eligibility = self.eligibility_of_incoming(order.account, order.venue);
        Incoming { order, at, per_lot, display: words.display, eligibility }
    }

    /// Matches an order and lets the remainder rest or go.
    #[inline(always)]
    pub(crate) fn work(&mut self, step: &mut Step, incoming: &mut Incoming) {
        let instrument = &self.instruments[incoming.at];
        let (is_scaled, apart) = (instrument.margin.is_some(), instrument.matches_apart);
        if is_scaled {
            self.instruments[incoming.at].hold_open_interest(true);
        }
        let cancelled = self.match_and_tell(step, incoming, apart);
        if is_scaled {
            self.instruments[incoming.at].hold_open_interest(false);
        }
        let order = &mut incoming.order;
        if cancelled || order.remaining == Qty::ZERO {
            if order.flags & Flags::BRACKET != 0 {
                self.entry_left(step, order.id);
            }
            return;
        }
        match order.tif {
            Tif::Gtc | Tif::Gtd => {
                if self.admission.dividing != 0 {
                    order.profile = self.profiles.place_of(&incoming.eligibility, order.venue);
                }
                self.rest(step.sequence, order, incoming.per_lot);
                if incoming.display != Qty::ZERO {
                    self.hide(order.id, incoming.display, order.remaining.min(incoming.display));
                }
            }
            Tif::Ioc | Tif::Fok => {
                step.emit_cancelled(order, CancelReason::IocRemainder, order.remaining, Qty::ZERO);
                if order.flags & Flags::BRACKET != 0 {
                    self.entry_left(step, order.id);
                }
                return;
            }
        }
        // Only an order that rests can cross the book.
        let limit = incoming.order.price;
        let side = incoming.order.side.opposite();
        let best = self.instruments[incoming.at].best_within(side, incoming.reach(), limit);
        if let Some(best) = best
            && incoming.reaches(best)
            && self.instruments[incoming.at].gate != InstrumentState::Auction
        {
            let (price, at) = (incoming.order.price.0, incoming.at + 1);
            let detail = format!("an order rests at {price} and meets {} on instrument {at}", best.0);
            self.halt(8, step.sequence, detail);
        }
    }

    /// The ladder of checks; where margin is missing to an isolated account, its parent may have it.
    #[inline(always)]
    pub(crate) fn admit(
        &self,
        time_ns: u64,
        command: &CommandRecord,
        words: &PlaceWords,
    ) -> Result<Admitted, Refused> {
        match self.check_place(time_ns, command, words, Amount::ZERO) {
            Ok((lots, per_lot)) => Ok(Admitted { lots, per_lot, pulled: Amount::ZERO }),
            Err(refused) => self.admit_with_parent(time_ns, command, words, refused),
        }
    }

    #[inline(always)]
    pub(crate) fn check_place(
        &self,
        time_ns: u64,
        command: &CommandRecord,
        words: &PlaceWords,
        pulled: Amount,
    ) -> Result<(Qty, Amount), Refused> {
        let (id, flags) = (command.instrument().0, words.flags);
        if command.venue as usize > self.venues.len() {
            return refused(Reject::UnknownVenue, command.venue, self.venues.len() as i128);
        }
        let at = command.instrument().index();
        let Some(instrument) = self.instruments.get(at) else {
            return refused(Reject::UnknownInstrument, id, self.instruments.len() as i128);
        };
        let reduce_only = flags.has(Flags::REDUCE_ONLY);
        if instrument.is_restricted | self.accounts[command.account().index()].isolated.is_some() {
            self.check_trades_here(command.account(), instrument, reduce_only)?;
        }
        let rests = matches!(words.tif, Tif::Gtc | Tif::Gtd);
        check_state(instrument, flags, rests)?;
        if self.admission.restricts {
            self.check_money_kind(command.account(), instrument)?;
            self.check_listed(instrument, command.venue())?;
            self.check_admitted(command.account(), command.venue())?;
            self.check_cap(command.account(), command.venue(), instrument)?;
        }
        if rests {
            self.check_profile(command.account(), command.venue())?;
        }
        if flags.has(Flags::PROTECTED) {
            self.check_protection(time_ns, command.account(), command.instrument())?;
        }
        if flags.has(Flags::MARKET) && rests {
            return refused(Reject::MarketTif, words.tif.code(), 0);
        }
        if flags.has(Flags::POST_ONLY) && (!rests || flags.has(Flags::MARKET)) {
            return refused(Reject::PostOnlyTif, words.tif.code(), 0);
        }
        if reduce_only && instrument.class() == Class::Spot {
            return refused(Reject::ReduceOnlySpot, id, 0);
        }
        if words.tif == Tif::Gtd && command.expires_ns <= time_ns {
            return refused(Reject::ExpiryNotInFuture, command.expires_ns, time_ns);
        }
        check_price(instrument, command.price())?;
        check_qty(instrument, command.qty(), reduce_only)?;
        if words.display != Qty::ZERO {
            check_iceberg(instrument, command, words)?;
        }
        check_mark_and_band(instrument, words.side, command.price())?;
        let account = &self.accounts[command.account().index()];
        let stand = account.stand(instrument.key);
        let (position, others) =
            stand.map_or((0, Qty::ZERO), |stand| (stand.lots, stand.resting(words.side)));
        let lots = if reduce_only { to_reduce(position, words.side, command.qty())? } else { command.qty() };
        check_notional(instrument, command.price(), lots, reduce_only)?;
        if rests {
            let here = stand.map_or(0, |stand| stand.orders);
            if here >= instrument.orders_max {
                return refused(Reject::OpenOrdersLimit, here, instrument.orders_max);
            }
            if account.orders >= self.limits.orders_per_account_max {
                return refused(
                    Reject::AccountOrdersLimit,
                    account.orders,
                    self.limits.orders_per_account_max,
                );
            }
        }
        if stand.is_none() {
            self.check_room(command.account(), instrument.class(), 1)?;
        }
        if flags.has(Flags::POST_ONLY) {
            let reach = self.eligibility_of(command.account(), command.venue()).reach;
            self.check_post_only(instrument, words.side, command.price(), reach)?;
        }
        let asked = Asked {
            account: command.account(),
            instrument,
            side: words.side,
            price: command.price(),
            lots,
            venue: command.venue(),
            position,
            others,
            rests,
            replaced_lots: Qty::ZERO,
            replaced_reserve: Amount::ZERO,
            pulled,
        };
        self.check_position_limit(&asked)?;
        if words.tif == Tif::Fok {
            self.check_fillable(&asked, words.self_trade, time_ns)?;
        }
        let per_lot = self.check_money(&asked)?;
        Ok((lots, per_lot))
    }

    /// Room for `more` stands of a product in an account.
    pub(crate) fn check_room(&self, account: AccountId, class: Class, more: usize) -> Result<(), Refused> {
        let limit = match class {
            Class::Perpetual => self.limits.perpetuals_per_account_max,
            Class::Spot | Class::Outcome => self.limits.instruments_per_account_max,
        };
        let count = self.accounts[account.index()].count(class);
        if count + more > limit as usize {
            return refused(Reject::AccountInstrumentsLimit, count as i128, limit);
        }
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn check_position_limit(&self, asked: &Asked) -> Result<(), Refused> {
        let instrument = asked.instrument;
        if instrument.class() == Class::Spot {
            return Ok(());
        }
        let reached = asked.position * asked.side.sign() + asked.others.0 + asked.lots.0;
        if reached > instrument.position_max {
            return refused(Reject::PositionLimit, reached, instrument.position_max);
        }
        Ok(())
    }

    /// Whether the account can pay for, or margin, what it asks; gives the reserve of one lot.
    #[inline(always)]
    pub(crate) fn check_money(&self, asked: &Asked) -> Result<Amount, Refused> {
        let instrument = asked.instrument;
        let per_lot = self.reserve_per_lot(instrument, asked.venue, asked.side, asked.price);
        let reserve = per_lot.times_lots(asked.lots);
        let more = (asked.lots - asked.replaced_lots, reserve - asked.replaced_reserve);
        let change = Change::side(instrument.key, asked.side, more.0, more.1);
        if asked.account.0 == 1 && !self.defends(Defence::NoExemption) {
            return Ok(per_lot);
        }
        match instrument.traded {
            Traded::Spot { .. } => self.check_spot_money(asked, reserve).map(|()| per_lot),
            Traded::Perpetual { .. } => {
                let beside = if asked.rests { asked.others } else { Qty::ZERO };
                let reducing = reduces(asked.position, asked.side, asked.lots + beside);
                let loss = self.loss_of_fill(instrument, asked.side, asked.price, asked.lots);
                let margin = self.margin_with(asked.account, Some(&change));
                if margin.covers(loss - asked.pulled)
                    || (reducing && self.check_loss(asked, &margin, loss)?)
                {
                    return self.check_new_debt(asked, reducing, reserve + loss).map(|()| per_lot);
                }
                let missing = loss - margin.headroom();
                refused(Reject::InsufficientMargin, missing.0, self.margin(asked.account).headroom().0)
            }
            Traded::Outcome { question, .. } => {
                let account = &self.accounts[asked.account.index()];
                let worst = self.worst_case_with(account, question, Some(&change), 0);
                let margin = self.margin_with_worst_case(asked.account, question, worst, Some(&change));
                let takes_nothing = if self.is_scenario(asked.account) {
                    margin.headroom() >= self.margin(asked.account).headroom()
                } else {
                    worst >= account.worst_case(question)
                };
                if takes_nothing || margin.covers(Amount::ZERO) {
                    let is_exempt = takes_nothing || asked.side == Side::Sell;
                    return self.check_new_debt(asked, is_exempt, reserve).map(|()| per_lot);
                }
                refused(
                    Reject::InsufficientMargin,
                    -margin.headroom().0,
                    self.margin(asked.account).headroom().0,
                )
            }
        }
    }

    /// Whether a reducing order that the account has no margin for passes all the same: not where it breaks a hedge.
    #[cold]
    fn check_loss(&self, asked: &Asked, margin: &Margin, loss: Amount) -> Result<bool, Refused> {
        let reduced = Reduced { position: asked.position, before: Qty::ZERO };
        match self.bearable(asked.account, asked.instrument, margin.equity, reduced, asked.lots) {
            None => Ok(false),
            Some(most) if loss > most => refused(Reject::ReducingLoss, loss.0, most.0),
            Some(_) => Ok(self.keeps_hedges(asked.account, margin)),
        }
    }

    /// A spot order that holds collateral takes its value from the account as long as it rests; it is always admitted
    /// if what it brings at its limit price is worth as much.
    #[cold]
    fn check_collateral_given(&self, asked: &Asked, asset: AssetId, needed: Amount) -> Result<(), Refused> {
        let (account, balance) = (asked.account, self.ledger.balance(asked.account, asset));
        let free = balance.free() + asked.replaced_reserve;
        let lost = self.collateral_lost(asset, free, needed);
        if lost <= self.settlement_brought(asked) {
            return Ok(());
        }
        let before = self.margin(account).headroom();
        let without =
            before + self.value_as_collateral(asset, free) - self.value_as_collateral(asset, balance.free());
        let after = without - lost;
        if after < Amount::ZERO {
            return refused(Reject::InsufficientMargin, -after.0, before.0);
        }
        Ok(())
    }

    /// Settlement atoms that a spot order brings if it fills at its limit price, less the worst fee.
    fn settlement_brought(&self, asked: &Asked) -> Amount {
        let Traded::Spot { base, quote, base_atoms_per_lot } = asked.instrument.traded else {
            return Amount::ZERO;
        };
        match asked.side {
            Side::Sell if quote == xos_ledger::SETTLEMENT => {
                let value = notional(asked.price, asked.lots, asked.instrument.k);
                let paid = self.reserve_per_lot(asked.instrument, asked.venue, Side::Buy, asked.price);
                value + value - paid.times_lots(asked.lots)
            }
            Side::Buy if base == xos_ledger::SETTLEMENT => {
                Amount(i128::from(base_atoms_per_lot)).times_lots(asked.lots)
            }
            _ => Amount::ZERO,
        }
    }

    fn check_spot_money(&self, asked: &Asked, needed: Amount) -> Result<(), Refused> {
        let asset = held_asset(asked.instrument, asked.side).expect("a spot order holds an asset");
        let mut available = self.ledger.balance(asked.account, asset).free() + asked.replaced_reserve;
        if asset == xos_ledger::SETTLEMENT {
            available = available.min(self.margin(asked.account).headroom() + asked.replaced_reserve);
        }
        if available < needed {
            return refused(Reject::InsufficientBalance, needed.0, available.0);
        }
        if asset != xos_ledger::SETTLEMENT && !self.collaterals.is_empty() {
            return self.check_collateral_given(asked, asset, needed);
        }
        Ok(())
    }
}

#[inline(always)]
pub(crate) fn check_state(instrument: &Instrument, flags: Flags, rests: bool) -> Result<(), Refused> {
    let reject = match instrument.gate {
        InstrumentState::Continuous => return Ok(()),
        InstrumentState::ReduceOnly if flags.has(Flags::REDUCE_ONLY) => return Ok(()),
        InstrumentState::PostOnly if flags.has(Flags::POST_ONLY) => return Ok(()),
        InstrumentState::PostOnly => Reject::InstrumentPostOnly,
        InstrumentState::ReduceOnly => Reject::InstrumentReduceOnly,
        InstrumentState::CancelOnly => Reject::InstrumentCancelOnly,
        InstrumentState::Halted => Reject::InstrumentHalted,
        InstrumentState::Settled => Reject::InstrumentSettled,
        InstrumentState::Auction => return check_collected(instrument, flags, rests),
        InstrumentState::Uncrossing => Reject::InstrumentUncrossing,
    };
    refused(reject, instrument.id.0, 0)
}

#[inline(always)]
pub(crate) fn check_price(instrument: &Instrument, price: Price) -> Result<(), Refused> {
    if price <= Price::ZERO {
        return refused(Reject::PriceNotPositive, price.0, 1);
    }
    if price > instrument.price_max {
        return refused(Reject::PriceAboveMax, price.0, instrument.price_max.0);
    }
    Ok(())
}

#[inline(always)]
pub(crate) fn check_qty(instrument: &Instrument, lots: Qty, reduce_only: bool) -> Result<(), Refused> {
    if lots <= Qty::ZERO {
        return refused(Reject::QtyNotPositive, lots.0, 1);
    }
    if lots < instrument.qty_min && !reduce_only {
        return refused(Reject::QtyBelowMin, lots.0, instrument.qty_min.0);
    }
    check_qty_max(instrument, lots)
}

#[inline(always)]
pub(crate) fn check_qty_max(instrument: &Instrument, lots: Qty) -> Result<(), Refused> {
    if lots > instrument.qty_max {
        return refused(Reject::QtyAboveMax, lots.0, instrument.qty_max.0);
    }
    Ok(())
}

#[inline(always)]
pub(crate) fn check_mark_and_band(instrument: &Instrument, side: Side, price: Price) -> Result<(), Refused> {
    if instrument.mark == Price::ZERO && instrument.class() == Class::Perpetual {
        return refused(Reject::MarkMissing, instrument.id.0, 0);
    }
    match side {
        Side::Buy if price > instrument.band_high => {
            refused(Reject::PriceOutsideBand, price.0, instrument.band_high.0)
        }
        Side::Sell if price < instrument.band_low => {
            refused(Reject::PriceOutsideBand, price.0, instrument.band_low.0)
        }
        _ => Ok(()),
    }
}

pub(crate) fn to_reduce(position: i64, side: Side, lots: Qty) -> Result<Qty, Refused> {
    let capacity = reducible(position, side);
    if capacity == Qty::ZERO { refused(Reject::NothingToReduce, position, 0) } else { Ok(lots.min(capacity)) }
}

#[inline(always)]
pub(crate) fn check_notional(
    instrument: &Instrument,
    price: Price,
    lots: Qty,
    reduce_only: bool,
) -> Result<(), Refused> {
    let value = notional(price, lots, instrument.k);
    if value < instrument.notional_min && !reduce_only {
        return refused(Reject::NotionalBelowMin, value.0, instrument.notional_min.0);
    }
    if value > instrument.notional_max {
        return refused(Reject::NotionalAboveMax, value.0, instrument.notional_max.0);
    }
    Ok(())
}
