//! Questions end even: whatever was traded and however the unit is divided, the collateral comes to zero, what was paid and
//! what rounding kept come to what was there, and no turn changes anybody's worth. Whoever decides holds nothing.

use crate::desk::{Desk, SECOND, command, of, order, terms};
use proptest::prelude::*;
use xos_engine::Engine;
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees, Limits, OutcomeSpec,
    QuestionPayouts, QuestionSpec, ResolutionSpec,
};
use xos_units::{Amount, PPM_ONE, QuestionId};

const QUESTION: QuestionId = QuestionId(1);

fn question(outcomes: usize, unit: i64, k: u32) -> QuestionSpec {
    let mut terms = terms(Fees { maker_ppm: 0, taker_ppm: 1_000, ceiling_ppm: 0 });
    (terms.price_max_ticks, terms.quote_atoms_per_tick_lot) = (unit - 1, k);
    let outcome = |at: usize| OutcomeSpec { symbol: format!("O{at}"), name: format!("outcome {at}") };
    QuestionSpec {
        later: None,
        symbol: "Q".into(),
        text: "Q?".into(),
        outcomes: (0..outcomes).map(outcome).collect(),
        ticks_per_unit: unit,
        terms,
        link: None,
        resolution: None,
        implied: false,
    }
}

/// Shares of the unit in proportion to the weights, the rest to the first.
fn shares(weights: &[u16]) -> Vec<i32> {
    let sum: i64 = weights.iter().map(|weight| i64::from(*weight)).sum::<i64>().max(1);
    let one = i64::from(PPM_ONE);
    let mut shares: Vec<i32> = weights.iter().map(|weight| (i64::from(*weight) * one / sum) as i32).collect();
    shares[0] += PPM_ONE - shares.iter().sum::<i32>();
    shares
}

fn pool(engine: &Engine) -> i128 {
    let house = engine.house(SETTLEMENT);
    house.iter().filter(|(party, _)| *party == Party::Question(QUESTION)).map(|(_, amount)| amount.0).sum()
}

fn rounding(engine: &Engine) -> i128 {
    engine.house(SETTLEMENT).iter().filter(|(party, _)| *party == Party::Rounding).map(|(_, a)| a.0).sum()
}

/// Something an account does: splits, or an order on an outcome.
#[derive(Clone, Copy, Debug)]
struct Act {
    account: u32,
    outcome: u32,
    kind: u8,
    price: i64,
    qty: i64,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (1u32..7, 0u32..5, 0u8..4, 1i64..1_000, 1i64..40)
        .prop_map(|(account, outcome, kind, price, qty)| Act { account, outcome, kind, price, qty });
    prop::collection::vec(act, 1..60)
}

impl Act {
    fn record(self, outcomes: usize, unit: i64) -> CommandRecord {
        let instrument = 1 + self.outcome % outcomes as u32;
        let price = 1 + self.price % (unit - 1).max(1);
        match self.kind {
            0 => {
                CommandRecord { instrument: 1, qty: self.qty, ..command(CommandKind::SplitSet, self.account) }
            }
            side => order(self.account, instrument, side % 2, price.min(unit - 1), self.qty),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_settlement_comes_out_even(
        acts in acts(),
        weights in prop::collection::vec(0u16..1_000, 2..6),
        unit in 2i64..997,
        k in 1u32..9,
        turn in 1u32..9,
    ) {
        let limits = Limits { payouts_per_command_max: turn, ..Limits::default() };
        let mut desk = Desk::with_limits(limits);
        let outcomes = weights.len();
        desk.deploy(&DeployCommand::Question(question(outcomes, unit, k)));
        let accounts: Vec<u32> = (1..7).map(|owner| desk.account(owner, 200_000)).collect();
        for act in acts {
            desk.send(act.record(outcomes, unit));
        }
        let (held, kept) = (pool(&desk.engine), rounding(&desk.engine));
        let payouts_ppm = shares(&weights);
        let body = QuestionPayouts { question: 1, account: 0, payouts_ppm: payouts_ppm.clone() };
        let mut events = desk.try_deploy(&DeployCommand::SettleQuestion(body));
        let worth: Vec<Amount> = accounts.iter().map(|account| desk.risk(*account).equity).collect();
        let mut turns = 0;
        while !desk.engine.question(QUESTION).expect("it stands").is_settled {
            events.extend(desk.must(command(CommandKind::Tick, 0)));
            for (account, before) in accounts.iter().zip(&worth) {
                prop_assert_eq!(desk.risk(*account).equity, *before, "a turn changed account {}", account);
            }
            if turns % 3 == 0 {
                desk.engine = Engine::from_snapshot(&desk.engine.snapshot_bytes()).expect("it restores");
            }
            turns += 1;
            prop_assert!(turns < 1_000, "it comes to an end");
        }
        let paid: i128 = of(&events, EventKind::Payout).map(|event| event.amount.get()).sum();
        prop_assert_eq!(pool(&desk.engine), 0);
        prop_assert_eq!(paid + rounding(&desk.engine) - kept, held);
        let count = of(&events, EventKind::Payout).count() as i128;
        prop_assert!(rounding(&desk.engine) - kept <= (count - 1).max(0), "less than an atom each");
        desk.engine.audit().expect("sound");
    }

    #[test]
    fn bonds_come_out_even_and_resolvers_hold_nothing(
        acts in acts(),
        steps in prop::collection::vec((0u8..6, 1u32..9, 0u8..3, 0u64..40), 1..40),
    ) {
        let mut desk = Desk::with_limits(Limits::default());
        for owner in [1u8, 2, 3, 4, 5, 6, 4, 5] {
            desk.account(owner, 20_000);
        }
        let void = vec![400_000, 600_000];
        let spec = ResolutionSpec {
            rule: "As it happened.".into(),
            sources: vec!["paper".into()],
            close_ns: desk.time_ns + 50 * SECOND,
            propose_s: 60,
            resolvers: vec![4],
            bond: Amount(101),
            bond_share_ppm: 0,
            challenge_s: 30,
            second_resolvers: vec![5, 6],
            second_bond: Amount(303),
            quorum: 2,
            decide_s: 45,
            void_payouts_ppm: void.clone(),
            dispute_risk: true,
        };
        let resolution = Some(Box::new(spec));
        desk.deploy(&DeployCommand::Question(QuestionSpec { resolution, ..question(2, 100, 1) }));
        let mut acts = acts.into_iter();
        for (step, account, mind, wait_s) in steps {
            desk.time_ns += wait_s * SECOND;
            for act in acts.by_ref().take(3) {
                desk.send(Act { account: 1 + act.account, ..act }.record(2, 100));
            }
            let payouts_ppm = match mind { 0 => vec![PPM_ONE, 0], 1 => vec![0, PPM_ONE], _ => void.clone() };
            let asked = QuestionPayouts { question: 1, account, payouts_ppm };
            let about = |kind| CommandRecord { instrument: 1, ..command(kind, account) };
            match step {
                0 | 1 => drop(desk.try_deploy(&DeployCommand::ProposeResolution(asked))),
                2 => drop(desk.send(about(CommandKind::ChallengeResolution))),
                3 => drop(desk.try_deploy(&DeployCommand::DecideResolution(asked))),
                4 => drop(desk.send(about(CommandKind::VoidQuestion))),
                _ => drop(desk.send(command(CommandKind::Tick, 0))),
            }
            for resolver in [4, 5, 6, 7, 8] {
                let stands = desk.engine.positions(xos_units::AccountId(resolver)).len()
                    + desk.engine.orders(xos_units::AccountId(resolver)).len();
                prop_assert_eq!(stands, 0, "resolver {} stands in its question", resolver);
            }
            desk.engine.audit().expect("sound");
        }
        // Every stage ends by itself.
        for _ in 0..3 {
            desk.time_ns += 200 * SECOND;
            desk.send(command(CommandKind::Tick, 0));
        }
        let view = desk.engine.question(QUESTION).expect("it stands");
        prop_assert!(view.is_settled);
        prop_assert_eq!(view.bonds, Amount::ZERO);
        prop_assert_eq!(pool(&desk.engine), 0);
    }
}

/// So that a refused body is no failure of the desk.
fn refused(events: &[EventRecord]) -> bool {
    of(events, EventKind::Rejected).next().is_some()
}

#[test]
fn a_wrong_vector_is_refused_and_changes_nothing() {
    let mut desk = Desk::with_limits(Limits::default());
    desk.deploy(&DeployCommand::Question(question(3, 100, 1)));
    let before = desk.engine.state_hash();
    for payouts_ppm in
        [vec![], vec![PPM_ONE], vec![PPM_ONE, 1, -1], vec![PPM_ONE - 1, 0, 0], vec![i32::MAX; 3]]
    {
        let asked = QuestionPayouts { question: 1, account: 0, payouts_ppm };
        assert!(refused(&desk.try_deploy(&DeployCommand::SettleQuestion(asked))));
        assert_eq!(desk.engine.state_hash(), before);
    }
}
