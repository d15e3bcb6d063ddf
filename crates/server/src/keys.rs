//! Keys: who may log on, how they prove it, and what they may ask for.

use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;
use xos_protocol::{ClientId, CommandKind, KeyScheme, LOGON_CONTEXT, LOGON_SIGNED_BYTES, Logon};
use zerocopy::IntoBytes;

/// What proves a key.
#[derive(Clone)]
pub enum Proof {
    /// A secret that both sides have.
    Secret(Vec<u8>),
    /// The public half of an Ed25519 key; the client keeps the other.
    Public([u8; 32]),
}

impl fmt::Debug for Proof {
    /// Never shows a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Public(_) => "Public",
        })
    }
}

/// What a key may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Orders, sets and settings of the owner's accounts.
    pub trade: bool,
    /// Withdrawals and transfers.
    pub withdraw: bool,
    /// Prices of the publisher whose key it is; only a public key is one.
    pub publish: bool,
    /// Everything: accounts, deposits, deployments, states, prices.
    pub operate: bool,
}

/// One key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name, at most 32 bytes.
    pub name: String,
    /// What proves it.
    pub proof: Proof,
    /// What it may ask for.
    pub scopes: Scopes,
    /// Whose accounts it acts for; `None`: all accounts, for operators.
    pub owner: Option<ClientId>,
}

/// Why a key cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKey(pub String);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadKey {}

/// The shortest secret, bytes.
pub const SECRET_BYTES_MIN: usize = 16;

impl Key {
    /// The key as its name stands in a logon.
    pub fn wire_name(name: &str) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        (!name.is_empty() && !name.contains('\0')).then_some(bytes)
    }

    /// Whether commands of a kind are within its scopes. A kind that stands in no list is the operator's.
    pub fn permits(&self, kind: Option<CommandKind>) -> bool {
        use CommandKind as K;
        let Scopes { trade, withdraw, publish, operate } = self.scopes;
        operate
            || match kind {
                Some(
                    K::Place
                    | K::Amend
                    | K::Cancel
                    | K::MassCancel
                    | K::CancelAllAfter
                    | K::PlaceTrigger
                    | K::AmendTrigger
                    | K::PlaceBracket
                    | K::SetProtection
                    | K::SplitSet
                    | K::MergeSet
                    | K::SetLeverage
                    | K::SetMarginMode,
                ) => trade,
                Some(K::Withdraw | K::Transfer) => withdraw,
                Some(K::PublishPrice) => publish,
                _ => false,
            }
    }
}

/// All keys of a server.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Vec<Key>,
    by_name: HashMap<[u8; 32], usize>,
}

impl Keyring {
    /// The keys, each name once.
    pub fn new(keys: Vec<Key>) -> Result<Self, BadKey> {
        let mut by_name = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            let Some(name) = Key::wire_name(&key.name) else {
                return Err(BadKey(format!("the name {:?} of a key has 1 to 32 bytes", key.name)));
            };
            match &key.proof {
                Proof::Secret(secret) if secret.len() < SECRET_BYTES_MIN => {
                    let (name, bytes) = (&key.name, secret.len());
                    return Err(BadKey(format!(
                        "the secret of {name} has {bytes} bytes, the least is {SECRET_BYTES_MIN}"
                    )));
                }
                Proof::Public(public) if VerifyingKey::from_bytes(public).is_err() => {
                    return Err(BadKey(format!("the public key of {} is no Ed25519 key", key.name)));
                }
                _ => {}
            }
            if key.owner.is_none() && !key.scopes.operate {
                return Err(BadKey(format!(
                    "{} has no owner; only a key that operates may do without",
                    key.name
                )));
            }
            if by_name.insert(name, at).is_some() {
                return Err(BadKey(format!("two keys are named {}", key.name)));
            }
        }
        Ok(Self { keys, by_name })
    }

    /// The key at a place.
    pub fn get(&self, at: usize) -> &Key {
        &self.keys[at]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The place of the key that signed a logon, if one did.
    pub fn verify(&self, logon: &Logon, nonce: &[u8; 32]) -> Option<usize> {
        let at = *self.by_name.get(&logon.key)?;
        let text = signed_text(logon, nonce);
        let proven = match (&self.keys[at].proof, KeyScheme::from_code(logon.scheme)?) {
            (Proof::Secret(secret), KeyScheme::HmacSha256) => {
                let mut code = Hmac::<Sha256>::new_from_slice(secret).ok()?;
                code.update(&text);
                // In constant time; the second half of the field must be empty.
                code.verify_slice(&logon.signature[..32]).is_ok() && logon.signature[32..] == [0; 32]
            }
            (Proof::Public(public), KeyScheme::Ed25519) => {
                let signature = Signature::from_bytes(&logon.signature);
                VerifyingKey::from_bytes(public).ok()?.verify_strict(&text, &signature).is_ok()
            }
            _ => false,
        };
        proven.then_some(at)
    }
}

/// What a logon's signature covers.
pub fn signed_text(logon: &Logon, nonce: &[u8; 32]) -> Vec<u8> {
    [LOGON_CONTEXT.as_slice(), nonce, &logon.as_bytes()[..LOGON_SIGNED_BYTES]].concat()
}

/// Fills in the signature of a logon with a shared secret.
pub fn sign_with_secret(logon: &mut Logon, nonce: &[u8; 32], secret: &[u8]) {
    logon.scheme = KeyScheme::HmacSha256.code();
    logon.signature = [0; 64];
    let mut code = Hmac::<Sha256>::new_from_slice(secret).expect("a secret of any length is a key");
    code.update(&signed_text(logon, nonce));
    logon.signature[..32].copy_from_slice(&code.finalize().into_bytes());
}

/// Fills in the signature of a logon with the private half of an Ed25519 key.
pub fn sign_with_private_key(logon: &mut Logon, nonce: &[u8; 32], private: &[u8; 32]) {
    use ed25519_dalek::{Signer, SigningKey};
    logon.scheme = KeyScheme::Ed25519.code();
    logon.signature = [0; 64];
    let signature = SigningKey::from_bytes(private).sign(&signed_text(logon, nonce));
    logon.signature = signature.to_bytes();
}

/// The public half of a private Ed25519 key.
pub fn public_half(private: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(private).verifying_key().to_bytes()
}
