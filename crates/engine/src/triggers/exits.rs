//! Brackets: an entry, and the exits that its fills arm.

use crate::account::Class;
use crate::client_ids::IdsOf;
use crate::engine::Engine;
use crate::orders::Admitted;
use crate::shape;
use crate::step::{Refused, Step, refused};
use crate::triggers::commands::{check_prices, legs_of, push_trigger};
use crate::triggers::{Trigger, Wait};
use xos_protocol::{
    CancelReason, CommandRecord, EXITS_BIT, EventKind, Flags, Reject, Side, Tif, TriggerWords,
};
use xos_units::{Amount, OrderId, Price, Qty};

/// The number of the exits of an entry.
fn exits_of(entry: OrderId) -> OrderId {
    OrderId(entry.0 | EXITS_BIT)
}

impl Engine {
    pub(crate) fn place_bracket(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (words, trigger_words) = shape::place_bracket(command)?;
        self.known_account(command)?;
        self.once(step, command, Some(IdsOf::Orders), |engine, step| {
            let Admitted { lots, per_lot, pulled } = engine.admit(step.time_ns, command, &words)?;
            let exits = engine.exits(step.sequence, command, trigger_words);
            engine.check_exits(command.price(), &exits)?;
            // ---- Everything is checked. Below this line nothing fails. ----
            let mut incoming = engine.incoming(OrderId(step.sequence), command, &words, lots, per_lot);
            incoming.order.flags |= Flags::BRACKET;
            step.push_order(EventKind::OrderAccepted, &incoming.order);
            engine.add_trigger(exits);
            push_trigger(step, EventKind::TriggerAccepted, &exits);
            if pulled != Amount::ZERO {
                engine.pull(step, command.account(), pulled);
            }
            engine.work(step, &mut incoming);
            Ok(())
        })
    }

    fn exits(&self, sequence: u64, command: &CommandRecord, words: TriggerWords) -> Trigger {
        let (above, below) = legs_of(command, words);
        let spot = self.instruments[command.instrument().index()].class() == Class::Spot;
        Trigger {
            id: exits_of(OrderId(sequence)),
            account: command.account(),
            instrument: command.instrument(),
            venue: command.venue(),
            side: command.side().map_or(Side::Buy, Side::opposite),
            tif: Tif::Ioc,
            flags: Flags::MARKET | if spot { 0 } else { Flags::REDUCE_ONLY },
            self_trade: command.self_trade().unwrap_or(xos_protocol::SelfTrade::None),
            qty: Qty::ZERO,
            above,
            below,
            slippage_ppm: words.slippage_ppm,
            entry: OrderId(sequence),
            client_id: [0; 32],
            wait: Wait::Price,
        }
    }

    /// The exits lie on both sides of the entry's price.
    fn check_exits(&self, price: Price, exits: &Trigger) -> Result<(), Refused> {
        check_prices(&self.instruments[exits.instrument.index()], exits)?;
        let (above, below) = (exits.above.trigger, exits.below.trigger);
        if above != Price::ZERO && above <= price {
            return refused(Reject::TriggersCross, above.0, price.0);
        }
        if below != Price::ZERO && below >= price {
            return refused(Reject::TriggersCross, below.0, price.0);
        }
        self.check_trigger_count(exits.account)
    }

    /// A fill of an entry gives its exits lots; the first one lets them watch prices.
    #[cold]
    pub(crate) fn arm_exits(&mut self, entry: OrderId, lots: Qty) {
        if self.triggers.add_lots_in_row(exits_of(entry), lots) {
            return;
        }
        let Some(mut exits) = self.triggers.remove(exits_of(entry)) else { return };
        let first = exits.qty == Qty::ZERO;
        exits.qty += lots;
        self.triggers.insert(exits);
        if first {
            self.compare(&exits);
        }
    }

    /// An entry that leaves without a fill takes its exits along.
    #[cold]
    pub(crate) fn entry_left(&mut self, step: &mut Step, entry: OrderId) {
        let exits = exits_of(entry);
        if self.triggers.get(exits).is_some_and(Trigger::is_unarmed) {
            self.cancel_trigger(step, exits, CancelReason::Linked);
        }
    }
}
