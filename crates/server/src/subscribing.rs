//! Subscriptions of a gateway's connections; the publisher meets them.

use crate::connection::Connection;
use crate::frame::DurableFrame;
use crate::gateway::Gateway;
use crate::publisher::Publisher;
use std::sync::Arc;
use xos_engine::Engine;
use xos_protocol::{MessageKind, Refused, SessionCode, Subscription};

impl Gateway {
    /// Notes a wish; it is met when the batch under way is done.
    pub(crate) fn want(&mut self, at: usize, connection: u64, subscription: Subscription) {
        self.wanted.push((at, connection, subscription));
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, at: usize, subscription: Subscription) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        connection.subscriptions.remove(&(subscription.instrument, subscription.level));
        if let Some(publisher) = &self.publisher {
            publisher.leave(connection.id, subscription);
        }
    }

    /// Whether somebody waits for a feed to begin.
    pub(crate) fn wants_feeds(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Begins the subscriptions that were asked for. The engine stands where the last frame delivered ends.
    pub(crate) fn begin_feeds(&mut self, engine: &Engine) {
        for (at, id, wish) in std::mem::take(&mut self.wanted) {
            let now_ns = self.now_ns();
            let most = self.options.subscriptions_max;
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            if connection.id != id {
                continue;
            }
            let count = connection.subscriptions.len();
            if count >= most {
                refuse(connection, SessionCode::TooManySubscriptions, count as u64, most as u64);
            } else {
                begin(&mut self.publisher, self.options.outbox_bytes_max, connection, engine, wish);
            }
            connection.flush(now_ns);
            self.close_if_over(at);
        }
    }

    /// Lets the publisher know of a frame. If its thread is gone, whoever read is cut and may begin anew.
    pub(crate) fn publish(&mut self, frame: &Arc<DurableFrame>) {
        let Some(publisher) = &self.publisher else { return };
        publisher.frame(frame);
        if !publisher.is_gone() {
            return;
        }
        self.publisher = None;
        for connection in self.connections.iter_mut().flatten() {
            if !connection.subscriptions.is_empty() {
                connection.end(SessionCode::Farewell, 0, 0);
            }
        }
    }
}

fn begin(
    publisher: &mut Option<Publisher>,
    outbox_bytes_max: usize,
    connection: &mut Connection,
    engine: &Engine,
    wish: Subscription,
) {
    if publisher.is_none() {
        *publisher = Publisher::start(outbox_bytes_max).ok();
    }
    let (Some(publisher), Ok(line)) = (publisher, connection.share_line()) else {
        return connection.end(SessionCode::Farewell, 0, 0);
    };
    if publisher.begin(engine, connection.id, wish, line) {
        connection.subscriptions.insert((wish.instrument, wish.level));
    } else {
        refuse(connection, SessionCode::UnknownInstrument, u64::from(wish.instrument), 0);
    }
}

/// A subscription is no command: its refusal counts none.
fn refuse(connection: &mut Connection, code: SessionCode, value: u64, limit: u64) {
    let refused = Refused { code: code.code(), value, limit, ..Refused::default() };
    connection.say(MessageKind::Refused, 0, &[refused]);
}
