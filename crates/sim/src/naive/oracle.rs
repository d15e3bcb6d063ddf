//! Section 15: published prices, index, mark, and the ladder after a restart.

use super::events::Cause;
use super::place::check_price;
use super::refusal::{Refusal, check, check_id};
use super::state::{Instrument, Order, World};
use std::collections::BTreeMap;
use xos_protocol::{
    CommandRecord, EventKind, EventRecord, InstrumentState, OracleSpec, PriceStatus, Reject, Side,
};

const SECOND: i128 = 1 << 32;

/// What a publisher told last; price 0: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) price: i64,
    pub(super) external: i64,
    pub(super) time_ns: u64,
}

/// Sum of samples and of weights, each times 2^32.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Average {
    pub(super) sum: i128,
    pub(super) weight: i128,
}

impl Average {
    fn pass(&mut self, seconds: u64, sample: Option<i64>, decay: i128) {
        if seconds > 1_800 {
            (self.sum, self.weight) = (0, 0);
        }
        for _ in 0..seconds.min(1_800) {
            self.sum = (self.sum * decay).div_euclid(SECOND);
            self.weight = self.weight * decay / SECOND;
            self.sum += sample.map_or(0, |sample| i128::from(sample) * SECOND);
            self.weight += sample.map_or(0, |_| SECOND);
        }
    }

    /// To the nearest tick, a half upwards.
    fn value(&self) -> Option<i64> {
        if self.weight < 1 << 16 {
            return None;
        }
        let twice = (2 * self.sum + self.weight).div_euclid(2 * self.weight);
        Some(i64::try_from(twice).expect("an average of prices"))
    }
}

/// What an instrument with an oracle knows.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    pub(super) spec: OracleSpec,
    pub(super) told: BTreeMap<u32, Told>,
    pub(super) status: PriceStatus,
    pub(super) reopens_at_ns: u64,
    pub(super) second: u64,
    pub(super) basis: Average,
    pub(super) own: Average,
}

impl Oracle {
    pub(super) fn new(spec: OracleSpec) -> Self {
        let told = spec.sources.iter().map(|source| (source.publisher, Told::default())).collect();
        Self {
            spec,
            told,
            status: PriceStatus::Stale,
            reopens_at_ns: 0,
            second: 0,
            basis: Average::default(),
            own: Average::default(),
        }
    }

    fn stale_after_ns(&self) -> u64 {
        u64::from(self.spec.stale_after_ms) * 1_000_000
    }

    /// Price, external price and weight of each source that is fresh.
    fn fresh(&self, now_ns: u64) -> Vec<(i64, i64, u32)> {
        let mut fresh = Vec::new();
        for source in &self.spec.sources {
            let told = self.told[&source.publisher];
            let ends_ns = u128::from(told.time_ns) + u128::from(self.stale_after_ns());
            if told.price > 0 && ends_ns > u128::from(now_ns) {
                fresh.push((told.price, told.external, source.weight));
            }
        }
        fresh
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.status == PriceStatus::Live || self.status == PriceStatus::Reopening
    }
}

/// The least price with half of the weight at or below it; if that is half exactly, the mean with the next price.
fn weighted_median(quotes: &[(i64, u32)]) -> Option<i64> {
    let whole: u64 = quotes.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let up_to = |price: i64| -> u64 {
        quotes.iter().filter(|(other, _)| *other <= price).map(|(_, weight)| u64::from(*weight)).sum()
    };
    let median = quotes.iter().map(|(price, _)| *price).filter(|&price| 2 * up_to(price) >= whole).min()?;
    let next = quotes.iter().map(|(price, _)| *price).filter(|&price| price > median).min();
    match next {
        Some(next) if 2 * up_to(median) == whole => Some((median + next).div_euclid(2)),
        _ => Some(median),
    }
}

/// How many prices are not further from the median than the deviation allows.
fn agreeing(fresh: &[(i64, i64, u32)], deviation_ppm: i32) -> usize {
    let equal: Vec<(i64, u32)> = fresh.iter().map(|&(price, _, _)| (price, 1)).collect();
    let Some(plain) = weighted_median(&equal) else { return 0 };
    let far = part(plain, deviation_ppm);
    fresh.iter().filter(|(price, _, _)| (price - plain).abs() <= far).count()
}

/// `ppm` of a price, rounded down.
fn part(price: i64, ppm: i32) -> i64 {
    i64::try_from(i128::from(price) * i128::from(ppm) / 1_000_000).expect("a part of a price")
}

/// The middle of three, the mean of two rounded down, or the only one.
fn middle(mut prices: Vec<i64>) -> i64 {
    prices.sort_unstable();
    match prices.len() {
        1 => prices[0],
        2 => (prices[0] + prices[1]).div_euclid(2),
        _ => prices[1],
    }
}

impl Instrument {
    /// What an instrument accepts: the strictest of its own state, what its prices allow, its halt and its auction.
    pub(super) fn accepts(&self) -> InstrumentState {
        use InstrumentState::{CancelOnly, Continuous, Halted, Settled};
        let others = self.accepts_beside_auction();
        let is_stricter = matches!(others, CancelOnly | Halted | Settled);
        if is_stricter || self.auction == Continuous { others } else { self.auction }
    }

    pub(super) fn accepts_beside_auction(&self) -> InstrumentState {
        use InstrumentState::{CancelOnly, Continuous, Halted, PostOnly, ReduceOnly, Settled};
        let of_prices = match self.oracle.as_ref().map(|oracle| oracle.status) {
            None | Some(PriceStatus::Live) => Continuous,
            Some(PriceStatus::Reopening) => PostOnly,
            Some(PriceStatus::Stale) => ReduceOnly,
            Some(PriceStatus::Recovering) => CancelOnly,
        };
        let of_halt = self.halt.as_ref().map(|halt| halt.status);
        let of_question = if self.is_closed || self.is_over { CancelOnly } else { Continuous };
        let of_delisting = if self.winds_down { ReduceOnly } else { Continuous };
        for strict in [Settled, Halted, CancelOnly, ReduceOnly, PostOnly] {
            let is_strict =
                [self.state, of_prices, of_question, of_delisting, self.emergency].contains(&strict);
            if is_strict || of_halt == Some(strict) {
                return strict;
            }
        }
        Continuous
    }
}

impl World {
    pub(super) fn publish(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, publisher, price) = (command.instrument, command.account, command.price);
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        check_id(publisher, self.publishers.len(), Reject::UnknownPublisher)?;
        let instrument = self.instrument(id);
        let oracle = instrument.oracle.as_ref().filter(|oracle| oracle.told.contains_key(&publisher));
        check(oracle.is_some(), Reject::NotASource, publisher, id)?;
        check(!self.is_closed(id), Reject::InstrumentSettled, id, 0)?;
        let oracle = oracle.expect("checked above");
        check_price(instrument, price)?;
        let most = instrument.terms.price_max_ticks;
        let external = command.qty;
        check((0..=most).contains(&external), Reject::ExternalPriceOutOfBounds, external, most)?;
        let (told, now_ns, time_ns) = (oracle.told[&publisher], cause.time_ns, command.expires_ns);
        check(time_ns <= now_ns, Reject::PublishedInFuture, time_ns, now_ns)?;
        check(time_ns > told.time_ns, Reject::PublishedNotNewer, time_ns, told.time_ns)?;
        let age_ns = now_ns - time_ns;
        let limit = i128::from(now_ns) - i128::from(oracle.stale_after_ns());
        check(age_ns < oracle.stale_after_ns(), Reject::PublishedStale, time_ns, limit)?;
        let (now, before) = (i128::from(price), i128::from(told.price));
        let jumps = before != 0 && (now >= 10 * before || 10 * now <= before);
        check(!jumps, Reject::PriceJump, price, told.price)?;

        events.push(EventRecord {
            account: publisher,
            instrument: id,
            price,
            qty: external,
            ..cause.event(EventKind::PricePublished)
        });
        let oracle = self.instrument_mut(id).oracle.as_mut().expect("checked above");
        oracle.told.insert(publisher, Told { price, external, time_ns });
        self.judge_prices(cause, id, false, events);
        self.reach_all(id);
        self.look(cause, events);
        Ok(())
    }

    /// After a tick: every instrument with an oracle, in order.
    pub(super) fn age_prices(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        for id in 1..=self.instruments.len() as u32 {
            if self.instrument(id).oracle.is_some() && !self.is_closed(id) {
                self.judge_prices(cause, id, true, events);
                self.reach_all(id);
            }
        }
    }

    fn set_price_status(
        &mut self,
        cause: &Cause,
        id: u32,
        status: PriceStatus,
        events: &mut Vec<EventRecord>,
    ) {
        let oracle = self.instrument_mut(id).oracle.as_mut().expect("only asked of instruments with one");
        if oracle.status != status {
            let before = std::mem::replace(&mut oracle.status, status);
            let event = cause.event(EventKind::PriceStatusSet);
            events.push(EventRecord { instrument: id, side: status.code(), ..event });
            if before == PriceStatus::Recovering {
                self.reopen(cause, id, events);
            }
            if matches!(status, PriceStatus::Live | PriceStatus::Reopening) {
                self.look_at_holders_of(id);
            }
        }
    }

    fn judge_prices(&mut self, cause: &Cause, id: u32, passes: bool, events: &mut Vec<EventRecord>) {
        use PriceStatus::{Live, Recovering, Reopening, Stale};
        let oracle = self.instrument(id).oracle.clone().expect("only asked of instruments with one");
        let fresh = oracle.fresh(cause.time_ns);
        if agreeing(&fresh, oracle.spec.deviation_ppm) < oracle.spec.sources_min as usize {
            let status = if matches!(oracle.status, Live | Stale) { Stale } else { Recovering };
            self.set_price_status(cause, id, status, events);
            if passes {
                self.pass_seconds(cause, id);
            }
            return;
        }
        let mut reopens_at_ns = oracle.reopens_at_ns;
        if oracle.status == Recovering {
            reopens_at_ns = cause.time_ns.saturating_add(u64::from(oracle.spec.reopen_ms) * 1_000_000);
        }
        self.instrument_mut(id).oracle.as_mut().expect("it has one").reopens_at_ns = reopens_at_ns;
        let climbs = matches!(oracle.status, Recovering | Reopening);
        let status = if climbs && cause.time_ns < reopens_at_ns { Reopening } else { Live };
        self.set_price_status(cause, id, status, events);

        let index = self.index_of(id, &fresh);
        if index != self.instrument(id).index {
            self.instrument_mut(id).index = index;
            let event = cause.event(EventKind::IndexSet);
            events.push(EventRecord { instrument: id, price: index, ..event });
            self.look_at_owners_of_base(id);
        }
        if passes {
            self.pass_seconds(cause, id);
        }
        let mark = self.mark_of(id, &fresh);
        if mark != self.instrument(id).mark {
            self.instrument_mut(id).mark = mark;
            let event = cause.event(EventKind::MarkSet);
            events.push(EventRecord { instrument: id, price: mark, ..event });
            self.reach(id, xos_protocol::PriceSource::Mark);
            self.look_at_holders_of(id);
        }
    }

    fn index_of(&self, id: u32, fresh: &[(i64, i64, u32)]) -> i64 {
        let instrument = self.instrument(id);
        let spec = &instrument.oracle.as_ref().expect("it has one").spec;
        let equal: Vec<(i64, u32)> = fresh.iter().map(|&(price, _, _)| (price, 1)).collect();
        let plain = weighted_median(&equal).expect("at least one is fresh");
        let far = part(plain, spec.deviation_ppm);
        let cut: Vec<(i64, u32)> = fresh
            .iter()
            .map(|&(price, _, weight)| (price.max(plain - far).min(plain + far), weight))
            .collect();
        let wished = weighted_median(&cut).expect("at least one is fresh");
        let before = instrument.index;
        if before == 0 || spec.step_max_ppm == 0 {
            return wished;
        }
        let step = part(before, spec.step_max_ppm).max(1);
        wished.max(before - step).min(before + step)
    }

    /// Best bid and best ask of orders that accept plain ones, where both exist.
    fn best(&self, id: u32) -> Option<(i64, i64)> {
        let is_public = move |o: &&Order, side| o.instrument == id && o.side == side && self.accepts_plain(o);
        let prices = |side| self.orders.iter().filter(move |o| is_public(o, side)).map(|o| o.price);
        Some((prices(Side::Buy).max()?, prices(Side::Sell).min()?))
    }

    /// The median of best bid, best ask and last trade, where all exist.
    fn own_price(&self, id: u32) -> Option<i64> {
        let (bid, ask) = self.best(id)?;
        let last = self.instrument(id).last;
        (last != 0).then(|| middle(vec![bid, ask, last]))
    }

    fn mark_of(&self, id: u32, fresh: &[(i64, i64, u32)]) -> i64 {
        let instrument = self.instrument(id);
        let oracle = instrument.oracle.as_ref().expect("it has one");
        let outside: Vec<(i64, u32)> = fresh.iter().filter(|f| f.1 > 0).map(|f| (f.1, f.2)).collect();
        let mut components = vec![instrument.index + oracle.basis.value().unwrap_or(0)];
        components.extend(self.own_price(id));
        components.extend(weighted_median(&outside).or(oracle.own.value()));
        let width = part(instrument.index, oracle.spec.mark_band_ppm);
        let mark = middle(components).max(instrument.index - width).min(instrument.index + width);
        mark.max(1).min(instrument.terms.price_max_ticks)
    }

    /// The averages come up to the second of the tick.
    fn pass_seconds(&mut self, cause: &Cause, id: u32) {
        let basis = self.best(id).map(|(bid, ask)| (bid + ask).div_euclid(2) - self.instrument(id).index);
        let own = self.own_price(id);
        let oracle = self.instrument_mut(id).oracle.as_mut().expect("it has one");
        let second = cause.time_ns / 1_000_000_000;
        let seconds = if oracle.second == 0 { 1 } else { second - oracle.second };
        oracle.second = second;
        if oracle.is_fresh() {
            oracle.basis.pass(seconds, basis, 4_266_429_413);
            oracle.own.pass(seconds, own, 4_154_161_520);
        }
    }

    pub(super) fn restart(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        events.push(cause.event(EventKind::Restarted));
        for id in 1..=self.instruments.len() as u32 {
            if self.is_closed(id) {
                continue;
            }
            let Some(oracle) = self.instrument_mut(id).oracle.as_mut() else { continue };
            oracle.reopens_at_ns = 0;
            for told in oracle.told.values_mut() {
                (told.price, told.external) = (0, 0);
            }
            self.set_price_status(cause, id, PriceStatus::Recovering, events);
        }
    }
}
