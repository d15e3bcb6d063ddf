//! Prices: told by publishers or set, aged by ticks; what a change of index or mark means; the ladder after a restart.

use crate::defence::Defence;
use crate::deploy::{check_count, check_free, check_symbol};
use crate::engine::Engine;
use crate::step::{Refused, Step, refused};
use xos_protocol::{
    CommandRecord, EventKind, EventRecord, InstrumentState, PriceSource, PriceStatus, PublisherSpec, Reject,
};
use xos_units::Price;

impl Engine {
    pub(crate) fn deploy_publisher(&mut self, step: &mut Step, spec: PublisherSpec) -> Result<(), Refused> {
        check_count(self.publishers.len(), self.limits.publishers_max as usize)?;
        check_symbol(&spec.symbol)?;
        check_free(&spec.symbol, self.publishers.iter().map(|publisher| publisher.symbol.as_str()))?;
        let key = spec.key.as_bytes();
        if key.len() != 64 || !key.iter().all(u8::is_ascii_hexdigit) {
            return refused(Reject::SpecOutOfBounds, key.len() as i128, 31);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.add_publisher(spec);
        step.emit(EventRecord {
            kind: EventKind::PublisherDeployed.code(),
            instrument: self.publishers.len() as u32,
            ..Default::default()
        });
        Ok(())
    }

    /// Gives an instrument a new mark. Every change of a mark comes through here.
    pub(crate) fn set_mark(&mut self, step: &mut Step, at: usize, mark: Price) {
        let instrument = &mut self.instruments[at];
        if instrument.mark != mark {
            instrument.set_mark(mark);
            self.mark_changed(step, at);
        }
    }

    /// Gives an instrument a new index. Every change of an index comes through here.
    pub(crate) fn set_index(&mut self, at: usize, index: Price) {
        if self.instruments[at].index != index {
            self.instruments[at].index = index;
            if !self.collaterals.is_empty() {
                self.look_at_collateral(at);
            }
        }
    }

    /// What follows from a new mark, after its event.
    pub(crate) fn mark_changed(&mut self, step: &mut Step, at: usize) {
        let _ = step;
        if self.instruments[at].triggers > 0 {
            self.price_reached(at, PriceSource::Mark);
        }
        self.look_at_holders(at);
    }

    /// What follows from a new index.
    pub(crate) fn index_changed(&mut self, at: usize) {
        if self.instruments[at].triggers > 0 {
            self.price_reached(at, PriceSource::Index);
        }
    }

    pub(crate) fn add_publisher(&mut self, spec: PublisherSpec) {
        self.publishers.push(spec);
    }

    pub(crate) fn publish_price(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let at = self.live_instrument(command)?;
        self.check_published(step.time_ns, at, command)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        step.emit(EventRecord {
            kind: EventKind::PricePublished.code(),
            account: command.account,
            instrument: command.instrument,
            price: command.price,
            qty: command.qty,
            ..Default::default()
        });
        if let Some(oracle) = &mut self.instruments[at].oracle
            && let Some(source) = oracle.source_mut(command.account)
        {
            (source.price, source.external) = (command.price(), Price(command.qty));
            source.time_ns = command.expires_ns;
        }
        self.refresh_prices(step, at, false);
        self.prices_reached(at);
        Ok(())
    }

    fn check_published(&self, time_ns: u64, at: usize, command: &CommandRecord) -> Result<(), Refused> {
        let (publisher, told_ns) = (command.account, command.expires_ns);
        let instrument = &self.instruments[at];
        let standing = self.publishers.len();
        if publisher == 0 || publisher as usize > standing {
            return refused(Reject::UnknownPublisher, publisher, standing as i128);
        }
        let oracle = instrument.oracle.as_ref();
        let source = oracle.and_then(|o| o.sources.iter().find(|source| source.publisher == publisher));
        let (Some(oracle), Some(source)) = (oracle, source) else {
            return refused(Reject::NotASource, publisher, command.instrument);
        };
        self.check_unsettled(command.instrument().index())?;
        crate::orders::check_price(instrument, command.price())?;
        if command.qty < 0 || command.qty > instrument.price_max.0 {
            return refused(Reject::ExternalPriceOutOfBounds, command.qty, instrument.price_max.0);
        }
        if told_ns > time_ns {
            return refused(Reject::PublishedInFuture, told_ns, time_ns);
        }
        if told_ns <= source.time_ns {
            return refused(Reject::PublishedNotNewer, told_ns, source.time_ns);
        }
        if told_ns.saturating_add(oracle.stale_after_ns) <= time_ns {
            return refused(Reject::PublishedStale, told_ns, time_ns - oracle.stale_after_ns);
        }
        let (price, last) = (command.price, source.price.0);
        if last > 0 && (price >= last.saturating_mul(10) || price.saturating_mul(10) <= last) {
            return refused(Reject::PriceJump, price, last);
        }
        Ok(())
    }

    /// Judges the sources of an instrument; status, index and mark follow, each with its event if it changed.
    fn refresh_prices(&mut self, step: &mut Step, at: usize, passes: bool) {
        let (time_ns, switches) = (step.time_ns, self.switches);
        let instrument = &mut self.instruments[at];
        let Some(oracle) = &mut instrument.oracle else { return };
        let status = oracle.status;
        let index = oracle.refresh(time_ns, instrument.index, switches);
        let (changed, is_fresh) = (oracle.status != status, oracle.is_fresh());
        if changed {
            instrument.refresh_gate();
            self.emit_status(step, at);
            if status == PriceStatus::Recovering {
                self.reopen_by_auction(step, at);
            }
            if is_fresh {
                self.look_at_holders(at);
            }
        }
        if let Some(index) = index
            && index != self.instruments[at].index
        {
            self.set_index(at, index);
            self.emit_price(step, at, EventKind::IndexSet, index);
        }
        let public = self.public_reach();
        let instrument = &mut self.instruments[at];
        let best = instrument.best_prices(public);
        let Some(oracle) = &mut instrument.oracle else { return };
        if passes {
            oracle.pass(time_ns, instrument.index, best, instrument.last);
        }
        if index.is_none() {
            return;
        }
        let last = instrument.last;
        let mark = oracle.mark(time_ns, instrument.index, best, last, instrument.price_max, switches);
        if mark != instrument.mark {
            self.emit_price(step, at, EventKind::MarkSet, mark);
            self.set_mark(step, at, mark);
        }
        self.check_mark(step.sequence, at);
    }

    /// Invariant 26: a mark that moves is inside its band around the index.
    fn check_mark(&mut self, sequence: u64, at: usize) {
        let instrument = &self.instruments[at];
        let Some(spec) = instrument.spec.as_ref().and_then(|spec| spec.oracle.as_ref()) else { return };
        let (mark, index) = (instrument.mark, instrument.index);
        let inside = xos_risk::within(mark, index, spec.mark_band_ppm) == mark;
        if (!inside && self.defends(Defence::MarkBand) && self.defends(Defence::MarkOfComponents))
            || mark <= Price::ZERO
            || mark > instrument.price_max
        {
            let detail = format!("instrument {}: mark {} of index {}", at + 1, mark.0, index.0);
            self.halt(26, sequence, detail);
        }
    }

    fn emit_price(&self, step: &mut Step, at: usize, kind: EventKind, price: Price) {
        let event = step.push(kind);
        event.instrument = self.instruments[at].id.0;
        event.price = price.0;
    }

    fn emit_status(&self, step: &mut Step, at: usize) {
        let instrument = &self.instruments[at];
        let event = step.push(EventKind::PriceStatusSet);
        event.instrument = instrument.id.0;
        event.side = instrument.oracle.as_ref().map_or(PriceStatus::Live, |oracle| oracle.status).code();
    }

    /// Time passed: sources age, averages advance, marks follow.
    #[cold]
    pub(crate) fn age_prices(&mut self, step: &mut Step) {
        for at in 0..self.instruments.len() {
            if self.instruments[at].oracle.is_some() && self.instruments[at].state != InstrumentState::Settled
            {
                self.refresh_prices(step, at, true);
                self.prices_reached(at);
            }
        }
    }

    /// Every source counts as stale until it speaks again; instruments with an oracle accept only cancels until then.
    pub(crate) fn restart(&mut self, step: &mut Step) {
        step.emit(EventRecord { kind: EventKind::Restarted.code(), ..Default::default() });
        if !self.defends(Defence::RestartLadder) {
            return;
        }
        for at in 0..self.instruments.len() {
            if self.instruments[at].state == InstrumentState::Settled {
                continue;
            }
            let Some(oracle) = &mut self.instruments[at].oracle else { continue };
            let status = oracle.status;
            oracle.restart();
            if status != PriceStatus::Recovering {
                self.instruments[at].refresh_gate();
                self.emit_status(step, at);
            }
        }
    }

    /// Whether a restart would hold an instrument back until prices are fresh.
    pub fn needs_restart(&self) -> bool {
        self.instruments.iter().any(|instrument| instrument.oracle.is_some())
    }
}
