//! What the naive engine knows: plain tables, every order in one list in order of arrival.

use super::funding::Funding;
use super::halt::Halt;
use super::later::Adding;
use super::liquidation::Liquidations;
use super::money::share_down;
use super::oracle::Oracle;
use super::resolution::Resolution;
use std::collections::BTreeMap;
use xos_protocol::{
    AssetSpec, ClassSpec, ClientId, EventRecord, Fees, Flags, InstrumentSpec, InstrumentState,
    InstrumentTerms, Limits, PriceSource, PublisherSpec, QuestionSpec, SelfTrade, Side, Tif, UnderlyingSpec,
    VenueSpec,
};

/// The asset that margins everything.
pub(super) const SETTLEMENT: u32 = 1;

/// A resting order, or one on its way into the book.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) side: Side,
    pub(super) tif: Tif,
    pub(super) flags: Flags,
    pub(super) self_trade: SelfTrade,
    pub(super) venue: u16,
    pub(super) price: i64,
    pub(super) total: i64,
    pub(super) remaining: i64,
    /// Lots that an iceberg shows at a time; 0: it is none.
    pub(super) display: i64,
    /// Lots that an iceberg shows now, while it rests.
    pub(super) shown: i64,
    pub(super) expires_ns: u64,
    pub(super) client_id: ClientId,
    /// Classes of its profile; the rule of it is the venue's.
    pub(super) classes: u32,
}

impl Order {
    pub(super) fn is_reduce_only(&self) -> bool {
        self.flags.has(Flags::REDUCE_ONLY)
    }

    /// The lots that others see of it, and meet.
    pub(super) fn visible(&self) -> i64 {
        if self.display == 0 { self.remaining } else { self.shown }
    }

    /// Lots leave it, of those that are visible.
    pub(super) fn lose(&mut self, lots: i64) {
        self.remaining -= lots;
        self.shown -= if self.display == 0 { 0 } else { lots };
    }

    /// Whether this order, resting, is at a price that `incoming` accepts.
    pub(super) fn is_met_by(&self, incoming: &Order) -> bool {
        self.instrument == incoming.instrument
            && self.side == incoming.side.opposite()
            && match incoming.side {
                Side::Buy => self.price <= incoming.price,
                Side::Sell => self.price >= incoming.price,
            }
    }
}

/// What one account has on one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) position: i64,
    pub(super) cost: i128,
    pub(super) realised: i128,
}

impl Holding {
    /// The lots that an order of this side could close.
    pub(super) fn closable_by(&self, side: Side) -> i64 {
        if self.position.signum() == -side.sign() { self.position.abs() } else { 0 }
    }
}

/// What is known of an account's last credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credential {
    /// 0: it ran out, or was revoked.
    pub(super) ends_ns: u64,
    pub(super) issued_ns: u64,
    pub(super) hash: ClientId,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) owner: [u8; 32],
    /// Total by asset; what is held is computed from the orders.
    pub(super) totals: BTreeMap<u32, i128>,
    /// By instrument; an instrument without an entry has position, cost and realised 0.
    pub(super) holdings: BTreeMap<u32, Holding>,
    /// Chosen leverage by perpetual.
    pub(super) leverages: BTreeMap<u32, i64>,
    /// Parent and perpetual of an isolated account.
    pub(super) isolated: Option<(u32, u32)>,
    /// Credential classes, a bit each.
    pub(super) classes: u32,
    pub(super) credential: Option<Credential>,
    pub(super) is_scenario: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Spot { base: u32, quote: u32, base_atoms_per_lot: i128 },
    Perpetual { im_ppm: i128, mm_ppm: i128 },
    Outcome { question: u32, unit_ticks: i64 },
}

#[derive(Clone, Debug)]
pub(super) struct Instrument {
    pub(super) symbol: String,
    /// As deployed; an outcome has none of its own.
    pub(super) spec: Option<InstrumentSpec>,
    pub(super) terms: InstrumentTerms,
    pub(super) kind: Kind,
    pub(super) state: InstrumentState,
    pub(super) mark: i64,
    pub(super) index: i64,
    /// Price of the last trade; 0: none.
    pub(super) last: i64,
    pub(super) oracle: Option<Oracle>,
    pub(super) funding: Option<Funding>,
    pub(super) halt: Option<Halt>,
    /// Its question trades no more.
    pub(super) is_closed: bool,
    /// The time to which it trades has come.
    pub(super) is_over: bool,
    /// Its delisting is announced, and it has positions.
    pub(super) winds_down: bool,
    /// What a guardian holds it to.
    pub(super) emergency: InstrumentState,
    /// What its auction, if it is in one, lets it accept.
    pub(super) auction: InstrumentState,
}

impl Instrument {
    /// Value of `lots` at `price`.
    pub(super) fn value(&self, price: i64, lots: i64) -> i128 {
        i128::from(price) * i128::from(lots) * self.k()
    }

    pub(super) fn k(&self) -> i128 {
        i128::from(self.terms.quote_atoms_per_tick_lot)
    }

    pub(super) fn price_of(&self, source: PriceSource) -> i64 {
        match source {
            PriceSource::Last => self.last,
            PriceSource::Mark => self.mark,
            PriceSource::Index => self.index,
        }
    }

    /// Collateral value of an amount of the base, where this instrument declares its tiers.
    pub(super) fn collateral_value(&self, amount: i128) -> i128 {
        let Kind::Spot { base_atoms_per_lot, .. } = self.kind else { return 0 };
        let lots = amount.div_euclid(base_atoms_per_lot);
        let (mut value, mut below) = (0, 0);
        for tier in self.spec.iter().flat_map(|spec| &spec.collateral) {
            let part = (lots.min(tier.up_to_lots.into()) - below).max(0);
            let part = i64::try_from(part).expect("a tier is bounded");
            value += share_down(self.value(self.index, part), 1_000_000 - tier.haircut_ppm);
            below = tier.up_to_lots.into();
        }
        value
    }

    /// The asset of fees and prices.
    pub(super) fn quote(&self) -> u32 {
        match self.kind {
            Kind::Spot { quote, .. } => quote,
            Kind::Perpetual { .. } | Kind::Outcome { .. } => SETTLEMENT,
        }
    }

    pub(super) fn is_spot(&self) -> bool {
        matches!(self.kind, Kind::Spot { .. })
    }

    pub(super) fn is_perpetual(&self) -> bool {
        matches!(self.kind, Kind::Perpetual { .. })
    }

    /// Whether both are spot, both perpetuals or both outcomes.
    pub(super) fn is_same_product(&self, other: &Instrument) -> bool {
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
    }

    /// Lowest and highest price of the band around the mark, if there is a band and a mark.
    pub(super) fn band(&self) -> Option<(i64, i64)> {
        if self.terms.band_ppm == 0 || self.mark == 0 {
            return None;
        }
        let width = i128::from(self.mark) * i128::from(self.terms.band_ppm) / 1_000_000;
        let width = i64::try_from(width).expect("a band is narrower than its mark");
        Some((self.mark - width, self.mark + width))
    }

    /// Whether the margin that `lots` of a perpetual give free is at least a loss.
    pub(super) fn frees(&self, lots: i64, loss: i128) -> bool {
        match self.kind {
            Kind::Perpetual { im_ppm, .. } => loss * 1_000_000 <= self.value(self.mark, lots) * im_ppm,
            _ => true,
        }
    }

    /// What `lots` at `price` lose at once against the mark of a perpetual.
    pub(super) fn loss_against_mark(&self, side: Side, price: i64, lots: i64) -> i128 {
        match (self.kind, side) {
            (Kind::Perpetual { .. }, Side::Buy) => self.value((price - self.mark).max(0), lots),
            (Kind::Perpetual { .. }, Side::Sell) => self.value((self.mark - price).max(0), lots),
            _ => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) spec: QuestionSpec,
    pub(super) first_instrument: u32,
    pub(super) sets: i64,
    /// Each outcome's share of the unit, once it is decided.
    pub(super) payouts: Vec<i32>,
    pub(super) paid: u32,
    pub(super) is_settled: bool,
    pub(super) resolution: Option<Resolution>,
    /// How far an outcome is that is being added.
    pub(super) adding: Option<Adding>,
}

impl Question {
    /// Its instruments, in order.
    pub(super) fn instruments(&self) -> impl Iterator<Item = u32> + use<> {
        let named = u32::try_from(self.spec.outcomes.len()).expect("outcomes are bounded");
        let count = named - u32::from(self.adding.is_some());
        self.first_instrument..self.first_instrument + count
    }

    /// Value of `lots` complete sets.
    pub(super) fn unit_value(&self, lots: i64) -> i128 {
        let k = i128::from(self.spec.terms.quote_atoms_per_tick_lot);
        i128::from(self.spec.ticks_per_unit) * k * i128::from(lots)
    }

    /// The value of `lots` complete sets divided over the outcomes: evenly down, the last takes what is left.
    pub(super) fn unit_parts(&self, lots: i64) -> Vec<i128> {
        let whole = self.unit_value(lots);
        let count = self.instruments().count();
        let part = whole.div_euclid(count as i128);
        let mut parts = vec![part; count];
        parts[count - 1] = whole - part * (count as i128 - 1);
        parts
    }
}

/// Accounts of the exchange itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum House {
    External,
    Protocol,
    Insurance,
    Rounding,
    Venue(u16),
    Deployer(u32),
    Clearing(u32),
    Question(u32),
    Bonds(u32),
    Stakes,
    Simulated,
}

/// One side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Account(u32),
    House(House),
}

/// The first answer to a client id.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) time_ns: u64,
    /// Grows with each id that is remembered, or renewed.
    pub(super) place: u64,
    pub(super) is_deposit: bool,
    pub(super) is_of_money: bool,
    pub(super) answer: EventRecord,
}

/// Everything the engine knows.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) limits: Limits,
    pub(super) assets: Vec<AssetSpec>,
    pub(super) venues: Vec<VenueSpec>,
    pub(super) publishers: Vec<PublisherSpec>,
    pub(super) classes: Vec<ClassSpec>,
    pub(super) underlyings: Vec<UnderlyingSpec>,
    pub(super) questions: Vec<Question>,
    pub(super) instruments: Vec<Instrument>,
    pub(super) accounts: Vec<Account>,
    /// While an order matches: its instrument, and the lots of all long positions there before.
    pub(super) open_interest_before: Option<(u32, i128)>,
    /// Resting orders of all instruments; an earlier one in the list has time priority.
    pub(super) orders: Vec<Order>,
    pub(super) house: BTreeMap<(House, u32), i128>,
    pub(super) last_trade_id: u64,
    pub(super) remembered: BTreeMap<(u32, ClientId), Remembered>,
    pub(super) places_of_ids: u64,
    /// Orders that wait for a price, in order of arrival.
    pub(super) triggers: Vec<super::triggers::Trigger>,
    /// Accounts in turn, each with the ids of its orders that were reached, as they were.
    pub(super) row: Vec<(u32, Vec<u64>)>,
    /// Market-maker protections by account and instrument; those that the present match breached.
    pub(super) protections: BTreeMap<(u32, u32), super::protection::Protection>,
    pub(super) breached: Vec<(u32, u32)>,
    pub(super) incoming_is_breached: bool,
    /// Account and deadline of every countdown of cancel_all_after.
    pub(super) countdowns: BTreeMap<u32, u64>,
    pub(super) liquidations: Liquidations,
    pub(super) charging: super::interest::Charging,
    /// Announced changes, markets that are being closed.
    pub(super) governance: xos_protocol::GovernanceState,
    /// Time of the frame.
    pub(super) time_ns: u64,
}

impl World {
    pub(super) fn instrument(&self, id: u32) -> &Instrument {
        &self.instruments[id as usize - 1]
    }

    pub(super) fn instrument_mut(&mut self, id: u32) -> &mut Instrument {
        &mut self.instruments[id as usize - 1]
    }

    pub(super) fn question(&self, id: u32) -> &Question {
        &self.questions[id as usize - 1]
    }

    pub(super) fn account(&self, id: u32) -> &Account {
        &self.accounts[id as usize - 1]
    }

    pub(super) fn account_mut(&mut self, id: u32) -> &mut Account {
        &mut self.accounts[id as usize - 1]
    }

    pub(super) fn total(&self, account: u32, asset: u32) -> i128 {
        self.account(account).totals.get(&asset).copied().unwrap_or(0)
    }

    pub(super) fn holding(&self, account: u32, instrument: u32) -> Holding {
        self.account(account).holdings.get(&instrument).copied().unwrap_or_default()
    }

    pub(super) fn house(&self, house: House, asset: u32) -> i128 {
        self.house.get(&(house, asset)).copied().unwrap_or(0)
    }

    pub(super) fn has_same_owner(&self, a: u32, b: u32) -> bool {
        self.account(a).owner == self.account(b).owner
    }

    /// Remaining lots of the account's resting orders of one side of one instrument.
    pub(super) fn resting_lots(&self, account: u32, instrument: u32, side: Side) -> i64 {
        self.orders
            .iter()
            .filter(|o| o.account == account && o.instrument == instrument && o.side == side)
            .map(|o| o.remaining)
            .sum()
    }

    /// Whether the account has a position or a resting order there.
    pub(super) fn stands_in(&self, account: u32, instrument: u32) -> bool {
        self.holding(account, instrument).position != 0
            || self.orders.iter().any(|o| o.account == account && o.instrument == instrument)
    }

    /// The instruments of the same product as `instrument` in which the account stands.
    pub(super) fn instruments_stood_in(&self, account: u32, instrument: u32) -> usize {
        let this = self.instrument(instrument);
        (1..=self.instruments.len() as u32)
            .filter(|&other| self.instrument(other).is_same_product(this) && self.stands_in(account, other))
            .count()
    }

    /// The fees of an order that this venue brings to this instrument.
    pub(super) fn fees(&self, venue: u16, instrument: u32) -> Fees {
        let own = if venue == 0 { None } else { self.venues[usize::from(venue) - 1].fees };
        own.unwrap_or(self.instrument(instrument).terms.fees)
    }

    /// Where money moves.
    pub(super) fn post(&mut self, from: Party, to: Party, asset: u32, amount: i128) {
        *self.balance_of(from, asset) -= amount;
        *self.balance_of(to, asset) += amount;
    }

    fn balance_of(&mut self, party: Party, asset: u32) -> &mut i128 {
        match party {
            Party::Account(id) => self.account_mut(id).totals.entry(asset).or_default(),
            Party::House(house) => self.house.entry((house, asset)).or_default(),
        }
    }

    /// Positions of 0 without a resting order leave nothing behind.
    pub(super) fn forget_empty_holdings(&mut self) {
        for account in 1..=self.accounts.len() as u32 {
            let instruments: Vec<u32> = self.account(account).holdings.keys().copied().collect();
            for instrument in instruments {
                if !self.stands_in(account, instrument) {
                    self.account_mut(account).holdings.remove(&instrument);
                }
            }
        }
    }
}
