//! What stands, read from the engine itself and handed out as plain tuples of integers.

use crate::exchange::Exchange;
use crate::fault::unexpected;
use crate::outcome::integer_of;
use crate::specification::Specification;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use xos_engine::{DeleveragingView, Engine, Leg, LiquidationView, OrderView, Trigger, Wait};
use xos_ledger::Party;
use xos_protocol::{CommandKind, CommandRecord, Int128};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, OrderId, Price, Qty, VenueId};

/// Publisher, weight, price, external price, time of a source.
type SourceRow = (u32, u32, i64, i64, u64);
/// Classes, end, time of issue, hash.
type CredentialRow<'py> = (u32, u64, u64, Bound<'py, PyBytes>);
/// Owner, parent and perpetual of an isolated account, isolated accounts of this one.
type FamilyRow<'py> = (Bound<'py, pyo3::types::PyBytes>, Option<(u32, u32)>, Vec<(u32, u32)>);

type FundingRow = (u8, Option<i64>, Option<i64>, u32, Option<u64>, bool, Vec<(u64, i64, i64, i64)>);
type InstrumentRow = (u8, u8, i64, i64, i64, Option<u8>, i128);

impl Exchange {
    pub(crate) fn engine<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&Engine) -> T + Send,
    ) -> PyResult<T> {
        self.brief(py, |open| Ok(read(open.node.engine())))
    }

    fn account<T: Send>(
        &self,
        py: Python<'_>,
        account: u32,
        read: impl FnOnce(&Engine, AccountId) -> T + Send,
    ) -> PyResult<Option<T>> {
        let account = AccountId(account);
        self.engine(py, |engine| engine.has_account(account).then(|| read(engine, account)))
    }
}

type Rows<'py> = Option<Bound<'py, PyList>>;

#[pymethods]
impl Exchange {
    /// Sequence of the last command.
    fn sequence(&self, py: Python<'_>) -> PyResult<u64> {
        self.engine(py, Engine::sequence)
    }

    /// Logged time of the last command.
    fn time_ns(&self, py: Python<'_>) -> PyResult<u64> {
        self.engine(py, Engine::time_ns)
    }

    /// BLAKE3 of the canonical state.
    fn state_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let hash = self.released(py, |open| Ok(open.node.engine().state_hash()))?;
        Ok(PyBytes::new(py, &hash))
    }

    /// Accounts are numbered from one to this.
    fn account_count(&self, py: Python<'_>) -> PyResult<usize> {
        self.engine(py, Engine::account_count)
    }

    /// Limits and bodies of everything deployed, as MessagePack.
    fn specification<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let specification = self.engine(py, Specification::of)?;
        let bytes = rmp_serde::to_vec_named(&specification).map_err(|_| unexpected("a specification"))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// State, what it accepts, mark, index and last price of an instrument, and its price status if it has an oracle.
    fn instrument(&self, py: Python<'_>, instrument: u32) -> PyResult<Option<InstrumentRow>> {
        self.engine(py, |engine| {
            let view = engine.instrument(InstrumentId(instrument))?;
            let status = view.prices.map(|status| status.code());
            let (state, gate) = (view.state.code(), view.gate.code());
            Some((state, gate, view.mark.0, view.index.0, view.last.0, status, view.open_interest_lots))
        })
    }

    /// Funding of a perpetual: interval, premium, predicted rate, samples, end, settling, past intervals.
    fn funding(&self, py: Python<'_>, instrument: u32) -> PyResult<Option<FundingRow>> {
        self.engine(py, |engine| {
            let view = engine.funding(InstrumentId(instrument))?;
            let past =
                view.history.iter().map(|past| (past.time_ns, past.premium.0, past.rate.0, past.index.0));
            Some((
                view.terms.interval_h,
                view.premium.map(|rate| rate.0),
                view.predicted.map(|rate| rate.0),
                view.samples,
                view.ends_ns,
                view.is_settling,
                past.collect(),
            ))
        })
    }

    /// Publisher, weight, price, external price and time of each source of an instrument.
    fn sources(&self, py: Python<'_>, instrument: u32) -> PyResult<Vec<SourceRow>> {
        self.engine(py, |engine| {
            let sources = engine.sources(InstrumentId(instrument)).into_iter();
            sources.map(|s| (s.publisher, s.weight, s.price.0, s.external.0, s.time_ns)).collect()
        })
    }

    /// The owner's 32 bytes; parent and perpetual if it is isolated; its isolated accounts as perpetual and number.
    fn family<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Option<FamilyRow<'py>>> {
        let found = self.account(py, account, |engine, account| {
            let owner = engine.owner_of(account).unwrap_or_default();
            let isolated = engine.isolated(account).map(|(parent, instrument)| (parent.0, instrument.0));
            let own = engine.isolated_accounts(account);
            (owner, isolated, own.into_iter().map(|(instrument, child)| (instrument.0, child.0)).collect())
        })?;
        Ok(found.map(|(owner, isolated, own)| (pyo3::types::PyBytes::new(py, &owner), isolated, own)))
    }

    /// Classes, end, time of issue and hash of an account's last credential.
    fn credential<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Option<CredentialRow<'py>>> {
        let found = self.engine(py, |engine| engine.credential(AccountId(account)))?;
        Ok(found.map(|view| (view.classes, view.ends_ns, view.issued_ns, PyBytes::new(py, &view.hash))))
    }

    /// Total and held of an account in an asset.
    fn balance<'py>(
        &self,
        py: Python<'py>,
        account: u32,
        asset: u32,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = self.account(py, account, |engine, account| engine.balance(account, AssetId(asset)))?;
        found.map(|balance| integers(py, &[balance.total, balance.held])).transpose()
    }

    /// Asset, total, held; every asset of which the account has something.
    fn balances<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Rows<'py>> {
        let found = self.account(py, account, Engine::balances)?;
        rows(py, found, |view| {
            (view.asset.0, integer_of(py, view.total.0), integer_of(py, view.held.0)).into_pyobject(py)
        })
    }

    /// Instrument, lots, cost, realised, unrealised, lots of resting buys and sells, maintenance, liquidation price;
    /// wherever the account stands.
    fn positions<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Rows<'py>> {
        let found = self.account(py, account, Engine::positions)?;
        rows(py, found, |view| {
            let amount = |amount: Amount| integer_of(py, amount.0);
            let (cost, realised, unrealised) = (view.cost, view.realised, view.unrealised);
            let money = (amount(cost), amount(realised), amount(unrealised));
            let (lots, maintenance) = ((view.lots, view.buys.0, view.sells.0), amount(view.maintenance));
            let liquidation = view.liquidation_price.map(|price| price.0);
            (view.instrument.0, lots.0, money.0, money.1, money.2, lots.1, lots.2, maintenance, liquidation)
                .into_pyobject(py)
        })
    }

    /// The resting orders of an account, by id; see `order`.
    fn orders<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Rows<'py>> {
        let found = self.account(py, account, Engine::orders)?;
        rows(py, found, |view| order_tuple(py, &view))
    }

    /// order_id, account, instrument, side, price, qty, remaining, tif, flags, self_trade, venue, expires_ns,
    /// client_id, display, shown of a resting order.
    fn order<'py>(&self, py: Python<'py>, order_id: u64) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = self.engine(py, |engine| engine.order(OrderId(order_id)))?;
        found.map(|view| order_tuple(py, &view)).transpose()
    }

    /// The orders of an account that wait for a price, by id: order_id, account, instrument, side, qty; of the legs
    /// above and below trigger price, limit and source each; tif, flags, self_trade, venue, slippage_ppm, entry,
    /// client_id, whether it was reached.
    fn triggers<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Rows<'py>> {
        let found = self.account(py, account, Engine::triggers)?;
        rows(py, found, |trigger| trigger_tuple(py, &trigger))
    }

    /// Limits of lots and delta, window and freeze in ms, begin of the window, lots, delta, end of the freeze of a
    /// market-maker protection.
    #[expect(clippy::type_complexity, reason = "what it hands to Python is this")]
    fn protection(
        &self,
        py: Python<'_>,
        account: u32,
        instrument: u32,
    ) -> PyResult<Option<(i64, i64, u32, u32, u64, i64, i64, u64)>> {
        self.engine(py, |engine| {
            let p = engine.protection(AccountId(account), InstrumentId(instrument))?;
            let limits = (p.lots_max, p.delta_max, p.window_ms, p.freeze_ms);
            Some((limits.0, limits.1, limits.2, limits.3, p.from_ns, p.lots, p.delta, p.frozen_until_ns))
        })
    }

    /// When the countdown of an account runs out, logged time; 0: none runs.
    fn countdown(&self, py: Python<'_>, account: u32) -> PyResult<Option<u64>> {
        self.account(py, account, |engine, account| engine.countdown_deadline_ns(account).unwrap_or(0))
    }

    /// Reject, its value and limit, taken lots, fee, worst fee of the rest, initial margin before and after, maintenance
    /// margin before and after, liquidation price and most certain loss of an order that is not placed; None where there
    /// is no such account or instrument, or price and quantity are out of bounds.
    #[pyo3(signature = (account, instrument, side, price, qty, tif, flags, self_trade, venue, expires_ns, display=0, /))]
    fn preview<'py>(
        &self,
        py: Python<'py>,
        account: u32,
        instrument: u32,
        side: u8,
        price: i64,
        qty: i64,
        tif: u8,
        flags: u8,
        self_trade: u8,
        venue: u16,
        expires_ns: u64,
        display: i64,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let kind = CommandKind::Place.code();
        let command = CommandRecord {
            kind,
            side,
            tif,
            flags,
            self_trade,
            venue,
            account,
            instrument,
            price,
            qty,
            expires_ns,
            amount: Int128 { low: display as u64, high: 0 },
            ..Default::default()
        };
        let Some(found) = self.engine(py, |engine| engine.preview(&command))? else { return Ok(None) };
        let (reject, value, limit) =
            found.reject.map_or((0, 0, 0), |(reject, value, limit)| (reject.code().into(), value, limit));
        let money = [
            found.fee,
            found.fee_resting,
            found.initial.0,
            found.initial.1,
            found.maintenance.0,
            found.maintenance.1,
            found.loss_max,
        ];
        let ticks = |price: Option<Price>| price.map_or(0, |price| price.0.into());
        let (now, filled) = (ticks(found.liquidation_price), ticks(found.liquidation_price_filled));
        let numbers = [reject, value, limit, found.taken.0.into(), now, filled];
        let all = numbers.into_iter().chain(money.into_iter().map(|amount| amount.0));
        PyList::new(py, all.map(|number| integer_of(py, number))).map(Some)
    }

    /// Equity, initial and maintenance margin, order reserves, headroom, withdrawable, worst case by question, equity
    /// for maintenance.
    fn risk<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = self.engine(py, |engine| engine.risk(AccountId(account)))?;
        found
            .map(|risk| {
                let questions = risk.worst_cases.iter().map(|(id, worst)| (id.0, integer_of(py, worst.0)));
                let questions = PyList::new(py, questions.collect::<Vec<_>>())?;
                let amount = |amount: Amount| integer_of(py, amount.0);
                (
                    amount(risk.equity),
                    amount(risk.initial),
                    amount(risk.maintenance),
                    amount(risk.order_reserves),
                    amount(risk.headroom),
                    amount(risk.withdrawable),
                    questions,
                    amount(risk.equity_for_maintenance),
                )
                    .into_pyobject(py)
            })
            .transpose()
    }

    /// Whether an account is in scenario mode; of each underlying that it stands on its number, initial margin, that
    /// without offsets, maintenance margin, that without offsets, and loss and offset of each scenario.
    fn scenario_risk<'py>(&self, py: Python<'py>, account: u32) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let account = AccountId(account);
        let found = self.engine(py, |engine| {
            Some((engine.is_in_scenario_mode(account), engine.scenario_risk(account)?))
        })?;
        let integer = |amount: Amount| integer_of(py, amount.0);
        let losses = |all: Vec<(Amount, Amount)>| -> Vec<_> {
            all.into_iter().map(|(loss, offset)| (integer(loss), integer(offset))).collect()
        };
        found
            .map(|(is_scenario, risks)| {
                let rows = risks.into_iter().map(|risk| {
                    let (initial, maintenance) = (risk.initial, risk.maintenance);
                    let margins = [initial.0, initial.1, maintenance.0, maintenance.1].map(integer);
                    (risk.underlying, margins, losses(risk.losses))
                });
                (is_scenario, PyList::new(py, rows.collect::<Vec<_>>())?).into_pyobject(py)
            })
            .transpose()
    }

    /// Sequence, and price, lots, orders of the best levels of bids and asks; of those that an account with these classes
    /// reaches through a venue, if both are given.
    #[expect(clippy::type_complexity, reason = "what it hands to Python is this")]
    #[pyo3(signature = (instrument, depth, reach = None, /))]
    fn book(
        &self,
        py: Python<'_>,
        instrument: u32,
        depth: usize,
        reach: Option<(u32, u16)>,
    ) -> PyResult<(u64, Vec<(i64, u128, u32)>, Vec<(i64, u128, u32)>)> {
        self.engine(py, |engine| {
            let id = InstrumentId(instrument);
            let book = match reach {
                None => engine.book(id, depth),
                Some((classes, venue)) => engine.depth(id, depth, classes, VenueId(venue)),
            };
            let side = |levels: Vec<xos_engine::LevelView>| {
                levels.iter().map(|level| (level.price.0, level.lots, level.orders)).collect()
            };
            (engine.sequence(), side(book.bids), side(book.asks))
        })
    }

    /// Sequence, and price, lots, orders, implied lots of the best levels of bids and asks.
    #[expect(clippy::type_complexity, reason = "what it hands to Python is this")]
    fn book_with_implied(
        &self,
        py: Python<'_>,
        instrument: u32,
        depth: usize,
    ) -> PyResult<(u64, Vec<(i64, u128, u32, i64)>, Vec<(i64, u128, u32, i64)>)> {
        self.engine(py, |engine| {
            let book = engine.book_with_implied(InstrumentId(instrument), depth);
            let side = |levels: Vec<(xos_engine::LevelView, Qty)>| {
                let row = |(level, implied): &(xos_engine::LevelView, Qty)| {
                    (level.price.0, level.lots, level.orders, implied.0)
                };
                levels.iter().map(row).collect()
            };
            (engine.sequence(), side(book.bids), side(book.asks))
        })
    }

    /// Account, next visit, equity and requirement of every account in liquidation; start and what was freed, if it has
    /// a clock.
    fn liquidations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = self.engine(py, Engine::liquidations)?;
        let row = |view: LiquidationView| {
            let (equity, maintenance) = (integer_of(py, view.equity.0), integer_of(py, view.maintenance.0));
            let clock = view.clock.map(|(start_ns, freed)| (start_ns, integer_of(py, freed.0)));
            (view.account.0, view.next_visit_ns, equity, maintenance, clock)
        };
        PyList::new(py, found.into_iter().map(row).collect::<Vec<_>>())
    }

    /// Account, lots, lots asked first, leverage, share, queue rank and candidates of one side of a perpetual, if
    /// `lots` of the other side had to be closed now.
    #[pyo3(signature = (instrument, long, lots, /))]
    fn deleveraging<'py>(
        &self,
        py: Python<'py>,
        instrument: u32,
        long: bool,
        lots: i64,
    ) -> PyResult<Bound<'py, PyList>> {
        let found =
            self.engine(py, |engine| engine.deleveraging(InstrumentId(instrument), long, Qty(lots)))?;
        let row = |view: DeleveragingView| {
            let (lots, first, share) = (view.lots, view.first.0, view.share.0);
            (view.account.0, lots, first, view.leverage_ppm, share, view.queue_rank, view.candidates)
        };
        PyList::new(py, found.into_iter().map(row).collect::<Vec<_>>())
    }

    /// Kind and number of every house account with an asset and what it has of it.
    fn house<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let accounts = self.engine(py, |engine| {
            let assets = (0..engine.assets().len()).map(AssetId::from_index);
            assets
                .flat_map(|id| engine.house(id).into_iter().map(move |(party, amount)| (party, id, amount)))
                .collect::<Vec<_>>()
        })?;
        let rows = accounts.into_iter().map(|(party, asset, amount)| {
            let (kind, number) = party_words(party);
            (kind, number, asset.0, integer_of(py, amount.0))
        });
        PyList::new(py, rows.collect::<Vec<_>>())
    }

    /// For every asset the sum over all users and over all house accounts.
    fn conservation<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let sums = self.released(py, |open| {
            let engine = open.node.engine();
            let assets = (0..engine.assets().len()).map(AssetId::from_index);
            let sum = |asset| {
                let house = engine.house(asset).into_iter().fold(Amount::ZERO, |sum, (_, part)| sum + part);
                (asset.0, engine.users_total(asset), house)
            };
            Ok(assets.map(sum).collect::<Vec<_>>())
        })?;
        let rows = sums
            .into_iter()
            .map(|(asset, users, house)| (asset, integer_of(py, users.0), integer_of(py, house.0)));
        PyList::new(py, rows.collect::<Vec<_>>())
    }
}

fn rows<'py, T>(
    py: Python<'py>,
    found: Option<Vec<T>>,
    row: impl Fn(T) -> PyResult<Bound<'py, PyTuple>>,
) -> PyResult<Rows<'py>> {
    let Some(views) = found else { return Ok(None) };
    let rows = views.into_iter().map(row).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, rows).map(Some)
}

fn integers<'py>(py: Python<'py>, amounts: &[Amount]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, amounts.iter().map(|amount| integer_of(py, amount.0)).collect::<Vec<_>>())
}

fn order_tuple<'py>(py: Python<'py>, view: &OrderView) -> PyResult<Bound<'py, PyTuple>> {
    let order = &view.order;
    let head =
        (order.id.0, order.account.0, order.instrument.0, order.side.code(), order.price.0, order.total.0);
    let tail = (
        order.remaining.0,
        order.tif.code(),
        order.flags,
        order.self_trade.code(),
        order.venue.0,
        order.expires_ns,
        PyBytes::new(py, &view.client_id),
        view.display.0,
        view.shown.0,
    );
    let parts = [head.into_pyobject(py)?, tail.into_pyobject(py)?];
    let fields = parts.iter().flat_map(|part| part.iter()).collect::<Vec<_>>();
    PyTuple::new(py, fields)
}

fn trigger_tuple<'py>(py: Python<'py>, trigger: &Trigger) -> PyResult<Bound<'py, PyTuple>> {
    let head = (trigger.id.0, trigger.account.0, trigger.instrument.0, trigger.side.code(), trigger.qty.0);
    let leg = |leg: Leg| (leg.trigger.0, leg.limit.0, leg.source.code());
    let tail = (
        trigger.tif.code(),
        trigger.flags,
        trigger.self_trade.code(),
        trigger.venue.0,
        trigger.slippage_ppm,
        trigger.entry.0,
        PyBytes::new(py, &trigger.client_id),
        trigger.wait != Wait::Price,
    );
    let parts = [
        head.into_pyobject(py)?,
        leg(trigger.above).into_pyobject(py)?,
        leg(trigger.below).into_pyobject(py)?,
        tail.into_pyobject(py)?,
    ];
    let fields = parts.iter().flat_map(|part| part.iter()).collect::<Vec<_>>();
    PyTuple::new(py, fields)
}

fn party_words(party: Party) -> (&'static str, u32) {
    match party {
        Party::User(id) => ("user", id.0),
        Party::External => ("external", 0),
        Party::Protocol => ("protocol", 0),
        Party::Insurance => ("insurance", 0),
        Party::Rounding => ("rounding", 0),
        Party::Venue(id) => ("venue", id.0.into()),
        Party::Deployer(id) => ("deployer", id.0),
        Party::Clearing(id) => ("clearing", id.0),
        Party::Question(id) => ("question", id.0),
        Party::Bonds(id) => ("bonds", id.0),
        Party::Stakes => ("stakes", 0),
        Party::Simulated => ("simulated", 0),
    }
}
