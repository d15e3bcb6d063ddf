//! The words of the protocol as Python enumerations, made from the Rust ones when the module loads.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use xos_protocol::{
    ActKind, CancelReason, CommandKind, DecidedBy, EventFlags, EventKind, Flags, InstrumentState, MarketKind,
    Matching, PriceSource, PriceStatus, Reject, ResolutionStage, SelfTrade, Side, SlotKind, Tif,
};

macro_rules! add_words {
    ($module:expr, $($word:ident),+) => {
        $(add(
            $module,
            "IntEnum",
            stringify!($word),
            $word::ALL.iter().map(|word| (word.name().to_uppercase(), u64::from(word.code()))).collect(),
        )?;)+
    };
}

/// Adds every enumeration to the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add_words!(
        module,
        CommandKind,
        Side,
        Tif,
        SelfTrade,
        PriceSource,
        Matching,
        InstrumentState,
        PriceStatus,
        ResolutionStage,
        DecidedBy,
        MarketKind,
        SlotKind,
        ActKind,
        CancelReason,
        EventKind
    );
    let rejects =
        Reject::ALL.iter().map(|reject| (upper_snake(reject.name()), reject.code().into())).collect();
    add(module, "IntEnum", "Reject", rejects)?;
    let flags = [
        ("POST_ONLY", Flags::POST_ONLY),
        ("REDUCE_ONLY", Flags::REDUCE_ONLY),
        ("MARKET", Flags::MARKET),
        ("BRACKET", Flags::BRACKET),
        ("PROTECTED", Flags::PROTECTED),
    ];
    add(module, "IntFlag", "Flags", named(&flags))?;
    let event_flags = [
        ("NOT_PUBLIC", EventFlags::NOT_PUBLIC),
        ("OF_TIME", EventFlags::OF_TIME),
        ("KEPT_PRIORITY", EventFlags::KEPT_PRIORITY),
        ("RETRY", EventFlags::RETRY),
    ];
    add(module, "IntFlag", "EventFlags", named(&event_flags))
}

/// Number, name, sentence and whether it may pass later, of every reject.
#[pyfunction]
pub(crate) fn rejects() -> Vec<(u16, &'static str, &'static str, bool)> {
    Reject::ALL
        .iter()
        .map(|reject| (reject.code(), reject.name(), reject.sentence(), reject.is_transient()))
        .collect()
}

fn named(flags: &[(&str, u8)]) -> Vec<(String, u64)> {
    flags.iter().map(|&(name, bit)| (name.to_string(), bit.into())).collect()
}

fn add(module: &Bound<'_, PyModule>, base: &str, name: &str, members: Vec<(String, u64)>) -> PyResult<()> {
    let py = module.py();
    let options = PyDict::new(py);
    options.set_item("module", "exchange_os._core")?;
    let class = py.import("enum")?.getattr(base)?.call((name, members), Some(&options))?;
    module.add(name, class)
}

/// `UnknownAccount` as `UNKNOWN_ACCOUNT`.
fn upper_snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_uppercase());
    }
    text
}
