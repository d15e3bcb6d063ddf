//! What icebergs hide, once their orders rest.

use super::source::{Read, Source};
use crate::engine::Engine;
use xos_units::{OrderId, Qty};

/// Id, display quantity, shown lots.
const ICEBERG_BYTES: usize = 24;

impl Engine {
    /// Orders were put into the books with all their lots; those of an iceberg that are not shown are taken out again.
    pub(super) fn read_icebergs(&mut self, source: &mut Source) -> Read<()> {
        for _ in 0..source.count(ICEBERG_BYTES, "icebergs")? {
            let id = OrderId(source.u64("iceberg")?);
            let (display, shown) = (Qty(source.i64("display quantity")?), Qty(source.i64("shown lots")?));
            let order = self.pool.find(id).map(|slot| self.pool.order(slot));
            let fits = order.is_some_and(|order| shown <= order.remaining && !order.is_iceberg);
            if !fits || shown < Qty(1) || shown > display {
                return source.malformed("iceberg");
            }
            self.hide(id, display, shown);
        }
        Ok(())
    }
}
