//! Placing, amending and cancelling orders that wait.

use crate::account::Class;
use crate::client_ids::IdsOf;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::margin::reducible;
use crate::orders::{check_price, check_qty};
use crate::shape;
use crate::step::{Refused, Step, refused, wide};
use crate::triggers::{Leg, Trigger, Wait};
use xos_protocol::{
    CancelReason, CommandRecord, EventKind, Flags, InstrumentState, Reject, SLIPPAGE_PPM_MAX, Tif,
};
use xos_units::{AccountId, Amount, InstrumentId, OrderId, Price, Qty};

impl Engine {
    pub(crate) fn place_trigger(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let trigger = shape::place_trigger(command, OrderId(step.sequence))?;
        self.known_account(command)?;
        self.once(step, command, Some(IdsOf::Orders), |engine, step| {
            engine.check_trigger(&trigger)?;
            // ---- Everything is checked. Below this line nothing fails. ----
            engine.add_trigger(trigger);
            push_trigger(step, EventKind::TriggerAccepted, &trigger);
            Ok(())
        })
    }

    fn check_trigger(&self, trigger: &Trigger) -> Result<(), Refused> {
        if trigger.venue.0 as usize > self.venues.len() {
            return refused(Reject::UnknownVenue, trigger.venue.0, self.venues.len() as i128);
        }
        let Some(instrument) = self.instruments.get(trigger.instrument.index()) else {
            return refused(Reject::UnknownInstrument, trigger.instrument.0, self.instruments.len() as i128);
        };
        if instrument.is_restricted | self.accounts[trigger.account.index()].isolated.is_some() {
            let reduces = Flags(trigger.flags).has(Flags::REDUCE_ONLY);
            self.check_trades_here(trigger.account, instrument, reduces)?;
        }
        if instrument.state == InstrumentState::Settled {
            return refused(Reject::InstrumentSettled, instrument.id.0, 0);
        }
        if instrument.trades_no_more() {
            return refused(Reject::InstrumentCancelOnly, instrument.id.0, 0);
        }
        if self.admission.restricts {
            self.check_money_kind(trigger.account, instrument)?;
            self.check_listed(instrument, trigger.venue)?;
            self.check_admitted(trigger.account, trigger.venue)?;
            self.check_cap(trigger.account, trigger.venue, instrument)?;
        }
        let flags = Flags(trigger.flags);
        let rests = trigger.tif == Tif::Gtc;
        if flags.has(Flags::MARKET) && rests {
            return refused(Reject::MarketTif, trigger.tif.code(), 0);
        }
        if flags.has(Flags::POST_ONLY) && (!rests || flags.has(Flags::MARKET)) {
            return refused(Reject::PostOnlyTif, trigger.tif.code(), 0);
        }
        if flags.has(Flags::REDUCE_ONLY) && instrument.class() == Class::Spot {
            return refused(Reject::ReduceOnlySpot, instrument.id.0, 0);
        }
        check_prices(instrument, trigger)?;
        self.check_trigger_qty(instrument, trigger)?;
        self.check_trigger_count(trigger.account)?;
        check_not_reached(instrument, trigger)
    }

    /// Lots within their bounds; none: the whole position, which has to stand on the other side.
    fn check_trigger_qty(&self, instrument: &Instrument, trigger: &Trigger) -> Result<(), Refused> {
        let reduce_only = Flags(trigger.flags).has(Flags::REDUCE_ONLY);
        if trigger.qty == Qty::ZERO && reduce_only && instrument.class() == Class::Perpetual {
            let (position, _) = self.stand_of(trigger.account, instrument.key, trigger.side);
            if reducible(position, trigger.side) == Qty::ZERO {
                return refused(Reject::NothingToReduce, position, 0);
            }
            return Ok(());
        }
        check_qty(instrument, trigger.qty, reduce_only)
    }

    pub(crate) fn check_trigger_count(&self, account: AccountId) -> Result<(), Refused> {
        let (count, limit) = (self.triggers.of(account).count(), self.limits.triggers_per_account_max);
        if count >= limit as usize {
            return refused(Reject::TriggersLimit, count as i128, limit);
        }
        Ok(())
    }

    pub(crate) fn add_trigger(&mut self, trigger: Trigger) {
        self.instruments[trigger.instrument.index()].triggers += 1;
        self.triggers.insert(trigger);
    }

    pub(crate) fn remove_trigger(&mut self, id: OrderId) -> Option<Trigger> {
        let trigger = self.triggers.remove(id)?;
        self.instruments[trigger.instrument.index()].triggers -= 1;
        Some(trigger)
    }

    /// Takes a waiting order out and tells why.
    pub(crate) fn cancel_trigger(&mut self, step: &mut Step, id: OrderId, reason: CancelReason) {
        if let Some(trigger) = self.remove_trigger(id) {
            let event = push_trigger(step, EventKind::TriggerCancelled, &trigger);
            event.reason = reason.code();
            event.flags = 0;
        }
    }

    /// The waiting order that a cancel or amend names, by id or by client id.
    pub(crate) fn named_trigger(&self, command: &CommandRecord) -> Result<OrderId, Refused> {
        let found = if command.order_id != 0 {
            self.triggers.get(command.order_id())
        } else if command.has_client_id() {
            let tag = self.client_ids.tag(command.account(), &command.client_id);
            let answer = self.client_ids.answer(tag, command.account(), &command.client_id);
            answer
                .filter(|answer| answer.kind == EventKind::TriggerAccepted.code())
                .and_then(|answer| self.triggers.get(OrderId(answer.order_id)))
        } else {
            None
        };
        match found {
            Some(trigger)
                if trigger.account == command.account()
                    && (command.instrument == 0 || trigger.instrument == command.instrument()) =>
            {
                Ok(trigger.id)
            }
            _ => refused(Reject::UnknownOrder, command.order_id, 0),
        }
    }

    /// Ids of an account's waiting orders, on one instrument or all, for which `wanted` holds.
    pub(crate) fn triggers_of(
        &self,
        account: AccountId,
        instrument: Option<InstrumentId>,
        wanted: impl Fn(&Trigger) -> bool,
    ) -> Vec<OrderId> {
        let here = |trigger: &&Trigger| instrument.is_none_or(|id| id == trigger.instrument);
        self.triggers.of(account).filter(here).filter(|t| wanted(t)).map(|t| t.id).collect()
    }

    pub(crate) fn amend_trigger(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.known_account(command)?;
        let id = self.named_trigger(command)?;
        let before = *self.triggers.get(id).expect("just found");
        if before.wait != Wait::Price {
            return refused(Reject::UnknownOrder, command.order_id, 0);
        }
        let amended = changed(&before, command)?;
        let instrument = &self.instruments[before.instrument.index()];
        check_prices(instrument, &amended)?;
        if command.qty != 0 {
            check_qty(instrument, amended.qty, Flags(amended.flags).has(Flags::REDUCE_ONLY))?;
        }
        if amended.entry.0 == 0 || amended.qty > Qty::ZERO {
            check_not_reached(instrument, &amended)?;
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.triggers.remove(id);
        self.triggers.insert(amended);
        push_trigger(step, EventKind::TriggerAmended, &amended);
        Ok(())
    }
}

/// A waiting order with what an amend changes.
fn changed(before: &Trigger, command: &CommandRecord) -> Result<Trigger, Refused> {
    let mut amended = *before;
    let (above, below) = command.triggers();
    let both = before.above.trigger != Price::ZERO && before.below.trigger != Price::ZERO;
    let market = Flags(before.flags).has(Flags::MARKET);
    let below_limit = Price(command.expires_ns as i64);
    let missing = (above != Price::ZERO && before.above.trigger == Price::ZERO)
        || (below != Price::ZERO && before.below.trigger == Price::ZERO)
        || (command.price != 0 && market)
        || (below_limit != Price::ZERO && (market || !both))
        || (command.qty != 0 && before.entry.0 != 0);
    if missing {
        return refused(Reject::TriggerMissing, before.id.0, 0);
    }
    let keep = |now: &mut Price, new: Price| {
        if new != Price::ZERO {
            *now = new;
        }
    };
    keep(&mut amended.above.trigger, above);
    keep(&mut amended.below.trigger, below);
    if before.above.trigger != Price::ZERO {
        keep(&mut amended.above.limit, command.price());
        keep(&mut amended.below.limit, below_limit);
    } else {
        keep(&mut amended.below.limit, command.price());
    }
    if command.qty != 0 {
        amended.qty = command.qty();
    }
    let same = (amended.above, amended.below, amended.qty) == (before.above, before.below, before.qty);
    if same {
        return refused(Reject::AmendWithoutChange, before.id.0, 0);
    }
    Ok(amended)
}

/// Trigger prices and limits within the instrument's, one leg at least, the legs apart, the slippage within bounds.
pub(crate) fn check_prices(instrument: &Instrument, trigger: &Trigger) -> Result<(), Refused> {
    let legs = [trigger.above, trigger.below].into_iter().filter(|leg| leg.trigger != Price::ZERO);
    let market = Flags(trigger.flags).has(Flags::MARKET);
    for leg in legs.clone() {
        check_price(instrument, leg.trigger)?;
    }
    if legs.clone().next().is_none() {
        return refused(Reject::TriggerMissing, 0, 0);
    }
    if legs.clone().count() == 2 && trigger.above.trigger <= trigger.below.trigger {
        return refused(Reject::TriggersCross, trigger.above.trigger.0, trigger.below.trigger.0);
    }
    if market {
        if !(1..=SLIPPAGE_PPM_MAX).contains(&trigger.slippage_ppm) {
            return refused(Reject::SlippageOutOfBounds, trigger.slippage_ppm, SLIPPAGE_PPM_MAX);
        }
        return Ok(());
    }
    legs.map(|leg| leg.limit).try_for_each(|limit| check_price(instrument, limit))
}

/// Refuses what would fire at once.
fn check_not_reached(instrument: &Instrument, trigger: &Trigger) -> Result<(), Refused> {
    for (above, leg) in trigger.legs() {
        let now = instrument.price_of(leg.source);
        let known = leg.trigger != Price::ZERO && now != Price::ZERO;
        if known && (if above { now >= leg.trigger } else { now <= leg.trigger }) {
            return refused(Reject::TriggerWouldFire, leg.trigger.0, now.0);
        }
    }
    Ok(())
}

/// Adds the event that an order waits as told.
pub(crate) fn push_trigger<'s>(
    step: &'s mut Step,
    kind: EventKind,
    trigger: &Trigger,
) -> &'s mut xos_protocol::EventRecord {
    let event = step.push(kind);
    event.side = trigger.side.code();
    event.flags = trigger.flags;
    event.venue = trigger.venue.0;
    event.account = trigger.account.0;
    event.instrument = trigger.instrument.0;
    event.order_id = trigger.id.0;
    let both = trigger.above.trigger != Price::ZERO && trigger.below.trigger != Price::ZERO;
    event.price =
        if trigger.above.trigger == Price::ZERO { trigger.below.limit.0 } else { trigger.above.limit.0 };
    event.remaining = if both { trigger.below.limit.0 } else { 0 };
    event.qty = trigger.qty.0;
    event.amount = wide(Amount(trigger.above.trigger.0.into()));
    event.counter_amount = wide(Amount(trigger.below.trigger.0.into()));
    event
}

/// The legs that a record names.
pub(crate) fn legs_of(command: &CommandRecord, words: xos_protocol::TriggerWords) -> (Leg, Leg) {
    let (above, below) = command.triggers();
    (
        Leg { trigger: above, limit: Price::ZERO, source: words.above },
        Leg { trigger: below, limit: Price::ZERO, source: words.below },
    )
}
