//! Slashing: a vote takes a part of a deployer's stake for those that it harmed.

use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason};
use xos_protocol::{Act, EventKind, HARMED_MAX, Harm, Reject};
use xos_units::{AMOUNT_ATOMS_BOUND, AccountId, Amount, AssetId, division::portion_down};

fn check_amount(amount: Amount) -> Result<(), Refused> {
    if amount.0 < 1 {
        return refused(Reject::AmountNotPositive, amount.0, 1);
    }
    if amount.0 >= AMOUNT_ATOMS_BOUND {
        return refused(Reject::AmountAboveMax, amount.0, AMOUNT_ATOMS_BOUND - 1);
    }
    Ok(())
}

impl Engine {
    fn standing_account(&self, account: u32) -> Result<AccountId, Refused> {
        let id = AccountId(account);
        if account == 0 || id.index() >= self.accounts.len() {
            return refused(Reject::UnknownAccount, account, self.accounts.len() as i128);
        }
        Ok(id)
    }

    /// The amount, and each harmed account with its claim.
    pub(super) fn check_slash(&self, account: u32, amount: Amount, harmed: &[Harm]) -> Result<(), Refused> {
        let deployer = self.standing_account(account)?;
        check_amount(amount)?;
        let most = HARMED_MAX as i128;
        if harmed.len() > HARMED_MAX {
            return refused(Reject::HarmedOutOfOrder, harmed.len() as i128, most);
        }
        let mut below = 0;
        for harm in harmed {
            let id = self.standing_account(harm.account)?;
            if harm.account <= below {
                return refused(Reject::HarmedOutOfOrder, harm.account, most);
            }
            below = harm.account;
            self.check_money_is_real(id)?;
            if self.accounts[id.index()].owner == self.accounts[deployer.index()].owner {
                return refused(Reject::HarmOfDeployer, harm.account, account);
            }
            check_amount(harm.claim)?;
        }
        Ok(())
    }

    /// A proposal asks for no more than is staked.
    pub(super) fn check_slash_is_covered(&self, account: u32, amount: Amount) -> Result<(), Refused> {
        let stake = self.deployer(AccountId(account)).stake;
        if amount > stake {
            return refused(Reject::StakeTooSmall, amount.0, stake.0);
        }
        Ok(())
    }

    /// What open proposals would take of a stake.
    pub fn open_slashes(&self, of: AccountId) -> Amount {
        let proposals = self.governance.state.proposals.iter();
        let slashes = proposals.filter_map(|proposal| match &proposal.act {
            Act::Slash { account, amount, .. } if *account == of.0 => Some(*amount),
            _ => None,
        });
        slashes.fold(Amount::ZERO, |sum, amount| sum + amount)
    }

    /// Harmed accounts first, in proportion where the stake is not enough; the insurance fund has what is left.
    pub(super) fn slash(&mut self, step: &mut Step, id: u64, account: u32, amount: Amount, harmed: &[Harm]) {
        let (asset, _) = self.staked();
        let mut deployer = self.deployer(AccountId(account));
        let taken = amount.min(deployer.stake);
        deployer.stake -= taken;
        self.set_deployer(deployer);
        let event = step.push(EventKind::StakeSlashed);
        event.account = account;
        event.order_id = id;
        event.amount = wide(taken);
        event.counter_amount = wide(deployer.stake);
        let claims = harmed.iter().fold(Amount::ZERO, |sum, harm| sum + harm.claim);
        let mut left = taken;
        for harm in harmed {
            let share =
                if taken >= claims { harm.claim } else { portion_down(taken, harm.claim.0, claims.0) };
            left -= share;
            self.pay_harm(step, asset, harm, share);
        }
        self.post_slash(step, asset, Party::Insurance, left);
    }

    fn pay_harm(&mut self, step: &mut Step, asset: AssetId, harm: &Harm, share: Amount) {
        let harmed = AccountId(harm.account);
        let receiver = self.accounts[harmed.index()].isolated.map_or(harmed, |isolated| isolated.parent);
        self.post_slash(step, asset, Party::User(receiver), share);
        self.asset_moved(receiver, asset);
        self.look_at_debt(receiver);
        let event = step.push(EventKind::HarmPaid);
        event.account = receiver.0;
        event.order_id = harmed.0.into();
        event.amount = wide(share);
        event.counter_amount = wide(harm.claim);
    }

    fn post_slash(&mut self, step: &Step, asset: AssetId, to: Party, amount: Amount) {
        let result = self.ledger.post(Party::Stakes, to, asset, amount, Reason::Slash, step.sequence);
        self.money(step.sequence, result);
    }
}
