//! The match: price-time, with self-trade prevention, bands, reduce-only and affordability judged at each meeting.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::margin::reducible;
use crate::orders::{Incoming, is_reduce_only};
use crate::step::Step;
use xos_book::{RestingOrder, Slot};
use xos_protocol::{CancelReason, InstrumentState, SelfTrade};
use xos_units::Qty;

impl Engine {
    /// Matches, and tells what was passed over because the two might not trade.
    #[inline(always)]
    pub(crate) fn match_and_tell(&mut self, step: &mut Step, incoming: &mut Incoming, apart: bool) -> bool {
        let trades = self.last_trade_id;
        let cancelled = if apart {
            if self.instruments[incoming.at].gate == InstrumentState::Auction {
                return false;
            }
            self.match_with_implied(step, incoming)
        } else {
            self.match_incoming(step, incoming)
        };
        if self.instruments[incoming.at].may_have_skipped(incoming) {
            if !cancelled && incoming.order.remaining > Qty::ZERO {
                self.tell_skips(step, incoming, incoming.order.price);
            } else if self.last_trade_id != trades
                && let Some(reached) = step.last_traded()
            {
                self.tell_skips(step, incoming, reached);
            }
        }
        cancelled
    }

    /// Trades the incoming order against the book. True: what is left of it was cancelled on the way.
    #[inline(always)]
    fn match_incoming(&mut self, step: &mut Step, incoming: &mut Incoming) -> bool {
        let mut meetings = 0;
        while incoming.order.remaining > Qty::ZERO {
            let instrument = &self.instruments[incoming.at];
            let side = incoming.order.side.opposite();
            let Some((best, slot)) =
                instrument.front_within(&self.pool, side, incoming.reach(), incoming.order.price)
            else {
                return false;
            };
            if !incoming.reaches(best) {
                return false;
            }
            if self.instruments[incoming.at].halt.is_some() && self.halts_before(step, incoming, best) {
                return true;
            }
            let resting = *self.pool.order(slot);
            if meetings >= self.limits.matches_per_command_max && self.defends(Defence::MatchLimit) {
                self.cancel_incoming(step, incoming, CancelReason::MatchLimit);
                return true;
            }
            meetings += 1;
            if self.meet_resting(step, incoming, slot, &resting) {
                return true;
            }
        }
        false
    }

    /// One meeting with a resting order of the book. True: what is left of the incoming one was cancelled.
    #[inline(always)]
    pub(super) fn meet_resting(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        slot: Slot,
        resting: &RestingOrder,
    ) -> bool {
        if resting.owner == incoming.order.owner && incoming.order.self_trade != SelfTrade::None {
            return self.prevent_self_trade(step, incoming, slot, resting);
        }
        match self.tradable(incoming, resting) {
            Ok(lots) => {
                self.fill(step, incoming, slot, resting, lots);
                if lots < resting.remaining && incoming.order.remaining > Qty::ZERO {
                    // Only a reduce-only order leaves lots while more are wanted: it has nothing left to reduce.
                    self.cancel_resting(step, slot, CancelReason::ReduceOnly);
                }
                if !self.breached.is_empty() && self.pull_breached(step, incoming) {
                    return true;
                }
            }
            Err(reason) => self.cancel_resting(step, slot, reason),
        }
        self.violation.is_some()
    }

    /// Lots that the two orders can trade, or why the resting one must leave.
    #[inline(always)]
    fn tradable(&self, incoming: &Incoming, resting: &RestingOrder) -> Result<Qty, CancelReason> {
        let instrument = &self.instruments[incoming.at];
        if resting.price > instrument.band_high || resting.price < instrument.band_low {
            return Err(CancelReason::OutsideBand);
        }
        let mut lots = incoming.order.remaining.min(resting.remaining);
        if is_reduce_only(resting) {
            let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
            let capacity = reducible(position, resting.side);
            if capacity == Qty::ZERO {
                return Err(CancelReason::ReduceOnly);
            }
            lots = lots.min(capacity);
        }
        if resting.account != incoming.order.account && !self.affords(instrument, resting, lots) {
            return Err(CancelReason::Unaffordable);
        }
        Ok(lots)
    }

    /// Cancels what is left of the incoming order.
    pub(crate) fn cancel_incoming(&mut self, step: &mut Step, incoming: &mut Incoming, reason: CancelReason) {
        step.emit_cancelled(&incoming.order, reason, incoming.order.remaining, Qty::ZERO);
        incoming.order.remaining = Qty::ZERO;
    }

    /// Two orders of one owner meet. True: the incoming one is gone; otherwise the resting one is gone or smaller.
    pub(super) fn prevent_self_trade(
        &mut self,
        step: &mut Step,
        incoming: &mut Incoming,
        slot: Slot,
        resting: &RestingOrder,
    ) -> bool {
        const REASON: CancelReason = CancelReason::SelfTrade;
        match incoming.order.self_trade {
            SelfTrade::None => false,
            SelfTrade::CancelTaker => {
                self.cancel_incoming(step, incoming, REASON);
                true
            }
            SelfTrade::CancelMaker => {
                self.cancel_resting(step, slot, REASON);
                false
            }
            SelfTrade::CancelBoth => {
                self.cancel_resting(step, slot, REASON);
                self.cancel_incoming(step, incoming, REASON);
                true
            }
            SelfTrade::Decrement => {
                let lots = incoming.order.remaining.min(resting.remaining);
                let hidden = if resting.is_iceberg { self.hidden(resting.id) } else { Qty::ZERO };
                if lots == resting.remaining + hidden {
                    self.cancel_resting(step, slot, REASON);
                } else {
                    self.unreserve(step.sequence, resting, lots);
                    let uses_up = lots == resting.remaining;
                    if uses_up {
                        self.replenish(slot);
                    } else {
                        self.instruments[resting.instrument.index()].group_mut(resting.profile).shrink(
                            &mut self.pool,
                            slot,
                            lots,
                        );
                    }
                    if let Some(question) = self.instruments[incoming.at].question() {
                        self.refresh_worst_case(resting.account, question);
                    }
                    step.emit_cancelled(resting, REASON, lots, resting.remaining + hidden - lots);
                    if uses_up {
                        self.emit_replenished(step, slot);
                    }
                }
                incoming.order.remaining -= lots;
                step.emit_cancelled(&incoming.order, REASON, lots, incoming.order.remaining);
                incoming.order.remaining == Qty::ZERO
            }
        }
    }
}
