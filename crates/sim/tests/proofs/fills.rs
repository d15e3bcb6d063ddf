//! Many partial fills are never better than one: fees and rounding add up against who cuts an order into parts.

use crate::desk::{BUY, Desk, SELL, USD, command, of, order, perpetual, terms};
use proptest::prelude::*;
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, Fees, InstrumentSpec, OutcomeSpec,
    Product, QuestionSpec, Tif, VenueSpec,
};
use xos_units::{AccountId, AssetId};

const UNIT: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Spot,
    Perpetual,
    Outcome,
}

/// Settlement atoms, and base atoms.
type Worth = (i128, i128);

/// What each has more than before.
struct Fills {
    maker: Worth,
    taker: Worth,
}

/// Positions to begin with (perpetual: opened at `entry`), then `parts` taken from one resting order at `price`.
#[derive(Clone, Debug)]
struct Trade {
    kind: Kind,
    fees: Fees,
    /// Schedule of the venue that the taker comes through, if not the instrument's.
    venue: Option<Fees>,
    taker_side: u8,
    price: i64,
    /// Lots that the taker holds before, signed, and at what price.
    held: i64,
    entry: i64,
    parts: Vec<i64>,
}

fn play(trade: &Trade, parts: &[i64]) -> Fills {
    let mut desk = Desk::new();
    let instrument = match trade.kind {
        Kind::Spot => {
            desk.deploy(&DeployCommand::Asset(AssetSpec::new("COIN".into(), 6)));
            let product = Product::Spot { base: 2, quote: USD, base_atoms_per_lot: 7 };
            desk.deploy(&DeployCommand::Instrument(InstrumentSpec::new(
                "SPOT".into(),
                product,
                terms(trade.fees),
            )))
        }
        Kind::Perpetual => desk.deploy(&DeployCommand::Instrument(perpetual("PERP", 100_000, trade.fees))),
        Kind::Outcome => {
            let mut terms = terms(trade.fees);
            terms.price_max_ticks = UNIT - 1;
            let outcomes = ["YES", "NO"]
                .map(|symbol| OutcomeSpec { symbol: symbol.into(), name: symbol.into() })
                .to_vec();
            desk.deploy(&DeployCommand::Question(QuestionSpec {
                later: None,
                symbol: "Q".into(),
                text: "Q?".into(),
                ticks_per_unit: UNIT,
                outcomes,
                terms,
                link: None,
                resolution: None,
                implied: false,
            }));
            1
        }
    };
    if let Some(fees) = trade.venue {
        desk.deploy(&DeployCommand::Venue(VenueSpec {
            symbol: "V".into(),
            fees: Some(fees),
            ..Default::default()
        }));
    }
    if trade.kind == Kind::Perpetual {
        desk.mark(instrument, trade.price);
    }
    let (maker, taker) = (desk.account(1, 1 << 50), desk.account(2, 1 << 50));
    if trade.kind == Kind::Spot {
        desk.deposit(maker, 2, 1 << 40);
        desk.deposit(taker, 2, 1 << 40);
    }
    if trade.kind != Kind::Spot && trade.held != 0 {
        let side = if trade.held > 0 { BUY } else { SELL };
        desk.trade(instrument, maker, taker, side, trade.entry, trade.held.abs());
    }
    let worth =
        |desk: &Desk, account| worth(desk, account, (trade.kind == Kind::Perpetual).then_some(instrument));
    let before = [maker, taker].map(|account| worth(&desk, account));
    let all: i64 = parts.iter().sum();
    desk.must(order(maker, instrument, 1 - trade.taker_side, trade.price, all));
    for &lots in parts {
        let take = CommandRecord {
            tif: Tif::Ioc.code(),
            ..order(taker, instrument, trade.taker_side, trade.price, lots)
        };
        let venue = u16::from(trade.venue.is_some());
        let events = desk.must(CommandRecord { venue, ..take });
        assert_eq!(of(&events, EventKind::Trade).map(|event| event.qty).sum::<i64>(), lots);
    }
    desk.must(command(CommandKind::Tick, 0));
    desk.check();
    let after = [maker, taker].map(|account| worth(&desk, account));
    let gained = |at: usize| (after[at].0 - before[at].0, after[at].1 - before[at].1);
    Fills { maker: gained(0), taker: gained(1) }
}

/// Of a perpetual, whatever its price is, more cost is less worth; an outcome is paid for in cash.
fn worth(desk: &Desk, account: u32, perpetual: Option<u32>) -> Worth {
    let base = if desk.engine.assets().len() > 1 {
        desk.engine.balance(AccountId(account), AssetId(2)).total.0
    } else {
        0
    };
    (desk.cash(account) - perpetual.map_or(0, |instrument| desk.position(account, instrument).1), base)
}

fn fees() -> impl Strategy<Value = Fees> {
    (prop_oneof![Just(0), 1i32..2_000, Just(100_000)], -100i64..=100).prop_map(|(taker_ppm, percent)| Fees {
        maker_ppm: (i64::from(taker_ppm) * percent / 100) as i32,
        taker_ppm,
        ceiling_ppm: 0,
    })
}

fn trade() -> impl Strategy<Value = Trade> {
    let kind = prop_oneof![Just(Kind::Spot), Just(Kind::Perpetual), Just(Kind::Outcome)];
    let parts = proptest::collection::vec(prop_oneof![Just(1i64), 1i64..50, 1i64..5_000], 2..12);
    (kind, fees(), proptest::option::of(fees()), 0u8..2, 1i64..UNIT, -6_000i64..6_000, 1i64..UNIT, parts)
        .prop_map(|(kind, fees, venue, taker_side, price, held, entry, parts)| Trade {
            kind,
            fees,
            venue,
            taker_side,
            price,
            held,
            entry,
            parts,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parts_are_never_better_than_the_whole(trade in trade()) {
        let whole: i64 = trade.parts.iter().sum();
        let (one, many) = (play(&trade, &[whole]), play(&trade, &trade.parts));
        prop_assert_eq!((one.maker.1, one.taker.1), (many.maker.1, many.taker.1));
        prop_assert!(many.taker.0 <= one.taker.0, "the taker has {} by parts and {} at once", many.taker.0, one.taker.0);
        let both = |fills: &Fills| fills.maker.0 + fills.taker.0;
        prop_assert!(both(&many) <= both(&one), "together {} by parts and {} at once", both(&many), both(&one));
        // A rebate is at most the taker's fee; where that is another schedule's, parts may move a rounding of it from the taker to the maker.
        if trade.venue.is_none() {
            prop_assert!(many.maker.0 <= one.maker.0, "the maker has {} by parts and {} at once", many.maker.0, one.maker.0);
        }
    }
}
