//! placeholder
/// x
pub struct Market;
/// x
pub struct MarketShape;
