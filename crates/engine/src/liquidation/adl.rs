//! Deleveraging: a bankrupt position is closed against the other side, in proportion to unhedged, profitable lots times
//! effective leverage; hedged lots and losing positions give only what the others cannot.

use crate::engine::Engine;
use crate::liquidation::health::Health;
use crate::liquidation::ladder::closing_side;
use crate::step::{Step, wide};
use xos_protocol::{EventKind, Receipt};
use xos_risk::adl::{Candidate, LEVERAGE_PPM_BOUND, Standing, capacity, leverage_ppm, pro_rata, queue};
use xos_risk::loss_against_mark;
use xos_units::{AccountId, Amount, Price, Qty, division::whole_parts};

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
    /// Closes a whole position at a price. Gives what the other side lost against the mark.
    pub(crate) fn deleverage(
        &mut self,
        step: &mut Step,
        id: AccountId,
        at: usize,
        lots: i64,
        price: Price,
    ) -> Amount {
        let opposites = self.opposites(id, at, lots > 0, price);
        let wanted = Qty(lots.abs());
        let given = divide(wanted, &opposites);
        let (ranks, queued) = queue_of(wanted, &opposites);
        let side = closing_side(lots);
        let settling = self.instruments[at].settling;
        if settling {
            self.settle_funding(step, at, id);
        }
        let closed = self.move_lots(step.sequence, at, id, side, price, wanted);
        let (realised, left) = closed.map_or((Amount::ZERO, 0), |(closed, left, _)| (closed.realised, left));
        let event = step.push(EventKind::BankruptcyClosed);
        event.side = side.code();
        event.account = id.0;
        event.instrument = self.instruments[at].id.0;
        event.price = price.0;
        event.qty = wanted.0;
        event.remaining = left;
        event.amount = wide(realised);
        let mut haircut = Amount::ZERO;
        for (place, (opposite, taken)) in opposites.iter().zip(&given).enumerate() {
            if *taken == Qty::ZERO {
                continue;
            }
            let (account, other) = (opposite.account, side.opposite());
            if settling {
                self.settle_funding(step, at, account);
            }
            let closed = self.move_lots(step.sequence, at, account, other, price, *taken);
            let (realised, left) =
                closed.map_or((Amount::ZERO, 0), |(closed, left, _)| (closed.realised, left));
            let instrument = &self.instruments[at];
            let buys = other == xos_protocol::Side::Buy;
            let (mark, k) = (instrument.mark, instrument.k);
            let lost = loss_against_mark(buys, price, mark, *taken, k);
            let gained = loss_against_mark(!buys, price, mark, *taken, k);
            haircut += lost - gained;
            let event = step.push(EventKind::Deleveraged);
            event.side = other.code();
            event.account = account.0;
            event.instrument = instrument.id.0;
            event.price = price.0;
            event.qty = taken.0;
            event.remaining = left;
            event.amount = wide(realised);
            event.counter_amount = wide(lost - gained);
            event.set_receipt(&Receipt {
                queue_rank: ranks[place],
                candidates: opposites.len() as u32,
                bankrupt: id.0,
                queue_lots: queued[place].0,
                closed_lots: wanted.0,
            });
            self.liquidations.pending.insert(account);
        }
        self.check_open_interest(step.sequence, at);
        haircut
    }

    /// Everybody on the other side of a position, in order of account, as deleveraging at a price sees them.
    pub(crate) fn opposites(&self, id: AccountId, at: usize, long: bool, price: Price) -> Vec<Opposite> {
        let instrument = &self.instruments[at];
        let hedge = instrument.liquidation.as_ref().and_then(|terms| terms.spec.hedge);
        let mut found = Vec::with_capacity(instrument.holders.len());
        for account in instrument.holders.iter() {
            let Some(stand) = self.accounts[account.index()].stand(instrument.key) else { continue };
            if account == id || stand.lots == 0 || (stand.lots > 0) == long {
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
            found.push(Opposite {
                account,
                lots,
                first: capacity(lots, hedged, self.profit_at(at, account, price)),
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
    order.sort_by_key(|&at| (-opposites[at].score, opposites[at].account));
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
