//! What an order would do, without placing it.

use crate::account::Class;
use crate::engine::Engine;
use crate::instrument::{Instrument, Traded};
use crate::margin::{Change, reducible};
use crate::orders::{Asked, is_reduce_only};
use crate::scenario::{Hypothesis, Kind};
use crate::shape;
use crate::step::Refused;
use xos_book::RestingOrder;
use xos_protocol::{CommandKind, CommandRecord, InstrumentState, Reject, SelfTrade, Side, Tif};
use xos_risk::{Holding, fee_base, liquidation_price, unrealised, worst_side};
use xos_units::{AccountId, Amount, Ppm, Price, Qty, Requirement, division::fee_up, notional};

/// What a place would do now. It walks the orders of the book as they stand: one whose owner could not pay, or whose
/// protection is breached on the way, is counted as one that fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The reject it would get, with value and limit; none: it would be accepted.
    pub reject: Option<(Reject, i128, i128)>,
    /// Lots that would trade at once.
    pub taken: Qty,
    /// Fee of these, in the instrument's quote asset; and of the rest the worst fee, where it would rest.
    pub fee: Amount,
    /// The fee of what would rest if it filled at its limit; a rebate is no fee.
    pub fee_resting: Amount,
    /// Initial margin of the account before and after, settlement atoms.
    pub initial: (Amount, Amount),
    /// Maintenance margin of the account before and after.
    pub maintenance: (Amount, Amount),
    /// Mark at which the account would be due for liquidation by this position; none: no mark does it, or no perpetual.
    pub liquidation_price: Option<Price>,
    /// The same once what would rest has filled at its limit, for its worst fee.
    pub liquidation_price_filled: Option<Price>,
    /// The most that it can lose for certain: fees, and of a perpetual what its lots at their prices lose against the mark, of an
    /// outcome the whole stake.
    pub loss_max: Amount,
}

/// What matters on the way.
#[derive(Clone, Copy)]
struct Terms {
    side: Side,
    mode: SelfTrade,
    lots: Qty,
}

/// An order walked through the levels of the book.
struct Walk {
    taken: Qty,
    fee: Amount,
    fee_resting: Amount,
    rests: Qty,
    loss: Amount,
    holding: Holding,
}

impl Engine {
    /// What this place would do at the time of the last frame. None if the record is no place of an account and an
    /// instrument that exist.
    pub fn preview(&self, command: &CommandRecord) -> Option<Preview> {
        let account = self.accounts.get(command.account().index())?;
        let instrument = self.instruments.get(command.instrument().index())?;
        let side = command.side().filter(|_| command.kind() == Some(CommandKind::Place))?;
        let words = shape::place(command);
        let mode = words.as_ref().map_or(SelfTrade::None, |words| words.self_trade);
        let checked = words.and_then(|words| self.admit(self.time_ns, command, &words));
        let (lots, pulled, reject) = match checked {
            Ok(admitted) => (admitted.lots, admitted.pulled, None),
            Err(Refused { reject, value, limit }) => {
                (command.qty(), Amount::ZERO, Some((reject, value, limit)))
            }
        };
        // An order whose numbers are out of bounds is refused for them, and nothing is counted of it.
        let bounded = (1..=instrument.price_max.0).contains(&command.price)
            && (1..=instrument.qty_max.0).contains(&lots.0)
            && command.venue as usize <= self.venues.len();
        let stand = account.stand(instrument.key);
        let held = stand.map(|stand| stand.holding()).unwrap_or_default();
        let lots = if bounded { lots } else { Qty::ZERO };
        let walk = self.walk(instrument, command, Terms { side, mode, lots }, held);
        let id = command.account();
        let margin = self.margin(id);
        let (_, maintenance) = self.maintenance(id);
        let mut preview = Preview {
            reject,
            taken: walk.taken,
            fee: walk.fee,
            fee_resting: walk.fee_resting,
            initial: (margin.initial.ceil(), margin.initial.ceil()),
            maintenance: (maintenance.ceil(), maintenance.ceil()),
            liquidation_price: None,
            liquidation_price_filled: None,
            loss_max: walk.loss + walk.fee + walk.fee_resting,
        };
        if instrument.class() == Class::Perpetual && instrument.mark > Price::ZERO {
            self.preview_perpetual(&mut preview, command, (side, pulled), &walk, held);
        }
        if bounded && self.is_scenario(id) {
            let left = walk.taken + walk.rests;
            self.preview_outcome(&mut preview, instrument, command, left);
        }
        Some(preview)
    }

    /// Margin and liquidation prices after an order of a perpetual; `pulled`: what an isolated account gets for it.
    fn preview_perpetual(
        &self,
        preview: &mut Preview,
        command: &CommandRecord,
        (side, pulled): (Side, Amount),
        walk: &Walk,
        held: Holding,
    ) {
        let id = command.account();
        let (account, instrument) =
            (&self.accounts[id.index()], &self.instruments[command.instrument().index()]);
        let stand = account.stand(instrument.key);
        let margin = self.margin(id);
        let (equity, maintenance) = self.maintenance(id);
        let (buys, sells) = stand.map_or((Qty::ZERO, Qty::ZERO), |stand| (stand.buys, stand.sells));
        let before = worst_side(held.lots, buys, sells);
        let (more_buys, more_sells) =
            if side == Side::Buy { (walk.rests, Qty::ZERO) } else { (Qty::ZERO, walk.rests) };
        let after = worst_side(walk.holding.lots, buys + more_buys, sells + more_sells);
        let leverage = account.leverage(instrument.id);
        let asked = |lots| instrument.initial_of(lots, leverage);
        let own = |lots: i64| instrument.maintenance_of(Qty(lots.abs()));
        let mut initial = margin.initial + asked(after) - asked(before);
        let value = |holding: &Holding| {
            unrealised(holding.lots, instrument.mark_value, holding.cost) + holding.realised
        };
        let is_scenario = self.is_scenario(id);
        let none = Change::side(instrument.key, side, Qty::ZERO, Amount::ZERO);
        let change = Change { buys: more_buys, sells: more_sells, ..none };
        let hypothesis = |lots| Hypothesis {
            change: Some(&change),
            lots: Some((instrument.key, lots)),
            ..Hypothesis::default()
        };
        if is_scenario {
            initial -= self.more_relief(id, Kind::Initial, hypothesis(walk.holding.lots));
        }
        // Its requirement with a holding, and the mark at which it is due then.
        let due = |holding: &Holding, fee: Amount| {
            let mut needs = maintenance + own(holding.lots) - own(held.lots);
            if is_scenario {
                needs -= self.more_relief(id, Kind::Maintenance, hypothesis(holding.lots));
            }
            let has = equity.floor() + pulled + value(holding) - value(&held) - fee;
            (needs, self.liquidation_of(id, instrument, holding.lots, has.as_requirement(), needs))
        };
        let (needs, price) = due(&walk.holding, walk.fee);
        preview.initial.1 = initial.ceil();
        preview.maintenance.1 = needs.ceil();
        preview.liquidation_price = price;
        preview.liquidation_price_filled = price;
        if walk.rests > Qty::ZERO {
            let mut filled = walk.holding;
            filled.fill(side == Side::Buy, command.price(), walk.rests, instrument.k);
            preview.liquidation_price_filled = due(&filled, walk.fee + walk.fee_resting).1;
        }
    }

    /// An outcome offsets perpetuals of an account in scenario mode: what it needs with `left` lots more of it.
    #[cold]
    fn preview_outcome(
        &self,
        preview: &mut Preview,
        instrument: &Instrument,
        command: &CommandRecord,
        left: Qty,
    ) {
        let Traded::Outcome { question, .. } = instrument.traded else { return };
        let Some(side) = command.side() else { return };
        let id = command.account();
        let reserve = self.reserve_per_lot(instrument, command.venue(), side, command.price());
        let change = Change::side(instrument.key, side, left, reserve.times_lots(left));
        let worst = self.worst_case_with(&self.accounts[id.index()], question, Some(&change), 0);
        let after = self.margin_with_worst_case(id, question, worst, Some(&change));
        preview.initial.1 = after.initial.ceil();
    }

    #[cold]
    fn more_relief(&self, id: AccountId, kind: Kind, after: Hypothesis<'_>) -> Requirement {
        self.relief(id, kind, after) - self.relief(id, kind, Hypothesis::default())
    }

    fn walk(&self, instrument: &Instrument, command: &CommandRecord, terms: Terms, held: Holding) -> Walk {
        let Terms { side, mode, lots } = terms;
        let mut walk = Walk {
            taken: Qty::ZERO,
            fee: Amount::ZERO,
            fee_resting: Amount::ZERO,
            rests: Qty::ZERO,
            loss: Amount::ZERO,
            holding: held,
        };
        if lots == Qty::ZERO {
            return walk;
        }
        let fees = self.rates(command.account(), command.venue(), instrument);
        let terms = Terms { side, mode, lots };
        let mut fill = |price: Price, filled: Qty, with_itself: bool| {
            walk.taken += filled;
            let base = fee_base(instrument.outcome_terms(), price, filled, instrument.k);
            walk.fee += fee_up(base, Ppm(fees.taker_ppm));
            // A trade of an account with itself moves no position.
            if !with_itself {
                walk.loss += self.loss_at(instrument, side, price, filled);
                walk.holding.fill(side == Side::Buy, price, filled, instrument.k);
            }
        };
        let left = if instrument.gate == InstrumentState::Auction {
            // It rests until the auction is filled.
            lots
        } else if instrument.implied {
            self.walk_with_implied(instrument, command, terms, fill)
        } else {
            let own = command.account();
            self.walk_orders(instrument, command, terms, |resting, filled| {
                fill(resting.price, filled, resting.account == own);
            })
        };
        if matches!(command.tif(), Some(Tif::Gtc | Tif::Gtd)) && left > Qty::ZERO {
            let base = fee_base(instrument.outcome_terms(), command.price(), left, instrument.k);
            walk.fee_resting = fee_up(base, Ppm(fees.maker_ppm.max(0)));
            walk.loss += self.loss_at(instrument, side, command.price(), left);
            walk.rests = left;
        }
        walk
    }

    /// The same for an outcome with implied liquidity.
    fn walk_with_implied(
        &self,
        instrument: &Instrument,
        command: &CommandRecord,
        terms: Terms,
        mut fill: impl FnMut(Price, Qty, bool),
    ) -> Qty {
        let asked = Asked {
            account: command.account(),
            instrument,
            side: terms.side,
            price: command.price(),
            lots: terms.lots,
            venue: command.venue(),
            position: 0,
            others: Qty::ZERO,
            rests: false,
            replaced_lots: Qty::ZERO,
            replaced_reserve: Amount::ZERO,
            pulled: Amount::ZERO,
        };
        let planned = self.plan_with_implied(&asked, terms.mode, self.time_ns);
        let mut left = terms.lots;
        for filled in &planned.fills {
            left -= filled.lots;
            fill(filled.price, filled.lots, filled.with_itself);
        }
        if planned.cancelled { Qty::ZERO } else { left }
    }

    /// Walks the orders that the order would meet, and gives the lots it has left at the end, if it is still there.
    fn walk_orders(
        &self,
        instrument: &Instrument,
        command: &CommandRecord,
        terms: Terms,
        mut fill: impl FnMut(&RestingOrder, Qty),
    ) -> Qty {
        let Terms { side, mode, lots: mut left } = terms;
        let owner = self.accounts[command.account().index()].owner;
        let reach = self.eligibility_of(command.account(), command.venue()).reach;
        let mut queue = instrument.queue(&self.pool, side.opposite(), reach);
        let mut meetings = 0;
        while left > Qty::ZERO
            && let Some(slot) = queue.next()
        {
            let resting = self.pool.order(slot);
            let reached = match side {
                Side::Buy => resting.price <= command.price(),
                Side::Sell => resting.price >= command.price(),
            };
            if !reached {
                break;
            }
            let halt = instrument.halt.as_ref();
            let halts = halt.is_some_and(|halt| halt.stops(self.time_ns, side, resting.price).is_some());
            if halts || meetings >= self.limits.matches_per_command_max {
                return Qty::ZERO;
            }
            meetings += 1;
            if resting.owner == owner {
                match mode {
                    SelfTrade::None => {}
                    SelfTrade::CancelMaker => continue,
                    SelfTrade::CancelTaker | SelfTrade::CancelBoth => return Qty::ZERO,
                    SelfTrade::Decrement => {
                        left -= left.min(resting.remaining);
                        continue;
                    }
                }
            }
            if resting.price > instrument.band_high || resting.price < instrument.band_low {
                continue;
            }
            let mut filled = left.min(resting.remaining);
            if is_reduce_only(resting) {
                let (position, _) = self.stand_of(resting.account, instrument.key, resting.side);
                filled = filled.min(reducible(position, resting.side));
            }
            if filled > Qty::ZERO {
                left -= filled;
                fill(resting, filled);
            }
        }
        left
    }

    /// What lots at a price can lose for certain.
    fn loss_at(&self, instrument: &Instrument, side: Side, price: Price, lots: Qty) -> Amount {
        match instrument.outcome_terms() {
            Some(terms) => {
                let ticks = if side == Side::Buy { price } else { Price(terms.ticks_per_unit) - price };
                notional(ticks, lots, instrument.k)
            }
            None => self.loss_of_fill(instrument, side, price, lots),
        }
    }

    /// The mark at which an account of this equity and maintenance requirement, a position of `lots` in them, is below
    /// maintenance, the marks of all others standing still.
    fn liquidation_of(
        &self,
        id: AccountId,
        instrument: &Instrument,
        lots: i64,
        equity: Requirement,
        maintenance: Requirement,
    ) -> Option<Price> {
        if lots == 0 {
            return None;
        }
        let relief = |mark| match self.is_scenario(id) {
            true => self.relief_at(id, instrument, lots, mark),
            false => Requirement::ZERO,
        };
        let others = maintenance + relief(instrument.mark) - instrument.maintenance_of(Qty(lots.abs()));
        liquidation_price(lots, instrument.price_max, |mark| {
            let moved = notional(mark - instrument.mark, Qty(lots), instrument.k).as_requirement();
            equity + moved < others + instrument.maintenance_at(mark, Qty(lots.abs())) - relief(mark)
        })
    }

    /// What scenario mode takes from the maintenance requirement with another position and mark of a perpetual.
    fn relief_at(&self, id: AccountId, instrument: &Instrument, lots: i64, mark: Price) -> Requirement {
        let (lots, mark) = (Some((instrument.key, lots)), Some((instrument.key, mark)));
        self.relief(id, Kind::Maintenance, Hypothesis { lots, mark, ..Hypothesis::default() })
    }

    /// The mark at which the account would be due for liquidation by its position on a perpetual.
    pub(crate) fn liquidation_price(
        &self,
        id: AccountId,
        instrument: &Instrument,
        lots: i64,
    ) -> Option<Price> {
        let (equity, maintenance) = self.maintenance(id);
        self.liquidation_of(id, instrument, lots, equity, maintenance)
    }
}
