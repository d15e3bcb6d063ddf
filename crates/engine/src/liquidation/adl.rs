//! Deleveraging: bankrupt positions are closed against the other side, in proportion to unhedged, profitable lots times
//! effective leverage; hedged lots and losing positions give only what the others cannot.

use crate::account::Stand;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::liquidation::health::Health;
use crate::touch::RUN;
use std::cmp::Reverse;
use xos_risk::adl::{Candidate, LEVERAGE_PPM_BOUND, Standing, capacity, leverage_ppm, pro_rata};
use xos_risk::unrealised;
use xos_units::{AccountId, Amount, AssetId, Price, Qty, division::whole_parts, notional};

/// An account on the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opposite {
    pub(crate) account: AccountId,
    /// Lots held, unsigned.
    pub(crate) lots: Qty,
    /// Lots asked first.
    pub(crate) first: Qty,
    pub(crate) leverage_ppm: i64,
    /// Profit times leverage, which a queue would go by; at most 10^12.
    pub(crate) score: u64,
}

impl Engine {
    /// Everybody on the other side of longs or shorts, in order of account, as deleveraging at a price sees them. Those
    /// of `last` (sorted) are bankrupt themselves: they are asked for what the others cannot give.
    pub(crate) fn opposites(&self, at: usize, long: bool, price: Price, last: &[AccountId]) -> Vec<Opposite> {
        let instrument = &self.instruments[at];
        let per_lot = notional(price, Qty(1), instrument.k);
        let mut found = Vec::with_capacity(instrument.holders.len());
        let mut holders = instrument.holders.iter();
        let mut run = Vec::with_capacity(RUN);
        loop {
            run.clear();
            run.extend(holders.by_ref().take(RUN));
            if run.is_empty() {
                return found;
            }
            self.touch_accounts(&run);
            for &account in &run {
                let Some(stand) = self.accounts[account.index()].stand(instrument.key) else { continue };
                if stand.lots != 0 && (stand.lots > 0) != long {
                    found.push(self.opposite(instrument, account, stand, per_lot, last));
                }
            }
        }
    }

    fn opposite(
        &self,
        instrument: &Instrument,
        account: AccountId,
        stand: &Stand,
        per_lot: Amount,
        last: &[AccountId],
    ) -> Opposite {
        let lots = Qty(stand.lots.abs());
        let (equity, gross) = self.equity_and_gross(account);
        let standing = Standing {
            long: stand.lots > 0,
            notional: instrument.value_at_mark(lots),
            entry: stand.holding().cost.abs().max(Amount(1)),
            equity,
            margin: equity,
        };
        let profit = match last.binary_search(&account) {
            Ok(_) => Amount::ZERO,
            Err(_) => unrealised(stand.lots, per_lot.0, stand.holding().cost),
        };
        let score = standing.profit_times_leverage_ppm();
        Opposite {
            account,
            lots,
            first: capacity(lots, self.hedged(instrument, account, stand.lots), profit),
            leverage_ppm: leverage_ppm(gross, equity, LEVERAGE_PPM_BOUND),
            score: u64::try_from(score).expect("two ratios of at most a thousand"),
        }
    }

    /// Lots of a short that the account's holding of the hedge asset offsets.
    fn hedged(&self, instrument: &Instrument, account: AccountId, lots: i64) -> Qty {
        match instrument.liquidation.as_ref().and_then(|terms| terms.spec.hedge) {
            Some(hedge) if lots < 0 => {
                let total = self.ledger.balance(account, AssetId(hedge.asset)).total;
                let most = whole_parts(total.max(Amount::ZERO), Amount(i128::from(hedge.atoms_per_lot)));
                Qty(i64::try_from(most).unwrap_or(i64::MAX).min(lots.abs()))
            }
            _ => Qty::ZERO,
        }
    }
}

/// First from unhedged lots with profit, the rest from the others.
pub(crate) fn divide(wanted: Qty, opposites: &[Opposite]) -> Vec<Qty> {
    let candidates = |capacity: fn(&Opposite) -> Qty| -> Vec<Candidate> {
        let candidate = |opposite: &Opposite| Candidate {
            account: opposite.account,
            capacity: capacity(opposite),
            leverage_ppm: opposite.leverage_ppm,
        };
        opposites.iter().map(candidate).collect()
    };
    let mut given = pro_rata(wanted, &candidates(|opposite| opposite.first), Health::LEVERAGE_PPM_MAX);
    let left = given.iter().fold(wanted, |left, lots| left - *lots);
    if left > Qty::ZERO {
        let rest = candidates(|opposite| opposite.lots - opposite.first);
        for (given, more) in given.iter_mut().zip(pro_rata(left, &rest, Health::LEVERAGE_PPM_MAX)) {
            *given += more;
        }
    }
    given
}

/// Place of each in a queue by profit times leverage, and the lots that it would take. `opposites` are in order of account.
pub(crate) fn queue_of(wanted: Qty, opposites: &[Opposite]) -> (Vec<u32>, Vec<Qty>) {
    let mut order: Vec<(Reverse<u64>, u32)> =
        (0..).zip(opposites).map(|(place, opposite)| (Reverse(opposite.score), place)).collect();
    order.sort_unstable();
    let (mut ranks, mut queued) = (vec![0; opposites.len()], vec![Qty::ZERO; opposites.len()]);
    let mut left = wanted.max(Qty::ZERO);
    for (rank, &(_, place)) in (1..).zip(&order) {
        let place = place as usize;
        ranks[place] = rank;
        queued[place] = opposites[place].lots.min(left);
        left -= queued[place];
    }
    (ranks, queued)
}
