//! Many callers at once: whatever they do, certain things hold at every time, and others when all
//! have stopped.

use super::invariants::{self, Pins};
use super::steps::{ACCEPT_INVITE, DAYS_PASS, Known, Step, step};
use super::{SEED, accept_invite, is_refused_on_suspended, rng, setting};
use crate::harness::{Answer, Client, Server};
use campanile::operations::table;
use campanile::store::Access;
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;

/// How many rounds there are when nobody says.
const ROUNDS: u64 = 12;
const AWS_ACCOUNTS: usize = 2;
/// How many callers each AWS account has.
const CALLERS: usize = 3;
const STEPS: usize = 30;
/// How often an account is suspended, and watched, in a round.
const SUSPENSIONS: usize = 3;

#[test]
fn what_many_callers_do_keeps_the_invariants() {
    let servers: Vec<_> = [Server::start()].into_iter().flat_map(Server::with_another).collect();
    let seed = setting("STATE_MACHINE_SEED", SEED);
    let mut pins = Pins::default();
    for round in 0..setting("STATE_MACHINE_CASES", ROUNDS) {
        let round = Round::begin(&servers, seed, round);
        let ended = round.run();
        let held = ended.and_then(|()| {
            round.tenants.iter().try_for_each(Tenant::check_events)?;
            round.tenants.iter().try_for_each(|tenant| {
                invariants::check(tenant.client(), &tenant.known.lock().unwrap(), &mut pins)
            })?;
            invariants::check_domains(round.tenants.iter().map(Tenant::client))
        });
        if let Err(wrong) = held {
            let history = round.history.lock().unwrap().join("\n");
            panic!("STATE_MACHINE_SEED={seed}, round {}: {wrong}\n{history}", round.prefix);
        }
    }
}

/// What callers share in a round.
struct Round {
    seed: u64,
    /// What the names of this round's domains begin with.
    prefix: String,
    tenants: Vec<Tenant>,
    history: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// An AWS account, and who is known to be in it.
struct Tenant {
    /// The same client at each server, which take turns.
    clients: Vec<Client>,
    calls: AtomicUsize,
    known: Mutex<Known>,
    /// The account that is to stay suspended: who would activate or delete it, lets it be. It is
    /// held for reading during such calls, so that none is under way when the account is chosen.
    watched: RwLock<Option<String>>,
    /// The requests that changed something or tried to, each with its exception if it has one.
    writes: Mutex<BTreeMap<String, Option<String>>>,
}

impl Round {
    fn begin(servers: &[Server], seed: u64, round: u64) -> Self {
        let tenant = |number| {
            let client = servers[0].client_of(&format!("{round:06}{number:06}"));
            let accounts = ["first", "second", "third"].map(|name| client.create_account(name));
            let known = accounts.map(|id| (id, Vec::new())).to_vec();
            let writes = invariants::events(&client).unwrap();
            let at = |server: &Server| Client { address: server.address, ..client.clone() };
            Tenant {
                clients: servers.iter().map(at).collect(),
                calls: AtomicUsize::new(0),
                known: Mutex::new(known),
                watched: RwLock::default(),
                writes: Mutex::new(writes),
            }
        };
        Self {
            seed,
            prefix: format!("{round}"),
            tenants: (0..AWS_ACCOUNTS).map(tenant).collect(),
            history: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Lets callers do their steps, beside one who reads and one who suspends.
    fn run(&self) -> Result<(), String> {
        let config = Config { failure_persistence: None, ..Config::default() };
        let round: u64 = self.prefix.parse().unwrap();
        let mut runner = TestRunner::new_with_rng(config, rng(self.seed ^ round << 32));
        let mut draw = || vec(step(), STEPS).new_tree(&mut runner).unwrap().current();
        thread::scope(|scope| {
            let mut callers = Vec::new();
            for tenant in &self.tenants {
                for _ in 0..CALLERS {
                    let steps = draw();
                    callers.push(scope.spawn(move || self.call_all(tenant, &steps)));
                }
                let writes = draw();
                callers.push(scope.spawn(move || self.suspend_some(tenant, &writes)));
            }
            let readers = self.tenants.iter().map(|tenant| scope.spawn(|| self.read_on(tenant)));
            let readers: Vec<_> = readers.collect();
            let mut ended: Vec<_> =
                callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            self.is_over.store(true, Ordering::SeqCst);
            ended.extend(readers.into_iter().map(thread::ScopedJoinHandle::join));
            let panicked = |_| Err("a caller panicked; see above".to_owned());
            ended.into_iter().try_for_each(|it| it.unwrap_or_else(panicked))
        })
    }

    fn call_all(&self, tenant: &Tenant, steps: &[Step]) -> Result<(), String> {
        for step in steps.iter().filter(|step| step.operation != DAYS_PASS) {
            let members = step.members(&tenant.known.lock().unwrap().clone(), &self.prefix);
            if step.operation == ACCEPT_INVITE {
                // What becomes of it is seen in the user.
                let begin = tick();
                let accepted = accept_invite(tenant.client(), &members);
                self.note(begin, tenant, &format!("{} {members}: {accepted:?}", step.operation));
                continue;
            }
            let watched = tenant.watched.read().unwrap();
            let would_disturb = ["ActivateAccount", "DeleteAccount", "RestoreAccount"];
            if would_disturb.contains(&step.operation) {
                if watched.as_deref() != members["AccountId"].as_str() {
                    self.call(tenant, step.operation, &members)?;
                }
                continue;
            }
            drop(watched);
            self.call(tenant, step.operation, &members)?;
        }
        Ok(())
    }

    /// Suspends accounts, and holds that nothing changes in them until they are activated.
    fn suspend_some(&self, tenant: &Tenant, writes: &[Step]) -> Result<(), String> {
        for (number, writes) in writes.chunks(STEPS / SUSPENSIONS).enumerate() {
            let known = tenant.known.lock().unwrap().clone();
            let id = known[number % known.len()].0.clone();
            *tenant.watched.write().unwrap() = Some(id.clone());
            if self.call(tenant, "SuspendAccount", &json!({"AccountId": id}))?.status == 200 {
                let before = invariants::read_account(tenant.client(), &id);
                for step in writes {
                    self.call_in_vain(tenant, step, &id)?;
                }
                let after = invariants::read_account(tenant.client(), &id);
                if before != after {
                    return Err(format!("suspended, {id} changed from {before} to {after}"));
                }
                invariants::check_account(&after)?;
                self.call(tenant, "ActivateAccount", &json!({"AccountId": id}))?;
            }
            *tenant.watched.write().unwrap() = None;
        }
        Ok(())
    }

    /// Tries to change a suspended account.
    fn call_in_vain(&self, tenant: &Tenant, step: &Step, id: &str) -> Result<(), String> {
        let mut members = step.members(&tenant.known.lock().unwrap().clone(), &self.prefix);
        if !is_refused_on_suspended(step.operation) {
            return Ok(());
        }
        members["AccountId"] = json!(id);
        let answer = self.call(tenant, step.operation, &members)?;
        if answer.status < 400 || answer.error().0 != "ForbiddenException" {
            return Err(format!("{id} is suspended, and {} answers {answer:?}", step.operation));
        }
        Ok(())
    }

    /// Reads what each single answer must get right, until the callers are done.
    fn read_on(&self, tenant: &Tenant) -> Result<(), String> {
        while !self.is_over.load(Ordering::SeqCst) {
            let known = tenant.known.lock().unwrap().clone();
            for (id, _) in known {
                invariants::check_pages(tenant.client(), &id)?;
            }
            invariants::check_owners(tenant.client())?;
        }
        Ok(())
    }

    /// Makes a request, notes it, and learns whom it made.
    fn call(&self, tenant: &Tenant, operation: &str, members: &Value) -> Result<Answer, String> {
        let begin = tick();
        let answer = tenant.client().call(operation, members.clone());
        let outcome = match answer.status {
            0..300 => "success".to_owned(),
            _ => answer.error().0,
        };
        self.note(begin, tenant, &format!("{operation} {members}: {outcome}"));
        if is_write(operation) {
            let request_id = answer.header("x-amzn-requestid").unwrap().to_owned();
            let exception = (answer.status >= 300).then(|| answer.error().0);
            tenant.writes.lock().unwrap().insert(request_id, exception);
        }
        if answer.status >= 500 {
            return Err(format!("{operation} {members}: {answer:?}"));
        }
        if answer.status < 300 {
            tenant.learn(operation, members, &answer);
        }
        Ok(answer)
    }

    fn note(&self, begin: u64, tenant: &Tenant, what: &str) {
        let line = format!("{begin}-{} {} {what}", tick(), tenant.client().access_key_id);
        self.history.lock().unwrap().push(line);
    }
}

/// Tells whether an operation leaves an event.
fn is_write(operation: &str) -> bool {
    table().iter().any(|line| line.name == operation && line.access == Access::Write)
}

impl Tenant {
    /// Returns the client at the server whose turn it is.
    fn client(&self) -> &Client {
        &self.clients[self.calls.fetch_add(1, Ordering::Relaxed) % self.clients.len()]
    }

    /// Checks that the audit tells of each request, what became of it, and of no other.
    fn check_events(&self) -> Result<(), String> {
        let found = invariants::events(self.client())?;
        let writes = self.writes.lock().unwrap();
        if found == *writes {
            return Ok(());
        }
        Err(format!("the audit has {found:#?}, and the callers made {writes:#?}"))
    }

    fn learn(&self, operation: &str, members: &Value, answer: &Answer) {
        let users = match operation {
            "CreateAccount" => {
                let id = answer.json()["Account"]["AccountId"].as_str().unwrap().to_owned();
                self.known.lock().unwrap().push((id, Vec::new()));
                return;
            }
            "CreateUser" => vec![answer.json()["User"].clone()],
            "InviteUsers" => {
                let members = json!({"AccountId": members["AccountId"]});
                let answer = self.client().call("ListUsers", members);
                // Somebody may have deleted the account meanwhile.
                if answer.status >= 400 {
                    return;
                }
                answer.json()["Users"].as_array().unwrap().clone()
            }
            _ => return,
        };
        let mut known = self.known.lock().unwrap();
        let account = known.iter_mut().find(|(id, _)| members["AccountId"] == *id).unwrap();
        for user in users {
            let id = user["UserId"].as_str().unwrap().to_owned();
            if !account.1.contains(&id) {
                account.1.push(id);
            }
        }
    }
}

/// Returns a number greater than all before it, in every thread.
pub fn tick() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    TICKS.fetch_add(1, Ordering::SeqCst)
}
