//! Questions and their resolvers, read from the engine.

use crate::exchange::Exchange;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xos_units::{InstrumentId, QuestionId};

/// Sets, paying outcome, payouts, whether everybody is paid, the outcome that is being added.
type QuestionRow = (i64, u32, Vec<i32>, bool, u32);
/// Account and payouts of a proposal or a vote.
type ClaimRow = (u32, Vec<i32>);
/// Stage, how it was decided, end of the stage, times of proposal, challenge and decision, challenger, proposals, votes,
/// bonds held, hash of the rule.
type ResolutionRow<'py> =
    (u8, u8, u64, (u64, u64, u64), u32, Vec<ClaimRow>, Vec<ClaimRow>, i128, Bound<'py, PyBytes>);

#[pymethods]
impl Exchange {
    /// Of a question: complete sets outstanding, the outcome with all of the unit (0: none yet), the share of the unit of
    /// each outcome in ppm once it is decided, whether everybody is paid, the outcome that is being added (0: none).
    fn question(&self, py: Python<'_>, question: u32) -> PyResult<Option<QuestionRow>> {
        self.engine(py, |engine| {
            let view = engine.question(QuestionId(question))?;
            let payouts = view.payouts.iter().map(|share| share.0).collect();
            let number = |id: Option<InstrumentId>| id.map_or(0, |id| id.0);
            Some((view.sets, number(view.paying), payouts, view.is_settled, number(view.being_added)))
        })
    }

    /// How far the resolvers of a question are; none: it has no resolvers.
    fn resolution<'py>(&self, py: Python<'py>, question: u32) -> PyResult<Option<ResolutionRow<'py>>> {
        let found = self.engine(py, |engine| {
            let view = engine.question(QuestionId(question))?;
            Some((view.resolution?.clone(), view.bonds.0, view.rule_hash?))
        })?;
        let Some((resolution, bonds, hash)) = found else { return Ok(None) };
        let claims = |claims: &[xos_engine::Claim]| {
            claims.iter().map(|claim| (claim.account.0, claim.payouts_ppm.clone())).collect::<Vec<_>>()
        };
        Ok(Some((
            resolution.stage.code(),
            resolution.decided_by.code(),
            resolution.until_ns,
            resolution.times_ns.into(),
            resolution.challenger.map_or(0, |account| account.0),
            claims(resolution.proposal.as_slice()),
            claims(&resolution.votes),
            bonds,
            PyBytes::new(py, &hash),
        )))
    }
}
