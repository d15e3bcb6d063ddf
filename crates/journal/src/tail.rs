//! Following a log that somebody else may be writing.

use std::sync::Arc;

use crate::disk::{Access, Disk};
use crate::error::JournalError;
use crate::frame::{FrameHeader, Position};
use crate::reader::Frame;
use crate::scan::FrameCursor;
use crate::segment::{GenesisId, parse_name, read_header, segment_name};

/// Goes through the frames of a log in order, however far it has been written. A frame that does not stand there whole
/// is not there yet: whether it is damaged is for [`crate::verify()`] to say, when nobody writes.
///
/// Every frame's checksum and chain are checked. No lock is taken and no byte is changed.
pub struct TailReader {
    disk: Arc<dyn Disk>,
    genesis: GenesisId,
    cursor: FrameCursor,
    position: Position,
    from: u64,
}

impl TailReader {
    /// Begins with the first frame that has a record after the sequence `after`. The log may end before.
    pub fn open(disk: Arc<dyn Disk>, after: u64) -> Result<Self, JournalError> {
        let names = disk.list().map_err(|error| JournalError::io("list", "", 0, error))?;
        let mut firsts: Vec<u64> = names.iter().filter_map(|name| parse_name(name)).collect();
        firsts.sort_unstable();
        let Some(&oldest) = firsts.first() else {
            let why = "there is no segment";
            return Err(JournalError::NothingThere { directory: disk.describe(), why });
        };
        let Some(&first) = firsts.iter().rfind(|&&first| first <= after + 1) else {
            return Err(JournalError::OutOfRange { sequence: after + 1, first: oldest, end: 0 });
        };
        let (cursor, genesis, position) = open_segment(&*disk, first, None, Vec::new())?;
        Ok(Self { disk, genesis, cursor, position, from: after + 1 })
    }

    /// The position after the last frame that was returned or passed over.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next frame; `None` if there is none yet.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, JournalError> {
        let (header, offset) = loop {
            let offset = self.cursor.offset;
            match self.cursor.step_behind_writer(&self.position)? {
                Some((header, position)) => {
                    self.position = position;
                    if position.sequence >= self.from {
                        break (header, offset);
                    }
                }
                None if self.goes_on()? => {}
                None => return Ok(None),
            }
        };
        Ok(Some(self.frame(header, offset)))
    }

    fn frame(&self, header: FrameHeader, offset: u64) -> Frame<'_> {
        Frame { header, payload: self.cursor.payload(&header), file: &self.cursor.name, offset }
    }

    /// Passes to the next segment if there is one: then this one has nothing more to come.
    fn goes_on(&mut self) -> Result<bool, JournalError> {
        let first = self.position.sequence + 1;
        let name = segment_name(first);
        if name == self.cursor.name || self.disk.open(&name, Access::Read).is_err() {
            return Ok(false);
        }
        let (cursor, _, start) = open_segment(&*self.disk, first, Some(self.genesis), Vec::new())?;
        if start != self.position {
            let witness = self.cursor.name.clone();
            return Err(JournalError::ChainDisagreement {
                file: name,
                offset: 40,
                sequence: start.sequence,
                witness,
            });
        }
        self.cursor = cursor;
        Ok(true)
    }
}

fn open_segment(
    disk: &dyn Disk,
    first: u64,
    genesis: Option<GenesisId>,
    buffer: Vec<u8>,
) -> Result<(FrameCursor, GenesisId, Position), JournalError> {
    let name = segment_name(first);
    let file = disk.open(&name, Access::Read).map_err(|error| JournalError::io("open", &name, 0, error))?;
    let header = read_header(&*file, &name, first, genesis)?;
    Ok((FrameCursor::new(file, &name, &header, buffer), header.genesis, header.start()))
}
