//! Orders from their acceptance to their end.

use xos_protocol::{ClientId, CommandRecord, EventRecord};
use xos_units::{Price, Qty, notional};

pub(crate) const COLUMNS: [&str; 24] = [
    "number",
    "sequence",
    "time_ns",
    "order_id",
    "account",
    "instrument",
    "venue",
    "side",
    "tif",
    "flags",
    "self_trade",
    "price",
    "qty",
    "filled",
    "value",
    "fee",
    "pnl",
    "created_ns",
    "last_trade_id",
    "last_price",
    "last_qty",
    "last_ns",
    "reason",
    "waits",
];

/// An order that is not over; or one that waits for its trigger, of which only the words are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) order_id: u64,
    pub(crate) account: u32,
    pub(crate) instrument: u32,
    pub(crate) venue: u16,
    pub(crate) side: u8,
    pub(crate) tif: u8,
    pub(crate) flags: u8,
    pub(crate) self_trade: u8,
    pub(crate) price: i64,
    pub(crate) qty: i64,
    pub(crate) filled: i64,
    pub(crate) value: i128,
    pub(crate) fee: i128,
    pub(crate) pnl: i128,
    pub(crate) created_ns: u64,
    pub(crate) updated_ns: u64,
    pub(crate) last_trade_id: u64,
    pub(crate) last_price: i64,
    pub(crate) last_qty: i64,
    pub(crate) last_ns: u64,
    pub(crate) waits: bool,
    pub(crate) client_id: ClientId,
    /// It stands in the list of those that changed.
    pub(crate) is_listed: bool,
    /// A batch has told it as standing.
    pub(crate) is_kept: bool,
}

impl Open {
    /// From its acceptance, or its trigger's; the command says what no event carries.
    pub(crate) fn of(event: &EventRecord, command: Option<&CommandRecord>, before: Option<&Self>) -> Self {
        let (tif, self_trade) = match (before, command) {
            (Some(before), _) => (before.tif, before.self_trade),
            (None, Some(command)) => (command.tif, command.self_trade),
            // The exits of a bracket: at once or not at all, like their entry with its own owner's orders.
            (None, None) => (xos_protocol::Tif::Ioc.code(), 0),
        };
        let client_id = before.map_or(event.client_id(), |before| before.client_id);
        Self {
            order_id: event.order_id,
            account: event.account,
            instrument: event.instrument,
            venue: event.venue,
            side: event.side,
            tif,
            flags: event.flags,
            self_trade,
            price: event.price,
            qty: event.qty,
            created_ns: event.time_ns,
            updated_ns: event.time_ns,
            client_id,
            ..Self::default()
        }
    }

    pub(crate) fn amend(&mut self, event: &EventRecord) {
        (self.price, self.qty, self.updated_ns) = (event.price, event.qty, event.time_ns);
    }

    pub(crate) fn cut(&mut self, event: &EventRecord) {
        self.updated_ns = event.time_ns;
    }

    pub(crate) fn fill(&mut self, trade_id: u64, price: i64, qty: i64, fee: i128, time_ns: u64) {
        self.filled += qty;
        self.value += notional(Price(price), Qty(qty), 1).0;
        self.fee += fee;
        (self.last_trade_id, self.last_price, self.last_qty) = (trade_id, price, qty);
        (self.last_ns, self.updated_ns) = (time_ns, time_ns);
    }

    /// The row of the kind order; reason 0: it was filled, or is not over.
    pub(crate) fn row(&self, number: u64, sequence: u64, reason: u16) -> [i128; 24] {
        [
            number.into(),
            sequence.into(),
            self.updated_ns.into(),
            self.order_id.into(),
            self.account.into(),
            self.instrument.into(),
            self.venue.into(),
            self.side.into(),
            self.tif.into(),
            self.flags.into(),
            self.self_trade.into(),
            self.price.into(),
            self.qty.into(),
            self.filled.into(),
            self.value,
            self.fee,
            self.pnl,
            self.created_ns.into(),
            self.last_trade_id.into(),
            self.last_price.into(),
            self.last_qty.into(),
            self.last_ns.into(),
            reason.into(),
            self.waits.into(),
        ]
    }

    /// From its row, as [`Open::row`] gave it.
    pub(crate) fn restored(row: &[i128], client_id: &[u8]) -> Option<Self> {
        let [_, _, updated, id, account, instrument, venue, side, tif, flags, own, price, qty, rest @ ..] =
            row
        else {
            return None;
        };
        let [filled, value, fee, pnl, created, trade, last_price, last_qty, last_ns, _, waits] = rest else {
            return None;
        };
        Some(Self {
            order_id: *id as u64,
            account: *account as u32,
            instrument: *instrument as u32,
            venue: *venue as u16,
            side: *side as u8,
            tif: *tif as u8,
            flags: *flags as u8,
            self_trade: *own as u8,
            price: *price as i64,
            qty: *qty as i64,
            filled: *filled as i64,
            value: *value,
            fee: *fee,
            pnl: *pnl,
            created_ns: *created as u64,
            updated_ns: *updated as u64,
            last_trade_id: *trade as u64,
            last_price: *last_price as i64,
            last_qty: *last_qty as i64,
            last_ns: *last_ns as u64,
            waits: *waits != 0,
            client_id: padded(client_id),
            is_listed: false,
            is_kept: true,
        })
    }
}

/// A client id without the zeros behind it.
pub(crate) fn text_of(client_id: &ClientId) -> &[u8] {
    let end = client_id.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &client_id[..end]
}

fn padded(text: &[u8]) -> ClientId {
    let mut client_id = ClientId::default();
    let length = text.len().min(client_id.len());
    client_id[..length].copy_from_slice(&text[..length]);
    client_id
}
