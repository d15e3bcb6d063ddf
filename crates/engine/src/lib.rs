//! The state machine of the exchange: frames of commands in, events out. No I/O, no clock, no thread, no float,
//! no log line. The rules are written in `docs/internals/rules.md`; a second, naive engine in `crates/sim` is
//! written from the same page and compared with this one.

mod account;
mod admission;
mod auction;
mod audit;
mod canonical;
mod charges;
mod client_ids;
mod collateral;
mod countdowns;
mod defence;
mod deploy;
mod engine;
mod fees;
mod frame;
mod funding;
mod governance;
mod groups;
mod halt;
mod holders;
mod implied;
mod instrument;
mod interest;
mod isolated;
mod leverage;
mod liquidation;
mod lookup;
mod margin;
mod markets;
mod money;
mod once;
mod oracle;
mod orders;
mod preview;
mod prices;
mod protection;
mod questions;
mod restore;
mod retry;
mod scenario;
mod sets;
mod shape;
mod simulated;
mod step;
mod tiers;
mod touch;
mod triggers;
mod views;

pub use auction::{AuctionPrice, AuctionView};
pub use audit::AuditReport;
pub use charges::ChargeView;
pub use defence::Defence;
pub use engine::Engine;
pub use frame::{FrameError, FrameHeader, Violation};
pub use funding::{FundingRecord, FundingView};
pub use implied::BookWithImplied;
pub use liquidation::{Convertible, DeleveragingView, LiquidationView};
pub use preview::Preview;
pub use protection::Protection;
pub use questions::{Claim, Resolution};
pub use restore::RestoreError;
pub use scenario::UnderlyingRisk;
pub use triggers::{Leg, Trigger, Wait};
pub use views::{
    AccountRisk, BalanceView, BookView, CredentialView, HouseView, InstrumentView, OrderView, PositionView,
    QuestionView, SourceView,
};
pub use xos_book::LevelView;
