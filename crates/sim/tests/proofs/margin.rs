//! Invariant 22 on positions: more of one never needs less, less of one never harms, more collateral never lowers anything.

use crate::desk::{BUY, Desk, SELL, USD, command, order, perpetual, terms};
use proptest::prelude::*;
use xos_protocol::{
    AssetSpec, CollateralTier, CommandKind, CommandRecord, DeployCommand, Fees, Flags, InstrumentSpec,
    MarginSpec, MarginTier, OpenInterestBounds, Product, Tif,
};
use xos_units::Amount;

const MARK: i64 = 100;
const COIN: u32 = 2;

/// Spot with collateral tiers, then three perpetuals with tiers, one of them scaled by open interest; accounts 1 and 2.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.deploy(&DeployCommand::Asset(AssetSpec::new("COIN".into(), 0)));
    let product = Product::Spot { base: COIN, quote: USD, base_atoms_per_lot: 2 };
    let mut spot = InstrumentSpec::new("COIN-USD".into(), product, terms(Fees::default()));
    let tier = |up_to_lots, haircut_ppm| CollateralTier { up_to_lots, haircut_ppm };
    spot.collateral = vec![tier(100, 50_000), tier(300, 333_333), tier(500, 1_000_000)];
    desk.deploy(&DeployCommand::Instrument(spot));
    desk.must(CommandRecord { instrument: 1, price: 77, ..command(CommandKind::SetIndex, 0) });
    for number in 2..=4 {
        let mut spec = perpetual(&format!("PERP{number}"), 33_333, Fees::default());
        let tier = |from: i128, initial_ppm| MarginTier {
            notional_from: Amount(from),
            initial_ppm,
            maintenance_ppm: initial_ppm / 2,
        };
        let bounds = OpenInterestBounds { lower: Amount(9_000), upper: Amount(90_001) };
        let tiers = vec![tier(7_001, 71_111), tier(20_011, 250_001)];
        spec.margin = Some(MarginSpec { tiers, open_interest_scaling: (number == 3).then_some(bounds) });
        desk.deploy(&DeployCommand::Instrument(spec));
        desk.mark(number, MARK);
    }
    desk.account(1, 400_000);
    desk.account(2, 1 << 50);
    desk
}

/// Account 1 trades signed lots with account 2 at a price.
fn trade(desk: &mut Desk, instrument: u32, lots: i64, price: i64, flags: u8) {
    let side = if lots > 0 { BUY } else { SELL };
    desk.must(order(2, instrument, 1 - side, price, lots.abs()));
    let take = order(1, instrument, side, price, lots.abs());
    desk.must(CommandRecord { tif: Tif::Ioc.code(), flags, ..take });
    desk.send(CommandRecord { side: 2, ..command(CommandKind::MassCancel, 2) });
}

fn positions() -> impl Strategy<Value = Vec<(u32, i64)>> {
    let lots = prop_oneof![1i64..90, -90i64..0];
    proptest::collection::vec((2u32..=4, lots), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_larger_position_needs_no_less(held in positions(), instrument in 2u32..=4, more in 1i64..60, mark in 80i64..125) {
        let mut desk = desk();
        for (instrument, lots) in held {
            trade(&mut desk, instrument, lots, MARK, 0);
        }
        desk.mark(instrument, mark);
        let before = desk.risk(1);
        let (lots, _) = desk.position(1, instrument);
        // Whatever it costs: what counts is the requirement.
        desk.deposit(1, USD, 10_000_000);
        trade(&mut desk, instrument, if lots < 0 { -more } else { more }, mark, 0);
        let after = desk.risk(1);
        prop_assert!(after.initial >= before.initial && after.maintenance >= before.maintenance, "{before:?} {after:?}");
        desk.check();
    }

    #[test]
    fn reducing_at_the_mark_never_lowers_the_margin_ratio(
        held in positions(), at in any::<prop::sample::Index>(), share in 1i64..=100, marks in [80i64..125, 80i64..125, 80i64..125]
    ) {
        let mut desk = desk();
        for (instrument, lots) in &held {
            trade(&mut desk, *instrument, *lots, MARK, 0);
        }
        for (instrument, mark) in (2..).zip(marks) {
            desk.mark(instrument, mark);
        }
        let instrument = held[at.index(held.len())].0;
        let (lots, _) = desk.position(1, instrument);
        let before = desk.risk(1);
        prop_assume!(lots != 0 && before.equity_for_maintenance >= Amount(0));
        let part = (lots.abs() * share / 100).max(1) * -lots.signum();
        trade(&mut desk, instrument, part, marks[instrument as usize - 2], Flags::REDUCE_ONLY);
        let after = desk.risk(1);
        prop_assert_eq!(desk.position(1, instrument).0, lots + part);
        let (had, has) = (before.equity_for_maintenance.0, after.equity_for_maintenance.0);
        prop_assert!(has * before.maintenance.0 >= had * after.maintenance.0, "{before:?} {after:?}");
        prop_assert!(after.headroom >= before.headroom, "{before:?} {after:?}");
        desk.check();
    }

    #[test]
    fn more_collateral_never_lowers_anything(held in positions(), coins in 0i128..1_300, more in 1i128..400, mark in 80i64..125) {
        let mut desk = desk();
        desk.deposit(1, COIN, coins);
        for (instrument, lots) in held {
            trade(&mut desk, instrument, lots, MARK, 0);
        }
        desk.mark(2, mark);
        let before = desk.risk(1);
        desk.deposit(1, COIN, more);
        let between = desk.risk(1);
        desk.deposit(1, USD, more);
        let after = desk.risk(1);
        for (less, more) in [(&before, &between), (&between, &after)] {
            prop_assert!(more.headroom >= less.headroom && more.withdrawable >= less.withdrawable);
            prop_assert!(more.equity_for_maintenance >= less.equity_for_maintenance);
            prop_assert_eq!((less.initial, less.maintenance), (more.initial, more.maintenance));
        }
    }
}
