//! Trading phases: a pre-open auction from the deployment on, auctions with which what was held back reopens, the close.

use super::push_started;
use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::{Step, wide};
use xos_protocol::{EventFlags, EventKind, InstrumentState, MarketKind};
use xos_units::{Amount, InstrumentId, QuestionId};

impl Engine {
    /// A market was deployed: auctions of its instruments begin, and its close is noted.
    pub(crate) fn begin_phases(&mut self, step: &mut Step, kind: MarketKind, number: u32) {
        let (instruments, close_ns) = match kind {
            MarketKind::Question => {
                let question = &self.questions[QuestionId(number).index()];
                (question.instruments().collect(), question.spec.terms.phases.close_ns)
            }
            _ => {
                let id = InstrumentId(number);
                (vec![id], self.instruments[id.index()].phases.close_ns)
            }
        };
        for id in instruments {
            self.begin_pre_open(step, id);
        }
        self.note_close(close_ns, kind, number);
    }

    /// It collects orders for its first auction, if it has one and that is still to come.
    pub(crate) fn begin_pre_open(&mut self, step: &mut Step, id: InstrumentId) {
        let until_ns = self.instruments[id.index()].phases.pre_open_until_ns;
        if until_ns > step.time_ns {
            self.begin_auction(step, id, until_ns);
        }
    }

    fn note_close(&mut self, close_ns: u64, kind: MarketKind, number: u32) {
        if close_ns != 0 {
            self.governance.closes.insert((close_ns, kind, number));
            self.governance.refresh();
        }
    }

    /// An instrument that was held back collects orders for an auction, if its terms say so.
    pub(crate) fn reopen_by_auction(&mut self, step: &mut Step, at: usize) {
        let instrument = &self.instruments[at];
        let (id, seconds) = (instrument.id, instrument.phases.reopen_auction_s);
        if seconds == 0 || instrument.is_over || instrument.state == InstrumentState::Settled {
            return;
        }
        let ends_ns = step.time_ns.saturating_add(u64::from(seconds) * NS_PER_S);
        match self.auction_mut(id) {
            None => self.begin_auction(step, id, ends_ns),
            Some(auction) if auction.price.is_none() && auction.ends_ns < ends_ns => {
                auction.ends_ns = ends_ns;
                push_started(step, id, ends_ns);
            }
            Some(_) => {}
        }
    }

    /// The start of a frame: markets whose time is over accept cancels only, and their auctions end.
    pub(crate) fn close_trading(&mut self, step: &mut Step) {
        while let Some(&(close_ns, kind, number)) = self.governance.closes.first()
            && close_ns <= step.time_ns
        {
            self.governance.closes.remove(&(close_ns, kind, number));
            self.governance.refresh();
            let instruments = self.instruments_of(kind, number);
            let is_settled =
                |id: &InstrumentId| self.instruments[id.index()].state == InstrumentState::Settled;
            if instruments.first().is_none_or(is_settled) {
                continue;
            }
            let first = step.events.len();
            let event = step.push(EventKind::TradingClosed);
            event.side = kind.code();
            event.instrument = number;
            event.counter_amount = wide(Amount(close_ns.into()));
            for id in instruments {
                self.instruments[id.index()].end();
                self.close_auction(step, id);
            }
            step.events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
        }
    }

    /// An instrument, or all of a question, reserved ones too.
    fn instruments_of(&self, kind: MarketKind, number: u32) -> Vec<InstrumentId> {
        match kind {
            MarketKind::Question => self.questions[QuestionId(number).index()].all_instruments().collect(),
            _ => vec![InstrumentId(number)],
        }
    }

    /// After a restore: what is to close, and what has closed.
    pub(crate) fn restore_phases(&mut self) {
        let of_questions = self
            .questions
            .iter()
            .map(|question| question.spec.terms.phases)
            .zip(1..)
            .map(|(phases, number)| (phases.close_ns, MarketKind::Question, number));
        let own = self.instruments.iter().filter(|instrument| instrument.question().is_none());
        let own = own.map(|one| (one.phases.close_ns, MarketKind::Instrument, one.id.0));
        let closes: Vec<_> = of_questions.chain(own).filter(|(close_ns, ..)| *close_ns != 0).collect();
        for (close_ns, kind, number) in closes {
            if close_ns > self.time_ns {
                self.note_close(close_ns, kind, number);
                continue;
            }
            for id in self.instruments_of(kind, number) {
                self.instruments[id.index()].end();
            }
        }
    }
}
