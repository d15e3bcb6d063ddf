//! Scenario margin: what positions on one underlying can lose together. Section 29 of the rules.

use xos_units::{Amount, Ppm, Price, Requirement, widening};

/// A move of all prices of an underlying, and the part of profit and loss in it that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Move of the marks.
    pub shock: Ppm,
    /// Part that counts, 1 to 1,000,000 ppm.
    pub weight: Ppm,
}

/// Terms of an underlying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioTerms {
    /// What may happen.
    pub scenarios: Vec<Scenario>,
    /// Part of losses and floor that is maintenance margin.
    pub maintenance: Ppm,
    /// Least requirement, of the notional.
    pub floor: Ppm,
    /// How far from a scenario's price an outcome counts as reached.
    pub width: Ppm,
}

impl ScenarioTerms {
    /// The scenarios in which a long and in which a short position loses most, as far as its loss counts.
    pub fn worst(&self) -> [Scenario; 2] {
        let counts = |scenario: &Scenario| i64::from(scenario.shock.0) * i64::from(scenario.weight.0);
        let none = Scenario { shock: Ppm(0), weight: Ppm(0) };
        let fall = self.scenarios.iter().min_by_key(|scenario| counts(scenario));
        let rise = self.scenarios.iter().max_by_key(|scenario| counts(scenario));
        [fall, rise].map(|scenario| scenario.copied().unwrap_or(none))
    }
}

/// Positions without orders on one underlying, added up: all that maintenance margin asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetPositions {
    /// Value at mark, longs less shorts.
    net: Amount,
    /// Value at mark, longs and shorts.
    gross: Amount,
    /// What they need at the maintenance rates of the first tiers.
    first: Requirement,
}

impl NetPositions {
    /// One more position: signed lots, the value of one at mark, and the maintenance rate of its first tier.
    #[inline]
    pub fn add(&mut self, lots: i64, mark_value: i128, maintenance: Ppm) {
        let value = Amount(widening(mark_value, lots));
        self.net += value;
        self.gross += value.abs();
        self.first += value.abs().times(maintenance);
    }

    /// By how much scenarios lower the maintenance margin of these positions: [`ScenarioGroup::maintenance`] taken from
    /// the sum without offsets, with one scenario judged instead of all. `worst` is of the same terms.
    #[inline]
    pub fn relief(&self, terms: &ScenarioTerms, worst: &[Scenario; 2]) -> Requirement {
        let scenario = worst[usize::from(self.net < Amount::ZERO)];
        let loss = (Requirement::ZERO - self.net.times(scenario.shock)).share_up(scenario.weight);
        let most = self.gross.times(terms.floor).max(loss).share_up(terms.maintenance);
        self.first - self.first.min(most)
    }
}

/// What a perpetual needs without offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// All of it.
    pub whole: Requirement,
    /// At the rate of the first tier. Only this can be offset: what higher tiers, open interest and a chosen leverage
    /// ask above it guards against size, not against the price.
    pub first: Requirement,
}

/// An account's stand in one perpetual of the group. Positions, or what they become if open orders fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShockedPerpetual {
    /// Value of one lot at mark.
    pub mark_value: i128,
    /// Position if every open sell filled.
    pub lowest: i64,
    /// Position if every open buy filled.
    pub highest: i64,
    /// Initial margin.
    pub initial: Standard,
    /// Maintenance margin of as many lots.
    pub maintenance: Standard,
}

/// What an account receives of a question if one outcome wins, with its open orders as they do worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkedOutcome {
    /// Lowest price of the reference at which it wins, ticks.
    pub low: Price,
    /// First price above; none: no upper end.
    pub high: Option<Price>,
    /// Payout, negative if the account pays.
    pub payout: Amount,
}

/// An account's stand in a question that the price of a perpetual decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedQuestion {
    /// Mark of the reference; 0: none yet, and every outcome counts as near.
    pub mark: Price,
    /// Every outcome.
    pub outcomes: Vec<LinkedOutcome>,
}

impl LinkedQuestion {
    /// The least payout over all outcomes.
    pub fn worst_case(&self) -> Amount {
        self.outcomes.iter().map(|outcome| outcome.payout).min().unwrap_or_default()
    }

    fn is_near(&self, outcome: &LinkedOutcome, shock: Ppm, width: Ppm) -> bool {
        let one = i128::from(xos_units::PPM_ONE);
        let shocked = i128::from(self.mark.0) * (one + i128::from(shock.0));
        let end = |price: Price| i128::from(price.0) * one * one;
        self.mark == Price::ZERO
            || (end(outcome.low) <= shocked * (one + i128::from(width.0))
                && outcome.high.is_none_or(|high| end(high) > shocked * (one - i128::from(width.0))))
    }

    /// What it pays near a scenario for certain above its worst case, which equity counts already. The ranges leave no
    /// gap, so some outcome is near.
    fn offset_near(&self, shock: Ppm, width: Ppm) -> Amount {
        let near = self.outcomes.iter().filter(|outcome| self.is_near(outcome, shock, width));
        let least = near.map(|outcome| outcome.payout).min();
        least.map_or(Amount::ZERO, |payout| payout - self.worst_case())
    }
}

/// An account's stands on one underlying. What it needs does not depend on their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioGroup {
    /// Perpetuals.
    pub perpetuals: Vec<ShockedPerpetual>,
    /// Questions.
    pub questions: Vec<LinkedQuestion>,
}

impl ScenarioGroup {
    /// Initial margin of the perpetuals if nothing offset anything.
    pub fn initial_without_offsets(&self) -> Requirement {
        self.sum(|perpetual| perpetual.initial.whole)
    }

    /// Maintenance margin of the perpetuals if nothing offset anything.
    pub fn maintenance_without_offsets(&self) -> Requirement {
        self.sum(|perpetual| perpetual.maintenance.whole)
    }

    /// Initial margin of the perpetuals: the worst scenario, no less than the floor and than maintenance margin, no more
    /// than without offsets.
    pub fn initial(&self, terms: &ScenarioTerms) -> Requirement {
        let mut most = self.floor(terms);
        for scenario in &terms.scenarios {
            most = most.max(self.weighted(*scenario, self.offset_near(*scenario, terms)));
        }
        for question in &self.questions {
            let is_far = |outcome: &&LinkedOutcome| {
                !terms.scenarios.iter().any(|s| question.is_near(outcome, s.shock, terms.width))
            };
            let far = question.outcomes.iter().filter(is_far).map(|outcome| outcome.payout).min();
            if let Some(payout) = far {
                let offset = payout - question.worst_case();
                let losses = terms.scenarios.iter().map(|scenario| self.weighted(*scenario, offset));
                most = losses.fold(most, Requirement::max);
            }
        }
        self.offset(most, |perpetual| perpetual.initial).max(self.maintenance(terms))
    }

    /// What a scenario loses on the perpetuals, weighted, negative where it gains; and what questions offset of it, weighted
    /// like the loss.
    pub fn loss(&self, scenario: Scenario, terms: &ScenarioTerms) -> (Amount, Amount) {
        let loss = self.weighted(scenario, Amount::ZERO).ceil();
        (loss, loss - self.weighted(scenario, self.offset_near(scenario, terms)).ceil())
    }

    fn offset_near(&self, scenario: Scenario, terms: &ScenarioTerms) -> Amount {
        let near = |question: &LinkedQuestion| question.offset_near(scenario.shock, terms.width);
        self.questions.iter().map(near).fold(Amount::ZERO, |sum, offset| sum + offset)
    }

    /// Maintenance margin of the perpetuals: a part of the worst scenario and of the floor, no more than without
    /// offsets. Questions offset nothing here: liquidation cannot turn them into money.
    pub fn maintenance(&self, terms: &ScenarioTerms) -> Requirement {
        let losses = terms.scenarios.iter().map(|scenario| self.weighted(*scenario, Amount::ZERO));
        let most = losses.fold(self.floor(terms), Requirement::max).share_up(terms.maintenance);
        self.offset(most, |perpetual| perpetual.maintenance)
    }

    fn sum(&self, of: impl Fn(&ShockedPerpetual) -> Requirement) -> Requirement {
        self.perpetuals.iter().map(of).fold(Requirement::ZERO, |sum, one| sum + one)
    }

    /// `most` in the place of what can be offset, if it is less.
    fn offset(&self, most: Requirement, standard: impl Fn(&ShockedPerpetual) -> Standard) -> Requirement {
        let first = self.sum(|perpetual| standard(perpetual).first);
        self.sum(|perpetual| standard(perpetual).whole) - first + first.min(most)
    }

    fn floor(&self, terms: &ScenarioTerms) -> Requirement {
        self.sum(|perpetual| {
            let lots = perpetual.lowest.abs().max(perpetual.highest.abs());
            Amount(widening(perpetual.mark_value, lots)).times(terms.floor)
        })
    }

    /// The part that counts of what a scenario loses on the perpetuals, less what questions offset. The weight is of the
    /// scenario: it counts no less of a loss than of what stands against it.
    fn weighted(&self, scenario: Scenario, offset: Amount) -> Requirement {
        let loss = self.sum(|perpetual| {
            let lots = if scenario.shock.0 < 0 { perpetual.highest } else { perpetual.lowest };
            Requirement::ZERO - Amount(widening(perpetual.mark_value, lots)).times(scenario.shock)
        });
        (loss - offset.as_requirement()).share_up(scenario.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xos_units::Qty;

    /// The 16 scenarios of F19 for a book without options.
    fn usual() -> ScenarioTerms {
        let plain = [-160_000, -120_000, -80_000, -40_000, 40_000, 80_000, 120_000, 160_000];
        let tails = [
            (-660_000, 240_000),
            (-330_000, 480_000),
            (500_000, 320_000),
            (1_000_000, 160_000),
            (2_000_000, 80_000),
            (3_000_000, 53_300),
            (4_000_000, 40_000),
            (5_000_000, 32_000),
        ];
        let plain = plain.into_iter().map(|shock| (shock, 1_000_000));
        let scenario = |(shock, weight)| Scenario { shock: Ppm(shock), weight: Ppm(weight) };
        let scenarios = plain.chain(tails).map(scenario).collect();
        ScenarioTerms { scenarios, maintenance: Ppm(500_000), floor: Ppm(10_000), width: Ppm(20_000) }
    }

    /// Lots worth 1,000 at 20 % and 10 %; above the first tier `surcharge` more.
    fn perpetual_with(lots: i64, buys: i64, sells: i64, surcharge: i128) -> ShockedPerpetual {
        let worst = crate::worst_side(lots, Qty(buys), Qty(sells));
        let first = |rate| Amount(1_000 * i128::from(worst.0)).times(Ppm(rate));
        let standard =
            |rate| Standard { whole: first(rate) + Amount(surcharge).as_requirement(), first: first(rate) };
        ShockedPerpetual {
            mark_value: 1_000,
            lowest: lots - sells,
            highest: lots + buys,
            initial: standard(200_000),
            maintenance: standard(100_000),
        }
    }

    fn perpetual(lots: i64, buys: i64, sells: i64) -> ShockedPerpetual {
        perpetual_with(lots, buys, sells, 0)
    }

    /// NO below 1,100 ticks, YES from there on; the mark is 1,000.
    fn above(no: i128, yes: i128) -> LinkedQuestion {
        let outcomes = vec![
            LinkedOutcome { low: Price(0), high: Some(Price(1_100)), payout: Amount(no) },
            LinkedOutcome { low: Price(1_100), high: None, payout: Amount(yes) },
        ];
        LinkedQuestion { mark: Price(1_000), outcomes }
    }

    fn group(perpetuals: Vec<ShockedPerpetual>, questions: Vec<LinkedQuestion>) -> ScenarioGroup {
        ScenarioGroup { perpetuals, questions }
    }

    fn asked(perpetuals: Vec<ShockedPerpetual>, questions: Vec<LinkedQuestion>) -> i128 {
        group(perpetuals, questions).initial(&usual()).ceil().0
    }

    #[test]
    fn a_position_alone_needs_its_worst_weighted_move() {
        // Notional 10,000: 16 % is 1,600, 33 % at 48 % is 1,584, 66 % at 24 % is 1,584.
        assert_eq!(asked(vec![perpetual(10, 0, 0)], vec![]), 1_600);
        // Short: +50 % at 32 %, +100 % at 16 %, all 1,600; +300 % at 5.33 % is 1,599.
        assert_eq!(asked(vec![perpetual(-10, 0, 0)], vec![]), 1_600);
        // Two perpetuals against each other: the floor, 1 % of 20,000.
        assert_eq!(asked(vec![perpetual(10, 0, 0), perpetual(-10, 0, 0)], vec![]), 200);
        // A buy that could fill counts where prices fall.
        assert_eq!(asked(vec![perpetual(10, 5, 0)], vec![]), 2_400);
        assert_eq!(asked(vec![perpetual(10, 0, 5)], vec![]), 1_600);
    }

    #[test]
    fn a_share_offsets_the_perpetual_where_its_outcome_is_near() {
        // Short 10 perpetuals, long YES above 1,100 paying 1,600. At +16 %: 1,600 less 1,600. At +500 %, weighted:
        // 3.2 % of 50,000 less 1,600.
        assert_eq!(asked(vec![perpetual(-10, 0, 0)], vec![above(0, 1_600)]), 1_549);
        // Without tails: at +12 % the price is 1,098 to 1,142, so NO is near: 1,200.
        let mut calm = usual();
        calm.scenarios.truncate(8);
        assert_eq!(group(vec![perpetual(-10, 0, 0)], vec![above(0, 1_600)]).initial(&calm).ceil().0, 1_200);
        // Short YES and long perpetuals: at -16 %, 1,600 lost and the 1,600 that equity keeps for YES are free; at -66 %
        // 24 % of 6,600 less 1,600.
        assert_eq!(asked(vec![perpetual(10, 0, 0)], vec![above(0, -1_600)]), 1_200);
        // A smaller stake frees less: 24 % of 6,600 less 300.
        assert_eq!(asked(vec![perpetual(10, 0, 0)], vec![above(0, -300)]), 1_512);
        // The same against a short perpetual offsets nothing.
        assert_eq!(asked(vec![perpetual(-10, 0, 0)], vec![above(0, -1_600)]), 1_600);
    }

    #[test]
    fn no_share_takes_the_requirement_below_maintenance_margin() {
        let near = |payout| {
            let mut question = above(0, payout);
            question.outcomes[0].high = Some(Price(1_010));
            question.outcomes[1].low = Price(1_010);
            question
        };
        // YES above 1,010: at +4 % NO is near no more; half of the 1,600 stays.
        assert_eq!(asked(vec![perpetual(-10, 0, 0)], vec![near(30_000)]), 800);
        let hedged = group(vec![perpetual(-10, 0, 0)], vec![near(30_000)]);
        assert_eq!(hedged.maintenance(&usual()), Amount(800).as_requirement());
    }

    #[test]
    fn what_higher_tiers_ask_is_not_offset() {
        let two = vec![perpetual_with(10, 0, 0, 7), perpetual_with(-10, 0, 0, 5)];
        assert_eq!(asked(two.clone(), vec![]), 212);
        assert_eq!(group(two, vec![]).maintenance(&usual()).ceil().0, 112);
    }

    #[test]
    fn outcomes_out_of_reach_offset_nothing() {
        // YES wins above 7,000, beyond +500 %. Without that outcome -16 % would take 300 less.
        let mut far = above(0, -300);
        far.outcomes[0].high = Some(Price(7_000));
        far.outcomes[1].low = Price(7_000);
        assert_eq!(asked(vec![perpetual(10, 0, 0)], vec![far.clone()]), 1_600);
        // Without a mark every outcome is near.
        far.mark = Price::ZERO;
        assert_eq!(asked(vec![perpetual(10, 0, 0)], vec![far]), 1_600);
    }

    #[test]
    fn a_question_without_perpetuals_needs_nothing_more() {
        assert_eq!(asked(vec![], vec![above(0, -1_000), above(500, -7)]), 0);
    }

    fn groups() -> impl Strategy<Value = ScenarioGroup> {
        let perpetual = (-50i64..50, 0i64..20, 0i64..20, 0i128..99);
        let perpetual =
            perpetual.prop_map(|(lots, buys, sells, more)| perpetual_with(lots, buys, sells, more));
        let perpetuals = prop::collection::vec(perpetual, 0..4);
        let question = (1i64..7_000, -5_000i128..5_000, -5_000i128..5_000).prop_map(|(at, no, yes)| {
            let mut question = above(no, yes);
            question.outcomes[0].high = Some(Price(at));
            question.outcomes[1].low = Price(at);
            question
        });
        (perpetuals, prop::collection::vec(question, 0..4))
            .prop_map(|(perpetuals, questions)| ScenarioGroup { perpetuals, questions })
    }

    /// What an account must have for perpetuals and questions, worst cases included.
    fn all_of(group: &ScenarioGroup) -> Requirement {
        let worst = group.questions.iter().fold(Amount::ZERO, |sum, question| sum + question.worst_case());
        group.initial(&usual()) - worst.as_requirement()
    }

    proptest! {
        #[test]
        fn it_lies_between_the_worst_scenario_and_the_sum(group in groups()) {
            let terms = usual();
            let (asked, whole) = (group.initial(&terms), group.initial_without_offsets());
            prop_assert!(asked <= whole);
            let first = group.sum(|perpetual| perpetual.initial.first);
            for scenario in &terms.scenarios {
                // From first principles: every lot and the least that each question pays near there.
                let mut loss = 0;
                for perpetual in &group.perpetuals {
                    let of = |lots: i64| -i128::from(lots) * 1_000 * i128::from(scenario.shock.0);
                    loss += of(perpetual.lowest).max(of(perpetual.highest));
                }
                for question in &group.questions {
                    let near = question.outcomes.iter().filter(|o| question.is_near(o, scenario.shock, terms.width));
                    let least = near.map(|outcome| outcome.payout.0).min().expect("some outcome is near");
                    loss -= 1_000_000 * (least - question.worst_case().0);
                }
                // Never below the worst single scenario, the account as a whole weighted.
                loss = loss * i128::from(scenario.weight.0) / 1_000_000;
                prop_assert!(asked >= (whole - first) + Requirement(loss).min(first));
            }
            let maintenance = group.maintenance(&terms);
            prop_assert!(maintenance <= asked && maintenance <= group.maintenance_without_offsets());
        }

        #[test]
        fn the_worst_scenario_of_a_side_stands_for_all(
            positions in prop::collection::vec((-50i64..50, 1i128..2_000, 0i32..1_000_000), 0..5),
            scenarios in prop::collection::vec((-999_999i32..10_000_000, 1i32..=1_000_000), 1..9),
            (maintenance, floor) in (1i32..=1_000_000, 0i32..=1_000_000),
            scale in prop::sample::select(vec![1i128, 1_000_003, 1 << 60]),
        ) {
            let scenario = |(shock, weight)| Scenario { shock: Ppm(shock), weight: Ppm(weight) };
            let terms = ScenarioTerms {
                scenarios: scenarios.into_iter().map(scenario).collect(),
                maintenance: Ppm(maintenance),
                floor: Ppm(floor),
                width: Ppm(20_000),
            };
            let (mut group, mut net) = (ScenarioGroup::default(), NetPositions::default());
            for (lots, value, rate) in positions {
                let first = Amount(widening(value * scale, lots.abs())).times(Ppm(rate));
                let standard = Standard { whole: first + Requirement(7), first };
                net.add(lots, value * scale, Ppm(rate));
                group.perpetuals.push(ShockedPerpetual {
                    mark_value: value * scale,
                    lowest: lots,
                    highest: lots,
                    initial: standard,
                    maintenance: standard,
                });
            }
            let relief = group.maintenance_without_offsets() - group.maintenance(&terms);
            prop_assert_eq!(net.relief(&terms, &terms.worst()), relief);
        }

        #[test]
        fn order_does_not_matter(group in groups(), by in 0usize..4) {
            let mut turned = group.clone();
            turned.perpetuals.reverse();
            let count = turned.questions.len().max(1);
            turned.questions.rotate_left(by % count);
            turned.questions.iter_mut().for_each(|question| question.outcomes.reverse());
            prop_assert_eq!(group.initial(&usual()), turned.initial(&usual()));
            prop_assert_eq!(group.maintenance(&usual()), turned.maintenance(&usual()));
        }

        #[test]
        fn cancelling_and_a_better_payout_never_ask_more(
            group in groups(),
            lots in -50i64..50,
            orders in (0i64..20, 0i64..20, 0i64..20, 0i64..20),
            more in 0i128..900,
            at in 0usize..4,
        ) {
            let (mut worse, mut better) = (group.clone(), group);
            let (buys, sells, fewer_buys, fewer_sells) = orders;
            worse.perpetuals.push(perpetual(lots, buys, sells));
            better.perpetuals.push(perpetual(lots, buys.min(fewer_buys), sells.min(fewer_sells)));
            for question in better.questions.iter_mut().skip(at) {
                question.outcomes[at % 2].payout += Amount(more);
            }
            prop_assert!(all_of(&better) <= all_of(&worse));
            prop_assert!(better.maintenance(&usual()) <= worse.maintenance(&usual()));
        }

        #[test]
        fn a_larger_position_never_asks_less(lots in 0i64..50, more in 0i64..50, is_short in any::<bool>()) {
            let sign = if is_short { -1 } else { 1 };
            let asked = |lots| asked(vec![perpetual(sign * lots, 0, 0)], vec![]);
            prop_assert!(asked(lots) <= asked(lots + more));
        }
    }
}
