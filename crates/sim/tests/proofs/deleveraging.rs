//! Rounds of deleveraging: what the other side gives, and that nobody can change his part by being another number.

use crate::desk::{BUY, Desk, command, of, perpetual};
use proptest::prelude::*;
use std::collections::BTreeMap;
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventKind, Fees, LiquidationSpec};

const FROM: i64 = 1_000;
const K: i128 = 3;

/// A short: lots, atoms of margin for a lot, entry price.
#[derive(Clone, Copy, Debug)]
struct Short {
    lots: i64,
    margin: i128,
    entry: i64,
}

impl Short {
    fn is_near(&self) -> bool {
        self.entry > 900
    }
}

/// Shorts against longs with little margin; the first `thin` lots of the shorts are theirs, a rich account has the rest.
#[derive(Clone, Debug)]
struct Scene {
    shorts: Vec<Short>,
    /// Lots and margin of a lot of the longs that the fall bankrupts.
    thin: Vec<(i64, i128)>,
    mark: i64,
}

/// What happened: lots by short, and lots of a flat account and of the rich long.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    shorts: Vec<i64>,
    others: i64,
    closed: i64,
    price: i64,
}

/// Plays a scene, accounts opened in the order that `turn` gives.
fn play(scene: &Scene, turn: u64) -> Given {
    let mut desk = Desk::new();
    let mut spec = perpetual("PERP", 100_000, Fees::default());
    spec.liquidation = Some(Box::new(LiquidationSpec::default()));
    let market = desk.deploy(&DeployCommand::Instrument(spec));
    desk.mark(market, FROM);
    let count = scene.shorts.len() + scene.thin.len();
    let mut order: Vec<usize> = (0..count + 2).collect();
    if turn > 0 {
        order.sort_by_key(|at| (*at as u64 ^ turn).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    let mut ids = vec![0; count + 2];
    for at in order {
        let deposit = match at.checked_sub(scene.shorts.len()) {
            None => scene.shorts[at].margin * i128::from(scene.shorts[at].lots),
            Some(long) if long < scene.thin.len() => scene.thin[long].1 * i128::from(scene.thin[long].0),
            Some(_) => 1 << 60,
        };
        ids[at] = desk.account(at as u8 + 1, deposit);
    }
    let rich = ids[count];
    let mut wants: Vec<(u32, i64)> =
        scene.thin.iter().zip(&ids[scene.shorts.len()..]).map(|((lots, _), id)| (*id, *lots)).collect();
    for (short, &id) in scene.shorts.iter().zip(&ids) {
        let mut left = short.lots;
        while left > 0 {
            let (buyer, lots) = match wants.iter_mut().find(|(_, lots)| *lots > 0 && short.is_near()) {
                Some((buyer, open)) => {
                    let lots = left.min(*open);
                    *open -= lots;
                    (*buyer, lots)
                }
                None => (rich, left),
            };
            desk.trade(market, id, buyer, BUY, short.entry, lots);
            left -= lots;
        }
    }
    let cash: i128 = ids.iter().map(|&id| desk.cash(id)).sum();
    let events = desk.send(CommandRecord {
        instrument: market,
        price: scene.mark,
        ..command(CommandKind::SetMark, 0)
    });
    let mut given: BTreeMap<u32, i64> = BTreeMap::new();
    let (mut haircut, mut price) = (0, 0);
    for event in of(&events, EventKind::Deleveraged) {
        *given.entry(event.account).or_default() += event.qty;
        haircut += event.counter_amount.get();
        price = event.price;
        // Nobody flips: a short is still one, or flat.
        assert!(event.qty > 0 && event.remaining <= 0, "{event:?}");
    }
    let closed: Vec<_> = of(&events, EventKind::BankruptcyClosed).collect();
    let lots: i64 = closed.iter().map(|event| event.qty).sum();
    assert_eq!(lots, given.values().sum::<i64>(), "lots closed are lots given");
    // What the shorts lost against the mark is what the bankrupt accounts' prices are above it, and less than an atom each more.
    let missing: i128 =
        closed.iter().map(|event| i128::from(event.price - scene.mark) * K * i128::from(event.qty)).sum();
    assert!(haircut >= missing && haircut <= missing + given.len() as i128, "{haircut} for {missing}");
    let after: i128 = ids.iter().map(|&id| desk.cash(id)).sum();
    let costs: i128 = ids.iter().map(|&id| desk.position(id, market).1).sum();
    assert_eq!(cash, after + desk.fund() - costs, "money is moved, not made");
    desk.check();

    let of_account = |id: &u32| given.get(id).copied().unwrap_or(0);
    let others: i64 = ids[scene.shorts.len()..].iter().map(of_account).sum();
    Given { shorts: ids[..scene.shorts.len()].iter().map(of_account).collect(), others, closed: lots, price }
}

fn scene() -> impl Strategy<Value = Scene> {
    let near =
        (1i64..400, prop_oneof![Just(450i128), 430i128..3_000], prop_oneof![Just(FROM), 960i64..1_040]);
    // Sold below the price of the round: a loss, asked last.
    let low = (1i64..400, 1_500i128..3_000, 690i64..700);
    let short =
        prop_oneof![4 => near, 1 => low].prop_map(|(lots, margin, entry)| Short { lots, margin, entry });
    let longs = proptest::collection::vec((1i64..300, 430i128..600), 1..5);
    // A fall of 30 to 50 percent: margin of 14 to 20 percent is used up, by some more than by others.
    (proptest::collection::vec(short, 1..14), longs, 500i64..700).prop_map(|(mut shorts, thin, mark)| {
        shorts[0].entry = FROM;
        let mut open: i64 = shorts.iter().filter(|short| short.is_near()).map(|short| short.lots).sum();
        let mut cut = Vec::new();
        for (lots, margin) in thin {
            let lots = lots.min(open);
            open -= lots;
            if lots > 0 {
                cut.push((lots, margin));
            }
        }
        Scene { shorts, thin: cut, mark }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_other_side_gives_and_nobody_else(scene in scene()) {
        let given = play(&scene, 0);
        prop_assert!(given.closed > 0);
        prop_assert_eq!(given.others, 0);
        for (lots, short) in given.shorts.iter().zip(&scene.shorts) {
            prop_assert!(*lots >= 0 && *lots <= short.lots);
        }
    }

    /// Only the lot that goes to the smaller account number may go to another.
    #[test]
    fn numbers_of_accounts_decide_one_lot_at_most(scene in scene(), turn in 1u64..u64::MAX) {
        let (one, other) = (play(&scene, 0), play(&scene, turn));
        prop_assert_eq!((one.closed, one.price), (other.closed, other.price));
        for (one, other) in one.shorts.iter().zip(&other.shorts) {
            prop_assert!((one - other).abs() <= 1, "{} became {}", one, other);
        }
    }

    #[test]
    fn splitting_an_account_changes_one_lot_at_most(scene in scene(), at in any::<prop::sample::Index>(), cut in 1i64..400) {
        let at = at.index(scene.shorts.len());
        let whole = scene.shorts[at];
        let cut = cut % whole.lots.max(2);
        prop_assume!(cut > 0 && cut < whole.lots);
        let one = play(&scene, 0);
        let mut split = scene.clone();
        split.shorts[at].lots = cut;
        split.shorts.insert(at + 1, Short { lots: whole.lots - cut, ..whole });
        let mut other = play(&split, 0);
        let half = other.shorts.remove(at + 1);
        other.shorts[at] += half;
        prop_assert_eq!(one.closed, other.closed);
        for (one, other) in one.shorts.iter().zip(&other.shorts) {
            prop_assert!((one - other).abs() <= 1, "{} became {}", one, other);
        }
    }
}
