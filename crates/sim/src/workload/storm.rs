//! `storm`: leveraged longs in four perpetuals, and a gap of five percent in all of them at once.

use super::command;
use crate::rng::Rng;
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, InstrumentSpec, InstrumentTerms, Int128,
    Limits, LiquidationSpec, Matching, Product, Side, Split, Tif,
};
use xos_units::Amount;

/// Perpetuals.
const PERPETUALS: u32 = 4;
/// Mark before the gap, ticks.
const BEFORE: i64 = 100_000;
/// Mark after it: five percent lower.
const AFTER: i64 = 95_000;
/// Settlement atoms of a tick of a lot.
const ATOMS_PER_TICK_LOT: u32 = 10;
/// Accounts that quote and are rich.
const MAKERS: u32 = 64;
/// Seconds of logged time that follow the gap, each with a tick.
const SECONDS: usize = 600;
/// Lots of one position, at most.
const LOTS_MAX: i64 = 200;

/// A log in three parts: what sets the exchange up, positions and quotes, then the gap and the seconds after it.
#[derive(Clone, Debug)]
pub struct Storm {
    /// Deployments, one frame each.
    pub deployments: Vec<Vec<u8>>,
    /// Accounts, money, positions, quotes.
    pub prefill: Vec<CommandRecord>,
    /// Four marks, then ticks.
    pub commands: Vec<CommandRecord>,
}

impl Storm {
    /// `accounts` traders: half of them long with margin for two to thirty percent, half of them short.
    pub fn new(seed: u64, accounts: u32) -> Self {
        let mut rng = Rng::new(seed);
        let mut prefill = Vec::new();
        for account in 1..=MAKERS + accounts {
            let mut open = command(CommandKind::OpenAccount);
            open.client_id[..4].copy_from_slice(&account.to_le_bytes());
            prefill.push(open);
        }
        for maker in 1..=MAKERS {
            prefill.push(deposit(maker, 1 << 60));
        }
        for instrument in 1..=PERPETUALS {
            let record = command(CommandKind::SetMark);
            prefill.push(CommandRecord { instrument, price: BEFORE, ..record });
        }
        for pair in 0..accounts / 2 {
            let long = MAKERS + 1 + 2 * pair;
            positions(&mut rng, long, long + 1, &mut prefill);
        }
        quotes(accounts, &mut prefill);
        let gap = (1..=PERPETUALS).map(|instrument| CommandRecord {
            instrument,
            price: AFTER,
            ..command(CommandKind::SetMark)
        });
        let ticks = (0..SECONDS).map(|_| command(CommandKind::Tick));
        Self { deployments: deployments(), prefill, commands: gap.chain(ticks).collect() }
    }
}

fn deposit(account: u32, atoms: i128) -> CommandRecord {
    let record = command(CommandKind::Deposit);
    CommandRecord { account, instrument: 1, amount: Int128::new(atoms), ..record }
}

fn order(account: u32, instrument: u32, side: Side, price: i64, qty: i64) -> CommandRecord {
    let record = command(CommandKind::Place);
    CommandRecord { account, instrument, side: side.code(), price, qty, ..record }
}

/// One to four positions of a long and of a short, each other's counterpart.
fn positions(rng: &mut Rng, long: u32, short: u32, prefill: &mut Vec<CommandRecord>) {
    let count = 1 + rng.below(u64::from(PERPETUALS)) as u32;
    let first = rng.below(u64::from(PERPETUALS)) as u32;
    let lots: Vec<(u32, i64)> =
        (0..count).map(|at| (1 + (first + at) % PERPETUALS, rng.between(1, LOTS_MAX))).collect();
    let per_lot = BEFORE * i64::from(ATOMS_PER_TICK_LOT);
    let value: i64 = lots.iter().map(|(_, lots)| lots * per_lot).sum();
    // Two to thirty percent of the notional, most of it low: what people call ten to fifty times.
    let most = 1 + rng.below(280);
    let share = 20 + rng.below(most);
    prefill.push(deposit(long, i128::from(value) * i128::from(share) / 1_000 + 1));
    let share = 20 + rng.below(280);
    prefill.push(deposit(short, i128::from(value) * i128::from(share) / 1_000 + 1));
    for (instrument, lots) in lots {
        prefill.push(order(short, instrument, Side::Sell, BEFORE, lots));
        let takes = order(long, instrument, Side::Buy, BEFORE, lots);
        prefill.push(CommandRecord { tif: Tif::Ioc.code(), ..takes });
    }
}

/// Bids below the gap, for a part of what will be closed: the rest is for insurance and deleveraging.
fn quotes(accounts: u32, prefill: &mut Vec<CommandRecord>) {
    let lots = i64::from(accounts) * LOTS_MAX / 64;
    for maker in 1..=MAKERS {
        for instrument in 1..=PERPETUALS {
            let price = AFTER - i64::from(maker) * 20;
            prefill.push(order(maker, instrument, Side::Buy, price, 1 + lots / i64::from(MAKERS)));
        }
    }
}

fn deployments() -> Vec<Vec<u8>> {
    let limits = Limits { liquidations_per_command_max: 1_024, ..Limits::default() };
    let mut all = vec![DeployCommand::Genesis(limits), DeployCommand::Asset(AssetSpec::new("USD".into(), 6))];
    all.extend((1..=PERPETUALS).map(|number| DeployCommand::Instrument(perpetual(number))));
    all.iter().map(DeployCommand::to_bytes).collect()
}

fn perpetual(number: u32) -> InstrumentSpec {
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: ATOMS_PER_TICK_LOT,
        tick_size: "0.1".into(),
        lot_size: "0.0001".into(),
        price_max_ticks: 1 << 24,
        qty_min_lots: 1,
        qty_max_lots: 1 << 36,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 36,
        orders_per_account_max: 1_000,
        band_ppm: 0,
        fees: Fees::default(),
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let product = Product::Perpetual { initial_margin_ppm: 20_000, maintenance_margin_ppm: 10_000 };
    let mut spec = InstrumentSpec::new(format!("PERP{number}"), product, terms);
    spec.liquidation = Some(Box::new(LiquidationSpec { fee_ppm: 5_000, ..LiquidationSpec::default() }));
    spec
}
