//! Deployers: stakes, slots, the auction of slots, and the markets that they bring.

use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason};
use xos_protocol::{
    CommandRecord, DeployAs, Deployable, DeployedMarket, Deployer, EventKind, GovernanceSpec, Int128,
    MarketKind, Product, RELEASE_WAIT_S_MAX, Reject, SLOT_AUCTION_S_MAX, SlotAuction, SlotKind,
};
use xos_units::{AMOUNT_ATOMS_BOUND, AccountId, Amount, AssetId, InstrumentId, PPM_ONE, division};

/// Fields 190 to 202 of terms of governance.
fn check_terms(spec: &GovernanceSpec, assets: usize) -> Result<(), Refused> {
    let atoms = 0..=AMOUNT_ATOMS_BOUND - 1;
    check_bounds(spec.stake_asset.into(), 1..=assets as i128, 190)?;
    for stake in spec.stakes.all() {
        check_bounds(stake.0, atoms.clone(), 191)?;
    }
    check_bounds(spec.slot_price_min.0, 1..=AMOUNT_ATOMS_BOUND - 1, 192)?;
    check_bounds(spec.slot_auction_s.into(), 1..=SLOT_AUCTION_S_MAX.into(), 193)?;
    check_bounds(spec.release_wait_s.into(), 0..=RELEASE_WAIT_S_MAX.into(), 194)?;
    let (bounds, one) = (&spec.bounds, i128::from(PPM_ONE));
    check_bounds(bounds.leverage_max.into(), 0..=one, 195)?;
    check_bounds(bounds.maintenance_ppm_min.into(), 0..=one, 196)?;
    check_bounds(bounds.fee_ppm_max.into(), 0..=100_000, 197)?;
    check_bounds(bounds.band_ppm_max.into(), 0..=one - 1, 198)?;
    check_bounds(bounds.mark_band_ppm_max.into(), 0..=one - 1, 199)?;
    check_bounds(bounds.sources_min.into(), 0..=16, 200)?;
    check_bounds(bounds.funding_cap_max.into(), 0..=i128::from(i64::MAX), 201)?;
    check_bounds(bounds.insurance_draw_max.0, atoms, 202)
}

impl Engine {
    pub(crate) fn deploy_governance(&mut self, step: &mut Step, spec: GovernanceSpec) -> Result<(), Refused> {
        if self.governance.state.terms.is_some() {
            return refused(Reject::GovernanceStands, 0, 0);
        }
        self.check_governance(&spec)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let state = &mut self.governance.state;
        state.auction = Some(SlotAuction { last: spec.slot_price_min, since_ns: step.time_ns });
        state.terms = Some(Box::new(spec));
        step.push(EventKind::GovernanceDeployed);
        Ok(())
    }

    /// Fields 190 to 209 of terms of governance.
    pub(super) fn check_governance(&self, spec: &GovernanceSpec) -> Result<(), Refused> {
        check_terms(spec, self.assets.len())?;
        spec.voting.as_ref().map_or(Ok(()), |voting| self.check_voting(voting))
    }

    pub(super) fn terms_of_governance(&self) -> Result<&GovernanceSpec, Refused> {
        match &self.governance.state.terms {
            Some(terms) => Ok(terms),
            None => refused(Reject::NoGovernance, 0, 0),
        }
    }

    pub(super) fn deployer(&self, account: AccountId) -> Deployer {
        let none = Deployer { account: account.0, stake: Amount::ZERO, bought: [0; 4] };
        let found = self.governance.state.deployers.iter().find(|deployer| deployer.account == account.0);
        found.copied().unwrap_or(none)
    }

    pub(super) fn set_deployer(&mut self, deployer: Deployer) {
        let deployers = &mut self.governance.state.deployers;
        let place = deployers.partition_point(|other| other.account < deployer.account);
        match deployers.get_mut(place) {
            Some(found) if found.account == deployer.account => *found = deployer,
            _ => deployers.insert(place, deployer),
        }
    }

    /// What markets of an account lock of its stake.
    pub fn locked_stake(&self, account: AccountId, now_ns: u64) -> Amount {
        let markets = self.governance.state.markets.iter();
        let live = markets.filter(|market| market.account == account.0 && market.is_live(now_ns));
        live.fold(Amount::ZERO, |sum, market| sum + market.locked)
    }

    /// The asset of stakes, and all that is staked.
    pub(crate) fn staked(&self) -> (AssetId, Amount) {
        let state = &self.governance.state;
        let asset = state.terms.as_ref().map_or(AssetId(1), |terms| AssetId(terms.stake_asset));
        (asset, state.deployers.iter().fold(Amount::ZERO, |sum, deployer| sum + deployer.stake))
    }

    /// Invariant 31: the stakes of deployers are what the house holds for them.
    pub(crate) fn audit_stakes(&self) -> Result<(), String> {
        let (asset, staked) = self.staked();
        for at in (0..self.assets.len()).map(AssetId::from_index) {
            let (held, due) =
                (self.ledger.house(Party::Stakes, at), if at == asset { staked } else { Amount::ZERO });
            if held != due {
                return Err(format!("asset {at}: {} atoms are held for stakes of {}", held.0, due.0));
            }
        }
        Ok(())
    }

    /// An amount that a command asks for, of the asset of stakes.
    fn asked_of_stakes(&self, command: &CommandRecord) -> Result<(AccountId, Amount, AssetId), Refused> {
        let account = self.known_account(command)?;
        let asset = AssetId(self.terms_of_governance()?.stake_asset);
        self.check_not_isolated(account)?;
        self.check_money_is_real(account)?;
        let amount = command.amount.get();
        if amount < 1 {
            return refused(Reject::AmountNotPositive, amount, 1);
        }
        if amount >= AMOUNT_ATOMS_BOUND {
            return refused(Reject::AmountAboveMax, amount, AMOUNT_ATOMS_BOUND - 1);
        }
        Ok((account, Amount(amount), asset))
    }

    fn check_available(&self, account: AccountId, asset: AssetId, amount: Amount) -> Result<(), Refused> {
        let available = self.available(account, asset);
        if amount > available {
            return refused(Reject::InsufficientBalance, amount.0, available.0);
        }
        Ok(())
    }

    pub(crate) fn stake(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (account, amount, asset) = self.asked_of_stakes(command)?;
        self.check_available(account, asset, amount)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let mut deployer = self.deployer(account);
        deployer.stake += amount;
        self.set_deployer(deployer);
        let (user, stakes) = (Party::User(account), Party::Stakes);
        let result = self.ledger.post(user, stakes, asset, amount, Reason::Stake, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(account, asset);
        self.push_stake(step, EventKind::Staked, account, amount, deployer.stake);
        Ok(())
    }

    pub(crate) fn unstake(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (account, amount, asset) = self.asked_of_stakes(command)?;
        let mut deployer = self.deployer(account);
        let locked = self.locked_stake(account, step.time_ns).max(self.open_slashes(account));
        let free = deployer.stake - locked;
        let free = free.max(Amount::ZERO);
        if amount > free {
            return refused(Reject::StakeLocked, amount.0, free.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        deployer.stake -= amount;
        self.set_deployer(deployer);
        let (user, stakes) = (Party::User(account), Party::Stakes);
        let result = self.ledger.post(stakes, user, asset, amount, Reason::Stake, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(account, asset);
        self.look_at_debt(account);
        self.push_stake(step, EventKind::Unstaked, account, amount, deployer.stake);
        Ok(())
    }

    fn push_stake(
        &self,
        step: &mut Step,
        kind: EventKind,
        account: AccountId,
        amount: Amount,
        after: Amount,
    ) {
        let event = step.push(kind);
        event.account = account.0;
        event.amount = wide(amount);
        event.counter_amount = wide(after);
    }

    /// What a slot costs: it falls from twice the last price to the least in the time of the auction.
    pub fn slot_price(&self, now_ns: u64) -> Option<Amount> {
        let state = &self.governance.state;
        let (terms, auction) = (state.terms.as_ref()?, state.auction?);
        let least = terms.slot_price_min;
        let start = Amount((2 * auction.last.0).min(AMOUNT_ATOMS_BOUND - 1)).max(least);
        let all_s = i128::from(terms.slot_auction_s);
        let gone_s = i128::from(now_ns.saturating_sub(auction.since_ns) / NS_PER_S).min(all_s);
        Some(start - division::portion_down(start - least, gone_s, all_s))
    }

    pub(crate) fn buy_slot(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (account, most, asset) = self.asked_of_stakes(command)?;
        let price = self.slot_price(step.time_ns).unwrap_or_default();
        if price > most {
            return refused(Reject::SlotTooDear, price.0, most.0);
        }
        self.check_available(account, asset, price)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let mut deployer = self.deployer(account);
        deployer.bought[usize::from(command.side)] += 1;
        self.set_deployer(deployer);
        self.governance.state.auction = Some(SlotAuction { last: price, since_ns: step.time_ns });
        let (user, protocol) = (Party::User(account), Party::Protocol);
        let result = self.ledger.post(user, protocol, asset, price, Reason::Slot, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(account, asset);
        let next = self.slot_price(step.time_ns).unwrap_or_default();
        let event = step.push(EventKind::SlotBought);
        event.side = command.side;
        event.account = account.0;
        event.amount = wide(price);
        event.counter_amount = wide(next);
        Ok(())
    }

    /// A deployer brings a market: within its slots, with a stake, and nothing that reaches beyond its own market.
    pub(crate) fn deploy_as(&mut self, step: &mut Step, asked: DeployAs) -> Result<(), Refused> {
        let DeployAs { account, market } = asked;
        let terms = self.terms_of_governance()?;
        let standing = self.accounts.len();
        if account == 0 || account as usize > standing {
            return refused(Reject::UnknownAccount, account, standing as i128);
        }
        let id = AccountId(account);
        self.check_not_isolated(id)?;
        self.check_money_is_real(id)?;
        let slot = slot_of(&market);
        let kind = usize::from(slot.code());
        let (stake, base) = (terms.stakes.all()[kind], terms.slots.all()[kind]);
        match &market {
            Deployable::Instrument(spec) => self.check_new_of_deployer(account, spec)?,
            Deployable::Question(spec) => self.check_question_of_deployer(account, spec)?,
            Deployable::Venue(spec) => self.check_venue_of_deployer(account, spec)?,
        }
        let deployer = self.deployer(id);
        let slots = u32::from(base).saturating_add(deployer.bought[kind]);
        let markets = self.governance.state.markets.iter();
        let own = markets.filter(|market| market.account == account && market.slot == slot);
        let taken = own.filter(|market| market.is_live(step.time_ns)).count();
        if taken >= slots as usize {
            return refused(Reject::NoFreeSlot, taken as i128, slots);
        }
        let locked = self.locked_stake(id, step.time_ns) + stake;
        if locked > deployer.stake {
            return refused(Reject::StakeTooSmall, locked.0, deployer.stake.0);
        }
        let (kind, target) = self.bring(step, market)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let market = DeployedMarket { account, kind, target, slot, locked: stake, released_ns: 0 };
        self.governance.state.markets.push(market);
        let event = step.push(EventKind::StakeLocked);
        event.side = kind.code();
        event.account = account;
        event.instrument = target;
        event.amount = wide(stake);
        event.counter_amount = wide(locked);
        Ok(())
    }

    /// The deployment itself, and what it became.
    fn bring(&mut self, step: &mut Step, market: Deployable) -> Result<(MarketKind, u32), Refused> {
        match market {
            Deployable::Instrument(spec) => {
                self.deploy_instrument(step, spec)?;
                Ok((MarketKind::Instrument, InstrumentId::from_index(self.instruments.len() - 1).0))
            }
            Deployable::Question(spec) => {
                self.deploy_question(step, spec)?;
                Ok((MarketKind::Question, self.questions.len() as u32))
            }
            Deployable::Venue(spec) => {
                self.deploy_venue(step, spec)?;
                Ok((MarketKind::Venue, self.venues.len() as u32))
            }
        }
    }

    /// Whether this account, or the operator, may change a market.
    pub(super) fn check_proposer(&self, account: u32, kind: MarketKind, target: u32) -> Result<(), Refused> {
        let mut markets = self.governance.state.markets.iter();
        let is_own =
            |market: &DeployedMarket| (market.account, market.kind, market.target) == (account, kind, target);
        if account != 0 && !markets.any(is_own) {
            return refused(Reject::NotTheDeployer, account, target);
        }
        Ok(())
    }

    /// Nobody stands in a market any more: slot and stake are free after the wait.
    pub(crate) fn market_ended(&mut self, step: &mut Step, kind: MarketKind, target: u32) {
        let state = &mut self.governance.state;
        let Some(terms) = &state.terms else { return };
        let wait_ns = u64::from(terms.release_wait_s) * NS_PER_S;
        let mut markets = state.markets.iter_mut();
        let Some(market) = markets.find(|market| (market.kind, market.target) == (kind, target)) else {
            return;
        };
        if market.released_ns != 0 {
            return;
        }
        market.released_ns = step.time_ns.saturating_add(wait_ns).max(1);
        let event = step.push(EventKind::StakeReleased);
        event.side = kind.code();
        event.account = market.account;
        event.instrument = target;
        event.amount = wide(market.locked);
        event.counter_amount = Int128::new(market.released_ns.into());
    }
}

fn slot_of(market: &Deployable) -> SlotKind {
    match market {
        Deployable::Instrument(spec) => match spec.product {
            Product::Spot { .. } => SlotKind::Spot,
            Product::Perpetual { .. } => SlotKind::Perpetual,
        },
        Deployable::Question(_) => SlotKind::Question,
        Deployable::Venue(_) => SlotKind::Venue,
    }
}
