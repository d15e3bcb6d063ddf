//! Assets other than the settlement asset as collateral.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::holders::AccountSet;
use crate::instrument::{Instrument, Traded};
use xos_ledger::SETTLEMENT;
use xos_protocol::InstrumentSpec;
use xos_risk::{Haircut, collateral_value};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, Ppm, Price, Qty};

/// How an asset counts as collateral.
#[derive(Clone, Debug)]
pub(crate) struct Collateral {
    /// The spot instrument against the settlement asset whose index values it.
    pub(crate) instrument: InstrumentId,
    base_atoms_per_lot: u64,
    tiers: Vec<Haircut>,
    /// How far below the index it may be sold for a debt; none: it is not.
    pub(crate) slippage: Option<Ppm>,
    /// Accounts that have some of the asset.
    pub(crate) holders: AccountSet,
}

impl Collateral {
    /// Of a spot instrument that declares it, with the asset.
    pub(crate) fn of(
        id: InstrumentId,
        instrument: &Instrument,
        spec: &InstrumentSpec,
    ) -> Option<(AssetId, Self)> {
        let Traded::Spot { base, base_atoms_per_lot, .. } = instrument.traded else { return None };
        let tier = |tier: &xos_protocol::CollateralTier| Haircut {
            up_to: Qty(tier.up_to_lots),
            rate: Ppm(tier.haircut_ppm),
        };
        let tiers: Vec<_> = spec.collateral.iter().map(tier).collect();
        let (slippage, holders) = (spec.conversion_slippage_ppm.map(Ppm), AccountSet::default());
        let collateral = Self { instrument: id, base_atoms_per_lot, tiers, slippage, holders };
        (!collateral.tiers.is_empty()).then_some((base, collateral))
    }

    /// Other tiers and slippage, as its instrument declares them now.
    pub(crate) fn retune(&mut self, instrument: &Instrument, spec: &InstrumentSpec) {
        if let Some((_, anew)) = Self::of(self.instrument, instrument, spec) {
            (self.tiers, self.slippage) = (anew.tiers, anew.slippage);
        }
    }

    /// Value of an amount of the asset: its whole lots.
    fn value(&self, instrument: &Instrument, price: Price, amount: Amount) -> Amount {
        let most = self.tiers.last().map_or(Qty::ZERO, |tier| tier.up_to);
        let lots = amount.whole_lots(self.base_atoms_per_lot, most);
        collateral_value(lots, price, instrument.k, &self.tiers)
    }
}

impl Engine {
    /// Collateral value of an amount of an asset; 0 if the asset is none.
    pub(crate) fn value_as_collateral(&self, asset: AssetId, amount: Amount) -> Amount {
        match self.collaterals.get(asset.index()) {
            Some(Some(collateral)) => {
                let instrument = &self.instruments[collateral.instrument.index()];
                let at_last = !self.defends(Defence::CollateralAtIndex);
                collateral.value(instrument, if at_last { instrument.last } else { instrument.index }, amount)
            }
            _ => Amount::ZERO,
        }
    }

    /// Collateral value of what an account has besides the settlement asset, `free` or in total.
    #[cold]
    pub(crate) fn collateral(&self, id: AccountId, free: bool) -> Amount {
        let others = self.ledger.balances(id).filter(|(asset, _)| *asset != SETTLEMENT);
        others.fold(Amount::ZERO, |sum, (asset, balance)| {
            let amount = if free { balance.free() } else { balance.total };
            sum + self.value_as_collateral(asset, amount)
        })
    }

    pub(crate) fn is_collateral(&self, asset: AssetId) -> bool {
        self.collaterals.get(asset.index()).is_some_and(Option::is_some)
    }

    /// What an account would lose in collateral value if `amount` of what is `free` of an asset were no longer there.
    pub(crate) fn collateral_lost(&self, asset: AssetId, free: Amount, amount: Amount) -> Amount {
        self.value_as_collateral(asset, free) - self.value_as_collateral(asset, free - amount)
    }

    /// The most of what is `free` of an asset that can go if the account may lose `room` of collateral value.
    pub(crate) fn collateral_may_go(&self, asset: AssetId, free: Amount, room: Amount) -> Amount {
        if room < Amount::ZERO && self.is_collateral(asset) {
            return Amount::ZERO;
        }
        if self.collateral_lost(asset, free, free) <= room.max(Amount::ZERO) {
            return free;
        }
        // What goes loses more the more it is: the boundary is found by halving.
        let (mut may, mut may_not) = (0, free.0);
        while may_not - may > 1 {
            let middle = may + (may_not - may) / 2;
            if self.collateral_lost(asset, free, Amount(middle)) <= room {
                may = middle
            } else {
                may_not = middle
            }
        }
        Amount(may)
    }
}
