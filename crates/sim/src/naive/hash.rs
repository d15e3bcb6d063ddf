//! Section 11: the canonical bytes of the state.

use super::funding::Funding;
use super::oracle::Oracle;
use super::resolution::Resolution;
use super::state::{House, Order, SETTLEMENT, World};
use serde::Serialize;
use xos_protocol::Side;

/// Canonical bytes under construction.
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }
    fn i64(&mut self, value: i64) {
        self.0.extend(value.to_le_bytes());
    }
    fn i128(&mut self, value: i128) {
        self.0.extend(value.to_le_bytes());
    }
    fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).expect("tables are bounded far below u32"));
    }
    /// A specification as MessagePack with names, its length before it.
    fn spec(&mut self, spec: &impl Serialize) {
        let bytes = rmp_serde::to_vec_named(spec).expect("a specification always serialises");
        self.count(bytes.len());
        self.0.extend(bytes);
    }
}

impl World {
    pub(super) fn state_bytes(&self) -> Vec<u8> {
        let mut out = Bytes(Vec::new());
        self.write_deployments(&mut out);
        out.count(self.accounts.len());
        for account in 1..=self.accounts.len() as u32 {
            self.write_account(account, &mut out);
        }
        self.write_house(&mut out);
        out.u64(self.last_trade_id);
        for instrument in 1..=self.instruments.len() as u32 {
            self.write_book(instrument, &mut out);
        }
        let mut icebergs: Vec<&Order> = self.orders.iter().filter(|order| order.display != 0).collect();
        icebergs.sort_by_key(|order| order.id);
        out.count(icebergs.len());
        for order in icebergs {
            out.u64(order.id);
            out.i64(order.display);
            out.i64(order.shown);
        }
        out.count(self.countdowns.len());
        for (&account, &deadline_ns) in &self.countdowns {
            out.u32(account);
            out.u64(deadline_ns);
        }
        let mut triggers: Vec<_> = self.triggers.iter().collect();
        triggers.sort_by_key(|trigger| trigger.id);
        out.count(triggers.len());
        for trigger in triggers {
            out.u64(trigger.id);
            out.u32(trigger.account);
            out.u32(trigger.instrument);
            out.u16(trigger.venue);
            out.u8(trigger.side.code());
            out.u8(trigger.tif.code());
            out.u8(trigger.flags.0);
            out.u8(trigger.self_trade.code());
            out.i64(trigger.qty);
            for leg in [trigger.above, trigger.below] {
                out.i64(leg.trigger);
                out.i64(leg.limit);
                out.u8(leg.source.code());
            }
            out.u32(trigger.slippage_ppm);
            out.u64(trigger.entry);
            out.0.extend(trigger.client_id);
            out.u8(trigger.reached);
        }
        out.count(self.row.iter().map(|(_, ids)| ids.len()).sum());
        for &id in self.row.iter().flat_map(|(_, ids)| ids) {
            out.u64(id);
        }
        out.count(self.protections.len());
        let mut protections: Vec<_> = self.protections.iter().collect();
        protections.sort_by_key(|((account, instrument), _)| (*instrument, *account));
        for ((account, instrument), protection) in protections {
            out.u32(*account);
            out.u32(*instrument);
            out.i64(protection.lots_max);
            out.i64(protection.delta_max);
            out.u32(protection.window_ms);
            out.u32(protection.freeze_ms);
            out.u64(protection.from_ns);
            out.i64(protection.lots);
            out.i64(protection.delta);
            out.u64(protection.frozen_until_ns);
        }
        self.write_liquidations(&mut out);
        if !self.governance.is_empty() {
            out.spec(&self.governance);
        }
        out.0
    }

    fn write_liquidations(&self, out: &mut Bytes) {
        let state = &self.liquidations;
        out.u32(state.last + 1);
        out.count(state.pending.len());
        state.pending.iter().for_each(|&account| out.u32(account));
        for next_visits in [&state.next_visits, &state.next_repayments] {
            out.count(next_visits.len());
            for (&account, &next_ns) in next_visits {
                out.u32(account);
                out.u64(next_ns);
            }
        }
        for instrument in 1..=self.instruments.len() as u32 {
            if self.terms_of_liquidation(instrument).is_some() {
                let (day, drawn) = state.drawn.get(&instrument).copied().unwrap_or_default();
                out.u64(day);
                out.i128(drawn);
            }
        }
        if self.has_growing_market() {
            out.count(state.clocks.len());
            for (&account, clock) in &state.clocks {
                out.u32(account);
                out.u64(clock.start_ns);
                out.i128(clock.freed);
            }
        }
        if self.interest_ppm() > 0 {
            out.u64(self.charging.hour);
            out.u32(self.charging.hours);
            out.u32(self.charging.next);
            out.count(self.charging.last_turns.len());
            for (&account, &(owed, left)) in &self.charging.last_turns {
                out.u32(account);
                out.i128(owed);
                out.u64(u64::try_from(left).expect("less than the parts of an atom"));
            }
        }
    }

    fn write_deployments(&self, out: &mut Bytes) {
        out.spec(&self.limits);
        out.count(self.assets.len());
        for asset in &self.assets {
            out.spec(asset);
        }
        out.count(self.venues.len());
        for venue in &self.venues {
            out.spec(venue);
        }
        out.count(self.publishers.len());
        for publisher in &self.publishers {
            out.spec(publisher);
        }
        out.count(self.classes.len());
        for class in &self.classes {
            out.spec(class);
        }
        out.count(self.underlyings.len());
        for underlying in &self.underlyings {
            out.spec(underlying);
        }
        out.count(self.questions.len());
        for question in &self.questions {
            out.spec(&question.spec);
            out.u32(question.first_instrument);
            out.i64(question.sets);
            out.count(question.payouts.len());
            for share in &question.payouts {
                out.0.extend(share.to_le_bytes());
            }
            if question.is_decided() {
                out.u32(question.paid);
                out.u8(question.is_settled.into());
            }
            if let Some(resolution) = &question.resolution {
                write_resolution(resolution, out);
            }
            if question.spec.later.is_some() {
                out.u8(question.adding.is_some().into());
            }
            if let Some(adding) = question.adding {
                out.u32(adding.looked_at);
                out.u32(adding.credited);
            }
        }
        out.count(self.instruments.len());
        for (id, instrument) in (1..).zip(&self.instruments) {
            out.u32(self.question_of(id));
            if let Some(spec) = &instrument.spec {
                out.spec(spec);
            }
            out.u8(instrument.state.code());
            out.i64(instrument.mark);
            out.i64(instrument.index);
            out.i64(instrument.last);
            if let Some(oracle) = &instrument.oracle {
                write_oracle(oracle, out);
            }
            if let Some(funding) = &instrument.funding {
                write_funding(funding, out);
            }
            if let Some(halt) = &instrument.halt {
                out.u8(halt.status.code());
                out.u64(halt.halted_until_ns);
                out.u64(halt.post_only_until_ns);
                out.count(halt.prices.len());
                for &(second, price) in &halt.prices {
                    out.u64(second);
                    out.i64(price);
                }
            }
        }
    }

    fn write_account(&self, id: u32, out: &mut Bytes) {
        let account = self.account(id);
        out.0.extend(account.owner);
        out.i128(self.total(id, SETTLEMENT));
        out.i128(self.held(id, SETTLEMENT));
        let others: Vec<(u32, i128)> = account
            .totals
            .iter()
            .map(|(&asset, &total)| (asset, total))
            .filter(|&(asset, total)| asset != SETTLEMENT && total != 0)
            .collect();
        out.count(others.len());
        for (asset, total) in others {
            out.u32(asset);
            out.i128(total);
            out.i128(self.held(id, asset));
        }
        let instruments: Vec<u32> =
            (1..=self.instruments.len() as u32).filter(|&i| self.stands_in(id, i)).collect();
        out.count(instruments.len());
        for instrument in instruments {
            let holding = self.holding(id, instrument);
            out.u32(instrument);
            out.i64(holding.position);
            out.i128(holding.cost);
            out.i128(holding.realised);
            if let Some(funding) = &self.instrument(instrument).funding {
                out.u8(u8::from(funding.due.contains(&id)));
            }
        }
        out.count(account.leverages.len());
        for (&instrument, &leverage) in &account.leverages {
            out.u32(instrument);
            out.u32(u32::try_from(leverage).expect("a leverage is at most a million"));
        }
        let (parent, instrument) = account.isolated.unwrap_or((0, 0));
        out.u32(parent);
        if parent != 0 {
            out.u32(instrument);
        }
        out.u8(u8::from(account.credential.is_some()));
        if let Some(credential) = account.credential {
            out.u32(account.classes);
            out.u64(credential.ends_ns);
            out.u64(credential.issued_ns);
            out.0.extend(credential.hash);
        }
        out.u8(u8::from(account.is_scenario));
    }

    fn write_house(&self, out: &mut Bytes) {
        let mut houses = vec![House::External, House::Protocol, House::Insurance, House::Rounding];
        houses.extend((0..=self.venues.len() as u16).map(House::Venue));
        for house in houses {
            out.count(self.assets.len());
            for asset in 1..=self.assets.len() as u32 {
                out.i128(self.house(house, asset));
            }
        }
        for (id, instrument) in (1..).zip(&self.instruments) {
            out.i128(self.house(House::Deployer(id), instrument.quote()));
            out.i128(self.house(House::Clearing(id), SETTLEMENT));
        }
        for question in 1..=self.questions.len() as u32 {
            out.i128(self.house(House::Question(question), SETTLEMENT));
            out.i128(self.house(House::Bonds(question), SETTLEMENT));
        }
    }

    fn write_book(&self, instrument: u32, out: &mut Bytes) {
        let of_side = |side: Side| {
            let orders = self.orders.iter().filter(|o| o.instrument == instrument && o.side == side);
            let mut orders: Vec<&Order> = orders.collect();
            // Best price first; a stable sort keeps the order of arrival inside a level.
            orders.sort_by_key(|o| -o.price * side.sign());
            orders
        };
        let (bids, asks) = (of_side(Side::Buy), of_side(Side::Sell));
        out.count(bids.len() + asks.len());
        for order in bids.into_iter().chain(asks) {
            out.u64(order.id);
            out.u32(order.account);
            out.u16(order.venue);
            out.u8(order.side.code());
            out.u8(order.tif.code());
            out.u8(order.flags.0);
            out.u8(order.self_trade.code());
            out.i64(order.price);
            out.i64(order.total);
            out.i64(order.remaining);
            out.u64(order.expires_ns);
            out.0.extend(order.client_id);
            out.u32(order.classes);
        }
    }
}

fn write_oracle(oracle: &Oracle, out: &mut Bytes) {
    out.u8(oracle.status.code());
    out.u64(oracle.reopens_at_ns);
    out.u64(oracle.second);
    for average in [oracle.basis, oracle.own] {
        out.i128(average.sum);
        out.i64(i64::try_from(average.weight).expect("150 seconds at most"));
    }
    for source in &oracle.spec.sources {
        let told = oracle.told[&source.publisher];
        out.i64(told.price);
        out.i64(told.external);
        out.u64(told.time_ns);
    }
}

fn write_resolution(resolution: &Resolution, out: &mut Bytes) {
    out.u8(resolution.stage.code());
    out.u8(resolution.decided_by.code());
    out.u64(resolution.end_ns);
    out.u64(resolution.proposed_ns);
    out.u64(resolution.challenged_ns);
    out.u64(resolution.decided_ns);
    out.u32(resolution.challenger);
    let proposals: Vec<_> = resolution.proposal.iter().cloned().collect();
    for claims in [&proposals, &resolution.votes] {
        out.count(claims.len());
        for (account, payouts) in claims {
            out.u32(*account);
            out.count(payouts.len());
            for share in payouts {
                out.0.extend(share.to_le_bytes());
            }
        }
    }
}

fn write_funding(funding: &Funding, out: &mut Bytes) {
    let narrow = |rate: i128| i64::try_from(rate).expect("rates and their sums are bounded");
    out.u32(funding.epoch);
    out.i64(narrow(funding.samples.iter().sum()));
    out.count(funding.samples.len());
    out.u64(funding.slot);
    out.u64(funding.interval);
    out.i64(narrow(funding.rate));
    out.i64(funding.index);
    out.u32(funding.cursor.unwrap_or(0));
    out.u32(funding.payments);
    out.i128(funding.held);
    out.count(funding.history.len());
    for &(time_ns, premium, rate, index) in &funding.history {
        out.u64(time_ns);
        out.i64(narrow(premium));
        out.i64(narrow(rate));
        out.i64(index);
    }
}
