//! Orders that wait, and brackets, around the prices of the moment.

use super::Chaos;
use crate::workload::command;
use xos_protocol::{CommandKind, CommandRecord, Flags, Int128, PriceSource, TriggerWords};

impl Chaos {
    /// One of the prices by which a trigger is judged, as far as events told.
    fn middle(&mut self, instrument: u32) -> i64 {
        let near = self.price(instrument);
        match self.rng.below(4) {
            0 => near,
            1 => self.live.marks.get(&instrument).copied().unwrap_or(near),
            _ => self.live.lasts.get(&instrument).copied().unwrap_or(near),
        }
    }

    fn source(&mut self) -> PriceSource {
        *self.rng.pick(&[PriceSource::Last, PriceSource::Last, PriceSource::Mark, PriceSource::Index])
    }

    /// Trigger prices above and below a price, or one of them, now and then none.
    fn legs(&mut self, middle: i64) -> Int128 {
        let (above, below) = (middle + self.rng.between(0, 4), middle - self.rng.between(0, 4));
        let (above, below) = match self.rng.below(32) {
            0..12 => (above, 0),
            12..22 => (0, below),
            22..30 => (above, below),
            30 => (below, above),
            _ => (0, 0),
        };
        Int128 { low: above as u64, high: below }
    }

    fn trigger_words(&mut self, market: bool) -> u64 {
        let slippage_ppm = match (market, self.rng.below(24)) {
            (true, 0) => *self.rng.pick(&[0, 999_999, 1_000_000]),
            (true, _) => 1 + self.rng.below(400_000) as u32,
            (false, 0) => 5,
            (false, _) => 0,
        };
        let (above, below) = (self.source(), self.source());
        let below = if self.rng.one_in(3) { below } else { above };
        TriggerWords { above, below, slippage_ppm }.bits()
    }

    pub(super) fn draw_trigger(&mut self) -> CommandRecord {
        let mut record = self.draw_place();
        record.kind = CommandKind::PlaceTrigger.code();
        record.tif = *self.rng.pick(&[0, 0, 1, 2]);
        record.expires_ns = 0;
        record.flags &= !Flags::POST_ONLY;
        let number = self.rng.bits();
        if self.rng.percent(40)
            && let Some((account, instrument, lots)) = self.live.nth_position(number)
        {
            (record.account, record.instrument) = (account, instrument);
            record.side = if (lots > 0) ^ self.rng.one_in(12) { 1 } else { 0 };
            record.flags |= Flags::REDUCE_ONLY;
            record.qty = if self.rng.percent(50) { 0 } else { self.qty(instrument) };
        }
        let market = self.rng.percent(50);
        record.flags = record.flags & !Flags::MARKET | if market { Flags::MARKET } else { 0 };
        let middle = self.middle(record.instrument);
        record.amount = self.legs(middle);
        record.order_id = self.trigger_words(market);
        if market {
            record.tif = if self.rng.one_in(12) { 0 } else { 1 + record.tif % 2 };
            record.price = 0;
        } else if record.amount.low != 0 && record.amount.high != 0 {
            record.expires_ns = self.price(record.instrument) as u64;
        }
        if !market && record.tif == 0 && self.rng.one_in(6) {
            record.flags |= Flags::POST_ONLY;
        }
        record
    }

    /// Limits of a few orders, windows and freezes of a frame or two and longer.
    pub(super) fn draw_protection(&mut self) -> CommandRecord {
        let bound = (1 << 40) - 1;
        let mut limit = || match self.rng.below(16) {
            0..4 => 0,
            4 => *self.rng.pick(&[-1, bound, bound + 1]),
            _ => self.rng.between(1, 24) * self.scale.lot,
        };
        let (qty, price) = (limit(), limit());
        let window_ms = *self.rng.pick(&[0, 1, 1, 1_000, 86_400_000, 86_400_001]);
        let freeze_ms = *self.rng.pick(&[0, 1, 1, 1, 86_400_000, 86_400_001]);
        let removes = qty == 0 && price == 0 && !self.rng.one_in(4);
        CommandRecord {
            account: self.account(),
            instrument: self.instrument(),
            qty,
            price,
            expires_ns: if removes { 0 } else { freeze_ms << 32 | window_ms },
            ..command(CommandKind::SetProtection)
        }
    }

    pub(super) fn draw_bracket(&mut self) -> CommandRecord {
        let mut record = self.draw_place();
        record.kind = CommandKind::PlaceBracket.code();
        record.flags &= !Flags::REDUCE_ONLY;
        let price =
            record.price + if record.side == 0 { self.rng.between(0, 2) } else { -self.rng.between(0, 2) };
        record.price = price.max(1);
        record.amount = self.legs(record.price);
        record.order_id = self.trigger_words(true);
        record
    }

    /// Names an order that waits; false if none does.
    pub(super) fn aim_at_waiting(&mut self, record: &mut CommandRecord) -> bool {
        let count = self.live.waiting.len() as u64;
        if count == 0 {
            return false;
        }
        let at = self.rng.below(count) as usize;
        let waiting = *self.live.waiting.values().nth(at).expect("within the count");
        record.account = waiting.account;
        record.instrument = if self.rng.one_in(2) { waiting.instrument } else { 0 };
        record.order_id = waiting.id;
        if waiting.client_id != [0; 32] && self.rng.one_in(2) {
            record.order_id = 0;
            record.client_id = waiting.client_id;
        }
        true
    }

    pub(super) fn draw_amend_trigger(&mut self) -> CommandRecord {
        let mut record = CommandRecord { account: self.account(), ..command(CommandKind::AmendTrigger) };
        self.aim_at_waiting(&mut record);
        let waiting = self.live.waiting.get(&record.order_id).copied();
        let instrument = waiting.map_or(1, |waiting| waiting.instrument);
        let middle = self.middle(instrument);
        if self.rng.percent(60) {
            let legs = self.legs(middle);
            let has = waiting.map_or((true, true), |waiting| (waiting.above != 0, waiting.below != 0));
            let keeps = self.rng.one_in(8);
            record.amount.low = if has.0 || keeps { legs.low } else { 0 };
            record.amount.high = if has.1 || keeps { legs.high } else { 0 };
        }
        if self.rng.one_in(4) {
            record.price = self.price(instrument);
        }
        if self.rng.one_in(10) {
            record.expires_ns = self.price(instrument) as u64;
        }
        if self.rng.one_in(4) {
            record.qty = self.qty(instrument);
        }
        record
    }
}
