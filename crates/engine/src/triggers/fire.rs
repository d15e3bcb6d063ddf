//! What a price reaches, and how it fires.

use crate::account::Class;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::margin::{Change, Reduced, reduces, reducible};
use crate::orders::Admitted;
use crate::shape::PlaceWords;
use crate::step::{Refused, Step, emit_rejected, wide};
use crate::triggers::commands::push_trigger;
use crate::triggers::{Leg, Trigger, Wait};
use xos_book::NO_SLOT;
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, EventKind, Flags, InstrumentState, PriceSource, Reject, Side,
};
use xos_units::{
    AccountId, Amount, PPM_ONE, PRICE_TICKS_BOUND, Price, Qty, Requirement, division::whole_parts, notional,
    widening,
};

/// Whether orders that wait fire in a state; in the others they go on waiting.
fn lets_fire(state: InstrumentState) -> bool {
    matches!(state, InstrumentState::Continuous | InstrumentState::ReduceOnly)
}

impl Engine {
    /// The orders that a price reaches leave their watch and stand in the row.
    #[cold]
    pub(crate) fn price_reached(&mut self, at: usize, source: PriceSource) {
        let instrument = &self.instruments[at];
        let price = instrument.price_of(source);
        if !lets_fire(instrument.gate) || price == Price::ZERO {
            return;
        }
        for (id, above) in self.triggers.reached(instrument.id, source, price) {
            self.triggers.reach(id, above);
            self.triggers_due = true;
        }
    }

    /// All prices of an instrument anew, after its state or its published prices were set.
    pub(crate) fn prices_reached(&mut self, at: usize) {
        if self.instruments[at].triggers > 0 {
            PriceSource::ALL.iter().for_each(|source| self.price_reached(at, *source));
        }
    }

    /// Compares one order with the prices as they are.
    pub(crate) fn compare(&mut self, trigger: &Trigger) {
        let instrument = &self.instruments[trigger.instrument.index()];
        if !lets_fire(instrument.gate) {
            return;
        }
        // In the order of sources, above before below, as a change of each price would find them.
        for source in PriceSource::ALL {
            let now = instrument.price_of(*source);
            for (above, leg) in trigger.legs() {
                let watched = leg.trigger != Price::ZERO && leg.source == *source && now != Price::ZERO;
                if watched && (if above { now >= leg.trigger } else { now <= leg.trigger }) {
                    self.triggers.reach(trigger.id, above);
                    self.triggers_due = true;
                    return;
                }
            }
        }
    }

    /// A position was closed or turned: what would have closed the whole of it goes at the end of the command.
    #[cold]
    pub(crate) fn position_closed(&mut self, account: AccountId, at: usize) {
        self.triggers.closed.insert((account, self.instruments[at].id));
        self.triggers_due = true;
    }

    /// At the end of a command: what closed positions leave behind goes, and reached orders fire, a bounded number.
    #[cold]
    pub(crate) fn fire_due(&mut self, step: &mut Step) {
        let mut left = self.limits.triggers_fired_per_command_max;
        loop {
            self.forget_empty_stands();
            self.leave_closed_positions(step);
            if self.triggers.row().first().is_none() {
                self.triggers_due = false;
                return;
            }
            if left == 0 || self.violation.is_some() {
                return;
            }
            left -= 1;
            self.fire_next(step);
        }
    }

    fn leave_closed_positions(&mut self, step: &mut Step) {
        for (account, id) in std::mem::take(&mut self.triggers.closed) {
            let key = self.instruments[id.index()].key;
            let position = self.accounts[account.index()].stand(key).map_or(0, |stand| stand.lots);
            let gone =
                |trigger: &Trigger| trigger.is_whole_position() && position.signum() != -trigger.side.sign();
            for trigger in self.triggers_of(account, Some(id), gone) {
                self.cancel_trigger(step, trigger, CancelReason::PositionClosed);
            }
        }
    }

    fn fire_next(&mut self, step: &mut Step) {
        let Some(mut trigger) = self.triggers.take_first() else { return };
        let Wait::Turn { above, .. } = trigger.wait else { return };
        let at = trigger.instrument.index();
        if !lets_fire(self.instruments[at].gate) {
            trigger.wait = Wait::Price;
            self.triggers.insert(trigger);
            return;
        }
        self.instruments[at].triggers -= 1;
        let mut own = Step {
            sequence: step.sequence,
            time_ns: step.time_ns,
            client_id: &trigger.client_id,
            events: step.events,
        };
        self.fire(&mut own, &trigger, if above { trigger.above } else { trigger.below });
    }

    fn fire(&mut self, step: &mut Step, trigger: &Trigger, leg: Leg) {
        let instrument = &self.instruments[trigger.instrument.index()];
        let now = instrument.price_of(leg.source);
        let price = if Flags(trigger.flags).has(Flags::MARKET) {
            protection(instrument, trigger.side, now, trigger.slippage_ppm)
        } else {
            leg.limit
        };
        let mut lots = trigger.qty;
        if trigger.is_whole_position() {
            let (position, _) = self.stand_of(trigger.account, instrument.key, trigger.side);
            lots = Qty(position.abs()).min(instrument.qty_max);
        }
        let event = push_trigger(step, EventKind::TriggerFired, trigger);
        (event.price, event.qty, event.remaining) = (now.0, lots.0, 0);
        event.amount = wide(Amount(leg.trigger.0.into()));
        event.counter_amount = wide(Amount(leg.source.code().into()));
        // Its entry must not fill any more: nothing would close what it opens.
        if let Some(slot) = self.pool.find(trigger.entry) {
            self.cancel_resting(step, slot, CancelReason::Linked);
            self.forget_empty_stands();
        }
        let command = CommandRecord {
            kind: CommandKind::Place.code(),
            side: trigger.side.code(),
            tif: trigger.tif.code(),
            flags: trigger.flags,
            self_trade: trigger.self_trade.code(),
            venue: trigger.venue.0,
            account: trigger.account.0,
            instrument: trigger.instrument.0,
            order_id: trigger.id.0,
            price: price.0,
            qty: lots.0,
            ..Default::default()
        };
        if let Err(refused) = self.enter(step, &command, trigger) {
            emit_rejected(step, &command, refused);
        }
    }

    /// A fired order goes the way of every order.
    fn enter(&mut self, step: &mut Step, command: &CommandRecord, trigger: &Trigger) -> Result<(), Refused> {
        let words = PlaceWords {
            side: trigger.side,
            tif: trigger.tif,
            flags: Flags(trigger.flags),
            self_trade: trigger.self_trade,
            display: Qty::ZERO,
        };
        let (command, admitted) = match self.admit(step.time_ns, command, &words) {
            Ok(admitted) => (*command, admitted),
            Err(refused) => {
                let nearer =
                    CommandRecord { price: self.borne_price(command, &words, &refused)?.0, ..*command };
                let admitted = self.admit(step.time_ns, &nearer, &words).map_err(|_| refused)?;
                (nearer, admitted)
            }
        };
        let Admitted { lots, per_lot, pulled } = admitted;
        // ---- Everything is checked. Below this line nothing fails. ----
        let mut incoming = self.incoming(trigger.id, &command, &words, lots, per_lot);
        if trigger.client_id != [0; 32] {
            let tag = self.client_ids.tag(trigger.account, &trigger.client_id);
            let slot = self.client_ids.slot(tag, trigger.account, &trigger.client_id);
            incoming.order.client_id_at = slot.unwrap_or(NO_SLOT);
        }
        step.push_order(EventKind::OrderAccepted, &incoming.order);
        if pulled != Amount::ZERO {
            self.pull(step, command.account(), pulled);
        }
        self.work(step, &mut incoming);
        Ok(())
    }

    /// The furthest price at which an account bears what a market order that reduces may lose, where its protection is too
    /// far: a stop closes what it can instead of leaving the position open.
    #[cold]
    fn borne_price(
        &self,
        command: &CommandRecord,
        words: &PlaceWords,
        refused: &Refused,
    ) -> Result<Price, Refused> {
        let instrument = &self.instruments[command.instrument().index()];
        let (position, _) = self.stand_of(command.account(), instrument.key, words.side);
        let lots = match words.flags.has(Flags::REDUCE_ONLY) {
            true => command.qty().min(reducible(position, words.side)),
            false => command.qty(),
        };
        let is_of_margin = matches!(refused.reject, Reject::InsufficientMargin | Reject::ReducingLoss);
        let is_market = words.flags.has(Flags::MARKET) && is_of_margin;
        if !is_market || instrument.class() != Class::Perpetual || !reduces(position, words.side, lots) {
            return Err(*refused);
        }
        let dearest = command.price().max(instrument.mark);
        let reserve = self.reserve_per_lot(instrument, command.venue(), words.side, dearest);
        let change = Change::side(instrument.key, words.side, lots, reserve.times_lots(lots));
        let equity = self.margin_with(command.account(), Some(&change)).equity;
        let freed = Requirement(widening(instrument.margin_value, lots.0)).floor();
        if equity < Amount::ZERO {
            return Err(*refused);
        }
        let reduced = Reduced { position, before: Qty::ZERO };
        let share = self.share_of_equity(command.account(), instrument, equity, reduced, lots);
        let most = freed.min(share.ok_or(*refused)?);
        let ticks = whole_parts(most, notional(Price(1), lots, instrument.k));
        let ticks = i64::try_from(ticks).unwrap_or(PRICE_TICKS_BOUND);
        Ok(match words.side {
            Side::Buy => command.price().min(Price(instrument.mark.0 + ticks)),
            Side::Sell => command.price().max(Price(instrument.mark.0 - ticks)),
        })
    }
}

/// How far a market order may trade: so far from the price that fired it, within the instrument's prices and its band.
fn protection(instrument: &Instrument, side: Side, now: Price, slippage_ppm: u32) -> Price {
    let width = i128::from(now.0) * i128::from(slippage_ppm) / i128::from(PPM_ONE);
    let width = i64::try_from(width).expect("narrower than the price");
    match side {
        Side::Buy => Price(now.0 + width).min(instrument.price_max).min(instrument.band_high),
        Side::Sell => Price(now.0 - width).max(Price(1)).max(instrument.band_low),
    }
}
