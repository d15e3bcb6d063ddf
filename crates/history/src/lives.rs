//! Positions in perpetuals from the fill that opens them to the one that closes them.

use xos_units::{Price, Qty, notional};

pub(crate) const COLUMNS: [&str; 17] = [
    "number",
    "sequence",
    "time_ns",
    "account",
    "instrument",
    "how",
    "opened_ns",
    "lots",
    "opened_lots",
    "opened_value",
    "closed_lots",
    "closed_value",
    "most_lots",
    "pnl",
    "fee",
    "funding",
    "liquidation_fee",
];

/// How a position ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    Closed = 2,
    Liquidated = 3,
    Deleveraged = 5,
}

/// A position while it is open. `lots` are signed, values ticks times lots, the rest atoms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) account: u32,
    pub(crate) instrument: u32,
    pub(crate) lots: i64,
    opened_ns: u64,
    is_long: bool,
    opened_lots: i128,
    opened_value: i128,
    closed_lots: i128,
    closed_value: i128,
    most_lots: i64,
    pub(crate) pnl: i128,
    pub(crate) fee: i128,
    pub(crate) funding: i128,
    pub(crate) liquidation_fee: i128,
}

impl Life {
    pub(crate) fn opened(account: u32, instrument: u32, time_ns: u64, is_long: bool) -> Self {
        Self { account, instrument, opened_ns: time_ns, is_long, ..Self::default() }
    }

    /// Adds signed lots at a price, as far as they do not turn it; what is left opens another one.
    pub(crate) fn fill(&mut self, signed: i64, price: i64) -> i64 {
        let opens = self.lots == 0 || (self.lots > 0) == (signed > 0);
        let lots = if opens { signed.abs() } else { signed.abs().min(self.lots.abs()) };
        let value = notional(Price(price), Qty(lots), 1).0;
        let (sum, worth) = match opens {
            true => (&mut self.opened_lots, &mut self.opened_value),
            false => (&mut self.closed_lots, &mut self.closed_value),
        };
        *sum += i128::from(lots);
        *worth += value;
        let moved = if signed > 0 { lots } else { -lots };
        self.lots += moved;
        self.most_lots = self.most_lots.max(self.lots.abs());
        signed - moved
    }

    /// The row of the kind position; how 0: it is open.
    pub(crate) fn row(&self, number: u64, sequence: u64, time_ns: u64, how: u8) -> [i128; 17] {
        let most = if self.is_long { self.most_lots } else { -self.most_lots };
        [
            number.into(),
            sequence.into(),
            time_ns.into(),
            self.account.into(),
            self.instrument.into(),
            how.into(),
            self.opened_ns.into(),
            self.lots.into(),
            self.opened_lots,
            self.opened_value,
            self.closed_lots,
            self.closed_value,
            most.into(),
            self.pnl,
            self.fee,
            self.funding,
            self.liquidation_fee,
        ]
    }

    /// From its row, as [`Life::row`] gave it.
    pub(crate) fn restored(row: &[i128]) -> Option<Self> {
        let [_, _, _, account, instrument, _, opened_ns, lots, opened, opened_value, closed, rest @ ..] = row
        else {
            return None;
        };
        let [closed_value, most, pnl, fee, funding, liquidation_fee] = rest else { return None };
        Some(Self {
            account: *account as u32,
            instrument: *instrument as u32,
            lots: *lots as i64,
            opened_ns: *opened_ns as u64,
            is_long: *most >= 0,
            opened_lots: *opened,
            opened_value: *opened_value,
            closed_lots: *closed,
            closed_value: *closed_value,
            most_lots: (*most as i64).abs(),
            pnl: *pnl,
            fee: *fee,
            funding: *funding,
            liquidation_fee: *liquidation_fee,
        })
    }
}
