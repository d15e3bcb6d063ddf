//! Section 15: orders that wait for a price, and brackets.

use super::events::{Cause, order_of};
use super::refusal::{Refusal, check, check_id, refuse};
use super::slippage::protection;
use super::state::{Instrument, Order, World};
use super::trigger_checks::{check_not_reached, check_trigger_prices, check_trigger_qty};
use xos_protocol::{
    CancelReason, ClientId, CommandRecord, EventKind, EventRecord, Flags, InstrumentState, Int128,
    PriceSource, Reject, SelfTrade, Side, Tif,
};

/// The bit in the number of a bracket's exits.
const EXITS: u64 = 1 << 52;

/// One side of a waiting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) trigger: i64,
    pub(super) limit: i64,
    pub(super) source: PriceSource,
}

/// An order that waits.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) id: u64,
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) venue: u16,
    pub(super) side: Side,
    pub(super) tif: Tif,
    pub(super) flags: Flags,
    pub(super) self_trade: SelfTrade,
    pub(super) qty: i64,
    pub(super) above: Leg,
    pub(super) below: Leg,
    pub(super) slippage_ppm: u32,
    pub(super) entry: u64,
    pub(super) client_id: ClientId,
    /// 0: it watches, 1: its leg above was reached, 2: its leg below was.
    pub(super) reached: u8,
}

impl Trigger {
    fn is_whole_position(&self) -> bool {
        self.qty == 0 && self.entry == 0
    }
    fn is_unarmed(&self) -> bool {
        self.qty == 0 && self.entry != 0
    }
    pub(super) fn has_both(&self) -> bool {
        self.above.trigger != 0 && self.below.trigger != 0
    }
    pub(super) fn is_market(&self) -> bool {
        self.flags.has(Flags::MARKET)
    }
    /// Whether a price of this source reaches a leg: 1 above, 2 below, 0 none.
    fn reached_at(&self, source: PriceSource, price: i64) -> u8 {
        let (above, below) = (self.above, self.below);
        if price == 0 {
            0
        } else if above.trigger != 0 && above.source == source && price >= above.trigger {
            1
        } else if below.trigger != 0 && below.source == source && price <= below.trigger {
            2
        } else {
            0
        }
    }
}

fn words_of(command: &CommandRecord) -> (PriceSource, PriceSource, u32) {
    let bytes = command.order_id.to_le_bytes();
    let source = |byte| PriceSource::from_code(byte).expect("checked before");
    let slippage = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    (source(bytes[0]), source(bytes[1]), slippage)
}

fn lets_fire(instrument: &Instrument) -> bool {
    matches!(instrument.accepts(), InstrumentState::Continuous | InstrumentState::ReduceOnly)
}

impl Cause {
    fn waiting(&self, kind: EventKind, trigger: &Trigger) -> EventRecord {
        let has_above = trigger.above.trigger != 0;
        EventRecord {
            side: trigger.side.code(),
            flags: trigger.flags.0,
            venue: trigger.venue,
            account: trigger.account,
            instrument: trigger.instrument,
            order_id: trigger.id,
            price: if has_above { trigger.above.limit } else { trigger.below.limit },
            remaining: if trigger.has_both() { trigger.below.limit } else { 0 },
            qty: trigger.qty,
            amount: Int128::new(trigger.above.trigger.into()),
            counter_amount: Int128::new(trigger.below.trigger.into()),
            ..self.event(kind)
        }
    }
}

impl World {
    pub(super) fn place_trigger(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let venues = self.venues.len();
        check(usize::from(command.venue) <= venues, Reject::UnknownVenue, command.venue, venues as i128)?;
        check_id(command.instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        self.check_trades_here(command)?;
        let order = order_of(cause.sequence, command);
        let (source_above, source_below, slippage_ppm) = words_of(command);
        let (above, below, second) =
            (command.amount.low as i64, command.amount.high, command.expires_ns as i64);
        let (limit_above, limit_below) =
            if above == 0 { (0, command.price) } else { (command.price, second) };
        let trigger = Trigger {
            id: cause.sequence,
            account: order.account,
            instrument: order.instrument,
            venue: order.venue,
            side: order.side,
            tif: order.tif,
            flags: order.flags,
            self_trade: order.self_trade,
            qty: command.qty,
            above: Leg { trigger: above, limit: limit_above, source: source_above },
            below: Leg { trigger: below, limit: limit_below, source: source_below },
            slippage_ppm,
            entry: 0,
            client_id: command.client_id,
            reached: 0,
        };
        self.check_trigger(&trigger)?;
        events.push(cause.waiting(EventKind::TriggerAccepted, &trigger));
        self.triggers.push(trigger);
        Ok(())
    }

    fn check_trigger(&self, trigger: &Trigger) -> Result<(), Refusal> {
        let instrument = self.instrument(trigger.instrument);
        let (id, flags, tif, market) = (trigger.instrument, trigger.flags, trigger.tif, trigger.is_market());
        self.check_not_over(id)?;
        self.check_kind_of_money(trigger.account, trigger.instrument)?;
        self.check_listed(trigger.instrument, trigger.venue)?;
        self.check_admitted(trigger.account, trigger.venue)?;
        self.check_cap(trigger.account, trigger.venue, trigger.instrument)?;
        check(!(market && tif == Tif::Gtc), Reject::MarketTif, tif.code(), 0)?;
        let may_rest = tif == Tif::Gtc && !market;
        check(!flags.has(Flags::POST_ONLY) || may_rest, Reject::PostOnlyTif, tif.code(), 0)?;
        check(!(flags.has(Flags::REDUCE_ONLY) && instrument.is_spot()), Reject::ReduceOnlySpot, id, 0)?;
        check_trigger_prices(instrument, trigger)?;
        if trigger.qty == 0 && flags.has(Flags::REDUCE_ONLY) && instrument.is_perpetual() {
            let holding = self.holding(trigger.account, id);
            check(holding.closable_by(trigger.side) > 0, Reject::NothingToReduce, holding.position, 0)?;
        } else {
            check_trigger_qty(instrument, trigger)?;
        }
        self.check_trigger_count(trigger.account)?;
        check_not_reached(instrument, trigger)
    }

    fn check_trigger_count(&self, account: u32) -> Result<(), Refusal> {
        let count = self.triggers.iter().filter(|t| t.account == account).count() as i128;
        let limit = i128::from(self.limits.triggers_per_account_max);
        check(count < limit, Reject::TriggersLimit, count, limit)
    }

    pub(super) fn place_bracket(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (mut order, pulled) = self.admitted_order(cause, cause.sequence, command)?;
        let (source_above, source_below, slippage_ppm) = words_of(command);
        let (above, below) = (command.amount.low as i64, command.amount.high);
        let instrument = self.instrument(command.instrument);
        let reduce_only = if instrument.is_spot() { 0 } else { Flags::REDUCE_ONLY };
        let exits = Trigger {
            id: cause.sequence | EXITS,
            account: order.account,
            instrument: order.instrument,
            venue: order.venue,
            side: order.side.opposite(),
            tif: Tif::Ioc,
            flags: Flags(Flags::MARKET | reduce_only),
            self_trade: order.self_trade,
            qty: 0,
            above: Leg { trigger: above, limit: 0, source: source_above },
            below: Leg { trigger: below, limit: 0, source: source_below },
            slippage_ppm,
            entry: cause.sequence,
            client_id: [0; 32],
            reached: 0,
        };
        check_trigger_prices(instrument, &exits)?;
        check(above == 0 || above > order.price, Reject::TriggersCross, above, order.price)?;
        check(below == 0 || below < order.price, Reject::TriggersCross, below, order.price)?;
        self.check_trigger_count(order.account)?;
        // Nothing below can fail.
        order.flags = Flags(order.flags.0 | Flags::BRACKET);
        events.push(cause.accepted(&order));
        events.push(cause.waiting(EventKind::TriggerAccepted, &exits));
        self.pull(cause, order.account, pulled, events);
        self.triggers.push(exits);
        self.take_and_keep(cause, order, events);
        Ok(())
    }

    pub(super) fn find_trigger(&self, command: &CommandRecord) -> Option<usize> {
        self.triggers.iter().position(|trigger| {
            let by_id = command.order_id != 0 && trigger.id == command.order_id;
            let by_client_id =
                command.order_id == 0 && command.has_client_id() && trigger.client_id == command.client_id;
            trigger.account == command.account
                && (by_id || by_client_id)
                && (command.instrument == 0 || command.instrument == trigger.instrument)
        })
    }

    /// Waiting orders that are meant leave, in order of id; how many.
    pub(super) fn cancel_triggers(
        &mut self,
        cause: &Cause,
        reason: CancelReason,
        is_meant: impl Fn(&Trigger) -> bool,
        events: &mut Vec<EventRecord>,
    ) {
        let mut meant: Vec<Trigger> = self.triggers.iter().filter(|t| is_meant(t)).cloned().collect();
        meant.sort_by_key(|trigger| trigger.id);
        for trigger in meant {
            self.forget_trigger(trigger.id);
            events.push(EventRecord {
                reason: reason.code(),
                flags: 0,
                ..cause.waiting(EventKind::TriggerCancelled, &trigger)
            });
        }
    }

    fn forget_trigger(&mut self, id: u64) {
        self.triggers.retain(|trigger| trigger.id != id);
        self.row.retain_mut(|(_, ids)| {
            ids.retain(|&other| other != id);
            !ids.is_empty()
        });
    }

    pub(super) fn amend_trigger(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let found = self.find_trigger(command).filter(|&at| self.triggers[at].reached == 0);
        let Some(at) = found else { return refuse(Reject::UnknownOrder, command.order_id, 0) };
        let before = self.triggers[at].clone();
        let mut amended = before.clone();
        let (above, below) = (command.amount.low as i64, command.amount.high);
        let limit_below = command.expires_ns as i64;
        let can_above = before.above.trigger != 0;
        let can_below = before.below.trigger != 0;
        let market = before.is_market();
        let fits = (above == 0 || can_above)
            && (below == 0 || can_below)
            && (command.price == 0 || !market)
            && (limit_below == 0 || (!market && before.has_both()))
            && (command.qty == 0 || before.entry == 0);
        check(fits, Reject::TriggerMissing, before.id, 0)?;
        if above != 0 {
            amended.above.trigger = above;
        }
        if below != 0 {
            amended.below.trigger = below;
        }
        if command.price != 0 {
            let first = if can_above { &mut amended.above } else { &mut amended.below };
            first.limit = command.price;
        }
        if limit_below != 0 {
            amended.below.limit = limit_below;
        }
        if command.qty != 0 {
            amended.qty = command.qty;
        }
        let is_same = (amended.above, amended.below, amended.qty) == (before.above, before.below, before.qty);
        check(!is_same, Reject::AmendWithoutChange, before.id, 0)?;
        let instrument = self.instrument(before.instrument);
        check_trigger_prices(instrument, &amended)?;
        if command.qty != 0 {
            check_trigger_qty(instrument, &amended)?;
        }
        if !amended.is_unarmed() {
            check_not_reached(instrument, &amended)?;
        }
        events.push(cause.waiting(EventKind::TriggerAmended, &amended));
        self.triggers[at] = amended;
        Ok(())
    }

    /// A price of an instrument was set, or a trade printed: who watches it and is reached stands in the row.
    pub(super) fn reach(&mut self, instrument: u32, source: PriceSource) {
        if !lets_fire(self.instrument(instrument)) {
            return;
        }
        let price = self.instrument(instrument).price_of(source);
        let mut found = Vec::new();
        for trigger in &self.triggers {
            let reached = trigger.reached_at(source, price);
            if trigger.instrument == instrument
                && trigger.reached == 0
                && !trigger.is_unarmed()
                && reached != 0
            {
                let nearest = if reached == 1 { trigger.above.trigger } else { -trigger.below.trigger };
                found.push((reached, nearest, trigger.id));
            }
        }
        found.sort_unstable();
        for (reached, _, id) in found {
            self.stand_in_row(id, reached);
        }
    }

    /// Every price of an instrument, in order.
    pub(super) fn reach_all(&mut self, instrument: u32) {
        PriceSource::ALL.iter().for_each(|&source| self.reach(instrument, source));
    }

    fn stand_in_row(&mut self, id: u64, reached: u8) {
        let trigger = self.triggers.iter_mut().find(|trigger| trigger.id == id).expect("it waits");
        trigger.reached = reached;
        let account = trigger.account;
        match self.row.iter_mut().find(|(other, _)| *other == account) {
            Some((_, ids)) => ids.push(id),
            None => self.row.push((account, vec![id])),
        }
    }

    /// A fill of an entry arms its exits.
    pub(super) fn arm(&mut self, order: &Order, lots: i64) {
        let Some(exits) = self.triggers.iter_mut().find(|trigger| trigger.entry == order.id) else { return };
        let is_first = exits.qty == 0;
        exits.qty += lots;
        let exits = exits.clone();
        if !is_first || !lets_fire(self.instrument(exits.instrument)) {
            return;
        }
        for &source in PriceSource::ALL {
            let price = self.instrument(exits.instrument).price_of(source);
            let reached = exits.reached_at(source, price);
            if reached != 0 {
                self.stand_in_row(exits.id, reached);
                return;
            }
        }
    }

    /// An entry is gone: exits without lots go too.
    pub(super) fn entry_left(&mut self, cause: &Cause, order: u64, events: &mut Vec<EventRecord>) {
        let is_meant = |trigger: &Trigger| order != 0 && trigger.entry == order && trigger.is_unarmed();
        self.cancel_triggers(cause, CancelReason::Linked, is_meant, events);
    }

    /// The end of every command.
    pub(super) fn fire_row(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let plain = Cause { client_id: [0; 32], ..*cause };
        let mut fired = 0;
        loop {
            self.forget_empty_holdings();
            self.leave_closed_positions(&plain, events);
            if self.row.is_empty() || fired == self.limits.triggers_fired_per_command_max {
                return;
            }
            fired += 1;
            let (account, mut ids) = self.row.remove(0);
            let id = ids.remove(0);
            if !ids.is_empty() {
                self.row.push((account, ids));
            }
            let at = self.triggers.iter().position(|trigger| trigger.id == id).expect("it waits");
            if lets_fire(self.instrument(self.triggers[at].instrument)) {
                let trigger = self.triggers.remove(at);
                self.fire(&Cause { client_id: trigger.client_id, ..*cause }, &trigger, events);
            } else {
                self.triggers[at].reached = 0;
            }
        }
    }

    fn leave_closed_positions(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut gone: Vec<(u32, u32, u64)> = Vec::new();
        for trigger in self.triggers.iter().filter(|trigger| trigger.is_whole_position()) {
            if self.holding(trigger.account, trigger.instrument).closable_by(trigger.side) == 0 {
                gone.push((trigger.account, trigger.instrument, trigger.id));
            }
        }
        gone.sort_unstable();
        for (_, _, id) in gone {
            self.cancel_triggers(cause, CancelReason::PositionClosed, |trigger| trigger.id == id, events);
        }
    }

    fn fire(&mut self, cause: &Cause, trigger: &Trigger, events: &mut Vec<EventRecord>) {
        let leg = if trigger.reached == 1 { trigger.above } else { trigger.below };
        let instrument = self.instrument(trigger.instrument);
        let now = instrument.price_of(leg.source);
        let price = if trigger.is_market() { protection(instrument, trigger, now) } else { leg.limit };
        let mut lots = trigger.qty;
        if trigger.is_whole_position() {
            let position = self.holding(trigger.account, trigger.instrument).position;
            lots = position.abs().min(instrument.terms.qty_max_lots);
        }
        events.push(EventRecord {
            price: now,
            qty: lots,
            remaining: 0,
            amount: Int128::new(leg.trigger.into()),
            counter_amount: Int128::new(leg.source.code().into()),
            ..cause.waiting(EventKind::TriggerFired, trigger)
        });
        if trigger.entry != 0
            && let Some(at) = self.orders.iter().position(|order| order.id == trigger.entry)
        {
            self.cancel_resting(cause, at, CancelReason::Linked, events);
            self.forget_empty_holdings();
        }
        let command = CommandRecord {
            kind: xos_protocol::CommandKind::Place.code(),
            side: trigger.side.code(),
            tif: trigger.tif.code(),
            flags: trigger.flags.0,
            self_trade: trigger.self_trade.code(),
            venue: trigger.venue,
            account: trigger.account,
            instrument: trigger.instrument,
            price,
            qty: lots,
            ..CommandRecord::default()
        };
        let admitted = self.admitted_order(cause, trigger.id, &command);
        let nearer = |refusal: Refusal| match self.borne_price(trigger, price, lots) {
            Some(price) if matches!(refusal.reject, Reject::InsufficientMargin | Reject::ReducingLoss) => {
                let nearer = CommandRecord { price, ..command };
                self.admitted_order(cause, trigger.id, &nearer).map_err(|_| refusal)
            }
            _ => Err(refusal),
        };
        match admitted.or_else(nearer) {
            Ok((order, pulled)) => {
                let order = Order { client_id: trigger.client_id, ..order };
                events.push(cause.accepted(&order));
                self.pull(cause, order.account, pulled, events);
                self.take_and_keep(cause, order, events);
            }
            Err(refusal) => {
                let command = CommandRecord { order_id: trigger.id, ..command };
                events.push(cause.rejected(&command, refusal));
            }
        }
    }
}
