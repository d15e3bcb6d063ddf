//! Accounts, and money from and to outside.

use crate::account::Account;
use crate::defence::Defence;
use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CommandRecord, EventKind, EventRecord, Reject};
use xos_risk::unrealised;
use xos_units::{AMOUNT_ATOMS_BOUND, AccountId, Amount, AssetId, OwnerId, Requirement};

impl Engine {
    pub(crate) fn open_account(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (count, limit) = (self.accounts.len(), self.limits.accounts_max);
        let next = AccountId::from_index(count);
        if command.account != 0 && command.account() != next {
            return refused(Reject::UnknownAccount, command.account, next.0);
        }
        if count >= limit as usize {
            return refused(Reject::AccountsLimit, count as i128, limit);
        }
        let isolated = self.check_isolated(command, next)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let owner = self.owner(command.client_id);
        let mut account = Account::of(owner);
        account.isolated = isolated;
        self.accounts.push(account);
        if let Some(isolated) = isolated {
            self.isolated.insert((isolated.parent, isolated.instrument), next);
        }
        self.ledger.add_user();
        self.simulate(next, command.side != 0);
        step.emit(EventRecord {
            kind: EventKind::AccountOpened.code(),
            side: u8::from(self.is_simulated(next)),
            account: next.0,
            instrument: command.instrument,
            order_id: command.order_id,
            ..Default::default()
        });
        Ok(())
    }

    /// The number of an owner, given at first sight.
    pub(crate) fn owner(&mut self, bytes: [u8; 32]) -> OwnerId {
        let next =
            OwnerId(u32::try_from(self.owner_ids.len()).expect("there are no more owners than accounts"));
        let tag = self.owners.tag(&bytes, 0);
        if let Some(known) = self.owners.find(tag, |at| self.owner_ids[at as usize] == bytes) {
            return OwnerId(known);
        }
        self.owners.insert(tag, next.0);
        self.owner_ids.push(bytes);
        next
    }

    fn check_amount(&self, command: &CommandRecord) -> Result<Amount, Refused> {
        if command.asset().index() >= self.assets.len() {
            return refused(Reject::UnknownAsset, command.instrument, self.assets.len() as i128);
        }
        let amount = command.amount.get();
        if amount < 1 {
            return refused(Reject::AmountNotPositive, amount, 1);
        }
        if amount >= AMOUNT_ATOMS_BOUND {
            return refused(Reject::AmountAboveMax, amount, AMOUNT_ATOMS_BOUND - 1);
        }
        Ok(Amount(amount))
    }

    pub(crate) fn deposit(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.check_not_isolated(command.account())?;
        let amount = self.check_amount(command)?;
        let (account, asset) = (command.account(), command.asset());
        let outside = self.source_of_money(account);
        let supply = -self.ledger.house(outside, asset) + amount;
        if supply.0 >= AMOUNT_ATOMS_BOUND {
            return refused(Reject::SupplyLimit, supply.0, AMOUNT_ATOMS_BOUND - 1);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let user = Party::User(account);
        let result = self.ledger.post(outside, user, asset, amount, Reason::Deposit, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(account, asset);
        self.look_at_debt(account);
        self.emit_moved(step, command, EventKind::Deposited);
        Ok(())
    }

    pub(crate) fn withdraw(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.check_not_isolated(command.account())?;
        self.check_money_is_real(command.account())?;
        let amount = self.check_amount(command)?;
        let (account, asset) = (command.account(), command.asset());
        let available = self.available(account, asset);
        let exempt = account.0 == 1 && !self.defends(Defence::NoExemption);
        if amount > available && !exempt && self.defends(Defence::WithdrawalCheck) {
            return refused(Reject::InsufficientBalance, amount.0, available.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let (user, outside) = (Party::User(account), Party::External);
        let result = self.ledger.post(user, outside, asset, amount, Reason::Withdrawal, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(account, asset);
        self.emit_moved(step, command, EventKind::Withdrawn);
        Ok(())
    }

    /// Between two accounts of one owner: whatever may leave the exchange may go there.
    pub(crate) fn transfer(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let amount = self.check_amount(command)?;
        let (from, asset, newest) = (command.account(), command.asset(), self.accounts.len());
        let to = match u32::try_from(command.order_id) {
            Ok(to) if (1..=newest).contains(&(to as usize)) => AccountId(to),
            _ => return refused(Reject::UnknownReceiver, command.order_id, newest as i128),
        };
        if to == from {
            return refused(Reject::ReceiverIsSender, to.0, 0);
        }
        if self.accounts[to.index()].owner != self.accounts[from.index()].owner {
            return refused(Reject::AnotherOwner, to.0, from.0);
        }
        self.check_family(from, to, asset)?;
        self.check_same_money(from, to)?;
        let available = self.available(from, asset);
        if amount > available && self.defends(Defence::WithdrawalCheck) {
            return refused(Reject::InsufficientBalance, amount.0, available.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let (giver, taker) = (Party::User(from), Party::User(to));
        let result = self.ledger.post(giver, taker, asset, amount, Reason::Transfer, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(from, asset);
        self.asset_moved(to, asset);
        self.look_at_debt(to);
        self.emit_transferred(step, from, to, asset, amount);
        if self.accounts[to.index()].isolated.is_some() {
            self.idle.push(to);
        }
        Ok(())
    }

    pub(crate) fn emit_transferred(
        &self,
        step: &mut Step,
        from: AccountId,
        to: AccountId,
        asset: AssetId,
        amount: Amount,
    ) {
        step.emit(EventRecord {
            kind: EventKind::Transferred.code(),
            account: from.0,
            instrument: asset.0,
            order_id: to.0.into(),
            amount: wide(amount),
            counter_amount: wide(self.ledger.balance(from, asset).total),
            ..Default::default()
        });
    }

    fn emit_moved(&self, step: &mut Step, command: &CommandRecord, kind: EventKind) {
        step.emit(EventRecord {
            kind: kind.code(),
            account: command.account,
            instrument: command.instrument,
            amount: command.amount,
            counter_amount: wide(self.ledger.balance(command.account(), command.asset()).total),
            ..Default::default()
        });
    }

    /// What may leave of an asset.
    pub(crate) fn available(&self, account: AccountId, asset: AssetId) -> Amount {
        let free = self.ledger.balance(account, asset).free();
        match asset {
            SETTLEMENT => self.withdrawable(account),
            // Whoever owes more than what stands for it takes nothing away, collateral or not.
            _ if self.owes_uncovered(account) => Amount::ZERO,
            _ if self.collaterals.is_empty() => free,
            _ if self.excess_debt(account) > Amount::ZERO && self.is_collateral(asset) => Amount::ZERO,
            _ => self.collateral_may_go(asset, free, self.may_leave(account)),
        }
    }

    fn owes_uncovered(&self, account: AccountId) -> bool {
        self.ledger.settlement(account).total < Amount::ZERO && self.may_leave(account) < Amount::ZERO
    }

    /// What may leave in the settlement asset: no more than is free of it.
    pub(crate) fn withdrawable(&self, id: AccountId) -> Amount {
        self.may_leave(id).min(self.ledger.settlement(id).free()).max(Amount::ZERO)
    }

    /// What may leave in value: never an unrealised profit, and max(IM, 10 % of notional) stays.
    fn may_leave(&self, id: AccountId) -> Amount {
        let account = &self.accounts[id.index()];
        let free = self.ledger.settlement(id).free();
        let mut equity = free + self.worst_cases(id);
        if !self.collaterals.is_empty() {
            equity += self.collateral(id, true);
        }
        let mut tenth = Requirement::ZERO;
        for stand in account.stands.iter().take_while(|stand| stand.key.is_perpetual()) {
            let instrument = &self.instruments[stand.key.instrument().index()];
            let profit = unrealised(stand.lots, instrument.mark_value, stand.holding().cost);
            let counted = if self.defends(Defence::ProfitStays) { profit.min(Amount::ZERO) } else { profit };
            equity += counted + instrument.unsettled(stand);
            equity -= stand.buy_reserve() + stand.sell_reserve();
            let notional = Amount(i128::from(stand.lots.abs()) * instrument.mark_value);
            tenth += notional.times(xos_units::Ppm(xos_units::PPM_ONE / 10));
        }
        let mut stays = self.margin(id).initial.ceil().max(tenth.ceil());
        if !self.defends(Defence::MarginStays) {
            stays = Amount::ZERO;
        }
        equity - stays
    }
}
