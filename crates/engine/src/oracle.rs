//! What an instrument with an oracle knows of its prices: the sources, how fresh they are, and the averages of the mark.

use crate::defence::{Defence, Switches};
use xos_protocol::{InstrumentState, OracleSpec, PriceStatus};
use xos_risk::{
    DECAY_30_S, DECAY_150_S, Ema, Quote, agreeing, index_of, mark_of, mean_down, median_of_three, width,
};
use xos_units::Price;

const NS_PER_MS: u64 = 1_000_000;
pub(crate) const NS_PER_S: u64 = 1_000_000_000;

/// A publisher of an instrument and what it said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) publisher: u32,
    pub(crate) weight: u32,
    /// 0: nothing since the deployment or the last restart.
    pub(crate) price: Price,
    /// Price of an external perpetual; 0: none.
    pub(crate) external: Price,
    /// The publisher's own time of it.
    pub(crate) time_ns: u64,
}

/// Sources, status and averages of an instrument.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    pub(crate) sources: Vec<Source>,
    sources_min: usize,
    pub(crate) stale_after_ns: u64,
    deviation_ppm: i32,
    step_max_ppm: i32,
    mark_band_ppm: i32,
    reopen_ns: u64,
    pub(crate) status: PriceStatus,
    /// End of the post-only time, of an instrument that reopens.
    pub(crate) reopens_at_ns: u64,
    /// Distance of the middle of the book from the index, over 150 s.
    pub(crate) basis: Ema,
    /// Median of best bid, best ask and last trade, over 30 s.
    pub(crate) own: Ema,
    /// Logged second up to which the averages have come; 0: none.
    pub(crate) second: u64,
}

impl Oracle {
    pub(crate) fn new(spec: &OracleSpec) -> Self {
        let source = |source: &xos_protocol::SourceSpec| Source {
            publisher: source.publisher,
            weight: source.weight,
            price: Price::ZERO,
            external: Price::ZERO,
            time_ns: 0,
        };
        Self {
            sources: spec.sources.iter().map(source).collect(),
            sources_min: spec.sources_min as usize,
            stale_after_ns: u64::from(spec.stale_after_ms) * NS_PER_MS,
            deviation_ppm: spec.deviation_ppm,
            step_max_ppm: spec.step_max_ppm,
            mark_band_ppm: spec.mark_band_ppm,
            reopen_ns: u64::from(spec.reopen_ms) * NS_PER_MS,
            status: PriceStatus::Stale,
            reopens_at_ns: 0,
            basis: Ema::default(),
            own: Ema::default(),
            second: 0,
        }
    }

    /// Other terms. Publishers that stay keep what they told.
    pub(crate) fn retune(&mut self, spec: &OracleSpec) {
        let mut anew = Self::new(spec);
        for source in &mut anew.sources {
            if let Some(before) = self.source_mut(source.publisher) {
                *source = Source { weight: source.weight, ..*before };
            }
        }
        anew.status = self.status;
        (anew.reopens_at_ns, anew.second) = (self.reopens_at_ns, self.second);
        (anew.basis, anew.own) = (self.basis, self.own);
        *self = anew;
    }

    pub(crate) fn source_mut(&mut self, publisher: u32) -> Option<&mut Source> {
        self.sources.iter_mut().find(|source| source.publisher == publisher)
    }

    /// Whether index and mark move, and what depends on fresh ones may happen.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(self.status, PriceStatus::Live | PriceStatus::Reopening)
    }

    /// What its prices let the instrument accept.
    pub(crate) fn admits(&self) -> InstrumentState {
        match self.status {
            PriceStatus::Live => InstrumentState::Continuous,
            PriceStatus::Stale => InstrumentState::ReduceOnly,
            PriceStatus::Recovering => InstrumentState::CancelOnly,
            PriceStatus::Reopening => InstrumentState::PostOnly,
        }
    }

    /// Nobody's price counts until it is told again.
    pub(crate) fn restart(&mut self) {
        for source in &mut self.sources {
            (source.price, source.external) = (Price::ZERO, Price::ZERO);
        }
        (self.status, self.reopens_at_ns) = (PriceStatus::Recovering, 0);
    }

    fn fresh(&self, time_ns: u64) -> impl Iterator<Item = &Source> {
        let counts = move |source: &&Source| {
            source.price > Price::ZERO && source.time_ns.saturating_add(self.stale_after_ns) > time_ns
        };
        self.sources.iter().filter(counts)
    }

    /// Judges the sources anew: the status, and the index if enough are fresh.
    pub(crate) fn refresh(&mut self, time_ns: u64, index: Price, switches: Switches) -> Option<Price> {
        let mut quotes: Vec<Quote> =
            self.fresh(time_ns).map(|source| Quote { price: source.price, weight: source.weight }).collect();
        if agreeing(&quotes, self.deviation_ppm) < self.sources_min {
            self.status = match self.status {
                PriceStatus::Live | PriceStatus::Stale => PriceStatus::Stale,
                PriceStatus::Recovering | PriceStatus::Reopening => PriceStatus::Recovering,
            };
            return None;
        }
        match self.status {
            PriceStatus::Recovering => {
                self.reopens_at_ns = time_ns.saturating_add(self.reopen_ns);
                self.status = PriceStatus::Reopening;
            }
            PriceStatus::Stale => self.status = PriceStatus::Live,
            PriceStatus::Live | PriceStatus::Reopening => {}
        }
        if self.status == PriceStatus::Reopening && time_ns >= self.reopens_at_ns {
            self.status = PriceStatus::Live;
        }
        if !switches.defends(Defence::MedianOfSources) {
            return self.fresh(time_ns).max_by_key(|source| source.time_ns).map(|source| source.price);
        }
        let wished = index_of(&mut quotes, self.deviation_ppm)?;
        if self.step_max_ppm == 0 || index == Price::ZERO {
            return Some(wished);
        }
        let step = width(index, self.step_max_ppm).max(Price(1));
        Some(wished.clamp(index - step, index + step))
    }

    /// Seconds pass in which the book stood like this. Averages stand still while prices are stale.
    pub(crate) fn pass(&mut self, time_ns: u64, index: Price, best: Option<(Price, Price)>, last: Price) {
        let second = time_ns / NS_PER_S;
        let seconds = if self.second == 0 { 1 } else { second - self.second };
        self.second = second;
        if self.is_fresh() {
            let middle = best;
            let basis = middle.map(|(bid, ask)| mean_down(bid, ask) - index);
            self.basis.advance(seconds, basis, DECAY_150_S);
            self.own.advance(seconds, own_price(best, last), DECAY_30_S);
        }
    }

    /// The mark that follows.
    pub(crate) fn mark(
        &self,
        time_ns: u64,
        index: Price,
        best: Option<(Price, Price)>,
        last: Price,
        price_max: Price,
        switches: Switches,
    ) -> Price {
        let middle = best;
        if let Some((bid, ask)) = middle
            && !switches.defends(Defence::MarkOfComponents)
        {
            return mean_down(bid, ask);
        }
        if last > Price::ZERO && !switches.defends(Defence::MarkBand) {
            return last;
        }
        let mut external: Vec<Quote> = self
            .fresh(time_ns)
            .filter(|source| source.external > Price::ZERO)
            .map(|source| Quote { price: source.external, weight: source.weight })
            .collect();
        let external = xos_risk::weighted_median(&mut external).or(self.own.value());
        let own = own_price(best, last);
        mark_of(index, self.basis.value(), own, external, self.mark_band_ppm, price_max)
    }
}

/// The median of best bid, best ask and last trade, where all three exist.
fn own_price(best: Option<(Price, Price)>, last: Price) -> Option<Price> {
    let (bid, ask) = best?;
    (last > Price::ZERO).then(|| median_of_three(bid, ask, last))
}
