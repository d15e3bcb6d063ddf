//! The incidents, by what they attacked.

mod ledger;
mod prices;

use crate::Incident;

/// The list, in the order of the reliability reference.
pub const INCIDENTS: &[Incident] = &[
    prices::UNREALISED_PROFIT_WITHDRAWN,
    prices::NEGATIVE_PRICE,
    ledger::ROUNDING_HARVEST,
    ledger::OVERFLOW,
    ledger::WITHDRAWAL_RACE,
    ledger::REPEATED_WITHDRAWAL,
    ledger::PRIVILEGED_ACCOUNT,
    ledger::WASH_REBATES,
    ledger::ENDLESS_COMMAND,
];
