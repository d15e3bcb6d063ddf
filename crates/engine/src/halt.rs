//! Volatility halt: an instrument stops before a trade too far from its price some seconds ago, and reopens by time.

use crate::engine::Engine;
use crate::orders::Incoming;
use crate::step::{Step, wide};
use std::collections::VecDeque;
use xos_protocol::{CancelReason, EventKind, HaltSpec, InstrumentState, Side};
use xos_units::{Amount, PPM_ONE, Price};

const SECOND_NS: u64 = 1_000_000_000;

/// Terms and state of one instrument's halt.
#[derive(Debug)]
pub(crate) struct Halt {
    pub(crate) spec: HaltSpec,
    /// Continuous, cancel-only (halted) or post-only (reopening).
    pub(crate) status: InstrumentState,
    pub(crate) halted_until_ns: u64,
    pub(crate) post_only_until_ns: u64,
    /// Last price of each second with trades, oldest first; at most one is older than the window.
    pub(crate) prices: VecDeque<(u64, Price)>,
}

impl Halt {
    pub(crate) fn new(spec: HaltSpec) -> Self {
        let status = InstrumentState::Continuous;
        Self { spec, status, halted_until_ns: 0, post_only_until_ns: 0, prices: VecDeque::new() }
    }

    /// A trade printed.
    pub(crate) fn traded(&mut self, time_ns: u64, price: Price) {
        let second = time_ns / SECOND_NS;
        match self.prices.back_mut() {
            Some(last) if last.0 == second => last.1 = price,
            _ => self.prices.push_back((second, price)),
        }
        while self.prices.get(1).is_some_and(|next| self.is_old(next.0, second)) {
            self.prices.pop_front();
        }
    }

    /// An auction printed: nothing before it is a reference any more.
    pub(crate) fn reopened(&mut self, time_ns: u64, price: Price) {
        self.prices.clear();
        self.prices.push_back((time_ns / SECOND_NS, price));
    }

    fn is_old(&self, traded: u64, second: u64) -> bool {
        traded + u64::from(self.spec.window_s) <= second
    }

    /// The price a window ago; in a younger market the oldest known. This second's own trades never count.
    fn reference(&self, time_ns: u64) -> Option<Price> {
        let second = time_ns / SECOND_NS;
        let old = self.prices.partition_point(|&(traded, _)| self.is_old(traded, second));
        let (traded, price) = *self.prices.get(old.saturating_sub(1))?;
        (traded < second).then_some(price)
    }

    /// The reference, if an order of this side may not trade at `price` now.
    pub(crate) fn stops(&self, time_ns: u64, side: Side, price: Price) -> Option<Price> {
        let reference = self.reference(time_ns)?;
        let moved = price.0 - reference.0;
        let beyond = match side {
            Side::Buy => moved > self.width(reference),
            Side::Sell => -moved > self.width(reference),
        };
        beyond.then_some(reference)
    }

    /// Ticks that the price may be from the reference.
    fn width(&self, reference: Price) -> i64 {
        // Less than the reference: the declared part is less than all of it.
        (i128::from(reference.0) * i128::from(self.spec.move_ppm) / i128::from(PPM_ONE)) as i64
    }

    /// The row starts again where the order was stopped, so that the next bound lies one step further.
    fn begin(&mut self, time_ns: u64, side: Side, reference: Price) {
        let way = self.width(reference).max(1);
        let bound = match side {
            Side::Buy => reference.0 + way,
            Side::Sell => reference.0 - way,
        };
        self.prices.clear();
        self.prices.push_back((time_ns / SECOND_NS, Price(bound)));
        self.status = InstrumentState::CancelOnly;
        self.halted_until_ns = time_ns.saturating_add(u64::from(self.spec.pause_s) * SECOND_NS);
        let post_only_ns = u64::from(self.spec.post_only_s) * SECOND_NS;
        self.post_only_until_ns = self.halted_until_ns.saturating_add(post_only_ns);
    }

    /// Status that logged time leads to.
    fn due(&self, time_ns: u64) -> InstrumentState {
        match self.status {
            InstrumentState::CancelOnly if time_ns < self.halted_until_ns => InstrumentState::CancelOnly,
            InstrumentState::CancelOnly | InstrumentState::PostOnly if time_ns < self.post_only_until_ns => {
                InstrumentState::PostOnly
            }
            _ => InstrumentState::Continuous,
        }
    }

    fn until_ns(&self) -> u64 {
        match self.status {
            InstrumentState::CancelOnly => self.halted_until_ns,
            InstrumentState::PostOnly => self.post_only_until_ns,
            _ => 0,
        }
    }
}

impl Engine {
    /// Stops the incoming order and halts its instrument if its next trade would print too far away. One whose trade would
    /// not be public says nothing of the market: it is stopped, and the market goes on.
    #[cold]
    pub(crate) fn halts_before(&mut self, step: &mut Step, incoming: &mut Incoming, price: Price) -> bool {
        let at = incoming.at;
        let is_public = self.is_public(at, price);
        let Some(halt) = &mut self.instruments[at].halt else { return false };
        let side = incoming.order.side;
        let Some(reference) = halt.stops(step.time_ns, side, price) else { return false };
        if !is_public {
            self.cancel_incoming(step, incoming, CancelReason::Volatility);
            return true;
        }
        halt.begin(step.time_ns, side, reference);
        self.instruments[at].refresh_gate();
        self.cancel_incoming(step, incoming, CancelReason::Volatility);
        self.emit_halt(step, at, price, reference);
        true
    }

    fn emit_halt(&self, step: &mut Step, at: usize, price: Price, reference: Price) {
        let instrument = &self.instruments[at];
        let Some(halt) = &instrument.halt else { return };
        let event = step.push(EventKind::VolatilityHalt);
        event.instrument = instrument.id.0;
        event.side = halt.status.code();
        event.price = price.0;
        event.amount = wide(Amount(reference.0.into()));
        event.counter_amount = wide(Amount(halt.until_ns().into()));
    }

    /// Time passed: halted instruments reopen.
    #[cold]
    pub(crate) fn pass_halts(&mut self, step: &mut Step) {
        for at in 0..self.instruments.len() {
            let Some(halt) = &mut self.instruments[at].halt else { continue };
            let due = halt.due(step.time_ns);
            if due != halt.status {
                let was_halted = halt.status == InstrumentState::CancelOnly;
                halt.status = due;
                self.instruments[at].refresh_gate();
                self.emit_halt(step, at, Price::ZERO, Price::ZERO);
                if was_halted {
                    self.reopen_by_auction(step, at);
                }
                self.prices_reached(at);
            }
        }
    }
}
