//! Everything that is bounded, declared once by the first command of a log.

use serde::{Deserialize, Serialize};

/// Longest countdown of cancel_all_after, milliseconds: a day.
pub const COUNTDOWN_MS_MAX: i64 = 24 * 3_600 * 1_000;

/// Longest window and freeze of a market-maker protection, milliseconds: a day.
pub const PROTECTION_MS_MAX: u32 = 24 * 3_600 * 1_000;

/// Largest slippage of a market order that waits, ppm.
pub const SLIPPAGE_PPM_MAX: u32 = 999_999;

/// Most profiles that `profiles_max` may allow: eligibility is a bit for each.
pub const PROFILES_MAX: usize = 63;

/// Past funding intervals that an instrument keeps: a week of hours.
pub const FUNDING_HISTORY_MAX: usize = 168;
/// Levels of a side of the book that a premium looks at; a notional that they do not fill counts as no side.
pub const FUNDING_LEVELS_MAX: usize = 1_000;

/// The declared limits of an exchange. They are part of the log: its first command may set them, and replay
/// finds the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Accounts that can be opened.
    pub accounts_max: u32,
    /// Assets that can be deployed.
    pub assets_max: u32,
    /// Venues that can be deployed.
    pub venues_max: u16,
    /// Publishers of prices that can be deployed.
    pub publishers_max: u32,
    /// Underlyings of scenario margin that can be deployed.
    pub underlyings_max: u32,
    /// Instruments that can be deployed, outcomes included.
    pub instruments_max: u32,
    /// Questions that can be deployed.
    pub questions_max: u32,
    /// Outcomes of one question.
    pub outcomes_per_question_max: u32,
    /// Perpetuals in which one account may hold a position or an order at a time.
    pub perpetuals_per_account_max: u32,
    /// Outcomes, and apart from them spot instruments, in which one account may stand at a time.
    pub instruments_per_account_max: u32,
    /// Profiles (classes that counterparty rules may name, and a rule) that resting orders may have, at most 63.
    pub profiles_max: u32,
    /// Resting orders of one account over all instruments.
    pub orders_per_account_max: u32,
    /// Orders of one account that wait for a price; exits of brackets count too.
    pub triggers_per_account_max: u32,
    /// Waiting orders that fire with one command, at least 1; the others fire with the commands that follow.
    pub triggers_fired_per_command_max: u32,
    /// Resting orders that one command may meet; the rest of the order is cancelled.
    pub matches_per_command_max: u32,
    /// Holders that one tick settles the funding of; the others follow with the next ones.
    pub funding_settlements_per_command_max: u32,
    /// Orders that leave and positions that are paid by one command, for questions that are settled, at least 1; the others
    /// follow with the next ticks. As many credentials that end, and orders that leave with them, by one frame.
    pub payouts_per_command_max: u32,
    /// Client ids remembered at a time: of orders, and as many of what moves money. Beyond them the oldest are forgotten.
    /// Those of deposits do not count and are never forgotten.
    pub client_ids_max: u32,
    /// Those of one account among them: its own oldest are forgotten, and nobody else's.
    #[serde(skip_serializing_if = "is_client_ids_of_account")]
    pub client_ids_per_account_max: u32,
    /// How long a client id is remembered at most, logged nanoseconds; longer while its order rests.
    pub client_id_retention_ns: u64,
    /// Commands of one frame.
    pub frame_commands_max: u32,
    /// Accounts whose maintenance margin one command, or the start of one frame, looks at.
    pub risk_checks_per_command_max: u32,
    /// Accounts that one command, or the start of one frame, takes down the liquidation ladder.
    pub liquidations_per_command_max: u32,
    /// Least time between the announcement of a change of a market and its effect, logged seconds; at most a year.
    #[serde(skip_serializing_if = "is_a_day")]
    pub change_delay_s_min: u32,
    /// Time before its end over which the settlement price of a delisted perpetual is averaged, logged seconds; 1 to a day.
    #[serde(skip_serializing_if = "is_an_hour")]
    pub delisting_window_s: u32,
    /// Length of the auction before the end of a delisted spot instrument or perpetual, logged seconds; up to a day, 0: none.
    #[serde(skip_serializing_if = "is_a_minute")]
    pub delisting_auction_s: u32,
}

const CLIENT_IDS_OF_ACCOUNT: u32 = 16_384;
const DAY_S: u32 = 24 * 3_600;
const HOUR_S: u32 = 3_600;
const MINUTE_S: u32 = 60;

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_client_ids_of_account(count: &u32) -> bool {
    *count == CLIENT_IDS_OF_ACCOUNT
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_a_day(seconds: &u32) -> bool {
    *seconds == DAY_S
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_an_hour(seconds: &u32) -> bool {
    *seconds == HOUR_S
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_a_minute(seconds: &u32) -> bool {
    *seconds == MINUTE_S
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            accounts_max: 16_777_216,
            assets_max: 1_024,
            venues_max: 1_024,
            publishers_max: 1_024,
            underlyings_max: 1_024,
            instruments_max: 65_536,
            questions_max: 16_384,
            outcomes_per_question_max: 100,
            perpetuals_per_account_max: 64,
            instruments_per_account_max: 1_024,
            profiles_max: 63,
            orders_per_account_max: 10_000,
            triggers_per_account_max: 500,
            triggers_fired_per_command_max: 64,
            matches_per_command_max: 10_000,
            funding_settlements_per_command_max: 16_384,
            payouts_per_command_max: 4_096,
            client_ids_max: 16_777_216,
            client_ids_per_account_max: CLIENT_IDS_OF_ACCOUNT,
            client_id_retention_ns: 24 * 3_600 * 1_000_000_000,
            frame_commands_max: 65_536,
            risk_checks_per_command_max: 16_384,
            liquidations_per_command_max: 64,
            change_delay_s_min: DAY_S,
            delisting_window_s: HOUR_S,
            delisting_auction_s: MINUTE_S,
        }
    }
}
