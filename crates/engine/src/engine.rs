//! The engine: its state, frames in, events out.

use crate::account::{Account, StandKey};
use crate::admission::{Admission, Profiles};
use crate::client_ids::{ClientIds, IdsOf};
use crate::collateral::Collateral;
use crate::countdowns::Countdowns;
use crate::defence::Switches;
use crate::frame::{FrameError, FrameHeader, Violation};
use crate::governance::Governance;
use crate::instrument::Instrument;
use crate::liquidation::{DEBT_UNBOUNDED, Liquidations};
use crate::lookup::Lookup;
use crate::orders::Iceberg;
use crate::protection::Protection;
use crate::questions::Question;
use crate::scenario::Scenarios;
use crate::step::{Refused, Step, emit_rejected};
use crate::touch::RUN;
use crate::triggers::Triggers;
use std::collections::{BTreeMap, BTreeSet};
use xos_book::OrderPool;
use xos_ledger::Ledger;
use xos_protocol::{
    AssetSpec, ClientId, CommandKind, CommandRecord, EventFlags, EventRecord, Limits, PublisherSpec, Reject,
    VenueSpec,
};
use xos_units::{AccountId, Amount, InstrumentId, OrderId, QuestionId};

/// The whole exchange. A value of this type is a function of the frames it was given.
pub struct Engine {
    pub(crate) limits: Limits,
    pub(crate) sequence: u64,
    pub(crate) time_ns: u64,
    pub(crate) ledger: Ledger,
    pub(crate) pool: OrderPool,
    pub(crate) assets: Vec<AssetSpec>,
    /// Most that an account may owe in the settlement asset.
    pub(crate) debt_max: Amount,
    pub(crate) interest: crate::interest::Interest,
    /// Whether that is a limit at all.
    pub(crate) limits_debt: bool,
    /// By asset; empty as long as none is collateral.
    pub(crate) collaterals: Vec<Option<Box<Collateral>>>,
    pub(crate) venues: Vec<VenueSpec>,
    pub(crate) publishers: Vec<PublisherSpec>,
    pub(crate) admission: Admission,
    pub(crate) profiles: Profiles,
    pub(crate) scenarios: Scenarios,
    /// Whether some instrument has an oracle, or funding.
    pub(crate) has_oracles: bool,
    pub(crate) has_funding: bool,
    /// Whether an instrument has a volatility halt.
    pub(crate) has_halts: bool,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) questions: Vec<Question>,
    /// Those with work left for the turns of ticks: closed with orders in the book, or being settled.
    pub(crate) unsettled: BTreeSet<QuestionId>,
    /// When those that trade close, and when the later stages of a resolution end.
    pub(crate) closings: BTreeSet<(u64, QuestionId)>,
    pub(crate) deadlines: BTreeSet<(u64, QuestionId)>,
    pub(crate) accounts: Vec<Account>,
    /// From an owner's bytes to its number.
    pub(crate) owners: Lookup,
    pub(crate) owner_ids: Vec<ClientId>,
    pub(crate) client_ids: ClientIds,
    pub(crate) expiries: BTreeSet<(u64, u64)>,
    pub(crate) countdowns: Countdowns,
    pub(crate) triggers: Triggers,
    /// What icebergs in the books hide.
    pub(crate) icebergs: BTreeMap<OrderId, Iceberg>,
    pub(crate) protections: BTreeMap<(InstrumentId, AccountId), Protection>,
    /// Protections that the present match breached.
    pub(crate) breached: Vec<(AccountId, InstrumentId)>,
    /// Room for the legs of a step of implied liquidity.
    pub(crate) legs: Vec<crate::orders::Leg>,
    /// Orders have to fire, or to leave, at the end of the command.
    pub(crate) triggers_due: bool,
    pub(crate) liquidations: Liquidations,
    pub(crate) governance: Governance,
    /// Some venue has tiers, or some account a cap.
    pub(crate) charges_apart: bool,
    pub(crate) last_trade_id: u64,
    pub(crate) maker_first_instruments: usize,
    /// By parent and perpetual.
    pub(crate) isolated: BTreeMap<(AccountId, InstrumentId), AccountId>,
    /// Isolated accounts that may have nothing left to do with their money.
    pub(crate) idle: Vec<AccountId>,
    /// Stands that may have become empty during the command.
    pub(crate) emptied: Vec<(AccountId, StandKey)>,
    pub(crate) violation: Option<Violation>,
    /// Set while a frame executes: found set, the last frame did not end.
    pub(crate) busy: bool,
    pub(crate) frame_order: Vec<u32>,
    pub(crate) switches: Switches,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An exchange before its first command.
    pub fn new() -> Self {
        let mut ledger = Ledger::default();
        ledger.add_venue();
        Self {
            limits: Limits::default(),
            sequence: 0,
            time_ns: 0,
            ledger,
            pool: OrderPool::default(),
            assets: Vec::new(),
            debt_max: DEBT_UNBOUNDED,
            interest: crate::interest::Interest::default(),
            limits_debt: false,
            collaterals: Vec::new(),
            venues: Vec::new(),
            publishers: Vec::new(),
            admission: Admission::default(),
            profiles: Profiles::default(),
            scenarios: Scenarios::default(),
            has_oracles: false,
            has_funding: false,
            has_halts: false,
            instruments: Vec::new(),
            questions: Vec::new(),
            unsettled: BTreeSet::new(),
            closings: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            accounts: Vec::new(),
            owners: Lookup::default(),
            owner_ids: Vec::new(),
            client_ids: ClientIds::default(),
            expiries: BTreeSet::new(),
            countdowns: Countdowns::default(),
            triggers: Triggers::default(),
            icebergs: BTreeMap::new(),
            protections: BTreeMap::new(),
            breached: Vec::new(),
            legs: Vec::new(),
            triggers_due: false,
            liquidations: Liquidations::default(),
            governance: Governance::default(),
            charges_apart: false,
            last_trade_id: 0,
            maker_first_instruments: 0,
            isolated: BTreeMap::new(),
            idle: Vec::new(),
            emptied: Vec::new(),
            violation: None,
            busy: false,
            frame_order: Vec::new(),
            switches: Switches::default(),
        }
    }

    /// Executes a frame of command records and appends their events.
    pub fn apply_records(
        &mut self,
        header: FrameHeader,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        self.begin(header, commands.len(), events)?;
        match self.order_of(commands) {
            None => {
                let ahead = commands.len() > 1 && self.is_large();
                let mut sequence = header.first_sequence;
                for run in commands.chunks(RUN) {
                    if ahead {
                        self.touch(sequence, run);
                    }
                    for command in run {
                        self.execute(sequence, command, events);
                        sequence += 1;
                    }
                }
            }
            Some(order) => {
                for &at in &order {
                    self.execute(header.first_sequence + u64::from(at), &commands[at as usize], events);
                }
                self.frame_order = order;
            }
        }
        self.end(header.first_sequence + commands.len() as u64 - 1)
    }

    /// Executes a frame that carries one deployment and appends its events.
    pub fn apply_deploy(
        &mut self,
        header: FrameHeader,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        self.begin(header, 1, events)?;
        let mut step =
            Step { sequence: header.first_sequence, time_ns: header.time_ns, client_id: &[0; 32], events };
        if let Err(refused) = self.deploy(&mut step, body) {
            let command = CommandRecord { kind: CommandKind::Deploy.code(), ..Default::default() };
            emit_rejected(&mut step, &command, refused);
        }
        self.end_command(&mut step);
        self.end(header.first_sequence)
    }

    fn begin(
        &mut self,
        header: FrameHeader,
        count: usize,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        if let Some(violation) = &self.violation {
            return Err(FrameError::Halted(violation.clone()));
        }
        if self.busy {
            self.halt(0, self.sequence + 1, "the last frame did not end: its execution panicked".into());
            return self.end(self.sequence);
        }
        let limit = self.limits.frame_commands_max as usize;
        if count == 0 || count > limit {
            return Err(FrameError::FrameSize { commands: count, limit });
        }
        if header.first_sequence != self.sequence + 1 {
            let expected = self.sequence + 1;
            return Err(FrameError::SequenceGap { first_sequence: header.first_sequence, expected });
        }
        if header.time_ns < self.time_ns {
            return Err(FrameError::TimeBackwards { time_ns: header.time_ns, last_ns: self.time_ns });
        }
        self.busy = true;
        let before_ns = std::mem::replace(&mut self.time_ns, header.time_ns);
        let mut step =
            Step { sequence: header.first_sequence, time_ns: header.time_ns, client_id: &[0; 32], events };
        self.expire_orders(&mut step);
        self.expire_credentials(&mut step);
        self.fire_countdowns(&mut step);
        if !self.closings.is_empty() {
            self.close_questions(&mut step);
        }
        if self.governance.is_due(header.time_ns) {
            self.govern(&mut step, before_ns);
        }
        self.look_at_pending_of_time(&mut step);
        if !self.idle.is_empty() {
            self.give_back(&mut step, EventFlags::OF_TIME);
        }
        self.forget_client_ids();
        Ok(())
    }

    fn end(&mut self, last_sequence: u64) -> Result<(), FrameError> {
        self.busy = false;
        match &self.violation {
            Some(violation) => Err(FrameError::Halted(violation.clone())),
            None => {
                self.sequence = last_sequence;
                Ok(())
            }
        }
    }

    /// Records a failed invariant; the frame ends with it and nothing runs after.
    #[cold]
    pub(crate) fn halt(&mut self, invariant: u8, sequence: u64, detail: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, sequence, detail });
        }
    }

    #[inline(always)]
    fn execute(&mut self, sequence: u64, command: &CommandRecord, events: &mut Vec<EventRecord>) {
        if self.violation.is_some() {
            return;
        }
        let mut step = Step { sequence, time_ns: self.time_ns, client_id: &command.client_id, events };
        if let Err(refused) = self.dispatch(&mut step, command) {
            emit_rejected(&mut step, command, refused);
        }
        self.end_command(&mut step);
    }

    /// What happens at the end of every command.
    #[inline(always)]
    fn end_command(&mut self, step: &mut Step) {
        if !self.emptied.is_empty() {
            self.forget_empty_stands();
        }
        if self.triggers_due {
            step.client_id = &[0; 32];
            self.fire_due(step);
        }
        if !self.idle.is_empty() {
            self.give_back(step, 0);
        }
    }

    #[inline(always)]
    fn dispatch(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        match command.kind() {
            Some(CommandKind::Place) => self.place(step, command),
            Some(CommandKind::Cancel) => self.cancel(step, command),
            Some(CommandKind::Amend) => self.amend(step, command),
            Some(CommandKind::MassCancel) => self.mass_cancel(step, command),
            Some(kind) if kind != CommandKind::Deploy => self.dispatch_rare(step, command, kind),
            _ => crate::step::refused(Reject::UnknownCommand, command.kind, 0),
        }
    }

    fn dispatch_rare(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        kind: CommandKind,
    ) -> Result<(), Refused> {
        crate::shape::check(command, kind)?;
        match kind {
            CommandKind::OpenAccount => self.open_account(step, command),
            CommandKind::Deposit
            | CommandKind::Withdraw
            | CommandKind::Transfer
            | CommandKind::SplitSet
            | CommandKind::MergeSet => {
                self.known_account(command)?;
                let keep = (kind != CommandKind::Deposit).then_some(IdsOf::Money);
                self.once(step, command, keep, |engine, step| match kind {
                    CommandKind::Deposit => engine.deposit(step, command),
                    CommandKind::Withdraw => engine.withdraw(step, command),
                    CommandKind::Transfer => engine.transfer(step, command),
                    CommandKind::SplitSet => engine.split_set(step, command),
                    _ => engine.merge_set(step, command),
                })
            }
            CommandKind::SetLeverage => self.set_leverage(step, command),
            CommandKind::SetCredentials => self.set_credentials(step, command),
            CommandKind::SetMarginMode => self.set_margin_mode(step, command),
            CommandKind::Tick => {
                self.tick(step);
                Ok(())
            }
            CommandKind::PlaceTrigger => self.place_trigger(step, command),
            CommandKind::SetProtection => self.set_protection(step, command),
            CommandKind::AmendTrigger => self.amend_trigger(step, command),
            CommandKind::PlaceBracket => self.place_bracket(step, command),
            CommandKind::CancelAllAfter => self.cancel_all_after(step, command),
            CommandKind::SetMark | CommandKind::SetIndex => {
                self.set_price(step, command, kind)?;
                self.look_at_pending(step);
                Ok(())
            }
            CommandKind::PublishPrice => {
                self.publish_price(step, command)?;
                self.look_at_pending(step);
                Ok(())
            }
            CommandKind::Restart => {
                self.restart(step);
                Ok(())
            }
            CommandKind::SetInstrumentState => self.set_instrument_state(step, command),
            CommandKind::ChallengeResolution => self.challenge_resolution(step, command),
            CommandKind::VoidQuestion => self.void_question(step, command),
            CommandKind::CollectFees => self.collect_fees(step, command),
            CommandKind::SetFeeCap => self.set_fee_cap(step, command),
            CommandKind::SetReferrer => self.set_referrer(step, command),
            CommandKind::WithdrawChange => self.withdraw_change(step, command),
            CommandKind::Delist => self.delist(step, command),
            CommandKind::Stake => self.stake(step, command),
            CommandKind::Unstake => self.unstake(step, command),
            CommandKind::BuySlot => self.buy_slot(step, command),
            CommandKind::Vote => self.cast_vote(step, command),
            CommandKind::Emergency => self.set_emergency(step, command),
            CommandKind::StartAuction => self.start_auction(step, command),
            _ => self.resolve_question(step, command),
        }
    }

    #[inline(always)]
    pub(crate) fn known_account(&self, command: &CommandRecord) -> Result<AccountId, Refused> {
        let account = command.account();
        if account.index() < self.accounts.len() {
            Ok(account)
        } else {
            crate::step::refused(Reject::UnknownAccount, command.account, self.accounts.len() as i128)
        }
    }

    pub(crate) fn forget_empty_stands(&mut self) {
        while let Some((account, key)) = self.emptied.pop() {
            self.accounts[account.index()].forget_if_empty(key);
            if self.accounts[account.index()].isolated.is_some() {
                self.idle.push(account);
            }
            if let Some(question) = self.instruments[key.instrument().index()].question() {
                self.refresh_worst_case(account, question);
            }
        }
    }

    /// Turns a broken ledger into a halt.
    #[inline(always)]
    pub(crate) fn money(&mut self, sequence: u64, result: Result<(), xos_ledger::LedgerError>) {
        if let Err(error) = result {
            self.halt(1, sequence, error.to_string());
        }
    }
}
