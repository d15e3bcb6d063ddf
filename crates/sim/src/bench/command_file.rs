//! Command files of 64-byte records, as several engines share them: read, and turned into an exchange's commands.
//!
//! Record, little-endian: `u64 order_id; i64 price; i64 qty; i64 aux; u32 uid; u32 sym; u8 op; u8 side; u8 flags;
//! u8; u32 seq; u64 ts; u64`. Operations: 0 GTC, 1 IOC, 2 FOK, 3 cancel, 4 move, 5 reduce.

use super::Run;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, Fees, InstrumentSpec, InstrumentTerms, Int128, Limits,
    Matching, Product, Split, Tif,
};
use xos_units::Amount;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// One record of a file.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct FileRecord {
    order_id: u64,
    price: i64,
    qty: i64,
    aux: i64,
    uid: u32,
    sym: u32,
    op: u8,
    side: u8,
    flags: u8,
    pad0: u8,
    seq: u32,
    ts: u64,
    pad1: u64,
}

const RECORD_BYTES: usize = 64;
const _: () = assert!(size_of::<FileRecord>() == RECORD_BYTES);

/// The most that a file may name: memory is taken for every account and symbol up to the highest.
const UID_MAX: u32 = 1 << 20;
const SYM_MAX: u32 = 4_095;
const PRICE_MAX_TICKS: i64 = 1 << 24;
const QTY_MAX_LOTS: i64 = 1 << 24;

/// Lots a rich account starts with, in settlement atoms.
const DEPOSIT_ATOMS: i128 = 1 << 70;
const MARK_TICKS: i64 = 100_000;

/// Why a file cannot be run.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Io(std::path::PathBuf, std::io::Error),
    /// Its length is not a multiple of the record's.
    Length(std::path::PathBuf, usize),
    /// A record says something unknown.
    Record(usize, String),
    /// More prefill than records.
    Prefill(usize, usize),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Length(path, bytes) => {
                write!(
                    f,
                    "{}: {bytes} bytes are not a whole number of {RECORD_BYTES}-byte records",
                    path.display()
                )
            }
            Self::Record(at, what) => write!(f, "record {at}: {what}"),
            Self::Prefill(prefill, records) => {
                write!(f, "the prefill of {prefill} exceeds the {records} records")
            }
        }
    }
}

impl std::error::Error for FileError {}

/// A command file in memory.
pub struct CommandFile {
    name: String,
    records: Vec<FileRecord>,
}

impl CommandFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = std::fs::read(path).map_err(|error| FileError::Io(path.to_owned(), error))?;
        if bytes.is_empty() || bytes.len() % RECORD_BYTES != 0 {
            return Err(FileError::Length(path.to_owned(), bytes.len()));
        }
        let records = bytes.chunks_exact(RECORD_BYTES);
        let records =
            records.map(|bytes| FileRecord::read_from_bytes(bytes).expect("the length is right")).collect();
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, records })
    }

    /// The file as a run: each symbol a perpetual that matches in arrival order, each user a rich account, fees and
    /// margin on. `expected` are the totals a right engine ends with.
    pub fn into_run(self, prefill: usize, expected: Option<[i128; 4]>) -> Result<Run, FileError> {
        if prefill >= self.records.len() {
            return Err(FileError::Prefill(prefill, self.records.len()));
        }
        for (at, record) in self.records.iter().enumerate() {
            check(record).map_err(|what| FileError::Record(at, what))?;
        }
        let symbols = 1 + self.records.iter().map(|record| record.sym).max().unwrap_or(0);
        let users = self.records.iter().map(|record| record.uid).max().unwrap_or(1);
        let mut deployments = vec![
            DeployCommand::Genesis(Limits {
                orders_per_account_max: 1 << 22,
                matches_per_command_max: u32::MAX,
                ..Limits::default()
            })
            .to_bytes(),
            DeployCommand::Asset(xos_protocol::AssetSpec::new("USD".into(), 6)).to_bytes(),
        ];
        deployments.extend((0..symbols).map(|symbol| perpetual(symbol).to_bytes()));
        let mut set_up = Vec::with_capacity(2 * users as usize + symbols as usize);
        for user in 1..=users {
            let mut owner = [0; 32];
            owner[..4].copy_from_slice(&user.to_le_bytes());
            let open = CommandKind::OpenAccount.code();
            set_up.push(CommandRecord { kind: open, account: user, client_id: owner, ..Default::default() });
            set_up.push(CommandRecord {
                kind: CommandKind::Deposit.code(),
                account: user,
                instrument: 1,
                amount: Int128::new(DEPOSIT_ATOMS),
                ..Default::default()
            });
        }
        set_up.extend((1..=symbols).map(|instrument| CommandRecord {
            kind: CommandKind::SetMark.code(),
            instrument,
            price: MARK_TICKS,
            ..Default::default()
        }));
        let first = (deployments.len() + set_up.len()) as u64 + 1;
        let mut orders = Orders::default();
        let mut commands = Vec::with_capacity(self.records.len());
        for (at, record) in self.records.iter().enumerate() {
            let command = orders.command(first + at as u64, record);
            commands.push(command.map_err(|what| FileError::Record(at, what))?);
        }
        let timed = commands.split_off(prefill);
        set_up.extend(commands);
        Ok(Run {
            name: self.name,
            deployments,
            prefill: set_up,
            commands: timed,
            expected,
            modelled: true,
            storms: false,
            implies: false,
            frame_commands: super::FRAME_COMMANDS,
            frame_ns: super::FRAME_NS,
        })
    }
}

/// Refuses what no exchange of this shape could be asked, before memory is taken for it.
fn check(record: &FileRecord) -> Result<(), String> {
    let (price_counts, qty_counts) = (matches!(record.op, 0..=2 | 4), matches!(record.op, 0..=2 | 5));
    let fields = [
        ("op", i64::from(record.op), 0, 5, true),
        ("uid", i64::from(record.uid), 1, i64::from(UID_MAX), true),
        ("sym", i64::from(record.sym), 0, i64::from(SYM_MAX), true),
        ("side", i64::from(record.side), 0, 1, record.op <= 2),
        ("price", record.price, 1, PRICE_MAX_TICKS, price_counts),
        ("qty", record.qty, 1, QTY_MAX_LOTS, qty_counts),
    ];
    let wrong = |&(_, value, least, most, counts): &(&str, i64, i64, i64, bool)| {
        counts && !(least..=most).contains(&value)
    };
    match fields.iter().find(|field| wrong(field)) {
        Some((name, value, least, most, _)) => Err(format!("{name} is {value}, expected {least} to {most}")),
        None => Ok(()),
    }
}

/// The exchange's ids of the file's orders: an order's id is the sequence of the command that placed it.
#[derive(Default)]
struct Orders {
    /// Id here, and total lots as amended so far.
    known: HashMap<u64, (u64, i64)>,
}

impl Orders {
    fn command(&mut self, sequence: u64, record: &FileRecord) -> Result<CommandRecord, String> {
        let command = CommandRecord { account: record.uid, instrument: record.sym + 1, ..Default::default() };
        let tif = match record.op {
            0 => Tif::Gtc,
            1 => Tif::Ioc,
            2 => Tif::Fok,
            3..=5 => return self.of_order(record, command),
            op => unreachable!("operation {op} was refused before"),
        };
        self.known.insert(record.order_id, (sequence, record.qty));
        Ok(CommandRecord {
            kind: CommandKind::Place.code(),
            side: record.side,
            tif: tif.code(),
            price: record.price,
            qty: record.qty,
            ..command
        })
    }

    fn of_order(&mut self, record: &FileRecord, command: CommandRecord) -> Result<CommandRecord, String> {
        let unknown = || format!("order {} was never placed", record.order_id);
        let (order_id, total) = self.known.get_mut(&record.order_id).ok_or_else(unknown)?;
        let command = CommandRecord { order_id: *order_id, ..command };
        let amend = CommandKind::Amend.code();
        Ok(match record.op {
            3 => CommandRecord { kind: CommandKind::Cancel.code(), ..command },
            4 => CommandRecord { kind: amend, price: record.price, ..command },
            _ => {
                *total -= record.qty;
                // A reduction of everything leaves nothing: the order goes.
                match *total {
                    0 => CommandRecord { kind: CommandKind::Cancel.code(), ..command },
                    total => CommandRecord { kind: amend, qty: total, ..command },
                }
            }
        })
    }
}

fn perpetual(symbol: u32) -> DeployCommand {
    let split = Split {
        protocol_ppm: 500_000,
        deployer_ppm: 200_000,
        venue_ppm: 200_000,
        insurance_ppm: 100_000,
        ..Split::NOTHING
    };
    DeployCommand::Instrument(InstrumentSpec {
        conversion_slippage_ppm: None,
        symbol: format!("SYM{symbol}-PERP"),
        margin: None,
        isolated_only: false,
        oracle: None,
        funding: None,
        collateral: Vec::new(),
        liquidation: None,
        halt: None,
        product: Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 },
        terms: InstrumentTerms {
            quote_atoms_per_tick_lot: 1,
            tick_size: "0.01".into(),
            lot_size: "0.0001".into(),
            price_max_ticks: PRICE_MAX_TICKS,
            qty_min_lots: 1,
            qty_max_lots: QTY_MAX_LOTS,
            notional_min: Amount(0),
            notional_max: Amount(1 << 60),
            position_max_lots: 1 << 36,
            orders_per_account_max: u32::MAX,
            band_ppm: 500_000,
            fees: Fees { maker_ppm: 100, taker_ppm: 500, ceiling_ppm: 0 },
            split,
            matching: Matching::Arrival,
            fees_to: 0,
            venue: 0,
            phases: xos_protocol::Phases::default(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> FileRecord {
        FileRecord {
            order_id: 1,
            price: 100,
            qty: 1,
            aux: 0,
            uid: 1,
            sym: 0,
            op: 0,
            side: 0,
            flags: 0,
            pad0: 0,
            seq: 0,
            ts: 0,
            pad1: 0,
        }
    }

    #[test]
    fn a_field_is_taken_at_its_bound_and_refused_one_past_it_by_name() {
        type Change = fn(&mut FileRecord);
        let cases: [(&str, Change, Change); 6] = [
            ("op is 6, expected 0 to 5", |r| r.op = 5, |r| r.op = 6),
            ("uid is 1048577, expected 1 to 1048576", |r| r.uid = 1 << 20, |r| r.uid = (1 << 20) + 1),
            ("sym is 4096, expected 0 to 4095", |r| r.sym = 4_095, |r| r.sym = 4_096),
            ("side is 2, expected 0 to 1", |r| r.side = 1, |r| r.side = 2),
            ("price is 16777217, expected 1 to 16777216", |r| r.price = 1 << 24, |r| r.price = (1 << 24) + 1),
            ("qty is 0, expected 1 to 16777216", |r| r.qty = 1 << 24, |r| r.qty = 0),
        ];
        for (message, last, past) in cases {
            let (mut good, mut bad) = (plain(), plain());
            last(&mut good);
            past(&mut bad);
            assert_eq!(check(&good), Ok(()), "{good:?}");
            assert_eq!(check(&bad), Err(message.into()));
            let file = CommandFile { name: String::new(), records: vec![plain(), bad] };
            let refused = file.into_run(0, None).err().map(|error| error.to_string());
            assert_eq!(refused, Some(format!("record 1: {message}")));
        }
    }

    #[test]
    fn a_cancel_needs_no_price_and_no_quantity() {
        let cancel = FileRecord { op: 3, price: -1, qty: 0, side: 9, ..plain() };
        let file = CommandFile { name: String::new(), records: vec![plain(), cancel] };
        assert_eq!(file.into_run(0, None).map(|run| run.commands.len()).ok(), Some(2));
    }
}
