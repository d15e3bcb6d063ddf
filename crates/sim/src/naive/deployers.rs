//! Sections 30.4 and 30.5: deployers, their stakes and slots, and the bounds above every market.

use super::deploy::bound;
use super::events::Cause;
use super::governance::{Asked, highest};
use super::refusal::{Refusal, check, check_id};
use super::state::{House, Party, World};
use xos_protocol::{
    CommandRecord, DeployAs, Deployable, DeployedMarket, Deployer, EventKind, EventRecord, Fees,
    GovernanceSpec, InstrumentSpec, Int128, MarketBounds, MarketKind, Product, Reject, SlotAuction, SlotKind,
    VenueSpec,
};
use xos_units::{AMOUNT_ATOMS_BOUND, Amount};

const SECOND_NS: u64 = 1_000_000_000;

/// Whether a market takes its slot and locks its stake.
fn is_live(market: &DeployedMarket, now_ns: u64) -> bool {
    market.released_ns == 0 || now_ns < market.released_ns
}

impl World {
    pub(super) fn deploy_governance(
        &mut self,
        cause: &Cause,
        spec: GovernanceSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        check(self.governance.terms.is_none(), Reject::GovernanceStands, 0, 0)?;
        self.check_governance(&spec)?;
        self.governance.auction = Some(SlotAuction { last: spec.slot_price_min, since_ns: cause.time_ns });
        self.governance.terms = Some(Box::new(spec));
        events.push(cause.event(EventKind::GovernanceDeployed));
        Ok(())
    }

    pub(super) fn check_governance(&self, spec: &GovernanceSpec) -> Result<(), Refusal> {
        let is_amount = |amount: i128| (0..AMOUNT_ATOMS_BOUND).contains(&amount);
        let asset = spec.stake_asset;
        bound(190, asset, asset >= 1 && asset as usize <= self.assets.len())?;
        let stakes = spec.stakes;
        for stake in [stakes.spot, stakes.perpetual, stakes.question, stakes.venue] {
            bound(191, stake.0, is_amount(stake.0))?;
        }
        let least = spec.slot_price_min.0;
        bound(192, least, least >= 1 && is_amount(least))?;
        bound(193, spec.slot_auction_s, (1..=2_592_000).contains(&spec.slot_auction_s))?;
        bound(194, spec.release_wait_s, spec.release_wait_s <= 31_536_000)?;
        let bounds = spec.bounds;
        bound(195, bounds.leverage_max, bounds.leverage_max <= 1_000_000)?;
        let maintenance = bounds.maintenance_ppm_min;
        bound(196, maintenance, (0..=1_000_000).contains(&maintenance))?;
        bound(197, bounds.fee_ppm_max, (0..=100_000).contains(&bounds.fee_ppm_max))?;
        bound(198, bounds.band_ppm_max, (0..1_000_000).contains(&bounds.band_ppm_max))?;
        bound(199, bounds.mark_band_ppm_max, (0..1_000_000).contains(&bounds.mark_band_ppm_max))?;
        bound(200, bounds.sources_min, bounds.sources_min <= 16)?;
        bound(201, bounds.funding_cap_max, bounds.funding_cap_max >= 0)?;
        bound(202, bounds.insurance_draw_max.0, is_amount(bounds.insurance_draw_max.0))?;
        spec.voting.as_ref().map_or(Ok(()), |voting| self.check_voting(voting))
    }

    fn bounds(&self) -> MarketBounds {
        self.governance.terms.as_ref().map(|terms| terms.bounds).unwrap_or_default()
    }

    pub(super) fn check_fee_bound(&self, fees: Fees) -> Result<(), Refusal> {
        let most = self.bounds().fee_ppm_max;
        let is_within = most == 0 || highest(fees) <= most;
        check(is_within, Reject::OutsideMarketBounds, highest(fees), 11)
    }

    pub(super) fn check_market_bounds(&self, spec: &InstrumentSpec) -> Result<(), Refusal> {
        let bounds = self.bounds();
        self.check_fee_bound(spec.terms.fees)?;
        let Product::Perpetual { initial_margin_ppm: im, maintenance_margin_ppm: mm } = spec.product else {
            return Ok(());
        };
        let within =
            |field: i128, value: i128, holds: bool| check(holds, Reject::OutsideMarketBounds, value, field);
        let leverage = i128::from(bounds.leverage_max);
        within(16, im.into(), leverage == 0 || i128::from(im) * leverage >= 1_000_000)?;
        within(17, mm.into(), mm >= bounds.maintenance_ppm_min)?;
        let band = spec.terms.band_ppm;
        within(10, band.into(), bounds.band_ppm_max == 0 || (band > 0 && band <= bounds.band_ppm_max))?;
        let (mut sources, mut mark_band) = (0, 0);
        if let Some(oracle) = &spec.oracle {
            (sources, mark_band) = (oracle.sources_min, oracle.mark_band_ppm);
        }
        let widest = bounds.mark_band_ppm_max;
        within(40, mark_band.into(), widest == 0 || mark_band <= widest)?;
        within(35, sources.into(), sources >= bounds.sources_min)?;
        let cap = spec.funding.as_ref().map_or(0, |funding| funding.cap);
        within(46, cap.into(), bounds.funding_cap_max == 0 || cap <= bounds.funding_cap_max)
    }

    /// What a deployer may not declare; `is_new` tells a deployment from a change.
    pub(super) fn check_of_deployer(
        &self,
        account: u32,
        spec: &InstrumentSpec,
        is_new: bool,
    ) -> Result<(), Refusal> {
        self.check_isolated_start(account, spec, is_new)?;
        let is_own = !is_new || self.brought_venue(account, spec.terms.venue);
        check(is_own, Reject::NotForDeployers, account, 142)
    }

    /// All of that but what is about its venue.
    pub(super) fn check_isolated_start(
        &self,
        account: u32,
        spec: &InstrumentSpec,
        is_new: bool,
    ) -> Result<(), Refusal> {
        let may = |field: i128, holds: bool| check(holds, Reject::NotForDeployers, account, field);
        let is_perpetual = matches!(spec.product, Product::Perpetual { .. });
        may(62, !is_new || !is_perpetual || spec.isolated_only)?;
        may(58, spec.collateral.is_empty())?;
        may(71, !is_perpetual || spec.liquidation.is_some())?;
        if let Some(terms) = &spec.liquidation {
            may(77, terms.insurance_draw_max.0 <= self.bounds().insurance_draw_max.0)?;
            may(78, terms.tranche.is_none_or(|tranche| tranche.account == account))?;
        }
        Ok(())
    }

    /// A venue that this account brought, or none.
    fn brought_venue(&self, account: u32, venue: u16) -> bool {
        let venues = self.governance.markets.iter().filter(|market| market.kind == MarketKind::Venue);
        let mut of_account = venues.filter(|market| market.account == account);
        venue == 0 || of_account.any(|market| market.target == u32::from(venue))
    }

    pub(super) fn deployer_mut(&mut self, account: u32) -> &mut Deployer {
        let deployers = &mut self.governance.deployers;
        if !deployers.iter().any(|deployer| deployer.account == account) {
            deployers.push(Deployer { account, stake: Amount(0), bought: [0; 4] });
            deployers.sort_by_key(|deployer| deployer.account);
        }
        deployers.iter_mut().find(|deployer| deployer.account == account).expect("just made")
    }

    pub(super) fn deployer_of(&self, account: u32) -> (i128, [u32; 4]) {
        let found = self.governance.deployers.iter().find(|deployer| deployer.account == account);
        found.map_or((0, [0; 4]), |deployer| (deployer.stake.0, deployer.bought))
    }

    pub(super) fn locked_of(&self, account: u32, now_ns: u64) -> i128 {
        let markets = self.governance.markets.iter();
        markets.filter(|m| m.account == account && is_live(m, now_ns)).map(|m| m.locked.0).sum()
    }

    fn check_stake_command(&self, command: &CommandRecord) -> Result<u32, Refusal> {
        let asset = self.governance.terms.as_ref().map_or(0, |terms| terms.stake_asset);
        check(asset != 0, Reject::NoGovernance, 0, 0)?;
        self.check_not_isolated(command.account)?;
        self.check_real(command.account)?;
        let amount = command.amount.get();
        check(amount >= 1, Reject::AmountNotPositive, amount, 1)?;
        check(amount < AMOUNT_ATOMS_BOUND, Reject::AmountAboveMax, amount, AMOUNT_ATOMS_BOUND - 1)?;
        Ok(asset)
    }

    pub(super) fn stake(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let asset = self.check_stake_command(command)?;
        let (account, amount) = (command.account, command.amount.get());
        let available = self.available(account, asset);
        check(amount <= available, Reject::InsufficientBalance, amount, available)?;
        self.post(Party::Account(account), Party::House(House::Stakes), asset, amount);
        let deployer = self.deployer_mut(account);
        deployer.stake.0 += amount;
        let after = deployer.stake.0;
        events.push(of_stake(cause, EventKind::Staked, account, amount, after));
        Ok(())
    }

    pub(super) fn unstake(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let asset = self.check_stake_command(command)?;
        let (account, amount) = (command.account, command.amount.get());
        let kept = self.locked_of(account, cause.time_ns).max(self.slashes_of(account));
        let free = (self.deployer_of(account).0 - kept).max(0);
        check(amount <= free, Reject::StakeLocked, amount, free)?;
        self.post(Party::House(House::Stakes), Party::Account(account), asset, amount);
        let deployer = self.deployer_mut(account);
        deployer.stake.0 -= amount;
        let after = deployer.stake.0;
        events.push(of_stake(cause, EventKind::Unstaked, account, amount, after));
        self.look_at_debt(account);
        Ok(())
    }

    fn slot_price(&self, now_ns: u64) -> i128 {
        let terms = self.governance.terms.as_ref().expect("asked with terms");
        let auction = self.governance.auction.expect("it begins with the terms");
        let least = terms.slot_price_min.0;
        let start = (2 * auction.last.0).min(AMOUNT_ATOMS_BOUND - 1).max(least);
        let all = i128::from(terms.slot_auction_s);
        let gone = i128::from((now_ns - auction.since_ns) / SECOND_NS).min(all);
        start - (start - least) * gone / all
    }

    pub(super) fn buy_slot(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let asset = self.check_stake_command(command)?;
        let (account, most) = (command.account, command.amount.get());
        let price = self.slot_price(cause.time_ns);
        check(price <= most, Reject::SlotTooDear, price, most)?;
        let available = self.available(account, asset);
        check(price <= available, Reject::InsufficientBalance, price, available)?;
        self.post(Party::Account(account), Party::House(House::Protocol), asset, price);
        self.deployer_mut(account).bought[usize::from(command.side)] += 1;
        self.governance.auction = Some(SlotAuction { last: Amount(price), since_ns: cause.time_ns });
        let next = self.slot_price(cause.time_ns);
        let event = of_stake(cause, EventKind::SlotBought, account, price, next);
        events.push(EventRecord { side: command.side, ..event });
        Ok(())
    }

    pub(super) fn deploy_as(
        &mut self,
        cause: &Cause,
        asked: DeployAs,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, market) = (asked.account, asked.market);
        let terms = self.governance.terms.clone();
        check(terms.is_some(), Reject::NoGovernance, 0, 0)?;
        let terms = terms.expect("checked above");
        check_id(account, self.accounts.len(), Reject::UnknownAccount)?;
        self.check_not_isolated(account)?;
        self.check_real(account)?;
        let (slot, base, stake) = match &market {
            Deployable::Instrument(spec) => {
                self.check_of_deployer(account, spec, true)?;
                match spec.product {
                    Product::Spot { .. } => (SlotKind::Spot, terms.slots.spot, terms.stakes.spot),
                    Product::Perpetual { .. } => {
                        (SlotKind::Perpetual, terms.slots.perpetual, terms.stakes.perpetual)
                    }
                }
            }
            Deployable::Question(spec) => {
                check(spec.link.is_none(), Reject::NotForDeployers, account, 188)?;
                let is_own = self.brought_venue(account, spec.terms.venue);
                check(is_own, Reject::NotForDeployers, account, 142)?;
                (SlotKind::Question, terms.slots.question, terms.stakes.question)
            }
            Deployable::Venue(spec) => {
                check_venue_of_deployer(account, spec)?;
                (SlotKind::Venue, terms.slots.venue, terms.stakes.venue)
            }
        };
        let (staked, bought) = self.deployer_of(account);
        let slots = u32::from(base) + bought[usize::from(slot.code())];
        let markets = self.governance.markets.iter();
        let taken =
            markets.filter(|m| m.account == account && m.slot == slot && is_live(m, cause.time_ns)).count();
        check(taken < slots as usize, Reject::NoFreeSlot, taken as i128, slots)?;
        let locked = self.locked_of(account, cause.time_ns) + stake.0;
        check(locked <= staked, Reject::StakeTooSmall, locked, staked)?;
        let (kind, target) = match market {
            Deployable::Instrument(spec) => {
                self.deploy_instrument(cause, spec, events)?;
                (MarketKind::Instrument, self.instruments.len())
            }
            Deployable::Question(spec) => {
                self.deploy_question(cause, spec, events)?;
                (MarketKind::Question, self.questions.len())
            }
            Deployable::Venue(spec) => {
                self.deploy_venue(cause, spec, events)?;
                (MarketKind::Venue, self.venues.len())
            }
        };
        let target = target as u32;
        let market = DeployedMarket { account, kind, target, slot, locked: stake, released_ns: 0 };
        self.governance.markets.push(market);
        let event = of_stake(cause, EventKind::StakeLocked, account, stake.0, locked);
        events.push(EventRecord { side: kind.code(), instrument: target, ..event });
        Ok(())
    }

    pub(super) fn may_change(&self, asked: Asked) -> bool {
        let mut markets = self.governance.markets.iter();
        let key = (asked.account, asked.kind, asked.target);
        asked.account == 0 || markets.any(|m| (m.account, m.kind, m.target) == key)
    }

    /// A market has ended: its slot and stake are free after a while.
    pub(super) fn market_ended(
        &mut self,
        cause: &Cause,
        kind: MarketKind,
        target: u32,
        events: &mut Vec<EventRecord>,
    ) {
        let wait_s = self.governance.terms.as_ref().map_or(0, |terms| terms.release_wait_s);
        for market in &mut self.governance.markets {
            if market.kind == kind && market.target == target && market.released_ns == 0 {
                let free_ns = cause.time_ns.saturating_add(u64::from(wait_s) * SECOND_NS);
                market.released_ns = free_ns.max(1);
                let (account, locked, until) = (market.account, market.locked.0, market.released_ns);
                let event = of_stake(cause, EventKind::StakeReleased, account, locked, until.into());
                events.push(EventRecord { side: kind.code(), instrument: target, ..event });
            }
        }
    }

    /// What the house holds for stakes is what deployers have staked.
    pub(super) fn check_stakes(&self) -> Result<(), String> {
        let asset = self.governance.terms.as_ref().map_or(1, |terms| terms.stake_asset);
        let staked: i128 = self.governance.deployers.iter().map(|deployer| deployer.stake.0).sum();
        let held = self.house(House::Stakes, asset);
        if held != staked || self.governance.deployers.iter().any(|deployer| deployer.stake.0 < 0) {
            return Err(format!("{held} atoms are held for stakes of {staked}"));
        }
        Ok(())
    }
}

/// 533 of a venue.
pub(super) fn check_venue_of_deployer(account: u32, spec: &VenueSpec) -> Result<(), Refusal> {
    let has_rebate = spec.fees.is_some_and(|fees| fees.maker_ppm < 0);
    let is_free = !has_rebate && spec.tiers.iter().all(|tier| tier.maker_ppm >= 0);
    check(is_free, Reject::NotForDeployers, account, 12)
}

fn of_stake(cause: &Cause, kind: EventKind, account: u32, amount: i128, after: i128) -> EventRecord {
    EventRecord {
        account,
        amount: Int128::new(amount),
        counter_amount: Int128::new(after),
        ..cause.event(kind)
    }
}
