//! Trades, the orders that they fill and the positions that they move.

use crate::candles::Source;
use crate::chunks::Kind;
use crate::facts::{Facts, Frame};
use crate::lives::{End, Life};
use crate::movements::{Bits, Movement, told};
use crate::orders::{Open, text_of};
use xos_ledger::Reason;
use xos_protocol::{CommandKind, CommandRecord, EventFlags, EventKind, EventRecord};
use xos_units::{Price, Qty};

/// One side of a trade, until what it realised is known.
pub(crate) struct Fill {
    account: u32,
    order_id: u64,
    instrument: u32,
    trade_id: u64,
    side: u8,
    price: i64,
    qty: i64,
    fee: i128,
    realised: i128,
    other: u32,
    is_maker: bool,
    is_over: bool,
}

/// The bits of an order's id that are the sequence of a command: exits of a bracket have one more.
const PLACED: u64 = (1 << 52) - 1;

impl Facts {
    pub(crate) fn trade(&mut self, event: &EventRecord) {
        let kind = event.kind();
        let is_leg = kind == Some(EventKind::ImpliedLeg);
        let is_public = event.flags & EventFlags::NOT_PUBLIC == 0;
        let (trade_id, side) = (event.trade_id(), event.side ^ u8::from(is_leg));
        let row = [trade_id.into(), side.into(), event.price.into(), event.qty.into(), i128::from(is_public)];
        self.put(Kind::Trade, event.instrument, trade_id, event, &row);
        if is_public {
            let (price, qty) = (Price(event.price), Qty(event.qty));
            self.candles.add(Source::Trades, event.instrument, price, qty, 1, event.time_ns);
        }
        let one = Fill {
            account: event.account,
            order_id: event.order_id,
            instrument: event.instrument,
            trade_id,
            side: event.side,
            price: event.price,
            qty: event.qty,
            fee: event.amount.get(),
            realised: 0,
            other: event.counter_account(),
            is_maker: is_leg,
            is_over: event.remaining == 0,
        };
        if kind == Some(EventKind::Trade) {
            let maker = Fill {
                account: event.counter_account(),
                order_id: event.counter_order_id(),
                side: event.side ^ 1,
                fee: event.counter_amount.get(),
                other: event.account,
                is_maker: true,
                is_over: event.counter_remaining() == 0,
                ..one
            };
            self.fills.push(one);
            self.fills.push(maker);
        } else {
            // The other side is the question.
            self.fills.push(Fill { other: 0, ..one });
        }
    }

    /// What a fill realised; or somebody who closed without an order.
    pub(crate) fn realise(&mut self, frame: &Frame<'_>, event: &EventRecord) {
        let own = |fill: &&mut Fill| {
            (fill.account, fill.order_id, fill.instrument)
                == (event.account, event.order_id, event.instrument)
        };
        if let Some(fill) = self.fills.iter_mut().find(own) {
            fill.realised = event.amount.get();
        } else if self.market(frame.engine, event.instrument).is_some_and(|market| market.is_perpetual()) {
            for movement in told(event).into_iter().flatten() {
                self.move_money(event.sequence, movement, b"", true);
            }
            let (account, instrument) = (event.account, event.instrument);
            self.with_life(account, instrument, |life| life.pnl += event.amount.get());
        }
    }

    pub(crate) fn settle_fills(&mut self, frame: &Frame<'_>, sequence: u64) {
        if self.fills.is_empty() {
            return;
        }
        let mut fills = std::mem::take(&mut self.fills);
        for fill in fills.drain(..) {
            let Some(market) = self.market(frame.engine, fill.instrument) else { continue };
            let paid = market.paid(fill.price, fill.qty);
            let pays = if fill.side == 0 { -paid } else { paid };
            let realised = if market.is_perpetual() { fill.realised } else { 0 };
            let client_id = self.orders.get(&fill.order_id).map(|order| order.client_id).unwrap_or_default();
            let maker = if fill.is_maker { Bits::MAKER } else { 0 };
            let liquidated = if fill.order_id == 0 { Bits::LIQUIDATION } else { 0 };
            let movement = Movement {
                account: fill.account,
                asset: market.quote(),
                change: pays + realised - fill.fee,
                reason: Reason::Trade as u8,
                instrument: fill.instrument,
                order_id: fill.order_id,
                trade_id: fill.trade_id,
                side: fill.side,
                price: fill.price,
                qty: fill.qty,
                fee: fill.fee,
                pnl: fill.realised,
                other: 0,
                bits: Bits::FILL | maker | liquidated,
            };
            self.move_money(sequence, movement, text_of(&client_id), false);
            if let Some((asset, amount)) = market.delivered(fill.qty) {
                let change = if fill.side == 0 { amount } else { -amount };
                let bits = maker | liquidated;
                let delivered = Movement { asset, change, fee: 0, pnl: 0, bits, ..movement };
                self.move_money(sequence, delivered, text_of(&client_id), false);
            }
            if market.is_perpetual() && fill.account != fill.other {
                let signed = if fill.side == 0 { fill.qty } else { -fill.qty };
                let how = if fill.order_id == 0 { End::Liquidated } else { End::Closed };
                let (account, instrument) = (fill.account, fill.instrument);
                self.hold(account, instrument, signed, fill.price, fill.realised, fill.fee, how);
            }
            self.fill_order(&fill, sequence);
        }
        self.fills = fills;
    }

    pub(crate) fn fill_order(&mut self, fill: &Fill, sequence: u64) {
        let time_ns = self.time_ns;
        self.with_order(fill.order_id, |order| {
            order.fill(fill.trade_id, fill.price, fill.qty, fill.fee, time_ns);
            order.pnl += fill.realised;
        });
        if fill.is_over {
            self.end_order(fill.order_id, sequence, 0);
        }
    }

    // --- orders ---

    pub(crate) fn accept(&mut self, frame: &Frame<'_>, event: &EventRecord) {
        let waited = self.orders.get(&event.order_id).filter(|order| order.waits).copied();
        let order = Open::of(event, command_of(frame, event.order_id), waited.as_ref());
        self.stand(order, waited);
    }

    pub(crate) fn accept_trigger(&mut self, frame: &Frame<'_>, event: &EventRecord) {
        let command = command_of(frame, event.order_id)
            .filter(|command| command.kind() == Some(CommandKind::PlaceTrigger));
        let order = Open { waits: true, ..Open::of(event, command, None) };
        self.stand(order, None);
    }

    fn stand(&mut self, mut order: Open, before: Option<Open>) {
        let (is_listed, is_kept) = before.map_or((false, false), |before| (before.is_listed, before.is_kept));
        if !is_listed {
            self.changed_orders.push(order.order_id);
        }
        (order.is_listed, order.is_kept) = (true, is_kept);
        self.orders.insert(order.order_id, order);
    }

    pub(crate) fn forget_trigger(&mut self, id: u64) {
        if self.orders.get(&id).is_some_and(|order| order.waits) {
            self.leave(id);
        }
    }

    fn leave(&mut self, id: u64) -> Option<Open> {
        let order = self.orders.remove(&id)?;
        if order.is_kept {
            self.over_orders.push(id);
        }
        Some(order)
    }

    pub(crate) fn cancel(&mut self, event: &EventRecord) {
        self.with_order(event.order_id, |order| order.cut(event));
        if event.remaining == 0 {
            self.end_order(event.order_id, event.sequence, event.reason);
        }
    }

    pub(crate) fn with_order(&mut self, id: u64, change: impl FnOnce(&mut Open)) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        change(order);
        if !order.is_listed {
            order.is_listed = true;
            self.changed_orders.push(id);
        }
    }

    pub(crate) fn end_order(&mut self, id: u64, sequence: u64, reason: u16) {
        let Some(order) = self.leave(id) else { return };
        self.number += 1;
        let row = order.row(self.number, sequence, reason);
        let placed = id & PLACED;
        self.chunks.put(Kind::Order, order.account, placed, self.time_ns, &row, text_of(&order.client_id));
    }

    // --- positions ---

    #[expect(clippy::too_many_arguments, reason = "a fill has that many")]
    pub(crate) fn hold(
        &mut self,
        account: u32,
        instrument: u32,
        signed: i64,
        price: i64,
        pnl: i128,
        fee: i128,
        how: End,
    ) {
        let (key, time_ns) = ((account, instrument), self.time_ns);
        let fresh = || Life::opened(account, instrument, time_ns, signed > 0);
        let life = self.lives.entry(key).or_insert_with(fresh);
        let rest = life.fill(signed, price);
        life.pnl += pnl;
        life.fee += fee;
        self.changed_lives.insert(key);
        if life.lots == 0
            && let Some(over) = self.lives.remove(&key)
        {
            self.closed.push((over, how));
        }
        if rest != 0 {
            let mut next = Life::opened(account, instrument, time_ns, rest > 0);
            next.fill(rest, price);
            self.lives.insert(key, next);
        }
    }

    /// The position, or the one that this command closed.
    pub(crate) fn with_life(&mut self, account: u32, instrument: u32, change: impl FnOnce(&mut Life)) {
        let key = (account, instrument);
        let closed = self.closed.iter_mut().rev().map(|(life, _)| life);
        let mut closed = closed.filter(|life| (life.account, life.instrument) == key);
        if let Some(life) = self.lives.get_mut(&key).or_else(|| closed.next()) {
            change(life);
            self.changed_lives.insert(key);
        }
    }
}

/// The command that placed an order, if it is in this frame.
fn command_of<'a>(frame: &Frame<'a>, order_id: u64) -> Option<&'a CommandRecord> {
    let at = usize::try_from(order_id.checked_sub(frame.first_sequence)?).ok()?;
    frame.commands.get(at)
}
