//! The connections of a load, all driven by one thread that never waits for any of them.

use crate::latency::Latencies;
use crate::traffic::{Traffic, lane_name, owner_of_lane};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use xos_protocol::{CommandRecord, MessageKind, Refused, Taken};
use xos_server::{Client, ClientError, Key, LogonRequest, Proof, Scopes, each};

const LOGON_TIMEOUT: Duration = Duration::from_secs(10);
/// Commands that may be queued in a lane whose socket is full, before the lane counts as stuck.
const STUCK_BYTES: usize = 256 << 20;

/// The keys that the lanes log on with.
pub(crate) fn keys_of(lanes: usize) -> Vec<Key> {
    // One more than there are lanes: readers of market data have no account.
    (0..=lanes)
        .map(|lane| Key {
            name: lane_name(lane),
            proof: Proof::Secret(secret_of(lane)),
            scopes: Scopes { trade: true, ..Scopes::default() },
            owner: Some(owner_of_lane(lane)),
        })
        .collect()
}

fn secret_of(lane: usize) -> Vec<u8> {
    format!("the secret of load lane {lane}").into_bytes()
}

/// How a lane logs on.
pub(crate) fn lane_request(lane: usize) -> LogonRequest {
    LogonRequest { heartbeat_ms: 60_000, ..LogonRequest::with_secret(&lane_name(lane), &secret_of(lane)) }
}

/// One connection.
struct Lane {
    client: Client,
    waiting: Vec<CommandRecord>,
    /// Place in the load of each command sent, by its number less one.
    places: Vec<u32>,
}

/// All connections.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Commands that are in the log.
    pub(crate) taken: u64,
    /// Commands refused before it.
    pub(crate) refused: u64,
    /// Events heard.
    pub(crate) events: u64,
    /// Sequence of the last command in the log.
    pub(crate) last_sequence: u64,
}

impl Lanes {
    /// Connects and logs on.
    pub(crate) fn connect(address: SocketAddr, count: usize, commands: u64) -> Result<Self, ClientError> {
        let mut lanes = Vec::with_capacity(count);
        for lane in 0..count {
            let request = lane_request(lane);
            let client = Client::log_on(address, &request, LOGON_TIMEOUT)?;
            client.stream().set_nonblocking(true)?;
            let places = Vec::with_capacity(2 * commands as usize / count + 1);
            lanes.push(Lane { client, waiting: Vec::new(), places });
        }
        Ok(Self { lanes, taken: 0, refused: 0, events: 0, last_sequence: 0 })
    }

    /// Queues the commands of a range of places, and sends what goes.
    pub(crate) fn send(&mut self, traffic: &Traffic, range: std::ops::Range<u64>) -> Result<(), ClientError> {
        for at in range {
            let lane = &mut self.lanes[traffic.lane(at)];
            lane.waiting.push(traffic.command(at));
            lane.places.push(at as u32);
        }
        for lane in &mut self.lanes {
            if !lane.waiting.is_empty() {
                lane.client.queue_commands(&lane.waiting);
                lane.waiting.clear();
            }
            if lane.client.unsent() > 0 {
                lane.client.send()?;
            }
            if lane.client.unsent() > STUCK_BYTES {
                return Err(
                    io::Error::new(io::ErrorKind::TimedOut, "the server takes nothing any more").into()
                );
            }
        }
        Ok(())
    }

    /// Takes what has come; whether anything has.
    pub(crate) fn receive(&mut self, begun: Instant, latencies: &mut Latencies) -> Result<bool, ClientError> {
        let mut any = false;
        for lane in &mut self.lanes {
            if !lane.client.receive()? {
                continue;
            }
            any = true;
            let now_ns = crate::bounds::elapsed_ns(begun);
            while let Some((header, records)) = lane.client.next_message()? {
                match header.kind() {
                    Some(MessageKind::Events) => self.events += u64::from(header.count),
                    Some(MessageKind::Taken) => {
                        for taken in each::<Taken>(records) {
                            let first = taken.first_number as usize - 1;
                            for place in &lane.places[first..first + taken.count as usize] {
                                latencies.answered(u64::from(*place), now_ns);
                            }
                            self.taken += u64::from(taken.count);
                            let last = taken.first_sequence + u64::from(taken.count) - 1;
                            self.last_sequence = self.last_sequence.max(last);
                        }
                    }
                    Some(MessageKind::Refused) => {
                        self.refused +=
                            each::<Refused>(records).map(|refused| u64::from(refused.count)).sum::<u64>();
                    }
                    Some(MessageKind::Goodbye) => return Err(ClientError::Unexpected(header.kind)),
                    _ => {}
                }
            }
        }
        Ok(any)
    }
}

impl Lanes {
    /// Hangs up.
    pub(crate) fn close(&mut self) -> usize {
        let open = self.lanes.len();
        self.lanes.clear();
        open
    }
}
