//! However writes and answers cross and get lost, clocks differ and machines sleep: two servers never
//! have a lease at once, and one that is free is soon had.

use super::claim::{Change, Claim, Holder, LEASE, LeaseRecord, Moment};
use super::{HOLD, LOOK_MILLISECONDS_MAX, Leases, RENEWAL, RETRY};
use crate::clock::{Clock, Timestamp};
use crate::store::{Access, Engine, Error, Memory, Result, Store, Transaction};
use proptest::prelude::*;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

const SERVERS: usize = 3;
const DUTY: &str = "postman";
/// How many transactions the engine takes at a time.
const PLACES: usize = 4;

/// What happens to a server, or to all.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// Time passes, and one machine sleeps through it.
    Sleep(usize, u64),
    /// A clock is set, by milliseconds.
    Set(usize, i64),
    /// A server reads the lease.
    Read(usize),
    /// It gets what it read, and sends what takes the lease if it may.
    Look(usize),
    Renew(usize),
    Release(usize),
    /// The store does a write that was sent, whoever still waits for it.
    Execute(usize),
    /// A server hears what its write came to, if that was done.
    Hear(usize),
    /// A server gives up waiting for its write.
    Miss(usize),
    /// A server stops believing.
    Lose(usize),
    /// A server dies, and another starts in its place.
    Crash(usize),
    /// All that there is to taking or keeping the lease, without a fault.
    Step(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let server = || 0..SERVERS;
    prop_oneof![
        6 => (0..6000_u64).prop_map(Event::Pass),
        1 => (server(), 0..20_000_u64).prop_map(|(server, by)| Event::Sleep(server, by)),
        1 => (server(), -30_000..30_000_i64).prop_map(|(server, by)| Event::Set(server, by)),
        3 => server().prop_map(Event::Read),
        3 => server().prop_map(Event::Look),
        3 => server().prop_map(Event::Renew),
        1 => server().prop_map(Event::Release),
        5 => (0..8_usize).prop_map(Event::Execute),
        4 => server().prop_map(Event::Hear),
        1 => server().prop_map(Event::Miss),
        1 => server().prop_map(Event::Lose),
        1 => server().prop_map(Event::Crash),
        6 => server().prop_map(Event::Step),
    ]
}

struct Server {
    claim: Claim,
    at: Moment,
    /// How fast its clocks go, in thousandths of real time.
    rate: u64,
    /// Whether the machine sleeps at times. The date of one that does is not set by anybody: whoever
    /// does both knows nothing of the time.
    sleeps: bool,
    read: Option<Stored>,
    /// The number of the write that it waits for.
    awaits: Option<usize>,
}

struct World {
    store: Store,
    servers: Vec<Server>,
    /// All writes that were ever sent, with what they came to.
    sent: Vec<Sent>,
    started: usize,
}

struct Sent {
    change: Change,
    begun: Moment,
    outcome: Option<Stored>,
}

/// What was stored, if anything was.
#[derive(Clone)]
struct Stored(Option<LeaseRecord>);

impl World {
    fn new(rates: [u64; SERVERS], sleeps: [bool; SERVERS]) -> Self {
        let store = Store::over(Arc::new(Memory::default()));
        let mut world = Self { store, servers: Vec::new(), sent: Vec::new(), started: 0 };
        for (rate, sleeps) in rates.into_iter().zip(sleeps) {
            let claim = world.claim();
            // Nobody's clock says what another's does.
            let offset = u64::try_from(world.started).unwrap() * 100_000;
            let now = Timestamp::from_millisecond(1_000_000_000 + offset.cast_signed()).unwrap();
            let at = Moment { elapsed: Duration::from_millis(offset), now };
            world.servers.push(Server { claim, at, rate, sleeps, read: None, awaits: None });
        }
        world
    }

    fn claim(&mut self) -> Claim {
        self.started += 1;
        Claim::new(DUTY, Holder { id: self.started.to_string(), host: "a".to_owned() })
    }

    fn stored(&self) -> Option<LeaseRecord> {
        self.store.read_blocking(|tx| tx.get(&LeaseRecord::key_of(DUTY))).unwrap()
    }

    fn pass(&mut self, milliseconds: u64, sleeper: Option<usize>) {
        for (index, server) in self.servers.iter_mut().enumerate() {
            let by = Duration::from_micros(milliseconds * server.rate);
            if sleeper != Some(index) || !server.sleeps {
                server.at.elapsed += by;
            }
            server.at.now = server.at.now.plus(i64::try_from(by.as_millis()).unwrap());
        }
    }

    fn send(&mut self, index: usize, change: Change) {
        let server = &mut self.servers[index];
        server.awaits = Some(self.sent.len());
        self.sent.push(Sent { change, begun: server.at, outcome: None });
    }

    fn execute(&mut self, number: usize) {
        let sent = &mut self.sent[number];
        let change = sent.change.clone();
        let outcome = self.store.write_blocking(move |mut tx| change.apply(&mut tx)).unwrap();
        sent.outcome = Some(Stored(outcome));
    }

    fn hear(&mut self, index: usize) {
        let server = &mut self.servers[index];
        let Some(sent) = server.awaits.map(|number| &self.sent[number]) else { return };
        if let Some(Stored(outcome)) = sent.outcome.clone() {
            server.claim.changed(sent.begun, outcome);
            server.awaits = None;
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Pass(milliseconds) => self.pass(milliseconds, None),
            Event::Sleep(index, milliseconds) => self.pass(milliseconds, Some(index)),
            Event::Set(index, milliseconds) if !self.servers[index].sleeps => {
                let now = &mut self.servers[index].at.now;
                *now = now.plus(milliseconds);
            }
            Event::Read(index) => self.servers[index].read = Some(Stored(self.stored())),
            Event::Look(index) => {
                let server = &mut self.servers[index];
                if server.claim.held().is_some() || server.awaits.is_some() {
                    return;
                }
                let Some(Stored(found)) = server.read.take() else { return };
                if let Some(change) = server.claim.look(found, server.at) {
                    self.send(index, change);
                }
            }
            Event::Renew(index) if self.is_idle_holder(index) => {
                let renewal = self.servers[index].claim.renewal();
                self.send(index, renewal);
            }
            Event::Release(index) if self.servers[index].claim.held().is_some() => {
                let release = self.servers[index].claim.release();
                self.send(index, release);
                // Nobody listens for what comes of it.
                self.servers[index].awaits = None;
            }
            Event::Execute(which) => {
                let mut waiting =
                    (0..self.sent.len()).filter(|it| self.sent[*it].outcome.is_none());
                if let Some(number) = waiting.nth(which) {
                    self.execute(number);
                }
            }
            Event::Hear(index) => self.hear(index),
            Event::Miss(index) => self.servers[index].awaits = None,
            Event::Lose(index) => {
                self.servers[index].claim.lose();
                self.servers[index].awaits = None;
            }
            Event::Crash(index) => {
                let claim = self.claim();
                let server = &mut self.servers[index];
                (server.claim, server.read, server.awaits) = (claim, None, None);
            }
            Event::Step(index) => self.step(index),
            _ => {}
        }
    }

    fn is_idle_holder(&self, index: usize) -> bool {
        let server = &self.servers[index];
        server.claim.held().is_some() && server.awaits.is_none()
    }

    fn step(&mut self, index: usize) {
        let is_held = self.is_held(index);
        let events = if is_held {
            vec![Event::Miss(index), Event::Renew(index)]
        } else {
            vec![Event::Lose(index), Event::Read(index), Event::Look(index)]
        };
        for event in &events {
            self.happen(event);
        }
        if let Some(number) = self.servers[index].awaits {
            self.execute(number);
            self.hear(index);
        }
    }

    fn is_held(&self, index: usize) -> bool {
        let server = &self.servers[index];
        server.claim.is_held(server.at)
    }

    fn holders(&self) -> usize {
        (0..SERVERS).filter(|index| self.is_held(*index)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn two_servers_never_hold_a_lease_at_once(
        rates in [900..=1100_u64, 900..=1100_u64, 900..=1100_u64],
        sleeps in any::<[bool; SERVERS]>(),
        events in proptest::collection::vec(event(), 0..300),
    ) {
        let mut world = World::new(rates, sleeps);
        for (number, event) in events.iter().enumerate() {
            world.happen(event);
            prop_assert!(world.holders() <= 1, "after event {number}: {event:?}");
        }
        // Whatever came of all that, one server is left, and does it before long.
        let mut milliseconds = 0;
        while !world.is_held(0) {
            world.step(0);
            let by = LOOK_MILLISECONDS_MAX.min(1000);
            world.pass(by, None);
            milliseconds += by;
            prop_assert!(milliseconds < 20_000, "nobody takes what nobody renews");
        }
    }
}

/// By what clocks may differ, and what a failed renewal leaves of the time.
#[test]
fn the_times_leave_room_for_each_other() {
    assert!(HOLD * 11 < LEASE * 9, "clocks that are a tenth too slow and too fast");
    assert!(RENEWAL + 5 * RETRY < HOLD, "several renewals fail before the lease is over");
}

/// The memory engine, which others may use too, and whose answers fail to come when a test says so.
#[derive(Debug, Default)]
struct Cut {
    memory: Memory,
    is_cut: AtomicBool,
}

impl Engine for Cut {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("it is cut".to_owned()));
        }
        self.memory.begin(access)
    }

    fn shared(&self) -> Option<usize> {
        Some(PLACES)
    }
}

/// Whatever wakes a server that stood still, it is not the work that goes on first.
#[tokio::test]
async fn no_step_is_begun_after_a_lease_is_over() {
    let (clock, move_time) = Clock::movable();
    let engine: Arc<Cut> = Arc::default();
    let engine_too: Arc<dyn Engine> = Arc::clone(&engine) as _;
    let store = Arc::new(Store::over(engine_too));
    let mut lease = Leases::of(&store, &clock).unwrap().lease(DUTY, "delivering mail");
    lease.acquire().await;
    engine.is_cut.store(true, Ordering::SeqCst);
    let mut steps = 0;
    let work = poll_fn(|_| {
        steps += 1;
        move_time(if steps == 1 { HOLD.as_millis().try_into().unwrap() } else { 0 });
        Poll::<()>::Pending
    });
    assert_eq!(lease.hold_while(work).await, None);
    assert_eq!(steps, 1);
}
