//! Cells that name things and numbers.

use xos_engine::Engine;
use xos_protocol::{ClientId, EXITS_BIT, Flags};
use xos_units::{AssetId, InstrumentId, QuestionId, VenueId};

/// What the scenario calls accounts and commands.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Name and number of accounts.
    pub(super) accounts: Vec<(String, u32)>,
    /// Label and sequence of commands.
    pub(super) labels: Vec<(String, u64)>,
}

/// A whole number, with underscores if its writer likes.
pub(super) fn integer<T: TryFrom<i128>>(text: &str) -> Result<T, String> {
    let number: i128 =
        text.replace('_', "").parse().map_err(|_| format!("{text:?} is not a whole number"))?;
    T::try_from(number).map_err(|_| format!("{text} does not fit its field"))
}

/// `#7` is number 7; everything else is looked up.
pub(super) fn raw_number<T: TryFrom<i128>>(text: &str) -> Option<Result<T, String>> {
    text.strip_prefix('#').map(integer)
}

/// The number of what is called this; numbers run from 1 until `name_of` knows none.
pub(super) fn symbol_or_number<'a>(
    text: &str,
    noun: &str,
    name_of: impl Fn(u32) -> Option<&'a str>,
) -> Result<u32, String> {
    if let Some(number) = raw_number(text) {
        return number;
    }
    let mut id = 1;
    while let Some(name) = name_of(id) {
        if name == text {
            return Ok(id);
        }
        id += 1;
    }
    Err(format!("there is no {noun} {text:?}; a number is written #7"))
}

impl Names {
    pub(super) fn account(&self, text: &str) -> Result<u32, String> {
        if let Some(number) = raw_number(text) {
            return number;
        }
        let found = self.accounts.iter().find(|(name, _)| name == text);
        found.map(|(_, id)| *id).ok_or(format!("there is no account {text:?}; a number is written #7"))
    }

    pub(super) fn account_name(&self, id: u32) -> String {
        match self.accounts.iter().find(|(_, found)| *found == id) {
            Some((name, _)) => name.clone(),
            None => number_text(u64::from(id)),
        }
    }

    pub(super) fn order(&self, text: &str) -> Result<u64, String> {
        if let Some(number) = raw_number(text) {
            return number;
        }
        if let Some(entry) = text.strip_suffix(".exits") {
            return self.order(entry).map(|id| id | EXITS_BIT);
        }
        let found = self.labels.iter().find(|(label, _)| label == text);
        found.map(|(_, sequence)| *sequence).ok_or(format!("no command before this one is labelled {text:?}"))
    }

    pub(super) fn order_name(&self, id: u64) -> String {
        if id & EXITS_BIT != 0 {
            return format!("{}.exits", self.order_name(id & !EXITS_BIT));
        }
        match self.labels.iter().find(|(_, sequence)| *sequence == id) {
            Some((label, _)) => label.clone(),
            None => number_text(id),
        }
    }
}

fn number_text(number: u64) -> String {
    if number == 0 { String::new() } else { format!("#{number}") }
}

pub(super) fn asset(engine: &Engine, text: &str) -> Result<u32, String> {
    symbol_or_number(text, "asset", |id| engine.assets().get(AssetId(id).index()).map(|s| s.symbol.as_str()))
}

pub(super) fn asset_name(engine: &Engine, id: u32) -> String {
    let found = engine.assets().get(AssetId(id).index());
    found.map_or_else(|| number_text(u64::from(id)), |spec| spec.symbol.clone())
}

pub(super) fn publisher(engine: &Engine, text: &str) -> Result<u32, String> {
    let name_of = |id: u32| engine.publishers().get(id as usize - 1).map(|spec| spec.symbol.as_str());
    symbol_or_number(text, "publisher", name_of)
}

pub(super) fn underlying_name(engine: &Engine, id: u32) -> String {
    let found = engine.underlyings().nth((id as usize).wrapping_sub(1));
    found.map_or_else(|| id.to_string(), |spec| spec.symbol.clone())
}

pub(super) fn publisher_name(engine: &Engine, id: u32) -> String {
    let found = engine.publishers().get((id as usize).wrapping_sub(1));
    found.map_or_else(|| number_text(u64::from(id)), |spec| spec.symbol.clone())
}

/// Names of classes with commas between them, or `#5`: a bit each.
pub(super) fn classes<T: TryFrom<i128>>(engine: &Engine, text: &str) -> Result<T, String> {
    if let Some(bits) = raw_number(text) {
        return bits;
    }
    let bit = |name: &str| -> Result<i128, String> {
        let at = engine.classes().iter().position(|class| class.symbol == name);
        Ok(1 << at.ok_or(format!("there is no class {name:?}"))?)
    };
    let names = text.split(',').filter(|name| !name.is_empty());
    let mask = names.map(bit).sum::<Result<i128, String>>()?;
    T::try_from(mask).map_err(|_| format!("{text} does not fit its field"))
}

/// The names of classes, with commas.
pub(super) fn classes_text(engine: &Engine, mask: i64) -> String {
    let held = engine.classes().iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
    held.map(|(_, class)| class.symbol.as_str()).collect::<Vec<_>>().join(",")
}

pub(super) fn venue(engine: &Engine, text: &str) -> Result<u16, String> {
    let name_of = |id: u32| engine.venues().get(id as usize - 1).map(|spec| spec.symbol.as_str());
    let id = symbol_or_number(text, "venue", name_of)?;
    u16::try_from(id).map_err(|_| format!("venue {id} does not fit its field"))
}

pub(super) fn venue_name(engine: &Engine, id: VenueId) -> String {
    let found = engine.venues().get(usize::from(id.0).wrapping_sub(1));
    found.map_or_else(|| number_text(u64::from(id.0)), |spec| spec.symbol.clone())
}

pub(super) fn instrument(engine: &Engine, text: &str) -> Result<u32, String> {
    symbol_or_number(text, "instrument", |id| engine.instrument(InstrumentId(id)).map(|view| view.symbol))
}

pub(super) fn instrument_name(engine: &Engine, id: u32) -> String {
    let found = engine.instrument(InstrumentId(id));
    found.map_or_else(|| number_text(u64::from(id)), |view| view.symbol.to_string())
}

pub(super) fn question(engine: &Engine, text: &str) -> Result<u32, String> {
    let name_of = |id| engine.question(QuestionId(id)).map(|view| view.spec.symbol.as_str());
    symbol_or_number(text, "question", name_of)
}

pub(super) fn question_name(engine: &Engine, id: u32) -> String {
    let found = engine.question(QuestionId(id));
    found.map_or_else(|| number_text(u64::from(id)), |view| view.spec.symbol.clone())
}

/// Up to 32 bytes of text.
pub(super) fn short_bytes(text: &str) -> Result<ClientId, String> {
    let mut bytes = [0; 32];
    let Some(room) = bytes.get_mut(..text.len()) else {
        return Err(format!("{text:?} has {} bytes, 32 is the most", text.len()));
    };
    room.copy_from_slice(text.as_bytes());
    Ok(bytes)
}

pub(super) fn short_text(bytes: &ClientId) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_string()
}

/// The flags of an order in words.
pub(super) fn flags_text(flags: u8) -> String {
    let words = [
        (Flags::POST_ONLY, "post_only"),
        (Flags::REDUCE_ONLY, "reduce_only"),
        (Flags::MARKET, "market"),
        (Flags::BRACKET, "bracket"),
        (Flags::PROTECTED, "protected"),
    ];
    let set: Vec<&str> = words.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| *word).collect();
    set.join(" ")
}
