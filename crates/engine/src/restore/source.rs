//! Reads the bytes of a snapshot, and says where they make no sense.

use super::RestoreError;
use crate::triggers::Leg;
use xos_protocol::{EventRecord, PriceSource};
use xos_units::{Amount, Price};
use zerocopy::FromBytes;

pub(super) type Read<T> = Result<T, RestoreError>;

/// Bytes, and how far they are read.
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Source<'a> {
    pub(super) fn take(&mut self, count: usize, what: &'static str) -> Read<&'a [u8]> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(RestoreError::Malformed { offset: self.at, what })?;
        self.at += count;
        Ok(taken)
    }
    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Read<[u8; N]> {
        Ok(self.take(N, what)?.try_into().expect("the length is right"))
    }
    pub(super) fn u16(&mut self, what: &'static str) -> Read<u16> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }
    pub(super) fn u32(&mut self, what: &'static str) -> Read<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }
    pub(super) fn u64(&mut self, what: &'static str) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }
    pub(super) fn i64(&mut self, what: &'static str) -> Read<i64> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }
    pub(super) fn amount(&mut self, what: &'static str) -> Read<Amount> {
        Ok(Amount(i128::from_le_bytes(self.array(what)?)))
    }
    pub(super) fn spec<T: serde::de::DeserializeOwned>(&mut self, what: &'static str) -> Read<T> {
        let offset = self.at;
        let length = self.u32(what)? as usize;
        let bytes = self.take(length, what)?;
        rmp_serde::from_slice(bytes).map_err(|_| RestoreError::Malformed { offset, what })
    }
    /// A number of things of which each takes at least as many bytes: more than the rest can hold is no number.
    pub(super) fn count(&mut self, bytes_least: usize, what: &'static str) -> Read<usize> {
        let offset = self.at;
        let count = self.u32(what)? as usize;
        if count > (self.bytes.len() - self.at) / bytes_least {
            return Err(RestoreError::Malformed { offset, what });
        }
        Ok(count)
    }
    pub(super) fn event(&mut self) -> Read<EventRecord> {
        let bytes = self.take(size_of::<EventRecord>(), "answer")?;
        Ok(EventRecord::read_from_bytes(bytes).expect("the length is right"))
    }
    pub(super) fn word<T>(&mut self, word: impl Fn(u8) -> Option<T>, what: &'static str) -> Read<T> {
        let offset = self.at;
        let [byte] = self.array(what)?;
        word(byte).ok_or(RestoreError::Malformed { offset, what })
    }
    pub(super) fn leg(&mut self) -> Read<Leg> {
        Ok(Leg {
            trigger: Price(self.i64("trigger price")?),
            limit: Price(self.i64("limit")?),
            source: self.word(PriceSource::from_code, "source")?,
        })
    }
    pub(super) fn malformed<T>(&self, what: &'static str) -> Read<T> {
        Err(RestoreError::Malformed { offset: self.at, what })
    }
}
