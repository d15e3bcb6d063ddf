//! The embedded exchange: sequencer, journal, engine and snapshots behind one value, [`Exchange`].
//!
//! Commands go in as batches, events come out when the log holds the commands. Time is stamped here, never
//! read by the engine. This is the only crate with threads and a clock.
//!
//! ```
//! use xos_node::{Exchange, Options};
//! use xos_protocol::{AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind};
//!
//! # let folder = tempfile::tempdir()?;
//! let options = Options { segment_bytes: 8 << 20, ..Options::default() };
//! let mut exchange = Exchange::open(folder.path(), options.clone())?;
//! let mut events = Vec::new();
//! let asset = DeployCommand::Asset(AssetSpec::new("USDC".into(), 6));
//! exchange.deploy(&asset.to_bytes(), None, &mut events)?;
//! let open = CommandRecord { kind: CommandKind::OpenAccount.code(), ..Default::default() };
//! let submitted = exchange.submit(&[open], None, &mut events)?;
//! assert_eq!((submitted.first_sequence, submitted.count), (2, 1));
//! assert_eq!(events[1].kind(), Some(EventKind::AccountOpened));
//! exchange.close()?;
//!
//! let exchange = Exchange::open(folder.path(), options)?;
//! assert_eq!(exchange.engine().account_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod bench;
mod beside;
mod body;
mod error;
mod exchange;
mod follow;
mod inspect;
mod log;
mod machine;
mod open;
mod options;
mod recovery;
mod replay;
mod verify;

pub use body::{FRAME_COMMANDS, FRAME_DEPLOY, FrameBody};
pub use error::{NodeError, OpenError};
pub use exchange::{Exchange, Submitted};
pub use follow::{FollowedFrame, Follower};
pub use inspect::{Inspector, LoggedFrame, inspect, inspect_on};
pub use log::Log;
pub use machine::Failpoint;
pub use options::{Clock, DEPLOY_BYTES_MAX, Options};
pub use recovery::{Recovery, ReplayedEvents};
pub use replay::{ReplayOptions, ReplayReport, ReplayedFrame, replay, replay_on};
pub use verify::{Conservation, VerifyError, VerifyOptions, VerifyReport, verify, verify_on};
