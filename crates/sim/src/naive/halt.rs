//! Section 20: volatility halts.

use super::events::Cause;
use super::state::{Order, World};
use xos_protocol::{CancelReason, EventKind, EventRecord, HaltSpec, InstrumentState, Int128, Side};

#[derive(Clone, Debug)]
pub(super) struct Halt {
    pub(super) spec: HaltSpec,
    pub(super) status: InstrumentState,
    pub(super) halted_until_ns: u64,
    pub(super) post_only_until_ns: u64,
    /// (second, last price in it), oldest first.
    pub(super) prices: Vec<(u64, i64)>,
}

impl Halt {
    pub(super) fn new(spec: HaltSpec) -> Self {
        let status = InstrumentState::Continuous;
        Self { spec, status, halted_until_ns: 0, post_only_until_ns: 0, prices: Vec::new() }
    }

    pub(super) fn traded(&mut self, now_ns: u64, price: i64) {
        let now_s = now_ns / 1_000_000_000;
        self.prices.retain(|&(second, _)| second != now_s);
        self.prices.push((now_s, price));
        while self.prices.len() > 1 && self.prices[1].0 + u64::from(self.spec.window_s) <= now_s {
            self.prices.remove(0);
        }
    }

    fn reference(&self, now_ns: u64) -> Option<i64> {
        let now_s = now_ns / 1_000_000_000;
        let window_s = u64::from(self.spec.window_s);
        let old = self.prices.iter().rev().find(|(second, _)| second + window_s <= now_s);
        let found = old.or(self.prices.first())?;
        if found.0 < now_s { Some(found.1) } else { None }
    }

    /// The reference that forbids an order of this side to trade at this price, if it does.
    pub(super) fn forbids(&self, now_ns: u64, side: Side, price: i64) -> Option<i64> {
        let reference = self.reference(now_ns)?;
        let width = i128::from(reference) * i128::from(self.spec.move_ppm) / 1_000_000;
        let (price, at) = (i128::from(price), i128::from(reference));
        let is_beyond = if side == Side::Buy { price > at + width } else { price < at - width };
        is_beyond.then_some(reference)
    }
}

impl World {
    /// Whether the incoming order is stopped before a trade at `price`; then the instrument is halted.
    pub(super) fn halt_before(
        &mut self,
        cause: &Cause,
        incoming: &Order,
        price: i64,
        events: &mut Vec<EventRecord>,
    ) -> bool {
        let is_public = self.is_public(incoming.instrument, price);
        let Some(halt) = &mut self.instrument_mut(incoming.instrument).halt else { return false };
        let Some(reference) = halt.forbids(cause.time_ns, incoming.side, price) else { return false };
        if !is_public {
            events.push(cause.cancelled(incoming, CancelReason::Volatility, incoming.remaining, 0));
            return true;
        }
        let later = |time_ns: u64, seconds: u32| time_ns.saturating_add(u64::from(seconds) * 1_000_000_000);
        // The row begins again at the bound that was reached, at least a tick from the reference.
        let step = (i128::from(reference) * i128::from(halt.spec.move_ppm) / 1_000_000).max(1);
        let sign = if incoming.side == Side::Buy { 1 } else { -1 };
        let bound = i128::from(reference) + sign * step;
        halt.prices =
            vec![(cause.time_ns / 1_000_000_000, i64::try_from(bound).expect("between two prices"))];
        halt.status = InstrumentState::CancelOnly;
        halt.halted_until_ns = later(cause.time_ns, halt.spec.pause_s);
        halt.post_only_until_ns = later(halt.halted_until_ns, halt.spec.post_only_s);
        let until_ns = halt.halted_until_ns;
        events.push(cause.cancelled(incoming, CancelReason::Volatility, incoming.remaining, 0));
        events.push(EventRecord {
            instrument: incoming.instrument,
            side: InstrumentState::CancelOnly.code(),
            price,
            amount: Int128::new(reference.into()),
            counter_amount: Int128::new(until_ns.into()),
            ..cause.event(EventKind::VolatilityHalt)
        });
        true
    }

    /// After a tick: halts end.
    pub(super) fn end_halts(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        for id in 1..=self.instruments.len() as u32 {
            let Some(halt) = &mut self.instrument_mut(id).halt else { continue };
            let before = halt.status;
            if halt.status == InstrumentState::CancelOnly && cause.time_ns >= halt.halted_until_ns {
                halt.status = InstrumentState::PostOnly;
            }
            if halt.status == InstrumentState::PostOnly && cause.time_ns >= halt.post_only_until_ns {
                halt.status = InstrumentState::Continuous;
            }
            let (after, until_ns) = (halt.status, halt.post_only_until_ns);
            if after == before {
                continue;
            }
            let until_ns = if after == InstrumentState::PostOnly { until_ns } else { 0 };
            events.push(EventRecord {
                instrument: id,
                side: after.code(),
                counter_amount: Int128::new(until_ns.into()),
                ..cause.event(EventKind::VolatilityHalt)
            });
            if before == InstrumentState::CancelOnly {
                self.reopen(cause, id, events);
            }
            self.reach_all(id);
        }
    }
}
