//! Section 19: which accounts are looked at, and the rungs of a visit.

use super::events::Cause;
use super::fill::Mover;
use super::growth::Clock;
use super::money::fee_up;
use super::state::{House, Order, Party, SETTLEMENT, World};
use xos_protocol::{
    CancelReason, EventFlags, EventKind, EventRecord, Flags, InstrumentState, Int128, LiquidationPolicy,
    LiquidationSpec, PriceStatus, SelfTrade, Side, Tif,
};

const MILLION: i128 = 1_000_000;
const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// What liquidation remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Liquidations {
    pub(super) pending: std::collections::BTreeSet<u32>,
    /// The last account looked at; the next look starts behind it.
    pub(super) last: u32,
    /// Accounts in liquidation and their next visit; 0: they are pending.
    pub(super) next_visits: std::collections::BTreeMap<u32, u64>,
    /// The same for accounts that repay a debt.
    pub(super) next_repayments: std::collections::BTreeMap<u32, u64>,
    /// Day and amount of what insurance paid, by perpetual.
    pub(super) drawn: std::collections::BTreeMap<u32, (u64, i128)>,
    /// By account in liquidation, while a market goes by them.
    pub(super) clocks: std::collections::BTreeMap<u32, Clock>,
    /// Positions that this look closes at its end.
    pub(super) listed: Vec<Listed>,
    /// Their accounts, with the most that rounding may leave.
    pub(super) bankrupt: Vec<(u32, i128)>,
}

/// A bankrupt position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) account: u32,
    pub(super) instrument: u32,
    /// 1: long, -1: short.
    pub(super) sign: i64,
    pub(super) lots: i64,
    pub(super) price: i64,
}

/// Equity in atoms and maintenance requirement in millionths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    pub(super) equity: i128,
    pub(super) required: i128,
    /// The requirements of the perpetuals, added.
    shared: i128,
}

impl Health {
    /// What is missing of the requirement.
    pub(super) fn shortage(&self) -> i128 {
        self.required_atoms() - self.equity
    }

    pub(super) fn required_atoms(&self) -> i128 {
        self.required.div_euclid(MILLION) + i128::from(self.required.rem_euclid(MILLION) != 0)
    }
}

/// `value x part / parts`, rounded down, however wide the product.
pub(super) fn portion(value: i128, part: i128, parts: i128) -> i128 {
    let (whole, rest) = wide_division(value.unsigned_abs(), part.unsigned_abs(), parts.unsigned_abs());
    let whole = i128::try_from(whole).expect("a portion is no more than the whole");
    if value >= 0 { whole } else { -whole - i128::from(rest) }
}

/// `a x b / c`, and whether something is left: schoolbook on 256 bits.
fn wide_division(a: u128, b: u128, c: u128) -> (u128, bool) {
    let (mut high, mut low) = (0u128, 0u128);
    for bit in (0..128).rev() {
        high = high << 1 | low >> 127;
        low <<= 1;
        if b >> bit & 1 == 1 {
            let (sum, carried) = low.overflowing_add(a);
            low = sum;
            high += u128::from(carried);
        }
    }
    let (mut quotient, mut rest) = (0u128, 0u128);
    for bit in (0..256).rev() {
        let digit = if bit >= 128 { high >> (bit - 128) & 1 } else { low >> bit & 1 };
        rest = rest << 1 | digit;
        quotient <<= 1;
        if rest >= c {
            rest -= c;
            quotient |= 1;
        }
    }
    (quotient, rest != 0)
}

impl World {
    /// The terms of liquidation of a perpetual.
    pub(super) fn terms_of_liquidation(&self, instrument: u32) -> Option<&LiquidationSpec> {
        self.instrument(instrument).spec.as_ref()?.liquidation.as_deref()
    }

    pub(super) fn look_of_time(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let first = events.len();
        self.look(cause, events);
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
    }

    /// One look at pending accounts.
    pub(super) fn look(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let state = &mut self.liquidations;
        for (account, next_ns) in state.next_visits.iter_mut().chain(&mut state.next_repayments) {
            if *next_ns != 0 && *next_ns <= cause.time_ns {
                *next_ns = 0;
                state.pending.insert(*account);
            }
        }
        self.visit_pending(cause, events);
        self.deleverage(cause, events);
    }

    fn visit_pending(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let (mut looks, mut visits) = (0, 0);
        while looks < self.limits.risk_checks_per_command_max
            && visits < self.limits.liquidations_per_command_max
        {
            let pending = &self.liquidations.pending;
            let behind = pending.iter().find(|&&account| account > self.liquidations.last);
            let Some(&account) = behind.or_else(|| pending.first()) else { return };
            self.liquidations.pending.remove(&account);
            self.liquidations.last = account;
            looks += 1;
            if self.is_liquidatable(account) && self.waits_for_prices(account) {
                let state = &mut self.liquidations;
                for next_visits in [&mut state.next_visits, &mut state.next_repayments] {
                    if let Some(next_ns) = next_visits.get_mut(&account) {
                        *next_ns = cause.time_ns.saturating_add(1_000_000_000);
                    }
                }
            } else if self.is_liquidatable(account) {
                visits += 1;
                self.visit(cause, account, events);
            } else if self.liquidations.next_visits.contains_key(&account) {
                self.end_liquidation(cause, account, events);
            } else if self.visit_for_debt(cause, account, events) {
                visits += 1;
            }
        }
    }

    pub(super) fn health(&self, account: u32) -> Health {
        let standing = self.standing(account);
        let shared = self.maintenance_without_relief(&standing);
        Health {
            equity: self.margin(account).equity,
            required: self.maintenance_millionths(&standing),
            shared,
        }
    }

    pub(super) fn is_liquidatable(&self, account: u32) -> bool {
        let health = self.health(account);
        health.equity * MILLION < health.required && !self.closable(account).is_empty()
    }

    pub(super) fn waits_for_prices(&self, account: u32) -> bool {
        let silent: Vec<u32> = (1..=self.instruments.len() as u32)
            .filter(|&i| self.instrument(i).is_perpetual() && self.holding(account, i).position != 0)
            .filter(|&i| self.is_silent(i))
            .collect();
        let may_come_back: i128 = silent.iter().map(|&i| self.initial_by_tier(account, i)).sum();
        let has_others = self.closable(account).into_iter().any(|i| !self.is_silent(i));
        let health = self.health(account);
        let is_lost = has_others && health.equity * MILLION + may_come_back < health.required;
        !silent.is_empty() && !is_lost
    }

    /// Whether its price status is stale or recovering, and it still trades.
    pub(super) fn is_silent(&self, instrument: u32) -> bool {
        let status = self.instrument(instrument).oracle.as_ref().map(|oracle| oracle.status);
        !self.is_closed(instrument) && matches!(status, Some(PriceStatus::Stale | PriceStatus::Recovering))
    }

    /// Perpetuals with terms in which the account has a position: the largest requirement first.
    fn closable(&self, account: u32) -> Vec<u32> {
        let standing = self.standing(account);
        let mut found: Vec<u32> = (1..=self.instruments.len() as u32)
            .filter(|&i| self.terms_of_liquidation(i).is_some() && self.holding(account, i).position != 0)
            .collect();
        found.sort_by_key(|&i| -self.maintenance_of(&standing, i));
        found
    }

    pub(super) fn workable(&self, account: u32) -> Vec<u32> {
        let mut found = self.closable(account);
        found.retain(|&i| {
            !self.is_silent(i)
                && matches!(
                    self.instrument(i).accepts(),
                    InstrumentState::Continuous | InstrumentState::ReduceOnly
                )
        });
        found
    }

    pub(super) fn bankruptcy_price(&self, account: u32, instrument: u32, health: Health) -> i64 {
        let terms = self.instrument(instrument);
        let lots = self.holding(account, instrument).position;
        let own = self.maintenance_of(&self.standing(account), instrument);
        let share = portion(health.equity, own, health.shared);
        let value = terms.value(terms.mark, lots.abs());
        let per_tick = terms.value(1, lots.abs());
        let price = if lots > 0 {
            // Rounded up.
            -(share - value).div_euclid(per_tick)
        } else {
            (value + share).div_euclid(per_tick)
        };
        let cost = self.holding(account, instrument).cost;
        let entry = -(-cost).div_euclid(per_tick);
        let most = entry.max(2 * i128::from(terms.mark)).min(terms.terms.price_max_ticks.into()).max(1);
        let price = price.clamp(1, most);
        i64::try_from(price).expect("a price is bounded")
    }

    fn emit_health(&self, cause: &Cause, kind: EventKind, account: u32, events: &mut Vec<EventRecord>) {
        let health = self.health(account);
        events.push(EventRecord {
            account,
            amount: Int128::new(health.equity),
            counter_amount: Int128::new(health.required_atoms()),
            ..cause.event(kind)
        });
    }

    pub(super) fn end_liquidation(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        self.liquidations.next_visits.remove(&account);
        self.liquidations.clocks.remove(&account);
        self.emit_health(cause, EventKind::LiquidationEnded, account, events);
        self.look_at_debt(account);
    }

    fn visit(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        if !self.liquidations.next_visits.contains_key(&account) {
            self.emit_health(cause, EventKind::LiquidationStarted, account, events);
            self.liquidations.next_repayments.remove(&account);
        }
        self.give_clock(cause, account);
        for rung in 1..=5 {
            match rung {
                1 => {
                    for order in self.take_out(|order| order.account == account) {
                        let reason = CancelReason::Liquidation;
                        events.push(cause.cancelled(&order, reason, order.remaining, 0));
                        self.entry_left(cause, order.id, events);
                    }
                }
                2 => self.convert_for_liquidation(cause, account, events),
                3 => self.send_liquidation_orders(cause, account, events),
                4 => self.offer_to_tranches(cause, account, events),
                _ => self.resolve_bankruptcy(cause, account, events),
            }
            if !self.is_liquidatable(account) {
                self.end_liquidation(cause, account, events);
                return;
            }
        }
        if self.cools_down(cause, account) {
            return;
        }
        let first = self.closable(account)[0];
        let terms = self.terms_of_liquidation(first).expect("closable");
        let wait_ns = (u64::from(terms.cooldown_ms) * 1_000_000).max(1);
        self.liquidations.next_visits.insert(account, cause.time_ns.saturating_add(wait_ns));
    }

    /// Whether an earlier visit set a time that has not come.
    fn cools_down(&self, cause: &Cause, account: u32) -> bool {
        self.liquidations.next_visits.get(&account).is_some_and(|&next_ns| next_ns > cause.time_ns)
    }

    fn send_liquidation_orders(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        if self.cools_down(cause, account) && self.health(account).equity >= 0 {
            return;
        }
        let Some((instrument, lots)) = self.chosen_slice(cause, account) else { return };
        let short_before = self.health(account).shortage();
        self.send_liquidation_order(cause, account, instrument, lots, events);
        if self.is_liquidatable(account)
            && let Some((other, lots)) = self.chosen_after(cause, account, instrument)
        {
            self.send_liquidation_order(cause, account, other, lots, events);
        }
        let freed = short_before - self.health(account).shortage();
        if let Some(clock) = self.liquidations.clocks.get_mut(&account) {
            clock.freed += freed.max(0);
        }
    }

    fn send_liquidation_order(
        &mut self,
        cause: &Cause,
        account: u32,
        instrument: u32,
        lots: i64,
        events: &mut Vec<EventRecord>,
    ) {
        let terms = self.terms_of_liquidation(instrument).expect("closable").clone();
        let position = self.holding(account, instrument).position;
        let health = self.health(account);
        let mut order = Order {
            id: 0,
            account,
            instrument,
            side: if position > 0 { Side::Sell } else { Side::Buy },
            tif: Tif::Ioc,
            flags: Flags(Flags::REDUCE_ONLY),
            self_trade: SelfTrade::CancelMaker,
            venue: 0,
            price: self.limit_of_order(account, instrument, health),
            total: lots,
            remaining: lots,
            display: 0,
            shown: 0,
            expires_ns: 0,
            client_id: [0; 32],
            classes: self.dividing_classes(account),
        };
        events.push(EventRecord {
            side: order.side.code(),
            account,
            instrument,
            price: order.price,
            qty: lots,
            amount: Int128::new(health.equity),
            counter_amount: Int128::new(health.required_atoms()),
            ..cause.event(EventKind::LiquidationOrder)
        });
        let first = events.len();
        self.take(cause, &mut order, events);
        let mut traded = 0;
        for event in events[first..].iter().filter(|event| event.kind() == Some(EventKind::Trade)) {
            traded += self.instrument(instrument).value(event.price, event.qty);
        }
        let fee = fee_up(traded, terms.fee_ppm).min(self.health(account).equity.max(0));
        if fee > 0 {
            let fund = self.insurance_of(account);
            self.post(Party::Account(account), Party::House(fund), SETTLEMENT, fee);
            events.push(EventRecord {
                account,
                instrument,
                amount: Int128::new(fee),
                counter_amount: Int128::new(self.told(fund)),
                ..cause.event(EventKind::LiquidationFee)
            });
        }
    }

    fn offer_to_tranches(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        let health = self.health(account);
        let offers: Vec<(u32, i64)> = self
            .workable(account)
            .into_iter()
            .map(|i| (i, self.bankruptcy_price(account, i, health)))
            .collect();
        for (instrument, price) in offers {
            let terms = self.terms_of_liquidation(instrument).expect("closable");
            let Some(tranche) = terms.tranche else { continue };
            let backstop = health.required_atoms() * i128::from(terms.backstop_ppm);
            if terms.policy == LiquidationPolicy::Full || health.equity * MILLION >= backstop {
                continue;
            }
            let taker = tranche.account;
            if taker as usize > self.accounts.len() || taker == account || self.is_isolated(taker) {
                continue;
            }
            if self.check_kind_of_money(taker, instrument).is_err() {
                continue;
            }
            let lots = self.lots_for_tranche(account, taker, instrument, tranche.notional_max.0, price);
            if lots == 0 {
                continue;
            }
            let position = self.holding(account, instrument).position;
            let side = if position > 0 { Side::Sell } else { Side::Buy };
            self.settle_funding(cause, instrument, account, events);
            self.settle_funding(cause, instrument, taker, events);
            let giver = Mover { account, instrument, side };
            let given = self.move_lots(giver, lots, price).expect("it closes");
            let receiver = Mover { account: taker, instrument, side: side.opposite() };
            let received = self.move_lots(receiver, lots, price);
            let mut event = EventRecord {
                side: side.code(),
                account,
                instrument,
                price,
                qty: lots,
                remaining: given.position_after,
                amount: Int128::new(given.realised),
                ..cause.event(EventKind::TrancheTookOver)
            };
            event.set_counterpart(0, taker, 0, 0, 0);
            events.push(event);
            if let Some(closed) = received {
                events.push(cause.pnl_realised(&receiver.as_order(), price, &closed));
            }
            self.look_at_debt(taker);
        }
    }

    fn lots_for_tranche(&self, from: u32, taker: u32, instrument: u32, cap: i128, price: i64) -> i64 {
        let terms = self.instrument(instrument);
        if !self.stands_in(taker, instrument) {
            let count = self.instruments_stood_in(taker, instrument) as i128;
            if count >= self.instruments_limit(instrument) {
                return 0;
            }
        }
        let position = self.holding(from, instrument).position;
        let side = if position > 0 { Side::Buy } else { Side::Sell };
        let same_way = self.holding(taker, instrument).position * position.signum();
        let resting = self.resting_lots(taker, instrument, side);
        let by_value = cap / terms.value(terms.mark, 1);
        let most = by_value.min(i128::from(terms.terms.position_max_lots - resting)) - i128::from(same_way);
        let lots = most.clamp(0, position.abs().into()) as i64;
        let mut order = Mover { account: taker, instrument, side }.as_order();
        (order.price, order.total, order.remaining) = (price, lots, lots);
        let reserve = self.reserve(&order);
        let loss = terms.loss_against_mark(side, price, lots);
        let mut standing = self.standing(taker);
        standing.orders.push(order);
        if self.headroom(&standing) + reserve - loss >= 0 { lots } else { 0 }
    }

    fn resolve_bankruptcy(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        let mut workable = self.closable(account);
        let of_orders = self.workable(account);
        workable.retain(|&i| of_orders.contains(&i) || self.is_closed(i));
        let debt = -self.health(account).equity;
        if debt <= 0 || workable.is_empty() {
            return;
        }
        self.pay_from_insurance(cause, account, workable[0], debt, events);
        let health = self.health(account);
        let mut rounding = 0;
        for instrument in workable {
            let position = self.holding(account, instrument).position;
            let price = self.bankruptcy_price(account, instrument, health);
            rounding += self.instrument(instrument).value(1, position.abs());
            let (sign, lots) = (position.signum(), position.abs());
            self.liquidations.listed.push(Listed { account, instrument, sign, lots, price });
        }
        self.liquidations.bankrupt.push((account, rounding));
    }

    fn pay_from_insurance(
        &mut self,
        cause: &Cause,
        account: u32,
        instrument: u32,
        debt: i128,
        events: &mut Vec<EventRecord>,
    ) {
        let day = cause.time_ns / DAY_NS;
        let most = self.terms_of_liquidation(instrument).expect("closable").insurance_draw_max.0;
        let today = match self.liquidations.drawn.get(&instrument) {
            Some(&(drawn_day, drawn)) if drawn_day == day => drawn,
            _ => 0,
        };
        let paid = debt.min(self.told(self.insurance_of(account))).min(most - today);
        if paid <= 0 {
            return;
        }
        self.liquidations.drawn.insert(instrument, (day, today + paid));
        self.post(Party::House(House::Insurance), Party::Account(account), SETTLEMENT, paid);
        events.push(EventRecord {
            account,
            instrument,
            amount: Int128::new(paid),
            counter_amount: Int128::new(self.house(House::Insurance, SETTLEMENT)),
            ..cause.event(EventKind::InsurancePaid)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_round_down_in_both_signs() {
        assert_eq!((portion(10, 1, 3), portion(-10, 1, 3), portion(-9, 1, 3)), (3, -4, -3));
        assert_eq!(portion(1 << 100, 1 << 110, 1 << 111), 1 << 99);
    }
}
