//! Prices, margin and liquidation.

use crate::Incident;
use crate::world::{BUY, SELL, World, command, happened, order, perpetual};
use xos_engine::Defence;
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, EventKind, Fees, FundingSpec, Int128, MarginSpec,
    OpenInterestBounds, Tif,
};
use xos_units::{AccountId, Amount, InstrumentId};

/// An honest market around 1,000 for five minutes: a bid, an ask and a trade now and then.
fn quiet_market(world: &mut World) -> (u32, u32) {
    let instrument = world.oracle_perpetual(1_000);
    let maker = world.account(1_000_000_000);
    for minute in 0..30 {
        let lots = |side, price| CommandRecord { instrument, ..order(maker, side, price, 10) };
        world.send(lots(BUY, 999));
        world.send(lots(SELL, 1_001));
        let taker = world.account(1_000_000);
        let side = (minute % 2) as u8;
        let price = if side == BUY { 1_001 } else { 999 };
        let take = order(taker, side, price, 1);
        world.send(CommandRecord { instrument, tif: Tif::Ioc.code(), ..take });
        for publisher in 1..=5 {
            world.publish(instrument, publisher, 1_000);
        }
        world.pass_s(9);
        world.send(CommandRecord { side: 2, ..command(CommandKind::MassCancel, maker) });
    }
    for publisher in 1..=5 {
        world.publish(instrument, publisher, 1_000);
    }
    (instrument, maker)
}

pub(super) const MANIPULATED_ORACLE: Incident = Incident {
    number: "A1",
    what: "Mango, October 2022: the feed of a thin token was pumped, and its holder borrowed over 100 M USD against it",
    defence: Defence::MedianOfSources,
    how: "the index is a weighted median of sources, cut at a distance from their median",
    play: |world| {
        let instrument = world.oracle_perpetual(1_000);
        world.publish(instrument, 5, 1_000);
        // Two of five are the attacker's, and tell the truth times nine.
        world.publish(instrument, 4, 9_000);
        world.publish(instrument, 5, 9_000);
        let mark = world.mark_of(instrument);
        if mark > 1_050 {
            Err(format!("two of five sources moved the mark from 1000 to {mark}"))
        } else {
            Ok(())
        }
    },
};

pub(super) const COLLATERAL_AT_ITS_OWN_BOOK: Incident = Incident {
    number: "A2",
    what: "Binance, 10 October 2025: collateral was valued by the exchange's own thin book, USDe at 0.65; over 283 M USD paid back",
    defence: Defence::CollateralAtIndex,
    how: "collateral is valued at an index of many sources, with haircuts by size",
    play: |world| {
        let spot = world.collateral_spot();
        let (trader, maker) = (world.account(100), world.account(1_000_000));
        let (seller, bidder) = (world.account(0), world.account(1_000_000));
        world.send(CommandRecord {
            instrument: 2,
            amount: Int128::new(10),
            ..command(CommandKind::Deposit, trader)
        });
        world.send(CommandRecord {
            instrument: 2,
            amount: Int128::new(1),
            ..command(CommandKind::Deposit, seller)
        });
        let lots = |account, side, price, qty| CommandRecord {
            instrument: spot,
            ..order(account, side, price, qty)
        };
        world.send(lots(bidder, BUY, 100, 1));
        world.send(CommandRecord { tif: Tif::Ioc.code(), ..lots(seller, SELL, 100, 1) });
        // 10 x 100 less a tenth, and 100 in cash, back a position of 8,000 that needs 400 to be kept.
        world.trade(maker, trader, BUY, 100, 80);
        // One lot trades at a ninth of the index in an empty book.
        world.send(lots(bidder, SELL, 11, 1));
        world.send(CommandRecord { tif: Tif::Ioc.code(), ..lots(maker, BUY, 11, 1) });
        let (equity, needed) = world.engine.maintenance(AccountId(trader));
        if equity < needed {
            Err("one small trade made an account liquidatable that lost nothing".into())
        } else {
            Ok(())
        }
    },
};

pub(super) const FUNDING_FROM_A_THIN_BOOK: Incident = Incident {
    number: "A11",
    what: "several exchanges: a small order far from the index, in a thin book, sets everybody's funding",
    defence: Defence::ImpactNotional,
    how: "the premium is what a declared notional would trade at, averaged over all samples of the interval, and capped",
    play: |world| {
        let mut spec = perpetual("FUNDED", Fees::default());
        spec.funding = Some(Box::new(FundingSpec {
            interval_h: 1,
            interest: 0,
            clamp: 0,
            cap: 40_000_000_000,
            impact_notional: Amount(100_000),
            sample_s: 5,
        }));
        world.deploy(&DeployCommand::Instrument(spec));
        for kind in [CommandKind::SetMark, CommandKind::SetIndex] {
            world.send(CommandRecord { instrument: 2, price: 1_000, ..command(kind, 0) });
        }
        let (maker, attacker) = (world.account(1_000_000_000), world.account(1_000_000));
        let lots =
            |account, side, price, qty| CommandRecord { instrument: 2, ..order(account, side, price, qty) };
        world.send(lots(maker, BUY, 999, 200));
        world.send(lots(maker, SELL, 1_101, 200));
        // One lot, ten percent above the index.
        world.send(lots(attacker, BUY, 1_100, 1));
        world.pass_s(3_700);
        let rate = world.engine.funding(InstrumentId(2)).and_then(|view| view.history.last().copied());
        let Some(settled) = rate else { return Err("no funding was settled".into()) };
        // A hundredth of a percent for the hour.
        if settled.rate.0 > 100_000_000 {
            return Err(format!("one lot made a funding rate of {} ppm an hour", settled.rate.0 / 1_000_000));
        }
        Ok(())
    },
};

pub(super) const OPEN_INTEREST_IN_A_THIN_MARKET: Incident = Incident {
    number: "A5",
    what: "dYdX, YFI, November 2023: over 100 wallets at five times leverage; the fund paid 9 M USD when the price fell 30 %",
    defence: Defence::OpenInterestScaling,
    how: "initial margin rises with open interest, up to the whole value",
    play: |world| {
        let mut spec = perpetual("THIN", Fees::default());
        let bounds = OpenInterestBounds { lower: Amount(10_000), upper: Amount(50_000) };
        spec.margin = Some(MarginSpec { open_interest_scaling: Some(bounds), ..MarginSpec::default() });
        world.deploy(&DeployCommand::Instrument(spec));
        world.send(CommandRecord { instrument: 2, price: 100, ..command(CommandKind::SetMark, 0) });
        let maker = world.account(1_000_000_000);
        world.send(CommandRecord { instrument: 2, ..order(maker, SELL, 100, 10_000) });
        let wallets: Vec<u32> = (0..200).map(|_| world.account(200)).collect();
        for &wallet in &wallets {
            world.send(CommandRecord { instrument: 2, tif: Tif::Ioc.code(), ..order(wallet, BUY, 100, 20) });
        }
        world.send(CommandRecord { instrument: 2, price: 70, ..command(CommandKind::SetMark, 0) });
        let missing: i128 = wallets.iter().map(|wallet| world.equity(*wallet).0.min(0)).sum();
        // What a fund of a tenth of the upper bound can carry.
        if missing < -5_000 {
            Err(format!("{} atoms are missing after a fall of 30 %", -missing))
        } else {
            Ok(())
        }
    },
};

pub(super) const FAKE_WALL: Incident = Incident {
    number: "A6",
    what: "POPCAT, 12 November 2025: a wall of bids lifted the mark, then went; the liquidity vault lost 4.9 M USD",
    defence: Defence::MarkOfComponents,
    how: "the mark is the median of an index with an averaged basis, the book with the last trade, and a slower one",
    play: |world| {
        let (instrument, _) = quiet_market(world);
        let attacker = world.account(1_000_000_000);
        let wall = |side, price| CommandRecord { instrument, ..order(attacker, side, price, 100_000) };
        let bid = world.send(wall(BUY, 1_040))[0].order_id;
        world.send(wall(SELL, 1_045));
        world.pass_s(3);
        let mark = world.mark_of(instrument);
        world.send(CommandRecord { order_id: bid, ..command(CommandKind::Cancel, attacker) });
        if mark > 1_010 {
            Err(format!("orders that never traded moved the mark from 1000 to {mark}"))
        } else {
            Ok(())
        }
    },
};

pub(super) const MARK_IS_THE_LAST_TRADE: Incident = Incident {
    number: "A7",
    what: "XPL before its launch, 26 August 2025: the mark followed the last trades to three times; 17 M USD liquidated",
    defence: Defence::MarkBand,
    how: "the mark stays in a band around the index",
    play: |world| {
        let (instrument, _) = quiet_market(world);
        let (one, other) = (world.account(1_000_000_000), world.account(1_000_000_000));
        world.send(CommandRecord { instrument, ..order(one, SELL, 1_800, 1) });
        world.send(CommandRecord { instrument, tif: Tif::Ioc.code(), ..order(other, BUY, 1_800, 1) });
        world.pass_s(1);
        let mark = world.mark_of(instrument);
        if mark > 1_050 {
            Err(format!("one trade with oneself moved the mark from 1000 to {mark}"))
        } else {
            Ok(())
        }
    },
};

pub(super) const STALE_AFTER_RESTART: Incident = Incident {
    number: "A12",
    what: "dYdX, 10 October 2025: after an outage trades and liquidations ran on stale prices; 462,000 USD of claims",
    defence: Defence::RestartLadder,
    how: "after a restart only cancels, until enough sources have spoken; then post-only for a while",
    play: |world| {
        let (instrument, maker) = quiet_market(world);
        world.send(CommandRecord { instrument, ..order(maker, SELL, 1_001, 10) });
        world.time_ns += 8 * 3_600 * 1_000_000_000;
        world.send(command(CommandKind::Restart, 0));
        let taker = world.account(1_000_000);
        let take = CommandRecord { instrument, tif: Tif::Ioc.code(), ..order(taker, BUY, 1_001, 10) };
        let traded = happened(&world.send(take), EventKind::Trade);
        if traded { Err("an order traded on prices of eight hours ago".into()) } else { Ok(()) }
    },
};

pub(super) const UNREALISED_PROFIT_WITHDRAWN: Incident = Incident {
    number: "A10",
    what: "Drift, 11 May 2022: profit that stood only in a price left as cash, 8.7 M USD net",
    defence: Defence::ProfitStays,
    how: "what may be withdrawn counts each unrealised profit as nothing",
    play: |world| {
        let (trader, friend) = (world.account(1_000), world.account(1_000_000));
        world.trade(friend, trader, BUY, 100, 100);
        world.mark(200);
        let taken = world.withdraw(trader, 900);
        world.mark(100);
        // At the price at which everything began, the position must still have its maintenance margin.
        let equity = world.equity(trader).0;
        if equity < 500 {
            return Err(format!("{} atoms back a position that must have 500; withdrawn: {taken}", equity));
        }
        Ok(())
    },
};

pub(super) const NEGATIVE_PRICE: Incident = Incident {
    number: "A14",
    what: "WTI, April 2020: a price of -37.63 where systems expected a positive one",
    defence: Defence::PricesArePositive,
    how: "an instrument declares its range of prices; zero and less is refused",
    play: |world| {
        let (penniless, maker) = (world.account(0), world.account(1_000_000));
        world.order(maker, BUY, 50, 10);
        world.mark(-3_763);
        let accepted = happened(&world.order(penniless, SELL, 60, 1_000), EventKind::OrderAccepted);
        if accepted { Err("an account without money was let into a position".into()) } else { Ok(()) }
    },
};
