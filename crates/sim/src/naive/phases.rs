//! Section 28: trading phases.

use super::deploy::bound;
use super::events::Cause;
use super::refusal::Refusal;
use super::state::World;

use xos_protocol::{
    Auction, Change, EventFlags, EventKind, EventRecord, InstrumentState, Int128, MarketKind, PendingChange,
    Phases,
};

const SECOND_NS: u64 = 1_000_000_000;

/// Field 173.
pub(super) fn check_173(phases: Phases, may_be_held_back: bool) -> Result<(), Refusal> {
    let seconds = phases.reopen_auction_s;
    bound(173, seconds, seconds == 0 || seconds <= 86_400 && may_be_held_back)
}

/// Fields 171 and 172.
pub(super) fn check_171(now_ns: u64, phases: Phases, resolvers_ns: Option<u64>) -> Result<(), Refusal> {
    let (open_ns, close_ns) = (phases.pre_open_until_ns, phases.close_ns);
    let opens_before = resolvers_ns.is_none_or(|last_ns| open_ns < last_ns);
    bound(171, open_ns, open_ns == 0 || open_ns > now_ns && opens_before)?;
    let closes_by = resolvers_ns.is_none_or(|last_ns| close_ns <= last_ns);
    bound(172, close_ns, close_ns == 0 || close_ns > now_ns && close_ns > open_ns && closes_by)
}

impl World {
    pub(super) fn is_in_auction(&self, id: u32) -> bool {
        self.governance.auctions.iter().any(|auction| auction.instrument == id)
    }

    /// A delisting, and not of a question.
    pub(super) fn is_of_instrument(&self, pending: &PendingChange) -> bool {
        matches!(pending.change, Change::Delisting(_)) && pending.kind == MarketKind::Instrument
    }

    /// Section 30.3: the start of a frame.
    pub(super) fn run_last_auctions(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        use InstrumentState::{Auction, CancelOnly, Continuous, Halted, PostOnly, ReduceOnly, Settled};
        let first = events.len();
        let length_ns = u64::from(self.limits.delisting_auction_s) * SECOND_NS;
        for pending in self.governance.changes.clone() {
            if !self.is_of_instrument(&pending) {
                continue;
            }
            let (id, ends_ns) = (pending.target, pending.effective_ns);
            let accepts = self.instrument(id).accepts();
            if cause.time_ns < ends_ns {
                let is_near = cause.time_ns.saturating_add(length_ns) >= ends_ns;
                let takes = [Continuous, PostOnly, ReduceOnly].contains(&accepts);
                if is_near && takes && !self.is_in_auction(id) {
                    self.begin_auction(cause, id, ends_ns, events);
                }
            } else if self.is_in_auction(id) && accepts == Auction {
                self.price_auction(cause, id, events);
            } else if self.is_in_auction(id) && [CancelOnly, Halted, Settled].contains(&accepts) {
                self.close_auction(cause, id, events);
            }
        }
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
    }

    /// An auction at this price is over.
    pub(super) fn agree(&mut self, now_ns: u64, id: u32, price: i64, filled: i64) {
        let longs: i128 =
            (1..=self.accounts.len() as u32).map(|a| i128::from(self.holding(a, id).position.max(0))).sum();
        let instrument = self.instrument(id);
        let names_it = instrument.is_perpetual() && instrument.oracle.is_none();
        if !names_it || price == 0 || filled == 0 || i128::from(filled) < longs {
            return;
        }
        for at in 0..self.governance.changes.len() {
            let pending = self.governance.changes[at].clone();
            if pending.target == id
                && pending.effective_ns <= now_ns
                && self.is_of_instrument(&pending)
                && let Change::Delisting(measured) = &mut self.governance.changes[at].change
            {
                measured.agreed = Some(price);
            }
        }
    }

    pub(super) fn agreed_price(&self, id: u32, agreed: Option<i64>, average: i64) -> i64 {
        let band = i128::from(self.instrument(id).terms.band_ppm);
        let width = (i128::from(average) * band / 1_000_000) as i64;
        match agreed {
            Some(price) if band > 0 => price.max(average - width).min(average + width),
            Some(price) => price,
            None => average,
        }
    }

    /// A market's phases, whether it is settled, and its instruments.
    fn phased(&self, kind: MarketKind, number: u32) -> (Phases, bool, Vec<u32>) {
        if kind == MarketKind::Question {
            let question = self.question(number);
            let first = question.first_instrument;
            let instruments = (first..first + question.spec.outcomes_most() as u32).collect();
            return (question.spec.terms.phases, question.is_decided(), instruments);
        }
        (self.instrument(number).terms.phases, self.is_closed(number), vec![number])
    }

    pub(super) fn begin_pre_open(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let ends_ns = self.instrument(id).terms.phases.pre_open_until_ns;
        if ends_ns > cause.time_ns {
            self.begin_auction(cause, id, ends_ns, events);
        }
    }

    pub(super) fn begin_auction(
        &mut self,
        cause: &Cause,
        id: u32,
        ends_ns: u64,
        events: &mut Vec<EventRecord>,
    ) {
        self.governance.auctions.retain(|auction| auction.instrument != id);
        self.governance.auctions.push(Auction { instrument: id, ends_ns, price: None, filled_lots: 0 });
        self.governance.auctions.sort_by_key(|auction| auction.instrument);
        self.instrument_mut(id).auction = InstrumentState::Auction;
        events.push(EventRecord {
            instrument: id,
            counter_amount: Int128::new(ends_ns.into()),
            ..cause.event(EventKind::AuctionStarted)
        });
    }

    pub(super) fn reopen(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let instrument = self.instrument(id);
        let seconds = instrument.terms.phases.reopen_auction_s;
        if seconds == 0 || instrument.is_over || self.is_closed(id) {
            return;
        }
        let ends_ns = cause.time_ns.saturating_add(u64::from(seconds) * SECOND_NS);
        let stays = self.governance.auctions.iter().any(|auction| {
            auction.instrument == id && (auction.price.is_some() || auction.ends_ns >= ends_ns)
        });
        if !stays {
            self.begin_auction(cause, id, ends_ns, events);
        }
    }

    /// The start of a frame.
    pub(super) fn close_trading(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let own = (1..=self.instruments.len() as u32).filter(|id| self.question_of(*id) == 0);
        let markets = own.map(|id| (MarketKind::Instrument, id));
        let questions = (1..=self.questions.len() as u32).map(|id| (MarketKind::Question, id));
        let mut due: Vec<_> = markets
            .chain(questions)
            .map(|(kind, number)| (self.phased(kind, number).0.close_ns, kind.code(), number, kind))
            .filter(|(close_ns, ..)| *close_ns != 0 && *close_ns <= cause.time_ns)
            .collect();
        due.sort_by_key(|(close_ns, code, number, _)| (*close_ns, *code, *number));
        let first = events.len();
        for (close_ns, code, number, kind) in due {
            let (_, is_settled, instruments) = self.phased(kind, number);
            if is_settled || self.instrument(instruments[0]).is_over {
                continue;
            }
            events.push(EventRecord {
                side: code,
                instrument: number,
                counter_amount: Int128::new(close_ns.into()),
                ..cause.event(EventKind::TradingClosed)
            });
            for id in instruments {
                self.instrument_mut(id).is_over = true;
                if self.governance.auctions.iter().any(|auction| auction.instrument == id) {
                    self.close_auction(cause, id, events);
                }
            }
        }
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
    }
}
