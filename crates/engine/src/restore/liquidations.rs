//! Liquidation in a snapshot.

use super::source::{Read, Source};
use crate::engine::Engine;
use crate::liquidation::Clock;
use xos_units::AccountId;

impl Engine {
    pub(super) fn read_liquidations(&mut self, source: &mut Source) -> Read<()> {
        self.liquidations.cursor = AccountId(source.u32("cursor")?);
        for _ in 0..source.count(4, "pending accounts")? {
            let account = self.read_account(source)?;
            self.liquidations.pending.insert(account);
        }
        for _ in 0..source.count(12, "accounts in liquidation")? {
            let (account, next_ns) = (self.read_account(source)?, source.u64("next visit")?);
            self.liquidations.visits.set(account, Some(next_ns));
        }
        for _ in 0..source.count(12, "accounts that repay")? {
            let (account, next_ns) = (self.read_account(source)?, source.u64("next visit")?);
            self.liquidations.repayments.set(account, Some(next_ns));
        }
        for terms in self.instruments.iter_mut().filter_map(|instrument| instrument.liquidation.as_mut()) {
            (terms.drawn_day, terms.drawn) = (source.u64("day")?, source.amount("drawn")?);
        }
        if self.liquidations.growing {
            for _ in 0..source.count(28, "clocks of liquidations")? {
                let account = self.read_account(source)?;
                let clock = Clock { start_ns: source.u64("start")?, freed: source.amount("freed")? };
                self.liquidations.clocks.insert(account, clock);
            }
        }
        Ok(())
    }
}
