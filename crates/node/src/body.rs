//! What a frame of the log carries: command records, or one deployment.

use std::borrow::Cow;
use xos_journal::Frame;
use xos_protocol::CommandRecord;
use zerocopy::{FromBytes, IntoBytes};

/// The kind of a frame that holds command records, 96 bytes each.
pub const FRAME_COMMANDS: u16 = 1;
/// The kind of a frame that holds the MessagePack body of one deployment.
pub const FRAME_DEPLOY: u16 = 2;

/// The content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameBody<'a> {
    /// Command records.
    Commands(Cow<'a, [CommandRecord]>),
    /// The body of one deployment.
    Deploy(Cow<'a, [u8]>),
}

impl FrameBody<'_> {
    /// The same with its bytes copied.
    pub fn into_owned(self) -> FrameBody<'static> {
        match self {
            Self::Commands(commands) => FrameBody::Commands(Cow::Owned(commands.into_owned())),
            Self::Deploy(body) => FrameBody::Deploy(Cow::Owned(body.into_owned())),
        }
    }
}

/// The bytes of command records as they lie in the log.
pub(crate) fn command_bytes(commands: &[CommandRecord]) -> &[u8] {
    commands.as_bytes()
}

/// Reads what a frame carries; an error says what is wrong with it.
pub(crate) fn decode<'a>(frame: &Frame<'a>) -> Result<FrameBody<'a>, String> {
    let (kind, count, payload) = (frame.header.kind, frame.header.count, frame.payload);
    match kind {
        FRAME_COMMANDS => {
            let expected = u64::from(count) * size_of::<CommandRecord>() as u64;
            if payload.len() as u64 != expected {
                return Err(format!(
                    "{count} command records take {expected} bytes, the frame has {}",
                    payload.len()
                ));
            }
            Ok(FrameBody::Commands(match <[CommandRecord]>::ref_from_bytes(payload) {
                Ok(commands) => Cow::Borrowed(commands),
                Err(_) => Cow::Owned(copied(payload)),
            }))
        }
        FRAME_DEPLOY if count == 1 => Ok(FrameBody::Deploy(Cow::Borrowed(payload))),
        FRAME_DEPLOY => Err(format!("a frame holds 1 deployment, this one claims {count}")),
        other => Err(format!(
            "frame kind {other} is not known; {FRAME_COMMANDS} and {FRAME_DEPLOY} are, from this version"
        )),
    }
}

/// For a payload that lies askew in memory.
fn copied(payload: &[u8]) -> Vec<CommandRecord> {
    let mut commands = vec![CommandRecord::default(); payload.len() / size_of::<CommandRecord>()];
    commands.as_mut_bytes().copy_from_slice(payload);
    commands
}
