//! How an order rests and leaves: book, account's list, reserves, expiry, client id, all in step.

use crate::engine::Engine;
use crate::step::Step;
use xos_book::{NO_SLOT, RestingOrder, Slot};
use xos_protocol::{CancelReason, ClientId, Flags, Side, Tif};
use xos_units::{Amount, AssetId, Qty};

use crate::instrument::{Instrument, Traded};

/// Asset that a spot order of this side holds.
#[inline(always)]
pub(crate) fn held_asset(instrument: &Instrument, side: Side) -> Option<AssetId> {
    match (instrument.traded, side) {
        (Traded::Spot { quote, .. }, Side::Buy) => Some(quote),
        (Traded::Spot { base, .. }, Side::Sell) => Some(base),
        _ => None,
    }
}

impl Engine {
    /// The client id of a resting order; zero: none.
    pub(crate) fn client_id_of(&self, order: &RestingOrder) -> ClientId {
        match order.client_id_at {
            NO_SLOT => [0; 32],
            number => self.client_ids.client_id_at(number),
        }
    }

    /// Puts an order into the book and takes its reserve, `per_lot` for each remaining lot.
    #[inline]
    pub(crate) fn rest(&mut self, sequence: u64, order: &mut RestingOrder, per_lot: Amount) {
        let reserve = per_lot.times_lots(order.remaining);
        match held_asset(&self.instruments[order.instrument.index()], order.side) {
            None => self.link(order, reserve),
            Some(asset) => {
                let result = self.ledger.hold(order.account, asset, reserve);
                self.money(sequence, result);
                self.link(order, Amount::ZERO);
            }
        }
    }

    /// Puts an order of a snapshot into the book and its account's list. What it holds in the ledger, its expiry and
    /// the worst case of its question are the caller's.
    #[inline(always)]
    pub(crate) fn queue_restored(&mut self, mut order: RestingOrder, per_lot: Amount) {
        let is_held = held_asset(&self.instruments[order.instrument.index()], order.side).is_some();
        let reserve = if is_held { Amount::ZERO } else { per_lot.times_lots(order.remaining) };
        self.queue_up(&mut order, reserve);
    }

    #[inline(always)]
    fn link(&mut self, order: &mut RestingOrder, reserve: Amount) {
        self.queue_up(order, reserve);
        if order.tif == Tif::Gtd {
            self.expiries.insert((order.expires_ns, order.id.0));
        }
        if let Some(question) = self.instruments[order.instrument.index()].question() {
            self.refresh_worst_case(order.account, question);
            if self.instruments[order.instrument.index()].implied {
                self.refresh_best(order.instrument.index(), question, order.side);
            }
        }
    }

    /// Puts an order into its two queues: the book's and its account's.
    #[inline(always)]
    fn queue_up(&mut self, order: &mut RestingOrder, reserve: Amount) {
        let instrument = &mut self.instruments[order.instrument.index()];
        let account = &mut self.accounts[order.account.index()];
        account.orders += 1;
        let stand = account.stand_mut(instrument.key);
        stand.orders += 1;
        let head = stand.head;
        (order.own_prev, order.own_next) = (NO_SLOT, head);
        let slot = instrument.rest(&mut self.pool, order);
        if order.profile != 0 && instrument.group(order.profile).orders() == 1 {
            self.profiles.enters(order.profile);
        }
        stand.head = slot;
        stand.add_resting(order.side, order.remaining, reserve);
        if head != NO_SLOT {
            self.pool.order_mut(head).own_prev = slot;
        }
    }

    /// Gives back the reserve of `lots` of an order. The worst case of its question is stale until refreshed.
    #[inline(always)]
    pub(crate) fn unreserve(&mut self, sequence: u64, order: &RestingOrder, lots: Qty) {
        let instrument = &self.instruments[order.instrument.index()];
        let amount = self.reserve_per_lot(instrument, order.venue, order.side, order.price).times_lots(lots);
        let held = held_asset(instrument, order.side);
        let stand = self.accounts[order.account.index()].stand_mut(instrument.key);
        let left = stand.take_resting(order.side, lots, if held.is_some() { Amount::ZERO } else { amount });
        if left < Amount::ZERO {
            let detail =
                format!("order {} gave back more than account {} had reserved", order.id.0, order.account.0);
            self.halt(4, sequence, detail);
        }
        if let Some(asset) = held {
            let result = self.ledger.release(order.account, asset, amount);
            self.money(sequence, result);
        }
    }

    /// Takes lots off a resting order that keeps its place, with their reserve.
    #[inline(never)]
    pub(crate) fn shrink_resting(&mut self, sequence: u64, slot: Slot, lots: Qty) {
        let order = *self.pool.order(slot);
        self.unreserve(sequence, &order, lots);
        self.instruments[order.instrument.index()].group_mut(order.profile).shrink(
            &mut self.pool,
            slot,
            lots,
        );
    }

    /// Takes a resting order out of everything, with the reserve of all its lots, which `order` has.
    #[inline(always)]
    pub(crate) fn remove_resting(&mut self, sequence: u64, slot: Slot, order: &RestingOrder) {
        self.unreserve(sequence, order, order.remaining);
        self.unlink_resting(sequence, slot, order);
        if let Some(question) = self.instruments[order.instrument.index()].question() {
            self.refresh_worst_case(order.account, question);
            if self.instruments[order.instrument.index()].implied {
                self.refresh_best(order.instrument.index(), question, order.side);
            }
        }
    }

    /// Takes a resting order out of everything and tells why.
    #[inline(never)]
    pub(crate) fn cancel_resting(&mut self, step: &mut Step, slot: Slot, reason: CancelReason) {
        let order = self.whole_order(slot);
        self.remove_resting(step.sequence, slot, &order);
        step.emit_cancelled(&order, reason, order.remaining, Qty::ZERO);
        if order.flags & Flags::BRACKET != 0 {
            self.entry_left(step, order.id);
        }
    }

    /// Takes an order whose reserve is already given back out of the book and its account's list.
    #[inline(always)]
    pub(crate) fn unlink_resting(&mut self, sequence: u64, slot: Slot, order: &RestingOrder) {
        let at = order.instrument.index();
        self.instruments[at].unlink(&mut self.pool, slot, order.profile);
        if order.profile != 0 && self.instruments[at].group(order.profile).orders() == 0 {
            self.profiles.leaves(order.profile);
        }
        let key = self.instruments[at].key;
        let account = &mut self.accounts[order.account.index()];
        account.orders -= 1;
        let stand = account.stand_mut(key);
        stand.orders -= 1;
        if order.own_prev == NO_SLOT {
            stand.head = order.own_next;
        } else {
            self.pool.order_mut(order.own_prev).own_next = order.own_next;
        }
        if order.own_next != NO_SLOT {
            self.pool.order_mut(order.own_next).own_prev = order.own_prev;
        }
        if stand.orders == 0 {
            // The reservation identity, each time it can be seen whole: no orders, no reserve.
            let left = stand.buy_reserve().0 | stand.sell_reserve().0;
            if left != 0 || stand.buys != Qty::ZERO || stand.sells != Qty::ZERO {
                let detail = format!(
                    "account {} has a reserve and no order on instrument {}",
                    order.account.0,
                    at + 1
                );
                self.halt(4, sequence, detail);
                return;
            }
            if stand.lots == 0 {
                self.emptied.push((order.account, key));
            }
        }
        if order.tif == Tif::Gtd {
            self.expiries.remove(&(order.expires_ns, order.id.0));
        }
        if order.is_iceberg {
            self.icebergs.remove(&order.id);
        }
        self.pool.release(slot);
    }
}
