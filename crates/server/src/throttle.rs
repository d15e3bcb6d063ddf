//! Token buckets, before anything reaches the log.
//!
//! A bucket is one number: the time at which it would be full again if nothing more came (the generic cell rate
//! algorithm). What only takes risk out, a cancel, is counted in a bucket of its own and always admitted: who sends more
//! of them than it holds is read again later, and nobody waits for that but itself.

use crate::options::Rate;
use xos_protocol::CommandKind;

/// A bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_again_ns: u64,
}

impl Bucket {
    /// Takes one command's worth, or tells in how many nanoseconds there will be enough.
    #[inline]
    pub fn take(&mut self, rate: Rate, now_ns: u64) -> Result<(), u64> {
        if rate.per_s == 0 {
            return Ok(());
        }
        let each_ns = (1_000_000_000 / u64::from(rate.per_s)).max(1);
        let room_ns = each_ns * u64::from(rate.burst.max(1));
        let full_again_ns = self.full_again_ns.max(now_ns) + each_ns;
        if full_again_ns > now_ns + room_ns {
            return Err(full_again_ns - now_ns - room_ns);
        }
        self.full_again_ns = full_again_ns;
        Ok(())
    }

    /// Takes one command's worth whether it is there or not; nanoseconds until what was too much is made up for.
    #[inline]
    pub fn charge(&mut self, rate: Rate, now_ns: u64) -> u64 {
        if rate.per_s == 0 {
            return 0;
        }
        let each_ns = (1_000_000_000 / u64::from(rate.per_s)).max(1);
        self.full_again_ns = self.full_again_ns.max(now_ns) + each_ns;
        let room_ns = each_ns * u64::from(rate.burst.max(1));
        self.full_again_ns.saturating_sub(now_ns + room_ns)
    }

    /// Whether nothing is missing in it.
    pub fn is_full(&self, now_ns: u64) -> bool {
        self.full_again_ns <= now_ns
    }
}

/// Whether a command only takes risk out, and so is always admitted.
#[inline]
pub fn is_cancel(kind: u16) -> bool {
    const CANCEL: u16 = CommandKind::Cancel.code();
    const MASS: u16 = CommandKind::MassCancel.code();
    const AFTER: u16 = CommandKind::CancelAllAfter.code();
    matches!(kind, CANCEL | MASS | AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_whole_and_one_past_it_waits() {
        let rate = Rate { per_s: 1_000, burst: 3 };
        let mut bucket = Bucket::default();
        let now = 5_000_000_000;
        assert_eq!([bucket.take(rate, now); 1], [Ok(())]);
        assert_eq!((bucket.take(rate, now), bucket.take(rate, now)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(rate, now), Err(1_000_000));
        assert_eq!(bucket.take(rate, now + 999_999), Err(1));
        assert_eq!(bucket.take(rate, now + 1_000_000), Ok(()));
        assert_eq!(bucket.take(rate, now + 1_000_000), Err(1_000_000));
        // A pause fills it up to the burst and no further.
        let later = now + 3_600_000_000_000;
        assert_eq!((0..4).filter(|_| bucket.take(rate, later).is_ok()).count(), 3);
        assert_eq!(bucket.take(Rate { per_s: 0, burst: 0 }, now), Ok(()));
    }

    #[test]
    fn what_is_charged_is_always_taken_and_has_to_be_made_up_for() {
        let rate = Rate { per_s: 1_000, burst: 3 };
        let mut bucket = Bucket::default();
        let now = 5_000_000_000;
        assert_eq!([0; 3].map(|_: u8| bucket.charge(rate, now)), [0; 3]);
        assert_eq!((bucket.charge(rate, now), bucket.charge(rate, now)), (1_000_000, 2_000_000));
        assert_eq!(bucket.charge(rate, now + 2_000_000), 1_000_000);
        assert_eq!(bucket.charge(rate, now + 60_000_000_000), 0);
        assert_eq!(bucket.charge(Rate { per_s: 0, burst: 0 }, now), 0);
    }
}
