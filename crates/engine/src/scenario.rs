//! Scenario margin: underlyings, accounts that chose it, and what they are relieved of. All of it is cold.

use crate::account::{Account, Class, Stand, StandKey};
use crate::engine::Engine;
use crate::holders::AccountSet;
use crate::instrument::{Instrument, Traded};
use crate::margin::{Change, Margin};
use crate::questions::Question;
use crate::step::{Refused, Step, refused};
use xos_protocol::{
    CommandRecord, EventKind, EventRecord, InstrumentState, QuestionLink, QuestionSpec, Reject, Side,
    UnderlyingSpec,
};
use xos_risk::{
    LinkedOutcome, LinkedQuestion, NetPositions, Scenario, ScenarioGroup, ScenarioTerms, ShockedPerpetual,
    Standard, worst_side,
};
use xos_units::{
    AccountId, Amount, InstrumentId, PPM_ONE, Ppm, Price, Qty, QuestionId, Requirement, notional,
};

/// Perpetuals whose prices move together.
#[derive(Debug)]
pub(crate) struct Underlying {
    pub(crate) spec: UnderlyingSpec,
    terms: ScenarioTerms,
    /// The scenarios in which longs and in which shorts lose most.
    worst: [Scenario; 2],
}

impl Underlying {
    pub(crate) fn new(spec: UnderlyingSpec) -> Self {
        let scenario = |scenario: &xos_protocol::ScenarioSpec| Scenario {
            shock: Ppm(scenario.shock_ppm),
            weight: Ppm(scenario.weight_ppm),
        };
        let scenarios = spec.scenarios.iter().map(scenario).collect();
        let terms = ScenarioTerms {
            scenarios,
            maintenance: Ppm(spec.maintenance_ppm),
            floor: Ppm(spec.floor_ppm),
            width: Ppm(spec.width_ppm),
        };
        let worst = terms.worst();
        Self { spec, terms, worst }
    }

    pub(crate) fn has(&self, instrument: InstrumentId) -> bool {
        self.spec.instruments.contains(&instrument.0)
    }
}

/// Everything of scenario margin.
#[derive(Debug, Default)]
pub(crate) struct Scenarios {
    pub(crate) underlyings: Vec<Underlying>,
    /// The underlying of each instrument, by index and from 1; 0: none. It ends with the last that has one.
    of_instrument: Vec<u32>,
    /// Accounts in scenario mode.
    pub(crate) accounts: AccountSet,
}

impl Scenarios {
    pub(crate) fn push(&mut self, spec: UnderlyingSpec) {
        let number = self.underlyings.len() as u32 + 1;
        for id in &spec.instruments {
            let at = InstrumentId(*id).index();
            self.of_instrument.resize(self.of_instrument.len().max(at + 1), 0);
            self.of_instrument[at] = number;
        }
        self.underlyings.push(Underlying::new(spec));
    }

    fn underlying_of(&self, stand: &Stand) -> u32 {
        self.of_instrument.get(stand.key.instrument().index()).copied().unwrap_or(0)
    }
}

/// What an account needs for the perpetuals of an underlying in scenario mode, whether it is in it or not; atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlyingRisk {
    /// Underlying id.
    pub underlying: u32,
    /// Initial margin, and what it would be without offsets.
    pub initial: (Amount, Amount),
    /// Maintenance margin, and what it would be without offsets.
    pub maintenance: (Amount, Amount),
    /// Loss of the perpetuals in each scenario, and what questions offset of it, both weighted.
    pub losses: Vec<(Amount, Amount)>,
}

/// The account as it would be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hypothesis<'a> {
    /// More resting orders, on a perpetual or, with `question`, on an outcome of it.
    pub(crate) change: Option<&'a Change>,
    /// Another position on a perpetual.
    pub(crate) lots: Option<(StandKey, i64)>,
    /// Another mark of a perpetual.
    pub(crate) mark: Option<(StandKey, Price)>,
    /// Another chosen leverage.
    pub(crate) leverage: Option<(InstrumentId, Option<u32>)>,
    /// The question to which the changed outcome belongs. Sets more or less change nothing: they pay the same in every
    /// outcome.
    pub(crate) question: Option<QuestionId>,
}

/// Initial or maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Initial,
    Maintenance,
}

impl Engine {
    #[inline(always)]
    pub(crate) fn is_scenario(&self, id: AccountId) -> bool {
        self.scenarios.accounts.len() > 0 && self.scenarios.accounts.contains(id)
    }

    /// Takes the relief of an account in scenario mode from its requirement.
    #[cold]
    pub(crate) fn relieve(&self, margin: &mut Margin, id: AccountId, hypothesis: Hypothesis<'_>) {
        if self.is_scenario(id) {
            margin.initial -= self.relief(id, Kind::Initial, hypothesis);
        }
    }

    /// Whether an order that reduces leaves the requirement of an account in scenario mode no higher.
    pub(crate) fn keeps_hedges(&self, id: AccountId, with_order: &Margin) -> bool {
        !self.is_scenario(id) || with_order.initial.ceil() <= self.margin(id).initial.ceil()
    }

    /// By how much the requirement is less than the sum without offsets.
    pub(crate) fn relief(&self, id: AccountId, kind: Kind, hypothesis: Hypothesis<'_>) -> Requirement {
        (0..self.scenarios.underlyings.len()).fold(Requirement::ZERO, |relief, at| {
            relief + self.relief_on(&self.accounts[id.index()], at, kind, hypothesis)
        })
    }

    fn relief_on(&self, account: &Account, at: usize, kind: Kind, hypothesis: Hypothesis<'_>) -> Requirement {
        let underlying = &self.scenarios.underlyings[at];
        let perpetuals = self.shocked_perpetuals(account, underlying, kind, hypothesis);
        if perpetuals.is_empty() {
            return Requirement::ZERO;
        }
        let mut group = ScenarioGroup { perpetuals, questions: Vec::new() };
        if kind == Kind::Maintenance {
            return group.maintenance_without_offsets() - group.maintenance(&underlying.terms);
        }
        group.questions = self.linked_questions(account, at, hypothesis);
        group.initial_without_offsets() - group.initial(&underlying.terms)
    }

    /// What is taken from the maintenance requirement of an account as it stands, if it is in scenario mode: the same as
    /// [`Engine::relief`], without memory of its own, for everybody who holds what a mark has moved.
    #[inline(never)]
    pub(crate) fn relief_of_positions(&self, id: AccountId) -> Requirement {
        if !self.is_scenario(id) {
            return Requirement::ZERO;
        }
        let mut relief = Requirement::ZERO;
        // Nearly always all positions are on one underlying; of the others one after the other.
        let mut number = self.next_underlying(id, 0);
        while let Some(at) = number {
            let underlying = &self.scenarios.underlyings[at as usize - 1];
            let mut positions = NetPositions::default();
            for stand in self.accounts[id.index()].stands.iter().take_while(|stand| stand.key.is_perpetual())
            {
                if self.scenarios.underlying_of(stand) != at {
                    continue;
                }
                let instrument = &self.instruments[stand.key.instrument().index()];
                if let Traded::Perpetual { maintenance, .. } = instrument.traded {
                    positions.add(stand.lots, instrument.mark_value, maintenance);
                }
            }
            relief += positions.relief(&underlying.terms, &underlying.worst);
            number = self.next_underlying(id, at);
        }
        relief
    }

    /// The next underlying after `number` on whose perpetuals an account stands.
    #[inline(always)]
    fn next_underlying(&self, id: AccountId, number: u32) -> Option<u32> {
        let stands = self.accounts[id.index()].stands.iter().take_while(|stand| stand.key.is_perpetual());
        stands.map(|stand| self.scenarios.underlying_of(stand)).filter(|next| *next > number).min()
    }

    /// Underlyings on whose perpetuals an account has a position or orders; None if the account does not exist.
    pub fn scenario_risk(&self, id: AccountId) -> Option<Vec<UnderlyingRisk>> {
        let account = self.accounts.get(id.index())?;
        let of = |at: usize| {
            let terms = &self.scenarios.underlyings[at].terms;
            let none = Hypothesis::default();
            let positions =
                self.shocked_perpetuals(account, &self.scenarios.underlyings[at], Kind::Maintenance, none);
            let positions = ScenarioGroup { perpetuals: positions, questions: Vec::new() };
            let perpetuals =
                self.shocked_perpetuals(account, &self.scenarios.underlyings[at], Kind::Initial, none);
            let group = ScenarioGroup { perpetuals, questions: self.linked_questions(account, at, none) };
            let losses = terms.scenarios.iter().map(|scenario| group.loss(*scenario, terms));
            (!group.perpetuals.is_empty()).then(|| UnderlyingRisk {
                underlying: at as u32 + 1,
                initial: (group.initial(terms).ceil(), group.initial_without_offsets().ceil()),
                maintenance: (
                    positions.maintenance(terms).ceil(),
                    positions.maintenance_without_offsets().ceil(),
                ),
                losses: losses.collect(),
            })
        };
        Some((0..self.scenarios.underlyings.len()).filter_map(of).collect())
    }

    /// Maintenance requirements of the perpetuals, added without offsets.
    pub(crate) fn maintenance_of_positions(&self, id: AccountId) -> Requirement {
        let stands = self.accounts[id.index()].stands.iter().take_while(|stand| stand.key.is_perpetual());
        let own = |stand: &crate::account::Stand| {
            self.instruments[stand.key.instrument().index()].maintenance_of(Qty(stand.lots.abs()))
        };
        stands.map(own).fold(Requirement::ZERO, |sum, own| sum + own)
    }

    /// The maintenance requirement of an account in scenario mode with `left` lots of the `held` on a perpetual.
    pub(crate) fn maintenance_without(
        &self,
        id: AccountId,
        instrument: &Instrument,
        held: i64,
        left: i64,
    ) -> Requirement {
        let own = |lots: i64| instrument.maintenance_of(Qty(lots.abs()));
        let hypothesis = Hypothesis { lots: Some((instrument.key, left)), ..Hypothesis::default() };
        self.maintenance_of_positions(id) - own(held) + own(left)
            - self.relief(id, Kind::Maintenance, hypothesis)
    }

    fn shocked_perpetuals(
        &self,
        account: &Account,
        underlying: &Underlying,
        kind: Kind,
        hypothesis: Hypothesis<'_>,
    ) -> Vec<ShockedPerpetual> {
        let mut perpetuals = Vec::new();
        for id in underlying.spec.instruments.iter().map(|id| InstrumentId(*id)) {
            let key = self.instruments[id.index()].key;
            let change = hypothesis.change.filter(|change| change.key == key);
            if account.stand(key).is_some()
                || change.is_some()
                || hypothesis.lots.is_some_and(|(of, _)| of == key)
            {
                perpetuals.push(self.shocked(account, key, kind, change, hypothesis));
            }
        }
        perpetuals
    }

    fn shocked(
        &self,
        account: &Account,
        key: StandKey,
        kind: Kind,
        change: Option<&Change>,
        hypothesis: Hypothesis<'_>,
    ) -> ShockedPerpetual {
        let instrument = &self.instruments[key.instrument().index()];
        let stand = account.stand(key);
        let held = stand.map_or(0, |stand| stand.lots);
        let held = hypothesis.lots.filter(|(of, _)| *of == key).map_or(held, |(_, lots)| lots);
        let resting = |side, more: Qty| match kind {
            Kind::Initial => stand.map_or(Qty::ZERO, |stand| stand.resting(side)) + more,
            Kind::Maintenance => Qty::ZERO,
        };
        let buys = resting(Side::Buy, change.map_or(Qty::ZERO, |change| change.buys));
        let sells = resting(Side::Sell, change.map_or(Qty::ZERO, |change| change.sells));
        let chosen = hypothesis.leverage.filter(|(of, _)| *of == instrument.id);
        let leverage = chosen.map_or_else(|| account.leverage(instrument.id), |(_, leverage)| leverage);
        let other_mark = hypothesis.mark.filter(|(of, _)| *of == key).map(|(_, mark)| mark);
        let mark = other_mark.unwrap_or(instrument.mark);
        let worst = worst_side(held, buys, sells);
        ShockedPerpetual {
            mark_value: notional(mark, Qty(1), instrument.k).0,
            lowest: held - sells.0,
            highest: held + buys.0,
            initial: Standard {
                whole: instrument.initial_of(worst, leverage),
                first: instrument.first_initial_of(worst),
            },
            maintenance: Standard {
                whole: instrument.maintenance_at(mark, worst),
                first: instrument.first_maintenance_at(mark, worst),
            },
        }
    }

    /// The questions of an underlying in which the account has a position or an order.
    fn linked_questions(
        &self,
        account: &Account,
        at: usize,
        hypothesis: Hypothesis<'_>,
    ) -> Vec<LinkedQuestion> {
        let mut questions = Vec::new();
        let mut add = |id: QuestionId, change: Option<&Change>| {
            let question = &self.questions[id.index()];
            if let Some(link) = &question.spec.link
                && link.underlying as usize == at + 1
                && question.settlement.is_none()
            {
                questions.push(self.linked(account, question, link, change));
            }
        };
        for (id, _) in account.questions().iter().filter(|(id, _)| Some(*id) != hypothesis.question) {
            add(*id, None);
        }
        if let Some(id) = hypothesis.question {
            add(id, hypothesis.change);
        }
        questions
    }

    fn linked(
        &self,
        account: &Account,
        question: &Question,
        link: &QuestionLink,
        change: Option<&Change>,
    ) -> LinkedQuestion {
        let reference = &self.instruments[InstrumentId(link.instrument).index()];
        let mut all_buys = Amount::ZERO;
        let mut outcomes: Vec<_> = question
            .instruments()
            .zip(&link.ranges)
            .map(|(id, range)| {
                let key = StandKey::new(Class::Outcome, id);
                let mut stand = account.stand(key).map(|stand| stand.outcome()).unwrap_or_default();
                if let Some(change) = change.filter(|change| change.key == key) {
                    stand.buys += change.buy_reserve;
                    stand.sells += change.sell_reserve;
                }
                all_buys += stand.buys;
                let payout = question.unit.times_lots(Qty(stand.position_lots)) + stand.buys - stand.sells;
                let high = (range.high <= reference.price_max.0).then_some(Price(range.high));
                LinkedOutcome { low: Price(range.low), high, payout }
            })
            .collect();
        outcomes.iter_mut().for_each(|outcome| outcome.payout -= all_buys);
        // The mark of a delisted perpetual says nothing any more.
        let is_closed = reference.state == InstrumentState::Settled;
        LinkedQuestion { mark: if is_closed { Price::ZERO } else { reference.mark }, outcomes }
    }

    pub(crate) fn set_margin_mode(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let id = self.known_account(command)?;
        let is_scenario = command.side == 1;
        let before = self.margin(id);
        let mut after = before;
        if is_scenario != self.is_scenario(id) {
            let relief = self.relief(id, Kind::Initial, Hypothesis::default());
            if is_scenario { after.initial -= relief } else { after.initial += relief }
        }
        if after.headroom() < Amount::ZERO && after.headroom() < before.headroom() {
            return refused(Reject::InsufficientMargin, -after.headroom().0, before.headroom().0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.choose_margin_mode(id, is_scenario);
        self.look_at(id);
        step.emit(EventRecord {
            kind: EventKind::MarginModeSet.code(),
            account: command.account,
            side: command.side,
            ..Default::default()
        });
        Ok(())
    }

    pub(crate) fn choose_margin_mode(&mut self, id: AccountId, is_scenario: bool) {
        if is_scenario {
            self.scenarios.accounts.insert(id);
        } else {
            self.scenarios.accounts.remove(id);
        }
    }

    pub(crate) fn deploy_underlying(&mut self, step: &mut Step, spec: UnderlyingSpec) -> Result<(), Refused> {
        use crate::deploy::{check_bounds, check_count, check_free, check_symbol};
        check_count(self.scenarios.underlyings.len(), self.limits.underlyings_max as usize)?;
        check_symbol(&spec.symbol)?;
        check_free(
            &spec.symbol,
            self.scenarios.underlyings.iter().map(|underlying| underlying.spec.symbol.as_str()),
        )?;
        check_bounds(spec.instruments.len() as i128, 1..=UnderlyingSpec::INSTRUMENTS_MAX as i128, 111)?;
        for (at, id) in spec.instruments.iter().enumerate() {
            let instrument = self.instruments.get(InstrumentId(*id).index());
            let is_perpetual = instrument.is_some_and(|instrument| instrument.class() == Class::Perpetual);
            let is_taken = self.scenarios.underlyings.iter().any(|other| other.has(InstrumentId(*id)));
            if !is_perpetual || is_taken || spec.instruments[..at].contains(id) {
                return refused(Reject::SpecOutOfBounds, *id, 112);
            }
        }
        check_bounds(spec.scenarios.len() as i128, 1..=UnderlyingSpec::SCENARIOS_MAX as i128, 113)?;
        let one = i128::from(PPM_ONE);
        for scenario in &spec.scenarios {
            check_bounds(i128::from(scenario.shock_ppm), 1 - one..=10 * one, 114)?;
            check_bounds(i128::from(scenario.weight_ppm), 1..=one, 115)?;
        }
        check_bounds(i128::from(spec.maintenance_ppm), 1..=one, 116)?;
        check_bounds(i128::from(spec.floor_ppm), 0..=one, 117)?;
        check_bounds(i128::from(spec.width_ppm), 0..=one - 1, 118)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.scenarios.push(spec);
        step.emit(EventRecord {
            kind: EventKind::UnderlyingDeployed.code(),
            instrument: self.scenarios.underlyings.len() as u32,
            ..Default::default()
        });
        Ok(())
    }

    /// Fields 119 to 123.
    pub(crate) fn check_link(&self, spec: &QuestionSpec) -> Result<(), Refused> {
        let Some(link) = &spec.link else { return Ok(()) };
        let out_of_bounds = |value: i128, field| refused(Reject::SpecOutOfBounds, value, field);
        let Some(underlying) = self.scenarios.underlyings.get((link.underlying as usize).wrapping_sub(1))
        else {
            return out_of_bounds(link.underlying.into(), 119);
        };
        if !underlying.has(InstrumentId(link.instrument)) {
            return out_of_bounds(link.instrument.into(), 120);
        }
        if link.ranges.len() != spec.outcomes.len() {
            return out_of_bounds(link.ranges.len() as i128, 121);
        }
        let end = self.instruments[InstrumentId(link.instrument).index()].price_max.0 + 1;
        for range in &link.ranges {
            if range.low < 0 || range.low >= range.high || range.high > end {
                return out_of_bounds(range.low.into(), 122);
            }
        }
        let mut sorted = link.ranges.clone();
        sorted.sort_unstable_by_key(|range| range.low);
        let mut next = 0;
        for range in &sorted {
            if range.low != next {
                return out_of_bounds(range.low.into(), 123);
            }
            next = range.high;
        }
        if next == end { Ok(()) } else { out_of_bounds(next.into(), 123) }
    }
}
