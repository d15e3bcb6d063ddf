//! Why a command is refused, and the checks of a record's own bytes.

use std::ops::Range;
use xos_protocol::{CommandKind, CommandRecord, Flags, Reject, SelfTrade, Side, Tif};
use zerocopy::IntoBytes;

/// A reject with what it refused and the limit it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reject: Reject,
    pub(super) value: i128,
    pub(super) limit: i128,
}

/// A refusal as an error.
pub(super) fn refuse<T>(
    reject: Reject,
    value: impl Into<i128>,
    limit: impl Into<i128>,
) -> Result<T, Refusal> {
    Err(Refusal { reject, value: value.into(), limit: limit.into() })
}

/// Refuses unless `holds`.
pub(super) fn check(
    holds: bool,
    reject: Reject,
    value: impl Into<i128>,
    limit: impl Into<i128>,
) -> Result<(), Refusal> {
    if holds { Ok(()) } else { refuse(reject, value, limit) }
}

/// Refuses ids outside `1..=newest`.
pub(super) fn check_id(id: u32, count: usize, reject: Reject) -> Result<(), Refusal> {
    check(id >= 1 && id as usize <= count, reject, id, count as i128)
}

const SIDE: Range<usize> = 2..3;
const TIF: Range<usize> = 3..4;
const FLAGS: Range<usize> = 4..5;
const SELF_TRADE: Range<usize> = 5..6;
const VENUE: Range<usize> = 6..8;
const ACCOUNT: Range<usize> = 8..12;
const INSTRUMENT: Range<usize> = 12..16;
const ORDER_ID: Range<usize> = 16..24;
const PRICE: Range<usize> = 24..32;
const QTY: Range<usize> = 32..40;
const EXPIRES: Range<usize> = 40..48;
const AMOUNT: Range<usize> = 48..64;
/// Its upper half.
const AMOUNT_HIGH: Range<usize> = 56..64;
const CLIENT_ID: Range<usize> = 64..96;

/// The command's kind, if a record of this number can be a command.
pub(super) fn kind_of(command: &CommandRecord) -> Result<CommandKind, Refusal> {
    match command.kind() {
        Some(kind) if kind != CommandKind::Deploy => Ok(kind),
        _ => refuse(Reject::UnknownCommand, command.kind, 0),
    }
}

/// Reject 102: bytes that have no meaning in a command of this kind, in order of offset.
pub(super) fn check_bytes(kind: CommandKind, command: &CommandRecord) -> Result<(), Refusal> {
    match kind {
        CommandKind::Place => check_place_bytes(command),
        CommandKind::Amend => {
            check_zero(command, &[SIDE, TIF])?;
            check_byte(command.flags & !Flags::POST_ONLY == 0, command.flags, FLAGS)?;
            check_zero(command, &[SELF_TRADE, EXPIRES, AMOUNT_HIGH])
        }
        CommandKind::Cancel => {
            check_zero(command, &[SIDE, TIF, FLAGS, SELF_TRADE, PRICE, QTY, EXPIRES, AMOUNT])
        }
        CommandKind::MassCancel => {
            check_byte(command.side <= 2, command.side, SIDE)?;
            check_zero(command, &[TIF, FLAGS, SELF_TRADE, PRICE, QTY, EXPIRES, AMOUNT])
        }
        CommandKind::PlaceTrigger => check_trigger_bytes(command),
        CommandKind::PlaceBracket => {
            check_place_words(command)?;
            if command.tif() != Some(Tif::Gtd) {
                check_zero(command, &[EXPIRES])?;
            }
            check_byte(!command.flags().has(Flags::REDUCE_ONLY), command.flags, FLAGS)?;
            check_trigger_words(command)
        }
        CommandKind::SetProtection => check_only(command, &[ACCOUNT, INSTRUMENT, PRICE, QTY, EXPIRES]),
        CommandKind::AmendTrigger => check_zero(command, &[SIDE, TIF, FLAGS, SELF_TRADE, VENUE]),
        CommandKind::CancelAllAfter => check_only(command, &[ACCOUNT, QTY]),
        CommandKind::OpenAccount => {
            let is_isolated = command.instrument != 0 || command.order_id != 0;
            check_byte(command.side == 0 || command.side == 1 && !is_isolated, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT, INSTRUMENT, ORDER_ID, CLIENT_ID])
        }
        CommandKind::Deposit | CommandKind::Withdraw => {
            check_only(command, &[ACCOUNT, INSTRUMENT, AMOUNT, CLIENT_ID])
        }
        CommandKind::Transfer => check_only(command, &[ACCOUNT, INSTRUMENT, ORDER_ID, AMOUNT, CLIENT_ID]),
        CommandKind::SplitSet | CommandKind::MergeSet => {
            check_only(command, &[ACCOUNT, INSTRUMENT, QTY, CLIENT_ID])
        }
        CommandKind::SetCredentials if command.qty == 0 => {
            check_only(command, &[ACCOUNT, ORDER_ID, QTY, CLIENT_ID])
        }
        CommandKind::SetCredentials => check_only(command, &[ACCOUNT, ORDER_ID, QTY, EXPIRES, CLIENT_ID]),
        CommandKind::SetMarginMode => {
            check_byte(command.side <= 1, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT])
        }
        CommandKind::SetLeverage => check_only(command, &[ACCOUNT, INSTRUMENT, QTY]),
        CommandKind::Tick | CommandKind::Deploy => check_only(command, &[]),
        CommandKind::SetMark | CommandKind::SetIndex => check_only(command, &[INSTRUMENT, PRICE]),
        CommandKind::PublishPrice => check_only(command, &[ACCOUNT, INSTRUMENT, PRICE, QTY, EXPIRES]),
        CommandKind::Restart => check_only(command, &[]),
        CommandKind::SetInstrumentState => check_only(command, &[SIDE, INSTRUMENT]),
        CommandKind::ResolveQuestion => check_only(command, &[INSTRUMENT, ORDER_ID]),
        CommandKind::CollectFees => {
            check_byte(command.side <= 1, command.side, SIDE)?;
            check_only(command, &[SIDE, INSTRUMENT, ORDER_ID])
        }
        CommandKind::SetFeeCap => check_only(command, &[ACCOUNT, ORDER_ID, QTY]),
        CommandKind::SetReferrer => check_only(command, &[ACCOUNT, ORDER_ID]),
        CommandKind::WithdrawChange => check_only(command, &[ACCOUNT, ORDER_ID]),
        CommandKind::Stake | CommandKind::Unstake => check_only(command, &[ACCOUNT, AMOUNT]),
        CommandKind::BuySlot => {
            check_byte(command.side <= 3, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT, AMOUNT])
        }
        CommandKind::Vote => {
            check_byte(command.side <= 1, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT, ORDER_ID])
        }
        CommandKind::Emergency => {
            check_byte(command.side <= 3, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT, INSTRUMENT])
        }
        CommandKind::StartAuction => check_only(command, &[INSTRUMENT, EXPIRES]),
        CommandKind::Delist => {
            check_byte(command.side <= 2, command.side, SIDE)?;
            check_only(command, &[SIDE, ACCOUNT, INSTRUMENT, QTY])
        }
        CommandKind::ChallengeResolution | CommandKind::VoidQuestion => {
            check_only(command, &[ACCOUNT, INSTRUMENT])
        }
    }
}

fn check_place_words(command: &CommandRecord) -> Result<(), Refusal> {
    check_byte(Side::from_code(command.side).is_some(), command.side, SIDE)?;
    check_byte(Tif::from_code(command.tif).is_some(), command.tif, TIF)?;
    check_byte(command.flags & !Flags::KNOWN == 0, command.flags, FLAGS)?;
    check_byte(SelfTrade::from_code(command.self_trade).is_some(), command.self_trade, SELF_TRADE)
}

fn check_place_bytes(command: &CommandRecord) -> Result<(), Refusal> {
    check_place_words(command)?;
    check_zero(command, &[ORDER_ID])?;
    if command.tif() != Some(Tif::Gtd) {
        check_zero(command, &[EXPIRES])?;
    }
    check_zero(command, &[AMOUNT_HIGH])
}

/// The sources of both legs; two bytes that nothing uses.
fn check_trigger_words(command: &CommandRecord) -> Result<(), Refusal> {
    let bytes = command.order_id.to_le_bytes();
    for (at, most) in [(0, 2), (1, 2), (2, 0), (3, 0)] {
        check(bytes[at] <= most, Reject::MalformedCommand, bytes[at], (ORDER_ID.start + at) as i128)?;
    }
    Ok(())
}

fn check_trigger_bytes(command: &CommandRecord) -> Result<(), Refusal> {
    check_byte(command.side <= 1, command.side, SIDE)?;
    check_byte(command.tif <= 2, command.tif, TIF)?;
    check_place_words(command)?;
    check_trigger_words(command)?;
    let is_market = command.flags().has(Flags::MARKET);
    let has_both = command.amount.low != 0 && command.amount.high != 0;
    if !is_market {
        let upper_half = ORDER_ID.start + 4..ORDER_ID.end;
        check_zero(command, std::slice::from_ref(&upper_half))?;
    }
    if is_market {
        check_zero(command, &[PRICE])?;
    }
    if is_market || !has_both {
        check_zero(command, &[EXPIRES])?;
    }
    Ok(())
}

fn check_byte(holds: bool, byte: u8, place: Range<usize>) -> Result<(), Refusal> {
    check(holds, Reject::MalformedCommand, byte, place.start as i128)
}

/// Names the first byte that is not zero in the given fields.
fn check_zero(command: &CommandRecord, fields: &[Range<usize>]) -> Result<(), Refusal> {
    for offset in fields.iter().cloned().flatten() {
        let byte = command.as_bytes()[offset];
        check(byte == 0, Reject::MalformedCommand, byte, offset as i128)?;
    }
    Ok(())
}

/// All fields but the named ones are zero.
fn check_only(command: &CommandRecord, named: &[Range<usize>]) -> Result<(), Refusal> {
    let all = [
        SIDE, TIF, FLAGS, SELF_TRADE, VENUE, ACCOUNT, INSTRUMENT, ORDER_ID, PRICE, QTY, EXPIRES, AMOUNT,
        CLIENT_ID,
    ];
    let others: Vec<_> = all.into_iter().filter(|field| !named.contains(field)).collect();
    check_zero(command, &others)
}
