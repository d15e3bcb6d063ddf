//! Deployments of small worlds: valid ones, and ones with a single wrong field.

mod halts;
pub(super) mod liquidation;
pub(super) mod underlyings;

use super::questions;
use crate::rng::Rng;
use xos_protocol::{
    AssetSpec, CollateralTier, DeployCommand, Fees, FundingSpec, InstrumentSpec, InstrumentTerms, Limits,
    MarginSpec, MarginTier, Matching, OpenInterestBounds, OracleSpec, OutcomeSpec, Product, PublisherSpec,
    QuestionSpec, SourceSpec, Split,
};
use xos_units::Amount;

/// Size of the numbers of a world: small ones collide and round awkwardly, large ones try the bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) k: u32,
    pub(super) lot: i64,
}

impl Scale {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let k = *rng.pick(&[1, 1, 2, 3, 7, 10, 1_000, 4_294_967_295]);
        let lot = *rng.pick(&[1, 1, 1, 1, 1_048_583]);
        Self { k, lot }
    }
}

/// Limits so low that a small world meets them, or the default ones; in half of the worlds much takes many turns.
pub(super) fn limits(rng: &mut Rng) -> Limits {
    let mut limits = limits_of_room(rng);
    if rng.one_in(2) {
        limits.payouts_per_command_max = 1 + rng.below(6) as u32;
    }
    limits
}

pub(super) fn limits_of_room(rng: &mut Rng) -> Limits {
    if rng.one_in(4) {
        return Limits { frame_commands_max: 20, client_id_retention_ns: 100, ..Limits::default() };
    }
    let mut up_to = |low: u64, high: u64| (low + rng.below(high - low + 1)) as u32;
    Limits {
        accounts_max: up_to(3, 12),
        assets_max: up_to(3, 4),
        venues_max: up_to(2, 4) as u16,
        publishers_max: up_to(4, 6),
        underlyings_max: up_to(1, 3),
        instruments_max: up_to(8, 24),
        questions_max: up_to(1, 6),
        outcomes_per_question_max: up_to(3, 6),
        perpetuals_per_account_max: up_to(1, 3),
        instruments_per_account_max: up_to(2, 8),
        profiles_max: up_to(1, 5),
        orders_per_account_max: up_to(3, 12),
        triggers_per_account_max: up_to(1, 6),
        triggers_fired_per_command_max: up_to(1, 3),
        matches_per_command_max: up_to(1, 6),
        funding_settlements_per_command_max: up_to(1, 4),
        payouts_per_command_max: up_to(1, 6),
        client_ids_max: up_to(5, 60),
        client_ids_per_account_max: up_to(1, 20),
        client_id_retention_ns: up_to(0, 200).into(),
        frame_commands_max: 20,
        risk_checks_per_command_max: up_to(1, 4),
        liquidations_per_command_max: up_to(1, 3),
        change_delay_s_min: 0,
        delisting_window_s: up_to(1, 2),
        delisting_auction_s: up_to(0, 2),
    }
}

pub(super) fn asset(number: usize) -> AssetSpec {
    AssetSpec::new(format!("ASSET{number}"), (number * 6 % 19) as u8)
}

pub(super) fn fees(rng: &mut Rng) -> Fees {
    let taker_ppm = *rng.pick(&[0, 1, 333, 500, 12_345, 99_999, 100_000]);
    let maker_ppm = match rng.below(4) {
        0 => 0,
        1 => -taker_ppm,
        2 => -(rng.below(taker_ppm as u64 + 1) as i32),
        _ => *rng.pick(&[0, 100, 777, 33_333, 100_000]),
    };
    let ceiling_ppm = if rng.one_in(6) { 100_000 } else { 0 };
    Fees { maker_ppm, taker_ppm, ceiling_ppm }
}

fn split(rng: &mut Rng) -> Split {
    if rng.one_in(3) {
        return Split::default();
    }
    let mut left = 1_000_000;
    let mut part = |rng: &mut Rng| {
        let part = rng.below(left as u64 + 1) as i32;
        left -= part;
        part
    };
    let (deployer_ppm, venue_ppm, insurance_ppm) = (part(rng), part(rng), part(rng));
    let referrer_ppm = if rng.one_in(2) { rng.below(left as u64 + 1) as i32 } else { 0 };
    let (protocol_ppm, receipts) = (left - referrer_ppm, rng.one_in(2));
    Split { protocol_ppm, deployer_ppm, venue_ppm, insurance_ppm, referrer_ppm, receipts }
}

pub(super) fn terms(rng: &mut Rng, scale: Scale) -> InstrumentTerms {
    let lot = scale.lot;
    let (price_max_ticks, qty_max_lots) = (rng.between(6, 40), rng.between(5, 40) * lot);
    let whole = Amount(i128::from(price_max_ticks) * i128::from(qty_max_lots) * i128::from(scale.k));
    let notional_max = Amount((whole.0 * i128::from(rng.between(1, 8)) / 4).max(1));
    let notional_min = if rng.one_in(2) { Amount(0) } else { Amount(notional_max.0 / 50) };
    InstrumentTerms {
        quote_atoms_per_tick_lot: scale.k,
        tick_size: "0.1".into(),
        lot_size: "0.001".into(),
        price_max_ticks,
        qty_min_lots: if rng.one_in(2) { 1 } else { rng.between(1, 3) * lot },
        qty_max_lots,
        notional_min,
        notional_max,
        position_max_lots: rng.between(5, 80) * lot,
        orders_per_account_max: rng.between(1, 8) as u32,
        band_ppm: *rng.pick(&[0, 0, 99_999, 250_000, 333_333, 999_999]),
        fees: fees(rng),
        split: split(rng),
        matching: if rng.one_in(2) { Matching::Arrival } else { Matching::MakerFirst },
        fees_to: super::fees::payee(rng),
        venue: 0,
        phases: xos_protocol::Phases::default(),
    }
}

pub(super) fn spot(rng: &mut Rng, scale: Scale, symbol: String, base: u32, quote: u32) -> InstrumentSpec {
    let base_atoms_per_lot = *rng.pick(&[1, 3, 10, 1_000]);
    let terms = terms(rng, scale);
    let mut collateral = Vec::new();
    if quote == 1 && rng.one_in(2) {
        let mut below = CollateralTier { up_to_lots: 0, haircut_ppm: 0 };
        for _ in 0..1 + rng.below(3) {
            let up_to_lots = below.up_to_lots + rng.between(1, 1 + terms.position_max_lots / 4);
            let haircut_ppm = rng.between(below.haircut_ppm.into(), 1_000_000) as i32;
            below = CollateralTier { up_to_lots, haircut_ppm };
            if up_to_lots <= terms.position_max_lots {
                collateral.push(below);
            }
        }
    }
    let product = Product::Spot { base, quote, base_atoms_per_lot };
    let halt = rng.one_in(4).then(|| Box::new(halts::halt(rng)));
    let haircut = collateral.first().map(|tier| tier.haircut_ppm);
    let conversion_slippage_ppm =
        haircut.filter(|_| !rng.one_in(4)).map(|most| rng.between(0, most.into()) as i32);
    let spec = InstrumentSpec::new(symbol, product, terms);
    InstrumentSpec { collateral, conversion_slippage_ppm, halt, ..spec }
}

pub(super) fn perpetual(rng: &mut Rng, scale: Scale, symbol: String) -> InstrumentSpec {
    let initial_margin_ppm = *rng.pick(&[10_000, 50_000, 333_333, 1_000_000]);
    let maintenance_margin_ppm = rng.between(1, i64::from(initial_margin_ppm)) as i32;
    let product = Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm };
    let mut spec = InstrumentSpec::new(symbol, product, terms(rng, scale));
    if rng.one_in(2) {
        spec.margin = Some(margin(rng, &spec, initial_margin_ppm, maintenance_margin_ppm));
    }
    spec.isolated_only = rng.one_in(10);
    if !rng.one_in(3) {
        spec.liquidation = Some(Box::new(liquidation::terms(rng, &spec)));
    }
    if rng.one_in(4) {
        spec.halt = Some(Box::new(halts::halt(rng)));
    }
    spec
}

/// Tiers and bounds of open interest where positions of this world come.
fn margin(rng: &mut Rng, spec: &InstrumentSpec, initial_ppm: i32, maintenance_ppm: i32) -> MarginSpec {
    let lot = i128::from(spec.terms.price_max_ticks) * i128::from(spec.terms.quote_atoms_per_tick_lot);
    let reached = 1 + lot * i128::from(spec.terms.position_max_lots) / 8;
    let mut below = MarginTier {
        notional_from: Amount(0),
        initial_ppm,
        maintenance_ppm: maintenance_ppm.min(initial_ppm),
    };
    let mut tiers = Vec::new();
    for _ in 0..rng.below(4) {
        let initial_ppm = rng.between(below.initial_ppm.into(), 1_000_000) as i32;
        let maintenance_ppm = rng.between(below.maintenance_ppm.into(), initial_ppm.into()) as i32;
        let notional_from = Amount(below.notional_from.0 + 1 + reached * i128::from(rng.below(100)) / 100);
        below = MarginTier { notional_from, initial_ppm, maintenance_ppm };
        tiers.push(below);
    }
    let open_interest_scaling = rng.one_in(2).then(|| {
        let lower = Amount(reached * i128::from(rng.below(200)) / 100);
        OpenInterestBounds { lower, upper: Amount(lower.0 + 1 + reached * i128::from(rng.below(400)) / 100) }
    });
    MarginSpec { tiers, open_interest_scaling }
}

pub(super) fn publisher(number: usize) -> PublisherSpec {
    PublisherSpec { symbol: format!("PUB{number}"), key: format!("{number:064x}") }
}

/// An oracle with some of `publishers` as its sources.
pub(super) fn oracle(rng: &mut Rng, publishers: u32) -> OracleSpec {
    let count = rng.between(1, i64::from(publishers)) as u32;
    let weight = |rng: &mut Rng| *rng.pick(&[1, 1, 2]);
    let mut sources: Vec<SourceSpec> =
        (1..=count).map(|publisher| SourceSpec { publisher, weight: weight(rng) }).collect();
    let whole: u32 = sources.iter().map(|source| source.weight).sum();
    if sources.iter().any(|source| 2 * source.weight > whole) {
        sources.iter_mut().for_each(|source| source.weight = 3);
    }
    OracleSpec {
        sources,
        sources_min: 1 + rng.below(u64::from(count.min(2))) as u32,
        stale_after_ms: *rng.pick(&[1, 4_000, 60_000, 3_600_000, 3_600_000]),
        deviation_ppm: *rng.pick(&[1, 50_000, 400_000]),
        step_max_ppm: *rng.pick(&[0, 0, 1, 100_000]),
        mark_band_ppm: *rng.pick(&[1, 50_000, 400_000, 999_999]),
        reopen_ms: *rng.pick(&[0, 1, 3_000]),
    }
}

/// Funding whose interval the jumps of time of this world reach.
pub(super) fn funding(rng: &mut Rng, spec: &InstrumentSpec) -> FundingSpec {
    let whole = i128::from(spec.terms.quote_atoms_per_tick_lot) * i128::from(spec.terms.price_max_ticks);
    FundingSpec {
        interval_h: *rng.pick(&[1, 1, 4, 8]),
        interest: *rng.pick(&[0, 100_000_000, 10_000_000_000, -10_000_000_000]),
        clamp: *rng.pick(&[0, 500_000_000, 10_000_000_000]),
        cap: *rng.pick(&[1, 40_000_000_000, 100_000_000_000]),
        impact_notional: Amount((whole * i128::from(rng.between(1, 12)) / 2).clamp(1, (1 << 80) - 1)),
        sample_s: *rng.pick(&[1, 1, 5, 60]),
    }
}

fn spoil_funding(rng: &mut Rng, spec: &mut FundingSpec) {
    match rng.below(6) {
        0 => spec.interval_h = *rng.pick(&[0, 2, 9]),
        1 => spec.interest = *rng.pick(&[-10_000_000_001, 10_000_000_001]),
        2 => spec.clamp = *rng.pick(&[-1, 10_000_000_001]),
        3 => spec.cap = *rng.pick(&[0, 100_000_000_001]),
        4 => spec.impact_notional = Amount(*rng.pick(&[0, 1 << 80])),
        _ => spec.sample_s = *rng.pick(&[0, 61]),
    }
}

pub(super) fn spoil_oracle(rng: &mut Rng, spec: &mut OracleSpec) {
    match rng.below(16) {
        0 => spec.sources.clear(),
        1 => spec.sources = vec![spec.sources[0]; 17],
        2 => spec.sources[0].publisher = *rng.pick(&[0, 99]),
        3 => spec.sources.push(spec.sources[0]),
        4 => spec.sources[0].weight = *rng.pick(&[0, 1_000_001]),
        5 => spec.sources_min = *rng.pick(&[0, 17]),
        6 | 12..16 => (spec.sources[0].weight, spec.sources_min) = (1_000_000, 2),
        7 => spec.stale_after_ms = *rng.pick(&[0, 3_600_001]),
        8 => spec.deviation_ppm = *rng.pick(&[0, 1_000_000]),
        9 => spec.step_max_ppm = *rng.pick(&[-1, 1_000_000]),
        10 => spec.mark_band_ppm = *rng.pick(&[0, 1_000_000]),
        _ => spec.reopen_ms = 3_600_001,
    }
}

pub(super) fn question(rng: &mut Rng, scale: Scale, number: usize, outcomes: usize) -> QuestionSpec {
    let ticks_per_unit = rng.between(2, 21);
    let mut terms = terms(rng, scale);
    terms.price_max_ticks = ticks_per_unit - 1;
    terms.band_ppm = 0;
    let outcome =
        |at: usize| OutcomeSpec { symbol: format!("Q{number}.{at}"), name: format!("outcome {at}") };
    QuestionSpec {
        symbol: format!("Q{number}"),
        text: "Which outcome comes?".into(),
        outcomes: (1..=outcomes).map(outcome).collect(),
        ticks_per_unit,
        terms,
        resolution: None,
        later: None,
        implied: rng.one_in(2),
        link: None,
    }
}

/// Makes one thing wrong in a deployment.
pub(super) fn spoil(rng: &mut Rng, command: &mut DeployCommand) {
    match command {
        DeployCommand::Genesis(_) => {}
        DeployCommand::Asset(spec) => match rng.below(4) {
            0 => spoil_symbol(rng, &mut spec.symbol, "ASSET1"),
            1 => spec.debt_max = Some(Amount(*rng.pick(&[-1, 0, 1 << 96]))),
            _ => spec.decimals = *rng.pick(&[18, 19, 255]),
        },
        DeployCommand::Class(spec) => spoil_symbol(rng, &mut spec.symbol, "CLASS1"),
        DeployCommand::Venue(spec) => match rng.below(7) {
            5 => spec.counterparty.requires = 1 << 31,
            6 => spec.counterparty.forbids = spec.counterparty.requires | *rng.pick(&[0, 1 << 31]),
            0 => spoil_symbol(rng, &mut spec.symbol, "VENUE1"),
            1 => spec.admission.requires = 1 << 31,
            2 => spec.admission.forbids = spec.admission.requires | *rng.pick(&[0, 1 << 31]),
            _ => spec.fees = Some(bad_fees(rng)),
        },
        DeployCommand::Underlying(spec) => underlyings::spoil_underlying(rng, spec),
        DeployCommand::Question(spec) if spec.link.is_some() && rng.one_in(2) => {
            spec.link.iter_mut().for_each(|link| underlyings::spoil_link(rng, link));
        }
        DeployCommand::Governance(_)
        | DeployCommand::DeployAs(_)
        | DeployCommand::ProposeAct(_)
        | DeployCommand::UpdateInstrument(_)
        | DeployCommand::UpdateVenue(_)
        | DeployCommand::UpdateQuestion(_) => super::chaos::spoil_governed(rng, command),
        DeployCommand::Publisher(spec) => match rng.below(3) {
            0 => spoil_symbol(rng, &mut spec.symbol, "PUB1"),
            _ => spec.key = (*rng.pick(&["", "zz", "00"])).to_string() + &"f".repeat(62),
        },
        DeployCommand::Instrument(spec) if spec.funding.is_some() && rng.one_in(3) => {
            spec.funding.iter_mut().for_each(|funding| spoil_funding(rng, funding));
        }
        DeployCommand::Instrument(spec) => match rng.below(if spec.oracle.is_some() { 17 } else { 13 }) {
            13.. => spec.oracle.iter_mut().for_each(|oracle| spoil_oracle(rng, oracle)),
            0 => spoil_symbol(rng, &mut spec.symbol, "PERP1"),
            1 => spoil_product(rng, spec),
            2..=5 if matches!(spec.product, Product::Perpetual { .. }) != rng.one_in(8) => {
                spoil_margin(rng, spec)
            }
            2..=5 => super::collateral::spoil_collateral(rng, spec),
            6..=9 => liquidation::spoil(rng, spec),
            10 => halts::spoil_halt(rng, spec),
            _ => spoil_terms(rng, &mut spec.terms),
        },
        DeployCommand::Question(QuestionSpec { outcomes, later: Some(later), .. }) if rng.one_in(3) => {
            let outcomes = outcomes.len() as u32;
            match rng.below(2) {
                0 => later.any_other = *rng.pick(&[outcomes, u32::MAX]),
                _ => later.outcomes_max = *rng.pick(&[0, outcomes, 200]),
            }
        }
        DeployCommand::Question(spec) if spec.resolution.is_some() && rng.percent(60) => {
            spec.resolution.iter_mut().for_each(|terms| questions::spoil_resolution(rng, terms));
        }
        DeployCommand::Question(spec) => spoil_question(rng, spec),
        DeployCommand::AddOutcome(asked) => match rng.below(3) {
            0 => asked.question = *rng.pick(&[0, 99, u32::MAX]),
            _ => spoil_symbol(rng, &mut asked.symbol, "PERP1"),
        },
        DeployCommand::SettleQuestion(asked)
        | DeployCommand::ProposeResolution(asked)
        | DeployCommand::DecideResolution(asked) => questions::spoil_payouts(rng, asked),
    }
}

fn spoil_symbol(rng: &mut Rng, symbol: &mut String, taken: &str) {
    *symbol = match rng.below(6) {
        0 => String::new(),
        long @ (1 | 4) => "X".repeat(if long == 1 { 65 } else { 64 }),
        2 => "A B".into(),
        3 => "é".into(),
        _ => taken.into(),
    };
}

pub(super) fn bad_fees(rng: &mut Rng) -> Fees {
    let pairs = [(0, -1), (0, 100_001), (100_001, 100_000), (-11, 10), (i32::MIN, 5), (7, i32::MAX)];
    let (maker_ppm, taker_ppm) = *rng.pick(&pairs);
    Fees { maker_ppm, taker_ppm, ceiling_ppm: 0 }
}

fn spoil_terms(rng: &mut Rng, terms: &mut InstrumentTerms) {
    match rng.below(14) {
        0 => terms.quote_atoms_per_tick_lot = 0,
        1 => terms.price_max_ticks = *rng.pick(&[0, -1, 1 << 40, i64::MAX]),
        2 => terms.qty_min_lots = *rng.pick(&[0, -1, i64::MIN]),
        3 => terms.qty_max_lots = *rng.pick(&[0, terms.qty_min_lots - 1, 1 << 40]),
        4 => terms.notional_min = Amount(*rng.pick(&[-1, 1 << 96, i128::MAX])),
        5 => terms.notional_max = Amount(*rng.pick(&[0, 1 << 96, terms.notional_min.0 - 1])),
        6 => terms.position_max_lots = *rng.pick(&[0, 1 << 40, i64::MAX]),
        7 => {
            terms.quote_atoms_per_tick_lot = u32::MAX;
            terms.price_max_ticks = (1 << 40) - 1;
            terms.position_max_lots = *rng.pick(&[(1 << 24) - 1, (1 << 24) + 1]);
        }
        8 => terms.orders_per_account_max = 0,
        9 => terms.band_ppm = *rng.pick(&[-1, 1_000_000]),
        10 => terms.fees = bad_fees(rng),
        11 => terms.split.protocol_ppm += *rng.pick(&[1, -1, i32::MIN / 2]),
        12 => {
            let texts = [
                "",
                "0",
                "0.00",
                "1.",
                ".5",
                "1.2.3",
                "-1",
                "1e3",
                "ten",
                "0.000000000000000000000000000001",
            ];
            terms.tick_size = (*rng.pick(&texts)).into();
        }
        _ => terms.lot_size = "9".repeat(*rng.pick(&[0, 33, 32])),
    }
}

fn spoil_product(rng: &mut Rng, spec: &mut InstrumentSpec) {
    match &mut spec.product {
        Product::Spot { .. } if rng.one_in(6) => spec.isolated_only = true,
        Product::Spot { base, quote, base_atoms_per_lot } => match rng.below(4) {
            0 => *base = *rng.pick(&[0, 99, *quote]),
            1 => *quote = *rng.pick(&[0, 99]),
            _ => *base_atoms_per_lot = *rng.pick(&[0, 1 << 63, u64::MAX, (1 << 63) - 1]),
        },
        Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } => match rng.below(2) {
            0 => *initial_margin_ppm = *rng.pick(&[0, -1, 1_000_001]),
            _ => *maintenance_margin_ppm = *rng.pick(&[0, *initial_margin_ppm + 1]),
        },
    }
}

fn spoil_margin(rng: &mut Rng, spec: &mut InstrumentSpec) {
    let margin = spec.margin.get_or_insert_default();
    let tier = MarginTier { notional_from: Amount(100), initial_ppm: 1_000_000, maintenance_ppm: 1_000_000 };
    if margin.tiers.is_empty() {
        margin.tiers.push(tier);
    }
    let last = margin.tiers.len() - 1;
    match rng.below(8) {
        0 | 7 => {
            let tier = |from: i128| MarginTier { notional_from: Amount(from), ..tier };
            margin.tiers = (1..=*rng.pick(&[16, 17, 17])).map(tier).collect();
        }
        1 => {
            margin.tiers[last].notional_from = Amount(*rng.pick(&[0, -1, 1 << 96, (1 << 96) - 1, i128::MIN]))
        }
        2 => margin.tiers[last].initial_ppm = *rng.pick(&[0, 1_000_001, i32::MIN]),
        3 => margin.tiers[last].maintenance_ppm = *rng.pick(&[0, 1_000_001]),
        4 => margin.tiers[last].maintenance_ppm = margin.tiers[last].initial_ppm + 1,
        5 => {
            let lower = Amount(*rng.pick(&[-1, 0, 1 << 96]));
            margin.open_interest_scaling = Some(OpenInterestBounds { lower, upper: Amount(1 << 90) });
        }
        _ => {
            let upper = Amount(*rng.pick(&[0, 9, 10, 1 << 96, (1 << 96) - 1]));
            margin.open_interest_scaling = Some(OpenInterestBounds { lower: Amount(9), upper });
        }
    }
}

fn spoil_question(rng: &mut Rng, spec: &mut QuestionSpec) {
    match rng.below(10) {
        0 => spoil_symbol(rng, &mut spec.symbol, "Q1"),
        1 => spoil_symbol(rng, &mut spec.outcomes[0].symbol, "PERP1"),
        2 => spec.outcomes[1].symbol = spec.outcomes[0].symbol.clone(),
        3 => spec.outcomes.truncate(1),
        4 => spec.outcomes.clear(),
        5 => spec.ticks_per_unit = *rng.pick(&[1, 0, 1 << 40]),
        6 => spec.terms.price_max_ticks += 1,
        7 => spec.terms.band_ppm = 5,
        8 => {
            // A unit of 2^24 is within the bound of a position's value, one more is not.
            spec.ticks_per_unit = (1 << 24) + rng.between(0, 1);
            spec.terms.price_max_ticks = spec.ticks_per_unit - 1;
            spec.terms.quote_atoms_per_tick_lot = u32::MAX;
            spec.terms.position_max_lots = (1 << 40) - 1;
        }
        _ => spoil_terms(rng, &mut spec.terms),
    }
}
