//! Atoms in a specification: text, because they are wider than the integers of MessagePack.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use xos_units::Amount;

pub(crate) fn serialize<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&amount.0)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    parsed(&String::deserialize(deserializer)?)
}

fn parsed<E: Error>(text: &str) -> Result<Amount, E> {
    let atoms = text.parse().map(Amount);
    atoms.map_err(|_| E::custom(format!("{text:?} is not a whole number of atoms")))
}

/// Atoms that may be left out.
pub(crate) mod optional {
    use super::parsed;
    use serde::{Deserialize, Deserializer, Serializer};
    use xos_units::Amount;

    pub(crate) fn serialize<S: Serializer>(
        amount: &Option<Amount>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => super::serialize(amount, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Amount>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| parsed(&text)).transpose()
    }
}
