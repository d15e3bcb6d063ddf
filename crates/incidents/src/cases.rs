//! The incidents, by what they attacked.

mod deleveraging;
mod ledger;
mod liquidation;
mod prices;

use crate::Incident;

/// The list, in the order of the reliability reference.
pub const INCIDENTS: &[Incident] = &[
    prices::MANIPULATED_ORACLE,
    prices::COLLATERAL_AT_ITS_OWN_BOOK,
    liquidation::DUMPED_ON_THE_BACKSTOP,
    liquidation::MARGIN_WITHDRAWN,
    prices::OPEN_INTEREST_IN_A_THIN_MARKET,
    prices::FAKE_WALL,
    prices::MARK_IS_THE_LAST_TRADE,
    deleveraging::WINNERS_CLOSED_FIRST,
    liquidation::FUND_DRAINED_BY_ONE_MARKET,
    prices::UNREALISED_PROFIT_WITHDRAWN,
    prices::FUNDING_FROM_A_THIN_BOOK,
    prices::STALE_AFTER_RESTART,
    deleveraging::PAID_AFTER_IT_WAS_GIVEN_BACK,
    prices::NEGATIVE_PRICE,
    ledger::ROUNDING_HARVEST,
    ledger::OVERFLOW,
    ledger::WITHDRAWAL_RACE,
    ledger::REPEATED_WITHDRAWAL,
    ledger::PRIVILEGED_ACCOUNT,
    ledger::WASH_REBATES,
    ledger::ENDLESS_COMMAND,
];
