//! Section 9: which client ids are remembered, and which are forgotten.

use super::refusal::{Refusal, check};
use super::state::{Remembered, World};
use xos_protocol::{ClientId, CommandKind, EventKind, EventRecord, Reject};

/// Ids that are looked at to make room for one.
const LOOKS: usize = 64;

type Key = (u32, ClientId);

pub(super) fn is_of_money(kind: CommandKind) -> bool {
    use CommandKind::{MergeSet, SplitSet, Transfer, Withdraw};
    matches!(kind, Withdraw | Transfer | SplitSet | MergeSet)
}

impl World {
    pub(super) fn remember(&mut self, key: Key, kind: CommandKind, time_ns: u64, answer: EventRecord) {
        let is_deposit = kind == CommandKind::Deposit;
        let place = self.next_place_of_id();
        let remembered = Remembered { time_ns, place, is_deposit, is_of_money: is_of_money(kind), answer };
        self.remembered.insert(key, remembered);
    }

    fn next_place_of_id(&mut self) -> u64 {
        self.places_of_ids += 1;
        self.places_of_ids
    }

    /// The ids that can be forgotten and are what is asked for, in order of their time, then of remembering.
    fn ids_in_order(&self, is_asked: impl Fn(&Key, &Remembered) -> bool) -> Vec<Key> {
        let mut all: Vec<_> = self
            .remembered
            .iter()
            .filter(|(key, remembered)| !remembered.is_deposit && is_asked(key, remembered))
            .map(|(key, remembered)| ((remembered.time_ns, remembered.place), *key))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, key)| key).collect()
    }

    /// An order that rests or waits keeps its id and begins anew; any other id is forgotten. Whether it was.
    fn forget_or_renew(&mut self, key: &Key, now_ns: u64) -> bool {
        let answer = self.remembered[key].answer;
        let rests = self.orders.iter().any(|order| order.id == answer.order_id);
        let waits = self.triggers.iter().any(|trigger| trigger.id == answer.order_id);
        let stays = match answer.kind() {
            Some(EventKind::OrderAccepted) => rests,
            Some(EventKind::TriggerAccepted) => rests || waits,
            _ => false,
        };
        if stays {
            let place = self.next_place_of_id();
            if let Some(remembered) = self.remembered.get_mut(key) {
                (remembered.time_ns, remembered.place) = (now_ns, place);
            }
        } else {
            self.remembered.remove(key);
        }
        !stays
    }

    /// Ids past their retention are forgotten.
    pub(super) fn forget_client_ids(&mut self, now_ns: u64) {
        let retention = u128::from(self.limits.client_id_retention_ns);
        let is_due =
            |remembered: &Remembered| u128::from(now_ns) >= u128::from(remembered.time_ns) + retention;
        for key in self.ids_in_order(|_, remembered| is_due(remembered)) {
            self.forget_or_renew(&key, now_ns);
        }
    }

    /// Room for one more id of an account, or 104.
    pub(super) fn make_room_for_id(&mut self, account: u32, money: bool, now_ns: u64) -> Result<(), Refusal> {
        let of_account =
            self.ids_in_order(|key, remembered| key.0 == account && remembered.is_of_money == money);
        self.make_room_among(&of_account, self.limits.client_ids_per_account_max, now_ns)?;
        let of_all = self.ids_in_order(|_, remembered| remembered.is_of_money == money);
        self.make_room_among(&of_all, self.limits.client_ids_max, now_ns)
    }

    fn make_room_among(&mut self, ids: &[Key], limit: u32, now_ns: u64) -> Result<(), Refusal> {
        let count = ids.len();
        let has_room =
            count < limit as usize || ids.iter().take(LOOKS).any(|key| self.forget_or_renew(key, now_ns));
        check(has_room, Reject::ClientIdsExhausted, count as i128, limit)
    }
}
