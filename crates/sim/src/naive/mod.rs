//! The naive engine: `docs/internals/rules.md` once more, slow and obvious, for ever.
//!
//! It is written from that page alone. Every order stands in one list in order of arrival, the best one is found
//! by looking at all of them, held money and headroom are summed anew each time they are asked for. The fast
//! engine must show the same events and the same state after every command.

mod admission;
mod amend;
mod auction;
mod charges;
mod client_ids;
mod closing;
mod conversion;
mod countdowns;
mod deleveraging;
mod deploy;
mod deployers;
mod emergencies;
mod events;
mod fees;
mod fill;
mod funding;
mod funds;
mod governance;
mod growth;
mod halt;
mod hash;
mod iceberg;
pub mod implied;
mod interest;
mod invariants;
mod isolated;
mod later;
mod leverage;
mod liquidation;
mod matching;
mod money;
mod oracle;
mod pending;
mod phases;
mod place;
mod prices;
#[cfg(test)]
mod proofs;
mod protection;
mod questions;
mod refusal;
mod resolution;
mod retry;
mod scenario;
mod simulated;
mod slices;
mod slippage;
mod state;
mod terms;
mod trigger_checks;
mod triggers;
mod venues;
mod voting;

use self::events::Cause;
use self::refusal::{Refusal, check, check_bytes, check_id, kind_of};
use self::state::World;
use crate::differential::AccountMargin;
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, EventFlags, EventKind, EventRecord, Flags, Reject, Tif,
};

/// Why a whole frame is refused; nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first sequence is not the last one plus one.
    SequenceGap {
        /// What it should have been.
        expected: u64,
        /// What it was.
        found: u64,
    },
    /// Time would run backwards.
    TimeBackwards {
        /// Time of the last frame.
        last_ns: u64,
        /// Time of this one.
        found_ns: u64,
    },
    /// A frame without commands.
    Empty,
    /// More commands than declared.
    TooLong {
        /// Commands in the frame.
        commands: usize,
        /// The declared limit.
        limit: usize,
    },
    /// The engine stopped after a failed check.
    Halted,
}

/// The naive engine.
#[derive(Clone, Debug, Default)]
pub struct NaiveEngine {
    world: World,
    last_sequence: u64,
    last_time_ns: u64,
}

impl NaiveEngine {
    /// An empty exchange with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a frame of fixed records. Events are appended.
    pub fn apply_records(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        let limit = self.world.limits.frame_commands_max as usize;
        if commands.is_empty() {
            return Err(FrameError::Empty);
        }
        if commands.len() > limit {
            return Err(FrameError::TooLong { commands: commands.len(), limit });
        }
        self.check_frame(first_sequence, time_ns)?;
        self.let_time_pass(first_sequence, time_ns, events);
        for at in self.execution_order(commands) {
            let command = &commands[at];
            let sequence = first_sequence + at as u64;
            self.execute(Cause { sequence, time_ns, client_id: command.client_id }, command, events);
        }
        self.last_sequence = first_sequence + commands.len() as u64 - 1;
        Ok(())
    }

    /// Applies a frame with one deployment.
    pub fn apply_deploy(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        self.check_frame(first_sequence, time_ns)?;
        self.let_time_pass(first_sequence, time_ns, events);
        let cause = Cause { sequence: first_sequence, time_ns, client_id: [0; 32] };
        if let Err(refusal) = self.world.deploy(&cause, body, events) {
            events.push(cause.rejected(&CommandRecord::default(), refusal));
        }
        self.world.fire_row(&cause, events);
        self.world.give_back(&cause, events);
        self.last_sequence = first_sequence;
        Ok(())
    }

    /// The state in its canonical bytes (section 11 of the rules).
    pub fn state_bytes(&self) -> Vec<u8> {
        self.world.state_bytes()
    }

    /// BLAKE3 of [`Self::state_bytes`].
    pub fn state_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.state_bytes()).as_bytes()
    }

    /// Checks what must hold after every command; the first thing that does not, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.world.check_invariants()
    }

    /// Lots left by id of resting order.
    pub fn resting_lots(&self) -> std::collections::BTreeMap<u64, i64> {
        self.world.orders.iter().map(|order| (order.id, order.remaining)).collect()
    }

    /// Shown lots by id of resting iceberg.
    pub fn shown_lots(&self) -> std::collections::BTreeMap<u64, i64> {
        let icebergs = self.world.orders.iter().filter(|order| order.display != 0);
        icebergs.map(|order| (order.id, order.shown)).collect()
    }

    /// Sides of questions with implied liquidity on which resting orders cross each other.
    pub fn implied_crosses(&self) -> Vec<implied::Cross> {
        self.world.implied_crosses()
    }

    /// Margin of every account; nothing before there is a settlement asset.
    pub fn margins(&self) -> Vec<AccountMargin> {
        let accounts = 1..=self.world.accounts.len() as u32;
        if self.world.assets.is_empty() {
            return accounts.map(|_| AccountMargin::default()).collect();
        }
        accounts.map(|account| self.world.margin(account)).collect()
    }

    fn check_frame(&self, first_sequence: u64, time_ns: u64) -> Result<(), FrameError> {
        let expected = self.last_sequence + 1;
        if first_sequence != expected {
            return Err(FrameError::SequenceGap { expected, found: first_sequence });
        }
        if time_ns < self.last_time_ns {
            return Err(FrameError::TimeBackwards { last_ns: self.last_time_ns, found_ns: time_ns });
        }
        Ok(())
    }

    /// Orders expire, countdowns run out, then client ids are forgotten.
    fn let_time_pass(&mut self, first_sequence: u64, time_ns: u64, events: &mut Vec<EventRecord>) {
        let before_ns = std::mem::replace(&mut self.last_time_ns, time_ns);
        self.world.time_ns = time_ns;
        let cause = Cause { sequence: first_sequence, time_ns, client_id: [0; 32] };
        let mut expired = self.world.take_out(|o| o.tif == Tif::Gtd && o.expires_ns <= time_ns);
        expired.sort_by_key(|o| (o.expires_ns, o.id));
        for order in expired {
            self.world.cancelled(&cause, &order, CancelReason::Expired, events);
        }
        self.world.run_out_credentials(&cause, events);
        self.world.run_out_countdowns(&cause, events);
        self.world.close_questions(&cause, events);
        self.world.close_trading(&cause, events);
        self.world.govern(&cause, before_ns, events);
        self.world.look_of_time(&cause, events);
        self.world.forget_empty_holdings();
        let first = events.len();
        self.world.give_back(&cause, events);
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
        self.world.forget_client_ids(time_ns);
    }

    /// The commands' places in the frame, in the order in which they execute.
    fn execution_order(&self, commands: &[CommandRecord]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..commands.len()).collect();
        if commands.iter().any(|command| self.addresses_maker_first(command)) {
            // A stable sort: each group keeps its order of arrival.
            order.sort_by_key(|&at| self.group(&commands[at]));
        }
        order
    }

    /// Only orders address an instrument's matching; a mass cancel of all instruments does not by itself.
    fn addresses_maker_first(&self, command: &CommandRecord) -> bool {
        let is_order = matches!(
            command.kind(),
            Some(
                CommandKind::Place
                    | CommandKind::PlaceBracket
                    | CommandKind::Amend
                    | CommandKind::Cancel
                    | CommandKind::MassCancel
            )
        );
        is_order && self.world.is_maker_first(self.instrument_of(command))
    }

    /// The instrument that a command addresses: a cancel or amend that names none, that of its resting order.
    fn instrument_of(&self, command: &CommandRecord) -> u32 {
        let by_order = matches!(command.kind(), Some(CommandKind::Cancel | CommandKind::Amend));
        match self.world.find_order(command) {
            Ok(at) if by_order && command.instrument == 0 => self.world.orders[at].instrument,
            _ => command.instrument,
        }
    }

    /// Execution group of section 1.
    fn group(&self, command: &CommandRecord) -> u8 {
        let makers_first = self.world.is_maker_first(self.instrument_of(command));
        let is_post_only = command.flags().has(Flags::POST_ONLY);
        match command.kind() {
            Some(CommandKind::Cancel) if makers_first => 1,
            Some(CommandKind::MassCancel) if makers_first || command.instrument == 0 => 1,
            Some(CommandKind::Place | CommandKind::PlaceBracket | CommandKind::Amend)
                if makers_first && is_post_only =>
            {
                2
            }
            Some(
                CommandKind::Place
                | CommandKind::PlaceBracket
                | CommandKind::Amend
                | CommandKind::Cancel
                | CommandKind::MassCancel,
            ) => 3,
            Some(CommandKind::Deploy) | None => 3,
            Some(_) => 0,
        }
    }

    fn execute(&mut self, cause: Cause, command: &CommandRecord, events: &mut Vec<EventRecord>) {
        if let Err(refusal) = self.admit_and_run(&cause, command, events) {
            events.push(cause.rejected(command, refusal));
        }
        self.world.fire_row(&cause, events);
        self.world.give_back(&cause, events);
    }

    fn admit_and_run(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let kind = kind_of(command)?;
        check_bytes(kind, command)?;
        if names_account(kind) {
            check_id(command.account, self.world.accounts.len(), Reject::UnknownAccount)?;
        }
        if !is_idempotent(kind) || !command.has_client_id() {
            return self.world.run(cause, kind, command, events);
        }
        let key = (command.account, command.client_id);
        if let Some(remembered) = self.world.remembered.get(&key) {
            let mut answer = remembered.answer;
            if let Some(offset) = retry::other_at(&answer, kind, command) {
                return check(false, Reject::ClientIdTaken, answer.sequence, offset);
            }
            answer.flags |= EventFlags::RETRY;
            events.push(answer);
            return Ok(());
        }
        let is_deposit = kind == CommandKind::Deposit;
        if !is_deposit {
            self.world.make_room_for_id(command.account, client_ids::is_of_money(kind), cause.time_ns)?;
        }
        let outcome_at = events.len();
        if let Err(refusal) = self.world.run(cause, kind, command, events) {
            events.push(cause.rejected(command, refusal));
        }
        let answer = events[outcome_at];
        if is_deposit && answer.kind() == Some(EventKind::Rejected) {
            return Ok(());
        }
        self.world.remember(key, kind, cause.time_ns, answer);
        Ok(())
    }
}

/// Whether commands of this kind act for the account they name, which must exist.
fn names_account(kind: CommandKind) -> bool {
    use CommandKind::{
        Amend, AmendTrigger, BuySlot, Cancel, CancelAllAfter, ChallengeResolution, Deposit, Emergency,
        MassCancel, MergeSet, Place, PlaceBracket, PlaceTrigger, SetCredentials, SetFeeCap, SetLeverage,
        SetMarginMode, SetProtection, SetReferrer, SplitSet, Stake, Transfer, Unstake, VoidQuestion, Vote,
        Withdraw,
    };
    matches!(
        kind,
        Place
            | PlaceTrigger
            | PlaceBracket
            | Amend
            | AmendTrigger
            | Cancel
            | MassCancel
            | CancelAllAfter
            | Deposit
            | Withdraw
            | Transfer
            | SplitSet
            | MergeSet
            | SetLeverage
            | SetCredentials
            | SetMarginMode
            | SetProtection
            | ChallengeResolution
            | VoidQuestion
            | Stake
            | Unstake
            | BuySlot
            | Vote
            | Emergency
            | SetFeeCap
            | SetReferrer
    )
}

/// Whether the first answer to a client id of this kind of command is remembered.
fn is_idempotent(kind: CommandKind) -> bool {
    use CommandKind::{Deposit, MergeSet, Place, PlaceBracket, PlaceTrigger, SplitSet, Transfer, Withdraw};
    matches!(kind, Place | PlaceTrigger | PlaceBracket | Deposit | Withdraw | Transfer | SplitSet | MergeSet)
}

impl World {
    /// Checks everything, then changes everything; an error has changed nothing.
    fn run(
        &mut self,
        cause: &Cause,
        kind: CommandKind,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        match kind {
            CommandKind::Place => self.place(cause, command, events),
            CommandKind::Amend => self.amend(cause, command, events),
            CommandKind::Cancel => self.cancel(cause, command, events),
            CommandKind::MassCancel => self.mass_cancel(cause, command, events),
            CommandKind::PlaceTrigger => self.place_trigger(cause, command, events),
            CommandKind::SetProtection => self.set_protection(cause, command, events),
            CommandKind::AmendTrigger => self.amend_trigger(cause, command, events),
            CommandKind::PlaceBracket => self.place_bracket(cause, command, events),
            CommandKind::CancelAllAfter => self.cancel_all_after(cause, command, events),
            CommandKind::OpenAccount => self.open_account(cause, command, events),
            CommandKind::Deposit => self.deposit(cause, command, events),
            CommandKind::Withdraw => self.withdraw(cause, command, events),
            CommandKind::Transfer => self.transfer(cause, command, events),
            CommandKind::SplitSet => self.split_set(cause, command, events),
            CommandKind::MergeSet => self.merge_set(cause, command, events),
            CommandKind::SetMarginMode => self.set_margin_mode(cause, command, events),
            CommandKind::SetLeverage => self.set_leverage(cause, command, events),
            CommandKind::SetCredentials => self.set_credentials(cause, command, events),
            CommandKind::SetMark | CommandKind::SetIndex => self.set_price(cause, kind, command, events),
            CommandKind::SetInstrumentState => self.set_state(cause, command, events),
            CommandKind::ResolveQuestion => self.resolve(cause, command, events),
            CommandKind::ChallengeResolution => self.challenge(cause, command, events),
            CommandKind::VoidQuestion => self.vote_void(cause, command, events),
            CommandKind::PublishPrice => self.publish(cause, command, events),
            CommandKind::CollectFees => self.collect_fees(cause, command, events),
            CommandKind::SetFeeCap => self.set_fee_cap(cause, command, events),
            CommandKind::SetReferrer => self.set_referrer(cause, command, events),
            CommandKind::WithdrawChange => self.withdraw_change(cause, command, events),
            CommandKind::Delist => self.delist(cause, command, events),
            CommandKind::Stake => self.stake(cause, command, events),
            CommandKind::Unstake => self.unstake(cause, command, events),
            CommandKind::BuySlot => self.buy_slot(cause, command, events),
            CommandKind::Vote => self.cast_vote(cause, command, events),
            CommandKind::Emergency => self.set_emergency(cause, command, events),
            CommandKind::StartAuction => self.start_auction(cause, command, events),
            CommandKind::Restart => {
                self.restart(cause, events);
                Ok(())
            }
            CommandKind::Tick | CommandKind::Deploy => {
                events.push(cause.event(EventKind::Ticked));
                self.age_prices(cause, events);
                self.end_halts(cause, events);
                self.run_funding(cause, events);
                self.charge_interest(cause, events);
                self.end_stages(cause, events);
                self.go_on_settling(cause, events);
                self.go_on_closing(cause, events);
                self.end_auctions(cause, events);
                self.look(cause, events);
                Ok(())
            }
        }
    }
}
