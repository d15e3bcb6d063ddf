//! Which owner an account belongs to, who listens for an owner, and whose key a publisher has. Kept from the events, so
//! that a gateway never has to ask the engine; keys of publishers are in no event, and are taken over when one is deployed.

use std::collections::HashMap;
use xos_engine::Engine;
use xos_protocol::{ClientId, EventKind, EventRecord};
use xos_units::AccountId;

/// Number of an owner within a gateway.
pub(crate) type Owner = u32;
/// No owner: an unknown account, or a key for all.
pub(crate) const NOBODY: Owner = Owner::MAX;

/// Owners, their accounts and their listeners.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    by_account: Vec<Owner>,
    by_name: HashMap<ClientId, Owner>,
    /// Connections that hear of an owner's accounts.
    listeners: Vec<Vec<usize>>,
    /// Connections that hear of every account.
    all: Vec<usize>,
    /// Public keys of the publishers, in order of number; none if it is no key of 32 bytes.
    publishers: Vec<Option<[u8; 32]>>,
}

impl Directory {
    /// Of the accounts that the engine has.
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut directory = Self::default();
        for at in 0..engine.account_count() {
            let account = AccountId::from_index(at);
            if let Some(owner) = engine.owner_of(account) {
                directory.note(account, owner);
            }
        }
        directory.know_publishers(engine);
        directory
    }

    /// Takes over the keys of publishers that were deployed.
    #[inline]
    pub(crate) fn know_publishers(&mut self, engine: &Engine) {
        let all = engine.publishers();
        let known = self.publishers.len();
        self.publishers.extend(all.iter().skip(known).map(|publisher| bytes_of_hex(&publisher.key)));
    }

    /// Whether a publisher's key is this one.
    pub(crate) fn is_key_of(&self, publisher: u32, key: &[u8; 32]) -> bool {
        let at = (publisher as usize).wrapping_sub(1);
        self.publishers.get(at).copied().flatten().as_ref() == Some(key)
    }

    fn note(&mut self, account: AccountId, owner: ClientId) {
        let owner = self.owner(owner);
        let at = account.index();
        if self.by_account.len() <= at {
            self.by_account.resize(at + 1, NOBODY);
        }
        self.by_account[at] = owner;
    }

    /// Takes note of accounts that were opened.
    #[inline]
    pub(crate) fn hear(&mut self, event: &EventRecord) {
        if event.kind == EventKind::AccountOpened.code() {
            self.note(AccountId(event.account), event.detail);
        }
    }

    /// The number of an owner, given at first sight.
    pub(crate) fn owner(&mut self, name: ClientId) -> Owner {
        let next = self.listeners.len() as Owner;
        let owner = *self.by_name.entry(name).or_insert(next);
        if owner == next {
            self.listeners.push(Vec::new());
        }
        owner
    }

    /// Whose an account is.
    #[inline]
    pub(crate) fn owner_of(&self, account: u32) -> Owner {
        // Account 0 is nobody's.
        let at = (account as usize).wrapping_sub(1);
        self.by_account.get(at).copied().unwrap_or(NOBODY)
    }

    /// Who hears of an owner's accounts.
    #[inline]
    pub(crate) fn listeners(&self, owner: Owner) -> &[usize] {
        self.listeners.get(owner as usize).map_or(&[], Vec::as_slice)
    }

    /// Who hears of everything.
    #[inline]
    pub(crate) fn listeners_to_all(&self) -> &[usize] {
        &self.all
    }

    /// Lets a connection hear of an owner, or of everything.
    pub(crate) fn listen(&mut self, owner: Owner, connection: usize) {
        self.list(owner).push(connection);
    }

    /// Takes a connection off.
    pub(crate) fn forget(&mut self, owner: Owner, connection: usize) {
        self.list(owner).retain(|other| *other != connection);
    }

    fn list(&mut self, owner: Owner) -> &mut Vec<usize> {
        if owner == NOBODY { &mut self.all } else { &mut self.listeners[owner as usize] }
    }
}

fn bytes_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
