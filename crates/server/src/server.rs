//! A running server: its threads, and the handle on them.

use crate::directory::Directory;
use crate::frame::{Batch, Frames, NODE};
use crate::gateway::{Gateway, WAKER};
use crate::kept::KeptFrames;
use crate::keys::Keyring;
use crate::options::ServerOptions;
use crate::questions::{Question, Questions};
use crate::sequencer::Sequencer;
use crate::shared::{Shared, Stats};
use mio::net::TcpListener;
use mio::{Poll, Waker};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xos_node::{Clock, Exchange, NodeError};
use xos_protocol::SessionCode;

/// The longest sleep without a socket: timers are looked at at least this often.
const SLEEP: Duration = Duration::from_millis(20);
/// Questions to the exchange that may wait; whoever asks past that waits for a place.
const JOBS_MAX: usize = 1_024;

/// Why a server ended.
#[derive(Debug)]
pub enum ServerError {
    /// A socket, or the poll, failed.
    Io(io::Error),
    /// The log or the engine failed; the exchange takes nothing more.
    Node(NodeError),
    /// Who had borrowed the exchange did not give it back: it halted, or was closed.
    Lost,
    /// A thread panicked.
    Panicked,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the server's sockets failed: {error}"),
            Self::Node(error) => write!(f, "{error}"),
            Self::Lost => f.write_str("the exchange halted while it was asked something"),
            Self::Panicked => f.write_str("a thread of the server panicked"),
        }
    }
}

impl std::error::Error for ServerError {}

impl From<io::Error> for ServerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

type Job = Box<dyn FnOnce(Exchange) -> Option<Exchange> + Send>;

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    over: bool,
}

/// What the handle and the threads share beside the gateway's things.
struct Desk {
    jobs: Mutex<Jobs>,
    waker: Waker,
}

/// A running server. Dropping it stops it.
pub struct Server {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    address: SocketAddr,
    thread: Option<JoinHandle<Result<Exchange, ServerError>>>,
}

impl Server {
    /// Serves an open exchange at an address; port 0 takes a free one.
    pub fn start(
        mut exchange: Exchange,
        address: SocketAddr,
        keys: Keyring,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let mut run = [0; 8];
        getrandom::fill(&mut run).map_err(io::Error::other)?;
        let shared = Arc::new(Shared::new(options, keys, Clock::system(), u64::from_le_bytes(run)));
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let desk = Arc::new(Desk { jobs: Mutex::default(), waker });
        let replayed = exchange.take_replayed();
        exchange.make_snapshots_beside(true);
        let engine = exchange.engine();
        let kept = KeptFrames::with_replayed(engine.sequence(), shared.options.events_kept, replayed);
        shared.stats.durable_sequence.store(engine.sequence(), Relaxed);
        let directory = Directory::of(engine);
        let gateway = Gateway::new(shared.clone(), poll, Some(listener), directory, kept, engine.sequence())?;
        let sequencer = Sequencer::new(exchange, shared.options.frame_commands_max, shared.options.tick_ms);
        let ours = desk.clone();
        let thread = std::thread::Builder::new().name("xos-server".into()).spawn(move || {
            let ended = serve(gateway, sequencer, &ours);
            let mut jobs = ours.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.over = true;
            jobs.waiting.clear();
            ended
        })?;
        Ok(Self { shared, desk, address, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Whether it serves.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Asks the exchange something between two batches and waits for the answer; `None` once the server has ended, or
    /// if too many ask already.
    pub fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Exchange) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = sync_channel(1);
        self.bring(Box::new(move |mut exchange| {
            // Whoever asked may be gone.
            let _ = answer.send(ask(&mut exchange));
            Some(exchange)
        }))?;
        answered.recv().ok()
    }

    /// Borrows the exchange between two batches; the server waits until it comes back. Nothing may be submitted to it:
    /// no session would hear of that. Without it the server ends.
    pub fn lend<T>(&self, work: impl FnOnce(Exchange) -> (Option<Exchange>, T)) -> Option<T> {
        let (lend, borrowed) = sync_channel(1);
        let (give_back, back) = sync_channel(1);
        self.bring(Box::new(move |exchange| match lend.send(exchange) {
            Ok(()) => back.recv().ok().flatten(),
            Err(unsent) => Some(unsent.0),
        }))?;
        let (exchange, done) = work(borrowed.recv().ok()?);
        give_back.send(exchange).ok()?;
        Some(done)
    }

    fn bring(&self, job: Job) -> Option<()> {
        let mut jobs = self.desk.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.over || jobs.waiting.len() >= JOBS_MAX {
            return None;
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.desk.waker.wake().ok()
    }

    /// What clients ask; somebody beside the server answers.
    pub fn questions(&self) -> Arc<Questions> {
        self.shared.questions.clone()
    }

    /// Answers a question.
    pub fn answer(&self, question: &Question, body: Vec<u8>) {
        self.shared.questions.answer(question, body);
        let _ = self.desk.waker.wake();
    }

    /// Tells every client, lets what was admitted become durable, and gives the exchange back.
    pub fn stop(mut self) -> Result<Exchange, ServerError> {
        self.end().unwrap_or(Err(ServerError::Panicked))
    }

    /// Waits until it ends by itself, which it does only when something failed, or when it is told to stop.
    pub fn wait(mut self) -> Result<Exchange, ServerError> {
        let Some(thread) = self.thread.take() else { return Err(ServerError::Panicked) };
        thread.join().unwrap_or(Err(ServerError::Panicked))
    }

    fn end(&mut self) -> Option<Result<Exchange, ServerError>> {
        self.shared.stopping.store(true, Release);
        let _ = self.desk.waker.wake();
        Some(self.thread.take()?.join().unwrap_or(Err(ServerError::Panicked)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// One thread for everything but the sync of large frames: the layout for few cores.
fn serve(mut gateway: Gateway, mut sequencer: Sequencer, desk: &Desk) -> Result<Exchange, ServerError> {
    let shared = gateway.shared.clone();
    let spin = Duration::from_micros(u64::from(shared.options.spin_us));
    let (mut batch, mut frames) = (Batch::default(), Frames::new());
    let mut busy = Instant::now();
    loop {
        let stopping = shared.stopping.load(Acquire);
        if stopping {
            gateway.stop_listening();
            gateway.end_all(SessionCode::ShuttingDown);
            gateway.owe(&mut batch);
        } else {
            let spins = !spin.is_zero() && busy.elapsed() < spin;
            gateway.poll(if spins { Duration::ZERO } else { SLEEP }, &mut batch)?;
        }
        if let Some(tick) = sequencer.tick_due(shared.clock.now_ns()) {
            batch.push(NODE, 0, tick);
        }
        if !batch.is_empty() {
            let begun = Instant::now();
            let taken = sequencer.take(&batch, &mut frames);
            let took_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            shared.stats.take_ns.fetch_add(took_ns, Relaxed);
            batch.clear();
            for frame in frames.drain(..) {
                shared.stats.frames.fetch_add(1, Relaxed);
                shared.stats.events.fetch_add(frame.events.len() as u64, Relaxed);
                gateway.deliver(&frame);
            }
            shared.stats.durable_sequence.store(gateway.durable_sequence, Relaxed);
            gateway.directory.know_publishers(sequencer.exchange().engine());
            gateway.flush_touched();
            if let Err(error) = taken {
                gateway.halted = true;
                gateway.end_all(SessionCode::Halted);
                return Err(ServerError::Node(error));
            }
            sequencer.snapshot_if_due();
            busy = Instant::now();
        }
        if stopping {
            return Ok(sequencer.into_exchange());
        }
        if gateway.wants_feeds() {
            gateway.begin_feeds(sequencer.exchange().engine());
        }
        gateway.say_answers();
        if !answer(desk, &mut sequencer) {
            gateway.halted = true;
            gateway.end_all(SessionCode::Halted);
            return Err(ServerError::Lost);
        }
    }
}

/// Answers what was asked, one after the other; whether the exchange is still here.
fn answer(desk: &Desk, sequencer: &mut Sequencer) -> bool {
    loop {
        let job = desk.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
        let Some(job) = job else { return true };
        if !sequencer.lend(job) {
            return false;
        }
    }
}
