//! Properties of governance, from commands and events alone, with the balances that the engine tells.

use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_ledger::Party;
use xos_protocol::{Act, CommandKind, DeployCommand, EventKind, EventRecord, GovernanceSpec, VotingSpec};
use xos_sim::differential::Machine;
use xos_sim::workload::{Body, Chaos, Frame};
use xos_units::{AccountId, AssetId, InstrumentId};

/// What a reader of commands and events knows of votes and stakes.
#[derive(Default)]
struct Reader {
    terms: Option<GovernanceSpec>,
    acts: BTreeMap<u64, Act>,
    /// The last vote by proposal and account.
    votes: BTreeMap<(u64, u32), bool>,
    stakes: BTreeMap<u32, i128>,
    /// Of the slashing under way: what was taken and not yet paid, and the claims.
    taken: i128,
    claims: BTreeMap<u64, i128>,
    staked: i128,
    unstaked: i128,
    slashed: i128,
    counts: BTreeMap<&'static str, u64>,
}

impl Reader {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn voting(&self) -> &VotingSpec {
        self.terms.as_ref().and_then(|terms| terms.voting.as_deref()).expect("there is something to vote on")
    }

    /// Weights for and against, counted anew.
    fn tally(&self, id: u64) -> (i64, i64) {
        let mut sums = (0, 0);
        for voter in &self.voting().voters {
            match self.votes.get(&(id, voter.account)) {
                Some(true) => sums.0 += i64::from(voter.weight),
                Some(false) => sums.1 += i64::from(voter.weight),
                None => {}
            }
        }
        sums
    }

    fn passes(&self, (votes_for, votes_against): (i64, i64)) -> bool {
        let voting = self.voting();
        let all: i128 = voting.voters.iter().map(|voter| i128::from(voter.weight)).sum();
        let (cast, one) = (i128::from(votes_for + votes_against), 1_000_000);
        cast * one >= all * i128::from(voting.quorum_ppm)
            && i128::from(votes_for) * one >= cast * i128::from(voting.majority_ppm)
    }

    fn observe(&mut self, frame: &Frame, event: &EventRecord) {
        let id = event.order_id;
        match event.kind() {
            Some(EventKind::GovernanceDeployed) => {
                if let Some(DeployCommand::Governance(spec)) = deployed(frame) {
                    self.terms = Some(*spec);
                }
            }
            Some(EventKind::ProposalMade) => {
                let Some(DeployCommand::ProposeAct(asked)) = deployed(frame) else { panic!("no proposal") };
                self.acts.insert(id, asked.act);
            }
            Some(EventKind::VoteCast) => {
                self.votes.insert((id, event.account), event.side == 1);
            }
            Some(EventKind::ProposalPassed) => {
                assert_eq!(self.tally(id), (event.qty, event.remaining), "weights of {id}");
                assert!(self.passes((event.qty, event.remaining)), "{id} passed below quorum or majority");
                self.count("passed");
            }
            Some(EventKind::ProposalFailed) => {
                if event.reason == 0 {
                    assert_eq!(self.tally(id), (event.qty, event.remaining), "weights of {id}");
                    assert!(!self.passes((event.qty, event.remaining)), "{id} failed with enough votes");
                    self.count("failed");
                } else {
                    self.count("failed for a reject");
                }
            }
            Some(EventKind::ProposalEffective) => {
                self.count(self.acts[&id].kind().name());
                if let Act::Terms(spec) = &self.acts[&id] {
                    self.terms = Some((**spec).clone());
                }
            }
            Some(EventKind::ChangeEffective) if self.acts.contains_key(&id) => self.count("update"),
            _ => self.observe_stakes(event),
        }
    }

    fn observe_stakes(&mut self, event: &EventRecord) {
        let amount = event.amount.get();
        let stake = self.stakes.entry(event.account).or_default();
        match event.kind() {
            Some(EventKind::Staked) => (*stake, self.staked) = (*stake + amount, self.staked + amount),
            Some(EventKind::Unstaked) => (*stake, self.unstaked) = (*stake - amount, self.unstaked + amount),
            Some(EventKind::StakeSlashed) => {
                let Act::Slash { account, amount: most, harmed } = &self.acts[&event.order_id] else {
                    panic!("no act that slashes")
                };
                assert_eq!(*account, event.account);
                assert_eq!(amount, most.0.min(*stake), "no more than the stake or than was voted on");
                *stake -= amount;
                self.slashed += amount;
                self.taken = amount;
                self.claims = harmed.iter().map(|harm| (harm.account.into(), harm.claim.0)).collect();
            }
            Some(EventKind::HarmPaid) => {
                let claim = self.claims.remove(&event.order_id).expect("each harmed account once");
                assert_eq!(event.counter_amount.get(), claim);
                assert!(amount >= 0 && amount <= claim, "paid {amount} for a claim of {claim}");
                self.taken -= amount;
                assert!(self.taken >= 0, "more was paid than was taken");
                return self.count("harm paid");
            }
            _ => return,
        }
        assert_eq!(event.counter_amount.get(), self.stakes[&event.account], "what is staked after");
    }

    /// All that was staked is there, was taken back, or was slashed.
    fn check_stakes(&self, engine: &Engine) {
        let held: i128 = self.stakes.values().sum();
        assert_eq!(held + self.unstaked + self.slashed, self.staked);
        let asset = self.terms.as_ref().map_or(AssetId(1), |terms| AssetId(terms.stake_asset));
        let house = engine.house(asset).into_iter().filter(|(party, _)| *party == Party::Stakes);
        assert_eq!(house.map(|(_, amount)| amount.0).sum::<i128>(), held);
    }
}

fn deployed(frame: &Frame) -> Option<DeployCommand> {
    match &frame.body {
        Body::Deploy(body) => DeployCommand::from_bytes(body).ok(),
        Body::Commands(_) => None,
    }
}

/// Every balance of every account and of the house.
fn money(engine: &Engine) -> Vec<i128> {
    let mut all = Vec::new();
    for asset in (0..engine.assets().len()).map(AssetId::from_index) {
        all.extend(
            (0..engine.account_count())
                .map(|at| engine.balance(AccountId::from_index(at), asset).total.0)
                .chain(engine.house(asset).into_iter().map(|(_, amount)| amount.0)),
        );
    }
    all
}

fn is_one_emergency(frame: &Frame) -> bool {
    let Body::Commands(commands) = &frame.body else { return false };
    commands.len() == 1 && commands[0].kind() == Some(CommandKind::Emergency)
}

#[test]
fn votes_decide_stakes_are_conserved_and_guardians_move_no_money() {
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..6_000 } else { 0..1_500 };
    let mut counts = BTreeMap::<&str, u64>::new();
    let mut settled: BTreeMap<(u64, u32), i64> = BTreeMap::new();
    for seed in seeds {
        let (mut chaos, mut engine, mut reader) = (Chaos::new(seed), Engine::new(), Reader::default());
        let mut first_sequence = 1;
        for number in 0..900 {
            let (frame, mut events) = (chaos.next_frame(), Vec::new());
            let before = is_one_emergency(&frame).then(|| money(&engine));
            let admitted = Machine::apply(&mut engine, first_sequence, &frame, &mut events).is_ok();
            events.iter().for_each(|event| reader.observe(&frame, event));
            if let (Some(before), [event]) = (before, &events[..])
                && event.kind() != Some(EventKind::Rejected)
            {
                assert_eq!(before, money(&engine), "seed {seed}: a guardian moved money");
                reader.count("emergency alone");
            }
            for event in &events {
                let key = (seed, event.instrument);
                match event.kind() {
                    Some(EventKind::PositionSettled) => *settled.entry(key).or_default() += event.qty,
                    Some(EventKind::MarketClosed) => {
                        assert_eq!(settled.remove(&key).unwrap_or(0), 0, "lots of {key:?} do not add up");
                        let clearing = Party::Clearing(InstrumentId(event.instrument));
                        let house = engine.house(AssetId(1)).into_iter();
                        let left: i128 =
                            house.filter(|(party, _)| *party == clearing).map(|(_, left)| left.0).sum();
                        assert_eq!(left, 0, "seed {seed}: what longs gained is not what shorts lost");
                        reader.count("market closed at zero");
                    }
                    _ => {}
                }
            }
            if number % 20 == 0 || number == 899 {
                reader.check_stakes(&engine);
            }
            chaos.observe(&frame, admitted, &events);
            first_sequence += if admitted { frame.sequences() } else { 0 };
        }
        for (what, count) in reader.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    println!("{counts:?}");
    for (what, least) in [
        ("passed", 100),
        ("failed", 40),
        ("failed for a reject", 5),
        ("update", 5),
        ("admit", 5),
        ("set_state", 5),
        ("slash", 20),
        ("terms", 5),
        ("confirm", 5),
        ("harm paid", 20),
        ("emergency alone", 40),
        ("market closed at zero", 40),
    ] {
        assert!(counts.get(what).copied().unwrap_or(0) >= least, "{what}: {counts:?}");
    }
}
