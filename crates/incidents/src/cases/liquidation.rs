//! Liquidation, its backstop and the insurance fund.

use crate::Incident;
use crate::world::{BUY, SELL, World, command, order, perpetual};
use xos_engine::Defence;
use xos_ledger::SETTLEMENT;
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, Fees, LiquidationSpec, Split, Tif, TrancheSpec,
};
use xos_units::Amount;

/// A perpetual with these terms of liquidation, its mark at 100; its number.
pub(super) fn liquidated(world: &mut World, symbol: &str, terms: LiquidationSpec) -> u32 {
    let mut spec = perpetual(symbol, Fees::default());
    spec.liquidation = Some(Box::new(terms));
    let instrument = world.deploy(&DeployCommand::Instrument(spec))[0].instrument;
    set_mark(world, instrument, 100);
    instrument
}

pub(super) fn set_mark(world: &mut World, instrument: u32, price: i64) {
    world.send(CommandRecord { instrument, price, ..command(CommandKind::SetMark, 0) });
}

pub(super) fn trade(
    world: &mut World,
    instrument: u32,
    maker: u32,
    taker: u32,
    side: u8,
    price: i64,
    qty: i64,
) {
    world.send(CommandRecord { instrument, ..order(maker, 1 - side, price, qty) });
    world.send(CommandRecord { instrument, tif: Tif::Ioc.code(), ..order(taker, side, price, qty) });
}

/// A trade elsewhere pays 10,000 atoms of fees into the insurance fund.
pub(super) fn fill_fund(world: &mut World) {
    let mut spec = perpetual("PAYS", Fees { maker_ppm: 0, taker_ppm: 100_000, ceiling_ppm: 0 });
    spec.terms.split = Split { insurance_ppm: 1_000_000, ..Split::NOTHING };
    let pays = world.deploy(&DeployCommand::Instrument(spec))[0].instrument;
    set_mark(world, pays, 100);
    let (one, other) = (world.account(1_000_000), world.account(1_000_000));
    trade(world, pays, one, other, BUY, 100, 1_000);
}

/// Balance of the insurance fund.
pub(super) fn fund(world: &World) -> i128 {
    let house = world.engine.house(SETTLEMENT);
    house.iter().find(|view| view.0 == xos_ledger::Party::Insurance).map_or(0, |view| view.1.0)
}

pub(super) const DUMPED_ON_THE_BACKSTOP: Incident = Incident {
    number: "A3",
    what: "Hyperliquid, JELLY, 26 March 2025: a short was left to the liquidity vault, then the price was pumped to four times",
    defence: Defence::TrancheCap,
    how: "a tranche is an account of its own with a cap: it takes over so much of one market and no more",
    play: |world| {
        let vault = world.account(50_000);
        let tranche = Some(TrancheSpec { account: vault, notional_max: Amount(5_000) });
        let terms = LiquidationSpec { tranche, ..LiquidationSpec::default() };
        let market = liquidated(world, "THIN", terms);
        let (attacker, friend) = (world.account(10_500), world.account(1_000_000));
        trade(world, market, friend, attacker, SELL, 100, 1_000);
        set_mark(world, market, 108);
        set_mark(world, market, 400);
        let left = world.equity(vault).0;
        // 46 lots at 108 lose less than 300 each.
        if left < 50_000 - 46 * 300 {
            Err(format!("{left} atoms are left of the vault's 50,000"))
        } else {
            Ok(())
        }
    },
};

pub(super) const MARGIN_WITHDRAWN: Incident = Incident {
    number: "A4",
    what: "Hyperliquid, 12 March 2025: margin was withdrawn from a position in profit, which then fell to the vault: 4 M USD",
    defence: Defence::MarginStays,
    how: "whatever leaves, the initial margin and a tenth of the notional stay, and profit does not count",
    play: |world| {
        let market = liquidated(world, "COIN", LiquidationSpec::default());
        let (attacker, maker) = (world.account(2_000), world.account(1_000_000));
        trade(world, market, maker, attacker, BUY, 100, 100);
        set_mark(world, market, 120);
        let before = world.cash(attacker);
        for part in [1_000, 500, 200, 100, 100, 50, 50] {
            world.withdraw(attacker, part);
        }
        let taken = before - world.cash(attacker);
        // The price is where it was, less one percent: nothing that liquidation could not have been ready for.
        set_mark(world, market, 99);
        let missing = 100 - world.cash(attacker);
        if missing > 0 {
            return Err(format!("{taken} atoms left, {missing} are missing for a fall of one percent"));
        }
        Ok(())
    },
};

pub(super) const FUND_DRAINED_BY_ONE_MARKET: Incident = Incident {
    number: "A9",
    what: "Binance, 10 October 2025: one shared fund paid 188 M USD in a day; others' funds were a number on a page",
    defence: Defence::InsuranceDrawCap,
    how: "the fund is a ledger account, never negative, and each market draws its declared share of a day",
    play: |world| {
        fill_fund(world);
        let terms = LiquidationSpec { insurance_draw_max: Amount(1_000), ..LiquidationSpec::default() };
        let market = liquidated(world, "DRAWS", terms);
        let (long, short) = (world.account(10_500), world.account(1_000_000));
        trade(world, market, short, long, BUY, 100, 1_000);
        let before = fund(world);
        set_mark(world, market, 80);
        let drawn = before - fund(world);
        if before <= 0 || drawn > 1_000 {
            return Err(format!("one market drew {drawn} of the {before} that insure all"));
        }
        Ok(())
    },
};
