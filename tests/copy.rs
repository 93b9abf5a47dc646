//! `campanile copy`: a whole store to another place, whatever happens on the way.

use crate::harness::process::{Ended, Process, campanile, run, serve, with_root};
use crate::harness::{Client, ROOT_ACCESS_KEY_ID, postgres};
use campanile::store::embedded::Embedded;
use campanile::store::{Access, Batch, Engine, KeyRange, Store};
use rand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The exit codes of the AWS CLI.
const USAGE: Option<i32> = Some(252);
const GENERAL: Option<i32> = Some(255);
/// How many copies are killed until two of them were under way, neither at their beginning nor done.
const KILLS_MAX: u32 = 50;
/// A table's number that no record has.
const NO_TABLE: u8 = 200;

/// A master key that no store of these tests was sealed under.
const MASTER_KEY: &str = "bm90aGluZyB3YXMgc2VhbGVkIHVuZGVyIHRoaXMga2U=";

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A folder with a store that a server has used, and stopped on.
struct Source {
    folder: TempDir,
    answers: Value,
    /// An access key of another AWS account, and a page token, as they were answered.
    key: Value,
    token: Value,
}

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(&folder.path().join("a"));
        let client = process.client();
        for name in ["One", "Two", "Three"] {
            let id = client.create_account(name);
            let emails = [format!("{name}@example.com")];
            client.ok("InviteUsers", json!({"AccountId": id, "UserEmailList": emails}));
        }
        client.ok("iam:CreateUser", json!({"UserName": "reporting"}));
        let key = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
        let key = key["AccessKey"].clone();
        let token = client.ok("ListAccounts", json!({"MaxResults": 1}))["NextToken"].clone();
        let answers = answers(&client);
        assert_eq!(process.stop().code, Some(0));
        Self { folder, answers, key, token }
    }

    /// Adds entries of which no server knows, so that there is much to copy.
    fn filled(self, entries: u32) -> Self {
        let engine = Embedded::open(&self.path("a")).unwrap();
        let mut batch = Batch::new();
        for number in 0..entries {
            let key = [&[NO_TABLE], number.to_be_bytes().as_slice()].concat();
            batch.insert(key, Some(vec![number.to_le_bytes()[0]; 100]));
        }
        engine.begin(Access::Write).unwrap().commit(&batch).unwrap();
        self
    }

    /// Asserts that a server on a copy knows all that was told to clients.
    fn assert_answered_by(&self, root: &Client) {
        assert_eq!(answers(root), self.answers);
        let rest = root.ok("ListAccounts", json!({"MaxResults": 1, "NextToken": self.token}));
        assert_eq!(rest["Accounts"][0], self.answers[2]["Accounts"][1]);
        let other = root.clone().with_key(&self.key);
        assert_eq!(other.ok("ListAccounts", json!({}))["Accounts"], json!([]));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn location(&self, name: &str) -> String {
        format!("embedded:{}", self.path(name).display())
    }

    /// The command line of a copy of `a` to another folder beside it.
    fn copy_to(&self, name: &str) -> Command {
        copy(&self.location("a"), &self.location(name))
    }
}

fn copy(from: &str, to: &str) -> Command {
    let mut command = campanile();
    command.args(["copy", "--from", from, "--to", to]);
    command
}

/// Returns what a server tells of all that it has.
fn answers(client: &Client) -> Value {
    let operations =
        ["ExportAccounts", "ExportUsers", "ListAccounts", "iam:ListUsers", "iam:ListAccessKeys"];
    operations.iter().map(|name| client.ok(name, json!({}))).collect()
}

fn entries(folder: &Path) -> Entries {
    let engine = Embedded::open(folder).unwrap();
    let range = KeyRange { start: Vec::new(), end: vec![255] };
    let found = engine.begin(Access::Read).unwrap().scan(&range, 1 << 20).unwrap();
    found.into_iter().collect()
}

/// Asserts that a copy was made; returns what stands behind each name that the command printed.
fn assert_copied(ended: &Ended) -> BTreeMap<String, String> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let words = |line: &str| {
        let (name, rest) = line.split_at(13);
        (name.trim().to_owned(), rest.to_owned())
    };
    let facts: BTreeMap<_, _> =
        ended.stdout.lines().filter(|line| !line.starts_with(' ')).map(words).collect();
    let digest = |name: &str| facts[name].split(' ').next().unwrap().to_owned();
    let source = digest("source");
    assert_eq!(source.len(), "sha256:".len() + 64, "{ended:?}");
    assert_eq!(source, digest("destination"), "{ended:?}");
    assert!(facts.contains_key("verified"), "{ended:?}");
    facts
}

fn assert_refused(command: &mut Command, code: Option<i32>, words: &[&str]) {
    let ended = run(command);
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_server_on_the_copy_answers_the_same() {
    let source = Source::new();
    let facts = assert_copied(&run(&mut source.copy_to("b")));
    assert_eq!(entries(&source.path("a")), entries(&source.path("b")));
    let count = format!("{} entries, ", entries(&source.path("a")).len());
    assert!(facts["copied"].starts_with(&count), "{facts:?}");
    assert_eq!(fs::metadata(source.path("b")).unwrap().mode() & 0o077, 0, "it holds secrets");

    let ended = run(with_root(&mut serve(&source.path("b"))));
    assert_eq!(ended.code, Some(1), "no key, no server: {ended:?}");
    // What the command said is to be done.
    let ended = run(&mut source.copy_to("b"));
    let line = ended.stdout.lines().find(|line| line.contains("cp -p ")).unwrap();
    assert!(Command::new("sh").args(["-c", line]).status().unwrap().success());
    let again = run(&mut source.copy_to("b"));
    assert!(again.stdout.contains("exists already"), "{again:?}");

    let process = Process::start(&source.path("b"));
    let root = process.client();
    source.assert_answered_by(&root);
    root.create_account("Four");
    assert_eq!(process.stop().code, Some(0));
    // From now on it is a store of its own.
    let went_on = entries(&source.path("b"));
    assert_refused(&mut source.copy_to("b"), GENERAL, &["holds something already"]);
    assert_eq!(entries(&source.path("b")), went_on);
    let process = Process::start(&source.path("a"));
    source.assert_answered_by(&process.client());
}

#[test]
fn a_copy_that_was_killed_goes_on_and_serves_nobody_before_its_end() {
    let seed: u64 = rand::random();
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
    let source = Source::new().filled(20_000);
    let (mut incomplete, mut rounds) = (0, 0..KILLS_MAX);
    while incomplete < 2 {
        let round = rounds.next().unwrap_or_else(|| panic!("seed {seed}: too few met a copy"));
        let name = format!("copy {round}");
        let mut command = source.copy_to(&name);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("copying: 0 entries"), "{line}");
        // How far it comes is chance.
        thread::sleep(Duration::from_micros(rng.random_range(0..300_000)));
        child.kill().unwrap();
        child.wait().unwrap();

        let key = source.path("a.key");
        fs::copy(&key, source.path(&format!("{name}.key"))).unwrap();
        let found = entries(&source.path(&name));
        let is_whole = found == entries(&source.path("a"));
        if !is_whole && !found.is_empty() {
            incomplete += 1;
            let words = ["a copy of another store that is not complete", "campanile copy"];
            let ended = run(with_root(&mut serve(&source.path(&name))));
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "seed {seed}");
            assert!(words.iter().all(|word| ended.stderr.contains(word)), "{ended:?}");
            assert_refused(
                campanile().args(["keys", "rotate-master", "--store", &source.location(&name)]),
                GENERAL,
                &words,
            );
            assert_refused(
                &mut copy(&source.location(&name), &source.location("elsewhere")),
                GENERAL,
                &words,
            );
            assert!(!source.path("elsewhere").exists());
            assert_eq!(entries(&source.path(&name)), found, "seed {seed}: nothing was changed");
        }
        let facts = assert_copied(&run(&mut source.copy_to(&name)));
        let is_earlier = facts["copied"].contains("by an earlier call");
        assert_eq!(is_earlier, !found.is_empty(), "seed {seed}: {facts:?}");
        assert_eq!(entries(&source.path("a")), entries(&source.path(&name)), "seed {seed}");
    }
    let process = Process::start(&source.path("copy 0"));
    source.assert_answered_by(&process.client());
}

#[test]
fn a_source_that_served_meanwhile_is_not_mixed_with_what_it_was() {
    let source = Source::new().filled(10_000);
    cut_off(&source.location("a"), &source.location("b"));
    let process = Process::start(&source.path("a"));
    process.client().create_account("Late");
    assert_eq!(process.stop().code, Some(0));
    let words = ["the source was changed", "remove the destination"];
    assert_refused(&mut source.copy_to("b"), GENERAL, &words);
    fs::remove_dir_all(source.path("b")).unwrap();
    assert_copied(&run(&mut source.copy_to("b")));
}

#[test]
fn a_copy_goes_to_a_database_and_back_and_is_the_same() {
    let Some(to) = database() else { return };
    let source = Source::new().filled(10_000);
    assert_refused(&mut copy(&to, &source.location("b")), GENERAL, &["there is no store in"]);
    let facts = assert_copied(&run(&mut copy(&source.location("a"), &to)));
    assert!(facts["master key"].contains("a.key"), "{facts:?}");
    let mut back = campanile();
    back.args(["copy", "--to", &source.location("b")]).env("CAMPANILE_COPY_FROM", &to);
    let facts_back = assert_copied(&run(&mut back));
    let digest = |facts: &BTreeMap<String, String>, name: &str| {
        facts[name].split(' ').next().map(str::to_owned)
    };
    assert_eq!(digest(&facts, "source"), digest(&facts_back, "destination"));
    assert!(facts_back["master key"].contains("which its servers were told"), "{facts_back:?}");
    assert_eq!(entries(&source.path("a")), entries(&source.path("b")));

    let key = fs::read_to_string(source.path("a.key")).unwrap();
    let process = Process::start_with(serve_on(&to).env("CAMPANILE_MASTER_KEY", key.trim_end()));
    source.assert_answered_by(&process.client());
    process.client().create_account("Four");
    assert_eq!(process.stop().code, Some(0));
    let words = ["holds something already"];
    assert_refused(&mut copy(&source.location("a"), &to), GENERAL, &words);
    assert_refused(&mut copy(&to, &to), USAGE, &["both a database"]);
}

#[test]
fn a_copy_to_a_database_goes_on_and_no_server_starts_on_a_part_of_it() {
    let Some(to) = database() else { return };
    let source = Source::new().filled(10_000);
    cut_off(&source.location("a"), &to);
    let ended = run(with_root(&mut serve_on(&to)).env("CAMPANILE_MASTER_KEY", MASTER_KEY));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("a copy of another store that is not complete"), "{ended:?}");
    let other = Source::new();
    let words = ["begun from another source"];
    assert_refused(&mut copy(&other.location("a"), &to), GENERAL, &words);
    assert_refused(&mut copy(&to, &source.location("b")), GENERAL, &["that is not complete"]);
    let facts = assert_copied(&run(&mut copy(&source.location("a"), &to)));
    assert!(facts["copied"].contains("by an earlier call"), "{facts:?}");
    // And back, as far as the first commit, and then to the end.
    cut_off(&to, &source.location("b"));
    assert_copied(&run(&mut copy(&to, &source.location("b"))));
    assert_eq!(entries(&source.path("a")), entries(&source.path("b")));
}

#[test]
fn the_password_of_a_database_is_not_told() {
    let source = Source::new();
    let urls = [
        ("postgres://campanile:s3cret-s3cret@127.0.0.1:1/db", GENERAL, "campanile@127.0.0.1:1/db"),
        (
            "postgres://campanile:s3cret-s3cret@localhost/db?sslmode=some",
            USAGE,
            "--from (CAMPANILE_COPY_FROM): sslmode is 'some'",
        ),
        ("postgres://campanile:s3cret-s3cret@localhost:port/db", USAGE, "port"),
    ];
    for (url, code, word) in urls {
        let ended = run(&mut copy(url, &source.location("b")));
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
        assert!(ended.stderr.contains(word) && !ended.stderr.contains("s3cret"), "{ended:?}");
    }
    let ended = run(&mut serve_on(urls[1].0));
    let told = "--store (CAMPANILE_STORE): sslmode is 'some'";
    assert!(ended.stderr.contains(told) && !ended.stderr.contains("s3cret"), "{ended:?}");
    let Some(to) = database() else { return };
    // Whoever trusts takes any password.
    let to = to.replacen('@', ":s3cret-s3cret@", 1);
    let ended = run(&mut copy(&source.location("a"), &to));
    assert_copied(&ended);
    assert!(!ended.stdout.contains("s3cret") && !ended.stderr.contains("s3cret"), "{ended:?}");
}

/// Returns the URL of an empty schema, where the tests run beside a database.
fn database() -> Option<String> {
    std::env::var_os("TEST_POSTGRES_URL").map(|_| postgres::url())
}

fn serve_on(store: &str) -> Command {
    let mut command = campanile();
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", store]);
    with_root(&mut command);
    command
}

/// Copies as far as the first commit.
fn cut_off(from: &str, to: &str) {
    let open = |location: &str| Store::open(&location.parse().unwrap()).unwrap();
    let (from, to) = (open(from), open(to));
    let cut_off = catch_unwind(AssertUnwindSafe(|| {
        from.copy_to(&to, &mut |progress| assert_eq!(progress.entries, 0, "after a commit"))
    }));
    assert!(cut_off.is_err());
}

#[test]
fn what_cannot_be_is_refused_and_made_nowhere() {
    let source = Source::new();
    let (a, b) = (source.location("a"), source.location("b"));
    let a = a.as_str();
    let usage = |from: &str, to: &str, words: &[&str]| {
        assert_refused(&mut copy(from, to), USAGE, words);
    };
    usage("memory:", &b, &["--from is memory:"]);
    usage(a, "memory:", &["--to is memory:"]);
    usage(a, a, &["the same folder"]);
    usage(a, &format!("embedded:{}/../a/.", source.path("a").display()), &["the same folder"]);
    std::os::unix::fs::symlink(source.path("a"), source.path("link")).unwrap();
    usage(a, &source.location("link"), &["the same folder"]);
    usage(a, &source.location("link/new"), &["inside the other"]);
    usage(a, "nowhere", &["embedded:PATH"]);
    assert_refused(campanile().args(["copy", "--from", a]), USAGE, &["--to"]);

    let general = |from: &str, to: &str, words: &[&str]| {
        assert_refused(&mut copy(from, to), GENERAL, words);
    };
    general(&source.location("none"), &b, &["--from", "there is no store in", "none"]);
    fs::create_dir(source.path("empty")).unwrap();
    general(&source.location("empty"), &b, &["there is no store in"]);
    assert!(!source.path("none").exists() && !source.path("b").exists());
    assert_eq!(fs::read_dir(source.path("empty")).unwrap().count(), 0);
    drop(Embedded::open(&source.path("unused")).unwrap());
    general(&source.location("unused"), &b, &["no server was ever started"]);

    fs::create_dir(source.path("letters")).unwrap();
    fs::write(source.path("letters/letter.txt"), "Dear").unwrap();
    general(a, &source.location("letters"), &["letter.txt"]);
    let other = Process::start(&source.path("other"));
    general(a, &source.location("other"), &["--to", "another Campanile server is using"]);
    general(&source.location("other"), &b, &["--from", "another Campanile server is using"]);
    other.stop();
    let before = entries(&source.path("other"));
    general(a, &source.location("other"), &["holds something already"]);
    assert_eq!(entries(&source.path("other")), before);
}

#[test]
fn the_help_says_what_to_know_before() {
    let ended = run(campanile().args(["copy", "--help"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for word in ["--from", "--to", "embedded:PATH", "stopped", "goes on where it", "master key"] {
        assert!(ended.stdout.contains(word), "no '{word}' in {ended:?}");
    }
    assert!(!ended.stdout.contains(ROOT_ACCESS_KEY_ID));
}
