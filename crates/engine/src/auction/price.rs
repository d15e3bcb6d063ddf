//! The price of an auction, computed on the book as it stands.

use crate::admission::ALL;
use crate::engine::Engine;
use xos_book::RestingOrder;
use xos_protocol::{Auction, Side};
use xos_units::{InstrumentId, Price};

/// At what an auction would be filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuctionPrice {
    /// Ticks; 0: nothing crosses.
    pub price: Price,
    /// Lots that both sides have at it.
    pub lots: i128,
    /// Lots of the buyers less those of the sellers at it.
    pub imbalance: i128,
    /// What decides between prices that are equal otherwise: last price, else mark, else index; 0: none.
    pub reference: Price,
}

/// How an auction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuctionView {
    /// Its end, its price once it has one, and what it filled.
    pub auction: Auction,
    /// What would trade now, or what is still to trade.
    pub at: AuctionPrice,
}

impl Engine {
    /// Of the prices of all orders, cut to the band: the one at which most lots trade, then the one with the least imbalance,
    /// then the nearest to the reference, then the lowest.
    pub fn auction_price(&self, id: InstrumentId) -> AuctionPrice {
        let instrument = &self.instruments[id.index()];
        let reference = [instrument.last, instrument.mark, instrument.index];
        let reference = reference.into_iter().find(|price| *price > Price::ZERO).unwrap_or(Price::ZERO);
        let none = AuctionPrice { reference, ..AuctionPrice::default() };
        let (bids, asks) = (self.levels_of_auction(id, Side::Buy), self.levels_of_auction(id, Side::Sell));
        let mut prices: Vec<Price> = bids
            .iter()
            .chain(&asks)
            .map(|(price, _)| (*price).max(instrument.band_low).min(instrument.band_high))
            .collect();
        prices.sort_unstable();
        prices.dedup();
        // From the lowest price up: sellers join, buyers leave.
        let (mut best, mut next_bid, mut next_ask) = (none, 0, 0);
        let (mut bought, mut sold) = (bids.iter().map(|(_, lots)| lots).sum::<i128>(), 0);
        for price in prices {
            while next_ask < asks.len() && asks[next_ask].0 <= price {
                sold += asks[next_ask].1;
                next_ask += 1;
            }
            while next_bid < bids.len() && bids[next_bid].0 < price {
                bought -= bids[next_bid].1;
                next_bid += 1;
            }
            let here = AuctionPrice { price, lots: bought.min(sold), imbalance: bought - sold, reference };
            let rank = |at: &AuctionPrice| {
                let away = if reference == Price::ZERO { 0 } else { (at.price.0 - reference.0).abs() };
                (-at.lots, at.imbalance.abs(), away)
            };
            if here.lots > 0 && (best.lots == 0 || rank(&here) < rank(&best)) {
                best = here;
            }
        }
        best
    }

    /// How the auction of an instrument stands: while it collects, at what it would be filled now; once it is priced, what of
    /// it is left.
    pub fn auction_view(&self, id: InstrumentId) -> Option<AuctionView> {
        let auction = *self.auction_of(id)?;
        let mut at = self.auction_price(id);
        if let Some(price) = auction.price.map(Price) {
            let (bids, asks) =
                (self.levels_of_auction(id, Side::Buy), self.levels_of_auction(id, Side::Sell));
            let lots_of = |levels: &[(Price, i128)], accepts: &dyn Fn(Price) -> bool| -> i128 {
                levels.iter().filter(|level| accepts(level.0)).map(|level| level.1).sum()
            };
            let bought = lots_of(&bids, &|bid| price > Price::ZERO && bid >= price);
            let sold = lots_of(&asks, &|ask| ask <= price);
            at = AuctionPrice { price, lots: bought.min(sold), imbalance: bought - sold, ..at };
        }
        Some(AuctionView { auction, at })
    }

    /// Prices of a side with all their lots, hidden ones too, from the lowest up.
    fn levels_of_auction(&self, id: InstrumentId, side: Side) -> Vec<(Price, i128)> {
        let instrument = &self.instruments[id.index()];
        let mut levels: Vec<_> =
            instrument.levels(side, ALL).map(|level| (level.price, level.lots as i128)).collect();
        levels.sort_unstable();
        let mut add_hidden = |order: &RestingOrder| {
            if (order.instrument, order.side) == (id, side)
                && let Ok(place) = levels.binary_search_by_key(&order.price, |level| level.0)
            {
                levels[place].1 += i128::from(self.hidden(order.id).0);
            }
        };
        // Icebergs are of the whole exchange: no more of them are looked at than there are orders here.
        if self.icebergs.len() <= instrument.orders() as usize {
            let slots = self.icebergs.keys().filter_map(|order| self.pool.find(*order));
            slots.for_each(|slot| add_hidden(self.pool.order(slot)));
        } else {
            let orders = instrument.queue(&self.pool, side, ALL).map(|slot| self.pool.order(slot));
            orders.filter(|order| order.is_iceberg).for_each(add_hidden);
        }
        levels
    }
}
