//! Orders around the price that all other outcomes of a question imply.

use super::Chaos;
use xos_protocol::{CommandRecord, Flags, Int128, Side, Tif};

impl Chaos {
    /// An order on an outcome of a question with implied liquidity: mostly one that rests where the best prices of all
    /// outcomes add up to about a unit, else one that takes what they imply, or all of it and one lot more.
    pub(super) fn draw_implied(&mut self) -> CommandRecord {
        let mut record = self.draw_place();
        let known = (1u32..).zip(&self.instruments);
        let known = known.filter(|(_, known)| known.is_implied && !known.is_settled);
        let outcomes: Vec<u32> = known.map(|(instrument, _)| instrument).collect();
        if outcomes.is_empty() {
            return record;
        }
        record.instrument = *self.rng.pick(&outcomes);
        let question = self.known(record.instrument).question;
        let legs = self.outcomes_of(question).into_iter().filter(|&leg| leg != record.instrument);
        let legs: Vec<u32> = legs.collect();
        let unit = self.known(record.instrument).price_max + 1;
        if !self.rng.one_in(8) {
            record.flags &= !Flags::REDUCE_ONLY;
        }
        let best = |live: &super::Live, leg: &u32| live.side_of(*leg, record.side).first().copied();
        let bests: Option<Vec<(i64, i64)>> = legs.iter().map(|leg| best(&self.live, leg)).collect();
        let (Some(bests), true) = (bests, self.rng.percent(45)) else {
            // Two thirds or so of an even share on the bid, a little more on the ask, so that some sums reach a unit.
            let even = unit / (legs.len() as i64 + 1);
            record.price = (even + self.rng.between(-2, 2)).clamp(1, unit - 1);
            record.qty = self.qty(record.instrument);
            record.tif = if self.rng.percent(90) { Tif::Gtc.code() } else { record.tif };
            record.flags &= !Flags::MARKET;
            return record;
        };
        let implied = unit - bests.iter().map(|(_, price)| price).sum::<i64>();
        let lots = bests.iter().map(|&(lots, _)| lots).min().unwrap_or(1);
        let towards = *self.rng.pick(&[0, 0, 1, 2, -1]);
        let towards = if record.side == Side::Buy.code() { towards } else { -towards };
        record.price = (implied + towards).clamp(1, unit - 1);
        record.qty = match self.rng.below(4) {
            0 => lots,
            1 => lots + 1,
            2 => 2 * lots + self.rng.between(0, 3),
            _ => self.rng.between(1, lots.max(1)),
        };
        record.tif = [0, 1, 2, 2, 2][self.rng.below(5) as usize];
        record.expires_ns = 0;
        if matches!(record.tif, 1 | 2) {
            record.flags &= !Flags::POST_ONLY;
            record.amount = Int128::default();
        }
        if self.rng.percent(60) {
            record.self_trade = 0;
        }
        record
    }
}
