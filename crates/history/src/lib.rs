//! What was: frames of the log, folded into rows that a database keeps.
//!
//! [`Facts`] takes one frame after the other, each with its events, its postings and the engine after it, and gives
//! batches of rows: movements of money with the balance after each, orders that are over, trades, funding,
//! liquidations, closed positions, candles. Where it is cut into batches changes no row. What is not over yet, an order
//! that rests, a position, the present candle, is given beside, so that the fold goes on from there another time.
//!
//! Nothing here decides anything about money: what events do not explain of the ledger's postings is a row, too, so
//! that the balances are always those of the engine.
#![warn(missing_docs)]

mod candles;
mod chunks;
mod facts;
mod fills;
mod hash;
mod lives;
mod market;
mod money;
mod movements;
mod orders;
mod pack;

pub use candles::{BARS_S, CandleRow, Source};
pub use chunks::{Chunk, EPOCH_BITS, Kind, ROWS_MAX};
pub use facts::{Batch, Facts, Frame};
pub use movements::Bits;
pub use pack::{Packer, Row, unpacked};

/// What is not over yet, as a database keeps it: its kind, its two keys, its row.
pub type Standing = (Kind, u64, u64, Vec<u8>);
