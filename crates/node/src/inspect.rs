//! Reading what stands in a log, frame by frame, without executing it.

use crate::body::{self, FrameBody};
use crate::error::OpenError;
use crate::replay::open_for_reading;
use std::path::Path;
use std::sync::Arc;
use xos_journal::{Check, Disk, FrameReader, Position, RealDisk};
use xos_protocol::DeployCommand;

/// One frame of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedFrame {
    /// Sequence of its first command.
    pub first_sequence: u64,
    /// Number of its commands.
    pub count: u32,
    /// Its time, nanoseconds since 1970 UTC.
    pub time_ns: u64,
    /// The highest sequence known to be durable when it was written.
    pub durable_sequence: u64,
    /// Hash of the chain after it.
    pub chain_hash: [u8; 32],
    /// The segment it stands in.
    pub file: String,
    /// Where in the segment it begins.
    pub offset: u64,
    /// What it carries.
    pub body: FrameBody<'static>,
}

impl LoggedFrame {
    /// The deployment that it carries, if it carries one; in words why it cannot be read.
    pub fn deployment(&self) -> Option<Result<DeployCommand, String>> {
        match &self.body {
            FrameBody::Commands(_) => None,
            FrameBody::Deploy(body) => Some(DeployCommand::from_bytes(body)),
        }
    }
}

/// Goes through the frames of a log in order; ends after the first error.
pub struct Inspector {
    reader: FrameReader,
    end: Position,
    to: u64,
    done: bool,
}

/// The frames with a command from sequence `from` to sequence `to`, of the log in a directory.
pub fn inspect(path: impl AsRef<Path>, from: u64, to: u64) -> Result<Inspector, OpenError> {
    inspect_on(Arc::new(RealDisk::existing(path.as_ref())), from, to)
}

/// The same on any disk.
pub fn inspect_on(disk: Arc<dyn Disk>, from: u64, to: u64) -> Result<Inspector, OpenError> {
    let journal = open_for_reading(disk)?;
    let (reader, end) = (journal.read_from(from.max(1), Check::Full)?, journal.position());
    Ok(Inspector { reader, end, to, done: false })
}

impl Inspector {
    /// The end of the log.
    pub fn end(&self) -> Position {
        self.end
    }

    fn read(&mut self) -> Result<Option<LoggedFrame>, OpenError> {
        if self.reader.position().sequence >= self.to {
            return Ok(None);
        }
        let Some(frame) = self.reader.next_frame()? else { return Ok(None) };
        let (header, file, offset) = (frame.header, frame.file.to_string(), frame.offset);
        match body::decode(&frame) {
            Ok(body) => Ok(Some(LoggedFrame {
                first_sequence: header.first_sequence,
                count: header.count,
                time_ns: header.time_ns,
                durable_sequence: header.durable_sequence,
                chain_hash: header.hash,
                file,
                offset,
                body: body.into_owned(),
            })),
            Err(why) => Err(OpenError::BadFrame { file, offset, sequence: header.first_sequence, why }),
        }
    }
}

impl Iterator for Inspector {
    type Item = Result<LoggedFrame, OpenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
