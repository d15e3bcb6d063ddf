//! What makes an account pending: whatever may lower its health. And invariant 18: nobody below the requirement is missed.

use crate::engine::Engine;
use crate::instrument::Traded;
use xos_units::{AccountId, Amount, AssetId, Price, Qty};

/// Accounts that a tick examines for invariant 18.
const PATROLLED_PER_TICK: usize = 16;

/// One side of a fill as its health sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trader {
    pub(crate) account: AccountId,
    /// Negative: a rebate.
    pub(crate) fee: Amount,
    /// Lots of its position that the fill closed.
    pub(crate) closed: Qty,
}

impl Engine {
    /// A perpetual's mark changed, or funding became due on it: everybody who holds it may have another health.
    #[inline(always)]
    pub(crate) fn look_at_holders(&mut self, at: usize) {
        if self.liquidations.wanted {
            self.liquidations.pending.insert_all(&self.instruments[at].holders);
        }
    }

    /// The index that values collateral changed: who has some of it and a position may have another health.
    #[cold]
    pub(crate) fn look_at_collateral(&mut self, at: usize) {
        let instrument = &self.instruments[at];
        let Traded::Spot { base, .. } = instrument.traded else { return };
        let Some(Some(collateral)) = self.collaterals.get(base.index()) else { return };
        if self.liquidations.wanted && collateral.instrument == instrument.id {
            let positions = self.instruments.iter().map(|instrument| &instrument.holders);
            self.liquidations.pending.insert_common(&collateral.holders, positions);
        }
    }

    /// After a fill. Headroom covered whoever opened lots; closing them at a price far from the mark, a fee above the
    /// margin that they gave free, a trade in spot, or closing a hedge in scenario mode may have harmed.
    #[inline(never)]
    pub(crate) fn look_at_traders(&mut self, at: usize, price: Price, traders: [Trader; 2], is_forced: bool) {
        let instrument = &self.instruments[at];
        let with_itself = traders[0].account == traders[1].account;
        let (maintenance, is_spot) = match instrument.traded {
            Traded::Outcome { .. } => (Default::default(), false),
            Traded::Spot { .. } => (Default::default(), true),
            Traded::Perpetual { maintenance, .. } => (maintenance, false),
        };
        let (wanted, is_outcome) = (self.liquidations.wanted, instrument.question().is_some());
        // A liquidation visits the taker anyway.
        for trader in &traders[usize::from(is_forced)..] {
            let closed = trader.closed;
            let freed = instrument.value_at_mark(closed).times(maintenance);
            let away = (price - instrument.mark).0.abs();
            let lost = trader.fee + xos_units::notional(Price(away), closed, instrument.k);
            // Lots of a silent market may be all that an account waits for.
            let costly = lost.as_requirement() > freed
                || !instrument.has_fresh_prices()
                || self.is_scenario(trader.account);
            let harmed = is_spot || with_itself || (closed > Qty::ZERO && costly);
            if wanted && harmed && !is_outcome && self.holds_a_perpetual(trader.account) {
                self.liquidations.pending.insert(trader.account);
            }
        }
        for trader in &traders[usize::from(is_forced)..] {
            self.look_at_debt(trader.account);
        }
    }

    /// One account, after another margin mode.
    pub(crate) fn look_at(&mut self, id: AccountId) {
        if self.liquidations.wanted && self.holds_a_perpetual(id) {
            self.liquidations.pending.insert(id);
        }
    }

    pub(crate) fn holds_a_perpetual(&self, id: AccountId) -> bool {
        let stands = self.accounts[id.index()].stands.iter();
        stands.take_while(|stand| stand.key.is_perpetual()).any(|stand| stand.lots != 0)
    }

    /// Keeps the set of those who have some of a collateral asset, after its balance changed.
    pub(crate) fn asset_moved(&mut self, id: AccountId, asset: AssetId) {
        if let Some(Some(collateral)) = self.collaterals.get_mut(asset.index()) {
            if self.ledger.balance(id, asset).total == Amount::ZERO {
                collateral.holders.remove(id);
            } else {
                collateral.holders.insert(id);
            }
        }
    }

    /// The same for everybody, when the asset becomes collateral.
    pub(crate) fn find_holders(&mut self, asset: AssetId) {
        for id in (0..self.accounts.len()).map(AccountId::from_index) {
            self.asset_moved(id, asset);
            self.look_at_debt(id);
        }
    }

    /// Whether an account is below its requirement and nobody would look at it.
    fn is_missed(&self, id: AccountId) -> bool {
        self.is_liquidatable(id)
            && !self.liquidations.pending.contains(id)
            && self.liquidations.visits.next(id).is_none()
            && !self.waits_for_prices(id)
    }

    /// Invariant 18 for a few accounts, others with every tick.
    pub(crate) fn patrol(&mut self, sequence: u64) {
        if !self.liquidations.wanted || self.accounts.is_empty() {
            return;
        }
        let number = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let count = self.accounts.len();
        for step in 0..PATROLLED_PER_TICK.min(count) {
            let id = AccountId::from_index((number as usize + step) % count);
            if self.is_missed(id) {
                self.halt(18, sequence, format!("account {id} is below its requirement and not pending"));
            }
        }
    }

    /// Invariant 18 for everybody, and the sets of those who have collateral.
    pub(crate) fn audit_health(&self) -> Result<(), String> {
        for at in 0..self.accounts.len() {
            let id = AccountId::from_index(at);
            if self.is_missed(id) {
                return Err(format!("account {id} is below its requirement and not pending"));
            }
            if self.repayment_is_missed(id) {
                return Err(format!("account {id} owes more than it may and is not pending"));
            }
            for (asset, collateral) in (0..).zip(&self.collaterals) {
                let Some(collateral) = collateral else { continue };
                let has_some = self.ledger.balance(id, AssetId::from_index(asset)).total != Amount::ZERO;
                if collateral.holders.contains(id) != has_some {
                    return Err(format!("account {id}: who has asset {} is wrong", asset + 1));
                }
            }
        }
        Ok(())
    }
}
