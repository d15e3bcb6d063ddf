//! Underlyings, and what ties a question to one, as lines.

use super::columns::{self, integer};
use super::specs::{Words, ppm};
use xos_engine::Engine;
use xos_protocol::{DeployCommand, PriceRange, QuestionLink, ScenarioSpec, UnderlyingSpec};

/// `instruments=BTC,ETH scenarios=-16%:100%,50%:32% maintenance=50% floor=1% width=2%`.
pub(super) fn underlying(
    symbol: String,
    words: &mut Words<'_>,
    engine: &Engine,
) -> Result<DeployCommand, String> {
    let names = words.take("instruments").ok_or("underlying needs instruments=A,B")?;
    let ids = names.split(',').filter(|name| !name.is_empty()).map(|name| columns::instrument(engine, name));
    let instruments = ids.collect::<Result<_, _>>()?;
    let scenario = |text: &str| -> Result<ScenarioSpec, String> {
        let (shock, weight) = text.split_once(':').ok_or(format!("{text:?} is no shock:weight"))?;
        Ok(ScenarioSpec { shock_ppm: ppm(shock)?, weight_ppm: ppm(weight)? })
    };
    let scenarios = words.take("scenarios").unwrap_or("-16%:100%,-8%:100%,8%:100%,16%:100%");
    let scenarios = scenarios.split(',').filter(|text| !text.is_empty()).map(scenario);
    Ok(DeployCommand::Underlying(UnderlyingSpec {
        symbol,
        instruments,
        scenarios: scenarios.collect::<Result<_, _>>()?,
        maintenance_ppm: words.ppm("maintenance", 500_000)?,
        floor_ppm: words.ppm("floor", 10_000)?,
        width_ppm: words.ppm("width", 20_000)?,
    }))
}

/// `underlying=1 reference=BTC ranges=0..100,100..1000001`.
pub(super) fn link(words: &mut Words<'_>, engine: &Engine) -> Result<Option<QuestionLink>, String> {
    let Some(reference) = words.take("reference") else { return Ok(None) };
    let range = |text: &str| -> Result<PriceRange, String> {
        let (low, high) = text.split_once("..").ok_or(format!("{text:?} is no low..high"))?;
        Ok(PriceRange { low: integer(low)?, high: integer(high)? })
    };
    let ranges = words.take("ranges").unwrap_or_default();
    let ranges = ranges.split(',').filter(|text| !text.is_empty()).map(range);
    Ok(Some(QuestionLink {
        underlying: words.number("underlying", 1)?,
        instrument: columns::instrument(engine, reference)?,
        ranges: ranges.collect::<Result<_, _>>()?,
    }))
}
