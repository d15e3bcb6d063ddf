//! The last auction of a delisted instrument: it ends at the time of the delisting, which waits until it is filled.

use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::Step;
use xos_protocol::{Change, EventFlags, InstrumentState, MarketKind, PendingChange};
use xos_units::InstrumentId;

impl Engine {
    /// The start of a frame: auctions of delisted instruments begin before their time, and are priced when it has come, so
    /// that nobody who knows the settlement price can still act on it.
    pub(super) fn run_last_auctions(&mut self, step: &mut Step) {
        let of_instruments = |pending: &&PendingChange| {
            pending.kind == MarketKind::Instrument && matches!(pending.change, Change::Delisting(_))
        };
        let delistings = self.governance.state.changes.iter().filter(of_instruments);
        let ends: Vec<_> =
            delistings.map(|pending| (InstrumentId(pending.target), pending.effective_ns)).collect();
        let first = step.events.len();
        for (id, ends_ns) in ends {
            let gate = self.instruments[id.index()].gate;
            if ends_ns > step.time_ns {
                self.begin_last_auction(step, id, ends_ns, gate);
            } else if self.auction_of(id).is_some() {
                match gate {
                    InstrumentState::Auction => self.price_auction(step, id),
                    InstrumentState::Uncrossing => {}
                    _ => self.close_auction(step, id),
                }
            }
        }
        step.events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
    }

    fn begin_last_auction(&mut self, step: &mut Step, id: InstrumentId, ends_ns: u64, gate: InstrumentState) {
        use InstrumentState::{Continuous, PostOnly, ReduceOnly};
        let begins_ns = ends_ns.saturating_sub(u64::from(self.limits.delisting_auction_s) * NS_PER_S);
        let takes_orders = matches!(gate, Continuous | PostOnly | ReduceOnly);
        if step.time_ns >= begins_ns && takes_orders && self.auction_of(id).is_none() {
            self.begin_auction(step, id, ends_ns);
        }
    }

    /// Whether the time of a delisting has come, but its auction is not filled yet.
    pub(super) fn awaits_auction(&self, pending: &PendingChange) -> bool {
        pending.kind == MarketKind::Instrument
            && matches!(pending.change, Change::Delisting(_))
            && self.auction_of(InstrumentId(pending.target)).is_some()
    }

    /// An auction closes: of a perpetual that is delisted now, and whose mark nobody publishes, its price is the one at
    /// which positions are settled, if at least half of the open interest changed hands.
    pub(crate) fn agree_on_price(&mut self, now_ns: u64, id: InstrumentId, price: i64, filled_lots: i64) {
        let instrument = &self.instruments[id.index()];
        let is_wide = filled_lots > 0 && i128::from(filled_lots) >= instrument.long_lots;
        let is_set_by_operator = instrument.key.is_perpetual() && instrument.oracle.is_none();
        if !is_wide || !is_set_by_operator || price == 0 {
            return;
        }
        let of_it = |pending: &&mut PendingChange| {
            (pending.kind, pending.target) == (MarketKind::Instrument, id.0) && pending.effective_ns <= now_ns
        };
        let found = self.governance.state.changes.iter_mut().find(of_it);
        if let Some(PendingChange { change: Change::Delisting(measured), .. }) = found {
            measured.agreed = Some(price);
        }
    }
}
