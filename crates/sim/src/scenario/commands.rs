//! From a row of a `when` table to a command record.

use super::columns::{self, Names, integer, short_bytes};
use super::parse::nanoseconds;
use super::table::{Row, Table};
use xos_engine::Engine;
use xos_protocol::{
    CommandKind, CommandRecord, Flags, InstrumentState, Int128, PriceSource, SelfTrade, Side, Tif,
    TriggerWords,
};

const COLUMNS: &[&str] = &["#", "account", "do", "on", "side", "qty", "price", "amount", "order", "options"];
const BOTH_SIDES: u8 = 2;

/// What a row of commands is read with.
pub(super) struct Desk<'a> {
    pub(super) engine: &'a Engine,
    pub(super) names: &'a Names,
    pub(super) time_ns: u64,
}

/// Refuses a table with a column that says nothing.
pub(super) fn check_columns(table: &Table) -> Result<(), String> {
    match table.columns.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        Some(unknown) => Err(format!("no column {unknown:?} in commands; there are {}", COLUMNS.join(", "))),
        None => Ok(()),
    }
}

impl Desk<'_> {
    /// The record of a row.
    pub(super) fn record(&self, table: &Table, row: &Row) -> Result<CommandRecord, String> {
        let cell = |column| table.cell(row, column);
        let word = cell("do");
        let kind = CommandKind::ALL.iter().copied().find(|kind| kind.name() == word);
        let kind = kind.ok_or(format!("{word:?} is nothing that can be done"))?;
        let mut record = CommandRecord { kind: kind.code(), ..CommandRecord::default() };
        if kind == CommandKind::PublishPrice {
            record.account = columns::publisher(self.engine, cell("account"))?;
            record.expires_ns = self.time_ns;
        } else if kind != CommandKind::OpenAccount {
            record.account = present(cell("account")).map_or(Ok(0), |name| self.names.account(name))?;
        } else {
            record.client_id = short_bytes(cell("account"))?;
        }
        record.instrument = self.target(kind, cell("on"))?;
        record.order_id = present(cell("order")).map_or(Ok(0), |label| self.names.order(label))?;
        record.price = present(cell("price")).map_or(Ok(0), integer)?;
        if kind == CommandKind::SetCredentials {
            record.order_id = self.time_ns;
        }
        record.qty = present(cell("qty")).map_or(Ok(0), integer)?;
        record.amount = Int128::new(present(cell("amount")).map_or(Ok(0), integer)?);
        record.side = match (cell("side"), kind) {
            ("", CommandKind::MassCancel) => BOTH_SIDES,
            ("" | "buy", _) => Side::Buy.code(),
            ("standard", CommandKind::SetMarginMode) => 0,
            ("scenario", CommandKind::SetMarginMode) => 1,
            ("for", CommandKind::Vote) => 1,
            ("against", CommandKind::Vote) => 0,
            ("sell", _) => Side::Sell.code(),
            (other, _) => return Err(format!("side is {other:?}, expected buy or sell")),
        };
        for option in cell("options").split_whitespace() {
            self.option(&mut record, option)?;
        }
        if kind == CommandKind::SetFeeCap && record.venue != 0 {
            // A cap is not sent through the venue that it is for.
            record.order_id = std::mem::take(&mut record.venue).into();
        }
        Ok(record)
    }

    /// The instrument, asset or question of a command; where none is named, the only one it can be.
    fn target(&self, kind: CommandKind, text: &str) -> Result<u32, String> {
        use CommandKind as Kind;
        match (kind, text) {
            (Kind::Deposit | Kind::Withdraw | Kind::Transfer | Kind::CollectFees, "") => Ok(1),
            (Kind::Deposit | Kind::Withdraw | Kind::Transfer | Kind::CollectFees, _) => {
                columns::asset(self.engine, text)
            }
            (kind, "") if is_about_question(kind) => only("question", self.engine.question_count()),
            (kind, _) if is_about_question(kind) => columns::question(self.engine, text),
            (Kind::Cancel | Kind::MassCancel | Kind::CancelAllAfter | Kind::OpenAccount, "") => Ok(0),
            (Kind::Tick | Kind::Restart | Kind::Deploy, "") => Ok(0),
            (Kind::AmendTrigger | Kind::SetMarginMode | Kind::WithdrawChange | Kind::Delist, "") => Ok(0),
            (Kind::Stake | Kind::Unstake | Kind::BuySlot | Kind::Vote, "") => Ok(0),
            (Kind::SetCredentials | Kind::SetFeeCap | Kind::SetReferrer, _) => Ok(0),
            (_, "") => only("instrument", self.engine.instrument_count()),
            _ => columns::instrument(self.engine, text),
        }
    }

    fn option(&self, record: &mut CommandRecord, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "gtc" => record.tif = Tif::Gtc.code(),
            "ioc" => record.tif = Tif::Ioc.code(),
            "fok" => record.tif = Tif::Fok.code(),
            "gtd" => {
                record.tif = Tif::Gtd.code();
                record.expires_ns = self.expiry(value)?;
            }
            "classes" => record.qty = columns::classes(self.engine, value)?,
            "issued" => record.order_id = self.time_ns - nanoseconds(value).ok_or("issued=2s ago")?,
            "ends" if value == "never" => record.expires_ns = u64::MAX,
            "ends" => record.expires_ns = self.expiry(value)?,
            "hash" => record.client_id = short_bytes(value)?,
            "ago" => record.expires_ns = self.time_ns - nanoseconds(value).ok_or("ago=2s")?,
            "ahead" => record.expires_ns = self.time_ns + nanoseconds(value).ok_or("ahead=2s")?,
            "post_only" => record.flags |= Flags::POST_ONLY,
            "reduce_only" => record.flags |= Flags::REDUCE_ONLY,
            "market" => record.flags |= Flags::MARKET,
            "self_trade" => {
                let mode = SelfTrade::ALL.iter().find(|mode| mode.name() == value);
                record.self_trade = mode.ok_or(format!("self_trade is {value:?}"))?.code();
            }
            "venue" => record.venue = columns::venue(self.engine, value)?,
            "id" | "owner" => record.client_id = short_bytes(value)?,
            "state" => {
                let state = InstrumentState::ALL.iter().find(|state| state.name() == value);
                record.side = state.ok_or(format!("state is {value:?}"))?.code();
            }
            "slot" => record.side = super::governance_rows::slot(value)?,
            "question" => {
                record.side = xos_protocol::MarketKind::Question.code();
                record.instrument = columns::question(self.engine, value)?;
            }
            "front" => {
                record.side = xos_protocol::MarketKind::Venue.code();
                record.instrument = columns::venue(self.engine, value)?.into();
            }
            "of" => record.order_id = u64::from(columns::instrument(self.engine, value)?),
            "of_venue" => {
                record.side = xos_protocol::MarketKind::Venue.code();
                record.order_id = u64::from(columns::venue(self.engine, value)?);
            }
            "simulated" => record.side = 1,
            "protected" => record.flags |= Flags::PROTECTED,
            "window" => record.expires_ns |= milliseconds(value)?,
            "freeze" => record.expires_ns |= milliseconds(value)? << 32,
            "display" | "above" => record.amount.low = integer::<i64>(value)? as u64,
            "below" => record.amount.high = integer(value)?,
            "below_limit" => record.expires_ns = integer(value)?,
            "source" | "source_above" | "source_below" | "slippage" => trigger_word(record, name, value)?,
            "to" | "parent" => record.order_id = u64::from(self.names.account(value)?),
            "pays" => record.order_id = u64::from(columns::instrument(self.engine, value)?),
            _ => return raw(record, name, value),
        }
        Ok(())
    }

    /// `+5s` from now.
    fn expiry(&self, text: &str) -> Result<u64, String> {
        let wait_ns = text.strip_prefix('+').and_then(nanoseconds);
        let expires_ns = wait_ns.and_then(|wait_ns| self.time_ns.checked_add(wait_ns));
        expires_ns.ok_or(format!("{text:?} is no time to come, expected as in +5s"))
    }
}

/// Sources and slippage of an order that waits.
fn trigger_word(record: &mut CommandRecord, name: &str, value: &str) -> Result<(), String> {
    let mut words = TriggerWords::from_bits(record.order_id).map_err(|_| "no trigger words".to_string())?;
    if name == "slippage" {
        words.slippage_ppm = super::specs::ppm(value)?.unsigned_abs();
    } else {
        let source = PriceSource::ALL.iter().find(|source| source.name() == value);
        let source = *source.ok_or(format!("{name} is {value:?}"))?;
        if name != "source_below" {
            words.above = source;
        }
        if name != "source_above" {
            words.below = source;
        }
    }
    record.order_id = words.bits();
    Ok(())
}

/// Whether the instrument field of a command holds a question.
pub(super) fn is_about_question(kind: CommandKind) -> bool {
    use CommandKind as Kind;
    matches!(
        kind,
        Kind::SplitSet
            | Kind::MergeSet
            | Kind::ResolveQuestion
            | Kind::ChallengeResolution
            | Kind::VoidQuestion
    )
}

fn milliseconds(text: &str) -> Result<u64, String> {
    nanoseconds(text).map(|ns| ns / 1_000_000).ok_or(format!("{text:?} is not as in 5s"))
}

fn present(cell: &str) -> Option<&str> {
    (!cell.is_empty()).then_some(cell)
}

fn only(noun: &str, count: usize) -> Result<u32, String> {
    if count == 1 { Ok(1) } else { Err(format!("there are {count} {noun}s: the column \"on\" says which")) }
}

/// `raw.tif=9`: the field of the record as it travels, right or wrong.
fn raw(record: &mut CommandRecord, name: &str, value: &str) -> Result<(), String> {
    match name {
        "raw.kind" => record.kind = integer(value)?,
        "raw.side" => record.side = integer(value)?,
        "raw.tif" => record.tif = integer(value)?,
        "raw.flags" => record.flags = integer(value)?,
        "raw.self_trade" => record.self_trade = integer(value)?,
        "raw.venue" => record.venue = integer(value)?,
        "raw.account" => record.account = integer(value)?,
        "raw.instrument" => record.instrument = integer(value)?,
        "raw.order_id" => record.order_id = integer(value)?,
        "raw.price" => record.price = integer(value)?,
        "raw.qty" => record.qty = integer(value)?,
        "raw.expires_ns" => record.expires_ns = integer(value)?,
        "raw.amount" => record.amount = Int128::new(integer(value)?),
        _ => return Err(format!("the option {name:?} is not known")),
    }
    Ok(())
}
