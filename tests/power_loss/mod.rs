//! The power goes, at any moment: what was acknowledged is there when it is back.
//!
//! A server runs under strace while clients change accounts. From what it did to its folder and
//! when it answered, a simulated disk makes the folders that a power loss could leave, at many
//! moments and with many fates of what was not synced. Each is opened and compared with what had
//! been acknowledged at that moment.

mod disk;
mod trace;

use crate::harness::process::{self, Process, isolated, serve, serve_arguments, with_root};
use crate::harness::workload::{Found, Ledger, Plan, State, Stopped, number_in, work};
use crate::harness::{Client, entries};
use campanile::access::{Deployment, RootSettings};
use campanile::clock::Clock;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::audit::AuditEventRecord;
use campanile::server::MasterKeySource;
use campanile::store::embedded::Embedded;
use campanile::store::{self, Engine, Key, Location, Page, Store, Table};
use disk::{Disk, Event, Fate, Inode, Model};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread;
use tempfile::TempDir;
use trace::Recording;

/// At how many moments the power goes in each run; `POWER_LOSS_CUTS` in the environment says more.
const CUTS: usize = 30;
const CLIENTS: u64 = 8;
/// How many operations each client of the long run does, unless `POWER_LOSS_OPERATIONS` says.
const OPERATIONS: usize = 500;
const SEED: u64 = 20_181_220;
/// A character of four bytes, so that few accounts fill much of the engine's memory.
const FILLING: char = '\u{1d11e}';

/// What a server did to its disk, and what its clients know of it.
#[derive(Clone)]
struct Story {
    /// The disk before the first event.
    disk: Disk,
    /// What was acknowledged before the first event.
    acknowledged: Acknowledged,
    events: Vec<Event>,
    ledger: Ledger,
    /// How many changes of each account were recorded before the first event.
    recorded: BTreeMap<u64, usize>,
    root: Credential,
}

#[derive(Clone, Debug)]
struct Credential {
    access_key_id: String,
    secret_access_key: String,
}

/// A first start, and a start on what it left, with enough accounts that the engine tidies up.
static STORY: LazyLock<Story> = LazyLock::new(|| {
    let folder = scratch();
    let disk = Disk::of(model(), folder.path());
    let mut recording = Recording::of(folder.path());
    let plan = Plan { client: 0, operations: 40, seed: SEED, filling: None };
    let (mut ledger, root) = run(&mut recording, folder.path(), None, &plan);
    let plan = Plan {
        client: CLIENTS,
        operations: setting("POWER_LOSS_OPERATIONS").unwrap_or(OPERATIONS),
        filling: Some(FILLING),
        ..plan
    };
    let (more, root) = run(&mut recording, folder.path(), Some(root), &plan);
    ledger.merge(more);
    let acknowledged = Acknowledged::default();
    let recorded = BTreeMap::new();
    Story { disk, acknowledged, events: recording.events, ledger, recorded, root }
});

/// What the disk promises of names: the least, unless `POWER_LOSS_MODEL` is `journal`.
fn model() -> Model {
    #[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
    match std::env::var("POWER_LOSS_MODEL").as_deref() {
        Ok("journal") => Model::Journal,
        _ => Model::Posix,
    }
}

fn setting(name: &str) -> Option<usize> {
    #[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Runs a server under strace over `root/data`, lets clients work on it, and stops it.
fn run(
    recording: &mut Recording,
    folder: &Path,
    root: Option<Credential>,
    plan: &Plan,
) -> (Ledger, Credential) {
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut command = isolated(trace::strace(output.path()));
    command.arg(env!("CARGO_BIN_EXE_campanile")).args(serve_arguments(&folder.join("data")));
    command.args(["--log-level", "error"]);
    let process = Process::start_with(&mut command).of_tracer();
    let root = root.unwrap_or_else(|| printed_root(&process.printed));
    let client = Client {
        access_key_id: root.access_key_id.clone(),
        secret_access_key: root.secret_access_key.clone(),
        ..process.client()
    };
    let mut ledger = Ledger::default();
    thread::scope(|scope| {
        let work = |number| {
            let plan = Plan { client: plan.client + number, ..plan.clone() };
            work(&client, &plan, || {})
        };
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || work(number))).collect();
        for client in clients {
            let (done, stopped) = client.join().unwrap();
            assert!(matches!(stopped, Stopped::Done), "{stopped:?}");
            ledger.merge(done);
        }
    });
    let ended = process.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    recording.add_run(output.path());
    (ledger, root)
}

fn printed_root(printed: &str) -> Credential {
    let value = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {printed}")).to_owned()
    };
    Credential {
        access_key_id: value("export AWS_ACCESS_KEY_ID="),
        secret_access_key: value("export AWS_SECRET_ACCESS_KEY="),
    }
}

/// What of a story had been acknowledged at some moment.
#[derive(Clone, Default)]
struct Acknowledged {
    states: BTreeMap<u64, usize>,
    /// The requests that were answered.
    requests: BTreeSet<String>,
    /// Whether the server had said that it listens.
    started: bool,
}

impl Story {
    /// Lets the power go at some moments; answers what was wrong.
    fn cut(&self, cuts: &[usize], fates: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        self.walk(cuts, |events, disk, acknowledged| {
            for fate in 0..fates {
                let folder = scratch();
                disk.write_to(folder.path(), &mut fate_number(fate, events));
                if let Err(error) = self.check(folder.path(), acknowledged) {
                    wrong.push(format!(
                        "after event {events}, fate {fate}: {error}. What came before:\n{}\
                         Names that were not synced:\n{}",
                        trace::describe(&self.events[..events]),
                        disk.uncertain()
                    ));
                }
            }
        });
        wrong
    }

    /// Visits the state of the disk, and what had been acknowledged, at some moments.
    fn walk(&self, cuts: &[usize], mut visit: impl FnMut(usize, &Disk, &Acknowledged)) {
        let answers: HashMap<_, _> = self
            .ledger
            .acknowledged
            .iter()
            .map(|answer| (answer.request_id.as_str(), answer))
            .collect();
        let mut acknowledged = self.acknowledged.clone();
        let mut disk = self.disk.clone();
        let mut cuts = cuts.iter().copied().peekable();
        for place in 0..=self.events.len() {
            if cuts.next_if_eq(&place).is_some() {
                visit(place, &disk, &acknowledged);
            }
            let Some(event) = self.events.get(place) else { break };
            disk.apply(event);
            if let Event::Tell(told) = event {
                acknowledged.started |= told == "listening";
                if let Some(answer) = answers.get(told.as_str()) {
                    acknowledged.states.insert(answer.account, answer.states);
                    acknowledged.requests.insert(told.clone());
                }
            }
        }
    }

    /// Compares what opening a folder finds with what had been acknowledged.
    fn check(&self, folder: &Path, acknowledged: &Acknowledged) -> Result<(), String> {
        let opened = catch_unwind(AssertUnwindSafe(|| read_folder(&folder.join("data"))));
        let (found, root, audit) = opened
            .map_err(|panic| format!("it panicked: {:?}", panic.downcast_ref::<String>()))?
            .map_err(|error| error.to_string())?;
        if acknowledged.started && root.as_ref() != Some(&self.root.access_key_id) {
            return Err(format!("the root is {root:?}, and {:?} was printed", self.root));
        }
        self.ledger.check(&acknowledged.states, &found)?;
        self.check_audit(acknowledged, &found, &audit)
    }

    /// Compares the audit with what else a folder holds: each answered request has its event, and
    /// each account as many as it has changed.
    fn check_audit(
        &self,
        acknowledged: &Acknowledged,
        found: &Found,
        audit: &Audit,
    ) -> Result<(), String> {
        if let Some(request) = acknowledged.requests.difference(&audit.requests).next() {
            return Err(format!("{request} was answered, and has no event"));
        }
        let changes = found.iter().map(|(account, state)| {
            let place = self.ledger.states[account].iter().position(|it| it == state).unwrap();
            let before = self.recorded.get(account);
            // What a story begins with was recorded before.
            (*account, before.map_or(place + 1, |before| before + place))
        });
        let changes: BTreeMap<u64, usize> = changes.collect();
        if changes == audit.changes {
            return Ok(());
        }
        let other = |account: &&u64| changes.get(*account) != audit.changes.get(*account);
        let account = changes.keys().chain(audit.changes.keys()).find(other).unwrap();
        Err(format!(
            "account {account} has changed {:?} times, and has {:?} events",
            changes.get(account),
            audit.changes.get(account)
        ))
    }

    /// Chooses moments: half of them around changes of names, lengths and syncs of folders, which
    /// are few and delicate, half anywhere.
    fn choose_cuts(&self, count: usize, from: usize, seed: u64) -> Vec<usize> {
        let mut rng = StdRng::seed_from_u64(seed);
        let folders = self.folders();
        let delicate = |event: &Event| match event {
            Event::Make { .. }
            | Event::Rename { .. }
            | Event::Remove { .. }
            | Event::Resize { .. } => true,
            Event::Sync { inode, .. } => folders.contains(inode),
            Event::Write { .. } | Event::Tell(_) => false,
        };
        let (mut rare, mut common) = (Vec::new(), Vec::new());
        for place in from..=self.events.len() {
            // Between two acknowledgements nothing new can be on the disk.
            match self.events.get(place) {
                Some(Event::Tell(_)) => {}
                Some(event)
                    if delicate(event) || place > 0 && delicate(&self.events[place - 1]) =>
                {
                    rare.push(place);
                }
                _ => common.push(place),
            }
        }
        rare.shuffle(&mut rng);
        common.shuffle(&mut rng);
        rare.truncate(count / 2);
        common.truncate(count - rare.len());
        rare.extend(common);
        rare.sort_unstable();
        rare
    }

    /// Returns the folders that there were at any time.
    fn folders(&self) -> BTreeSet<Inode> {
        let mut folders = self.disk.folders().clone();
        folders.extend(self.events.iter().filter_map(|event| match event {
            Event::Make { inode, is_folder: true, .. } => Some(*inode),
            _ => None,
        }));
        folders
    }

    /// Returns the moment at which the server first said that it listens.
    fn start(&self) -> usize {
        self.events.iter().position(is_start).unwrap() + 1
    }

    /// Tells whether the engine did more than to add to what it had: whether it began new files,
    /// and took old ones away, while clients worked.
    fn tidies_up(&self) -> bool {
        let last_start = self.events.iter().rposition(is_start).unwrap();
        let later = &self.events[last_start..];
        later.iter().any(|event| matches!(event, Event::Make { .. }))
            && later.iter().any(|event| matches!(event, Event::Remove { .. }))
    }
}

fn is_start(event: &Event) -> bool {
    matches!(event, Event::Tell(told) if told == "listening")
}

/// Nothing of what was not synced is there, or all of it; or chance decides, always the same.
fn fate_number(number: usize, events: usize) -> Fate {
    match number {
        0 => Fate::Lost,
        1 => Fate::Kept,
        _ => Fate::Chance(Box::new(StdRng::seed_from_u64((events * 1000 + number) as u64))),
    }
}

/// What a folder's events tell.
#[derive(Debug, Default)]
struct Audit {
    requests: BTreeSet<String>,
    /// How many events of a success each account has.
    changes: BTreeMap<u64, usize>,
}

/// Opens a folder, and returns its accounts, its root if it had one, and what its events tell.
fn read_folder(folder: &Path) -> store::Result<(Found, Option<String>, Audit)> {
    let engine: Arc<dyn Engine> = Arc::new(Embedded::open(folder)?);
    entries::check(&engine).map_err(store::Error::Corrupt)?;
    let store = Store::over(engine);
    let records: Page<AccountRecord> =
        store.read_blocking(|tx| tx.page(&Key::of(Table::Accounts), None, 10_000_000))?;
    let mut found = Found::new();
    let mut numbers = BTreeMap::new();
    for record in &records.items {
        numbers.insert(record.account_id.clone(), number_in(&record.name));
        let state = match record.deleted_timestamp {
            Some(_) => State::Deleted,
            None => State::Named(record.name.clone()),
        };
        assert_eq!(found.insert(number_in(&record.name), state), None, "{} twice", record.name);
    }
    let key = MasterKeySource::of(&Location::Embedded(folder.to_owned())).unwrap().find(&store);
    let key = key.map_err(|error| store::Error::Unavailable(error.to_string()))?.key;
    let events: Page<AuditEventRecord> =
        store.read_blocking(|tx| tx.page(&Key::of(Table::AuditEvents), None, 10_000_000))?;
    let mut audit = Audit::default();
    for event in &events.items {
        assert_eq!(event.error_code, None, "{event:?}");
        *audit.changes.entry(numbers[&account_id_in(event)]).or_default() += 1;
        assert!(audit.requests.insert(event.request_id.clone()), "{event:?}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let opening = Deployment::open(&store, RootSettings::default(), key, Clock::system().now());
    let deployment = runtime.block_on(opening)?;
    let root = (!deployment.root_is_new).then_some(deployment.root_access_key_id);
    Ok((found, root, audit))
}

/// Returns the account that a change was about.
fn account_id_in(event: &AuditEventRecord) -> String {
    let parsed = |elements: &Option<Box<RawValue>>| {
        elements.as_ref().map(|it| serde_json::from_str::<Value>(it.get()).unwrap())
    };
    let parameters = parsed(&event.request_parameters).unwrap_or_default();
    let elements = parsed(&event.response_elements).unwrap_or_default();
    let ids = [&parameters["accountId"], &elements["account"]["accountId"]];
    ids.iter().find_map(|id| id.as_str()).unwrap().to_owned()
}

/// Makes a folder for what a simulated disk holds. Nobody wants it synced to a real one.
fn scratch() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() }.unwrap()
}

fn assert_nothing_wrong(wrong: &[String]) {
    let count = wrong.len();
    let first = wrong.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{count} power losses lost something. The first:\n{first}");
}

#[test]
fn what_was_acknowledged_outlives_a_power_loss() {
    assert!(STORY.tidies_up(), "so few operations do not show all that the engine does");
    let cuts = setting("POWER_LOSS_CUTS").unwrap_or(CUTS);
    assert_nothing_wrong(&STORY.cut(&STORY.choose_cuts(cuts, 0, SEED), 3));
}

/// Proves that the test above can fail: the same story with one kind of sync taken out of it.
#[test]
fn a_sync_that_is_forgotten_is_found() {
    let folders = STORY.folders();
    for of_folders in [false, true] {
        let forget = |event: &Event| match event {
            Event::Sync { inode, .. } if folders.contains(inode) == of_folders => {
                Event::Tell(String::new())
            }
            event => event.clone(),
        };
        let events = STORY.events.iter().map(forget).collect();
        let disk = STORY.disk.clone().promising(Model::Posix);
        let forgetful = Story { disk, events, ..STORY.clone() };
        assert!(!forgetful.cut(&[STORY.start()], 1).is_empty(), "of folders: {of_folders}");
    }
}

/// Proves the same of an answer that leaves before the first sync that it can have waited for.
#[test]
fn an_answer_that_leaves_too_early_is_found() {
    let answers: BTreeSet<_> =
        STORY.ledger.acknowledged.iter().map(|answer| answer.request_id.as_str()).collect();
    let answered = |event: &Event| matches!(event, Event::Tell(told) if answers.contains(&**told));
    let mut story = STORY.clone();
    let answer = story.events.iter().position(answered).unwrap();
    let is_sync = |event: &Event| matches!(event, Event::Sync { .. });
    let start = story.start();
    let sync = start + story.events[start..answer].iter().position(is_sync).unwrap();
    let early = story.events.remove(answer);
    story.events.insert(sync, early);
    assert_eq!(story.cut(&[sync], 1).len(), 0);
    assert_eq!(story.cut(&[sync + 1], 1).len(), 1);
}

/// While the master key is exchanged, the old one opens the store or the new one does, wherever they
/// are by then; and what was sealed opens.
#[test]
fn a_master_key_is_never_lost() {
    let folder = scratch();
    let data = folder.path().join("data");
    let process = Process::start_with(&mut serve(&data));
    let root = printed_root(&process.printed);
    assert_eq!(process.stop().code, Some(0));
    let before = Disk::of(Model::Posix, folder.path());
    let mut recording = Recording::of(folder.path());
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut command = isolated(trace::strace(output.path()));
    command.arg(env!("CARGO_BIN_EXE_campanile")).args(["keys", "rotate-master", "--store"]);
    let ended = process::run(command.arg(format!("embedded:{}", data.display())));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    recording.add_run(output.path());
    let acknowledged = Acknowledged { started: true, ..Acknowledged::default() };
    let (events, ledger) = (recording.events, Ledger::default());
    let recorded = BTreeMap::new();
    let story = Story { disk: before, acknowledged, events, ledger, recorded, root };
    let cuts: Vec<_> = (0..=story.events.len()).collect();
    assert_nothing_wrong(&story.cut(&cuts, 3));

    // Proves that this can fail: without the sync of the key, or that of its name.
    let made = story.events.iter().position(
        |event| matches!(event, Event::Make { name, .. } if name.starts_with(".campanile-key-")),
    );
    let made = made.unwrap();
    let Event::Make { inode: key, .. } = story.events[made] else { unreachable!() };
    let renamed = story
        .events
        .iter()
        .position(|event| matches!(event, Event::Rename { to_name, .. } if to_name == "data.key"));
    for synced in [key, disk::ROOT] {
        let is_sync =
            |event: &Event| matches!(event, Event::Sync { inode, .. } if *inode == synced);
        let sync = made + story.events[made..].iter().position(is_sync).unwrap();
        let mut forgetful = story.clone();
        forgetful.events[sync] = Event::Tell(String::new());
        assert!(
            !forgetful.cut(&[renamed.unwrap()], 1).is_empty(),
            "the sync of {synced} is not missed"
        );
    }
}

/// While the first start on an older store seals its secrets and writes all of its files anew, too.
#[test]
fn an_older_store_outlives_its_first_start() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| fs::read(fixtures.join(name)).unwrap();
    let answers: Value = serde_json::from_slice(&read("0.2.0-stopped.json")).unwrap();
    let (folder, packed) = (scratch(), read("0.2.0-stopped.tar.gz"));
    tar::Archive::new(flate2::read::GzDecoder::new(&packed[..])).unpack(folder.path()).unwrap();
    let disk = Disk::of(model(), folder.path());
    let mut recording = Recording::of(folder.path());
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut command = isolated(trace::strace(output.path()));
    command.arg(env!("CARGO_BIN_EXE_campanile")).args(serve_arguments(&folder.path().join("data")));
    let process = Process::start_with(with_root(&mut command)).of_tracer();
    assert_eq!(process.stop().code, Some(0));
    recording.add_run(output.path());
    let (acknowledged, ledger) = (Acknowledged::default(), Ledger::default());
    let root = Credential { access_key_id: String::new(), secret_access_key: String::new() };
    let recorded = BTreeMap::new();
    let events = recording.events;
    let story = Story { disk, acknowledged, events, ledger, recorded, root };
    let cuts = story.choose_cuts(CUTS, 0, SEED + 3);
    story.walk(&cuts, |events, disk, _| {
        for fate in 0..3 {
            let folder = scratch();
            disk.write_to(folder.path(), &mut fate_number(fate, events));
            let process = Process::start_with(with_root(&mut serve(&folder.path().join("data"))));
            let client = process.client();
            assert_eq!(client.ok("ExportUsers", json!({})), answers["ExportUsers"], "{events}");
            client.with_key(&answers["AccessKey"]).ok("ListAccounts", json!({}));
        }
    });
}

/// Proves the same of a change that lacks its event, and of an event that lacks its change.
#[test]
fn a_change_without_its_event_is_found() {
    STORY.walk(&[STORY.events.len()], |_, disk, acknowledged| {
        let folder = scratch();
        disk.write_to(folder.path(), &mut fate_number(1, 0));
        let (found, _, mut audit) = read_folder(&folder.path().join("data")).unwrap();
        STORY.check_audit(acknowledged, &found, &audit).unwrap();
        *audit.changes.values_mut().next().unwrap() += 1;
        assert!(STORY.check_audit(acknowledged, &found, &audit).is_err());
        *audit.changes.values_mut().next().unwrap() -= 1;
        audit.requests.pop_first();
        assert!(STORY.check_audit(acknowledged, &found, &audit).is_err());
    });
}

#[test]
fn what_was_found_after_a_power_loss_outlives_another() {
    let cuts = setting("POWER_LOSS_CUTS").unwrap_or(CUTS);
    let first_cuts = STORY.choose_cuts(2, STORY.start(), SEED + 1);
    STORY.walk(&first_cuts, |events, disk, acknowledged| {
        let folder = scratch();
        disk.write_to(folder.path(), &mut fate_number(2, events));
        let before = Disk::of(model(), folder.path());
        let mut recording = Recording::of(folder.path());
        let (found, root, audit) = {
            let copy = scratch();
            disk.write_to(copy.path(), &mut fate_number(2, events));
            read_folder(&copy.path().join("data")).unwrap()
        };
        STORY.ledger.check(&acknowledged.states, &found).unwrap();
        assert_eq!(root.as_ref(), Some(&STORY.root.access_key_id));
        let root = Some(STORY.root.clone());
        let plan = Plan { client: 1000, operations: 4, seed: SEED, filling: None };
        let (done, root) = run(&mut recording, folder.path(), root, &plan);
        let states = found.keys().map(|&account| (account, 1)).collect();
        let requests = audit.requests;
        let acknowledged = Acknowledged { states, requests, started: true };
        let mut ledger = Ledger::of(found);
        ledger.merge(done);
        let (events, recorded) = (recording.events, audit.changes);
        let story = Story { disk: before, acknowledged, events, ledger, recorded, root };
        let cuts = story.choose_cuts(cuts / 3, 0, SEED + 2);
        assert_nothing_wrong(&story.cut(&cuts, 3));
    });
}
