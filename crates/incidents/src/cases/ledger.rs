//! Ledger, matching and fees.

use crate::Incident;
use crate::world::{BUY, SELL, command, happened, order, perpetual};
use xos_engine::Defence;
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, DeployCommand, EventKind, Fees, Tif, VenueSpec,
};
use xos_units::Amount;

pub(super) const ROUNDING_HARVEST: Incident = Incident {
    number: "B1",
    what: "Balancer, 3 November 2025: hundreds of tiny swaps, each rounded to the trader's favour, 128 M USD",
    defence: Defence::FeesRoundUp,
    how: "every fee rounds up, so that cutting a fill never saves",
    play: |world| {
        let fees = Fees { maker_ppm: 0, taker_ppm: 500, ceiling_ppm: 0 };
        world.deploy(&DeployCommand::Venue(VenueSpec {
            symbol: "FEES".into(),
            fees: Some(fees),
            ..Default::default()
        }));
        let (whole, cut, maker) =
            (world.account(1_000_000), world.account(1_000_000), world.account(1_000_000));
        let take = |account: u32, qty: i64| CommandRecord {
            venue: 1,
            tif: Tif::Ioc.code(),
            ..order(account, BUY, 100, qty)
        };
        world.order(maker, SELL, 100, 2_000);
        world.send(take(whole, 1_000));
        for _ in 0..1_000 {
            world.send(take(cut, 1));
        }
        let saved = world.cash(cut) - world.cash(whole);
        if saved > 0 {
            Err(format!("a thousand small fills cost {saved} atoms less than one"))
        } else {
            Ok(())
        }
    },
};

pub(super) const OVERFLOW: Incident = Incident {
    number: "B2",
    what: "Cetus, 22 May 2025: a wrong overflow check let one token buy a pool, 223 M USD",
    defence: Defence::SpecBounds,
    how: "a specification whose largest position would leave the number types is refused; arithmetic is checked",
    play: |world| {
        let mut spec = perpetual("GIANT", Fees::default());
        spec.terms.quote_atoms_per_tick_lot = u32::MAX;
        spec.terms.price_max_ticks = (1 << 40) - 1;
        spec.terms.position_max_lots = (1 << 40) - 1;
        spec.terms.qty_max_lots = (1 << 40) - 1;
        spec.terms.notional_max = Amount((1 << 96) - 1);
        let events = world.deploy(&DeployCommand::Instrument(spec));
        if !happened(&events, EventKind::InstrumentDeployed) {
            return Ok(());
        }
        let account = world.account(1);
        let price = (1 << 40) - 1;
        world.send(CommandRecord { instrument: 2, price, ..command(CommandKind::SetMark, 0) });
        let huge = CommandRecord {
            instrument: 2,
            tif: Tif::Ioc.code(),
            ..order(account, BUY, price, (1 << 40) - 1)
        };
        world.send(huge);
        Err("an instrument stands whose positions do not fit the number types".into())
    },
};

pub(super) const WITHDRAWAL_RACE: Incident = Incident {
    number: "B3",
    what: "Flexcoin and Poloniex, 2014: thousands of simultaneous withdrawals of one balance",
    defence: Defence::WithdrawalCheck,
    how: "one log orders all withdrawals, and each is judged against what is left",
    play: |world| {
        let (account, _other) = (world.account(1_000), world.account(1_000_000));
        let paid = (0..10_000).filter(|_| world.withdraw(account, 30)).count();
        if paid == 33 { Ok(()) } else { Err(format!("{paid} withdrawals of 30 were paid from 1,000")) }
    },
};

pub(super) const REPEATED_WITHDRAWAL: Incident = Incident {
    number: "B3",
    what: "the same race through retries: one withdrawal, sent ten thousand times",
    defence: Defence::Idempotence,
    how: "a client id takes effect once; a retry gets the first answer",
    play: |world| {
        let account = world.account(1_000_000);
        let mut record = world.withdrawal(account, 30);
        record.client_id[0] = 1;
        for _ in 0..10_000 {
            world.send(record);
        }
        let paid = 1_000_000 - world.cash(account);
        if paid == 30 { Ok(()) } else { Err(format!("{paid} atoms were paid for one withdrawal of 30")) }
    },
};

pub(super) const PRIVILEGED_ACCOUNT: Incident = Incident {
    number: "B4",
    what: "FTX, 2022: a flag let one account go negative and never be liquidated",
    defence: Defence::NoExemption,
    how: "no account carries a flag; all pass the same checks",
    play: |world| {
        let (friend, customer) = (world.account(0), world.account(1_000_000));
        let borrowed = world.withdraw(friend, 500_000);
        let traded = happened(&world.order(friend, BUY, 100, 1_000_000), EventKind::OrderAccepted);
        let left = world.cash(customer) + world.cash(friend);
        if borrowed || traded {
            Err(format!("an account without money was served; {left} atoms stand for a customer's 1,000,000"))
        } else {
            Ok(())
        }
    },
};

pub(super) const WASH_REBATES: Incident = Incident {
    number: "B5",
    what: "MCDEX epoch 0 and others: accounts of one person trade with each other for the rebate",
    defence: Defence::RebateCap,
    how: "a rebate is at most the taker fee of its fill, also across venues",
    play: |world| {
        let venues = [
            ("CHEAP", Fees { maker_ppm: 0, taker_ppm: 100, ceiling_ppm: 0 }),
            ("GENEROUS", Fees { maker_ppm: -300, taker_ppm: 300, ceiling_ppm: 0 }),
        ];
        for (symbol, fees) in venues {
            world.deploy(&DeployCommand::Venue(VenueSpec {
                symbol: symbol.into(),
                fees: Some(fees),
                ..Default::default()
            }));
        }
        let (maker, taker) = (world.account(1_000_000_000), world.account(1_000_000_000));
        for round in 0..100 {
            let side = (round % 2) as u8;
            world.send(CommandRecord { venue: 2, ..order(maker, side, 100, 1_000) });
            world.send(CommandRecord {
                venue: 1,
                tif: Tif::Ioc.code(),
                ..order(taker, 1 - side, 100, 1_000)
            });
        }
        let gained = world.cash(maker) + world.cash(taker) - 2_000_000_000;
        if gained > 0 { Err(format!("trading with oneself earned {gained} atoms")) } else { Ok(()) }
    },
};

pub(super) const ENDLESS_COMMAND: Incident = Incident {
    number: "B6",
    what: "Nasdaq, 18 May 2012: a calculation that each cancel made longer; over 30,000 orders stuck for two hours",
    defence: Defence::MatchLimit,
    how: "one command meets a declared number of orders, then its rest is cancelled",
    play: |world| {
        let (maker, taker) = (world.account(1 << 60), world.account(1 << 60));
        let limit = world.engine.limits().matches_per_command_max as usize;
        // The limit of open orders of one account is as large as that of matches: two makers.
        let second = world.account(1 << 60);
        for at in 0..=limit {
            world.order(if at % 2 == 0 { maker } else { second }, SELL, 100, 1);
        }
        let events = world.order(taker, BUY, 100, limit as i64 + 1);
        let met = events.iter().filter(|event| event.kind == EventKind::Trade.code()).count();
        let cut = events.iter().any(|event| event.reason == CancelReason::MatchLimit.code());
        if met <= limit && cut {
            Ok(())
        } else {
            Err(format!("one command met {met} orders, {limit} are declared"))
        }
    },
};
