//! Auctions: begun for a moment, most often, so that they end. Trading phases, given to what is deployed just before it
//! is, as their times have to be near.

use super::{Chaos, Known};
use crate::workload::{Body, Frame, command};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, Deployable, InstrumentTerms, Phases, Side};

const SECOND_NS: u64 = 1_000_000_000;

impl Chaos {
    /// A delisting, those with positions who want to be out at one price, its time, and ticks.
    fn plan_last_auction(&mut self) {
        let number = self.rng.bits();
        let aimed = self.live.nth_position(number).filter(|(_, id, _)| self.known(*id).question == 0);
        let Some((_, instrument, _)) = aimed else { return };
        let Known { price_max, qty_max, .. } = self.known(instrument);
        let mark = self.live.marks.get(&instrument).copied().unwrap_or(1 + price_max / 2);
        let price = (mark + self.rng.between(-1, 1)).clamp(1, price_max);
        let here = self.live.positions.iter().filter(|((_, id), lots)| *id == instrument && **lots != 0);
        let holders: Vec<(u32, i64)> = here.map(|((account, _), lots)| (*account, *lots)).collect();
        let delist = CommandRecord { instrument, qty: 1, ..command(CommandKind::Delist) };
        let state = CommandRecord { instrument, ..command(CommandKind::SetInstrumentState) };
        let mut script = vec![(0, vec![state, delist]), (1 + self.rng.below(SECOND_NS), Vec::new())];
        for (account, lots) in holders {
            let side = if lots > 0 { Side::Sell } else { Side::Buy };
            let qty = if self.rng.one_in(6) { lots.abs() / 2 } else { lots.abs() };
            let order =
                CommandRecord { account, instrument, side: side.code(), price, ..CommandRecord::default() };
            let flags = xos_protocol::Flags::REDUCE_ONLY;
            let kind = CommandKind::Place.code();
            script.push((0, vec![CommandRecord { kind, flags, qty: qty.clamp(1, qty_max), ..order }]));
        }
        script.extend((0..1 + self.rng.below(4)).map(|at| (SECOND_NS / (1 + at), Vec::new())));
        let mut time_ns = self.time_ns;
        for (wait_ns, mut commands) in script {
            time_ns += wait_ns;
            if commands.is_empty() {
                commands.push(command(CommandKind::Tick));
            }
            self.set_up.push_back(Frame::commands(time_ns, commands));
        }
    }

    /// A frame as it was planned, or with phases where it deploys an instrument or a question.
    pub(super) fn with_phases(&mut self, mut frame: Frame) -> Frame {
        let Body::Deploy(body) = &mut frame.body else { return frame };
        let Ok(mut command) = DeployCommand::from_bytes(body) else { return frame };
        let (terms, reopens) = match &mut command {
            DeployCommand::Instrument(spec) => {
                let reopens = spec.halt.is_some() || spec.oracle.is_some();
                (&mut spec.terms, reopens)
            }
            DeployCommand::Question(spec) => (&mut spec.terms, false),
            DeployCommand::DeployAs(asked) => match &mut asked.market {
                Deployable::Instrument(spec) => {
                    let reopens = spec.halt.is_some() || spec.oracle.is_some();
                    (&mut spec.terms, reopens)
                }
                Deployable::Question(spec) => (&mut spec.terms, false),
                Deployable::Venue(_) => return frame,
            },
            _ => return frame,
        };
        if !self.rng.percent(25) && !reopens {
            return frame;
        }
        self.draw_phases(frame.time_ns, terms, reopens);
        *body = command.to_bytes();
        frame
    }

    fn draw_phases(&mut self, now_ns: u64, terms: &mut InstrumentTerms, reopens: bool) {
        let rng = &mut self.rng;
        let mut phases = Phases::default();
        if rng.one_in(3) {
            phases.pre_open_until_ns = now_ns + 1 + rng.below(2 * SECOND_NS);
        }
        if rng.one_in(10) {
            phases.close_ns = now_ns + 1 + rng.below(200 * SECOND_NS);
            phases.close_ns = phases.close_ns.max(phases.pre_open_until_ns + 1);
        }
        if reopens && rng.percent(60) {
            phases.reopen_auction_s = *rng.pick(&[1, 1, 1, 2, 30]);
        }
        match rng.below(40) {
            0 => phases.pre_open_until_ns = now_ns,
            1 => phases.close_ns = *rng.pick(&[1, now_ns, phases.pre_open_until_ns]),
            2 => phases.reopen_auction_s = *rng.pick(&[1, 86_400, 86_401]),
            _ => {}
        }
        terms.phases = phases;
    }

    pub(super) fn draw_auction(&mut self) -> CommandRecord {
        if self.set_up.is_empty() && self.rng.one_in(2) {
            self.plan_last_auction();
        }
        let instrument = if self.rng.one_in(30) { 99 } else { self.instrument() };
        let ahead_ns = match self.rng.below(12) {
            0 => 0,
            1 => 60_000_000_000,
            2..6 => 1 + self.rng.below(10_000_000_000),
            _ => 1 + self.rng.below(1_000_000_000),
        };
        let expires_ns = self.time_ns + ahead_ns;
        CommandRecord { instrument, expires_ns, ..command(CommandKind::StartAuction) }
    }
}
