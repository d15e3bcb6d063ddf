//! Markets with venues and credential classes: `venue`, where all orders come through one and nobody has a class, `eligible`, where everybody has the one class that everybody requires, and `thirds`,
//! where each account has one of three classes and two of the three do not trade with each other.

use crate::workload::command;
use xos_protocol::{ClassRule, ClassSpec, CommandKind, CommandRecord, DeployCommand, VenueSpec};

/// Classes of a market: account n has class n mod their number, and comes through the venue of that class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes {
    pub(super) name: &'static str,
    /// The counterparty rule of each class's venue.
    rules: &'static [ClassRule],
    has_classes: bool,
}

const fn forbids(class: u32) -> ClassRule {
    ClassRule { requires: 0, forbids: 1 << class }
}

impl Classes {
    pub(super) const NONE: Self = Self { name: "steady", rules: &[], has_classes: false };
    pub(super) const VENUE: Self = Self { name: "venue", rules: &[ClassRule::NONE], has_classes: false };
    pub(super) const ONE: Self =
        Self { name: "eligible", rules: &[ClassRule { requires: 1, forbids: 0 }], has_classes: true };
    pub(super) const THIRDS: Self =
        Self { name: "thirds", rules: &[ClassRule::NONE, forbids(2), forbids(1)], has_classes: true };

    fn class(&self, account: u32) -> usize {
        account as usize % self.rules.len()
    }

    pub(super) fn deployments(&self) -> Vec<DeployCommand> {
        let class = |at: usize| ClassSpec { symbol: format!("CLASS{at}"), counterparty: true };
        let venue = |(at, rule): (usize, &ClassRule)| {
            let symbol = format!("VENUE{at}");
            DeployCommand::Venue(VenueSpec { symbol, counterparty: *rule, ..VenueSpec::default() })
        };
        let count = if self.has_classes { self.rules.len() } else { 0 };
        let classes = (0..count).map(|at| DeployCommand::Class(class(at)));
        classes.chain(self.rules.iter().enumerate().map(venue)).collect()
    }

    /// What gives an account its class for ever.
    pub(super) fn credential(&self, account: u32) -> Option<CommandRecord> {
        self.has_classes.then(|| CommandRecord {
            account,
            qty: 1 << self.class(account),
            expires_ns: u64::MAX,
            client_id: [1; 32],
            ..command(CommandKind::SetCredentials)
        })
    }

    pub(super) fn venue(&self, account: u32) -> u16 {
        if self.rules.is_empty() { 0 } else { 1 + self.class(account) as u16 }
    }

    pub(super) fn may_meet(&self, one: u32, other: u32) -> bool {
        let accepts = |a: u32, b: u32| self.rules[self.class(a)].accepts(1 << self.class(b));
        !self.has_classes || accepts(one, other) && accepts(other, one)
    }
}
