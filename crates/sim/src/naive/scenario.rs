//! Section 29: scenario margin, each time from all positions and orders.

use super::events::Cause;
use super::money::{Standing, div_up};
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Question, World};
use xos_protocol::{
    CommandRecord, EventKind, EventRecord, PriceRange, QuestionLink, Reject, ScenarioSpec, Side,
    UnderlyingSpec,
};

const ONE: i128 = 1_000_000;

impl World {
    fn linked_to(&self, standing: &Standing, underlying: usize) -> Vec<(u32, &Question, &QuestionLink)> {
        let mut found = Vec::new();
        for (id, question) in (1..).zip(&self.questions) {
            let stands_on = |i: u32| {
                let orders = standing.lots(i, Side::Buy) + standing.lots(i, Side::Sell);
                standing.position(i) != 0 || orders != 0
            };
            if let Some(link) = &question.spec.link
                && link.underlying as usize == underlying + 1
                && !question.is_decided()
                && question.instruments().any(stands_on)
            {
                found.push((id, question, link));
            }
        }
        found
    }

    /// M (1 + shock), in millionths of a tick, and whether a range comes near it.
    fn is_near(&self, link: &QuestionLink, range: PriceRange, scenario: &ScenarioSpec, width: i128) -> bool {
        let reference = self.instrument(link.instrument);
        if reference.mark == 0 || self.is_closed(link.instrument) {
            return true;
        }
        let price = i128::from(reference.mark) * (ONE + i128::from(scenario.shock_ppm));
        let begins_below = i128::from(range.low) * ONE * ONE <= price * (ONE + width);
        let ends_above = i128::from(range.high) * ONE * ONE > price * (ONE - width);
        begins_below && (ends_above || range.high > reference.terms.price_max_ticks)
    }

    /// The weighted loss of the perpetuals less what questions pay.
    fn shocked_loss(
        &self,
        standing: &Standing,
        spec: &UnderlyingSpec,
        scenario: &ScenarioSpec,
        paid: i128,
    ) -> i128 {
        let mut loss = -ONE * paid;
        for &id in &spec.instruments {
            let instrument = self.instrument(id);
            let (buys, sells) = (standing.lots(id, Side::Buy), standing.lots(id, Side::Sell));
            let of = |lots: i64| -instrument.value(instrument.mark, lots) * i128::from(scenario.shock_ppm);
            loss += of(standing.position(id) + buys).max(of(standing.position(id) - sells));
        }
        // In parts, because the product may be wider than 128 bits.
        let (whole, rest) = (loss.div_euclid(ONE), loss.rem_euclid(ONE));
        let weight = i128::from(scenario.weight_ppm);
        whole * weight + div_up(rest * weight, ONE)
    }

    /// l
    fn greatest_loss(&self, standing: &Standing, spec: &UnderlyingSpec) -> i128 {
        let losses = spec.scenarios.iter().map(|scenario| self.shocked_loss(standing, spec, scenario, 0));
        losses.max().expect("at least one").max(0)
    }

    /// The sum over a group of n at a rate.
    fn at_rate(&self, standing: &Standing, spec: &UnderlyingSpec, ppm: impl Fn(u32) -> i128) -> i128 {
        let of = |&id: &u32| self.worst_side_value(standing, id, self.instrument(id)) * ppm(id);
        spec.instruments.iter().map(of).sum()
    }

    /// Q' of the worst sides.
    fn scenario_maintenance(&self, standing: &Standing, spec: &UnderlyingSpec) -> i128 {
        let of =
            |&id: &u32| self.maintenance_on(id, self.worst_side_value(standing, id, self.instrument(id)));
        let whole: i128 = spec.instruments.iter().map(of).sum();
        let first = self.at_rate(standing, spec, |id| self.first_rates(id).1);
        let floor = self.at_rate(standing, spec, |_| i128::from(spec.floor_ppm));
        let part = part_up(floor.max(self.greatest_loss(standing, spec)), spec.maintenance_ppm);
        whole - first + first.min(part)
    }

    /// Q
    fn scenario_initial(&self, standing: &Standing, underlying: usize) -> i128 {
        let spec = &self.underlyings[underlying];
        let width = i128::from(spec.width_ppm);
        let linked = self.linked_to(standing, underlying);
        let mut most = self.at_rate(standing, spec, |_| i128::from(spec.floor_ppm));
        for scenario in &spec.scenarios {
            let mut paid = 0;
            for &(id, question, link) in &linked {
                let values = question.instruments().zip(&link.ranges);
                let near = values.filter(|(_, range)| self.is_near(link, **range, scenario, width));
                let least = near.map(|(outcome, _)| self.value_if_wins(standing, question, outcome)).min();
                paid += least.expect("the ranges have no gap") - self.worst_case(standing, id);
            }
            most = most.max(self.shocked_loss(standing, spec, scenario, paid));
        }
        for &(id, question, link) in &linked {
            for (outcome, range) in question.instruments().zip(&link.ranges) {
                if !spec.scenarios.iter().any(|scenario| self.is_near(link, *range, scenario, width)) {
                    let paid =
                        self.value_if_wins(standing, question, outcome) - self.worst_case(standing, id);
                    for scenario in &spec.scenarios {
                        most = most.max(self.shocked_loss(standing, spec, scenario, paid));
                    }
                }
            }
        }
        let whole: i128 = spec.instruments.iter().map(|&id| self.initial_of(standing, id)).sum();
        let first = self.at_rate(standing, spec, |id| self.first_rates(id).0);
        (whole - first + first.min(most)).max(self.scenario_maintenance(standing, spec))
    }

    /// R, or R' in maintenance; in millionths.
    pub(super) fn relief(&self, standing: &Standing, maintenance: bool) -> i128 {
        if !standing.is_scenario {
            return 0;
        }
        let mut relief = 0;
        for (at, spec) in self.underlyings.iter().enumerate() {
            let ids = spec.instruments.iter();
            if maintenance {
                let positions = Standing { orders: Vec::new(), ..standing.clone() };
                relief += ids.map(|&id| self.maintenance_of(standing, id)).sum::<i128>();
                relief -= self.scenario_maintenance(&positions, spec);
            } else {
                relief += ids.map(|&id| self.initial_of(standing, id)).sum::<i128>();
                relief -= self.scenario_initial(standing, at);
            }
        }
        relief
    }

    pub(super) fn set_margin_mode(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, is_scenario) = (command.account, command.side == 1);
        check_id(account, self.accounts.len(), Reject::UnknownAccount)?;
        let mut standing = self.standing(account);
        let before = self.headroom(&standing);
        standing.is_scenario = is_scenario;
        let after = self.headroom(&standing);
        check(after >= 0 || after >= before, Reject::InsufficientMargin, -after, before)?;
        self.account_mut(account).is_scenario = is_scenario;
        self.look_at(account);
        events.push(EventRecord { account, side: command.side, ..cause.event(EventKind::MarginModeSet) });
        Ok(())
    }

    /// Fields 111 to 118.
    pub(super) fn check_underlying(&self, spec: &UnderlyingSpec) -> Result<(), Refusal> {
        use super::deploy::bound;
        let count = spec.instruments.len();
        bound(111, count as i128, (1..=16).contains(&count))?;
        for (at, &id) in spec.instruments.iter().enumerate() {
            let exists = id >= 1 && id as usize <= self.instruments.len();
            let is_perpetual = exists && self.instrument(id).is_perpetual();
            let mut others = self.underlyings.iter().flat_map(|other| &other.instruments);
            let is_free = !others.any(|&other| other == id) && !spec.instruments[..at].contains(&id);
            bound(112, id, is_perpetual && is_free)?;
        }
        let count = spec.scenarios.len();
        bound(113, count as i128, (1..=64).contains(&count))?;
        for scenario in &spec.scenarios {
            let (shock, weight) = (scenario.shock_ppm, scenario.weight_ppm);
            bound(114, shock, (-999_999..=10_000_000).contains(&shock))?;
            bound(115, weight, (1..=1_000_000).contains(&weight))?;
        }
        bound(116, spec.maintenance_ppm, (1..=1_000_000).contains(&spec.maintenance_ppm))?;
        bound(117, spec.floor_ppm, (0..=1_000_000).contains(&spec.floor_ppm))?;
        bound(118, spec.width_ppm, (0..1_000_000).contains(&spec.width_ppm))
    }

    /// Fields 119 to 123.
    pub(super) fn check_link(&self, link: &QuestionLink, outcomes: usize) -> Result<(), Refusal> {
        use super::deploy::bound;
        let id = link.underlying as usize;
        bound(119, link.underlying, id >= 1 && id <= self.underlyings.len())?;
        let group = &self.underlyings[id - 1];
        bound(120, link.instrument, group.instruments.contains(&link.instrument))?;
        bound(121, link.ranges.len() as i128, link.ranges.len() == outcomes)?;
        let end = self.instrument(link.instrument).terms.price_max_ticks + 1;
        for range in &link.ranges {
            bound(122, range.low, 0 <= range.low && range.low < range.high && range.high <= end)?;
        }
        let mut lows: Vec<(i64, i64)> = link.ranges.iter().map(|range| (range.low, range.high)).collect();
        lows.sort_by_key(|(low, _)| *low);
        let mut reached = 0;
        for (low, high) in lows {
            if low != reached {
                return refuse(Reject::SpecOutOfBounds, low, 123);
            }
            reached = high;
        }
        bound(123, reached, reached == end)
    }
}

/// A part of millionths that are not negative, rounded up.
fn part_up(millionths: i128, ppm: i32) -> i128 {
    let (whole, rest) = (millionths / ONE, millionths % ONE);
    whole * i128::from(ppm) + div_up(rest * i128::from(ppm), ONE)
}
