//! Reserves, headroom and what may be withdrawn, each time from first principles over all orders and positions.

use super::liquidation::portion;
use super::state::{Holding, Instrument, Kind, Order, Question, SETTLEMENT, World};
use crate::differential::AccountMargin;
use std::collections::BTreeMap;
use xos_protocol::Side;
use xos_units::{Amount, Ppm, division};

/// Fee on a base, rounded up.
pub(super) fn fee_up(base: i128, rate_ppm: i32) -> i128 {
    division::fee_up(Amount(base), Ppm(rate_ppm)).0
}

/// Share of an amount, rounded down.
pub(super) fn share_down(base: i128, rate_ppm: i32) -> i128 {
    division::share_down(Amount(base), Ppm(rate_ppm)).0
}

/// `numerator / denominator`, rounded up.
pub(super) fn div_up(numerator: i128, denominator: i128) -> i128 {
    numerator.div_euclid(denominator) + i128::from(numerator.rem_euclid(denominator) != 0)
}

/// What decides about the margin of an account: as it is, or as it would be.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// Totals by asset.
    pub(super) totals: BTreeMap<u32, i128>,
    /// Funding still to be settled: to receive, or negative, to pay.
    pub(super) funding: i128,
    pub(super) holdings: BTreeMap<u32, Holding>,
    pub(super) orders: Vec<Order>,
    /// Chosen leverage by perpetual.
    pub(super) leverages: BTreeMap<u32, i64>,
    /// Whether the account is in scenario mode.
    pub(super) is_scenario: bool,
}

impl Standing {
    pub(super) fn total(&self, asset: u32) -> i128 {
        self.totals.get(&asset).copied().unwrap_or(0)
    }

    pub(super) fn position(&self, instrument: u32) -> i64 {
        self.holdings.get(&instrument).map_or(0, |holding| holding.position)
    }

    fn cost(&self, instrument: u32) -> i128 {
        self.holdings.get(&instrument).map_or(0, |holding| holding.cost)
    }

    /// Remaining lots of the resting orders of one side.
    pub(super) fn lots(&self, instrument: u32, side: Side) -> i64 {
        self.orders_on(instrument).filter(|o| o.side == side).map(|o| o.remaining).sum()
    }

    fn orders_on(&self, instrument: u32) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(move |o| o.instrument == instrument)
    }
}

/// The tiers of a perpetual: from which value on, and the initial or maintenance rate.
fn tiers(instrument: &Instrument, maintenance: bool) -> Vec<(i128, i128)> {
    let Kind::Perpetual { im_ppm, mm_ppm } = instrument.kind else { unreachable!("a perpetual") };
    let mut all = vec![(0, if maintenance { mm_ppm } else { im_ppm })];
    let margin = instrument.spec.as_ref().and_then(|spec| spec.margin.as_ref());
    for tier in margin.iter().flat_map(|margin| &margin.tiers) {
        let ppm = if maintenance { tier.maintenance_ppm } else { tier.initial_ppm };
        all.push((tier.notional_from.0, ppm.into()));
    }
    all
}

/// Lots of a position that are to be closed, `before` of it being counted as closed, under an equity and at a loss.
pub(super) struct Reducing {
    pub(super) before: i64,
    pub(super) lots: i64,
    pub(super) equity: i128,
    pub(super) loss: i128,
}

/// Each slice of the value at the rate of its own tier: what the deduction comes to.
fn tiered(tiers: &[(i128, i128)], value: i128) -> i128 {
    let mut millionths = 0;
    for (at, (from, ppm)) in tiers.iter().enumerate() {
        let to = tiers.get(at + 1).map_or(value, |next| next.0.min(value));
        millionths += (to - from).max(0) * ppm;
    }
    millionths
}

impl World {
    /// What one lot of the order reserves, in the asset it pays.
    pub(super) fn reserve_per_lot(&self, order: &Order) -> i128 {
        let instrument = self.instrument(order.instrument);
        let fees = self.fees(order.venue, order.instrument);
        let rate = super::governance::highest(fees);
        let value = instrument.value(order.price, 1);
        match (instrument.kind, order.side) {
            (Kind::Spot { .. }, Side::Buy) => value + fee_up(value, rate),
            (Kind::Spot { base_atoms_per_lot, .. }, Side::Sell) => base_atoms_per_lot,
            (Kind::Perpetual { .. }, _) => fee_up(value, rate),
            (Kind::Outcome { unit_ticks, .. }, Side::Buy) => {
                let base = instrument.value(order.price.min(unit_ticks / 2), 1);
                value + fee_up(base, rate)
            }
            (Kind::Outcome { unit_ticks, .. }, Side::Sell) => {
                let complement = unit_ticks - order.price;
                let base = instrument.value(complement.min(unit_ticks / 2), 1);
                instrument.value(complement, 1) + fee_up(base, rate)
            }
        }
    }

    /// What the order's remaining lots reserve.
    pub(super) fn reserve(&self, order: &Order) -> i128 {
        self.reserve_per_lot(order) * i128::from(order.remaining)
    }

    /// The asset a spot order pays, which it holds while it rests.
    pub(super) fn asset_held(&self, order: &Order) -> Option<u32> {
        match (self.instrument(order.instrument).kind, order.side) {
            (Kind::Spot { quote, .. }, Side::Buy) => Some(quote),
            (Kind::Spot { base, .. }, Side::Sell) => Some(base),
            _ => None,
        }
    }

    fn held_by(&self, orders: &[Order], asset: u32) -> i128 {
        orders.iter().filter(|o| self.asset_held(o) == Some(asset)).map(|o| self.reserve(o)).sum()
    }

    /// What the account's resting spot orders hold of an asset.
    pub(super) fn held(&self, account: u32, asset: u32) -> i128 {
        let own = self.orders.iter().filter(|o| o.account == account);
        own.filter(|o| self.asset_held(o) == Some(asset)).map(|o| self.reserve(o)).sum()
    }

    pub(super) fn free(&self, account: u32, asset: u32) -> i128 {
        self.total(account, asset) - self.held(account, asset)
    }

    /// The account as it stands now.
    pub(super) fn standing(&self, account: u32) -> Standing {
        Standing {
            totals: self.account(account).totals.clone(),
            funding: self.due(account),
            holdings: self.account(account).holdings.clone(),
            orders: self.orders.iter().filter(|o| o.account == account).cloned().collect(),
            leverages: self.account(account).leverages.clone(),
            is_scenario: self.account(account).is_scenario,
        }
    }

    pub(super) fn perpetuals(&self) -> impl Iterator<Item = (u32, &Instrument)> {
        (1..).zip(&self.instruments).filter(|(_, instrument)| instrument.is_perpetual())
    }

    fn unrealised(&self, standing: &Standing, id: u32, instrument: &Instrument) -> i128 {
        let position = standing.position(id);
        if position == 0 {
            return -standing.cost(id);
        }
        instrument.value(instrument.mark, position) - standing.cost(id)
    }

    /// Section 4: what the account is worth for certain if any of its open orders fill and any outcome wins.
    pub(super) fn worst_case(&self, standing: &Standing, question: u32) -> i128 {
        let question = self.question(question);
        if question.is_decided() {
            return self.payout(standing, question);
        }
        let values = question.instruments().map(|winner| self.value_if_wins(standing, question, winner));
        values.min().expect("a question has outcomes")
    }

    /// What a question brings if this outcome wins and open orders do the worst.
    pub(super) fn value_if_wins(&self, standing: &Standing, question: &Question, winner: u32) -> i128 {
        let reserve = |instrument, side| -> i128 {
            let orders = standing.orders_on(instrument).filter(|o| o.side == side);
            orders.map(|o| self.reserve(o)).sum()
        };
        let all_buys: i128 = question.instruments().map(|i| reserve(i, Side::Buy)).sum();
        question.unit_value(standing.position(winner)) + reserve(winner, Side::Buy)
            - reserve(winner, Side::Sell)
            - all_buys
    }

    fn worst_cases(&self, standing: &Standing) -> i128 {
        (1..=self.questions.len() as u32).map(|question| self.worst_case(standing, question)).sum()
    }

    pub(super) fn initial_margin(&self, standing: &Standing) -> i128 {
        let millionths: i128 = self.perpetuals().map(|(id, _)| self.initial_of(standing, id)).sum();
        div_up(millionths - self.relief(standing, false), 1_000_000)
    }

    /// IM(n) of one perpetual, in millionths.
    pub(super) fn initial_of(&self, standing: &Standing, id: u32) -> i128 {
        let instrument = self.instrument(id);
        let value = self.worst_side_value(standing, id, instrument);
        let by_tier = tiered(&tiers(instrument, false), value);
        let by_open_interest = value * self.open_interest_ppm(id, instrument);
        let by_leverage =
            standing.leverages.get(&id).map_or(0, |&leverage| value * div_up(1_000_000, leverage.into()));
        by_tier.max(by_open_interest).max(by_leverage)
    }

    /// n: the value at mark of the worst side of position and orders.
    pub(super) fn worst_side_value(&self, standing: &Standing, id: u32, instrument: &Instrument) -> i128 {
        let position = standing.position(id);
        let if_buys_fill = (position + standing.lots(id, Side::Buy)).abs();
        let if_sells_fill = (position - standing.lots(id, Side::Sell)).abs();
        instrument.value(instrument.mark, if_buys_fill.max(if_sells_fill))
    }

    /// The highest leverage that the tier of the account's n allows.
    pub(super) fn leverage_max(&self, account: u32, id: u32) -> i128 {
        let instrument = self.instrument(id);
        let value = self.worst_side_value(&self.standing(account), id, instrument);
        let mut ppm = 0;
        for (from, rate) in tiers(instrument, false) {
            if value > from || from == 0 {
                ppm = rate;
            }
        }
        1_000_000 / ppm
    }

    /// Lots of all long positions.
    pub(super) fn longs(&self, id: u32) -> i128 {
        (1..=self.accounts.len() as u32).map(|a| i128::from(self.holding(a, id).position.max(0))).sum()
    }

    /// The initial rate of the open interest.
    fn open_interest_ppm(&self, id: u32, instrument: &Instrument) -> i128 {
        let Kind::Perpetual { im_ppm, .. } = instrument.kind else { unreachable!("a perpetual") };
        let margin = instrument.spec.as_ref().and_then(|spec| spec.margin.as_ref());
        let Some(bounds) = margin.and_then(|margin| margin.open_interest_scaling) else { return im_ppm };
        let lots = match self.open_interest_before {
            Some((matching, lots)) if matching == id => lots,
            _ => self.longs(id),
        };
        let open_interest = lots * instrument.value(instrument.mark, 1);
        let (lower, upper) = (bounds.lower.0, bounds.upper.0);
        if open_interest <= lower {
            im_ppm
        } else if open_interest >= upper {
            1_000_000
        } else {
            im_ppm + div_up((open_interest - lower) * (1_000_000 - im_ppm), upper - lower)
        }
    }

    fn perpetual_reserves(&self, standing: &Standing) -> i128 {
        let on_perpetual = |o: &&Order| self.instrument(o.instrument).is_perpetual();
        standing.orders.iter().filter(on_perpetual).map(|o| self.reserve(o)).sum()
    }

    /// Equity less requirement, in atoms of the settlement asset.
    pub(super) fn headroom(&self, standing: &Standing) -> i128 {
        let unrealised: i128 = self.perpetuals().map(|(id, i)| self.unrealised(standing, id, i)).sum();
        let free = standing.total(SETTLEMENT) - self.held_by(&standing.orders, SETTLEMENT);
        let equity = free
            + self.collateral(standing, true)
            + unrealised
            + standing.funding
            + self.worst_cases(standing);
        equity - self.initial_margin(standing) - self.perpetual_reserves(standing)
    }

    /// What liquidation, views and withdrawals look at.
    pub(super) fn margin(&self, account: u32) -> AccountMargin {
        let standing = self.standing(account);
        let unrealised: i128 = self.perpetuals().map(|(id, i)| self.unrealised(&standing, id, i)).sum();
        AccountMargin {
            equity: standing.total(SETTLEMENT)
                + self.collateral(&standing, false)
                + unrealised
                + standing.funding
                + self.worst_cases(&standing),
            maintenance: self.maintenance(&standing),
            initial: self.initial_margin(&standing),
            headroom: self.headroom(&standing),
            withdrawable: self.available(account, SETTLEMENT),
        }
    }

    /// Maintenance requirement in atoms.
    fn maintenance(&self, standing: &Standing) -> i128 {
        div_up(self.maintenance_millionths(standing), 1_000_000)
    }

    /// Maintenance requirement in millionths of an atom.
    pub(super) fn maintenance_millionths(&self, standing: &Standing) -> i128 {
        self.maintenance_without_relief(standing) - self.relief(standing, true)
    }

    /// The requirements of the perpetuals, added.
    pub(super) fn maintenance_without_relief(&self, standing: &Standing) -> i128 {
        self.perpetuals().map(|(id, _)| self.maintenance_of(standing, id)).sum()
    }

    /// The part of one perpetual in it.
    pub(super) fn maintenance_of(&self, standing: &Standing, id: u32) -> i128 {
        let instrument = self.instrument(id);
        self.maintenance_on(id, instrument.value(instrument.mark, standing.position(id).abs()))
    }

    /// tier_mm
    pub(super) fn maintenance_on(&self, id: u32, value: i128) -> i128 {
        tiered(&tiers(self.instrument(id), true), value)
    }

    /// Initial and maintenance rate of the first tier, in millionths.
    pub(super) fn first_rates(&self, id: u32) -> (i128, i128) {
        let rate = |maintenance| tiers(self.instrument(id), maintenance)[0].1;
        (rate(false), rate(true))
    }

    /// Whether a position may be reduced without headroom.
    pub(super) fn bears(&self, standing: &Standing, id: u32, reducing: &Reducing) -> bool {
        let &Reducing { before, lots, equity, loss } = reducing;
        let instrument = self.instrument(id);
        if loss > equity || !instrument.frees(lots, loss) {
            return false;
        }
        let held = standing.position(id).abs();
        // An outcome has no maintenance requirement and no loss.
        if held == 0 || (loss == 0 && !standing.is_scenario) {
            return loss == 0;
        }
        if standing.is_scenario {
            let (all, left) = self.needed_around(standing, id, reducing);
            let share = if all == 0 { 0 } else { portion(equity, (all - left).max(0), all) };
            return left <= all && loss <= share;
        }
        let own = |lots: i64| tiered(&tiers(instrument, true), instrument.value(instrument.mark, lots));
        let all = self.maintenance_without_relief(standing) - own(held) + own(held - before);
        loss <= portion(equity, own(held - before) - own(held - before - lots), all)
    }

    /// The maintenance requirement in scenario mode before the lots are closed and after.
    fn needed_around(&self, standing: &Standing, id: u32, reducing: &Reducing) -> (i128, i128) {
        let needed = |gone: i64| {
            let mut without = standing.clone();
            let holding = without.holdings.get_mut(&id).expect("it has a position");
            holding.position -= holding.position.signum() * gone;
            self.maintenance_millionths(&without)
        };
        (needed(reducing.before), needed(reducing.before + reducing.lots))
    }

    /// Whether more would be needed without the lots, as half of a hedge in scenario mode.
    pub(super) fn frees_nothing(&self, standing: &Standing, id: u32, reducing: &Reducing) -> bool {
        if !standing.is_scenario {
            return false;
        }
        let (all, left) = self.needed_around(standing, id, reducing);
        left > all
    }

    /// The most that would be borne, found by halving; of an equity below zero that.
    pub(super) fn most_borne(&self, standing: &Standing, id: u32, reducing: &Reducing) -> i128 {
        let (mut borne, mut not_borne) = (0, reducing.equity + 1);
        while not_borne - borne > 1 {
            let middle = borne + (not_borne - borne) / 2;
            let is_borne = self.bears(standing, id, &Reducing { loss: middle, ..*reducing });
            if is_borne { borne = middle } else { not_borne = middle }
        }
        if reducing.equity < 0 { reducing.equity } else { borne }
    }

    /// The spot instrument that makes an asset collateral.
    pub(super) fn collateral_instrument(&self, asset: u32) -> Option<&Instrument> {
        let declares = |i: &&Instrument| {
            let has_tiers = i.spec.as_ref().is_some_and(|spec| !spec.collateral.is_empty());
            has_tiers && matches!(i.kind, Kind::Spot { base, .. } if base == asset)
        };
        self.instruments.iter().find(declares)
    }

    /// Collateral value of an amount of an asset.
    pub(super) fn collateral_value(&self, asset: u32, amount: i128) -> i128 {
        self.collateral_instrument(asset).map_or(0, |instrument| instrument.collateral_value(amount))
    }

    /// What the maintenance equity of a spot order's owner gains if lots of it fill.
    pub(super) fn gain_of_spot_fill(&self, order: &Order, lots: i64) -> i128 {
        let instrument = self.instrument(order.instrument);
        let Kind::Spot { base, quote, base_atoms_per_lot } = instrument.kind else { return 0 };
        let value = instrument.value(order.price, lots);
        let fee = fee_up(value, self.rates(order).maker_ppm.max(0));
        let sign = i128::from(order.side.sign());
        let changes = [(base, sign * base_atoms_per_lot * i128::from(lots)), (quote, -sign * value - fee)];
        let gain = |(asset, more): (u32, i128)| {
            let total = self.total(order.account, asset);
            match asset {
                SETTLEMENT => more,
                _ => self.collateral_value(asset, total + more) - self.collateral_value(asset, total),
            }
        };
        changes.into_iter().map(gain).sum()
    }

    /// Initial requirement of one perpetual position by its tiers alone, in millionths.
    pub(super) fn initial_by_tier(&self, account: u32, id: u32) -> i128 {
        let instrument = self.instrument(id);
        let position = self.holding(account, id).position.abs();
        tiered(&tiers(instrument, false), instrument.value(instrument.mark, position))
    }

    /// Collateral value of all assets, less what orders hold or not.
    fn collateral(&self, standing: &Standing, less_held: bool) -> i128 {
        let of = |asset: u32| {
            let held = if less_held { self.held_by(&standing.orders, asset) } else { 0 };
            self.collateral_value(asset, standing.total(asset) - held)
        };
        (2..=self.assets.len() as u32).map(of).sum()
    }

    /// What the account may take out of an asset.
    pub(super) fn available(&self, account: u32, asset: u32) -> i128 {
        let free = self.free(account, asset);
        if asset == SETTLEMENT {
            return self.may_leave(account).min(free).max(0);
        }
        let room = self.may_leave(account);
        if room < 0 && self.total(account, SETTLEMENT) < 0 {
            return 0;
        }
        let Some(instrument) = self.collateral_instrument(asset) else { return free };
        if room < 0 || self.debt_beyond_limit(account) > 0 {
            return 0;
        }
        let lost = |amount| instrument.collateral_value(free) - instrument.collateral_value(free - amount);
        // The largest amount that loses no more than there is room for, bit by bit.
        let mut most = 0;
        for bit in (0..97).rev() {
            let more: i128 = most + (1 << bit);
            if more <= free && lost(more) <= room {
                most = more;
            }
        }
        most
    }

    /// What may leave the account in value.
    fn may_leave(&self, account: u32) -> i128 {
        let standing = self.standing(account);
        let free = standing.total(SETTLEMENT) - self.held_by(&standing.orders, SETTLEMENT);
        let losses: i128 = self.perpetuals().map(|(id, i)| self.unrealised(&standing, id, i).min(0)).sum();
        let positions: i128 =
            self.perpetuals().map(|(id, i)| i.value(i.mark, standing.position(id).abs())).sum();
        let margin = self.initial_margin(&standing).max(div_up(positions, 10));
        let value =
            free + self.collateral(&standing, true) + losses + standing.funding + self.worst_cases(&standing);
        value - self.perpetual_reserves(&standing) - margin
    }
}
