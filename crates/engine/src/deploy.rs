//! Deployments: assets, venues, instruments, questions, and the limits in the first command.

mod terms;

pub(crate) use self::terms::check_reopening;
use self::terms::{check_funding, check_halt, check_liquidation_policy, check_margin, check_phase_times};
use crate::collateral::Collateral;
use crate::defence::{Defence, Switches};
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::liquidation::DEBT_UNBOUNDED;
use crate::questions::Question;
use crate::step::{Refused, Step, refused};
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::{
    AssetSpec, CHANGE_DELAY_S_MAX, DELISTING_AUCTION_S_MAX, DELISTING_WINDOW_S_MAX, DeployCommand, EventKind,
    EventRecord, Fees, InstrumentSpec, InstrumentTerms, LIQUIDATION_COOLDOWN_MS_MAX, MarketKind, Matching,
    OracleSpec, PROFILES_MAX, Product, QuestionSpec, Reject, VenueSpec,
};
use xos_units::{
    AMOUNT_ATOMS_BOUND, AccountId, Amount, AssetId, InstrumentId, PPM_ONE, PRICE_TICKS_BOUND, Price,
    QTY_LOTS_BOUND, Qty, QuestionId, VenueId,
};

const SYMBOL_BYTES_MAX: usize = 64;
const DISPLAY_BYTES_MAX: usize = 32;
/// Sources of one instrument.
const SOURCES_MAX: i128 = 16;
const FEE_PPM_MAX: i32 = 100_000;
/// Times the most lots of an order, one account's resting lots stay inside 64 bits.
const ORDERS_PER_ACCOUNT_BOUND: i128 = 1 << 22;

impl Engine {
    pub(crate) fn deploy(&mut self, step: &mut Step, body: &[u8]) -> Result<(), Refused> {
        let Ok(command) = DeployCommand::from_bytes(body) else {
            return refused(Reject::MalformedDeployment, 0, 0);
        };
        let needs_asset = !matches!(command, DeployCommand::Genesis(_) | DeployCommand::Asset(_));
        if needs_asset && self.assets.is_empty() {
            return refused(Reject::SettlementAssetMissing, 0, 0);
        }
        self.check_new_of_operator(&command)?;
        match command {
            DeployCommand::Genesis(limits) => {
                if step.sequence != 1 {
                    return refused(Reject::NotGenesis, step.sequence, 1);
                }
                check_bounds(i128::from(limits.orders_per_account_max), 0..=ORDERS_PER_ACCOUNT_BOUND, 22)?;
                check_bounds(i128::from(limits.triggers_fired_per_command_max), 1..=i128::MAX, 91)?;
                check_bounds(i128::from(limits.payouts_per_command_max), 1..=i128::MAX, 169)?;
                check_bounds(i128::from(limits.profiles_max), 1..=PROFILES_MAX as i128, 135)?;
                check_bounds(i128::from(limits.change_delay_s_min), 0..=CHANGE_DELAY_S_MAX.into(), 181)?;
                check_bounds(i128::from(limits.delisting_window_s), 1..=DELISTING_WINDOW_S_MAX.into(), 189)?;
                check_bounds(limits.delisting_auction_s.into(), 0..=DELISTING_AUCTION_S_MAX.into(), 174)?;
                self.limits = limits;
                step.emit(EventRecord { kind: EventKind::Ticked.code(), ..Default::default() });
                Ok(())
            }
            DeployCommand::Asset(spec) => self.deploy_asset(step, spec),
            DeployCommand::Venue(spec) => self.deploy_venue(step, spec),
            DeployCommand::Instrument(spec) => self.deploy_instrument(step, spec),
            DeployCommand::Publisher(spec) => self.deploy_publisher(step, spec),
            DeployCommand::Class(spec) => self.deploy_class(step, spec),
            DeployCommand::Underlying(spec) => self.deploy_underlying(step, spec),
            DeployCommand::Question(spec) => self.deploy_question(step, spec),
            DeployCommand::AddOutcome(asked) => self.add_outcome(step, asked),
            DeployCommand::SettleQuestion(asked) => self.settle_question(step, &asked),
            DeployCommand::ProposeResolution(asked) => self.propose_resolution(step, &asked),
            DeployCommand::DecideResolution(asked) => self.vote(step, &asked),
            DeployCommand::Governance(spec) => self.deploy_governance(step, *spec),
            DeployCommand::DeployAs(asked) => self.deploy_as(step, *asked),
            DeployCommand::ProposeAct(asked) => self.propose_act(step, *asked),
            DeployCommand::UpdateInstrument(asked) => self.update_instrument(step, *asked),
            DeployCommand::UpdateVenue(asked) => self.update_venue(step, *asked),
            DeployCommand::UpdateQuestion(asked) => self.update_question(step, *asked),
        }
    }

    fn deploy_asset(&mut self, step: &mut Step, spec: AssetSpec) -> Result<(), Refused> {
        check_count(self.assets.len(), self.limits.assets_max as usize)?;
        check_symbol(&spec.symbol)?;
        check_free(&spec.symbol, self.assets.iter().map(|asset| asset.symbol.as_str()))?;
        if spec.decimals > 18 {
            return refused(Reject::SpecOutOfBounds, spec.decimals, 1);
        }
        if let Some(most) = spec.debt_max {
            let bound = if self.assets.is_empty() { AMOUNT_ATOMS_BOUND - 1 } else { -1 };
            check_bounds(most.0, 0..=bound, 82)?;
        }
        let highest = if self.assets.is_empty() { PPM_ONE } else { 0 };
        check_bounds(i128::from(spec.debt_interest_ppm), 0..=highest.into(), 93)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.add_asset(spec);
        step.emit(EventRecord {
            kind: EventKind::AssetDeployed.code(),
            instrument: self.assets.len() as u32,
            ..Default::default()
        });
        Ok(())
    }

    pub(crate) fn add_asset(&mut self, spec: AssetSpec) {
        self.ledger.add_asset();
        self.assets.push(spec);
        self.debt_max = self.debt_limit().unwrap_or(DEBT_UNBOUNDED);
        self.limits_debt = self.debt_limit().is_some();
    }

    pub(crate) fn deploy_venue(&mut self, step: &mut Step, spec: VenueSpec) -> Result<(), Refused> {
        check_count(self.venues.len(), self.limits.venues_max as usize)?;
        check_symbol(&spec.symbol)?;
        check_free(&spec.symbol, self.venues.iter().map(|venue| venue.symbol.as_str()))?;
        if let Some(fees) = &spec.fees {
            check_fees(fees)?;
        }
        self.check_venue_rules(&spec)?;
        self.check_fee_bound(spec.fees.as_ref())?;
        self.check_venue_business(&spec)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let newly_shunned = spec.counterparty.forbids & !self.admission.shunned;
        self.add_venue(spec);
        let id = self.venues.len();
        step.emit(EventRecord {
            kind: EventKind::VenueDeployed.code(),
            venue: id as u16,
            instrument: id as u32,
            ..Default::default()
        });
        self.leave_shunned(step, newly_shunned);
        Ok(())
    }

    pub(crate) fn add_venue(&mut self, spec: VenueSpec) {
        self.ledger.add_venue();
        self.admission.restricts |= !spec.admission.is_none() || spec.lists.is_some() || spec.simulated;
        self.admission.shunned |= spec.counterparty.forbids;
        self.charges_apart |= !spec.tiers.is_empty();
        self.venues.push(spec);
    }

    fn check_oracle(&self, spec: &OracleSpec) -> Result<(), Refused> {
        let count = spec.sources.len() as i128;
        check_bounds(count, 1..=SOURCES_MAX, 32)?;
        for (at, source) in spec.sources.iter().enumerate() {
            let known = source.publisher >= 1 && source.publisher as usize <= self.publishers.len();
            if !known || spec.sources[..at].iter().any(|other| other.publisher == source.publisher) {
                return refused(Reject::SpecOutOfBounds, source.publisher, 33);
            }
            check_bounds(i128::from(source.weight), 1..=1_000_000, 34)?;
        }
        check_bounds(i128::from(spec.sources_min), 1..=count, 35)?;
        let whole: i128 = spec.sources.iter().map(|source| i128::from(source.weight)).sum();
        let heaviest = spec.sources.iter().map(|source| i128::from(source.weight)).max().unwrap_or(0);
        if spec.sources_min > 1 && 2 * heaviest > whole {
            return refused(Reject::SpecOutOfBounds, heaviest, 36);
        }
        check_bounds(i128::from(spec.stale_after_ms), 1..=3_600_000, 37)?;
        check_bounds(i128::from(spec.deviation_ppm), 1..=999_999, 38)?;
        check_bounds(i128::from(spec.step_max_ppm), 0..=999_999, 39)?;
        check_bounds(i128::from(spec.mark_band_ppm), 1..=999_999, 40)?;
        check_bounds(i128::from(spec.reopen_ms), 0..=3_600_000, 41)
    }

    /// The symbol of an instrument.
    pub(crate) fn symbol(&self, id: InstrumentId) -> &str {
        let instrument = &self.instruments[id.index()];
        match (&instrument.spec, instrument.question()) {
            (Some(spec), _) => &spec.symbol,
            (None, Some(question)) => {
                let question = &self.questions[question.index()];
                // A reserved instrument has none.
                let outcome = question.spec.outcomes.get((id.0 - question.first.0) as usize);
                outcome.map_or("", |outcome| &outcome.symbol)
            }
            (None, None) => unreachable!("every instrument has a specification or a question"),
        }
    }

    pub(crate) fn check_instrument_symbol(&self, symbol: &str) -> Result<(), Refused> {
        check_symbol(symbol)?;
        check_free(symbol, (0..self.instruments.len()).map(|at| self.symbol(InstrumentId::from_index(at))))
    }

    pub(crate) fn deploy_instrument(
        &mut self,
        step: &mut Step,
        mut spec: InstrumentSpec,
    ) -> Result<(), Refused> {
        check_count(self.instruments.len(), self.limits.instruments_max as usize)?;
        self.check_instrument_symbol(&spec.symbol)?;
        self.check_instrument(&spec, None)?;
        check_phase_times(step.time_ns, &spec.terms.phases, None)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        if !self.defends(Defence::OpenInterestScaling)
            && let Some(margin) = &mut spec.margin
        {
            margin.open_interest_scaling = None;
        }
        let id = self.add_instrument(spec);
        step.emit(EventRecord {
            kind: EventKind::InstrumentDeployed.code(),
            instrument: id.0,
            ..Default::default()
        });
        self.begin_phases(step, MarketKind::Instrument, id.0);
        Ok(())
    }

    /// Bounds of every field but the symbol; `own`: of an instrument that stands already.
    pub(crate) fn check_instrument(
        &self,
        spec: &InstrumentSpec,
        own: Option<InstrumentId>,
    ) -> Result<(), Refused> {
        check_terms(&spec.terms, spec.terms.price_max_ticks, self.switches)?;
        self.check_terms_business(&spec.terms)?;
        self.check_stays_apart(spec.terms.venue, spec.collateral.len())?;
        match spec.product {
            Product::Spot { base, quote, base_atoms_per_lot } => {
                let exists = |id: u32| AssetId(id).index() < self.assets.len();
                if !exists(base) || !exists(quote) || base == quote {
                    return refused(Reject::SpecOutOfBounds, base, 14);
                }
                let most = i128::from(base_atoms_per_lot).checked_mul(i128::from(spec.terms.qty_max_lots));
                let fits = most.is_some_and(|most| most < AMOUNT_ATOMS_BOUND);
                if base_atoms_per_lot < 1 || base_atoms_per_lot > i64::MAX as u64 || !fits {
                    return refused(Reject::SpecOutOfBounds, base_atoms_per_lot, 15);
                }
            }
            Product::Perpetual { initial_margin_ppm: initial, maintenance_margin_ppm: maintenance } => {
                check_bounds(i128::from(initial), 1..=i128::from(PPM_ONE), 16)?;
                check_bounds(i128::from(maintenance), 1..=i128::from(initial), 17)?;
            }
        }
        check_margin(spec)?;
        if let Some(oracle) = &spec.oracle {
            self.check_oracle(oracle)?;
        }
        if let Some(funding) = &spec.funding {
            check_funding(funding, &spec.product)?;
        }
        self.check_collateral_tiers(spec, own)?;
        self.check_liquidation(spec)?;
        if let Some(halt) = &spec.halt {
            check_halt(halt)?;
        }
        check_reopening(&spec.terms.phases, spec.halt.is_some() || spec.oracle.is_some())?;
        self.check_market_bounds(spec)
    }

    /// Fields 58 to 61, 83 and 84.
    fn check_collateral_tiers(
        &self,
        spec: &InstrumentSpec,
        own: Option<InstrumentId>,
    ) -> Result<(), Refused> {
        let slippage = spec.conversion_slippage_ppm.map(i128::from);
        let Some(first) = spec.collateral.first() else {
            return slippage.map_or(Ok(()), |slippage| refused(Reject::SpecOutOfBounds, slippage, 83));
        };
        let count = spec.collateral.len() as i128;
        check_bounds(count, 1..=InstrumentSpec::COLLATERAL_TIERS_MAX as i128, 58)?;
        let Product::Spot { base, quote, .. } = spec.product else {
            return refused(Reject::SpecOutOfBounds, 0, 59);
        };
        let taken = own.is_none() && self.is_collateral(AssetId(base));
        if AssetId(quote) != SETTLEMENT || taken {
            return refused(Reject::SpecOutOfBounds, base, 59);
        }
        let (mut below, mut haircut) = (0, 0);
        for tier in &spec.collateral {
            let most = i128::from(spec.terms.position_max_lots);
            check_bounds(i128::from(tier.up_to_lots), below + 1..=most, 60)?;
            check_bounds(i128::from(tier.haircut_ppm), haircut..=i128::from(PPM_ONE), 61)?;
            (below, haircut) = (i128::from(tier.up_to_lots), i128::from(tier.haircut_ppm));
        }
        if let Some(slippage) = slippage {
            check_bounds(slippage, 0..=i128::from(first.haircut_ppm), 84)?;
        }
        Ok(())
    }

    /// Fields 71 to 81, 86 to 90.
    fn check_liquidation(&self, spec: &InstrumentSpec) -> Result<(), Refused> {
        let Some(terms) = &spec.liquidation else { return Ok(()) };
        if !matches!(spec.product, Product::Perpetual { .. }) {
            return refused(Reject::SpecOutOfBounds, 1, 71);
        }
        let (one, atoms) = (i128::from(PPM_ONE), 0..=AMOUNT_ATOMS_BOUND - 1);
        check_bounds(i128::from(terms.slice_ppm), 1..=one, 72)?;
        check_bounds(terms.full_below.0, atoms.clone(), 73)?;
        let cooldown_max = i128::from(LIQUIDATION_COOLDOWN_MS_MAX);
        check_bounds(i128::from(terms.cooldown_ms), 0..=cooldown_max, 74)?;
        check_bounds(i128::from(terms.fee_ppm), 0..=100_000, 75)?;
        check_bounds(i128::from(terms.backstop_ppm), 0..=one, 76)?;
        check_bounds(terms.insurance_draw_max.0, atoms, 77)?;
        if let Some(tranche) = &terms.tranche {
            check_bounds(i128::from(tranche.account), 1..=i128::from(self.limits.accounts_max), 78)?;
            if self.is_isolated(AccountId(tranche.account)) {
                return refused(Reject::SpecOutOfBounds, tranche.account, 78);
            }
            check_bounds(tranche.notional_max.0, 1..=AMOUNT_ATOMS_BOUND - 1, 79)?;
        }
        if let Some(hedge) = &terms.hedge {
            check_bounds(i128::from(hedge.asset), 2..=self.assets.len() as i128, 80)?;
            check_bounds(i128::from(hedge.atoms_per_lot), 1..=i128::from(i64::MAX), 81)?;
        }
        check_liquidation_policy(terms)
    }

    pub(crate) fn add_instrument(&mut self, spec: InstrumentSpec) -> InstrumentId {
        let id = InstrumentId::from_index(self.instruments.len());
        let instrument = Instrument::from_spec(id, spec);
        let spec = instrument.spec.as_ref();
        let collateral = spec.and_then(|spec| Collateral::of(id, &instrument, spec));
        self.push_instrument(instrument);
        if let Some((asset, collateral)) = collateral {
            let wide = self.collaterals.len().max(asset.index() + 1);
            self.collaterals.resize_with(wide, || None);
            self.collaterals[asset.index()] = Some(Box::new(collateral));
            self.find_holders(asset);
        }
        id
    }

    fn push_instrument(&mut self, mut instrument: Instrument) {
        instrument.is_simulated = self.is_simulated_venue(instrument.own_venue);
        instrument.divides_apart |= instrument.is_simulated;
        self.ledger.add_instrument(instrument.quote());
        self.admission.restricts |= instrument.own_venue != VenueId(0);
        self.has_oracles |= instrument.oracle.is_some();
        self.has_halts |= instrument.halt.is_some();
        self.has_funding |= instrument.funding.is_some();
        self.maker_first_instruments += usize::from(instrument.matching == Matching::MakerFirst);
        self.liquidations.wanted |= instrument.liquidation.is_some();
        self.liquidations.growing |= instrument.is_growing();
        let spec = instrument.spec.as_ref();
        self.liquidations.converts |= spec.is_some_and(|spec| spec.conversion_slippage_ppm.is_some());
        self.instruments.push(instrument);
    }

    pub(crate) fn deploy_question(&mut self, step: &mut Step, spec: QuestionSpec) -> Result<(), Refused> {
        check_count(self.questions.len(), self.limits.questions_max as usize)?;
        let instruments = self.instruments.len() + spec.outcomes_most();
        if instruments > self.limits.instruments_max as usize {
            return refused(Reject::LimitOfDeployments, instruments as i128, self.limits.instruments_max);
        }
        check_symbol(&spec.symbol)?;
        check_free(&spec.symbol, self.questions.iter().map(|question| question.spec.symbol.as_str()))?;
        for (at, outcome) in spec.outcomes.iter().enumerate() {
            self.check_instrument_symbol(&outcome.symbol)?;
            if spec.outcomes[..at].iter().any(|other| other.symbol == outcome.symbol) {
                return refused(Reject::SymbolTaken, 0, 0);
            }
        }
        let outcomes = spec.outcomes.len() as i128;
        check_bounds(outcomes, 2..=i128::from(self.limits.outcomes_per_question_max), 18)?;
        check_bounds(i128::from(spec.ticks_per_unit), 2..=i128::from(PRICE_TICKS_BOUND - 1), 19)?;
        if spec.terms.price_max_ticks != spec.ticks_per_unit - 1 || spec.terms.band_ppm != 0 {
            return refused(Reject::SpecOutOfBounds, spec.terms.price_max_ticks, 20);
        }
        check_terms(&spec.terms, spec.ticks_per_unit, self.switches)?;
        self.check_terms_business(&spec.terms)?;
        self.check_stays_apart(spec.terms.venue, usize::from(spec.resolution.is_some()))?;
        check_reopening(&spec.terms.phases, false)?;
        self.check_link(&spec)?;
        if let Some(resolution) = &spec.resolution {
            self.check_resolution(step.time_ns, resolution, spec.outcomes.len())?;
        }
        let most = spec.outcomes_most() as i128;
        if spec.implied && most - 1 > i128::from(self.limits.matches_per_command_max) {
            return refused(Reject::SpecOutOfBounds, most, 211);
        }
        self.check_later(&spec)?;
        self.check_fee_bound(Some(&spec.terms.fees))?;
        let close_ns = spec.resolution.as_ref().map(|resolution| resolution.close_ns);
        check_phase_times(step.time_ns, &spec.terms.phases, close_ns)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let outcomes = spec.outcomes.len();
        let id = self.add_question(spec);
        let question = &self.questions[id.index()];
        if let Some(resolution) = &question.resolution {
            self.closings.insert((resolution.until_ns, id));
        }
        let event = step.push(EventKind::QuestionDeployed);
        event.instrument = id.0;
        event.order_id = u64::from(question.first.0);
        event.qty = outcomes as i64;
        event.detail = question.rule_hash.unwrap_or_default();
        for instrument in self.questions[id.index()].instruments() {
            step.emit(EventRecord {
                kind: EventKind::InstrumentDeployed.code(),
                instrument: instrument.0,
                order_id: u64::from(id.0),
                ..Default::default()
            });
        }
        self.begin_phases(step, MarketKind::Question, id.0);
        Ok(())
    }

    pub(crate) fn add_question(&mut self, spec: QuestionSpec) -> QuestionId {
        let id = QuestionId::from_index(self.questions.len());
        let first = InstrumentId::from_index(self.instruments.len());
        for at in 0..spec.outcomes_most() {
            let mut instrument = Instrument::outcome(InstrumentId::from_index(first.index() + at), id, &spec);
            if at >= spec.outcomes.len() {
                instrument.reserve();
            }
            self.push_instrument(instrument);
        }
        self.ledger.add_question();
        debug_assert_eq!(self.ledger.house(Party::Question(id), AssetId(1)), Amount::ZERO);
        self.questions.push(Question::new(spec, first));
        id
    }
}

pub(crate) fn check_count(standing: usize, limit: usize) -> Result<(), Refused> {
    if standing >= limit {
        return refused(Reject::LimitOfDeployments, standing as i128, limit as i128);
    }
    Ok(())
}

pub(crate) fn check_symbol(symbol: &str) -> Result<(), Refused> {
    let sound =
        (1..=SYMBOL_BYTES_MAX).contains(&symbol.len()) && symbol.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        Ok(())
    } else {
        refused(Reject::SymbolInvalid, symbol.len() as i128, SYMBOL_BYTES_MAX as i128)
    }
}

pub(crate) fn check_free<'a>(symbol: &str, mut taken: impl Iterator<Item = &'a str>) -> Result<(), Refused> {
    match taken.position(|other| other == symbol) {
        Some(at) => refused(Reject::SymbolTaken, at as i128 + 1, 0),
        None => Ok(()),
    }
}

pub(crate) fn check_bounds(
    value: i128,
    bounds: std::ops::RangeInclusive<i128>,
    field: i128,
) -> Result<(), Refused> {
    if bounds.contains(&value) { Ok(()) } else { refused(Reject::SpecOutOfBounds, value, field) }
}

pub(crate) fn check_fees(fees: &Fees) -> Result<(), Refused> {
    check_bounds(i128::from(fees.taker_ppm), 0..=i128::from(FEE_PPM_MAX), 11)?;
    check_bounds(i128::from(fees.maker_ppm), -i128::from(fees.taker_ppm)..=i128::from(FEE_PPM_MAX), 12)?;
    let least = if fees.ceiling_ppm == 0 { 0 } else { fees.taker_ppm.max(fees.maker_ppm) };
    check_bounds(i128::from(fees.ceiling_ppm), i128::from(least)..=i128::from(FEE_PPM_MAX), 186)
}

/// Fields 2 to 13 and 21. `ticks` is the highest value of one lot: the highest price, or an outcome's unit.
pub(crate) fn check_terms(terms: &InstrumentTerms, ticks: i64, switches: Switches) -> Result<(), Refused> {
    let lots_max = i128::from(QTY_LOTS_BOUND - 1);
    check_bounds(i128::from(terms.quote_atoms_per_tick_lot), 1..=i128::from(u32::MAX), 2)?;
    check_bounds(i128::from(terms.price_max_ticks), 1..=i128::from(PRICE_TICKS_BOUND - 1), 3)?;
    check_bounds(i128::from(terms.qty_min_lots), 1..=i128::MAX, 4)?;
    check_bounds(i128::from(terms.qty_max_lots), i128::from(terms.qty_min_lots)..=lots_max, 5)?;
    check_bounds(terms.notional_min.0, 0..=AMOUNT_ATOMS_BOUND - 1, 6)?;
    check_bounds(terms.notional_max.0, terms.notional_min.0.max(1)..=AMOUNT_ATOMS_BOUND - 1, 7)?;
    check_bounds(i128::from(terms.position_max_lots), 1..=lots_max, 8)?;
    let most =
        xos_units::notional(Price(ticks), Qty(terms.position_max_lots), terms.quote_atoms_per_tick_lot);
    if most.0 >= AMOUNT_ATOMS_BOUND && switches.defends(Defence::SpecBounds) {
        return refused(Reject::SpecOutOfBounds, terms.position_max_lots, 8);
    }
    check_bounds(i128::from(terms.orders_per_account_max), 1..=i128::MAX, 9)?;
    check_bounds(i128::from(terms.band_ppm), 0..=999_999, 10)?;
    check_fees(&terms.fees)?;
    let split = terms.split.parts();
    let sum: i128 = split.iter().map(|ppm| i128::from(*ppm)).sum();
    if split.iter().any(|ppm| !(0..=PPM_ONE).contains(ppm)) || sum != i128::from(PPM_ONE) {
        return refused(Reject::SpecOutOfBounds, sum, 13);
    }
    for text in [&terms.tick_size, &terms.lot_size] {
        if !is_positive_decimal(text) {
            return refused(Reject::SpecOutOfBounds, text.len() as i128, 21);
        }
    }
    Ok(())
}

/// ASCII digits with at most one point between digits, not all zero.
fn is_positive_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let positive = text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    text.len() <= DISPLAY_BYTES_MAX && digits(whole) && digits(fraction) && positive
}
