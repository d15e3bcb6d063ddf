//! The commands of chaos, kind by kind.

use super::{Chaos, Known, terms_mark};
use crate::workload::{client_id, command, questions};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, Flags, Int128, QuestionPayouts, Side, Tif};

impl Chaos {
    pub(super) fn draw_command(&mut self, place_in_frame: u64) -> CommandRecord {
        if !self.recent.is_empty() && self.rng.one_in(40) {
            let with_id: Vec<_> = self.recent.iter().filter(|record| record.has_client_id()).collect();
            if !with_id.is_empty() && self.rng.one_in(2) {
                return **self.rng.pick(&with_id);
            }
            return *self.rng.pick(&self.recent);
        }
        let mut weights = if self.calm {
            [
                700, 80, 30, 1, 1, 24, 20, 20, 10, 8, 25, 5, 1, 0, 0, 60, 2, 12, 40, 1, 24, 12, 6, 6, 6, 2,
                4, 120, 6, 3, 3, 4, 1, 2,
            ]
        } else {
            [
                600, 100, 40, 6, 4, 24, 24, 30, 20, 9, 45, 16, 9, 2, 3, 50, 6, 24, 45, 2, 60, 36, 20, 16, 16,
                5, 16, 120, 16, 8, 6, 10, 4, 6,
            ]
        };
        if self.crowd {
            weights[27] = 900;
        }
        let mut record = match self.rng.weighted(&weights) {
            0 => self.draw_place(),
            1 => self.draw_amend(place_in_frame),
            2 => self.draw_cancel(place_in_frame),
            3 => self.draw_mass_cancel(),
            4 => self.draw_open_account(),
            5 => self.draw_deposit(),
            6 => self.draw_withdraw(),
            7 => self.draw_sets(CommandKind::SplitSet),
            8 => self.draw_sets(CommandKind::MergeSet),
            9 => command(CommandKind::Tick),
            10 => self.draw_price(CommandKind::SetMark),
            11 => self.draw_price(CommandKind::SetIndex),
            12 => self.draw_state(),
            13 => self.draw_resolve(),
            15 => self.draw_sweep(),
            16 => self.draw_countdown(),
            17 => self.draw_leverage(),
            18 => self.draw_publish(),
            19 => command(CommandKind::Restart),
            20 => self.draw_trigger(),
            21 => self.draw_bracket(),
            22 => self.draw_amend_trigger(),
            23 => self.draw_protection(),
            24 => self.draw_transfer(),
            25 => self.draw_open_isolated(),
            26 => self.draw_credentials(),
            27 => self.draw_implied(),
            28 => self.draw_margin_mode(),
            29 => self.draw_governance(),
            30 => self.draw_collect(),
            31 => self.draw_auction(),
            32 => self.draw_cap(),
            33 => self.draw_referrer(),
            _ => CommandRecord { kind: *self.rng.pick(&[0, 19, 64, 65_535]), ..self.draw_place() },
        };
        self.go_apart(&mut record);
        if self.rng.one_in(if self.calm { 120 } else { 16 }) {
            self.spoil(&mut record);
        }
        if self.recent.len() == 50 {
            let oldest = self.rng.below(50) as usize;
            self.recent.swap_remove(oldest);
        }
        self.recent.push(record);
        record
    }

    pub(super) fn account(&mut self) -> u32 {
        1 + self.rng.below(u64::from(self.live.accounts.max(1))) as u32
    }

    /// Mostly an instrument that trades.
    pub(super) fn instrument(&mut self) -> u32 {
        let count = self.instruments.len().max(1) as u64;
        let mut instrument = 1 + self.rng.below(count) as u32;
        for _ in 0..4 {
            if self.known(instrument).is_settled {
                instrument = 1 + self.rng.below(count) as u32;
            }
        }
        instrument
    }

    pub(super) fn known(&self, instrument: u32) -> Known {
        let none = Known {
            question: 0,
            price_max: 20,
            qty_min: 1,
            qty_max: 20,
            is_settled: false,
            is_perpetual: false,
            is_implied: false,
            converted: 0,
            atoms_per_lot: 0,
            sources: 0,
        };
        self.instruments.get((instrument as usize).wrapping_sub(1)).copied().unwrap_or(none)
    }

    /// A price where others are.
    pub(super) fn price(&mut self, instrument: u32) -> i64 {
        let price_max = self.known(instrument).price_max;
        let middle = self.live.marks.get(&instrument).copied().unwrap_or(terms_mark(price_max));
        let drawn = match self.rng.below(20) {
            0 => return *self.rng.pick(&[0, -1, 1, price_max, price_max + 1]),
            1..4 => self.rng.between(1, price_max),
            _ => middle + self.rng.between(-3, 3),
        };
        drawn.clamp(1, price_max)
    }

    /// A price near the mark, never beyond the bounds.
    pub(super) fn near(&mut self, instrument: u32) -> i64 {
        let price_max = self.known(instrument).price_max;
        self.price(instrument).clamp(1, price_max)
    }

    pub(super) fn qty(&mut self, instrument: u32) -> i64 {
        let max = self.known(instrument).qty_max;
        let lot = self.scale.lot;
        match self.rng.below(24) {
            0 => *self.rng.pick(&[0, -1, 1, max, max + 1]),
            1..4 => self.rng.between(1, max),
            _ => self.rng.between(1, 9) * lot - if lot > 1 { self.rng.between(0, 1) } else { 0 },
        }
    }

    fn draw_margin_mode(&mut self) -> CommandRecord {
        let side = *self.rng.pick(&[0, 0, 1, 1, 1, 1, 1, 1, 1, 2]);
        CommandRecord { account: self.account(), side, ..command(CommandKind::SetMarginMode) }
    }

    fn draw_leverage(&mut self) -> CommandRecord {
        let mut instrument = self.instrument();
        for _ in 0..4 {
            if !self.known(instrument).is_perpetual {
                instrument = self.instrument();
            }
        }
        let qty = *self.rng.pick(&[0, 0, 1, 1, 2, 3, 3, 7, 19, 20, 21, 99, 101, 1_000_000, -1]);
        CommandRecord { account: self.account(), instrument, qty, ..command(CommandKind::SetLeverage) }
    }

    pub(super) fn client_id(&mut self) -> [u8; 32] {
        match self.rng.below(20) {
            0..15 => [0; 32],
            15..17 => client_id(self.rng.below(6)),
            _ => {
                self.fresh_client_ids += 1;
                client_id(1_000 + self.fresh_client_ids)
            }
        }
    }

    pub(super) fn draw_place(&mut self) -> CommandRecord {
        let instrument = self.instrument();
        let mut record = CommandRecord {
            account: self.account(),
            instrument,
            side: self.rng.below(2) as u8,
            tif: [0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3][self.rng.below(11) as usize],
            flags: match self.rng.below(16) {
                0..2 => Flags::POST_ONLY,
                2 => Flags::MARKET,
                _ => 0,
            },
            self_trade: if self.rng.percent(40) { 0 } else { self.rng.below(5) as u8 },
            venue: self.rng.below(u64::from(self.venues) + 1) as u16,
            price: self.price(instrument),
            qty: self.qty(instrument),
            client_id: self.client_id(),
            ..command(CommandKind::Place)
        };
        if self.rng.percent(40) {
            record.flags |= Flags::PROTECTED;
        }
        if let Some(&own) = self.live.isolated.get(&record.account)
            && self.rng.percent(80)
        {
            (record.instrument, record.price, record.qty) = (own, self.price(own), self.qty(own));
        }
        let aim = self.rng.bits();
        if self.rng.percent(18)
            && let Some((account, instrument, lots)) = self.live.nth_position(aim)
        {
            record.account = account;
            record.instrument = instrument;
            record.side = if lots > 0 { Side::Sell.code() } else { Side::Buy.code() };
            record.price = self.price(instrument);
            record.flags |= if self.rng.percent(75) { Flags::REDUCE_ONLY } else { 0 };
            record.qty = if self.rng.percent(50) { lots.abs() } else { lots.abs() + self.rng.between(-2, 5) };
        } else if self.rng.one_in(40) {
            record.flags |= Flags::REDUCE_ONLY;
        }
        if record.flags & Flags::MARKET != 0 && !self.rng.one_in(8) {
            record.tif = 1 + self.rng.below(2) as u8;
        }
        if matches!(record.tif, 1 | 2) && self.rng.percent(70) {
            // Towards the other side of the book.
            let price_max = self.known(record.instrument).price_max;
            let towards = if record.side == 0 { self.rng.between(0, 4) } else { -self.rng.between(0, 4) };
            record.price = (record.price + towards).clamp(1, price_max);
        }
        if record.tif == Tif::Gtd.code() {
            record.expires_ns = self.time_ns + self.rng.below(150);
        }
        if self.rng.percent(if matches!(record.tif, 0 | 3) { 18 } else { 1 }) {
            record.amount.low = self.display(record.qty) as u64;
            record.flags &= if self.rng.one_in(12) { u8::MAX } else { !Flags::REDUCE_ONLY };
        }
        record
    }

    /// How much of so many lots an iceberg shows: a part, now and then all of them, or too few.
    fn display(&mut self, qty: i64) -> i64 {
        match self.rng.below(20) {
            0 => *self.rng.pick(&[qty, qty + 1, 1, -1, qty / 100, i64::MIN]),
            1..8 => 1 + qty.max(1) / 4,
            _ => self.rng.between(1, qty.max(2) - 1),
        }
    }

    /// An order for exactly the lots, or one past, of the first few orders that rest on one side.
    fn draw_sweep(&mut self) -> CommandRecord {
        let mut record = self.draw_place();
        let number = self.rng.bits();
        let Some(target) = self.live.nth(number) else { return record };
        let resting = self.live.side_of(target.instrument, target.side);
        let few = 1 + self.rng.below(resting.len() as u64) as usize;
        let lots: i64 = resting[..few].iter().map(|&(lots, _)| lots).sum();
        record.instrument = target.instrument;
        record.side = 1 - target.side;
        record.flags = 0;
        record.expires_ns = 0;
        record.amount = Int128::default();
        record.tif = if self.rng.percent(65) { Tif::Fok.code() } else { Tif::Ioc.code() };
        record.self_trade = if self.rng.percent(60) { 0 } else { self.rng.below(3) as u8 };
        record.price = resting[few - 1].1;
        record.qty = if self.rng.one_in(5) { lots - self.rng.between(-1, 3) } else { lots };
        record
    }

    /// Names a live order by id or client id; now and then one placed earlier in this frame, or none.
    fn aim(&mut self, record: &mut CommandRecord, place_in_frame: u64) {
        record.account = self.account();
        record.order_id = self.next_sequence + self.rng.below(place_in_frame + 1);
        let number = self.rng.bits();
        if self.rng.one_in(12) {
            return;
        }
        if self.rng.one_in(6) && self.aim_at_waiting(record) {
            return;
        }
        let Some(order) = self.live.nth(number) else { return };
        record.account = if self.rng.one_in(30) { record.account } else { order.account };
        record.instrument = if self.rng.one_in(2) { order.instrument } else { 0 };
        if self.rng.one_in(30) {
            record.instrument = self.instrument();
        }
        record.order_id = order.id;
        if order.client_id != [0; 32] && self.rng.one_in(2) {
            record.order_id = 0;
            record.client_id = order.client_id;
        }
    }

    fn draw_amend(&mut self, place_in_frame: u64) -> CommandRecord {
        let mut record = command(CommandKind::Amend);
        self.aim(&mut record, place_in_frame);
        record.flags = if self.rng.one_in(8) { Flags::POST_ONLY } else { 0 };
        let target = self.live.orders.values().find(|order| {
            order.id == record.order_id || (record.order_id == 0 && order.client_id == record.client_id)
        });
        let (instrument, price, total, remaining) =
            target.map_or((1, 5, 5, 5), |o| (o.instrument, o.price, o.total, o.remaining));
        let is_iceberg = target.is_some_and(|order| order.display != 0);
        if self.rng.percent(if is_iceberg { 50 } else { 3 }) {
            record.amount.low = self.display(total) as u64;
        }
        record.price = match self.rng.below(6) {
            0..2 => 0,
            2 => price,
            3 => self.price(instrument),
            _ => price + self.rng.between(-2, 2),
        };
        record.qty = match self.rng.below(8) {
            0..2 => 0,
            2 => total,
            3 => total - remaining,
            4 => self.qty(instrument),
            5 => total + self.rng.between(1, 4) * self.scale.lot,
            _ => total - self.rng.between(1, 3),
        };
        record
    }

    fn draw_cancel(&mut self, place_in_frame: u64) -> CommandRecord {
        let mut record = command(CommandKind::Cancel);
        self.aim(&mut record, place_in_frame);
        record
    }

    fn draw_mass_cancel(&mut self) -> CommandRecord {
        CommandRecord {
            account: self.account(),
            instrument: if self.rng.one_in(2) { 0 } else { self.instrument() },
            side: self.rng.below(3) as u8,
            ..command(CommandKind::MassCancel)
        }
    }

    /// Mostly so short that it runs out soon; now and then at the longest, or one past it.
    fn draw_countdown(&mut self) -> CommandRecord {
        let longest = xos_protocol::COUNTDOWN_MS_MAX;
        let qty = *self.rng.pick(&[1, 1, 1, 0, longest, longest + 1, -1]);
        CommandRecord { account: self.account(), qty, ..command(CommandKind::CancelAllAfter) }
    }

    fn draw_open_account(&mut self) -> CommandRecord {
        let next = self.live.accounts + 1;
        CommandRecord {
            account: *self.rng.pick(&[0, next, next + 1, 1]),
            side: self.opens_simulated(),
            client_id: client_id(1_000_000 + self.rng.below(4)),
            ..command(CommandKind::OpenAccount)
        }
    }

    /// An isolated account of one that stands, mostly with the owner that it has.
    fn draw_open_isolated(&mut self) -> CommandRecord {
        let mut instrument = self.instrument();
        for _ in 0..3 {
            if !self.known(instrument).is_perpetual {
                instrument = self.instrument();
            }
        }
        let parent = if self.rng.one_in(12) { self.live.accounts + 1 } else { self.account() };
        let owner = if self.rng.one_in(8) { None } else { self.live.owners.get(&parent).copied() };
        let open = self.draw_open_account();
        let account = if self.rng.one_in(12) { open.account } else { 0 };
        let client_id = owner.unwrap_or(open.client_id);
        let side = u8::from(self.rng.one_in(40));
        CommandRecord { account, side, instrument, order_id: parent.into(), client_id, ..open }
    }

    fn asset(&mut self) -> u32 {
        if self.rng.one_in(2) { 1 } else { 1 + self.rng.below(u64::from(self.assets.max(1))) as u32 }
    }

    fn draw_deposit(&mut self) -> CommandRecord {
        let usual = self.amount_of_some_orders();
        let amount = match self.rng.below(20) {
            0 => *self.rng.pick(&[0, -1, 1, (1 << 96) - 1, 1 << 96, i128::MIN, i128::MAX]),
            _ => usual,
        };
        CommandRecord {
            account: self.account(),
            instrument: self.asset(),
            amount: Int128::new(amount),
            client_id: self.client_id(),
            ..command(CommandKind::Deposit)
        }
    }

    fn draw_withdraw(&mut self) -> CommandRecord {
        let part = self.amount_of_some_orders() / 6;
        CommandRecord { amount: Int128::new(part), kind: CommandKind::Withdraw.code(), ..self.draw_deposit() }
    }

    /// Owners have several accounts, so that many pairs are of one.
    fn draw_transfer(&mut self) -> CommandRecord {
        let to = if self.rng.one_in(20) { self.live.accounts + 1 } else { self.account() };
        let kind = CommandKind::Transfer.code();
        CommandRecord { kind, order_id: to.into(), ..self.draw_withdraw() }
    }

    fn draw_sets(&mut self, kind: CommandKind) -> CommandRecord {
        let instrument = self.instrument();
        let mut record = CommandRecord {
            account: self.account(),
            instrument: 1 + self.rng.below(u64::from(self.questions.max(1))) as u32,
            qty: self.qty(instrument),
            client_id: self.client_id(),
            ..command(kind)
        };
        if kind == CommandKind::MergeSet && self.rng.percent(70) {
            self.aim_merge(&mut record);
        }
        record
    }

    /// Names an account that is long every outcome, and as many lots as it can merge, or one more.
    fn aim_merge(&mut self, record: &mut CommandRecord) {
        let outcomes = self.outcomes_of(record.instrument);
        let smallest = |account: u32| {
            let position = |&i: &u32| self.live.positions.get(&(account, i)).copied().unwrap_or(0);
            outcomes.iter().map(position).min().unwrap_or(0)
        };
        let able: Vec<(u32, i64)> = (1..=self.live.accounts)
            .map(|account| (account, smallest(account)))
            .filter(|&(_, lots)| lots > 0)
            .collect();
        if !able.is_empty() {
            let (account, lots) = *self.rng.pick(&able);
            record.account = account;
            record.qty = if self.rng.one_in(6) { lots + 1 } else { lots };
        }
    }

    fn draw_price(&mut self, kind: CommandKind) -> CommandRecord {
        let instrument = self.instrument();
        let price_max = self.known(instrument).price_max;
        let near = self.price(instrument);
        let price = if self.rng.percent(60) { near } else { self.rng.between(1, price_max) };
        CommandRecord { instrument, price, ..command(kind) }
    }

    /// A price of a source, mostly new and near the mark.
    fn draw_publish(&mut self) -> CommandRecord {
        let with: Vec<u32> =
            (1..).zip(&self.instruments).filter(|(_, known)| known.sources > 0).map(|(id, _)| id).collect();
        let instrument =
            if with.is_empty() || self.rng.one_in(30) { self.instrument() } else { *self.rng.pick(&with) };
        let known = self.known(instrument);
        let stray = u64::from(self.rng.one_in(20));
        let account = 1 + self.rng.below(u64::from(known.sources.max(1)) + stray) as u32;
        let near = self.price(instrument);
        let price = if self.rng.percent(85) { near } else { self.rng.between(1, known.price_max) };
        let qty = match self.rng.below(12) {
            0..6 => 0,
            6 => *self.rng.pick(&[-1, known.price_max, known.price_max + 1]),
            _ => self.price(instrument),
        };
        let expires_ns = match self.rng.below(24) {
            0 => self.time_ns + 1_000_000 * self.rng.below(3) + self.rng.below(9),
            1 => self.time_ns.saturating_sub(self.rng.below(9_000_000_000)),
            2 => 0,
            _ => self.time_ns,
        };
        CommandRecord { account, instrument, price, qty, expires_ns, ..command(CommandKind::PublishPrice) }
    }

    fn draw_state(&mut self) -> CommandRecord {
        let side = if self.rng.percent(72) { 0 } else { self.rng.below(5) as u8 };
        CommandRecord { instrument: self.instrument(), side, ..command(CommandKind::SetInstrumentState) }
    }

    fn draw_resolve(&mut self) -> CommandRecord {
        let order_id = u64::from(self.instrument());
        let question = self.known(order_id as u32).question;
        let other = 1 + self.rng.below(u64::from(self.questions) + 1) as u32;
        let instrument = if question == 0 || self.rng.one_in(4) { other } else { question };
        CommandRecord { instrument, order_id, ..command(CommandKind::ResolveQuestion) }
    }

    /// Payouts of a question by the operator.
    pub(super) fn draw_payouts(&mut self) -> DeployCommand {
        let question = 1 + self.rng.below(u64::from(self.questions) + 1) as u32;
        let outcomes = self.outcomes_of(question).len();
        let payouts_ppm = questions::payouts(&mut self.rng, outcomes);
        DeployCommand::SettleQuestion(QuestionPayouts { question, account: 0, payouts_ppm })
    }

    /// Puts an awkward number into one field.
    fn spoil(&mut self, record: &mut CommandRecord) {
        let rng = &mut self.rng;
        let edges = [0, 1, -1, 2, 255, 1 << 39, (1 << 40) - 1, 1 << 40, i64::MAX, i64::MIN];
        let edge = *rng.pick(&edges);
        match rng.below(13) {
            0 => record.side = rng.below(6) as u8,
            1 => record.tif = rng.below(6) as u8,
            2 => record.flags = rng.below(64) as u8,
            3 => record.self_trade = rng.below(8) as u8,
            4 => record.venue = rng.below(8) as u16,
            5 => record.account = *rng.pick(&[0, 1, 2, 99, u32::MAX]),
            6 => record.instrument = *rng.pick(&[0, 1, 2, 3, 99, u32::MAX]),
            7 => record.order_id = *rng.pick(&[0, 1, 300, 1 << 33, u64::MAX]),
            8 => record.price = edge,
            9 => record.qty = edge,
            10 => record.expires_ns = *rng.pick(&[0, 1, self.time_ns, self.time_ns + 1, u64::MAX]),
            11 => record.amount = Int128::new(i128::from(edge) << rng.below(60)),
            _ => record.client_id = client_id(rng.below(6)),
        }
    }
}
