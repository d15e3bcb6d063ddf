//! The legs of one command, in any order.

use proptest::prelude::*;
use xos_ledger::{Ledger, Party, Reason, SETTLEMENT};
use xos_units::{AccountId, Amount, InstrumentId};

/// Who takes part in a liquidation: two accounts, the clearing account, the fund.
const PARTIES: [Party; 4] = [
    Party::User(AccountId(1)),
    Party::User(AccountId(2)),
    Party::Clearing(InstrumentId(1)),
    Party::Insurance,
];
const FUND: usize = 3;

/// From, to, atoms.
type Leg = (usize, usize, i128);

/// Balances after all legs; none if one would take more from the fund than it has by then.
fn play(fund: i128, legs: &[Leg]) -> Option<Vec<Amount>> {
    let mut ledger = Ledger::default();
    ledger.add_asset();
    ledger.add_venue();
    ledger.add_instrument(SETTLEMENT);
    ledger.add_user();
    ledger.add_user();
    let post = |ledger: &mut Ledger, from, to, amount| {
        ledger.post(from, to, SETTLEMENT, Amount(amount), Reason::Realised, 1)
    };
    post(&mut ledger, Party::External, Party::Insurance, fund).expect("from outside");
    for &(from, to, amount) in legs {
        post(&mut ledger, PARTIES[from], PARTIES[to], amount).ok()?;
    }
    ledger.audit().expect("every asset adds up to zero");
    Some(PARTIES.iter().map(|party| ledger.house(*party, SETTLEMENT)).collect())
}

proptest! {
    /// Every order that the fund can pay for ends the same; what pays into it first can always be paid for, if any can.
    #[test]
    fn the_order_of_legs_changes_nothing(
        legs in proptest::collection::vec((0usize..4, 0usize..4, 0i128..50), 1..8), fund in 0i128..60, seed in any::<u64>()
    ) {
        let legs: Vec<Leg> = legs.into_iter().filter(|leg| leg.0 != leg.1).collect();
        let mut shuffled: Vec<(usize, Leg)> = legs.iter().copied().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled: Vec<Leg> = shuffled.into_iter().map(|(_, leg)| leg).collect();
        let mut payers_first = legs.clone();
        payers_first.sort_by_key(|leg| leg.1 != FUND);
        let net = legs.iter().map(|leg| leg.2 * (i128::from(leg.1 == FUND) - i128::from(leg.0 == FUND)));
        let best = play(fund, &payers_first);
        prop_assert_eq!(best.is_some(), fund + net.sum::<i128>() >= 0);
        for other in [play(fund, &legs), play(fund, &shuffled)].into_iter().flatten() {
            prop_assert_eq!(Some(&other), best.as_ref());
        }
    }
}
