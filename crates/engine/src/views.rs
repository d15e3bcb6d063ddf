//! What can be asked of the engine between frames. Views are computed from the state itself, never cached.

use crate::account::Stand;
use crate::admission::ALL;
use crate::engine::Engine;
use crate::frame::Violation;
use xos_book::{LevelView, NO_SLOT, RestingOrder, Slot};
use xos_ledger::{Balance, Party};
use xos_protocol::{
    AssetSpec, ClassSpec, ClientId, InstrumentSpec, InstrumentState, InstrumentTerms, Limits, Matching,
    PriceStatus, Product, PublisherSpec, QuestionSpec, Side, VenueSpec,
};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, OrderId, Price, Qty, QuestionId};

/// Balance of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceView {
    /// The asset.
    pub asset: AssetId,
    /// Everything, held included.
    pub total: Amount,
    /// Held by resting spot orders.
    pub held: Amount,
}

/// Position and open lots on an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Signed lots.
    pub lots: i64,
    /// Signed atoms paid for them.
    pub cost: Amount,
    /// Realised since it was opened.
    pub realised: Amount,
    /// Unrealised at mark; 0 for outcomes and spot.
    pub unrealised: Amount,
    /// Funding still to be settled: to receive, or negative, to pay.
    pub funding: Amount,
    /// Its maintenance requirement; 0 for outcomes and spot.
    pub maintenance: Amount,
    /// First mark, against the position, at which the account is below maintenance, all other prices standing still.
    pub liquidation_price: Option<Price>,
    /// Lots of resting buys.
    pub buys: Qty,
    /// Lots of resting sells.
    pub sells: Qty,
    /// Number of resting orders.
    pub orders: u32,
}

/// A resting order with its client id.
#[derive(Clone, Copy, Debug)]
pub struct OrderView {
    /// The order with all its lots.
    pub order: RestingOrder,
    /// Lots that an iceberg shows at a time; 0: it is none.
    pub display: Qty,
    /// Lots that others see of it now.
    pub shown: Qty,
    /// Zero: none.
    pub client_id: ClientId,
}

/// Both sides of a book, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookView {
    /// Buys.
    pub bids: Vec<LevelView>,
    /// Sells.
    pub asks: Vec<LevelView>,
}

/// An instrument as deployed and as it stands.
#[derive(Clone, Debug)]
pub struct InstrumentView<'a> {
    /// Its id.
    pub id: InstrumentId,
    /// Its symbol.
    pub symbol: &'a str,
    /// Spot or perpetual; none for an outcome.
    pub product: Option<Product>,
    /// As deployed; none for an outcome, whose question has it.
    pub spec: Option<&'a InstrumentSpec>,
    /// The question of an outcome.
    pub question: Option<QuestionId>,
    /// Its terms.
    pub terms: &'a InstrumentTerms,
    /// As an operator set it.
    pub state: InstrumentState,
    /// What it accepts: the stricter of its state and what its prices allow.
    pub gate: InstrumentState,
    /// How its prices stand; none without an oracle.
    pub prices: Option<PriceStatus>,
    /// Execution order in a frame.
    pub matching: Matching,
    /// 0: never set.
    pub mark: Price,
    /// 0: never set.
    pub index: Price,
    /// Of the last trade; 0: none.
    pub last: Price,
    /// Sum of the long positions.
    pub open_interest_lots: i128,
    /// Number of resting orders.
    pub orders: u32,
}

/// A question as deployed and as it stands.
#[derive(Clone, Debug)]
pub struct QuestionView<'a> {
    /// Its id.
    pub id: QuestionId,
    /// As deployed.
    pub spec: &'a QuestionSpec,
    /// First of its outcomes' instruments.
    pub first: InstrumentId,
    /// Payout of one lot of the winner.
    pub unit: Amount,
    /// Complete sets outstanding.
    pub sets: i64,
    /// The outcome that paid.
    pub paying: Option<InstrumentId>,
    /// The outcome that is being added; it does not trade yet.
    pub being_added: Option<InstrumentId>,
    /// Share of the unit by outcome, once it is decided; else empty.
    pub payouts: Vec<xos_units::Ppm>,
    /// Whether everybody is paid.
    pub is_settled: bool,
    /// How far its resolvers are; none: it has no resolvers.
    pub resolution: Option<&'a crate::Resolution>,
    /// Bonds held, settlement atoms.
    pub bonds: Amount,
    /// BLAKE3 of the rule of its resolvers.
    pub rule_hash: Option<[u8; 32]>,
}

/// Margin of an account, in settlement atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRisk {
    /// Free cash, unrealised profit, worst cases.
    pub equity: Amount,
    /// Initial margin of perpetuals.
    pub initial: Amount,
    /// Maintenance margin of perpetuals.
    pub maintenance: Amount,
    /// Reserves of perpetual orders.
    pub order_reserves: Amount,
    /// What the maintenance margin is held against: equity with what spot orders hold.
    pub equity_for_maintenance: Amount,
    /// Equity less initial margin and order reserves.
    pub headroom: Amount,
    /// What may be withdrawn.
    pub withdrawable: Amount,
    /// Worst case of each question.
    pub worst_cases: Vec<(QuestionId, Amount)>,
}

/// A publisher as a source of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Publisher id.
    pub publisher: u32,
    /// How much it counts.
    pub weight: u32,
    /// What it told last; 0: nothing since the last restart.
    pub price: Price,
    /// Price of an external perpetual; 0: none.
    pub external: Price,
    /// The publisher's own time of it.
    pub time_ns: u64,
}

/// What an account's credential says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialView {
    /// Classes, the bit of a class is 1 << (its id - 1).
    pub classes: u32,
    /// When it ends, logged nanoseconds; 0: it ran out, or was revoked.
    pub ends_ns: u64,
    /// When it was issued, nanoseconds since 1970 UTC.
    pub issued_ns: u64,
    /// Hash of the signed document.
    pub hash: ClientId,
}

/// A house account and what it has of an asset.
pub type HouseView = (Party, Amount);

impl Engine {
    /// Sequence of the last command.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
    /// Time of the last frame.
    pub fn time_ns(&self) -> u64 {
        self.time_ns
    }
    /// The declared limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
    /// The failed invariant, if the engine is halted.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }
    /// Trades so far.
    pub fn trades(&self) -> u64 {
        self.last_trade_id
    }
    /// Resting orders over all books.
    pub fn orders_resting(&self) -> usize {
        self.pool.len()
    }
    /// Number of accounts; their ids run from 1 to it.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }
    /// Assets, in order of id.
    pub fn assets(&self) -> &[AssetSpec] {
        &self.assets
    }
    /// Deployed venues, in order of id.
    pub fn venues(&self) -> &[VenueSpec] {
        &self.venues
    }

    /// Underlyings of scenario margin, in order of id.
    pub fn underlyings(&self) -> impl Iterator<Item = &xos_protocol::UnderlyingSpec> {
        self.scenarios.underlyings.iter().map(|underlying| &underlying.spec)
    }

    /// Whether an account is in scenario mode; false if it does not exist.
    pub fn is_in_scenario_mode(&self, account: AccountId) -> bool {
        self.is_scenario(account)
    }

    /// Publishers of prices, in order of id.
    pub fn publishers(&self) -> &[PublisherSpec] {
        &self.publishers
    }

    /// Credential classes, in order of id.
    pub fn classes(&self) -> &[ClassSpec] {
        &self.admission.classes
    }

    /// Classes and last credential of an account; none if its classes were never set.
    pub fn credential(&self, account: AccountId) -> Option<CredentialView> {
        let credential = self.admission.credential(account)?;
        Some(CredentialView {
            classes: self.accounts[account.index()].classes,
            ends_ns: credential.ends_ns,
            issued_ns: credential.issued_ns,
            hash: credential.hash,
        })
    }

    /// The sources of an instrument with an oracle, in the order of its specification.
    pub fn sources(&self, id: InstrumentId) -> Vec<SourceView> {
        let oracle = self.instruments.get(id.index()).and_then(|instrument| instrument.oracle.as_ref());
        let view = |source: &crate::oracle::Source| SourceView {
            publisher: source.publisher,
            weight: source.weight,
            price: source.price,
            external: source.external,
            time_ns: source.time_ns,
        };
        oracle.map_or_else(Vec::new, |oracle| oracle.sources.iter().map(view).collect())
    }

    /// Whether an account exists.
    pub fn has_account(&self, account: AccountId) -> bool {
        account.index() < self.accounts.len()
    }

    /// The owner's bytes of an account.
    pub fn owner_of(&self, account: AccountId) -> Option<ClientId> {
        self.accounts.get(account.index()).map(|account| self.owner_ids[account.owner.0 as usize])
    }

    /// An instrument.
    pub fn instrument(&self, id: InstrumentId) -> Option<InstrumentView<'_>> {
        let instrument = self.instruments.get(id.index())?;
        let terms = match (&instrument.spec, instrument.question()) {
            (Some(spec), _) => &spec.terms,
            (None, Some(question)) => &self.questions[question.index()].spec.terms,
            (None, None) => return None,
        };
        Some(InstrumentView {
            id,
            symbol: self.symbol(id),
            product: instrument.spec.as_ref().map(|spec| spec.product),
            spec: instrument.spec.as_deref(),
            question: instrument.question(),
            terms,
            state: instrument.state,
            gate: instrument.gate,
            prices: instrument.oracle.as_ref().map(|oracle| oracle.status),
            matching: instrument.matching,
            mark: instrument.mark,
            index: instrument.index,
            last: instrument.last,
            open_interest_lots: instrument.long_lots,
            orders: instrument.orders(),
        })
    }

    /// Number of instruments; their ids run from 1 to it.
    pub fn instrument_count(&self) -> usize {
        self.instruments.len()
    }

    /// A question.
    pub fn question(&self, id: QuestionId) -> Option<QuestionView<'_>> {
        self.questions.get(id.index()).map(|question| QuestionView {
            id,
            spec: &question.spec,
            first: question.first,
            unit: question.unit,
            sets: question.sets,
            paying: question.paying(),
            being_added: question.being_added(),
            payouts: question
                .settlement
                .as_ref()
                .map_or_else(Vec::new, |settlement| settlement.payouts.to_vec()),
            resolution: question.resolution.as_deref(),
            rule_hash: question.rule_hash,
            bonds: self.ledger.house(Party::Bonds(id), xos_ledger::SETTLEMENT),
            is_settled: question.settlement.as_ref().is_some_and(|settlement| settlement.is_done),
        })
    }

    /// Number of questions; their ids run from 1 to it.
    pub fn question_count(&self) -> usize {
        self.questions.len()
    }

    /// Balance of an asset; zero for an account or asset that does not exist.
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        if !self.has_account(account) || asset.index() >= self.assets.len() {
            return Balance::default();
        }
        self.ledger.balance(account, asset)
    }

    /// All balances of an account that are not zero, the settlement asset's always.
    pub fn balances(&self, account: AccountId) -> Vec<BalanceView> {
        if !self.has_account(account) || self.assets.is_empty() {
            return Vec::new();
        }
        let settlement = std::iter::once((xos_ledger::SETTLEMENT, self.ledger.settlement(account)));
        let view = |(asset, balance): (AssetId, Balance)| BalanceView {
            asset,
            total: balance.total,
            held: balance.held,
        };
        settlement.chain(self.ledger.others(account)).map(view).collect()
    }

    fn position_view(&self, account: AccountId, stand: &Stand) -> PositionView {
        let instrument = &self.instruments[stand.key.instrument().index()];
        let unrealised = if stand.key.is_perpetual() {
            xos_risk::unrealised(stand.lots, instrument.mark_value, stand.holding().cost)
        } else {
            Amount::ZERO
        };
        PositionView {
            instrument: instrument.id,
            lots: stand.lots,
            cost: stand.holding().cost,
            realised: stand.holding().realised,
            unrealised,
            funding: instrument.unsettled(stand),
            maintenance: instrument.maintenance_of(Qty(stand.lots.abs())).ceil(),
            liquidation_price: match stand.key.is_perpetual() {
                true => self.liquidation_price(account, instrument, stand.lots),
                false => None,
            },
            buys: stand.buys,
            sells: stand.sells,
            orders: stand.orders,
        }
    }

    /// Where an account stands, by instrument: every position, and instruments with resting orders only.
    pub fn positions(&self, account: AccountId) -> Vec<PositionView> {
        let Some(known) = self.accounts.get(account.index()) else { return Vec::new() };
        let mut views: Vec<_> = known.stands.iter().map(|stand| self.position_view(account, stand)).collect();
        views.sort_unstable_by_key(|view| view.instrument);
        views
    }

    fn order_view(&self, slot: Slot) -> OrderView {
        let (order, shown) = (self.whole_order(slot), self.pool.order(slot).remaining);
        let display = self.iceberg(order.id).display;
        OrderView { order, display, shown, client_id: self.client_id_of(&order) }
    }

    /// Orders of an account that wait for a price, by id.
    pub fn triggers(&self, account: AccountId) -> Vec<crate::Trigger> {
        self.triggers.of(account).copied().collect()
    }

    /// The market-maker protection of an account on an instrument.
    pub fn protection(&self, account: AccountId, instrument: InstrumentId) -> Option<crate::Protection> {
        self.protections.get(&(instrument, account)).copied()
    }

    /// When the countdown of an account runs out, logged nanoseconds; none: none runs.
    pub fn countdown_deadline_ns(&self, account: AccountId) -> Option<u64> {
        self.countdowns.deadline_ns(account)
    }

    /// A resting order.
    pub fn order(&self, id: OrderId) -> Option<OrderView> {
        self.pool.find(id).map(|slot| self.order_view(slot))
    }

    /// Resting orders of an account, by id.
    pub fn orders(&self, account: AccountId) -> Vec<OrderView> {
        let Some(account) = self.accounts.get(account.index()) else { return Vec::new() };
        let mut orders = Vec::with_capacity(account.orders as usize);
        for stand in &account.stands {
            let mut slot = stand.head;
            while slot != NO_SLOT {
                orders.push(self.order_view(slot));
                slot = self.pool.order(slot).own_next;
            }
        }
        orders.sort_unstable_by_key(|view| view.order.id);
        orders
    }

    /// The first `depth` levels of each side, of icebergs what is shown; empty for an instrument that does not exist.
    pub fn book(&self, instrument: InstrumentId, depth: usize) -> BookView {
        let Some(instrument) = self.instruments.get(instrument.index()) else { return BookView::default() };
        BookView {
            bids: instrument.levels(Side::Buy, ALL).take(depth).collect(),
            asks: instrument.levels(Side::Sell, ALL).take(depth).collect(),
        }
    }

    /// Every order of a side in price-time order.
    pub fn queue(&self, instrument: InstrumentId, side: Side) -> Vec<OrderView> {
        let Some(instrument) = self.instruments.get(instrument.index()) else { return Vec::new() };
        instrument.queue(&self.pool, side, ALL).map(|slot| self.order_view(slot)).collect()
    }

    /// Margin of an account.
    pub fn risk(&self, account: AccountId) -> Option<AccountRisk> {
        let known = self.accounts.get(account.index())?;
        if self.assets.is_empty() {
            return None;
        }
        let margin = self.margin(account);
        let (equity_for_maintenance, maintenance) = self.maintenance(account);
        let perpetuals = known.stands.iter().take_while(|stand| stand.key.is_perpetual());
        let order_reserves =
            perpetuals.fold(Amount::ZERO, |sum, stand| sum + stand.buy_reserve() + stand.sell_reserve());
        let mut worst_cases = known.questions().to_vec();
        for (id, worst) in &mut worst_cases {
            let question = &self.questions[id.index()];
            if question.is_settling() {
                *worst = question.payout_of(known);
            }
        }
        worst_cases.sort_unstable_by_key(|(id, _)| *id);
        Some(AccountRisk {
            equity: margin.equity + order_reserves,
            initial: margin.initial.ceil(),
            maintenance: maintenance.ceil(),
            equity_for_maintenance: equity_for_maintenance.floor(),
            order_reserves,
            headroom: margin.headroom(),
            withdrawable: self.withdrawable(account),
            worst_cases,
        })
    }

    /// Every house account's balance of an asset.
    pub fn house(&self, asset: AssetId) -> Vec<HouseView> {
        if asset.index() >= self.assets.len() { Vec::new() } else { self.ledger.house_accounts(asset) }
    }

    /// Sum of all users' totals of an asset.
    pub fn users_total(&self, asset: AssetId) -> Amount {
        if asset.index() >= self.assets.len() { Amount::ZERO } else { self.ledger.users_total(asset) }
    }

    /// Bytes of memory held by orders, accounts with their balances, and stands.
    pub fn memory_bytes(&self) -> [usize; 3] {
        let stands: usize =
            self.accounts.iter().map(|account| account.stands.capacity() * size_of::<Stand>()).sum();
        let accounts = self.accounts.capacity() * size_of::<crate::account::Account>() + self.ledger.bytes();
        [self.pool.bytes(), accounts, stands]
    }
}
