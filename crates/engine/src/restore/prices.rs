//! What a snapshot holds of prices, funding and halts.

use super::source::{Read, Source};
use crate::funding::{Funding, FundingRecord};
use crate::instrument::Instrument;
use crate::oracle::Oracle;
use xos_protocol::{InstrumentState, PriceStatus};
use xos_units::{Price, Rate};

/// What an instrument with an oracle knew.
pub(super) fn read_oracle(source: &mut Source, oracle: &mut Oracle) -> Read<()> {
    oracle.status = source.word(PriceStatus::from_code, "price status")?;
    (oracle.reopens_at_ns, oracle.second) = (source.u64("reopening")?, source.u64("second")?);
    for ema in [&mut oracle.basis, &mut oracle.own] {
        (ema.sum, ema.weight) = (source.amount("average")?.0, source.i64("weight")?);
    }
    for told in &mut oracle.sources {
        (told.price, told.external) = (Price(source.i64("price")?), Price(source.i64("external price")?));
        told.time_ns = source.u64("time of a price")?;
    }
    Ok(())
}

/// The running interval and the settlement under way; gives the number of the last settlement.
pub(super) fn read_funding(source: &mut Source, funding: &mut Funding) -> Read<u32> {
    let epoch = source.u32("settlement")?;
    (funding.sum, funding.samples) = (source.i64("premiums")?, source.u32("samples")?);
    (funding.slot, funding.interval) = (source.u64("slot")?, source.u64("interval")?);
    (funding.rate, funding.index) = (Rate(source.i64("rate")?), Price(source.i64("index of funding")?));
    (funding.cursor, funding.payments) = (source.u32("cursor")?, source.u32("payments")?);
    funding.held = source.amount("funding held")?;
    for _ in 0..source.u32("history")? {
        funding.history.push_back(FundingRecord {
            time_ns: source.u64("time of funding")?,
            premium: Rate(source.i64("premium")?),
            rate: Rate(source.i64("rate")?),
            index: Price(source.i64("index of funding")?),
        });
    }
    Ok(epoch)
}

/// Where the volatility halt of an instrument stands, if it has one.
pub(super) fn read_halt(source: &mut Source, instrument: &mut Instrument) -> Read<()> {
    let Some(halt) = &mut instrument.halt else { return Ok(()) };
    halt.status = source.word(InstrumentState::from_code, "halt")?;
    halt.halted_until_ns = source.u64("end of a halt")?;
    halt.post_only_until_ns = source.u64("end of a reopening")?;
    for _ in 0..source.count(16, "prices of a halt")? {
        halt.prices.push_back((source.u64("second")?, Price(source.i64("price")?)));
    }
    Ok(())
}
