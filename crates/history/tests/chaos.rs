//! The fold over seeded chaos: balances are the engine's, and where it is cut and taken up again changes no row.

use std::collections::BTreeMap;
use xos_engine::{Engine, FrameHeader};
use xos_history::{Batch, Facts, Frame, Kind, Row, Standing, unpacked};
use xos_protocol::{CommandRecord, EventRecord};
use xos_sim::workload::{Body, Chaos};
use xos_units::{AccountId, AssetId, OrderId};

const FRAMES: usize = 600;

fn seeds() -> u64 {
    std::env::var("XOS_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// A database in memory.
#[derive(Default)]
struct Kept {
    rows: BTreeMap<(Kind, u32, u64), Row>,
    candles: BTreeMap<(u8, u64, u32, u64), Vec<i128>>,
    standing: BTreeMap<(Kind, u64, u64), Vec<u8>>,
    number: u64,
}

impl Kept {
    fn write(&mut self, batch: Batch) {
        for chunk in batch.chunks {
            let rows = unpacked(chunk.kind.columns().len(), &chunk.rows).expect("its own bytes");
            assert_eq!(
                (rows[0].0[0] as u64, rows.last().expect("one").0[0] as u64),
                (chunk.first, chunk.last)
            );
            for row in rows {
                let key = (chunk.kind, chunk.owner, row.0[0] as u64);
                assert!(self.rows.insert(key, row).is_none(), "a number twice: {key:?}");
            }
        }
        for (source, bar_s, instrument, begin, row) in batch.candles {
            self.candles.insert((source as u8, bar_s, instrument, begin), row.to_vec());
        }
        for (kind, first, second, bytes) in batch.standing {
            self.standing.insert((kind, first, second), bytes);
        }
        for key in batch.gone.iter().map(|(kind, first, second)| (*kind, *first, *second)) {
            assert!(self.standing.remove(&key).is_some(), "{key:?} did not stand");
        }
        self.number = batch.number;
    }

    fn standing(&self) -> Vec<Standing> {
        let rows = self.standing.iter();
        rows.map(|((kind, first, second), bytes)| (*kind, *first, *second, bytes.clone())).collect()
    }
}

/// Every row, candle and standing thing after a run that is cut after some frames; with `again` the fold is made anew
/// there from what was kept.
fn run(seed: u64, cut: impl Fn(usize) -> bool, again: bool) -> (Kept, Engine) {
    let (mut chaos, mut engine) = (Chaos::new(seed), Engine::new());
    engine.keep_postings();
    let mut facts = Facts::new(&engine, 0, &[]).expect("nothing");
    let mut kept = Kept::default();
    for at in 0..FRAMES {
        let frame = chaos.next_frame();
        let mut events: Vec<EventRecord> = Vec::new();
        let header = FrameHeader { first_sequence: engine.sequence() + 1, time_ns: frame.time_ns };
        let none: Vec<CommandRecord> = Vec::new();
        let (taken, commands) = match &frame.body {
            Body::Commands(commands) => (engine.apply_records(header, commands, &mut events), commands),
            Body::Deploy(body) => (engine.apply_deploy(header, body, &mut events), &none),
        };
        chaos.observe(&frame, taken.is_ok(), &events);
        let postings = engine.take_postings();
        if taken.is_err() {
            continue;
        }
        facts.take(&Frame {
            first_sequence: header.first_sequence,
            time_ns: header.time_ns,
            commands,
            events: &events,
            postings: &postings,
            engine: &engine,
        });
        for account in 1..=engine.account_count() as u32 {
            for asset in 1..=engine.assets().len() as u32 {
                let balance = engine.balance(AccountId(account), AssetId(asset)).total.0;
                let told = facts.balance(account, asset);
                assert_eq!(told, balance, "seed {seed}, frame {at}: account {account}, asset {asset}");
            }
        }
        if cut(at) {
            kept.write(facts.flush());
            if again {
                facts = Facts::new(&engine, kept.number, &kept.standing()).expect("its own batches");
            }
        }
    }
    kept.write(facts.flush());
    (kept, engine)
}

#[test]
fn balances_are_the_engines_and_cuts_change_nothing() {
    let mut kinds: BTreeMap<(Kind, i128), usize> = BTreeMap::new();
    for seed in 0..seeds() {
        let (whole, engine) = run(seed, |_| false, false);
        let (often, _) = run(seed, |at| at % 7 == 0, false);
        let (resumed, _) = run(seed, |at| at % 31 == 3, true);
        for other in [often, resumed] {
            assert!(whole.rows == other.rows, "seed {seed}: rows");
            assert!(whole.candles == other.candles, "seed {seed}: candles");
            assert!(whole.standing == other.standing, "seed {seed}: what stands");
        }
        judge(seed, &whole, &engine);
        for ((kind, ..), (row, _)) in &whole.rows {
            *kinds.entry((*kind, if *kind == Kind::Movement { row[3] } else { 0 })).or_default() += 1;
        }
    }
    println!("{kinds:?}");
    for kind in [Kind::Order, Kind::Trade, Kind::Funding, Kind::Liquidation, Kind::Position] {
        assert!(kinds.get(&(kind, 0)).is_some_and(|count| *count > 20), "{kind:?}: {kinds:?}");
    }
    assert!(!kinds.contains_key(&(Kind::Movement, 0)), "an event told of money that nobody posted");
}

/// What stands is what the engine has; the chain of an account's balances has no gap.
fn judge(seed: u64, kept: &Kept, engine: &Engine) {
    for ((kind, first, second), bytes) in &kept.standing {
        let (row, _) = &unpacked(kind.columns().len(), bytes).expect("a row")[0];
        match kind {
            Kind::Order if row[23] == 0 => {
                let view =
                    engine.order(OrderId(*first)).unwrap_or_else(|| panic!("seed {seed}: order {first}"));
                let order = &view.order;
                assert_eq!(row[11], order.price.0.into(), "seed {seed}: price of {first}");
                assert_eq!(row[8], (order.tif as u8).into(), "seed {seed}: tif of {first}");
            }
            Kind::Position => {
                let found = engine.positions(AccountId(*first as u32));
                let lots =
                    found.iter().find(|held| u64::from(held.instrument.0) == *second).map_or(0, |h| h.lots);
                assert_eq!(row[7], lots.into(), "seed {seed}: account {first}, instrument {second}");
            }
            _ => {}
        }
    }
    let resting = kept.standing.iter().filter(|((kind, ..), bytes)| {
        *kind == Kind::Order && unpacked(Kind::Order.columns().len(), bytes).expect("a row")[0].0[23] == 0
    });
    assert_eq!(resting.count(), engine.orders_resting(), "seed {seed}: resting orders");
    let mut balances: BTreeMap<(u32, i128), i128> = BTreeMap::new();
    for ((kind, owner, _), (row, _)) in &kept.rows {
        if *kind == Kind::Movement {
            let before = balances.entry((*owner, row[4])).or_default();
            assert_eq!(*before + row[5], row[6], "seed {seed}: account {owner}");
            *before = row[6];
        }
    }
}
