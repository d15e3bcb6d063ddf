//! Rules of auto-deleveraging compared on one simulated cascade, for `xos sim adl`.

use crate::fault::panic_text;
use crate::outcome::integer_of;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::panic::{AssertUnwindSafe, catch_unwind};
use xos_sim::adl::{Comparison, LEVERAGE_TENTHS, Outcome, compare};

const ACCOUNTS_MAX: usize = 1_000_000;
const MARKETS_MAX: usize = 10_000;

/// Runs the cascade of a seed under every rule.
#[pyfunction]
#[pyo3(signature = (seed, accounts, markets, /))]
pub(crate) fn sim_adl(
    py: Python<'_>,
    seed: u64,
    accounts: usize,
    markets: usize,
) -> PyResult<Bound<'_, PyDict>> {
    if !(200..=ACCOUNTS_MAX).contains(&accounts) || !(1..=MARKETS_MAX).contains(&markets) {
        return Err(PyValueError::new_err(format!(
            "{accounts} accounts and {markets} markets: 200 to {ACCOUNTS_MAX} and 1 to {MARKETS_MAX} can be simulated"
        )));
    }
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(|| compare(seed, accounts, markets))));
    dict_of(py, &done.map_err(|panic| PyRuntimeError::new_err(panic_text(&*panic)))?)
}

fn dict_of<'py>(py: Python<'py>, comparison: &Comparison) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("seed", comparison.seed)?;
    dict.set_item("accounts", comparison.accounts)?;
    dict.set_item("markets", comparison.markets)?;
    dict.set_item("positions", comparison.positions)?;
    dict.set_item("leverage_tenths", LEVERAGE_TENTHS.to_vec())?;
    let rules = PyList::empty(py);
    for outcome in &comparison.outcomes {
        rules.append(outcome_of(py, outcome)?)?;
    }
    dict.set_item("rules", rules)?;
    Ok(dict)
}

fn outcome_of<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", outcome.name)?;
    let amounts = [
        ("deficit", outcome.deficit),
        ("haircut", outcome.haircut),
        ("overshoot", outcome.overshoot),
        ("beyond_profit", outcome.beyond_profit),
        ("unresolved", outcome.unresolved),
        ("closed", outcome.closed),
        ("hedged_closed", outcome.hedged_closed),
    ];
    for (name, amount) in amounts {
        dict.set_item(name, integer_of(py, amount))?;
    }
    let counts = [
        ("fills", outcome.fills),
        ("allocations", outcome.allocations),
        ("bankrupt", outcome.bankrupt),
        ("liquidated", outcome.liquidated),
        ("payers", outcome.payers),
        ("hardest_twentieth_ppm", outcome.hardest_twentieth_ppm),
        ("hit_tenfold", outcome.hit_tenfold),
        ("gini_ppm", outcome.gini_ppm),
    ];
    for (name, count) in counts {
        dict.set_item(name, count)?;
    }
    dict.set_item("curve_ppm", outcome.curve_ppm.clone())?;
    let buckets = PyList::empty(py);
    for &(winners, profit, haircut) in &outcome.by_leverage {
        buckets.append((winners, integer_of(py, profit), integer_of(py, haircut)))?;
    }
    dict.set_item("by_leverage", buckets)?;
    dict.set_item("adl_ns", outcome.adl_ns)?;
    Ok(dict)
}
