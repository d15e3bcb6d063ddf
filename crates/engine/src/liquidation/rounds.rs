//! Rounds of deleveraging: at the end of a look all bankrupt positions of one side of a perpetual are closed at once. Each
//! bankrupt account closes at its own bankruptcy price, everybody on the other side at the average of these.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::liquidation::adl::{Opposite, divide, queue_of};
use crate::liquidation::ladder::closing_side;
use crate::step::{Step, wide};
use crate::touch::RUN;
use std::mem::take;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{EventKind, Receipt, Side};
use xos_units::{
    AccountId, Amount, Price, Qty,
    division::{cost_part_up, whole_parts},
    notional,
};

/// Bankrupt positions that one round closes, at most: their lots times a weight stay within 127 bits.
const ROUND_POSITIONS_MAX: usize = 1 << 16;

/// A position that insurance did not save.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BankruptPosition {
    pub(crate) account: AccountId,
    /// Index of the instrument.
    pub(crate) at: usize,
    pub(crate) long: bool,
    /// Unsigned.
    pub(crate) lots: Qty,
    /// The bankruptcy price.
    pub(crate) price: Price,
}

/// What an account with such positions owes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BankruptAccount {
    pub(crate) account: AccountId,
    /// Debt that insurance left.
    pub(crate) due: Amount,
    /// The most that rounding of its prices to ticks can leave: a tick of each lot.
    pub(crate) rounding: Amount,
}

/// What the visits of one look found, in their order.
#[derive(Debug, Default)]
pub(crate) struct Bankrupt {
    pub(crate) positions: Vec<BankruptPosition>,
    pub(crate) accounts: Vec<BankruptAccount>,
}

impl Bankrupt {
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

/// One round: lots and value of the bankrupt side.
#[derive(Clone, Copy, Debug)]
struct Round {
    at: usize,
    long: bool,
    lots: Qty,
    value: Amount,
    /// Average in ticks, rounded against the other side.
    price: Price,
    /// Bankrupt positions in it.
    positions: u32,
}

impl Round {
    /// Value of some of its lots for who gives them, rounded against him.
    fn value_of(&self, lots: Qty) -> Amount {
        if self.long {
            cost_part_up(self.value, lots, self.lots)
        } else {
            -cost_part_up(-self.value, lots, self.lots)
        }
    }

    /// The side of an order that would close the other side's positions.
    fn other_side(&self) -> Side {
        if self.long { Side::Buy } else { Side::Sell }
    }
}

impl Engine {
    /// Closes what the visits of a look left: by instrument, longs first.
    pub(crate) fn close_bankrupt(&mut self, step: &mut Step) {
        let Bankrupt { mut positions, accounts } = take(&mut self.liquidations.bankrupt);
        positions.sort_by_key(|position| (position.at, !position.long));
        let mut lost = Amount::ZERO;
        for list in positions.chunk_by(|a, b| (a.at, a.long) == (b.at, b.long)) {
            let other =
                |position: &&BankruptPosition| position.at == list[0].at && position.long != list[0].long;
            let mut last: Vec<AccountId> =
                positions.iter().filter(other).map(|position| position.account).collect();
            last.sort_unstable();
            for positions in list.chunks(ROUND_POSITIONS_MAX) {
                lost += self.close_round(step, positions, &last);
            }
        }
        // Invariant 25: the other side gives what insurance left of the debts and at most a tick of each lot more.
        let most = accounts.iter().fold(Amount::ZERO, |sum, account| sum + account.due + account.rounding);
        if lost > most {
            let detail = format!("the other side gave {}, due were at most {}", lost.0, most.0);
            self.halt(25, step.sequence, detail);
        }
        if !self.defends(Defence::PayerFirst) {
            self.pay_last(step, &positions);
        }
        for bankrupt in accounts {
            self.settle_bankrupt(step, &bankrupt);
        }
    }

    /// The order that a defence is against: closed accounts have given back what they have when insurance pays.
    #[cold]
    fn pay_last(&mut self, step: &mut Step, positions: &[BankruptPosition]) {
        self.forget_empty_stands();
        self.give_back(step, 0);
        for position in positions {
            let debt = -self.health(position.account).equity;
            self.draw_insurance(step, position.account, position.at, debt);
        }
    }

    /// One round over a part of a list. Gives what the other side lost against the mark, but for rounding to atoms.
    fn close_round(&mut self, step: &mut Step, list: &[BankruptPosition], last: &[AccountId]) -> Amount {
        let BankruptPosition { at, long, .. } = list[0];
        let k = self.instruments[at].k;
        let mut closing = Vec::with_capacity(list.len());
        let (mut lots, mut value) = (Qty::ZERO, Amount::ZERO);
        for position in list {
            // It may have given lots itself, to a round of the other side.
            let held = self.accounts[position.account.index()].stand(self.instruments[at].key);
            let held = held.map_or(0, |stand| if long { stand.lots } else { -stand.lots });
            let left = position.lots.min(Qty(held.max(0)));
            if left > Qty::ZERO {
                closing.push((*position, left));
                lots += left;
                value += notional(position.price, left, k);
            }
        }
        if closing.is_empty() {
            return Amount::ZERO;
        }
        let per_tick = notional(Price(1), lots, k);
        let up = if long { per_tick - Amount(1) } else { Amount::ZERO };
        let price = Price(whole_parts(value + up, per_tick) as i64);
        let round = Round { at, long, lots, value, price, positions: closing.len() as u32 };
        let opposites = self.opposites(at, long, price, last);
        for (position, lots) in closing {
            self.close_bankrupt_position(step, &position, lots);
        }
        let paid = self.close_other_side(step, &round, &opposites);
        let rounded = if long { paid - value } else { value - paid };
        if rounded > Amount::ZERO {
            let instrument = self.instruments[at].id;
            let is_simulated = self.instruments[at].is_simulated;
            let fund = if is_simulated { Party::Simulated } else { Party::Insurance };
            let (from, reason) = (Party::Clearing(instrument), Reason::InsuranceReceived);
            let result = self.ledger.post(from, fund, SETTLEMENT, rounded, reason, step.sequence);
            self.money(step.sequence, result);
            let event = step.push(EventKind::InsuranceReceived);
            event.instrument = instrument.0;
            event.amount = wide(rounded);
            event.counter_amount = wide(self.told_fund(fund));
        }
        self.check_open_interest(step.sequence, at);
        let at_mark = self.instruments[at].value_at_mark(lots);
        if long { value - at_mark } else { at_mark - value }
    }

    fn close_bankrupt_position(&mut self, step: &mut Step, position: &BankruptPosition, lots: Qty) {
        let &BankruptPosition { account, at, long, price, .. } = position;
        let side = closing_side(if long { 1 } else { -1 });
        if self.instruments[at].settling {
            self.settle_funding(step, at, account);
        }
        let closed = self.move_lots(step.sequence, at, account, side, price, lots);
        let (realised, left) = closed.map_or((Amount::ZERO, 0), |(closed, left, _)| (closed.realised, left));
        let event = step.push(EventKind::BankruptcyClosed);
        event.side = side.code();
        event.account = account.0;
        event.instrument = self.instruments[at].id.0;
        event.price = price.0;
        event.qty = lots.0;
        event.remaining = left;
        event.amount = wide(realised);
    }

    /// Everybody on the other side gives his part. Gives the sum of their values.
    fn close_other_side(&mut self, step: &mut Step, round: &Round, opposites: &[Opposite]) -> Amount {
        let (ranks, queued) = queue_of(round.lots, opposites);
        let given =
            if self.defends(Defence::ProRata) { divide(round.lots, opposites) } else { queued.clone() };
        let at = round.at;
        let mut paid = Amount::ZERO;
        let gives: Vec<usize> = (0..given.len()).filter(|&place| given[place] > Qty::ZERO).collect();
        for (nth, &place) in gives.iter().enumerate() {
            if nth % RUN == 0 {
                let run = gives[nth..].iter().take(RUN).map(|&place| opposites[place].account);
                self.touch_accounts(&run.collect::<Vec<_>>());
            }
            let (account, taken) = (opposites[place].account, given[place]);
            if self.instruments[at].settling {
                self.settle_funding(step, at, account);
            }
            let value = round.value_of(taken);
            paid += value;
            let closed = self.close_at_value(step.sequence, at, account, value, taken);
            let (realised, left) =
                closed.map_or((Amount::ZERO, 0), |(closed, left, _)| (closed.realised, left));
            let at_mark = self.instruments[at].value_at_mark(taken);
            let lost = if round.long { value - at_mark } else { at_mark - value };
            let event = step.push(EventKind::Deleveraged);
            event.side = round.other_side().code();
            event.account = account.0;
            event.instrument = self.instruments[at].id.0;
            event.price = round.price.0;
            event.qty = taken.0;
            event.remaining = left;
            event.amount = wide(realised);
            event.counter_amount = wide(lost);
            event.set_receipt(&Receipt {
                queue_rank: ranks[place],
                candidates: opposites.len() as u32,
                bankrupts: round.positions,
                queue_lots: queued[place].0,
                closed_lots: round.lots.0,
            });
            self.liquidations.pending.insert(account);
        }
        paid
    }

    /// What rounding to ticks left of a bankrupt account goes to the fund; who has nothing left is out of liquidation.
    fn settle_bankrupt(&mut self, step: &mut Step, bankrupt: &BankruptAccount) {
        let account = bankrupt.account;
        let left = self.health(account).equity.clamp(Amount::ZERO, bankrupt.rounding);
        if left > Amount::ZERO {
            self.post_insurance(step, account, -left, Reason::InsuranceReceived);
            let event = step.push(EventKind::InsuranceReceived);
            event.account = account.0;
            event.amount = wide(left);
            event.counter_amount = wide(self.told_fund(self.fund_of(account)));
        }
        if self.liquidations.visits.next(account).is_some() && !self.is_liquidatable(account) {
            self.end_liquidation(step, account);
        }
        // It may have left before, paid by insurance, and owes since its position was closed.
        self.look_at_debt(account);
    }
}
