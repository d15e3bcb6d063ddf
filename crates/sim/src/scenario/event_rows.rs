//! Events as rows: what each column says of each kind of event.

use super::columns::{self, Names};
use super::commands::is_about_question;
use super::governance_rows;
use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_protocol::{
    CancelReason, CommandKind, DecidedBy, EventFlags, EventKind, EventRecord, InstrumentState, PriceSource,
    PriceStatus, Reject, Side, SlotKind,
};
use xos_units::VenueId;

/// Every column that a table of events may have.
pub(super) const COLUMNS: &[&str] = &[
    "by",
    "event",
    "account",
    "order",
    "on",
    "side",
    "qty",
    "price",
    "left",
    "venue",
    "display",
    "flags",
    "id",
    "maker",
    "maker order",
    "maker left",
    "maker venue",
    "trade",
    "taker fee",
    "maker fee",
    "taker",
    "sets",
    "position",
    "amount",
    "total",
    "value",
    "limit",
    "state",
    "pays",
    "to",
    "above",
    "below",
    "below limit",
    "trigger",
    "source",
    "classes",
    "had",
    "requires",
    "forbids",
    "parts",
];
/// Columns that are zero or empty wherever a table leaves them out.
pub(super) const ZERO_IF_ABSENT: &[&str] = &["taker fee", "maker fee"];

/// What events are shown with.
pub(super) struct Witness<'a> {
    pub(super) engine: &'a Engine,
    pub(super) names: &'a Names,
    /// Kinds of the commands so far, by sequence.
    pub(super) kinds: &'a BTreeMap<u64, u16>,
}

impl Witness<'_> {
    /// The cell of an event in a column; empty where the column says nothing of this kind of event.
    pub(super) fn cell(&self, event: &EventRecord, column: &str) -> String {
        let Some(kind) = event.kind() else { return format!("kind {}", event.kind) };
        if let Some(text) = super::vote_rows::cell(self.engine, self.names, event, column) {
            return text;
        }
        match column {
            "by" => self.label(event.sequence),
            "event" => event_text(event, kind),
            "account" if self.is_published(event, kind) => {
                columns::publisher_name(self.engine, event.account)
            }
            "account" => self.names.account_name(event.account),
            // There the field holds words.
            "order" if kind == EventKind::Rejected && self.names_no_order(event) => String::new(),
            "order" if governance_rows::is_of_change(kind) => self.names.order_name(event.order_id),
            "amount" if governance_rows::is_of_stake(kind) => event.amount.get().to_string(),
            "total" if governance_rows::is_of_stake(kind) => event.counter_amount.get().to_string(),
            "state" if kind == EventKind::SlotBought => {
                SlotKind::from_code(event.side).map_or_else(String::new, |slot| slot.name().into())
            }
            "total" if governance_rows::is_of_change(kind) => event.counter_amount.get().to_string(),
            "order" if is_about_order(kind) => self.names.order_name(event.order_id),
            "on" => self.target(event, kind),
            "side" => self.side(event, kind),
            "qty" if kind == EventKind::PricePublished && event.qty != 0 => event.qty.to_string(),
            "qty" if has_qty(kind) || is_of_positions(kind) => event.qty.to_string(),
            "qty" if kind == EventKind::Rejected && event.qty != 0 => event.qty.to_string(),
            "price" if has_price(kind) || event.price != 0 => event.price.to_string(),
            "left" if has_left(kind) => event.remaining.to_string(),
            "venue" => columns::venue_name(self.engine, VenueId(event.venue)),
            "flags" => columns::flags_text(if is_trade(kind) { 0 } else { event.flags }),
            "id" if !is_of_trade(kind) && kind != EventKind::ChangeAnnounced => {
                columns::short_text(&event.client_id())
            }
            "display" if matches!(kind, EventKind::OrderAccepted | EventKind::OrderAmended) => {
                nonzero(event.amount.get())
            }
            "amount" if is_of_liquidation(kind) => event.amount.get().to_string(),
            "total" if is_of_liquidation(kind) => event.counter_amount.get().to_string(),
            "amount" if has_amount(kind) => event.amount.get().to_string(),
            "total" if has_total(kind) => event.counter_amount.get().to_string(),
            "total" if kind == EventKind::ProtectionSet => event.counter_amount.get().to_string(),
            "position" if kind == EventKind::ProtectionBreached => event.remaining.to_string(),
            "position" if kind == EventKind::PnlRealised || is_of_positions(kind) => {
                event.remaining.to_string()
            }
            "value" if kind == EventKind::Rejected => event.amount.get().to_string(),
            "limit" if kind == EventKind::Rejected => event.counter_amount.get().to_string(),
            "state" if matches!(kind, EventKind::InstrumentStateSet | EventKind::VolatilityHalt) => {
                InstrumentState::from_code(event.side).map_or_else(String::new, |state| state.name().into())
            }
            "state" if kind == EventKind::PriceStatusSet => {
                PriceStatus::from_code(event.side).map_or_else(String::new, |status| status.name().into())
            }
            "above" if is_waiting(kind) => nonzero(event.amount.get()),
            "below" if is_waiting(kind) => nonzero(event.counter_amount.get()),
            "below limit" if is_waiting(kind) => nonzero(event.remaining.into()),
            "trigger" if kind == EventKind::TriggerFired => event.amount.get().to_string(),
            "source" if kind == EventKind::TriggerFired => u8::try_from(event.counter_amount.get())
                .ok()
                .and_then(PriceSource::from_code)
                .map_or_else(String::new, |source| source.name().into()),
            "state" if kind == EventKind::QuestionResolved => DecidedBy::from_code(event.side)
                .filter(|by| *by != DecidedBy::Operator)
                .map_or_else(String::new, |by| by.name().into()),
            "pays" if kind == EventKind::QuestionResolved => u32::try_from(event.order_id)
                .map_or_else(|_| String::new(), |id| columns::instrument_name(self.engine, id)),
            "classes" if kind == EventKind::LiquiditySkipped => {
                columns::classes_text(self.engine, event.amount.get() as i64)
            }
            "requires" if kind == EventKind::LiquiditySkipped => {
                columns::classes_text(self.engine, event.counter_amount.get() as i64 & 0xffff_ffff)
            }
            "forbids" if kind == EventKind::LiquiditySkipped => {
                columns::classes_text(self.engine, (event.counter_amount.get() >> 32) as i64)
            }
            "classes" if is_of_credentials(kind) => columns::classes_text(self.engine, event.qty),
            "had" if is_of_credentials(kind) => columns::classes_text(self.engine, event.remaining),
            "parts" if kind == EventKind::FeeDivided => governance_rows::parts_text(event),
            "trade" if kind == EventKind::FeeDivided => event.trade_id().to_string(),
            "to" if kind == EventKind::FeeDivided && event.division().referrer != 0 => {
                self.names.account_name(event.division().referrer)
            }
            "to" if matches!(kind, EventKind::Transferred | EventKind::ReferrerSet) => {
                self.names.account_name(u32::try_from(event.order_id).unwrap_or(u32::MAX))
            }
            "maker" | "maker order" | "maker venue" if kind == EventKind::LiquiditySkipped => {
                self.trade_cell(event, column)
            }
            _ if kind == EventKind::Trade => self.trade_cell(event, column),
            _ if is_implied(kind) => self.implied_cell(event, kind, column),
            _ => String::new(),
        }
    }

    fn trade_cell(&self, event: &EventRecord, column: &str) -> String {
        match column {
            "maker" => self.names.account_name(event.counter_account()),
            "maker order" => self.names.order_name(event.counter_order_id()),
            "maker left" => event.counter_remaining().to_string(),
            "maker venue" => columns::venue_name(self.engine, VenueId(event.counter_venue())),
            "trade" => event.trade_id().to_string(),
            "taker fee" => event.amount.get().to_string(),
            "maker fee" => event.counter_amount.get().to_string(),
            _ => String::new(),
        }
    }

    fn implied_cell(&self, event: &EventRecord, kind: EventKind, column: &str) -> String {
        let is_leg = kind == EventKind::ImpliedLeg;
        match column {
            "taker" if is_leg => self.names.account_name(event.counter_account()),
            "trade" => event.trade_id().to_string(),
            "taker fee" if !is_leg => event.amount.get().to_string(),
            "maker fee" if is_leg => event.amount.get().to_string(),
            "sets" if !is_leg => event.counter_amount.get().to_string(),
            _ => String::new(),
        }
    }

    fn is_published(&self, event: &EventRecord, kind: EventKind) -> bool {
        kind == EventKind::PricePublished || self.kind_of(event) == Some(CommandKind::PublishPrice)
    }

    fn label(&self, sequence: u64) -> String {
        let found = self.names.labels.iter().find(|(_, found)| *found == sequence);
        found.map_or_else(String::new, |(label, _)| label.clone())
    }

    fn side(&self, event: &EventRecord, kind: EventKind) -> String {
        let has_side = match kind {
            EventKind::Rejected => self.kind_of(event) == Some(CommandKind::Place),
            EventKind::MassCancelled if event.side == 2 => return "both".into(),
            _ => is_about_order(kind) || is_of_positions(kind) || kind == EventKind::MassCancelled,
        };
        match Side::from_code(event.side) {
            Some(side) if has_side => side.name().into(),
            _ => String::new(),
        }
    }

    fn names_no_order(&self, event: &EventRecord) -> bool {
        use CommandKind as Kind;
        matches!(
            self.kind_of(event),
            Some(
                Kind::PlaceTrigger
                    | Kind::PlaceBracket
                    | Kind::Transfer
                    | Kind::SetCredentials
                    | Kind::CollectFees
                    | Kind::SetReferrer
                    | Kind::SetFeeCap
            )
        )
    }

    fn kind_of(&self, event: &EventRecord) -> Option<CommandKind> {
        self.kinds.get(&event.sequence).and_then(|kind| CommandKind::from_code(*kind))
    }

    /// The instrument, asset, venue or question that an event is about.
    fn target(&self, event: &EventRecord, kind: EventKind) -> String {
        use EventKind as Kind;
        let id = event.instrument;
        match kind {
            kind if governance_rows::names_market(kind) => governance_rows::target(self.engine, event),
            Kind::Deposited
            | Kind::Withdrawn
            | Kind::Transferred
            | Kind::FeesCollected
            | Kind::AssetDeployed => columns::asset_name(self.engine, id),
            Kind::SetSplit
            | Kind::SetMerged
            | Kind::QuestionResolved
            | Kind::Payout
            | Kind::QuestionSettled
            | Kind::QuestionClosed
            | Kind::ResolutionProposed
            | Kind::ResolutionChallenged
            | Kind::ResolutionVoted
            | Kind::BondReturned
            | Kind::BondAwarded
            | Kind::BondForfeited
            | Kind::QuestionDeployed => columns::question_name(self.engine, id),
            Kind::PublisherDeployed => columns::publisher_name(self.engine, id),
            Kind::ClassDeployed => columns::classes_text(self.engine, 1 << (id - 1)),
            Kind::UnderlyingDeployed => columns::underlying_name(self.engine, id),
            Kind::VenueDeployed => columns::venue_name(self.engine, VenueId(event.venue)),
            Kind::Rejected => match self.kind_of(event) {
                Some(
                    CommandKind::Deposit
                    | CommandKind::Withdraw
                    | CommandKind::Transfer
                    | CommandKind::CollectFees,
                ) => columns::asset_name(self.engine, id),
                Some(kind) if is_about_question(kind) => columns::question_name(self.engine, id),
                _ => columns::instrument_name(self.engine, id),
            },
            _ => columns::instrument_name(self.engine, id),
        }
    }
}

/// Number and name of a reject.
pub(super) fn reject_text(code: u16) -> String {
    let name = Reject::from_code(code).map_or("unknown", Reject::name);
    format!("{code} {name}")
}

fn nonzero(number: i128) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn event_text(event: &EventRecord, kind: EventKind) -> String {
    let detail = match kind {
        EventKind::Rejected => format!(" {}", reject_text(event.reason)),
        EventKind::ProposalFailed if event.reason != 0 => format!(" {}", reject_text(event.reason)),
        EventKind::OrderCancelled | EventKind::TriggerCancelled => {
            format!(" {}", CancelReason::from_code(event.reason).map_or("unknown", CancelReason::name))
        }
        _ => String::new(),
    };
    let kept = if event.flags & EventFlags::KEPT_PRIORITY == 0 { "" } else { " kept" };
    let again = if event.flags & EventFlags::RETRY == 0 { "" } else { " again" };
    let of_time = if event.flags & EventFlags::OF_TIME == 0 { "" } else { " of time" };
    let not_public =
        if event.flags & EventFlags::NOT_PUBLIC == 0 || !is_trade(kind) { "" } else { " not public" };
    format!("{}{detail}{kept}{again}{of_time}{not_public}", kind.name())
}

/// Whose fourth bit does not say that an order is protected.
fn is_trade(kind: EventKind) -> bool {
    matches!(kind, EventKind::Trade | EventKind::ImpliedTrade | EventKind::ImpliedLeg)
}

fn is_about_order(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::OrderAccepted
            | Kind::Rejected
            | Kind::Trade
            | Kind::OrderCancelled
            | Kind::OrderAmended
            | Kind::OrderReplenished
            | Kind::PnlRealised
            | Kind::LiquiditySkipped
    ) || is_waiting(kind)
        || is_implied(kind)
        || kind == Kind::TriggerFired
}

/// Parts of a step of implied liquidity.
fn is_implied(kind: EventKind) -> bool {
    matches!(kind, EventKind::ImpliedTrade | EventKind::ImpliedLeg)
}

/// Events that tell how an order waits, or waited.
fn is_waiting(kind: EventKind) -> bool {
    matches!(kind, EventKind::TriggerAccepted | EventKind::TriggerCancelled | EventKind::TriggerAmended)
}

/// Kinds whose detail is no client id.
fn is_of_trade(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Trade
            | EventKind::TrancheTookOver
            | EventKind::Deleveraged
            | EventKind::LiquiditySkipped
            | EventKind::FeeDivided
    ) || is_implied(kind)
}

/// Liquidation orders and what closes positions without an order.
fn is_of_positions(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::LiquidationOrder
            | Kind::TrancheTookOver
            | Kind::BankruptcyClosed
            | Kind::Deleveraged
            | Kind::ConversionOrder
    )
}

fn is_of_credentials(kind: EventKind) -> bool {
    matches!(kind, EventKind::CredentialsSet | EventKind::CredentialsExpired)
}

fn is_of_liquidation(kind: EventKind) -> bool {
    (EventKind::LiquidationStarted..=EventKind::CollateralConverted).contains(&kind)
        || kind == EventKind::InterestCharged
}

fn has_qty(kind: EventKind) -> bool {
    use EventKind as Kind;
    is_about_order(kind) && kind != Kind::Rejected
        || matches!(
            kind,
            Kind::MassCancelled
                | Kind::CancelAllAfterSet
                | Kind::FundingPaid
                | Kind::CollateralConverted
                | Kind::CancelAllAfterFired
                | Kind::ProtectionSet
                | Kind::ProtectionBreached
                | Kind::SetSplit
                | Kind::SetMerged
                | Kind::LeverageSet
                | Kind::Payout
                | Kind::QuestionSettled
                | Kind::QuestionDeployed
                | Kind::AuctionPriced
                | Kind::AuctionClosed
                | Kind::DelistingBegun
                | Kind::PositionSettled
                | Kind::MarketClosed
                | Kind::FeeCapSet
                | Kind::OutcomeAdded
                | Kind::OutcomeCredited
                | Kind::OutcomeOpened
        )
}

fn has_price(kind: EventKind) -> bool {
    is_about_order(kind) && kind != EventKind::Rejected && !is_waiting(kind)
        || matches!(
            kind,
            EventKind::MarkSet
                | EventKind::IndexSet
                | EventKind::PricePublished
                | EventKind::FundingSet
                | EventKind::FundingPaid
        )
}

fn has_left(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::OrderAccepted
            | Kind::Trade
            | Kind::OrderCancelled
            | Kind::OrderAmended
            | Kind::OrderReplenished
            | Kind::LiquiditySkipped
    ) || is_implied(kind)
}

fn has_amount(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::PnlRealised
            | Kind::Deposited
            | Kind::Withdrawn
            | Kind::Transferred
            | Kind::FeesCollected
            | Kind::FeeDivided
            | Kind::SetSplit
            | Kind::SetMerged
            | Kind::Payout
            | Kind::OutcomePayout
            | Kind::OutcomeCredited
            | Kind::QuestionSettled
            | Kind::ResolutionProposed
            | Kind::ResolutionChallenged
            | Kind::ResolutionVoted
            | Kind::BondReturned
            | Kind::BondAwarded
            | Kind::BondForfeited
            | Kind::FundingSet
            | Kind::FundingPaid
            | Kind::PositionSettled
            | Kind::AuctionPriced
            | Kind::CancelAllAfterSet
            | Kind::CredentialsSet
            | Kind::ProtectionSet
            | Kind::ProtectionBreached
    )
}

fn has_total(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::PnlRealised
            | Kind::QuestionClosed
            | Kind::ResolutionProposed
            | Kind::ResolutionChallenged
            | Kind::ResolutionVoted
            | Kind::BondReturned
            | Kind::BondAwarded
            | Kind::BondForfeited
            | Kind::Deposited
            | Kind::Withdrawn
            | Kind::Transferred
            | Kind::FeesCollected
            | Kind::FeeDivided
            | Kind::Payout
            | Kind::FundingSet
            | Kind::FundingPaid
            | Kind::PositionSettled
            | Kind::AuctionStarted
            | Kind::TradingClosed
            | Kind::AuctionPriced
            | Kind::CredentialsSet
    )
}
