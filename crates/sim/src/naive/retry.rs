//! Section 9 once more: is a command the one whose answer is remembered?

use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, Flags, Reject};

/// Offsets of the compared fields in the command record.
const KIND: i128 = 0;
const SIDE: i128 = 2;
const INSTRUMENT: i128 = 12;
const RECEIVER: i128 = 16;
const PRICE: i128 = 24;
const QTY: i128 = 32;
const SECOND_LIMIT: i128 = 40;
const AMOUNT: i128 = 48;

/// The offset of the first field in which the command is certainly another one.
pub(super) fn other_at(first: &EventRecord, kind: CommandKind, again: &CommandRecord) -> Option<i128> {
    match first.kind() {
        Some(EventKind::OrderAccepted) => {
            let reduces = first.flags & Flags::REDUCE_ONLY != 0;
            let placing = if first.flags & Flags::BRACKET != 0 {
                CommandKind::PlaceBracket
            } else {
                CommandKind::Place
            };
            if kind != placing {
                Some(KIND)
            } else if let Some(place) = place_differs(first, again) {
                Some(place)
            } else if reduces && again.qty < first.qty || !reduces && again.qty != first.qty {
                Some(QTY)
            } else if placing == CommandKind::Place && first.amount.get() != i128::from(again.amount.low) {
                Some(AMOUNT)
            } else {
                None
            }
        }
        Some(EventKind::TriggerAccepted) => waiting_differs(first, kind, again),
        Some(EventKind::Deposited) => money_differs(first, kind == CommandKind::Deposit, again),
        Some(EventKind::Withdrawn) => money_differs(first, kind == CommandKind::Withdraw, again),
        Some(EventKind::Transferred) => transfer_differs(first, kind, again),
        Some(EventKind::SetSplit) => sets_differ(first, kind == CommandKind::SplitSet, again),
        Some(EventKind::SetMerged) => sets_differ(first, kind == CommandKind::MergeSet, again),
        _ => reject_differs(first, kind, again),
    }
}

fn place_differs(first: &EventRecord, again: &CommandRecord) -> Option<i128> {
    if again.side != first.side {
        return Some(SIDE);
    }
    if again.instrument != first.instrument {
        return Some(INSTRUMENT);
    }
    if again.price != first.price {
        return Some(PRICE);
    }
    None
}

/// An order that waits answers with all of its prices.
fn waiting_differs(first: &EventRecord, kind: CommandKind, again: &CommandRecord) -> Option<i128> {
    if kind != CommandKind::PlaceTrigger {
        return Some(KIND);
    }
    if let Some(place) = place_differs(first, again) {
        return Some(place);
    }
    if again.qty != first.qty {
        return Some(QTY);
    }
    if i128::from(again.expires_ns) != i128::from(first.remaining) {
        return Some(SECOND_LIMIT);
    }
    let (above, below) = again.triggers();
    if i128::from(above.0) != first.amount.get() || i128::from(below.0) != first.counter_amount.get() {
        return Some(AMOUNT);
    }
    None
}

fn money_differs(first: &EventRecord, is_kind: bool, again: &CommandRecord) -> Option<i128> {
    if !is_kind {
        return Some(KIND);
    }
    if again.instrument != first.instrument {
        return Some(INSTRUMENT);
    }
    if again.amount != first.amount {
        return Some(AMOUNT);
    }
    None
}

fn transfer_differs(first: &EventRecord, kind: CommandKind, again: &CommandRecord) -> Option<i128> {
    if kind != CommandKind::Transfer {
        return Some(KIND);
    }
    if again.instrument != first.instrument {
        return Some(INSTRUMENT);
    }
    if again.order_id != first.order_id {
        return Some(RECEIVER);
    }
    if again.amount != first.amount {
        return Some(AMOUNT);
    }
    None
}

fn sets_differ(first: &EventRecord, is_kind: bool, again: &CommandRecord) -> Option<i128> {
    if !is_kind {
        return Some(KIND);
    }
    if again.instrument != first.instrument {
        return Some(INSTRUMENT);
    }
    if again.qty != first.qty {
        return Some(QTY);
    }
    None
}

/// A rejected event repeats the fields of its command but neither its kind nor, by itself, its amount.
fn reject_differs(first: &EventRecord, kind: CommandKind, again: &CommandRecord) -> Option<i128> {
    if kind == CommandKind::Deposit {
        return Some(KIND);
    }
    let pays_out = matches!(kind, CommandKind::Withdraw | CommandKind::Transfer);
    let is_to_another = pays_out && again.order_id != first.order_id;
    match place_differs(first, again) {
        Some(place) if place < RECEIVER || !is_to_another => return Some(place),
        _ if is_to_another => return Some(RECEIVER),
        _ => {}
    }
    if again.qty != first.qty {
        return Some(QTY);
    }
    let of_an_amount = [Reject::AmountNotPositive, Reject::AmountAboveMax, Reject::InsufficientBalance];
    let names_amount = of_an_amount.iter().any(|reject| reject.code() == first.reason);
    if pays_out && names_amount && again.amount != first.amount {
        return Some(AMOUNT);
    }
    None
}
