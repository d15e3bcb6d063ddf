//! A small seeded market: one perpetual, many accounts, orders around a price that stands still.

use std::collections::VecDeque;
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, Flags, InstrumentSpec, InstrumentTerms,
    Int128, Matching, Product, Split, Tif,
};
use xos_units::Amount;

const MARK: i64 = 50_000;

/// Writes the same commands for the same seed. It is told nothing about events: some of its cancels and amends
/// come too late and are rejected, as in life.
#[derive(Clone, Debug)]
pub struct Mix {
    state: u64,
    accounts: u32,
    next_sequence: u64,
    /// Orders that may rest, with their accounts; those of the running frame wait in `fresh`.
    known: Vec<(u64, u32)>,
    fresh: VecDeque<(u64, u32)>,
    frame_commands: u64,
    client_ids: bool,
}

impl Mix {
    /// A market with so many accounts.
    pub fn new(seed: u64, accounts: u32) -> Self {
        Self {
            state: seed,
            accounts: accounts.max(2),
            next_sequence: 1,
            known: Vec::new(),
            fresh: VecDeque::new(),
            frame_commands: 0,
            client_ids: true,
        }
    }

    /// The same with orders that have no client id, and so no protection of a retry.
    pub fn without_client_ids(self) -> Self {
        Self { client_ids: false, ..self }
    }

    /// The same for frames of this many commands: nobody cancels an order whose answer is still on its way.
    pub fn for_frames(self, frame_commands: u64) -> Self {
        Self { frame_commands, ..self }
    }

    /// The same for a log whose next command has this sequence: orders are named by their sequence.
    pub fn starting_at(self, next_sequence: u64) -> Self {
        Self { next_sequence, ..self }
    }

    /// The bodies of the deployments that come first: an asset and a perpetual in it.
    pub fn deployments(&mut self) -> Vec<Vec<u8>> {
        let terms = InstrumentTerms {
            quote_atoms_per_tick_lot: 10,
            tick_size: "0.1".into(),
            lot_size: "0.001".into(),
            price_max_ticks: 10 * MARK,
            qty_min_lots: 1,
            qty_max_lots: 1_000_000,
            notional_min: Amount(0),
            notional_max: Amount(1 << 90),
            position_max_lots: 1 << 36,
            orders_per_account_max: 10_000,
            band_ppm: 0,
            fees: Fees { maker_ppm: -20, taker_ppm: 350, ceiling_ppm: 0 },
            split: Split::default(),
            matching: Matching::MakerFirst,
            fees_to: 0,
            venue: 0,
            phases: xos_protocol::Phases::default(),
        };
        let product = Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 };
        let spec = InstrumentSpec::new("BTC-PERP".into(), product, terms);
        let asset = AssetSpec::new("USDC".into(), 6);
        self.next_sequence += 2;
        vec![DeployCommand::Asset(asset).to_bytes(), DeployCommand::Instrument(spec).to_bytes()]
    }

    /// The commands that come second: the accounts, their money, the mark.
    pub fn setup(&mut self) -> Vec<CommandRecord> {
        let of = |kind: CommandKind| CommandRecord { kind: kind.code(), ..Default::default() };
        let mut commands = Vec::with_capacity(2 * self.accounts as usize + 1);
        for account in 1..=self.accounts {
            let mut owner = [0; 32];
            owner[..4].copy_from_slice(&account.to_be_bytes());
            owner[31] = b'o';
            commands.push(CommandRecord { client_id: owner, ..of(CommandKind::OpenAccount) });
        }
        for account in 1..=self.accounts {
            let amount = Int128::new(1 << 60);
            commands.push(CommandRecord { account, instrument: 1, amount, ..of(CommandKind::Deposit) });
        }
        commands.push(CommandRecord { instrument: 1, price: MARK, ..of(CommandKind::SetMark) });
        self.next_sequence += commands.len() as u64;
        commands
    }

    /// The next so many commands: of a hundred about 45 rest, 8 take what is there, 41 cancel, 6 amend.
    pub fn commands(&mut self, count: usize) -> Vec<CommandRecord> {
        (0..count).map(|_| self.command()).collect()
    }

    /// A client id that no other command of this market has, for a sequence.
    pub fn client_id(sequence: u64) -> [u8; 32] {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&sequence.to_be_bytes());
        id[31] = b'c';
        id
    }

    fn command(&mut self) -> CommandRecord {
        while let Some((sequence, _)) = self.fresh.front()
            && sequence + self.frame_commands < self.next_sequence
        {
            self.known.extend(self.fresh.pop_front());
        }
        let roll = self.below(100);
        let command = match roll {
            0..41 if !self.known.is_empty() => {
                let at = self.below(self.known.len() as u64) as usize;
                let (order_id, account) = self.known.swap_remove(at);
                CommandRecord { order_id, account, ..named(CommandKind::Cancel) }
            }
            41..47 if !self.known.is_empty() => {
                let at = self.below(self.known.len() as u64) as usize;
                let (order_id, account) = self.known[at];
                let qty = 1 + self.below(100) as i64;
                CommandRecord { order_id, account, qty, ..named(CommandKind::Amend) }
            }
            _ => self.place(roll >= 92),
        };
        self.next_sequence += 1;
        command
    }

    fn place(&mut self, takes: bool) -> CommandRecord {
        let (side, qty) = (self.below(2) as u8, 1 + self.below(100) as i64);
        let account = 1 + self.below(u64::from(self.accounts)) as u32;
        // Mostly close to the mark, seldom far from it.
        let away = 1 + (self.below(64) * self.below(64) / 32) as i64;
        let away = if takes { -3 } else { away };
        let price = if side == 0 { MARK - away } else { MARK + away };
        let (tif, flags) = if takes { (Tif::Ioc, Flags::MARKET) } else { (Tif::Gtc, 0) };
        if !takes {
            self.fresh.push_back((self.next_sequence, account));
        }
        let client_id = if self.client_ids { Self::client_id(self.next_sequence) } else { [0; 32] };
        CommandRecord {
            side,
            tif: tif.code(),
            flags,
            account,
            price,
            qty,
            client_id,
            ..named(CommandKind::Place)
        }
    }

    /// SplitMix64, cut down to a range.
    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

fn named(kind: CommandKind) -> CommandRecord {
    CommandRecord { kind: kind.code(), instrument: 1, ..Default::default() }
}
