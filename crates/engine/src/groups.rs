//! The resting orders of an instrument, in groups of one profile each. One group is at home in `book`: as long as there
//! is but one it is that, and everything goes as if there were no profiles. The others stand beside it.
//!
//! Best price first; at one price the order that stands there longest, whatever its group.

use crate::admission::{ALL, ProfileAt, Reach};
use crate::instrument::Instrument;
use crate::orders::Incoming;
use std::iter::from_fn;
use xos_book::{Book, LevelView, OrderPool, RestingOrder, Slot};
use xos_protocol::Side;
use xos_units::Price;

/// There is no only group.
const SEVERAL: ProfileAt = ProfileAt::MAX;

/// Whether an order at `price` is met before one at `other`, both of one side.
#[inline(always)]
pub(crate) fn is_better(side: Side, price: Price, other: Price) -> bool {
    match side {
        Side::Buy => price > other,
        Side::Sell => price < other,
    }
}

/// Whether an order with this limit, of the other side, reaches the price.
#[inline(always)]
fn is_reached(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price >= limit,
        Side::Sell => price <= limit,
    }
}

/// Whether an order is met before another one of its side.
fn is_met_before(pool: &OrderPool, slot: Slot, other: Slot) -> bool {
    let (order, than) = (pool.order(slot), pool.order(other));
    is_better(order.side, order.price, than.price) || order.price == than.price && pool.is_elder(slot, other)
}

impl Instrument {
    /// Every group with its profile, the plain one first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (ProfileAt, &Book)> {
        (0..self.others.len().max(1) as ProfileAt).map(|profile| (profile, self.group(profile)))
    }

    /// Orders of the plain profile.
    #[inline(always)]
    pub(crate) fn plain(&self) -> &Book {
        self.group(0)
    }

    fn reached(&self, reach: Reach) -> impl Iterator<Item = &Book> {
        self.groups().filter(move |(profile, _)| reach >> profile & 1 == 1).map(|(_, book)| book)
    }

    #[inline(always)]
    pub(crate) fn group(&self, profile: ProfileAt) -> &Book {
        if profile == self.home { &self.book } else { &self.others[usize::from(profile)] }
    }

    /// The group of a profile that has orders.
    #[inline(always)]
    pub(crate) fn group_mut(&mut self, profile: ProfileAt) -> &mut Book {
        if profile == self.home { &mut self.book } else { &mut self.others[usize::from(profile)] }
    }

    /// Bits of the groups that may have orders.
    pub(crate) fn bits(&self) -> Reach {
        if self.sole == SEVERAL { self.occupied } else { 1 << self.sole }
    }

    /// An order joins a group that is not the only one.
    #[inline(never)]
    fn join(&mut self, profile: ProfileAt) {
        let bit = 1 << profile;
        let wide = self.others.len().max(usize::from(profile) + 1);
        self.others.resize_with(wide, Book::default);
        if self.sole != SEVERAL && self.book.orders() == 0 {
            (self.home, self.sole, self.occupied) = (profile, profile, bit);
        } else {
            (self.sole, self.occupied) = (SEVERAL, self.bits() | bit);
            [Side::Buy, Side::Sell].into_iter().for_each(|side| self.find_top(side));
        }
    }

    /// The best price of a side over all groups; where there is none one that nobody reaches.
    fn top(&self, side: Side) -> Price {
        let nobody = Price(if side == Side::Buy { i64::MIN } else { i64::MAX });
        self.best_of_groups(side, ALL).unwrap_or(nobody)
    }

    #[inline(never)]
    fn find_top(&mut self, side: Side) {
        self.tops[usize::from(side.code())] = self.top(side);
    }

    /// The only group is at home; where there are several, the best prices are what they should be.
    pub(crate) fn knows_its_groups(&self) -> bool {
        let apart = self.groups().filter(|(profile, _)| *profile != self.home);
        match self.sole {
            SEVERAL => self.tops == [Side::Buy, Side::Sell].map(|side| self.top(side)),
            sole => sole == self.home && apart.map(|(_, book)| book.orders()).sum::<u32>() == 0,
        }
    }

    /// Whether there are several groups, and an order with this limit reaches the best price of none.
    #[inline(always)]
    fn is_apart(&self, side: Side, limit: Price) -> bool {
        !is_reached(side, self.tops[usize::from(side.code())], limit)
    }

    /// The last order of a group that is not the only one has left.
    #[inline(never)]
    fn leave(&mut self, profile: ProfileAt) {
        self.occupied &= !(1 << profile);
        if self.occupied.count_ones() == 1 {
            self.sole = self.occupied.trailing_zeros() as ProfileAt;
            if self.sole != self.home {
                // What was at home is empty: it had no bit any more.
                std::mem::swap(&mut self.book, &mut self.others[usize::from(self.sole)]);
                self.home = self.sole;
            }
        }
    }

    /// Stores an order at the back of its price level in its group.
    #[inline(always)]
    pub(crate) fn rest(&mut self, pool: &mut OrderPool, order: &mut RestingOrder) -> Slot {
        if self.sole == order.profile { self.book.rest(pool, order) } else { self.rest_apart(pool, order) }
    }

    /// The same in a group that is not the only one.
    #[inline(never)]
    fn rest_apart(&mut self, pool: &mut OrderPool, order: &mut RestingOrder) -> Slot {
        if self.sole != SEVERAL || self.occupied >> order.profile & 1 == 0 {
            self.join(order.profile);
        }
        let top = &mut self.tops[usize::from(order.side.code())];
        if is_better(order.side, order.price, *top) {
            *top = order.price;
        }
        self.group_mut(order.profile).rest(pool, order)
    }

    /// Takes an order out of its group.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, pool: &mut OrderPool, slot: Slot, profile: ProfileAt) {
        if self.sole == profile {
            self.book.unlink(pool, slot);
        } else {
            self.unlink_apart(pool, slot, profile);
        }
    }

    /// The same of a group that is not the only one.
    #[inline(never)]
    fn unlink_apart(&mut self, pool: &mut OrderPool, slot: Slot, profile: ProfileAt) {
        self.group_mut(profile).unlink(pool, slot);
        let (side, price) = (pool.order(slot).side, pool.order(slot).price);
        let book = self.group(profile);
        let was_top = price == self.tops[usize::from(side.code())];
        let has_left = was_top && book.best_price(side) != Some(price);
        if book.orders() == 0 {
            self.leave(profile);
        }
        if has_left && self.sole == SEVERAL {
            self.find_top(side);
        }
    }

    /// Whether there may be orders that the incoming one could not meet, at prices that it reached.
    #[inline(always)]
    pub(crate) fn may_have_skipped(&self, incoming: &Incoming) -> bool {
        let reach = incoming.reach();
        if reach == ALL || self.bits() & !reach == 0 {
            return false;
        }
        self.sole != SEVERAL || !self.is_apart(incoming.order.side.opposite(), incoming.order.price)
    }

    /// As `front`, if its price is within the limit of an order of the other side; where it is not, it may be left out.
    #[inline(always)]
    pub(crate) fn front_within(
        &self,
        pool: &OrderPool,
        side: Side,
        reach: Reach,
        limit: Price,
    ) -> Option<(Price, Slot)> {
        if self.sole == SEVERAL && self.is_apart(side, limit) {
            return None;
        }
        self.front(pool, side, reach)
    }

    /// As `best_price`, if it is within the limit of an order of the other side; where it is not, it may be left out.
    #[inline(always)]
    pub(crate) fn best_within(&self, side: Side, reach: Reach, limit: Price) -> Option<Price> {
        if self.sole == SEVERAL && self.is_apart(side, limit) {
            return None;
        }
        self.best_price(side, reach)
    }

    /// The order that one of this reach meets first on a side.
    #[inline(always)]
    pub(crate) fn front(&self, pool: &OrderPool, side: Side, reach: Reach) -> Option<(Price, Slot)> {
        if self.sole == SEVERAL {
            self.front_of_groups(pool, side, reach)
        } else if reach >> self.sole & 1 == 1 {
            self.book.front(side)
        } else {
            None
        }
    }

    #[inline(never)]
    fn front_of_groups(&self, pool: &OrderPool, side: Side, reach: Reach) -> Option<(Price, Slot)> {
        let (mut best, mut bits) = (None, self.occupied & reach);
        while bits != 0 {
            let book = self.group(bits.trailing_zeros() as ProfileAt);
            bits &= bits - 1;
            let Some((price, slot)) = book.front(side) else { continue };
            let is_first = match best {
                None => true,
                Some((other, first)) => {
                    is_better(side, price, other) || price == other && pool.is_elder(slot, first)
                }
            };
            if is_first {
                best = Some((price, slot));
            }
        }
        best
    }

    /// The best price of a side that orders of this reach may meet.
    #[inline(always)]
    pub(crate) fn best_price(&self, side: Side, reach: Reach) -> Option<Price> {
        if self.sole == SEVERAL {
            self.best_of_groups(side, reach)
        } else if reach >> self.sole & 1 == 1 {
            self.book.best_price(side)
        } else {
            None
        }
    }

    #[inline(never)]
    fn best_of_groups(&self, side: Side, reach: Reach) -> Option<Price> {
        let (mut best, mut bits) = (None, self.occupied & reach);
        while bits != 0 {
            let price = self.group(bits.trailing_zeros() as ProfileAt).best_price(side);
            bits &= bits - 1;
            if let Some(price) = price
                && best.is_none_or(|best| is_better(side, price, best))
            {
                best = Some(price);
            }
        }
        best
    }

    /// Best bid and best ask of the orders of this reach. They may meet, where their orders may not.
    pub(crate) fn best_prices(&self, reach: Reach) -> Option<(Price, Price)> {
        self.best_price(Side::Buy, reach).zip(self.best_price(Side::Sell, reach))
    }

    /// Number of resting orders.
    pub(crate) fn orders(&self) -> u32 {
        self.groups().map(|(_, book)| book.orders()).sum()
    }

    /// Orders of a side that one of this reach may meet, in the order in which it does.
    pub(crate) fn queue<'a>(
        &'a self,
        pool: &'a OrderPool,
        side: Side,
        reach: Reach,
    ) -> impl Iterator<Item = Slot> + 'a {
        let head = |book: &Book| book.front(side).map(|(_, slot)| slot);
        let mut home = if reach >> self.home & 1 == 1 { head(&self.book) } else { None };
        let is_met = move |at: &ProfileAt| *at != self.home && (reach & self.bits()) >> at & 1 == 1;
        let others = self.groups().filter(move |(at, _)| is_met(at));
        // Empty, and so without memory, as long as there is one group.
        let mut others: Vec<_> = others.map(|(_, book)| (book, head(book))).collect();
        from_fn(move || {
            let (mut first, mut from) = (home, None);
            for (at, (_, slot)) in others.iter().enumerate() {
                let is_first =
                    slot.is_some_and(|slot| first.is_none_or(|first| is_met_before(pool, slot, first)));
                if is_first {
                    (first, from) = (*slot, Some(at));
                }
            }
            let slot = first?;
            match from {
                None => home = self.book.after(pool, slot),
                Some(at) => others[at].1 = others[at].0.after(pool, slot),
            }
            Some(slot)
        })
    }

    /// Levels of a side, best first, as one of this reach finds them.
    pub(crate) fn levels(&self, side: Side, reach: Reach) -> impl Iterator<Item = LevelView> + '_ {
        let mut groups: Vec<_> = self.reached(reach).map(|book| book.levels(side).peekable()).collect();
        from_fn(move || {
            if let [only] = &mut groups[..] {
                return only.next();
            }
            let prices = groups.iter_mut().filter_map(|group| group.peek().map(|level| level.price));
            let price =
                prices.reduce(|best, price| if is_better(side, price, best) { price } else { best })?;
            let here = groups.iter_mut().filter_map(|group| group.next_if(|level| level.price == price));
            here.reduce(|sum, level| LevelView {
                price,
                lots: sum.lots + level.lots,
                orders: sum.orders + level.orders,
            })
        })
    }
}
