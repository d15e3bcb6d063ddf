//! Readers of market data beside the load: one thread that takes what all of them are sent.

use crate::lanes::lane_request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use xos_protocol::{MessageKind, Subscription};
use xos_server::{Client, ClientError};

const PAUSE: Duration = Duration::from_micros(500);

/// The readers.
pub(crate) struct Readers {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Readers {
    /// Subscribes so many to instrument 1, by order, under the key behind those of the lanes.
    pub(crate) fn start(address: SocketAddr, lanes: usize, count: usize) -> Result<Self, ClientError> {
        let mut clients = Vec::new();
        for reader in 0..count {
            let mut request = lane_request(lanes);
            request.session = reader as u32;
            let mut client = Client::log_on(address, &request, Duration::from_secs(10))?;
            let wish = Subscription { instrument: 1, level: 3, ..Default::default() };
            client.queue(MessageKind::Subscribe, 0, &[wish]);
            client.send()?;
            client.stream().set_nonblocking(true)?;
            clients.push(client);
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let told = stopping.clone();
        let thread = (count > 0).then(|| std::thread::spawn(move || read(clients, &told)));
        Ok(Self { stopping, thread })
    }

    /// Hangs up; how many changes they read.
    pub(crate) fn stop(self) -> u64 {
        self.stopping.store(true, Relaxed);
        self.thread.and_then(|thread| thread.join().ok()).unwrap_or(0)
    }
}

fn read(mut clients: Vec<Client>, stopping: &AtomicBool) -> u64 {
    let mut records = 0;
    while !stopping.load(Relaxed) {
        for client in &mut clients {
            let Ok(_) = client.receive() else { return records };
            while let Ok(Some((header, _))) = client.next_message() {
                if header.kind == MessageKind::Feed.code() {
                    records += u64::from(header.count);
                }
            }
        }
        std::thread::sleep(PAUSE);
    }
    records
}
