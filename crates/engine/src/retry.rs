//! Whether a command that brings a known client id is the one that was answered, sent again.

use std::mem::offset_of;
use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, Flags, Reject};

/// The first field, by its offset, in which a command differs from the one behind a stored answer, as far as
/// the answer tells; `None` if it may be the same. Section 9 of the rules has what each answer tells.
#[cold]
pub(crate) fn differs_at(answer: &EventRecord, command: &CommandRecord) -> Option<usize> {
    let kind = command.kind();
    let is_kind = match answer.kind() {
        Some(EventKind::OrderAccepted) => kind == Some(CommandKind::Place),
        Some(EventKind::Deposited) => kind == Some(CommandKind::Deposit),
        Some(EventKind::Withdrawn) => kind == Some(CommandKind::Withdraw),
        Some(EventKind::SetSplit) => kind == Some(CommandKind::SplitSet),
        Some(EventKind::SetMerged) => kind == Some(CommandKind::MergeSet),
        // The refusal of a deposit is not remembered.
        _ => kind != Some(CommandKind::Deposit),
    };
    let was_clipped = kind == Some(CommandKind::Place)
        && answer.kind() == Some(EventKind::OrderAccepted)
        && answer.flags & Flags::REDUCE_ONLY != 0;
    let is_qty = if was_clipped { command.qty >= answer.qty } else { command.qty == answer.qty };
    let fields = [
        (is_kind, offset_of!(CommandRecord, kind)),
        (command.side == answer.side, offset_of!(CommandRecord, side)),
        (command.instrument == answer.instrument, offset_of!(CommandRecord, instrument)),
        (command.price == answer.price, offset_of!(CommandRecord, price)),
        (is_qty, offset_of!(CommandRecord, qty)),
        (is_amount(answer, command), offset_of!(CommandRecord, amount)),
    ];
    fields.into_iter().find(|(same, _)| !same).map(|(_, offset)| offset)
}

/// Money alone has an amount; some of its refusals name it as their value.
fn is_amount(answer: &EventRecord, command: &CommandRecord) -> bool {
    let tells = match answer.kind() {
        Some(EventKind::Deposited | EventKind::Withdrawn) => true,
        Some(EventKind::Rejected) => [
            Reject::AmountNotPositive.code(),
            Reject::AmountAboveMax.code(),
            Reject::InsufficientBalance.code(),
        ]
        .contains(&answer.reason),
        _ => false,
    };
    let is_money = matches!(command.kind(), Some(CommandKind::Deposit | CommandKind::Withdraw));
    !(tells && is_money) || command.amount == answer.amount
}
