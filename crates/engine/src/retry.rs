//! Whether a command that brings a known client id is the one that was answered, sent again.

use std::mem::offset_of;
use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, Flags, Reject};

/// The first field, by its offset, in which a command differs from the one behind a stored answer, as far as
/// the answer tells; `None` if it may be the same. Section 9 of the rules has what each answer tells.
#[cold]
pub(crate) fn differs_at(answer: &EventRecord, command: &CommandRecord) -> Option<usize> {
    let kind = command.kind();
    let is_bracket = answer.flags & Flags::BRACKET != 0;
    let is_kind = match answer.kind() {
        Some(EventKind::OrderAccepted) if is_bracket => kind == Some(CommandKind::PlaceBracket),
        Some(EventKind::OrderAccepted) => kind == Some(CommandKind::Place),
        Some(EventKind::TriggerAccepted) => kind == Some(CommandKind::PlaceTrigger),
        Some(EventKind::Deposited) => kind == Some(CommandKind::Deposit),
        Some(EventKind::Withdrawn) => kind == Some(CommandKind::Withdraw),
        Some(EventKind::Transferred) => kind == Some(CommandKind::Transfer),
        Some(EventKind::SetSplit) => kind == Some(CommandKind::SplitSet),
        Some(EventKind::SetMerged) => kind == Some(CommandKind::MergeSet),
        // The refusal of a deposit is not remembered.
        _ => kind != Some(CommandKind::Deposit),
    };
    let was_clipped =
        answer.kind() == Some(EventKind::OrderAccepted) && answer.flags & Flags::REDUCE_ONLY != 0;
    let is_qty = if was_clipped { command.qty >= answer.qty } else { command.qty == answer.qty };
    let fields = [
        (is_kind, offset_of!(CommandRecord, kind)),
        (command.side == answer.side, offset_of!(CommandRecord, side)),
        (command.instrument == answer.instrument, offset_of!(CommandRecord, instrument)),
        (is_receiver(answer, command), offset_of!(CommandRecord, order_id)),
        (command.price == answer.price, offset_of!(CommandRecord, price)),
        (is_qty, offset_of!(CommandRecord, qty)),
        (is_second_limit(answer, command), offset_of!(CommandRecord, expires_ns)),
        (is_amount(answer, command), offset_of!(CommandRecord, amount)),
    ];
    fields.into_iter().find(|(same, _)| !same).map(|(_, offset)| offset)
}

/// Answers to transfers tell who received, or was to.
fn is_receiver(answer: &EventRecord, command: &CommandRecord) -> bool {
    let tells = match answer.kind() {
        Some(EventKind::Transferred) => true,
        Some(EventKind::Rejected) => {
            matches!(command.kind(), Some(CommandKind::Withdraw | CommandKind::Transfer))
        }
        _ => false,
    };
    !tells || command.order_id == answer.order_id
}

/// Only orders that wait answer with it.
fn is_second_limit(answer: &EventRecord, command: &CommandRecord) -> bool {
    answer.kind() != Some(EventKind::TriggerAccepted) || command.expires_ns == answer.remaining as u64
}

/// An amount of money, which some refusals name as their value, a display quantity, or two trigger prices.
fn is_amount(answer: &EventRecord, command: &CommandRecord) -> bool {
    if answer.kind() == Some(EventKind::TriggerAccepted) {
        let (above, below) = command.triggers();
        return (answer.amount.get(), answer.counter_amount.get()) == (above.0.into(), below.0.into());
    }
    if answer.kind() == Some(EventKind::OrderAccepted) {
        // How much an iceberg shows. A bracket's prices are not told.
        let is_bracket = answer.flags & Flags::BRACKET != 0;
        return is_bracket || answer.amount.get() == command.display().0.into();
    }
    let tells = match answer.kind() {
        Some(EventKind::Deposited | EventKind::Withdrawn | EventKind::Transferred) => true,
        Some(EventKind::Rejected) => [
            Reject::AmountNotPositive.code(),
            Reject::AmountAboveMax.code(),
            Reject::InsufficientBalance.code(),
        ]
        .contains(&answer.reason),
        _ => false,
    };
    let is_money =
        matches!(command.kind(), Some(CommandKind::Deposit | CommandKind::Withdraw | CommandKind::Transfer));
    !(tells && is_money) || command.amount == answer.amount
}
