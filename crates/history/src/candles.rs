//! Candles: prices of trades, marks and indices over spans of time.

use std::collections::BTreeMap;
use xos_units::{Price, Qty, notional};

/// Lengths of the spans that are kept; every other bar is made of one of them. Marks and indices have no seconds.
pub const BARS_S: [u64; 3] = [1, 60, 3_600];

pub(crate) const COLUMNS: [&str; 9] =
    ["begin_s", "open", "high", "low", "close", "volume", "value", "count", "time_ns"];

/// Whose prices they are. The numbers are written in databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Source {
    /// Public trades.
    Trades = 0,
    /// The mark.
    Mark = 1,
    /// The index.
    Index = 2,
}

impl Source {
    const ALL: [Self; 3] = [Self::Trades, Self::Mark, Self::Index];

    fn bars(self) -> &'static [u64] {
        if self == Self::Trades { &BARS_S } else { &BARS_S[1..] }
    }
}

/// Source, length in seconds, instrument, begin in seconds, and the columns of the kind candle.
pub type CandleRow = (Source, u64, u32, u64, [i128; 9]);

type Key = (Source, u64, u32);

/// The present candles, and those that ended since they were taken last.
#[derive(Default)]
pub(crate) struct Candles {
    present: BTreeMap<Key, [i128; 9]>,
    changed: BTreeMap<(Source, u64, u32, u64), [i128; 9]>,
}

impl Candles {
    /// A trade of `lots`, or with none of them a mark or index.
    pub(crate) fn add(
        &mut self,
        source: Source,
        instrument: u32,
        price: Price,
        lots: Qty,
        count: i128,
        time_ns: u64,
    ) {
        let ticks = i128::from(price.0);
        for &bar_s in source.bars() {
            let begin = time_ns / 1_000_000_000 / bar_s * bar_s;
            let fresh = [i128::from(begin), ticks, ticks, ticks, ticks, 0, 0, 0, 0];
            let candle = self.present.entry((source, bar_s, instrument)).or_insert(fresh);
            if candle[0] != fresh[0] {
                *candle = fresh;
            }
            candle[2] = candle[2].max(ticks);
            candle[3] = candle[3].min(ticks);
            candle[4] = ticks;
            candle[5] += i128::from(lots.0);
            candle[6] += notional(price, lots, 1).0;
            candle[7] += count;
            candle[8] = i128::from(time_ns);
            self.changed.insert((source, bar_s, instrument, begin), *candle);
        }
    }

    /// Those that changed since the last call.
    pub(crate) fn take(&mut self) -> Vec<CandleRow> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|((source, bar, of, begin), row)| (source, bar, of, begin, row)).collect()
    }

    /// Puts a candle back that was the present one.
    pub(crate) fn restore(&mut self, source: u8, bar_s: u64, instrument: u32, row: &[i128]) {
        let (Some(&source), Ok(row)) = (Source::ALL.get(source as usize), row.try_into()) else { return };
        self.present.insert((source, bar_s, instrument), row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_what_traded_in_them() {
        let mut candles = Candles::default();
        for (time_s, ticks, lots) in [(59, 10, 1), (60, 12, 2), (61, 9, 3), (119, 11, 4), (120, 8, 5)] {
            candles.add(Source::Trades, 7, Price(ticks), Qty(lots), 1, time_s * 1_000_000_000);
        }
        let rows = candles.take();
        let minute: Vec<_> = rows.iter().filter(|row| row.1 == 60).map(|row| &row.4[..8]).collect();
        assert_eq!(
            minute,
            [
                &[0, 10, 10, 10, 10, 1, 10, 1][..],
                &[60, 12, 12, 9, 11, 9, 95, 3],
                &[120, 8, 8, 8, 8, 5, 40, 1]
            ]
        );
        assert_eq!(rows.iter().filter(|row| row.1 == 1).count(), 5);
        let hour = rows.iter().find(|row| row.1 == 3_600).expect("one");
        assert_eq!(hour.4[..8], [0, 10, 12, 8, 8, 15, 145, 5]);
        assert!(candles.take().is_empty());
    }

    #[test]
    fn marks_have_no_seconds_and_a_candle_goes_on_after_it_was_put_back() {
        let mut candles = Candles::default();
        candles.add(Source::Mark, 1, Price(5), Qty(0), 1, 1_000_000_000);
        let rows = candles.take();
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [60, 3_600]);
        let mut again = Candles::default();
        for (source, bar_s, instrument, _, row) in rows {
            again.restore(source as u8, bar_s, instrument, &row);
        }
        again.add(Source::Mark, 1, Price(4), Qty(0), 1, 2_000_000_000);
        assert_eq!(again.take()[0].4[1..5], [5, 5, 4, 4]);
    }
}
