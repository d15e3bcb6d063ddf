//! Deleveraging: who gives, and in what order money moves while a market closes.

use super::liquidation::{fill_fund, fund, liquidated, set_mark, trade};
use crate::Incident;
use crate::world::{BUY, World, command, perpetual};
use xos_engine::Defence;
use xos_ledger::{Party, Posting};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventKind, Fees, LiquidationSpec};
use xos_units::{AccountId, InstrumentId};

pub(super) const WINNERS_CLOSED_FIRST: Incident = Incident {
    number: "A8",
    what: "Hyperliquid, 10 October 2025: a queue closed whole winners, hedges too, and left their equals alone; some 45 to 52 M USD more than was missing",
    defence: Defence::ProRata,
    how: "everybody on the other side gives in proportion to size and leverage, at a price that takes what is missing",
    play: |world| {
        let market = liquidated(world, "FALLS", LiquidationSpec::default());
        // Two longs of 400 and 600 lots against equal shorts of 100; the last of them comes as two halves.
        let (thin, rich) = (world.account(4_000), world.account(1_000_000));
        let flat = world.account(1_000_000);
        let shorts: Vec<(u32, i64)> = (0..11)
            .map(|at| if at < 9 { 100 } else { 50 })
            .map(|lots| (world.account(2_000 * i128::from(lots) / 100), lots))
            .collect();
        for (at, &(short, lots)) in shorts.iter().enumerate() {
            trade(world, market, short, if at < 4 { thin } else { rich }, BUY, 100, lots);
        }
        // A loss of 6,000 of 4,000: 2,000 are missing, 5 a lot.
        let events =
            world.send(CommandRecord { instrument: market, price: 85, ..command(CommandKind::SetMark, 0) });
        let gave = |account: u32| {
            let receipts = events.iter().filter(|event| event.kind == EventKind::Deleveraged.code());
            receipts.filter(|event| event.account == account).map(|event| event.qty).sum::<i64>()
        };
        let taken: i128 = events
            .iter()
            .filter(|event| event.kind == EventKind::Deleveraged.code())
            .map(|event| event.counter_amount.get())
            .sum();
        if !(2_000..=2_002).contains(&taken) {
            return Err(format!("2000 atoms were missing and {taken} were taken"));
        }
        if gave(flat) != 0 || gave(thin) != 0 || gave(rich) != 0 {
            return Err("an account gave that is not on the other side".into());
        }
        for &(short, lots) in &shorts {
            // 400 lots of 1,000: two fifths of what each holds.
            let (due, given) = (lots * 2 / 5, gave(short));
            if (given - due).abs() > 1 {
                return Err(format!("account {short} gave {given} of {lots} lots, its share is {due}"));
            }
        }
        Ok(())
    },
};

/// The account of `parent` that trades one perpetual alone.
fn isolated(world: &mut World, parent: u32, owner: [u8; 32], instrument: u32) -> u32 {
    let record = command(CommandKind::OpenAccount, 0);
    let events =
        world.send(CommandRecord { client_id: owner, order_id: parent.into(), instrument, ..record });
    assert_eq!(events[0].kind, EventKind::AccountOpened.code(), "{events:?}");
    events[0].account
}

/// The least sum of some balances between two legs, `start` before the first.
fn lowest(start: i128, postings: &[Posting], among: impl Fn(Party) -> bool) -> i128 {
    let (mut sum, mut least) = (start, start);
    for posting in postings {
        for (party, by) in [(posting.from, -posting.amount.0), (posting.to, posting.amount.0)] {
            sum += if among(party) { by } else { 0 };
        }
        least = least.min(sum);
    }
    least
}

pub(super) const PAID_AFTER_IT_WAS_GIVEN_BACK: Incident = Incident {
    number: "A13",
    what: "dYdX, 10 October 2025: insurance paid after the last positions of an isolated market had taken its collateral along; the negative pool stopped the chain for 8 hours",
    defence: Defence::PayerFirst,
    how: "who pays pays first: insurance, then the close, and what is left goes back at the end of the command",
    play: |world| {
        fill_fund(world);
        let mut spec = perpetual("ALONE", Fees::default());
        spec.isolated_only = true;
        spec.liquidation = Some(Box::new(LiquidationSpec::default()));
        let market = world.deploy(&DeployCommand::Instrument(spec))[0].instrument;
        set_mark(world, market, 100);
        let mut family = |number: u8| {
            let parent = world.owned_account([number; 32], 1_000);
            (parent, isolated(world, parent, [number; 32], market))
        };
        let ((loser, long), (winner, short)) = (family(201), family(202));
        trade(world, market, short, long, BUY, 100, 100);
        let before = fund(world);
        let pool = world.cash(long) + world.cash(short);
        if (pool, world.cash(loser), world.cash(winner)) != (2_000, 0, 0) {
            return Err(format!("the market was meant to have all the money, it has {pool}"));
        }
        world.engine.keep_postings();
        // The whole open interest closes in one liquidation: 500 atoms are missing.
        set_mark(world, market, 85);
        let postings = world.engine.take_postings();
        let market_id = InstrumentId(market);
        let members =
            [Party::User(AccountId(long)), Party::User(AccountId(short)), Party::Clearing(market_id)];
        let least = lowest(pool, &postings, |party| members.contains(&party));
        if least < 0 {
            return Err(format!("between two legs the market had {least} atoms"));
        }
        if lowest(before, &postings, |party| party == Party::Insurance) < 0 {
            return Err("between two legs the fund was negative".into());
        }
        let paid = before - fund(world);
        let ends = (world.cash(long), world.cash(short), world.cash(loser), world.cash(winner), paid);
        if ends != (0, 0, 0, 2_500, 500) {
            return Err(format!("long, short, their parents and the fund's payment: {ends:?}"));
        }
        let open = world.engine.instrument(market_id).map_or(-1, |view| view.open_interest_lots);
        if open == 0 { Ok(()) } else { Err(format!("{open} lots are still open")) }
    },
};
