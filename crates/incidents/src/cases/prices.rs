//! Prices, margin and liquidation.

use crate::Incident;
use crate::world::{BUY, SELL, happened};
use xos_engine::Defence;
use xos_protocol::EventKind;

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
