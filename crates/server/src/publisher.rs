//! The publisher: feeds to those who subscribe. The messages of a frame are made once, and all readers are sent the same
//! bytes. Nobody is waited for: who reads too slowly is left out, and gets a whole book once it has read what it was sent.

use crate::connection::Connection;
use crate::feed::Feed;
use crate::frame::DurableFrame;
use crate::gateway::Gateway;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use xos_engine::Engine;
use xos_protocol::{MessageKind, Refused, SessionCode, Subscription};

/// Bytes that may wait to be sent to a subscriber before changes are left out. Readers share them.
const LAG_BYTES: usize = 4 << 20;

#[derive(Debug)]
struct Subscriber {
    at: usize,
    connection: u64,
    /// Changes are left out until it has read everything.
    lags: bool,
}

/// Feeds and their subscribers.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    feeds: HashMap<u32, Feed>,
    subscribers: HashMap<(u32, u8), Vec<Subscriber>>,
    /// Subscriptions that wait for the end of the batch, with the connection.
    wanted: Vec<(usize, u64, Subscription)>,
}

impl Publisher {
    /// Notes a wish; it is met when the batch under way is done.
    pub(crate) fn want(&mut self, at: usize, connection: u64, subscription: Subscription) {
        self.wanted.push((at, connection, subscription));
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, connection: u64, subscription: Subscription) {
        if let Some(list) = self.subscribers.get_mut(&(subscription.instrument, subscription.level)) {
            list.retain(|subscriber| subscriber.connection != connection);
        }
    }

    fn count_of(&self, connection: u64) -> usize {
        let all = self.subscribers.values().flatten();
        all.filter(|subscriber| subscriber.connection == connection).count()
    }
}

impl Gateway {
    /// Whether somebody waits for a feed to begin.
    pub(crate) fn wants_feeds(&self) -> bool {
        !self.publisher.wanted.is_empty()
    }

    /// Begins the subscriptions that were asked for. The engine stands where the last frame delivered ends.
    pub(crate) fn begin_feeds(&mut self, engine: &Engine) {
        for (at, id, wish) in std::mem::take(&mut self.publisher.wanted) {
            let now_ns = self.now_ns();
            let count = self.publisher.count_of(id);
            let most = self.options.subscriptions_max;
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            if connection.id != id {
                continue;
            }
            if count >= most {
                refuse(connection, SessionCode::TooManySubscriptions, count as u64, most as u64);
            } else if let Entry::Vacant(place) = self.publisher.feeds.entry(wish.instrument) {
                match Feed::of(engine, wish.instrument) {
                    Some(feed) => drop(place.insert(feed)),
                    None => refuse(connection, SessionCode::UnknownInstrument, u64::from(wish.instrument), 0),
                }
            }
            if count < most
                && let Some(feed) = self.publisher.feeds.get_mut(&wish.instrument)
            {
                feed.follow(wish.level);
                let first = feed.from(wish.level, wish.from_number);
                connection.say_lines(&first.unwrap_or_else(|| feed.whole(wish.level)));
                let list = self.publisher.subscribers.entry((wish.instrument, wish.level)).or_default();
                list.retain(|subscriber| subscriber.connection != id);
                list.push(Subscriber { at, connection: id, lags: false });
            }
            connection.flush(now_ns);
            self.close_if_over(at);
        }
    }

    /// Lets the feeds follow a frame and tells what it changed.
    pub(crate) fn publish(&mut self, frame: &DurableFrame) {
        if self.publisher.feeds.is_empty() {
            return;
        }
        let Publisher { feeds, subscribers, .. } = &mut self.publisher;
        for event in &frame.events {
            if let Some(feed) = feeds.get_mut(&event.instrument) {
                feed.hear(event);
            }
        }
        for feed in feeds.values_mut() {
            feed.end();
        }
        for ((instrument, level), list) in subscribers {
            let Some(feed) = feeds.get(instrument) else { continue };
            let Some(page) = feed.page(*level) else { continue };
            list.retain_mut(|subscriber| {
                let Some(Some(connection)) = self.connections.get_mut(subscriber.at) else { return false };
                if connection.id != subscriber.connection {
                    return false;
                }
                subscriber.lags |= connection.waiting() > LAG_BYTES;
                if !subscriber.lags {
                    connection.say_page(page);
                    self.touched.push(subscriber.at);
                }
                true
            });
        }
    }

    /// Sends a whole book to who was left out and has read everything since.
    pub(crate) fn catch_up(&mut self, now_ns: u64) {
        let Publisher { feeds, subscribers, .. } = &mut self.publisher;
        for ((instrument, level), list) in subscribers {
            let Some(feed) = feeds.get(instrument) else { continue };
            for subscriber in list.iter_mut().filter(|subscriber| subscriber.lags) {
                if let Some(Some(connection)) = self.connections.get_mut(subscriber.at)
                    && connection.id == subscriber.connection
                    && connection.waiting() == 0
                {
                    subscriber.lags = false;
                    connection.say_lines(&feed.whole(*level));
                    connection.flush(now_ns);
                }
            }
        }
    }
}

/// A subscription is no command: its refusal counts none.
fn refuse(connection: &mut Connection, code: SessionCode, value: u64, limit: u64) {
    let refused = Refused { code: code.code(), value, limit, ..Refused::default() };
    connection.say(MessageKind::Refused, 0, &[refused]);
}
