//! Properties of fees, from commands and events alone: receipts add up to the atom and to what receivers have, and nobody
//! is charged above a cap, or above what orders reserve for.

use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_ledger::Party;
use xos_protocol::{EventFlags, EventKind, EventRecord};
use xos_sim::differential::Machine;
use xos_sim::workload::Chaos;
use xos_units::division::{fee_up, share_down};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, Ppm, QuestionId};

/// Who paid a fee: the trade and the payer's order.
type Payer = (u64, u64);

/// What a reader of events knows of fees.
#[derive(Default)]
struct Reader {
    caps: BTreeMap<(u32, u16), i32>,
    referrers: BTreeMap<u32, u32>,
    parents: BTreeMap<u32, u32>,
    /// Fees told by trades whose instrument gives receipts, until the receipt comes.
    due: BTreeMap<Payer, i128>,
    /// Deployers' parts by instrument; none of an instrument without receipts for every fee.
    deployers: BTreeMap<u32, Option<i128>>,
    receipts: u64,
    referred: u64,
    capped: u64,
    in_tier: u64,
}

impl Reader {
    fn charged(&self, account: u32) -> u32 {
        *self.parents.get(&account).unwrap_or(&account)
    }

    /// A fee that an event of a trade told.
    fn paid(
        &mut self,
        engine: &Engine,
        event: &EventRecord,
        payer: (u32, u16, u64),
        fee: i128,
        divided: i128,
    ) {
        let (account, venue, order) = payer;
        let view = engine.instrument(InstrumentId(event.instrument)).expect("it trades");
        let unit = view
            .question
            .and_then(|id: QuestionId| engine.question(id))
            .map(|found| found.spec.ticks_per_unit);
        let ticks = unit.map_or(event.price, |unit| event.price.min(unit - event.price));
        let k = i128::from(view.terms.quote_atoms_per_tick_lot);
        let base = Amount(i128::from(ticks) * i128::from(event.qty) * k);
        let own = usize::from(venue).checked_sub(1).and_then(|at| engine.venues()[at].fees);
        let highest = own.unwrap_or(view.terms.fees).highest_ppm();
        assert!(fee <= fee_up(base, Ppm(highest)).0, "{fee} of {} is above {highest} ppm", base.0);
        if let Some(cap) = self.caps.get(&(self.charged(account), venue)) {
            self.capped += 1;
            assert!(fee <= fee_up(base, Ppm(*cap)).0, "{fee} of {} is above the cap of {cap} ppm", base.0);
        }
        let charges = engine.charges(AccountId(account), xos_units::VenueId(venue), InstrumentId(0));
        self.in_tier += u64::from(charges.is_some_and(|view| view.tier > 0));
        let of = view.terms.venue;
        if divided <= 0 || (of != 0 && engine.venues()[usize::from(of) - 1].simulated) {
            // Fees of simulated money are not divided.
            return;
        }
        if view.terms.split.receipts {
            self.due.insert((event.trade_id(), order), divided);
            self.deployers.entry(event.instrument).or_insert(Some(0));
        } else {
            self.deployers.insert(event.instrument, None);
        }
    }

    fn receipt(&mut self, event: &EventRecord) {
        let (told, fee) = (event.division(), event.amount.get());
        let due = self.due.remove(&(told.trade_id, event.order_id));
        assert_eq!(due, Some(fee), "a receipt tells the fee of its trade, once");
        let parts = told.split.parts().map(|ppm| share_down(Amount(fee), Ppm(ppm)).0);
        let rounding = event.counter_amount.get();
        assert_eq!(parts.iter().sum::<i128>() + rounding, fee);
        assert!((0..5).contains(&rounding), "five parts leave less than five atoms");
        let referrer = self.referrers.get(&self.charged(event.account)).copied().unwrap_or(0);
        let expected = if told.split.referrer_ppm == 0 { 0 } else { referrer };
        assert_eq!(told.referrer, expected);
        self.referred += u64::from(told.referrer != 0);
        if let Some(Some(sum)) = self.deployers.get_mut(&event.instrument) {
            *sum += parts[0];
        }
        self.receipts += 1;
    }

    fn observe(&mut self, engine: &Engine, event: &EventRecord) {
        if event.flags & EventFlags::RETRY != 0 {
            return;
        }
        let (fee, other) = (event.amount.get(), event.counter_amount.get());
        let taker = (event.account, event.venue, event.order_id);
        match event.kind() {
            Some(EventKind::AccountOpened) if event.order_id != 0 => {
                self.parents.insert(event.account, event.order_id as u32);
            }
            Some(EventKind::FeeCapSet) if event.qty < 0 => {
                self.caps.remove(&(event.account, event.venue));
            }
            Some(EventKind::FeeCapSet) => {
                self.caps.insert((event.account, event.venue), event.qty as i32);
            }
            Some(EventKind::ReferrerSet) => {
                assert!(self.referrers.insert(event.account, event.order_id as u32).is_none());
            }
            Some(EventKind::Trade) => {
                let maker = (event.counter_account(), event.counter_venue(), event.counter_order_id());
                // A rebate comes out of the taker's fee.
                self.paid(engine, event, taker, fee, fee + other.min(0));
                self.paid(engine, event, maker, other, other);
            }
            Some(EventKind::ImpliedLeg) => self.paid(engine, event, taker, fee, fee),
            Some(EventKind::FeeDivided) if self.due.contains_key(&(event.trade_id(), event.order_id)) => {
                self.receipt(event);
            }
            // Of a step's taker: its legs' rebates are told after it.
            Some(EventKind::FeeDivided) => {
                self.due.insert((event.trade_id(), event.order_id), fee);
                self.deployers.entry(event.instrument).or_insert(Some(0));
                self.receipt(event);
            }
            Some(EventKind::ImpliedTrade) => self.paid(engine, event, taker, fee, 0),
            Some(EventKind::FeesCollected) if event.side == 0 => {
                if let Some(Some(sum)) = self.deployers.get_mut(&(event.order_id as u32)) {
                    *sum -= fee;
                }
            }
            _ => {}
        }
    }

    /// Deployers have what receipts gave them, less what they collected.
    fn compare(&self, engine: &Engine) -> u64 {
        let mut compared = 0;
        for (id, sum) in self.deployers.iter().filter_map(|(id, sum)| sum.map(|sum| (*id, sum))) {
            let found: i128 = (0..engine.assets().len())
                .flat_map(|asset| engine.house(AssetId::from_index(asset)))
                .filter(|house| house.0 == Party::Deployer(InstrumentId(id)))
                .map(|house| house.1.0)
                .sum();
            // A split without a receipt gave its deployer more.
            assert_eq!(found, sum, "deployer of instrument {id}");
            compared += u64::from(sum > 0);
        }
        compared
    }
}

#[test]
fn receipts_add_up_and_nobody_pays_above_a_cap_or_a_reserve() {
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..1_500 } else { 0..250 };
    let (mut receipts, mut referred, mut capped, mut in_tier, mut compared) = (0, 0, 0, 0, 0);
    for seed in seeds {
        let (mut chaos, mut engine, mut reader) = (Chaos::new(seed), Engine::new(), Reader::default());
        let mut first_sequence = 1;
        for _ in 0..900 {
            let (frame, mut events) = (chaos.next_frame(), Vec::new());
            let admitted = Machine::apply(&mut engine, first_sequence, &frame, &mut events).is_ok();
            events.iter().for_each(|event| reader.observe(&engine, event));
            assert!(reader.due.is_empty(), "seed {seed}: {:?} had no receipt", reader.due);
            chaos.observe(&frame, admitted, &events);
            first_sequence += if admitted { frame.sequences() } else { 0 };
        }
        receipts += reader.receipts;
        referred += reader.referred;
        capped += reader.capped;
        in_tier += reader.in_tier;
        compared += reader.compare(&engine);
    }
    println!(
        "{receipts} receipts, {referred} with a referrer, all to the atom; {capped} fees under a cap, {in_tier} in a tier, \
         none above; {compared} deployers have what receipts say"
    );
    assert!(receipts > 1_000 && referred > 40 && capped > 100 && in_tier > 100 && compared > 10);
}

/// What each of the two worlds has of an asset, everything counted: simulated money and real money.
fn worlds(engine: &Engine, asset: AssetId) -> [i128; 2] {
    let is_play = |id: InstrumentId| {
        let venue = engine.instrument(id).map_or(0, |view| view.terms.venue);
        venue != 0 && engine.venues()[usize::from(venue) - 1].simulated
    };
    let mut sums = [0; 2];
    for account in (0..engine.account_count()).map(AccountId::from_index) {
        sums[usize::from(!engine.is_simulated(account))] += engine.balance(account, asset).total.0;
    }
    for (party, amount) in engine.house(asset) {
        let in_play = match party {
            Party::Simulated => true,
            Party::Deployer(id) | Party::Clearing(id) => is_play(id),
            Party::Question(id) | Party::Bonds(id) => {
                engine.question(id).is_some_and(|view| is_play(view.first))
            }
            _ => false,
        };
        sums[usize::from(!in_play)] += amount.0;
    }
    sums
}

#[test]
fn simulated_money_never_meets_any_other() {
    let seeds = if std::env::var_os("XOS_LONG").is_some() { 0..1_500 } else { 0..150 };
    let (mut worlds_seen, mut trades, mut kinds) = (0, 0, BTreeMap::<&str, u64>::new());
    for seed in seeds {
        let (mut chaos, mut engine) = (Chaos::of_play(seed), Engine::new());
        let mut first_sequence = 1;
        let mut simulated = Vec::new();
        for number in 0..900 {
            let (frame, mut events) = (chaos.next_frame(), Vec::new());
            let admitted = Machine::apply(&mut engine, first_sequence, &frame, &mut events).is_ok();
            for event in &events {
                match event.kind() {
                    Some(EventKind::AccountOpened) if event.side == 1 => simulated.push(event.account),
                    Some(EventKind::Trade) => {
                        let sides =
                            [event.account, event.counter_account()].map(|id| simulated.contains(&id));
                        assert_eq!(sides[0], sides[1], "seed {seed}: money of two kinds traded");
                        trades += u64::from(sides[0]);
                    }
                    Some(EventKind::InsurancePaid | EventKind::FeeDivided) => {
                        assert!(
                            !simulated.contains(&event.account),
                            "seed {seed}: the house dealt with play"
                        );
                    }
                    Some(kind) if simulated.contains(&event.account) => {
                        *kinds.entry(kind.name()).or_default() += 1;
                    }
                    _ => {}
                }
            }
            if number % 20 == 0 || number == 899 {
                for asset in (0..engine.assets().len()).map(AssetId::from_index) {
                    assert_eq!(worlds(&engine, asset), [0, 0], "seed {seed}, asset {asset}");
                }
                assert!(engine.audit().is_ok(), "seed {seed}: {:?}", engine.audit());
            }
            chaos.observe(&frame, admitted, &events);
            first_sequence += if admitted { frame.sequences() } else { 0 };
        }
        worlds_seen += u64::from(!simulated.is_empty());
    }
    println!(
        "{worlds_seen} worlds with simulated money, {trades} trades of it, both worlds 0 to the atom: {kinds:?}"
    );
    for kind in ["funding_paid", "payout", "pnl_realised", "set_split", "transferred"] {
        assert!(kinds.contains_key(kind), "no {kind} of simulated money");
    }
    assert!(worlds_seen > 50 && trades > 400 && kinds["payout"] > 5);
}
