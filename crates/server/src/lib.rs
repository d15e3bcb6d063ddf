//! The durable server: an exchange behind a socket.
//!
//! ```text
//! sockets -> gateway -> batch -> sequencer -> log, engine -> durable frame -> gateway -> sockets
//! ```
//!
//! A gateway admits commands before the log and never touches the engine. The sequencer makes one frame of whatever
//! has come meanwhile, logs and executes it, and hands it on when it is durable: nothing else can be told. Who is
//! slow is cut, never waited for.
#![warn(missing_docs)]

mod client;
mod connection;
mod delivery;
mod directory;
mod feed;
mod frame;
mod gateway;
mod intake;
mod kept;
mod keys;
mod line;
mod options;
mod order_ids;
mod outbox;
mod page;
mod publisher;
mod questions;
mod sequencer;
mod server;
mod sessions;
mod shared;
mod subscribing;
mod throttle;

pub use client::{Client, ClientError, Credential, LogonRequest, Outcomes, each};
pub use feed::Feed;
pub use frame::{Batch, Deployment, DurableFrame, Frames, NODE, Run, SessionId, TakenRun};
pub use intake::goodbye_text;
pub use kept::KeptFrames;
pub use keys::{
    BadKey, Key, Keyring, Proof, SECRET_BYTES_MIN, Scopes, public_half, sign_with_private_key,
    sign_with_secret, signed_text,
};
pub use options::{Rate, ServerOptions};
pub use page::Page;
pub use questions::{QUESTIONS_MAX, Question, Questions};
pub use sequencer::Sequencer;
pub use server::{Server, ServerError};
pub use sessions::{Session, Sessions};
pub use shared::Stats;
pub use throttle::{Bucket, is_cancel};
