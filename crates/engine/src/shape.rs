//! The shape of a command record: fields a kind does not use are zero, numbered words have a meaning.

use crate::step::{Refused, refused};
use crate::triggers::{Trigger, Wait, legs_of};
use std::mem::offset_of;
use std::ops::Range;
use xos_protocol::{CommandKind, CommandRecord, Flags, Reject, SelfTrade, Side, Tif, TriggerWords};
use xos_units::{OrderId, Price, Qty};
use zerocopy::IntoBytes;

/// A place that passed.
pub(crate) struct PlaceWords {
    pub(crate) side: Side,
    pub(crate) tif: Tif,
    pub(crate) flags: Flags,
    pub(crate) self_trade: SelfTrade,
    /// Lots shown at a time; 0: all.
    pub(crate) display: Qty,
}

const SIDE: usize = offset_of!(CommandRecord, side);
const TIF: usize = offset_of!(CommandRecord, tif);
const FLAGS: usize = offset_of!(CommandRecord, flags);
const SELF_TRADE: usize = offset_of!(CommandRecord, self_trade);
const VENUE: usize = offset_of!(CommandRecord, venue);
const ACCOUNT: usize = offset_of!(CommandRecord, account);
const INSTRUMENT: usize = offset_of!(CommandRecord, instrument);
const ORDER_ID: usize = offset_of!(CommandRecord, order_id);
const SLIPPAGE: usize = ORDER_ID + 4;
const PRICE: usize = offset_of!(CommandRecord, price);
const QTY: usize = offset_of!(CommandRecord, qty);
const EXPIRES: usize = offset_of!(CommandRecord, expires_ns);
const AMOUNT: usize = offset_of!(CommandRecord, amount);
/// The upper half, which a place and an amend leave zero.
const AMOUNT_HIGH: usize = AMOUNT + 8;
const CLIENT_ID: usize = offset_of!(CommandRecord, client_id);
const END: usize = size_of::<CommandRecord>();

/// Byte ranges that a kind leaves zero, in order of offset.
const fn unused(kind: CommandKind) -> &'static [Range<usize>] {
    match kind {
        CommandKind::Place | CommandKind::PlaceTrigger | CommandKind::PlaceBracket | CommandKind::Deploy => {
            &[]
        }
        CommandKind::AmendTrigger => &[SIDE..VENUE, VENUE..ACCOUNT],
        CommandKind::SetProtection => &[SIDE..ACCOUNT, ORDER_ID..PRICE, AMOUNT..END],
        CommandKind::Amend => &[SIDE..FLAGS, SELF_TRADE..VENUE, EXPIRES..AMOUNT, AMOUNT_HIGH..CLIENT_ID],
        CommandKind::Cancel => &[SIDE..VENUE, PRICE..CLIENT_ID],
        CommandKind::MassCancel => &[TIF..VENUE, PRICE..CLIENT_ID],
        CommandKind::CancelAllAfter => &[SIDE..ACCOUNT, INSTRUMENT..QTY, EXPIRES..END],
        CommandKind::OpenAccount => &[TIF..ACCOUNT, PRICE..CLIENT_ID],
        CommandKind::Deposit | CommandKind::Withdraw => &[SIDE..ACCOUNT, ORDER_ID..AMOUNT],
        CommandKind::Transfer => &[SIDE..ACCOUNT, PRICE..AMOUNT],
        CommandKind::SplitSet | CommandKind::MergeSet => &[SIDE..ACCOUNT, ORDER_ID..QTY, EXPIRES..CLIENT_ID],
        CommandKind::SetCredentials => &[SIDE..ACCOUNT, INSTRUMENT..ORDER_ID, PRICE..QTY, AMOUNT..CLIENT_ID],
        CommandKind::SetLeverage => &[SIDE..ACCOUNT, ORDER_ID..QTY, EXPIRES..END],
        CommandKind::SetMarginMode => &[TIF..ACCOUNT, INSTRUMENT..END],
        CommandKind::Tick => &[SIDE..INSTRUMENT, INSTRUMENT..END],
        CommandKind::SetMark | CommandKind::SetIndex => &[SIDE..INSTRUMENT, ORDER_ID..PRICE, QTY..END],
        CommandKind::PublishPrice => &[SIDE..ACCOUNT, ORDER_ID..PRICE, AMOUNT..END],
        CommandKind::Restart => &[SIDE..INSTRUMENT, INSTRUMENT..END],
        CommandKind::SetInstrumentState => &[TIF..INSTRUMENT, ORDER_ID..END],
        CommandKind::ResolveQuestion => &[SIDE..INSTRUMENT, PRICE..END],
        CommandKind::CollectFees => &[TIF..INSTRUMENT, PRICE..END],
        CommandKind::SetFeeCap => &[SIDE..ACCOUNT, INSTRUMENT..ORDER_ID, PRICE..QTY, EXPIRES..END],
        CommandKind::SetReferrer => &[SIDE..ACCOUNT, INSTRUMENT..ORDER_ID, PRICE..END],
        CommandKind::StartAuction => &[SIDE..INSTRUMENT, ORDER_ID..EXPIRES, AMOUNT..END],
        CommandKind::WithdrawChange => &[SIDE..ACCOUNT, INSTRUMENT..ORDER_ID, PRICE..END],
        CommandKind::Stake | CommandKind::Unstake => &[SIDE..ACCOUNT, INSTRUMENT..AMOUNT, CLIENT_ID..END],
        CommandKind::BuySlot => &[TIF..ACCOUNT, INSTRUMENT..AMOUNT, CLIENT_ID..END],
        CommandKind::Vote => &[TIF..ACCOUNT, INSTRUMENT..ORDER_ID, PRICE..END],
        CommandKind::Emergency => &[TIF..ACCOUNT, ORDER_ID..END],
        CommandKind::Delist => &[TIF..ACCOUNT, ORDER_ID..QTY, EXPIRES..END],
        CommandKind::ChallengeResolution | CommandKind::VoidQuestion => &[SIDE..ACCOUNT, ORDER_ID..END],
    }
}

fn malformed<T>(command: &CommandRecord, offset: usize) -> Result<T, Refused> {
    refused(Reject::MalformedCommand, command.as_bytes()[offset], offset as i128)
}

/// Checks the words of a cancel, which are nearly always in order.
#[inline(always)]
pub(crate) fn cancel(command: &CommandRecord) -> Result<(), Refused> {
    let words = command.side | command.tif | command.flags | command.self_trade;
    let numbers = command.price | command.qty | command.expires_ns as i64 | command.amount.high;
    if u64::from(words) | numbers as u64 | command.amount.low == 0 {
        return Ok(());
    }
    check(command, CommandKind::Cancel)
}

/// Checks the words of an amend.
#[inline(always)]
pub(crate) fn amend(command: &CommandRecord) -> Result<(), Refused> {
    let words = command.side | command.tif | (command.flags & !Flags::POST_ONLY) | command.self_trade;
    if u64::from(words) | command.expires_ns | command.amount.high as u64 == 0 {
        return Ok(());
    }
    check(command, CommandKind::Amend)
}

/// Checks the words of every kind but place.
pub(crate) fn check(command: &CommandRecord, kind: CommandKind) -> Result<(), Refused> {
    // The words that a kind uses and that have bounds come in their place by offset.
    let side_max = match kind {
        CommandKind::MassCancel => 2,
        CommandKind::SetMarginMode | CommandKind::CollectFees | CommandKind::Vote => 1,
        // An isolated account is what its parent is.
        CommandKind::OpenAccount => u8::from(command.instrument == 0 && command.order_id == 0),
        CommandKind::Delist => 2,
        CommandKind::BuySlot | CommandKind::Emergency => 3,
        _ => u8::MAX,
    };
    if command.side > side_max {
        return malformed(command, SIDE);
    }
    let bytes = command.as_bytes();
    let stray = unused(kind).iter().cloned().flatten().find(|at| bytes[*at] != 0);
    // Without classes there is no credential that could end.
    let ends = kind == CommandKind::SetCredentials && command.qty == 0 && command.expires_ns != 0;
    if ends && stray.is_none_or(|at| at > EXPIRES) {
        return self::stray(command, EXPIRES..AMOUNT);
    }
    let stray_flag = kind == CommandKind::Amend && command.flags & !Flags::POST_ONLY != 0;
    match stray {
        Some(at) if !(stray_flag && FLAGS < at) => malformed(command, at),
        _ if stray_flag => malformed(command, FLAGS),
        _ => Ok(()),
    }
}

/// Checks and reads the words of a place.
#[inline(always)]
pub(crate) fn place(command: &CommandRecord) -> Result<PlaceWords, Refused> {
    let Some(side) = command.side() else { return malformed(command, SIDE) };
    let Some(tif) = command.tif() else { return malformed(command, TIF) };
    let flags = command.flags();
    if flags.0 & !Flags::KNOWN != 0 {
        return malformed(command, FLAGS);
    }
    let Some(self_trade) = command.self_trade() else { return malformed(command, SELF_TRADE) };
    let stray_expiry = tif != Tif::Gtd && command.expires_ns != 0;
    if command.order_id != 0 || stray_expiry || command.amount.high != 0 {
        return stray_in_place(command, stray_expiry);
    }
    Ok(PlaceWords { side, tif, flags, self_trade, display: command.display() })
}

#[cold]
fn stray_in_place<T>(command: &CommandRecord, stray_expiry: bool) -> Result<T, Refused> {
    let bytes = command.as_bytes();
    let ranges = [ORDER_ID..PRICE, if stray_expiry { EXPIRES..AMOUNT } else { 0..0 }, AMOUNT_HIGH..CLIENT_ID];
    let at = ranges.into_iter().flatten().find(|at| bytes[*at] != 0).unwrap_or(ORDER_ID);
    malformed(command, at)
}

/// Reads the words of place_trigger into the order that will wait.
pub(crate) fn place_trigger(command: &CommandRecord, id: OrderId) -> Result<Trigger, Refused> {
    let Some(side) = command.side() else { return malformed(command, SIDE) };
    let tif = match command.tif() {
        Some(tif) if tif != Tif::Gtd => tif,
        _ => return malformed(command, TIF),
    };
    let flags = command.flags();
    if flags.0 & !Flags::KNOWN != 0 {
        return malformed(command, FLAGS);
    }
    let Some(self_trade) = command.self_trade() else { return malformed(command, SELF_TRADE) };
    let words = trigger_words(command)?;
    let market = flags.has(Flags::MARKET);
    let (mut above, mut below) = legs_of(command, words);
    let both = above.trigger != Price::ZERO && below.trigger != Price::ZERO;
    if !market && words.slippage_ppm != 0 {
        return stray(command, SLIPPAGE..PRICE);
    }
    if market && command.price != 0 {
        return stray(command, PRICE..QTY);
    }
    if (market || !both) && command.expires_ns != 0 {
        return stray(command, EXPIRES..AMOUNT);
    }
    if above.trigger != Price::ZERO {
        above.limit = command.price();
        below.limit = Price(command.expires_ns as i64);
    } else {
        below.limit = command.price();
    }
    Ok(Trigger {
        id,
        account: command.account(),
        instrument: command.instrument(),
        venue: command.venue(),
        side,
        tif,
        flags: flags.0,
        self_trade,
        qty: command.qty(),
        above,
        below,
        slippage_ppm: words.slippage_ppm,
        entry: OrderId(0),
        client_id: command.client_id,
        wait: Wait::Price,
    })
}

/// Checks and reads the words of place_bracket: those of a place that opens, and what its exits watch.
pub(crate) fn place_bracket(command: &CommandRecord) -> Result<(PlaceWords, TriggerWords), Refused> {
    let entry = CommandRecord { order_id: 0, amount: Default::default(), ..*command };
    let words = place(&entry)?;
    if words.flags.has(Flags::REDUCE_ONLY) {
        return malformed(command, FLAGS);
    }
    Ok((words, trigger_words(command)?))
}

fn trigger_words(command: &CommandRecord) -> Result<TriggerWords, Refused> {
    TriggerWords::from_bits(command.order_id).or_else(|byte| malformed(command, ORDER_ID + byte))
}

/// Names the first byte of a range that is not zero.
fn stray<T>(command: &CommandRecord, range: Range<usize>) -> Result<T, Refused> {
    let at = range.clone().find(|at| command.as_bytes()[*at] != 0).unwrap_or(range.start);
    malformed(command, at)
}
