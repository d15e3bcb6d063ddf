//! Section 10: deployments, and the bounds of their fields.

use super::events::Cause;
use super::funding::Funding;
use super::halt::Halt;
use super::oracle::Oracle;
use super::refusal::{Refusal, check, refuse};
use super::resolution::Resolution;
use super::state::{Instrument, Kind, Question, SETTLEMENT, World};
use super::terms::{check_funding, check_margin};
use xos_protocol::{
    AssetSpec, DeployCommand, EventKind, EventRecord, Fees, InstrumentSpec, InstrumentState, InstrumentTerms,
    OracleSpec, Product, PublisherSpec, QuestionSpec, Reject, UnderlyingSpec, VenueSpec,
};
use xos_units::{AMOUNT_ATOMS_BOUND, PRICE_TICKS_BOUND, QTY_LOTS_BOUND};

impl World {
    pub(super) fn deploy(
        &mut self,
        cause: &Cause,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let Ok(command) = DeployCommand::from_bytes(body) else {
            return refuse(Reject::MalformedDeployment, 0, 0);
        };
        if let DeployCommand::Genesis(limits) = command {
            check(cause.sequence == 1, Reject::NotGenesis, cause.sequence, 1)?;
            let orders = limits.orders_per_account_max;
            bound(22, orders, orders <= 1 << 22)?;
            let fired = limits.triggers_fired_per_command_max;
            bound(91, fired, fired >= 1)?;
            let payouts = limits.payouts_per_command_max;
            bound(169, payouts, payouts >= 1)?;
            let profiles = limits.profiles_max;
            bound(135, profiles, (1..=63).contains(&profiles))?;
            let delay_s = limits.change_delay_s_min;
            bound(181, delay_s, delay_s <= 31_536_000)?;
            let (window_s, auction_s) = (limits.delisting_window_s, limits.delisting_auction_s);
            bound(189, window_s, (1..=86_400).contains(&window_s))?;
            bound(174, auction_s, auction_s <= 86_400)?;
            self.limits = limits;
            events.push(cause.event(EventKind::Ticked));
            return Ok(());
        }
        let needs_asset = !matches!(command, DeployCommand::Asset(_));
        check(!needs_asset || !self.assets.is_empty(), Reject::SettlementAssetMissing, 0, 0)?;
        match command {
            DeployCommand::Genesis(_) => unreachable!("answered above"),
            DeployCommand::Asset(spec) => self.deploy_asset(cause, spec, events),
            DeployCommand::Venue(spec) => self.deploy_venue(cause, spec, events),
            DeployCommand::Instrument(spec) => {
                if self.is_operator_bound() {
                    self.check_isolated_start(0, &spec, true)?;
                }
                self.deploy_instrument(cause, spec, events)
            }
            DeployCommand::Publisher(spec) => self.deploy_publisher(cause, spec, events),
            DeployCommand::Class(spec) => self.deploy_class(cause, spec, events),
            DeployCommand::Underlying(spec) => {
                check(!self.is_operator_bound(), Reject::NeedsVote, 0, 0)?;
                self.deploy_underlying(cause, spec, events)
            }
            DeployCommand::Question(spec) => {
                let is_linked = spec.link.is_some() && self.is_operator_bound();
                check(!is_linked, Reject::NotForDeployers, 0, 188)?;
                self.deploy_question(cause, spec, events)
            }
            DeployCommand::SettleQuestion(asked) => self.settle_question(cause, asked, events),
            DeployCommand::ProposeResolution(asked) => self.propose(cause, asked, events),
            DeployCommand::AddOutcome(asked) => self.add_outcome(cause, asked, events),
            DeployCommand::DecideResolution(asked) => self.vote(cause, asked, events),
            DeployCommand::Governance(spec) => self.deploy_governance(cause, *spec, events),
            DeployCommand::DeployAs(asked) => self.deploy_as(cause, *asked, events),
            DeployCommand::ProposeAct(asked) => self.propose_act(cause, *asked, events),
            DeployCommand::UpdateInstrument(update) => self.update_instrument(cause, *update, events),
            DeployCommand::UpdateVenue(update) => self.update_venue(cause, *update, events),
            DeployCommand::UpdateQuestion(update) => self.update_question(cause, *update, events),
        }
    }

    fn deploy_asset(
        &mut self,
        cause: &Cause,
        spec: AssetSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.assets.len() as u32;
        check_room(standing, self.limits.assets_max)?;
        check_symbol(&spec.symbol, self.assets.iter().map(|asset| &asset.symbol))?;
        bound(1, spec.decimals, spec.decimals <= 18)?;
        if let Some(most) = spec.debt_max {
            bound(82, most.0, standing == 0 && (0..AMOUNT_ATOMS_BOUND).contains(&most.0))?;
        }
        let interest = spec.debt_interest_ppm;
        bound(93, interest, interest == 0 || standing == 0 && (0..=1_000_000).contains(&interest))?;
        self.assets.push(spec);
        events.push(EventRecord { instrument: standing + 1, ..cause.event(EventKind::AssetDeployed) });
        Ok(())
    }

    pub(super) fn deploy_venue(
        &mut self,
        cause: &Cause,
        spec: VenueSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.venues.len() as u32;
        check_room(standing, self.limits.venues_max.into())?;
        check_symbol(&spec.symbol, self.venues.iter().map(|venue| &venue.symbol))?;
        if let Some(fees) = spec.fees {
            check_fees(fees)?;
        }
        self.check_venue_rules(&spec)?;
        spec.fees.map_or(Ok(()), |fees| self.check_fee_bound(fees))?;
        self.check_venue_140(&spec)?;
        self.venues.push(spec);
        events.push(EventRecord {
            instrument: standing + 1,
            venue: u16::try_from(standing + 1).expect("bounded by venues_max"),
            ..cause.event(EventKind::VenueDeployed)
        });
        for account in 1..=self.accounts.len() as u32 {
            self.leave_unadmitted(cause, account, events);
        }
        Ok(())
    }

    fn deploy_publisher(
        &mut self,
        cause: &Cause,
        spec: PublisherSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.publishers.len() as u32;
        check_room(standing, self.limits.publishers_max)?;
        check_symbol(&spec.symbol, self.publishers.iter().map(|publisher| &publisher.symbol))?;
        let is_key = spec.key.len() == 64 && spec.key.chars().all(|c| c.is_ascii_hexdigit());
        bound(31, spec.key.len() as i128, is_key)?;
        self.publishers.push(spec);
        events.push(EventRecord { instrument: standing + 1, ..cause.event(EventKind::PublisherDeployed) });
        Ok(())
    }

    fn deploy_underlying(
        &mut self,
        cause: &Cause,
        spec: UnderlyingSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.underlyings.len() as u32;
        check_room(standing, self.limits.underlyings_max)?;
        check_symbol(&spec.symbol, self.underlyings.iter().map(|underlying| &underlying.symbol))?;
        self.check_underlying(&spec)?;
        self.underlyings.push(spec);
        events.push(EventRecord { instrument: standing + 1, ..cause.event(EventKind::UnderlyingDeployed) });
        Ok(())
    }

    /// Fields 32 to 41.
    fn check_oracle(&self, spec: &OracleSpec) -> Result<(), Refusal> {
        let sources = &spec.sources;
        bound(32, sources.len() as i128, (1..=16).contains(&sources.len()))?;
        for (at, source) in sources.iter().enumerate() {
            let id = source.publisher;
            let is_new = sources[..at].iter().all(|other| other.publisher != id);
            bound(33, id, is_new && (1..=self.publishers.len()).contains(&(id as usize)))?;
            bound(34, source.weight, (1..=1_000_000).contains(&source.weight))?;
        }
        let min = spec.sources_min;
        bound(35, min, (1..=sources.len()).contains(&(min as usize)))?;
        let weights = sources.iter().map(|source| u64::from(source.weight));
        let heaviest = weights.clone().max().expect("at least one");
        bound(36, heaviest, min == 1 || 2 * heaviest <= weights.sum::<u64>())?;
        bound(37, spec.stale_after_ms, (1..=3_600_000).contains(&spec.stale_after_ms))?;
        bound(38, spec.deviation_ppm, (1..1_000_000).contains(&spec.deviation_ppm))?;
        bound(39, spec.step_max_ppm, (0..1_000_000).contains(&spec.step_max_ppm))?;
        bound(40, spec.mark_band_ppm, (1..1_000_000).contains(&spec.mark_band_ppm))?;
        bound(41, spec.reopen_ms, spec.reopen_ms <= 3_600_000)
    }

    pub(super) fn deploy_instrument(
        &mut self,
        cause: &Cause,
        spec: InstrumentSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.instruments.len() as u32;
        check_room(standing, self.limits.instruments_max)?;
        check_symbol(&spec.symbol, self.instruments.iter().map(|i| &i.symbol))?;
        self.check_instrument(&spec, false)?;
        super::phases::check_171(cause.time_ns, spec.terms.phases, None)?;
        let kind = match spec.product {
            Product::Spot { base, quote, base_atoms_per_lot } => {
                Kind::Spot { base, quote, base_atoms_per_lot: base_atoms_per_lot.into() }
            }
            Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } => {
                let (im_ppm, mm_ppm) = (initial_margin_ppm.into(), maintenance_margin_ppm.into());
                Kind::Perpetual { im_ppm, mm_ppm }
            }
        };
        let (symbol, terms) = (spec.symbol.clone(), spec.terms.clone());
        let is_collateral = !spec.collateral.is_empty();
        self.instruments.push(new_instrument(symbol, Some(spec), terms, kind));
        if is_collateral {
            (1..=self.accounts.len() as u32).for_each(|account| self.look_at_debt(account));
        }
        events.push(EventRecord { instrument: standing + 1, ..cause.event(EventKind::InstrumentDeployed) });
        self.begin_pre_open(cause, standing + 1, events);
        Ok(())
    }

    /// Every field but the symbol; `stands`: of an instrument that stands already.
    pub(super) fn check_instrument(&self, spec: &InstrumentSpec, stands: bool) -> Result<(), Refusal> {
        check_terms(&spec.terms, spec.terms.price_max_ticks)?;
        self.check_terms_140(&spec.terms)?;
        self.check_stays_apart(spec.terms.venue, spec.collateral.len())?;
        self.check_product(spec)?;
        check_margin(spec)?;
        if let Some(oracle) = &spec.oracle {
            self.check_oracle(oracle)?;
        }
        if let Some(funding) = &spec.funding {
            check_funding(funding, &spec.product)?;
        }
        self.check_collateral_tiers(spec, stands)?;
        self.check_liquidation(spec)?;
        if let Some(halt) = spec.halt.as_deref() {
            bound(101, halt.move_ppm, (1..1_000_000).contains(&halt.move_ppm))?;
            bound(102, halt.window_s, (1..=600).contains(&halt.window_s))?;
            bound(103, halt.pause_s, (1..=86_400).contains(&halt.pause_s))?;
            bound(104, halt.post_only_s, halt.post_only_s <= 86_400)?;
        }
        super::phases::check_173(spec.terms.phases, spec.halt.is_some() || spec.oracle.is_some())?;
        self.check_market_bounds(spec)
    }

    /// Fields 71 to 81, then 86 to 90.
    fn check_liquidation(&self, spec: &InstrumentSpec) -> Result<(), Refusal> {
        let Some(terms) = &spec.liquidation else { return Ok(()) };
        let is_perpetual = matches!(spec.product, Product::Perpetual { .. });
        bound(71, 1, is_perpetual)?;
        let is_amount = |amount: i128| (0..AMOUNT_ATOMS_BOUND).contains(&amount);
        bound(72, terms.slice_ppm, (1..=1_000_000).contains(&terms.slice_ppm))?;
        bound(73, terms.full_below.0, is_amount(terms.full_below.0))?;
        bound(74, terms.cooldown_ms, terms.cooldown_ms <= 3_600_000)?;
        bound(75, terms.fee_ppm, (0..=100_000).contains(&terms.fee_ppm))?;
        bound(76, terms.backstop_ppm, (0..=1_000_000).contains(&terms.backstop_ppm))?;
        bound(77, terms.insurance_draw_max.0, is_amount(terms.insurance_draw_max.0))?;
        if let Some(tranche) = terms.tranche {
            let is_account = tranche.account >= 1 && tranche.account <= self.limits.accounts_max;
            bound(78, tranche.account, is_account && !self.is_isolated(tranche.account))?;
            let cap = tranche.notional_max.0;
            bound(79, cap, cap >= 1 && is_amount(cap))?;
        }
        if let Some(hedge) = terms.hedge {
            bound(80, hedge.asset, hedge.asset >= 2 && hedge.asset as usize <= self.assets.len())?;
            bound(81, hedge.atoms_per_lot, (1..1 << 63).contains(&hedge.atoms_per_lot))?;
        }
        super::growth::check_policy(terms)
    }

    fn check_product(&self, spec: &InstrumentSpec) -> Result<(), Refusal> {
        match spec.product {
            Product::Spot { base, quote, base_atoms_per_lot } => {
                let exists = |asset: u32| asset >= 1 && asset as usize <= self.assets.len();
                bound(14, base, exists(base) && exists(quote) && base != quote)?;
                let lot = i128::from(base_atoms_per_lot);
                let most = lot * i128::from(spec.terms.qty_max_lots);
                bound(15, lot, (1..1 << 63).contains(&lot) && most < AMOUNT_ATOMS_BOUND)
            }
            Product::Perpetual { initial_margin_ppm: initial, maintenance_margin_ppm: maintenance } => {
                bound(16, initial, (1..=1_000_000).contains(&initial))?;
                bound(17, maintenance, (1..=initial).contains(&maintenance))
            }
        }
    }

    /// Fields 58 to 61, 83 and 84.
    fn check_collateral_tiers(&self, spec: &InstrumentSpec, stands: bool) -> Result<(), Refusal> {
        let slippage = spec.conversion_slippage_ppm;
        if spec.collateral.is_empty() {
            return bound(83, slippage.unwrap_or(0), slippage.is_none());
        }
        bound(58, spec.collateral.len() as i128, spec.collateral.len() <= 16)?;
        let Product::Spot { base, quote, .. } = spec.product else {
            return refuse(Reject::SpecOutOfBounds, 0, 59);
        };
        let is_new = stands || self.collateral_instrument(base).is_none();
        bound(59, base, quote == SETTLEMENT && is_new)?;
        let mut below = (0, 0);
        for tier in &spec.collateral {
            let (up_to, haircut) = (tier.up_to_lots, tier.haircut_ppm);
            bound(60, up_to, up_to > below.0 && up_to <= spec.terms.position_max_lots)?;
            bound(61, haircut, haircut >= below.1 && haircut <= 1_000_000)?;
            below = (up_to, haircut);
        }
        let slippage = slippage.unwrap_or(0);
        bound(84, slippage, slippage >= 0 && slippage <= spec.collateral[0].haircut_ppm)
    }

    pub(super) fn deploy_question(
        &mut self,
        cause: &Cause,
        spec: QuestionSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_question(&spec)?;
        if let Some(resolution) = &spec.resolution {
            self.check_resolution(cause, resolution, spec.outcomes.len())?;
        }
        let (outcomes, meetings) = (spec.outcomes_most() as u32, self.limits.matches_per_command_max);
        bound(211, outcomes, !spec.implied || outcomes - 1 <= meetings)?;
        self.check_later(&spec)?;
        self.check_fee_bound(spec.terms.fees)?;
        let resolvers_ns = spec.resolution.as_ref().map(|resolution| resolution.close_ns);
        super::phases::check_171(cause.time_ns, spec.terms.phases, resolvers_ns)?;
        let rule = spec.resolution.as_ref().map(|resolution| resolution.rule.as_bytes());
        let detail = rule.map_or([0; 32], |rule| *blake3::hash(rule).as_bytes());
        let id = self.questions.len() as u32 + 1;
        let first = self.instruments.len() as u32 + 1;
        events.push(EventRecord {
            instrument: id,
            order_id: first.into(),
            qty: i64::try_from(spec.outcomes.len()).expect("outcomes are bounded"),
            detail,
            ..cause.event(EventKind::QuestionDeployed)
        });
        for outcome in &spec.outcomes {
            let kind = Kind::Outcome { question: id, unit_ticks: spec.ticks_per_unit };
            let instrument = new_instrument(outcome.symbol.clone(), None, spec.terms.clone(), kind);
            self.instruments.push(instrument);
            events.push(EventRecord {
                instrument: self.instruments.len() as u32,
                order_id: id.into(),
                ..cause.event(EventKind::InstrumentDeployed)
            });
        }
        for _ in spec.outcomes.len()..spec.outcomes_most() {
            let kind = Kind::Outcome { question: id, unit_ticks: spec.ticks_per_unit };
            let mut instrument = new_instrument(String::new(), None, spec.terms.clone(), kind);
            instrument.is_closed = true;
            self.instruments.push(instrument);
        }
        let opened = spec.outcomes.len() as u32;
        let resolution = spec.resolution.as_deref().cloned().map(Resolution::new);
        self.questions.push(Question {
            spec,
            first_instrument: first,
            sets: 0,
            payouts: Vec::new(),
            paid: 0,
            is_settled: false,
            resolution,
            adding: None,
        });
        (first..first + opened).for_each(|id| self.begin_pre_open(cause, id, events));
        Ok(())
    }

    fn check_question(&self, spec: &QuestionSpec) -> Result<(), Refusal> {
        check_room(self.questions.len() as u32, self.limits.questions_max)?;
        let after = (self.instruments.len() + spec.outcomes_most()) as i128;
        let limit = self.limits.instruments_max;
        check(after <= limit.into(), Reject::LimitOfDeployments, after, limit)?;
        check_symbol(&spec.symbol, self.questions.iter().map(|q| &q.spec.symbol))?;
        for (at, outcome) in spec.outcomes.iter().enumerate() {
            check_symbol(&outcome.symbol, self.instruments.iter().map(|i| &i.symbol))?;
            let is_repeated = spec.outcomes[..at].iter().any(|o| o.symbol == outcome.symbol);
            check(!is_repeated, Reject::SymbolTaken, 0, 0)?;
        }
        let outcomes = spec.outcomes.len() as i128;
        let most = i128::from(self.limits.outcomes_per_question_max);
        bound(18, outcomes, outcomes >= 2 && outcomes <= most)?;
        let unit = spec.ticks_per_unit;
        bound(19, unit, (2..PRICE_TICKS_BOUND).contains(&unit))?;
        let terms = &spec.terms;
        let fits = terms.price_max_ticks == unit - 1 && terms.band_ppm == 0;
        bound(20, terms.price_max_ticks, fits)?;
        check_terms(terms, unit)?;
        self.check_terms_140(terms)?;
        self.check_stays_apart(terms.venue, usize::from(spec.resolution.is_some()))?;
        super::phases::check_173(terms.phases, false)?;
        spec.link.as_ref().map_or(Ok(()), |link| self.check_link(link, spec.outcomes.len()))
    }
}

fn new_instrument(
    symbol: String,
    spec: Option<InstrumentSpec>,
    terms: InstrumentTerms,
    kind: Kind,
) -> Instrument {
    let oracle = spec.as_ref().and_then(|spec| spec.oracle.clone()).map(Oracle::new);
    let funding = spec.as_ref().and_then(|spec| spec.funding.as_deref().cloned()).map(Funding::new);
    let halt = spec.as_ref().and_then(|spec| spec.halt.as_deref()).copied().map(Halt::new);
    let state = InstrumentState::Continuous;
    let (mark, index, last) = (0, 0, 0);
    let (is_closed, is_over, winds_down) = (false, false, false);
    Instrument {
        symbol,
        spec,
        terms,
        kind,
        state,
        mark,
        index,
        last,
        oracle,
        funding,
        halt,
        is_closed,
        is_over,
        winds_down,
        emergency: InstrumentState::Continuous,
        auction: InstrumentState::Continuous,
    }
}

/// Digits, perhaps a point and digits, and something other than zero among them.
fn is_positive_decimal(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    parts.len() <= 2 && parts.iter().all(digits) && text.chars().any(|c| ('1'..='9').contains(&c))
}

/// 504.
pub(super) fn check_room(standing: u32, limit: u32) -> Result<(), Refusal> {
    check(standing < limit, Reject::LimitOfDeployments, standing, limit)
}

/// 605, then 604.
pub(super) fn check_symbol<'a>(
    symbol: &str,
    others: impl Iterator<Item = &'a String>,
) -> Result<(), Refusal> {
    let bytes = symbol.len();
    let is_valid = (1..=64).contains(&bytes) && symbol.bytes().all(|b| b.is_ascii_graphic());
    check(is_valid, Reject::SymbolInvalid, bytes as i128, 64)?;
    match { others }.position(|other| other == symbol) {
        None => Ok(()),
        Some(at) => refuse(Reject::SymbolTaken, at as i128 + 1, 0),
    }
}

/// 606 for one field.
pub(super) fn bound(field: i128, value: impl Into<i128>, holds: bool) -> Result<(), Refusal> {
    check(holds, Reject::SpecOutOfBounds, value, field)
}

/// Fields 11 and 12.
pub(super) fn check_fees(fees: Fees) -> Result<(), Refusal> {
    bound(11, fees.taker_ppm, (0..=100_000).contains(&fees.taker_ppm))?;
    bound(12, fees.maker_ppm, (-fees.taker_ppm..=100_000).contains(&fees.maker_ppm))?;
    let ceiling = fees.ceiling_ppm;
    let covers = ceiling >= fees.maker_ppm.max(fees.taker_ppm) && ceiling <= 100_000;
    bound(186, ceiling, ceiling == 0 || covers)
}

/// Fields 2 to 13, and 21. `highest` is the price at which a position is worth most.
pub(super) fn check_terms(terms: &InstrumentTerms, highest: i64) -> Result<(), Refusal> {
    let k = terms.quote_atoms_per_tick_lot;
    bound(2, k, k >= 1)?;
    bound(3, terms.price_max_ticks, (1..PRICE_TICKS_BOUND).contains(&terms.price_max_ticks))?;
    bound(4, terms.qty_min_lots, terms.qty_min_lots >= 1)?;
    bound(5, terms.qty_max_lots, (terms.qty_min_lots..QTY_LOTS_BOUND).contains(&terms.qty_max_lots))?;
    let (min, max) = (terms.notional_min.0, terms.notional_max.0);
    bound(6, min, (0..AMOUNT_ATOMS_BOUND).contains(&min))?;
    bound(7, max, (min.max(1)..AMOUNT_ATOMS_BOUND).contains(&max))?;
    let position = terms.position_max_lots;
    let is_position = (1..QTY_LOTS_BOUND).contains(&position);
    bound(8, position, is_position)?;
    let most = i128::from(highest) * i128::from(position) * i128::from(k);
    bound(8, position, most < AMOUNT_ATOMS_BOUND)?;
    bound(9, terms.orders_per_account_max, terms.orders_per_account_max >= 1)?;
    bound(10, terms.band_ppm, (0..1_000_000).contains(&terms.band_ppm))?;
    check_fees(terms.fees)?;
    let split = terms.split;
    let fixed = [split.protocol_ppm, split.deployer_ppm, split.venue_ppm, split.insurance_ppm];
    let parts: Vec<i32> = fixed.into_iter().chain([split.referrer_ppm]).collect();
    let sum: i128 = parts.iter().map(|&part| i128::from(part)).sum();
    let is_whole = parts.iter().all(|part| (0..=1_000_000).contains(part)) && sum == 1_000_000;
    bound(13, sum, is_whole)?;
    for text in [&terms.tick_size, &terms.lot_size] {
        bound(21, text.len() as i128, (1..=32).contains(&text.len()) && is_positive_decimal(text))?;
    }
    Ok(())
}
