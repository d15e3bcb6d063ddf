//! Deployments as one line each: the kind, the symbol, and what differs from the defaults.

use super::columns::{integer, symbol_or_number};
use super::commands::Desk;
use super::governance_rows;
use super::parse::nanoseconds;
use super::question_specs::{addition, payouts, question};
use super::underlying_specs::underlying;
use xos_engine::Engine;
use xos_protocol::{
    AssetSpec, ClassRule, ClassSpec, CollateralTier, DeployCommand, Fees, FundingSpec, GrowthSpec, HaltSpec,
    HedgeSpec, InstrumentSpec, InstrumentTerms, Limits, LiquidationPolicy, LiquidationPrice, LiquidationSpec,
    MarginSpec, MarginTier, Matching, OpenInterestBounds, OracleSpec, Phases, Product, PublisherSpec,
    SourceSpec, Split, TrancheSpec, VenueSpec, VolumeTier,
};
use xos_units::{Amount, AssetId};

/// The words of a line as `name=value`, each taken once.
pub(super) struct Words<'a> {
    left: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [String]) -> Result<Self, String> {
        let pair = |word: &'a String| word.split_once('=').ok_or(format!("{word:?} is not name=value"));
        Ok(Self { left: words.iter().map(pair).collect::<Result<_, _>>()? })
    }

    pub(super) fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(found, _)| *found == name)?;
        Some(self.left.remove(at).1)
    }

    pub(super) fn text(&mut self, name: &str, default: &str) -> String {
        self.take(name).unwrap_or(default).to_string()
    }

    pub(super) fn number<T: TryFrom<i128>>(&mut self, name: &str, default: T) -> Result<T, String> {
        self.take(name).map_or(Ok(default), |text| integer(text))
    }

    pub(super) fn ppm(&mut self, name: &str, default: i32) -> Result<i32, String> {
        self.take(name).map_or(Ok(default), ppm)
    }

    pub(super) fn end(self) -> Result<(), String> {
        match self.left.first() {
            Some((name, _)) => Err(format!("{name:?} is not known here, or stands twice")),
            None => Ok(()),
        }
    }
}

/// `500` is 500 ppm, `0.05%` the same.
pub(super) fn ppm(text: &str) -> Result<i32, String> {
    let Some(percent) = text.strip_suffix('%') else { return integer(text) };
    let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
    if part.len() > 4 {
        return Err(format!("{text} is finer than one ppm"));
    }
    integer(&format!("{whole}{part:0<4}"))
}

/// The bytes of the deployment that a line describes.
pub(super) fn body(words: &[String], desk: &Desk<'_>) -> Result<Vec<u8>, String> {
    let kind = words[0].as_str();
    if kind == "limits" {
        return Ok(DeployCommand::Genesis(limits(&words[1..])?).to_bytes());
    }
    let Some(symbol) = words.get(1) else { return Err(format!("{kind} needs a symbol")) };
    if kind == "bytes" {
        return hex(symbol);
    }
    if kind == "update" {
        return update(&words[1..], desk);
    }
    if kind == "act" {
        return Ok(super::vote_rows::act(&words[1..], desk)?.to_bytes());
    }
    if kind == "governance" {
        let mut words = Words::new(&words[1..])?;
        let spec = governance_rows::terms(&mut words, desk)?;
        words.end()?;
        return Ok(DeployCommand::Governance(Box::new(spec)).to_bytes());
    }
    let symbol = if symbol == "\"\"" { String::new() } else { symbol.clone() };
    let mut words = Words::new(&words[2..])?;
    let deployer = words.take("deployer").map(|name| desk.names.account(name)).transpose()?;
    let command = deployment(kind, symbol, &mut words, desk)?;
    words.end()?;
    match deployer {
        None => Ok(command.to_bytes()),
        Some(account) => Ok(governance_rows::brought(account, command)?.to_bytes()),
    }
}

/// `update perpetual BTC on=BTC delay_s=60` and the words of a deployment: `on` is the market where the symbol is another.
fn update(words: &[String], desk: &Desk<'_>) -> Result<Vec<u8>, String> {
    let [kind, symbol, ..] = words else { return Err("update needs a kind and a symbol".into()) };
    let mut words = Words::new(&words[2..])?;
    let (delay_s, account) = governance_rows::announcement(&mut words, desk)?;
    let on = words.text("on", symbol);
    let deployed = deployment(kind, symbol.clone(), &mut words, desk)?;
    words.end()?;
    Ok(governance_rows::update(&on, deployed, delay_s, account, desk)?.to_bytes())
}

pub(super) fn deployment(
    kind: &str,
    symbol: String,
    words: &mut Words<'_>,
    desk: &Desk<'_>,
) -> Result<DeployCommand, String> {
    let engine = desk.engine;
    Ok(match kind {
        "asset" => DeployCommand::Asset({
            let debt_max = words.take("debt_max").map(|text| text.parse().map(Amount));
            let debt_max = debt_max.transpose().map_err(|_| "debt_max is atoms")?;
            let debt_interest_ppm = words.number("debt_interest_ppm", 0)?;
            AssetSpec { debt_max, debt_interest_ppm, ..AssetSpec::new(symbol, words.number("decimals", 2)?) }
        }),
        "venue" => venue(symbol, words, engine)?,
        "class" => {
            let counterparty = words.take("counterparty").is_some();
            DeployCommand::Class(ClassSpec { symbol, counterparty })
        }
        "publisher" => {
            DeployCommand::Publisher(PublisherSpec { symbol, key: words.text("key", &"0".repeat(64)) })
        }
        "spot" => spot(symbol, words, desk)?,
        "perpetual" => perpetual(symbol, words, desk)?,
        "underlying" => underlying(symbol, words, engine)?,
        "outcome" => addition(symbol, words, desk)?,
        "settle" => DeployCommand::SettleQuestion(payouts(&symbol, words, desk)?),
        "propose" => DeployCommand::ProposeResolution(payouts(&symbol, words, desk)?),
        "decide" => DeployCommand::DecideResolution(payouts(&symbol, words, desk)?),
        _ => question(symbol, words, desk)?,
    })
}

/// `requires=kyc_1,eu forbids=us` of the accounts that it admits, `counterparty_requires` and `counterparty_forbids` of
/// those with whom its orders trade; then its fees.
fn venue(symbol: String, words: &mut Words<'_>, engine: &Engine) -> Result<DeployCommand, String> {
    let mut classes = |name| words.take(name).map_or(Ok(0), |text| super::columns::classes(engine, text));
    let admission = ClassRule { requires: classes("requires")?, forbids: classes("forbids")? };
    let counterparty =
        ClassRule { requires: classes("counterparty_requires")?, forbids: classes("counterparty_forbids")? };
    let fees_to = words.number("fees_to", 0)?;
    let lists = words.take("lists").map(numbers).transpose()?;
    let simulated = words.take("simulated").is_some();
    let tiers = words.take("tiers").map_or(Ok(Vec::new()), tiers)?;
    let fees = venue_fees(words)?;
    Ok(DeployCommand::Venue(VenueSpec {
        symbol,
        fees,
        admission,
        counterparty,
        fees_to,
        lists,
        tiers,
        simulated,
    }))
}

/// `tiers=1000:0:500,5000:-10:300`: volume, maker and taker rate.
fn tiers(text: &str) -> Result<Vec<VolumeTier>, String> {
    let tier = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        let [volume, maker, taker] = parts[..] else {
            return Err(format!("{text:?} is not volume:maker:taker"));
        };
        let volume_from = Amount(integer(volume)?);
        Ok(VolumeTier { volume_from, maker_ppm: ppm(maker)?, taker_ppm: ppm(taker)? })
    };
    text.split(',').map(tier).collect()
}

/// `lists=1,3`: numbers of instruments; `lists=`: none.
fn numbers(text: &str) -> Result<Vec<u32>, String> {
    text.split(',').filter(|part| !part.is_empty()).map(integer).collect()
}

fn venue_fees(words: &mut Words<'_>) -> Result<Option<Fees>, String> {
    if words.left.is_empty() {
        return Ok(None);
    }
    Ok(Some(fees(words)?))
}

fn fees(words: &mut Words<'_>) -> Result<Fees, String> {
    Ok(Fees {
        maker_ppm: words.ppm("maker", 0)?,
        taker_ppm: words.ppm("taker", 0)?,
        ceiling_ppm: words.ppm("ceiling", 0)?,
    })
}

fn spot(symbol: String, words: &mut Words<'_>, desk: &Desk<'_>) -> Result<DeployCommand, String> {
    let engine = desk.engine;
    let mut asset = |name: &str| -> Result<u32, String> {
        let text = words.take(name).ok_or(format!("spot needs {name}=asset"))?;
        let find = |id| engine.assets().get(AssetId(id).index()).map(|spec| spec.symbol.as_str());
        symbol_or_number(text, "asset", find)
    };
    let (base, quote) = (asset("base")?, asset("quote")?);
    let product = Product::Spot { base, quote, base_atoms_per_lot: words.number("lot_atoms", 1)? };
    instrument(symbol, product, words, desk)
}

/// What spot instruments and perpetuals may say, in its place or not.
fn instrument(
    symbol: String,
    product: Product,
    words: &mut Words<'_>,
    desk: &Desk<'_>,
) -> Result<DeployCommand, String> {
    let engine = desk.engine;
    let (margin, oracle, funding) = (margin(words)?, oracle(words, engine)?, funding(words)?);
    let liquidation = liquidation(words, engine)?;
    let halt = halt(words)?;
    let collateral = words.take("collateral").map_or(Ok(Vec::new()), collateral)?;
    let conversion_slippage_ppm = words.take("conversion").map(ppm).transpose()?;
    let isolated_only = words.take("margin_mode") == Some("isolated");
    let spec = InstrumentSpec::new(symbol, product, terms(words, 1_000_000, desk.time_ns)?);
    let funding = funding.map(Box::new);
    let spec = InstrumentSpec { margin, oracle, funding, collateral, liquidation, halt, ..spec };
    Ok(DeployCommand::Instrument(InstrumentSpec { isolated_only, conversion_slippage_ppm, ..spec }))
}

/// `10:5%,30:20%`: lots up to which, and the haircut.
fn collateral(text: &str) -> Result<Vec<CollateralTier>, String> {
    let tier = |text: &str| {
        let (up_to, haircut) = text.split_once(':').ok_or(format!("{text:?} is no up_to:haircut"))?;
        Ok(CollateralTier { up_to_lots: integer(up_to)?, haircut_ppm: ppm(haircut)? })
    };
    text.split(',').map(tier).collect()
}

fn perpetual(symbol: String, words: &mut Words<'_>, desk: &Desk<'_>) -> Result<DeployCommand, String> {
    let product = Product::Perpetual {
        initial_margin_ppm: words.ppm("im", 100_000)?,
        maintenance_margin_ppm: words.ppm("mm", 50_000)?,
    };
    instrument(symbol, product, words, desk)
}

/// `liquidation=ladder`, `full` or `growing`, then `slice`, `full_below`, `cooldown_ms`, `liquidation_fee`, `backstop`,
/// `draw_max`, `tranche=account:cap`, `hedge=asset:atoms`, `growth=seconds:initial:small`, `spread` (a fillable price).
fn liquidation(words: &mut Words<'_>, engine: &Engine) -> Result<Option<Box<LiquidationSpec>>, String> {
    let policy = match words.take("liquidation") {
        None => return Ok(None),
        Some("ladder") => LiquidationPolicy::Ladder,
        Some("full") => LiquidationPolicy::Full,
        Some("growing") => LiquidationPolicy::Growing,
        Some(other) => return Err(format!("{other:?} is neither ladder, full nor growing")),
    };
    let pair = |text: &str| -> Result<(String, i128), String> {
        let (name, number) = text.split_once(':').ok_or(format!("{text:?} is no name:number"))?;
        Ok((name.to_string(), integer(number)?))
    };
    let standard = LiquidationSpec::default();
    let amount =
        |text: Option<&str>, standard: Amount| text.map_or(Ok(standard), |text| integer(text).map(Amount));
    let mut spec = LiquidationSpec {
        policy,
        slice_ppm: words.ppm("slice", standard.slice_ppm)?,
        full_below: amount(words.take("full_below"), standard.full_below)?,
        cooldown_ms: words.number("cooldown_ms", standard.cooldown_ms)?,
        fee_ppm: words.ppm("liquidation_fee", standard.fee_ppm)?,
        backstop_ppm: words.ppm("backstop", standard.backstop_ppm)?,
        insurance_draw_max: amount(words.take("draw_max"), standard.insurance_draw_max)?,
        ..standard
    };
    if let Some(text) = words.take("growth") {
        let parts: Vec<&str> = text.split(':').collect();
        let [duration, initial, small] = parts[..] else {
            return Err(format!("{text:?} is not seconds:initial:small"));
        };
        spec.growth = Some(GrowthSpec {
            duration_s: duration.parse().map_err(|_| format!("{duration:?} is no number of seconds"))?,
            initial_ppm: ppm(initial)?,
            small_shortage: Amount(integer(small)?),
        });
    }
    if let Some(text) = words.take("spread") {
        (spec.price, spec.spread_ppm) = (LiquidationPrice::Fillable, ppm(text)?);
    }
    if let Some(text) = words.take("tranche") {
        let (account, cap) = pair(text)?;
        let account = account.parse().map_err(|_| format!("{account:?} is no account"))?;
        spec.tranche = Some(TrancheSpec { account, notional_max: Amount(cap) });
    }
    if let Some(text) = words.take("hedge") {
        let (asset, atoms) = pair(text)?;
        let find = |id| engine.assets().get(AssetId(id).index()).map(|spec| spec.symbol.as_str());
        let atoms_per_lot = u64::try_from(atoms).map_err(|_| format!("{atoms} atoms a lot"))?;
        spec.hedge = Some(HedgeSpec { asset: symbol_or_number(&asset, "asset", find)?, atoms_per_lot });
    }
    Ok(Some(Box::new(spec)))
}

/// `tiers=1000:20%:10%,5000:50%:25%` (from, initial, maintenance) and `open_interest=1000..9000`.
fn margin(words: &mut Words<'_>) -> Result<Option<MarginSpec>, String> {
    let (tiers, open_interest) = (words.take("tiers"), words.take("open_interest"));
    if tiers.is_none() && open_interest.is_none() {
        return Ok(None);
    }
    let tier = |text: &str| match text.split(':').collect::<Vec<_>>()[..] {
        [from, initial, maintenance] => Ok(MarginTier {
            notional_from: Amount(integer(from)?),
            initial_ppm: ppm(initial)?,
            maintenance_ppm: ppm(maintenance)?,
        }),
        _ => Err(format!("{text:?} is no tier: from:initial:maintenance")),
    };
    let bounds = |text: &str| -> Result<OpenInterestBounds, String> {
        let (lower, upper) = text.split_once("..").ok_or(format!("{text:?} is no lower..upper"))?;
        Ok(OpenInterestBounds { lower: Amount(integer(lower)?), upper: Amount(integer(upper)?) })
    };
    let tiers = tiers.map(|text| text.split(',').map(tier).collect()).transpose()?;
    let open_interest_scaling = open_interest.map(bounds).transpose()?;
    Ok(Some(MarginSpec { tiers: tiers.unwrap_or_default(), open_interest_scaling }))
}

/// `halt=10%` and its times in seconds.
fn halt(words: &mut Words<'_>) -> Result<Option<Box<HaltSpec>>, String> {
    let Some(text) = words.take("halt") else { return Ok(None) };
    Ok(Some(Box::new(HaltSpec {
        move_ppm: ppm(text)?,
        window_s: words.number("window_s", 60)?,
        pause_s: words.number("pause_s", 60)?,
        post_only_s: words.number("post_only_s", 10)?,
    })))
}

/// `funding=8h` and its other terms, rates in 1e-12.
fn funding(words: &mut Words<'_>) -> Result<Option<FundingSpec>, String> {
    let Some(text) = words.take("funding") else { return Ok(None) };
    Ok(Some(FundingSpec {
        interval_h: integer(text.strip_suffix('h').unwrap_or(text))?,
        interest: words.number("interest", 100_000_000)?,
        clamp: words.number("clamp", 500_000_000)?,
        cap: words.number("cap", 40_000_000_000)?,
        impact_notional: Amount(words.number("impact", 1_000)?),
        sample_s: words.number("sample_s", 5)?,
    }))
}

/// `oracle=FOX:2,OWL:1`: the sources with their weights; the other terms by name.
fn oracle(words: &mut Words<'_>, engine: &Engine) -> Result<Option<OracleSpec>, String> {
    let Some(text) = words.take("oracle") else { return Ok(None) };
    let source = |part: &str| -> Result<SourceSpec, String> {
        let (name, weight) = part.split_once(':').unwrap_or((part, "1"));
        Ok(SourceSpec { publisher: super::columns::publisher(engine, name)?, weight: integer(weight)? })
    };
    let sources: Vec<SourceSpec> =
        text.split(',').filter(|part| !part.is_empty()).map(source).collect::<Result<_, _>>()?;
    Ok(Some(OracleSpec {
        sources,
        sources_min: words.number("sources_min", 1)?,
        stale_after_ms: words.number("stale_after_ms", 10_000)?,
        deviation_ppm: words.ppm("deviation", 50_000)?,
        step_max_ppm: words.ppm("step_max", 0)?,
        mark_band_ppm: words.ppm("mark_band", 50_000)?,
        reopen_ms: words.number("reopen_ms", 10_000)?,
    }))
}

pub(super) fn terms(words: &mut Words<'_>, price_max: i64, now_ns: u64) -> Result<InstrumentTerms, String> {
    Ok(InstrumentTerms {
        quote_atoms_per_tick_lot: words.number("k", 1)?,
        tick_size: words.text("tick", "1"),
        lot_size: words.text("lot", "1"),
        price_max_ticks: words.number("price_max", price_max)?,
        qty_min_lots: words.number("qty_min", 1)?,
        qty_max_lots: words.number("qty_max", 1_000_000)?,
        notional_min: Amount(words.number("notional_min", 0)?),
        notional_max: Amount(words.number("notional_max", 1_000_000_000_000_000)?),
        position_max_lots: words.number("position_max", 1_000_000)?,
        orders_per_account_max: words.number("orders_max", 100)?,
        band_ppm: words.ppm("band", 0)?,
        fees: fees(words)?,
        split: words.take("split").map_or(Ok(Split::default()), split)?,
        matching: match words.take("matching").unwrap_or("arrival") {
            "arrival" => Matching::Arrival,
            "maker_first" => Matching::MakerFirst,
            other => return Err(format!("matching is {other:?}, expected arrival or maker_first")),
        },
        fees_to: words.number("fees_to", 0)?,
        venue: words.number("own_venue", 0)?,
        phases: phases(words, now_ns)?,
    })
}

/// `pre_open=+10s trading_close=+1h reopen_s=60`: times from now on.
fn phases(words: &mut Words<'_>, now_ns: u64) -> Result<Phases, String> {
    let mut time = |name: &str| match words.take(name) {
        None => Ok(0),
        Some(text) => {
            let ahead_ns = text.strip_prefix('+').and_then(nanoseconds).ok_or(format!("{name}=+1h"))?;
            Ok::<u64, String>(now_ns.saturating_add(ahead_ns))
        }
    };
    let (pre_open_until_ns, close_ns) = (time("pre_open")?, time("trading_close")?);
    Ok(Phases { pre_open_until_ns, close_ns, reopen_auction_s: words.number("reopen_s", 0)? })
}

/// `protocol:70%,venue:30%`; who is not named gets nothing.
fn split(text: &str) -> Result<Split, String> {
    let mut split = Split::NOTHING;
    for part in text.split(',') {
        if part == "receipts" {
            split.receipts = true;
            continue;
        }
        let (name, share) = part.split_once(':').ok_or(format!("{part:?} is not name:share"))?;
        let field = match name {
            "protocol" => &mut split.protocol_ppm,
            "deployer" => &mut split.deployer_ppm,
            "venue" => &mut split.venue_ppm,
            "insurance" => &mut split.insurance_ppm,
            "referrer" => &mut split.referrer_ppm,
            _ => {
                return Err(format!(
                    "{name:?} has no share; protocol, deployer, venue, insurance, referrer can"
                ));
            }
        };
        *field = ppm(share)?;
    }
    Ok(split)
}

fn limits(words: &[String]) -> Result<Limits, String> {
    let standard = Limits::default();
    let mut words = Words::new(words)?;
    let limits = Limits {
        accounts_max: words.number("accounts_max", standard.accounts_max)?,
        assets_max: words.number("assets_max", standard.assets_max)?,
        venues_max: words.number("venues_max", standard.venues_max)?,
        publishers_max: words.number("publishers_max", standard.publishers_max)?,
        profiles_max: words.number("profiles_max", standard.profiles_max)?,
        underlyings_max: words.number("underlyings_max", standard.underlyings_max)?,
        instruments_max: words.number("instruments_max", standard.instruments_max)?,
        questions_max: words.number("questions_max", standard.questions_max)?,
        outcomes_per_question_max: words
            .number("outcomes_per_question_max", standard.outcomes_per_question_max)?,
        perpetuals_per_account_max: words
            .number("perpetuals_per_account_max", standard.perpetuals_per_account_max)?,
        instruments_per_account_max: words
            .number("instruments_per_account_max", standard.instruments_per_account_max)?,
        orders_per_account_max: words.number("orders_per_account_max", standard.orders_per_account_max)?,
        triggers_per_account_max: words
            .number("triggers_per_account_max", standard.triggers_per_account_max)?,
        triggers_fired_per_command_max: words
            .number("triggers_fired_per_command_max", standard.triggers_fired_per_command_max)?,
        matches_per_command_max: words.number("matches_per_command_max", standard.matches_per_command_max)?,
        funding_settlements_per_command_max: words
            .number("funding_settlements_per_command_max", standard.funding_settlements_per_command_max)?,
        payouts_per_command_max: words.number("payouts_per_command_max", standard.payouts_per_command_max)?,
        client_ids_max: words.number("client_ids_max", standard.client_ids_max)?,
        client_ids_per_account_max: words
            .number("client_ids_per_account_max", standard.client_ids_per_account_max)?,
        client_id_retention_ns: words.number("client_id_retention_ns", standard.client_id_retention_ns)?,
        frame_commands_max: words.number("frame_commands_max", standard.frame_commands_max)?,
        risk_checks_per_command_max: words
            .number("risk_checks_per_command_max", standard.risk_checks_per_command_max)?,
        liquidations_per_command_max: words
            .number("liquidations_per_command_max", standard.liquidations_per_command_max)?,
        change_delay_s_min: words.number("change_delay_s_min", standard.change_delay_s_min)?,
        delisting_window_s: words.number("delisting_window_s", standard.delisting_window_s)?,
        delisting_auction_s: words.number("delisting_auction_s", standard.delisting_auction_s)?,
    };
    words.end()?;
    Ok(limits)
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.ok_or(format!("{text:?} is not pairs of hexadecimal digits"))
}
