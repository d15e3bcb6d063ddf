//! Pure margin mathematics: no state, no I/O. Formulas are those of `docs/internals/rules.md`, sections 3 to 6.

pub mod adl;
mod bankruptcy;
mod collateral;
mod funding;
mod growth;
mod liquidation_price;
mod position;
mod prices;
mod reserve;
mod scenario;
mod tiers;

pub use bankruptcy::Closing;
pub use collateral::{Haircut, collateral_value};
pub use funding::{FundingTerms, Impact, funding_rate, impact_of, payment, premium};
pub use growth::Growth;
pub use liquidation_price::liquidation_price;
pub use position::{Closed, Holding};
pub use prices::{
    DECAY_30_S, DECAY_150_S, EMA_SECONDS_MAX, Ema, Quote, agreeing, index_of, mark_of, mean_down,
    median_of_three, weighted_median, width, within,
};
pub use reserve::{OutcomeTerms, fee_base, fees_of_fill, reserve_per_lot};
pub use scenario::{
    LinkedOutcome, LinkedQuestion, NetPositions, Scenario, ScenarioGroup, ScenarioTerms, ShockedPerpetual,
    Standard,
};
pub use tiers::{InitialTerms, OpenInterestScaling, Tiers, leverage_rate};

use xos_units::{Amount, Ppm, Price, Qty, Requirement, notional, widening};

/// Unrealised profit of a perpetual: position x mark x k - cost.
#[inline(always)]
pub fn unrealised(position_lots: i64, mark_value: i128, cost: Amount) -> Amount {
    Amount(widening(mark_value, position_lots)) - cost
}

/// Lots that a perpetual's margin is asked for: the worst side of position and open orders.
#[inline(always)]
pub fn worst_side(position_lots: i64, buys: Qty, sells: Qty) -> Qty {
    Qty((position_lots + buys.0).abs().max((position_lots - sells.0).abs()))
}

/// Margin on `lots` at mark, in millionths of an atom.
#[inline(always)]
pub fn margin(lots: Qty, mark: Price, k: u32, rate: Ppm) -> Requirement {
    notional(mark, lots, k).times(rate)
}

/// What `lots` at `price` lose at once against the mark; 0 where they gain.
#[inline(always)]
pub fn loss_against_mark(buy: bool, price: Price, mark: Price, lots: Qty, k: u32) -> Amount {
    let ticks = if buy { price - mark } else { mark - price };
    if ticks > Price::ZERO { notional(ticks, lots, k) } else { Amount::ZERO }
}

/// An account's stand in one outcome of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeStand {
    /// Signed lots.
    pub position_lots: i64,
    /// Reserve of its open buys.
    pub buys: Amount,
    /// Reserve of its open sells.
    pub sells: Amount,
}

/// The worst case of a question for an account: the least, over every outcome that could win and every subset of
/// its open orders that could fill, of payout less cost. `unit` is what one lot of the winner pays. `stands` has
/// the outcomes in which the account stands, `outcomes` is how many the question has.
#[inline]
pub fn worst_case(stands: impl Iterator<Item = OutcomeStand>, outcomes: usize, unit: Amount) -> Amount {
    let (mut least, mut all_buys, mut seen) = (None::<Amount>, Amount::ZERO, 0);
    for stand in stands {
        let if_it_wins = unit.times_lots(Qty(stand.position_lots)) + stand.buys - stand.sells;
        least = Some(least.map_or(if_it_wins, |least| least.min(if_it_wins)));
        all_buys += stand.buys;
        seen += 1;
    }
    let least = match least {
        Some(least) if seen == outcomes => least,
        Some(least) => least.min(Amount::ZERO),
        None => Amount::ZERO,
    };
    least - all_buys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(position_lots: i64, buys: i128, sells: i128) -> OutcomeStand {
        OutcomeStand { position_lots, buys: Amount(buys), sells: Amount(sells) }
    }

    #[test]
    fn long_all_outcomes_is_cash_and_ten_shorts_need_one() {
        let unit = Amount(1_000);
        assert_eq!(worst_case((0..3).map(|_| stand(7, 0, 0)), 3, unit), Amount(7_000));
        assert_eq!(worst_case((0..10).map(|_| stand(-1, 0, 0)), 48, unit), Amount(-1_000));
        assert_eq!(worst_case(std::iter::empty(), 3, unit), Amount::ZERO);
    }

    #[test]
    fn open_orders_count_where_they_lose() {
        // A buy at 300 loses unless its outcome wins; a sell at 300 loses 700 if it does.
        let unit = Amount(1_000);
        assert_eq!(worst_case([stand(0, 300, 0)].into_iter(), 2, unit), Amount(-300));
        assert_eq!(worst_case([stand(0, 300, 700)].into_iter(), 2, unit), Amount(-700));
        assert_eq!(worst_case([stand(0, 300, 0), stand(0, 400, 0)].into_iter(), 2, unit), Amount(-400));
        assert_eq!(worst_case([stand(0, 300, 0), stand(0, 400, 0)].into_iter(), 3, unit), Amount(-700));
    }

    #[test]
    fn the_worst_side_counts_orders() {
        assert_eq!(worst_side(10, Qty(5), Qty(0)), Qty(15));
        assert_eq!(worst_side(10, Qty(0), Qty(10)), Qty(10));
        assert_eq!(worst_side(10, Qty(0), Qty(25)), Qty(15));
        assert_eq!(worst_side(-10, Qty(25), Qty(1)), Qty(15));
    }
}
