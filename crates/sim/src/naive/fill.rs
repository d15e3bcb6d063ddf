//! A fill: money, fees and positions.

use super::events::{Cause, Closed, Fill};
use super::money::{fee_up, share_down};
use super::state::{Holding, House, Kind, Order, Party, SETTLEMENT, World};
use xos_protocol::{EventFlags, EventRecord, Flags, PriceSource, SelfTrade, Side, Tif};
use xos_units::{Amount, Qty, division};

impl World {
    /// Fills `lots` of the incoming order against the resting order at `at`, at the resting order's price.
    pub(super) fn fill(
        &mut self,
        cause: &Cause,
        incoming: &mut Order,
        at: usize,
        lots: i64,
        events: &mut Vec<EventRecord>,
    ) {
        let price = self.orders[at].price;
        if incoming.account != self.orders[at].account {
            self.settle_funding(cause, incoming.instrument, incoming.account, events);
            let maker = self.orders[at].account;
            self.settle_funding(cause, incoming.instrument, maker, events);
        }
        let (taker_fee, maker_fee) = self.fees_of_fill(incoming, &self.orders[at], lots);
        let (maker, base) = (self.orders[at].clone(), self.fee_base(incoming.instrument, price, lots));
        self.count_fill(incoming, &maker, base);
        incoming.remaining -= lots;
        self.orders[at].lose(lots);
        let resting = self.orders[at].clone();
        if resting.remaining == 0 {
            self.orders.remove(at);
        }
        self.last_trade_id += 1;
        let is_public = self.is_public(incoming.instrument, price);
        if is_public {
            self.print(cause, incoming.instrument, price);
        }
        let trade_id = self.last_trade_id;
        let fill = Fill { taker: incoming, maker: &resting, lots, taker_fee, maker_fee, trade_id };
        events.push(flagged(cause.trade(&fill), is_public));

        self.exchange(incoming, &resting, lots, price);
        self.charge(cause, [incoming, &resting], [taker_fee, maker_fee], events);
        // An account that trades with itself moves no position.
        let with_itself = incoming.account == resting.account;
        let taker_closed = if with_itself { None } else { self.move_position(incoming, lots, price) };
        let maker_closed = if with_itself { None } else { self.move_position(&resting, lots, price) };
        self.look_after_fill(incoming, &resting, price, taker_fee, taker_closed.as_ref());
        self.look_after_fill(&resting, incoming, price, maker_fee, maker_closed.as_ref());
        let closed = [(&*incoming, taker_closed), (&resting, maker_closed)];
        for (order, closed) in closed {
            if let Some(closed) = closed {
                events.push(cause.pnl_realised(order, price, &closed));
            }
        }
        self.replenish(cause, resting.id, events);
        if !with_itself {
            self.protect(cause, incoming, lots, events);
            self.protect(cause, &resting, lots, events);
        }
        self.reach(resting.instrument, PriceSource::Last);
        if !with_itself {
            // A liquidation order has no exits.
            if incoming.id != 0 {
                self.arm(incoming, lots);
            }
            self.arm(&resting, lots);
        }
        if resting.remaining == 0 {
            self.entry_left(cause, resting.id, events);
        }
    }

    /// What a public trade tells the instrument.
    pub(super) fn print(&mut self, cause: &Cause, instrument: u32, price: i64) {
        let instrument = self.instrument_mut(instrument);
        instrument.last = price;
        instrument.halt.iter_mut().for_each(|halt| halt.traded(cause.time_ns, price));
    }

    /// What a rate is taken of.
    pub(super) fn fee_base(&self, instrument: u32, price: i64, lots: i64) -> i128 {
        let instrument = self.instrument(instrument);
        match instrument.kind {
            Kind::Spot { .. } | Kind::Perpetual { .. } => instrument.value(price, lots),
            Kind::Outcome { unit_ticks, .. } => instrument.value(price.min(unit_ticks - price), lots),
        }
    }

    /// Fee of the taker and of the maker (negative: rebate).
    fn fees_of_fill(&self, taker: &Order, maker: &Order, lots: i64) -> (i128, i128) {
        let base = self.fee_base(maker.instrument, maker.price, lots);
        let taker_fee = match taker.id {
            // A liquidation order pays a fee of its own, after it.
            0 => 0,
            _ => fee_up(base, self.rates(taker).taker_ppm),
        };
        let maker_ppm = self.rates(maker).maker_ppm;
        let maker_fee = if maker_ppm >= 0 {
            fee_up(base, maker_ppm)
        } else {
            -share_down(base, -maker_ppm).min(taker_fee)
        };
        (taker_fee, maker_fee)
    }

    /// Assets and prices change hands; a perpetual exchanges nothing here.
    pub(super) fn exchange(&mut self, taker: &Order, maker: &Order, lots: i64, price: i64) {
        let (buyer, seller) = match taker.side {
            Side::Buy => (Party::Account(taker.account), Party::Account(maker.account)),
            Side::Sell => (Party::Account(maker.account), Party::Account(taker.account)),
        };
        let instrument = self.instrument(taker.instrument);
        let value = instrument.value(price, lots);
        match instrument.kind {
            Kind::Spot { base, quote, base_atoms_per_lot } => {
                self.post(seller, buyer, base, base_atoms_per_lot * i128::from(lots));
                self.post(buyer, seller, quote, value);
            }
            Kind::Outcome { .. } => self.post(buyer, seller, SETTLEMENT, value),
            Kind::Perpetual { .. } => {}
        }
    }

    pub(super) fn charge(
        &mut self,
        cause: &Cause,
        [taker, maker]: [&Order; 2],
        [taker_fee, maker_fee]: [i128; 2],
        events: &mut Vec<EventRecord>,
    ) {
        let asset = self.instrument(taker.instrument).quote();
        let rebate = (-maker_fee).max(0);
        self.post(Party::Account(taker.account), Party::Account(maker.account), asset, rebate);
        self.divide_fee(cause, taker, taker_fee - rebate, events);
        self.divide_fee(cause, maker, maker_fee.max(0), events);
    }

    /// Moves lots of a position that no order trades.
    pub(super) fn move_lots(&mut self, side: Mover, lots: i64, price: i64) -> Option<Closed> {
        self.move_position(&side.as_order(), lots, price)
    }

    /// The position of the order's account after it bought or sold `lots`; what that closed, if anything.
    pub(super) fn move_position(&mut self, order: &Order, lots: i64, price: i64) -> Option<Closed> {
        let instrument = self.instrument(order.instrument);
        if instrument.is_spot() {
            return None;
        }
        let is_perpetual = instrument.is_perpetual();
        let sign = i128::from(order.side.sign());
        let mut holding = self.holding(order.account, order.instrument);
        let close = lots.min(holding.closable_by(order.side));
        let close_value = instrument.value(price, close);
        let open_value = instrument.value(price, lots - close);
        let realised = close_lots(&mut holding, close, close_value);
        holding.position += order.side.sign() * (lots - close);
        holding.cost += sign * open_value;
        self.account_mut(order.account).holdings.insert(order.instrument, holding);
        if close == 0 {
            return None;
        }
        if is_perpetual {
            let clearing = Party::House(House::Clearing(order.instrument));
            self.post(clearing, Party::Account(order.account), SETTLEMENT, realised);
        }
        let (position_after, realised_after) = (holding.position, holding.realised);
        Some(Closed { lots: close, realised, position_after, realised_after })
    }
}

/// The event of a trade, which says whether the trade is public.
pub(super) fn flagged(event: EventRecord, is_public: bool) -> EventRecord {
    EventRecord { flags: if is_public { 0 } else { EventFlags::NOT_PUBLIC }, ..event }
}

/// Who moves lots in which direction without an order of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mover {
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) side: Side,
}

impl Mover {
    /// An order with id 0 that says the same.
    pub(super) fn as_order(self) -> Order {
        Order {
            id: 0,
            account: self.account,
            instrument: self.instrument,
            side: self.side,
            tif: Tif::Ioc,
            flags: Flags(0),
            self_trade: SelfTrade::None,
            venue: 0,
            price: 0,
            total: 0,
            remaining: 0,
            display: 0,
            shown: 0,
            expires_ns: 0,
            client_id: [0; 32],
            classes: 0,
        }
    }
}

/// Closes `lots` of a position for `value`; the profit or loss, which is also added to the position's total.
pub(super) fn close_lots(holding: &mut Holding, lots: i64, value: i128) -> i128 {
    if lots == 0 {
        return 0;
    }
    let is_long = holding.position > 0;
    let whole = Qty(holding.position.abs());
    let part = division::cost_part_up(Amount(holding.cost), Qty(lots), whole).0;
    let realised = if is_long { value - part } else { -value - part };
    holding.cost -= part;
    holding.position -= if is_long { lots } else { -lots };
    holding.realised += realised;
    realised
}
