//! Bounds of the terms of a resolution: fields 151 to 165, and 94.

use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::step::{Refused, refused};
use xos_protocol::{Reject, ResolutionSpec};
use xos_units::{AMOUNT_ATOMS_BOUND, AccountId, PPM_ONE};

impl Engine {
    pub(crate) fn check_resolution(
        &self,
        now_ns: u64,
        spec: &ResolutionSpec,
        outcomes: usize,
    ) -> Result<(), Refused> {
        let up_to = |most: usize| 1..=most as i128;
        check_bounds(spec.rule.len() as i128, up_to(ResolutionSpec::RULE_BYTES_MAX), 151)?;
        check_bounds(spec.sources.len() as i128, up_to(ResolutionSpec::SOURCES_MAX), 152)?;
        for source in &spec.sources {
            check_bounds(source.len() as i128, up_to(ResolutionSpec::SOURCE_BYTES_MAX), 153)?;
        }
        check_bounds(spec.close_ns.into(), i128::from(now_ns) + 1..=u64::MAX.into(), 154)?;
        check_bounds(spec.propose_s.into(), 1..=ResolutionSpec::WAIT_S_MAX.into(), 155)?;
        let most = ResolutionSpec::RESOLVERS_MAX;
        check_bounds(spec.resolvers.len() as i128, up_to(most), 156)?;
        self.check_resolvers(&spec.resolvers, &[])?;
        check_bounds(spec.bond.0, 1..=AMOUNT_ATOMS_BOUND - 1, 158)?;
        check_bounds(spec.challenge_s.into(), 1..=ResolutionSpec::CHALLENGE_S_MAX.into(), 159)?;
        let second = spec.second_resolvers.len() as i128;
        check_bounds(second, up_to(most), 160)?;
        self.check_resolvers(&spec.second_resolvers, &spec.resolvers)?;
        check_bounds(spec.second_bond.0, spec.bond.0 + 1..=AMOUNT_ATOMS_BOUND - 1, 161)?;
        check_bounds(spec.quorum.into(), second / 2 + 1..=second, 162)?;
        check_bounds(spec.decide_s.into(), 1..=ResolutionSpec::WAIT_S_MAX.into(), 163)?;
        let void = &spec.void_payouts_ppm;
        check_bounds(void.len() as i128, outcomes as i128..=outcomes as i128, 164)?;
        for share in void {
            check_bounds(i128::from(*share), 0..=i128::from(PPM_ONE), 165)?;
        }
        let sum = void.iter().map(|share| i128::from(*share)).sum();
        check_bounds(sum, i128::from(PPM_ONE)..=i128::from(PPM_ONE), 165)?;
        check_bounds(spec.bond_share_ppm.into(), 0..=i128::from(PPM_ONE), 94)
    }

    /// Accounts that stand, not isolated, each of an owner that is named once over both sets: field 157.
    fn check_resolvers(&self, set: &[u32], before: &[u32]) -> Result<(), Refused> {
        for (at, id) in set.iter().enumerate() {
            let account = (*id as usize).checked_sub(1).and_then(|index| self.accounts.get(index));
            let is_new = account.is_some_and(|account| {
                let owns = |other: &u32| self.accounts[*other as usize - 1].owner == account.owner;
                account.isolated.is_none()
                    && !self.is_simulated(AccountId(*id))
                    && !set[..at].iter().chain(before).any(owns)
            });
            if !is_new {
                return refused(Reject::SpecOutOfBounds, *id, 157);
            }
        }
        Ok(())
    }
}
