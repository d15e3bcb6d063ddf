//! Double-entry balances. [`Ledger::post`] is the one place where money moves: two sides, a reason and the
//! sequence of the command that caused it. For every asset the sum of all balances is zero, always.

mod balance;
mod posting;

pub use balance::Balance;
pub use posting::{Fee, LedgerError, Party, Posting, Reason};

use xos_units::{AccountId, Amount, AssetId, InstrumentId, QuestionId, VenueId};

/// Asset 1, in which margin is reckoned.
pub const SETTLEMENT: AssetId = AssetId(1);

#[derive(Clone, Debug, Default)]
struct UserRow {
    settlement: Balance,
    others: Vec<(AssetId, Balance)>,
}

/// All balances: users' and the house's.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    users: Vec<UserRow>,
    /// By asset: external, protocol, insurance, rounding, stakes.
    house: Vec<[Amount; 5]>,
    /// One row a venue, each by asset.
    venues: Vec<Vec<Amount>>,
    deployers: Vec<(AssetId, Amount)>,
    clearing: Vec<Amount>,
    /// Of each question: collateral, bonds.
    questions: Vec<[Amount; 2]>,
    /// What stands against simulated money, by asset.
    simulated: Vec<Amount>,
    /// Sum over every balance of an asset; zero after each posting.
    sums: Vec<Amount>,
    trail: Option<Vec<Posting>>,
}

impl Ledger {
    /// Room for one more asset.
    pub fn add_asset(&mut self) {
        self.house.push([Amount::ZERO; 5]);
        self.simulated.push(Amount::ZERO);
        for row in &mut self.venues {
            row.push(Amount::ZERO);
        }
        self.sums.push(Amount::ZERO);
    }

    /// Room for one more venue; the first call is for the exchange's own, venue 0.
    pub fn add_venue(&mut self) {
        self.venues.push(vec![Amount::ZERO; self.sums.len()]);
    }

    /// Room for one more instrument, whose fees fall in `quote`.
    pub fn add_instrument(&mut self, quote: AssetId) {
        self.deployers.push((quote, Amount::ZERO));
        self.clearing.push(Amount::ZERO);
    }

    /// Room for one more question.
    pub fn add_question(&mut self) {
        self.questions.push([Amount::ZERO; 2]);
    }

    /// Room for one more account.
    pub fn add_user(&mut self) {
        self.users.push(UserRow::default());
    }

    /// Makes room for as many accounts more.
    pub fn reserve_users(&mut self, count: usize) {
        self.users.reserve_exact(count);
    }

    /// Number of assets.
    pub fn assets(&self) -> usize {
        self.sums.len()
    }

    /// Keeps every posting from now on in a list, for statements and tests.
    pub fn keep_trail(&mut self) {
        self.trail = Some(Vec::new());
    }

    /// The postings kept since the last call.
    pub fn take_trail(&mut self) -> Vec<Posting> {
        self.trail.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Settlement balance of an account.
    #[inline(always)]
    pub fn settlement(&self, account: AccountId) -> Balance {
        self.users[account.index()].settlement
    }

    /// Reads the account's row, so that it is in cache when it is needed.
    #[inline(always)]
    pub fn touch(&self, account: AccountId) -> u64 {
        self.users.get(account.index()).map_or(0, |row| row.settlement.total.0 as u64)
    }

    /// Balance of an account in an asset; zero where it never had any.
    #[inline]
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        let row = &self.users[account.index()];
        if asset == SETTLEMENT {
            return row.settlement;
        }
        row.others.iter().find(|(held, _)| *held == asset).map_or(Balance::default(), |(_, balance)| *balance)
    }

    /// The account's other assets with a total, in order of id.
    pub fn others(&self, account: AccountId) -> impl Iterator<Item = (AssetId, Balance)> + '_ {
        let mut rows: Vec<_> = self.users[account.index()]
            .others
            .iter()
            .copied()
            .filter(|(_, b)| b.total != Amount::ZERO)
            .collect();
        rows.sort_unstable_by_key(|(asset, _)| *asset);
        rows.into_iter()
    }

    /// All balances of an account, in no order.
    #[inline]
    pub fn balances(&self, account: AccountId) -> impl Iterator<Item = (AssetId, Balance)> + '_ {
        let row = &self.users[account.index()];
        let settlement = (!self.sums.is_empty()).then_some((SETTLEMENT, row.settlement));
        settlement.into_iter().chain(row.others.iter().copied())
    }

    #[inline(always)]
    fn balance_mut(&mut self, account: AccountId, asset: AssetId) -> &mut Balance {
        let row = &mut self.users[account.index()];
        if asset == SETTLEMENT {
            return &mut row.settlement;
        }
        let at = match row.others.iter().position(|(held, _)| *held == asset) {
            Some(at) => at,
            None => {
                row.others.push((asset, Balance::default()));
                row.others.len() - 1
            }
        };
        &mut row.others[at].1
    }

    /// Balance of a house account in an asset.
    pub fn house(&self, party: Party, asset: AssetId) -> Amount {
        match party {
            Party::User(account) => self.balance(account, asset).total,
            Party::External => self.house[asset.index()][0],
            Party::Protocol => self.house[asset.index()][1],
            Party::Insurance => self.house[asset.index()][2],
            Party::Rounding => self.house[asset.index()][3],
            Party::Stakes => self.house[asset.index()][4],
            Party::Simulated => self.simulated[asset.index()],
            Party::Venue(VenueId(venue)) => self.venues[venue as usize][asset.index()],
            Party::Deployer(instrument) => match self.deployers[instrument.index()] {
                (quote, amount) if quote == asset => amount,
                _ => Amount::ZERO,
            },
            Party::Clearing(instrument) if asset == SETTLEMENT => self.clearing[instrument.index()],
            Party::Question(question) if asset == SETTLEMENT => self.questions[question.index()][0],
            Party::Bonds(question) if asset == SETTLEMENT => self.questions[question.index()][1],
            Party::Clearing(_) | Party::Question(_) | Party::Bonds(_) => Amount::ZERO,
        }
    }

    /// Adds to one side of a posting. Which balances may be negative is decided here and nowhere else.
    #[inline(always)]
    fn adjust(&mut self, party: Party, asset: AssetId, by: Amount) -> Result<(), LedgerError> {
        let (after, may_be_negative) = match party {
            Party::User(account) => {
                let balance = self.balance_mut(account, asset);
                balance.total += by;
                (balance.free(), asset == SETTLEMENT)
            }
            Party::External => (add(&mut self.house[asset.index()][0], by), true),
            Party::Protocol => (add(&mut self.house[asset.index()][1], by), false),
            Party::Insurance => (add(&mut self.house[asset.index()][2], by), false),
            Party::Rounding => (add(&mut self.house[asset.index()][3], by), false),
            Party::Stakes => (add(&mut self.house[asset.index()][4], by), false),
            Party::Simulated => (add(&mut self.simulated[asset.index()], by), true),
            Party::Venue(VenueId(venue)) => (add(&mut self.venues[venue as usize][asset.index()], by), false),
            Party::Deployer(instrument) => {
                let (quote, amount) = &mut self.deployers[instrument.index()];
                if *quote != asset {
                    return Err(LedgerError::WrongAsset { party, asset });
                }
                (add(amount, by), false)
            }
            Party::Clearing(_) | Party::Question(_) | Party::Bonds(_) if asset != SETTLEMENT => {
                return Err(LedgerError::WrongAsset { party, asset });
            }
            Party::Clearing(instrument) => (add(&mut self.clearing[instrument.index()], by), true),
            Party::Question(question) => (add(&mut self.questions[question.index()][0], by), true),
            Party::Bonds(question) => (add(&mut self.questions[question.index()][1], by), false),
        };
        self.sums[asset.index()] += by;
        if after < Amount::ZERO && !may_be_negative {
            return Err(LedgerError::Negative { party, asset, balance: after });
        }
        Ok(())
    }

    /// Moves `amount >= 0` atoms of `asset`. An error is a broken invariant, not a refusal: the caller has
    /// checked, and must halt.
    #[inline]
    pub fn post(
        &mut self,
        from: Party,
        to: Party,
        asset: AssetId,
        amount: Amount,
        reason: Reason,
        sequence: u64,
    ) -> Result<(), LedgerError> {
        if amount.0 <= 0 {
            return if amount.0 == 0 { Ok(()) } else { Err(LedgerError::NegativeAmount { amount, reason }) };
        }
        self.adjust(from, asset, -amount)?;
        self.adjust(to, asset, amount)?;
        let sum = self.sums[asset.index()];
        if sum != Amount::ZERO {
            return Err(LedgerError::NotZeroSum { asset, sum });
        }
        if let Some(trail) = &mut self.trail {
            trail.push(Posting { from, to, asset, amount, reason, sequence });
        }
        Ok(())
    }

    /// Moves a fee from its payer to its receivers: as many postings, each balance touched once. What the shares add
    /// up to must be what was paid.
    #[inline(always)]
    pub fn post_fee(&mut self, fee: &Fee) -> Result<(), LedgerError> {
        let (asset, row) = (fee.asset, fee.asset.index());
        let shares = [fee.deployer, fee.venue, fee.insurance, fee.protocol, fee.rounding];
        if shares.iter().fold(0, |signs, share| signs | share.0) < 0 {
            let amount = shares.into_iter().min().unwrap_or_default();
            return Err(LedgerError::NegativeAmount { amount, reason: Reason::Fee });
        }
        let payer = self.balance_mut(fee.payer, asset);
        payer.total -= fee.paid;
        let free = payer.free();
        if free < Amount::ZERO && asset != SETTLEMENT {
            return Err(LedgerError::Negative { party: Party::User(fee.payer), asset, balance: free });
        }
        let (quote, deployer) = &mut self.deployers[fee.instrument.index()];
        if *quote != asset {
            return Err(LedgerError::WrongAsset { party: Party::Deployer(fee.instrument), asset });
        }
        // Receivers only gain: none of them can fall below zero.
        *deployer += fee.deployer;
        self.venues[fee.through.0 as usize][row] += fee.venue;
        let [_, protocol, insurance, rounding, _] = &mut self.house[row];
        *protocol += fee.protocol;
        *insurance += fee.insurance;
        *rounding += fee.rounding;
        let received = fee.deployer + fee.venue + fee.insurance + fee.protocol + fee.rounding;
        let sum = &mut self.sums[row];
        *sum += received - fee.paid;
        if *sum != Amount::ZERO {
            return Err(LedgerError::NotZeroSum { asset, sum: *sum });
        }
        if let Some(trail) = &mut self.trail {
            trail.extend(fee.postings());
        }
        Ok(())
    }

    /// Holds free atoms for an order. They stay the account's.
    #[inline]
    pub fn hold(&mut self, account: AccountId, asset: AssetId, amount: Amount) -> Result<(), LedgerError> {
        let balance = self.balance_mut(account, asset);
        balance.held += amount;
        if balance.free() < Amount::ZERO {
            let balance = balance.free();
            return Err(LedgerError::Negative { party: Party::User(account), asset, balance });
        }
        Ok(())
    }

    /// Gives held atoms free.
    #[inline]
    pub fn release(&mut self, account: AccountId, asset: AssetId, amount: Amount) -> Result<(), LedgerError> {
        let balance = self.balance_mut(account, asset);
        balance.held -= amount;
        if balance.held < Amount::ZERO {
            let balance = balance.held;
            return Err(LedgerError::Negative { party: Party::User(account), asset, balance });
        }
        Ok(())
    }

    /// Puts a balance back as a snapshot has it.
    pub fn restore_user(&mut self, account: AccountId, asset: AssetId, balance: Balance) {
        self.sums[asset.index()] += balance.total;
        *self.balance_mut(account, asset) = balance;
    }

    /// Puts a house balance back as a snapshot has it.
    pub fn restore_house(&mut self, party: Party, asset: AssetId, amount: Amount) -> Result<(), LedgerError> {
        let before = self.house(party, asset);
        self.adjust(party, asset, amount - before)
    }

    /// Adds every balance of every asset up from nothing. Each must come to zero.
    pub fn audit(&self) -> Result<(), LedgerError> {
        let mut sums = vec![Amount::ZERO; self.sums.len()];
        for (at, row) in self.house.iter().enumerate() {
            sums[at] += row.iter().fold(self.simulated[at], |sum, amount| sum + *amount);
        }
        for row in &self.venues {
            for (at, amount) in row.iter().enumerate() {
                sums[at] += *amount;
            }
        }
        for (asset, amount) in &self.deployers {
            sums[asset.index()] += *amount;
        }
        if let Some(settlement) = sums.first_mut() {
            let all = self.clearing.iter().chain(self.questions.as_flattened());
            *settlement += all.fold(Amount::ZERO, |a, b| a + *b);
        }
        for (at, row) in self.users.iter().enumerate() {
            for (asset, balance) in row
                .others
                .iter()
                .copied()
                .chain(std::iter::once((SETTLEMENT, row.settlement)).take(sums.len().min(1)))
            {
                sums[asset.index()] += balance.total;
                let free_below_zero = balance.free() < Amount::ZERO && asset != SETTLEMENT;
                if balance.held < Amount::ZERO || free_below_zero {
                    let party = Party::User(AccountId::from_index(at));
                    return Err(LedgerError::Negative { party, asset, balance: balance.free() });
                }
            }
        }
        match sums.iter().position(|sum| *sum != Amount::ZERO) {
            Some(at) => Err(LedgerError::NotZeroSum { asset: AssetId::from_index(at), sum: sums[at] }),
            None => Ok(()),
        }
    }

    /// Sum of all users' totals of an asset.
    pub fn users_total(&self, asset: AssetId) -> Amount {
        (0..self.users.len())
            .fold(Amount::ZERO, |sum, at| sum + self.balance(AccountId::from_index(at), asset).total)
    }

    /// Every house account with its balance of an asset.
    pub fn house_accounts(&self, asset: AssetId) -> Vec<(Party, Amount)> {
        let mut parties = vec![Party::External, Party::Protocol, Party::Insurance, Party::Rounding];
        parties.extend((0..self.venues.len()).map(|venue| Party::Venue(VenueId(venue as u16))));
        for at in 0..self.deployers.len() {
            let instrument = InstrumentId::from_index(at);
            parties.extend([Party::Deployer(instrument), Party::Clearing(instrument)]);
        }
        let questions = (0..self.questions.len()).map(QuestionId::from_index);
        parties.extend(questions.flat_map(|id| [Party::Question(id), Party::Bonds(id)]));
        parties.extend([Party::Stakes, Party::Simulated]);
        parties.into_iter().map(|party| (party, self.house(party, asset))).collect()
    }

    /// Bytes of memory held by the users' balances.
    pub fn bytes(&self) -> usize {
        self.users.capacity() * size_of::<UserRow>()
            + self
                .users
                .iter()
                .map(|row| row.others.capacity() * size_of::<(AssetId, Balance)>())
                .sum::<usize>()
    }
}

#[inline(always)]
fn add(amount: &mut Amount, by: Amount) -> Amount {
    *amount += by;
    *amount
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> (Ledger, AccountId, AccountId) {
        let mut ledger = Ledger::default();
        ledger.add_asset();
        ledger.add_asset();
        ledger.add_venue();
        ledger.add_instrument(SETTLEMENT);
        ledger.add_user();
        ledger.add_user();
        (ledger, AccountId(1), AccountId(2))
    }

    #[test]
    fn postings_move_and_cancel_out() {
        let (mut ledger, a, b) = ledger();
        ledger.keep_trail();
        ledger.post(Party::External, Party::User(a), AssetId(2), Amount(10), Reason::Deposit, 1).unwrap();
        ledger.post(Party::User(a), Party::User(b), AssetId(2), Amount(4), Reason::Trade, 2).unwrap();
        assert_eq!(ledger.balance(a, AssetId(2)).total, Amount(6));
        assert_eq!(ledger.house(Party::External, AssetId(2)), Amount(-10));
        assert_eq!(ledger.take_trail().len(), 2);
        ledger.audit().unwrap();
    }

    #[test]
    fn nobody_but_the_settlement_side_goes_below_zero() {
        let (mut ledger, a, _) = ledger();
        let refused = ledger.post(Party::User(a), Party::Protocol, AssetId(2), Amount(1), Reason::Fee, 1);
        assert!(matches!(refused, Err(LedgerError::Negative { .. })));
        let (mut ledger, a, b) = self::ledger();
        ledger
            .post(
                Party::User(a),
                Party::Clearing(InstrumentId(1)),
                SETTLEMENT,
                Amount(5),
                Reason::Realised,
                1,
            )
            .unwrap();
        assert_eq!(ledger.settlement(a).total, Amount(-5));
        assert!(ledger.hold(b, AssetId(2), Amount(1)).is_err());
        assert!(ledger.post(Party::Rounding, Party::User(b), SETTLEMENT, Amount(1), Reason::Fee, 1).is_err());
        assert!(
            ledger.post(Party::User(a), Party::User(b), SETTLEMENT, Amount(-1), Reason::Trade, 1).is_err()
        );
    }

    fn fee(payer: AccountId, asset: AssetId, shares: [i128; 5]) -> Fee {
        let [deployer, venue, insurance, protocol, rounding] = shares.map(Amount);
        let paid = Amount(shares.iter().sum());
        let (instrument, through) = (InstrumentId(1), VenueId(0));
        let sequence = 1;
        Fee {
            payer,
            asset,
            paid,
            instrument,
            through,
            deployer,
            venue,
            insurance,
            protocol,
            rounding,
            sequence,
        }
    }

    #[test]
    fn a_fee_is_divided_and_nothing_is_left() {
        let (mut ledger, a, _) = ledger();
        ledger.keep_trail();
        ledger.post_fee(&fee(a, SETTLEMENT, [1, 2, 3, 4, 5])).unwrap();
        let receivers =
            [Party::Deployer(InstrumentId(1)), Party::Venue(VenueId(0)), Party::Insurance, Party::Protocol];
        for (party, share) in receivers.into_iter().chain([Party::Rounding]).zip(1..) {
            assert_eq!(ledger.house(party, SETTLEMENT), Amount(share), "{party:?}");
        }
        assert_eq!(ledger.settlement(a).total, Amount(-15));
        assert_eq!(ledger.take_trail().len(), 5);
        ledger.post_fee(&fee(a, SETTLEMENT, [0, 0, 0, 7, 0])).unwrap();
        assert_eq!(ledger.take_trail().len(), 1, "nothing is not posted");
        ledger.audit().unwrap();
    }

    #[test]
    fn a_broken_fee_is_found() {
        let (ledger, a, _) = ledger();
        let sound = fee(a, SETTLEMENT, [1, 2, 3, 4, 5]);
        let lost = Fee { paid: Amount(16), ..sound };
        assert!(matches!(ledger.clone().post_fee(&lost), Err(LedgerError::NotZeroSum { .. })));
        let below = fee(a, SETTLEMENT, [1, 2, 3, 4, -1]);
        assert!(matches!(ledger.clone().post_fee(&below), Err(LedgerError::NegativeAmount { .. })));
        let unpaid = Fee { asset: AssetId(2), ..sound };
        assert!(matches!(ledger.clone().post_fee(&unpaid), Err(LedgerError::Negative { .. })));
        let mut rich = ledger.clone();
        rich.post(Party::External, Party::User(a), AssetId(2), Amount(99), Reason::Deposit, 1).unwrap();
        assert!(matches!(rich.post_fee(&unpaid), Err(LedgerError::WrongAsset { .. })));
        ledger.clone().post_fee(&sound).unwrap();
    }

    #[test]
    fn an_audit_finds_money_from_nowhere() {
        let (mut ledger, a, _) = ledger();
        ledger.restore_user(a, AssetId(2), Balance { total: Amount(3), held: Amount::ZERO });
        assert!(matches!(ledger.audit(), Err(LedgerError::NotZeroSum { .. })));
    }
}
