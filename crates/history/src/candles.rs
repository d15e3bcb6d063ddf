//! Candles: prices of trades, marks and indices over spans of time.

use crate::hash::Map;
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

type Key = (u32, u32, u32);

struct Present {
    source: Source,
    bar_s: u64,
    instrument: u32,
    row: [i128; 9],
    is_changed: bool,
}

impl Present {
    fn told(&self) -> CandleRow {
        (self.source, self.bar_s, self.instrument, self.row[0] as u64, self.row)
    }
}

/// The present candles, and those that ended since they were taken last.
#[derive(Default)]
pub(crate) struct Candles {
    present: Map<Key, Present>,
    ended: Vec<CandleRow>,
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
            let present = self.present.entry((source as u32, bar_s as u32, instrument));
            let present =
                present.or_insert(Present { source, bar_s, instrument, row: fresh, is_changed: false });
            if present.row[0] != fresh[0] {
                if present.is_changed {
                    self.ended.push(present.told());
                }
                present.row = fresh;
            }
            present.is_changed = true;
            let row = &mut present.row;
            row[2] = row[2].max(ticks);
            row[3] = row[3].min(ticks);
            row[4] = ticks;
            row[5] += i128::from(lots.0);
            row[6] += notional(price, lots, 1).0;
            row[7] += count;
            row[8] = i128::from(time_ns);
        }
    }

    /// Those that changed since the last call.
    pub(crate) fn take(&mut self) -> Vec<CandleRow> {
        let mut rows = std::mem::take(&mut self.ended);
        for present in self.present.values_mut().filter(|present| present.is_changed) {
            rows.push(present.told());
            present.is_changed = false;
        }
        rows.sort_unstable_by_key(|(source, bar_s, instrument, begin, _)| {
            (*source, *bar_s, *instrument, *begin)
        });
        rows
    }

    /// Puts a candle back that was the present one.
    pub(crate) fn restore(&mut self, source: u8, bar_s: u64, instrument: u32, row: &[i128]) {
        let (Some(&source), Ok(row)) = (Source::ALL.get(source as usize), row.try_into()) else { return };
        let present = Present { source, bar_s, instrument, row, is_changed: false };
        self.present.insert((source as u32, bar_s as u32, instrument), present);
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
