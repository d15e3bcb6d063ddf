//! Deleveraging: bankrupt positions are closed against the other side, in proportion to unhedged, profitable lots times
//! effective leverage; hedged lots and losing positions give only what the others cannot.

use crate::engine::Engine;
use crate::liquidation::health::Health;
use xos_risk::adl::{Candidate, LEVERAGE_PPM_BOUND, Standing, capacity, leverage_ppm, pro_rata, queue};
use xos_risk::unrealised;
use xos_units::{AccountId, Amount, Price, Qty, division::whole_parts, notional};

/// An account on the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opposite {
    pub(crate) account: AccountId,
    /// Lots held, unsigned.
    pub(crate) lots: Qty,
    /// Lots asked first.
    pub(crate) first: Qty,
    pub(crate) leverage_ppm: i64,
    /// Place in a queue by profit times leverage.
    pub(crate) score: i128,
}

impl Engine {
    /// Everybody on the other side of longs or shorts, in order of account, as deleveraging at a price sees them. Those
    /// of `last` (sorted) are bankrupt themselves: they are asked for what the others cannot give.
    pub(crate) fn opposites(&self, at: usize, long: bool, price: Price, last: &[AccountId]) -> Vec<Opposite> {
        let instrument = &self.instruments[at];
        let hedge = instrument.liquidation.as_ref().and_then(|terms| terms.spec.hedge);
        let per_lot = notional(price, Qty(1), instrument.k);
        let mut found = Vec::with_capacity(instrument.holders.len());
        for account in instrument.holders.iter() {
            let Some(stand) = self.accounts[account.index()].stand(instrument.key) else { continue };
            if stand.lots == 0 || (stand.lots > 0) == long {
                continue;
            }
            let lots = Qty(stand.lots.abs());
            let hedged = match hedge {
                Some(hedge) if stand.lots < 0 => {
                    let total = self.ledger.balance(account, xos_units::AssetId(hedge.asset)).total;
                    let most = whole_parts(total.max(Amount::ZERO), Amount(i128::from(hedge.atoms_per_lot)));
                    Qty(i64::try_from(most).unwrap_or(i64::MAX)).min(lots)
                }
                _ => Qty::ZERO,
            };
            let (equity, gross) = (self.health(account).equity, self.gross(account));
            let leverage = leverage_ppm(gross, equity, LEVERAGE_PPM_BOUND);
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
            found.push(Opposite {
                account,
                lots,
                first: capacity(lots, hedged, profit),
                leverage_ppm: leverage,
                score: standing.profit_times_leverage_ppm(),
            });
        }
        found
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

/// Place of each in a queue by profit times leverage, and the lots that it would take.
pub(crate) fn queue_of(wanted: Qty, opposites: &[Opposite]) -> (Vec<u32>, Vec<Qty>) {
    let mut order: Vec<usize> = (0..opposites.len()).collect();
    order.sort_unstable_by_key(|&at| (-opposites[at].score, opposites[at].account));
    let mut ranks = vec![0; opposites.len()];
    for (rank, &at) in (1..).zip(&order) {
        ranks[at] = rank;
    }
    let candidate = |opposite: &Opposite| Candidate {
        account: opposite.account,
        capacity: opposite.lots,
        leverage_ppm: opposite.leverage_ppm,
    };
    let candidates: Vec<Candidate> = opposites.iter().map(candidate).collect();
    (ranks, queue(wanted, &candidates, |at| opposites[at].score))
}
