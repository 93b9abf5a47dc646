//! Secrets at rest: none can be read in the data folder, and nobody opens them without the master key.

use crate::harness::process::{Ended, Process, campanile, run, serve, with_root};
use crate::harness::{Client, kept};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use campanile::access::{Deployment, RootSettings};
use campanile::clock::Clock;
use campanile::server::MasterKeySource;
use campanile::store::embedded::Embedded;
use campanile::store::{Access, Engine, Key, KeyRange, Location, Store, Table};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How the engine's log is cut: the content of a sector, and its checksum.
const SECTOR_BYTES: usize = 512;
const BODY_BYTES: usize = 504;
const GENERAL: Option<i32> = Some(255);

/// A data folder with a stored root and an access key, and the key to both.
struct Place {
    folder: TempDir,
    root: (String, String),
    access_key: (String, String),
    /// What the first start printed.
    printed: String,
}

impl Place {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// Makes a folder by a server that was started in some way.
    fn with(change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = serve(&folder.path().join("data"));
        change(&mut command);
        let process = Process::start_with(&mut command);
        let value = |name: &str| {
            let line = process.printed.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().to_owned()
        };
        let root = (value("export AWS_ACCESS_KEY_ID="), value("export AWS_SECRET_ACCESS_KEY="));
        let client = client(&process, &root);
        let made = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
        let value = |name: &str| made["AccessKey"][name].as_str().unwrap().to_owned();
        let access_key = (value("AccessKeyId"), value("SecretAccessKey"));
        let printed = process.printed.clone();
        let place = Self { folder, root, access_key, printed };
        place.check_serves(&process);
        assert_eq!(found(&place.data(), &place.secrets()), Vec::<String>::new(), "running");
        assert_eq!(process.stop().code, Some(0));
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("data.key")
    }

    fn new_key_file(&self) -> PathBuf {
        self.folder.path().join("data.key.new")
    }

    fn key(&self) -> String {
        let key = fs::read_to_string(self.key_file()).unwrap().trim_end().to_owned();
        // Tests write into the file what is no key.
        if key.len() == 44 {
            kept::note_secret("MasterKey", &key);
        }
        key
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.root.1.clone(), self.access_key.1.clone()]
    }

    /// Checks that a server opens what is sealed in the folder.
    fn check_serves(&self, process: &Process) {
        for key in [&self.root, &self.access_key] {
            client(process, key).ok("ListAccounts", json!({}));
        }
    }

    /// Checks that the folder opens as it is.
    fn check_opens(&self) {
        self.check_opens_with(&mut serve(&self.data()));
    }

    fn check_opens_with(&self, command: &mut Command) {
        let process = Process::start_with(command);
        self.check_serves(&process);
        assert_eq!(process.printed, "", "nothing is made");
        let ended = process.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Checks that a server is refused the folder, in these words, and that nothing came of it.
    fn refused(&self, command: &mut Command, words: &[&str]) {
        let before = names(self.folder.path());
        let ended = run(command);
        assert_told(&ended, Some(1), words);
        let shown = self.secrets().into_iter().chain([self.key()]);
        for secret in shown.filter(|it| !it.is_empty()) {
            assert!(!ended.stderr.contains(&secret), "{ended:?}");
        }
        assert_eq!(names(self.folder.path()), before);
    }

    fn rotate(&self) -> Ended {
        run(&mut rotate(&self.data()))
    }
}

fn client(process: &Process, (access_key_id, secret_access_key): &(String, String)) -> Client {
    let (access_key_id, secret_access_key) = (access_key_id.clone(), secret_access_key.clone());
    Client { access_key_id, secret_access_key, ..process.client() }
}

fn rotate(data: &Path) -> Command {
    let mut command = campanile();
    command.args(["keys", "rotate-master", "--store", &format!("embedded:{}", data.display())]);
    command
}

fn assert_told(ended: &Ended, code: Option<i32>, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

/// Some key, as `openssl rand -base64 32` prints one.
fn some_key(byte: u8) -> String {
    BASE64_STANDARD.encode([byte; 32])
}

/// Returns which of some texts can be read in the files of a folder: as they are, in base64, or as
/// what they are base64 of.
fn found(folder: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path, texts));
            continue;
        }
        // A server that runs may have taken it away by now.
        let Ok(bytes) = fs::read(&path) else { continue };
        // In the log, a text can lie over the end of a sector.
        let bodies: Vec<u8> = bytes
            .chunks(SECTOR_BYTES)
            .flat_map(|it| &it[..it.len().min(BODY_BYTES)])
            .copied()
            .collect();
        for text in texts {
            let encoded = BASE64_STANDARD.encode(text).into_bytes();
            let forms =
                [Some(text.clone().into_bytes()), Some(encoded), BASE64_STANDARD.decode(text).ok()];
            for form in forms.into_iter().flatten() {
                if [&bytes, &bodies].iter().any(|it| holds(it, &form)) {
                    found.push(format!("{} has {text}", path.display()));
                }
            }
        }
    }
    found
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    let first = |bytes: &[u8]| bytes.iter().position(|byte| *byte == text[0]);
    let mut rest = bytes;
    while let Some(at) = first(rest) {
        rest = &rest[at..];
        if rest.starts_with(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[test]
fn the_first_start_makes_a_key_that_only_its_owner_can_read() {
    let place = Place::new();
    assert_eq!(names(place.folder.path()), ["data", "data.key"]);
    assert_eq!(mode(&place.key_file()), 0o600);
    let text = fs::read_to_string(place.key_file()).unwrap();
    assert!(text.ends_with('\n') && BASE64_STANDARD.decode(text.trim_end()).unwrap().len() == 32);
    for words in [place.key_file().to_str().unwrap(), "Back it up"] {
        assert!(place.printed.contains(words), "{}", place.printed);
    }
    assert!(!place.printed.contains(text.trim_end()));
    place.check_opens();
    assert_eq!(fs::read_to_string(place.key_file()).unwrap(), text);
    assert_ne!(Place::new().key(), place.key());
}

#[test]
fn no_secret_can_be_read_in_the_folder() {
    let place = Place::new();
    let location = Location::Embedded(place.data());
    let store = Store::open(&location).unwrap();
    let key = MasterKeySource::of(&location).unwrap().find(&store).unwrap().key;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let open = Deployment::open(&store, RootSettings::default(), key, Clock::system().now());
    let deployment = runtime.block_on(open).unwrap();
    assert_eq!(deployment.root_secret_access_key.expose(), place.root.1);
    drop(store);
    let mut secrets = place.secrets();
    kept::note_secret("TokenSecret", deployment.token_secret.expose());
    secrets.extend([deployment.token_secret.expose().to_owned(), place.key()]);
    assert_eq!(found(&place.data(), &secrets), Vec::<String>::new());
    // What is no secret is found, so that what is one would be.
    for id in [&place.root.0, &place.access_key.0] {
        assert!(!found(&place.data(), std::slice::from_ref(id)).is_empty());
    }
}

/// Not even at the level that tells the most.
#[test]
fn no_secret_is_logged() {
    let place = Place::new();
    let mut command = serve(&place.data());
    let process = Process::start_with(command.args(["--log-level", "trace"]));
    let made = client(&process, &place.root)
        .ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let secret = made["AccessKey"]["SecretAccessKey"].as_str().unwrap().to_owned();
    process.client().error("ListAccounts", json!({}));
    let ended = process.stop();
    assert!(ended.stderr.contains("UnrecognizedClientException"), "{ended:?}");
    for secret in place.secrets().into_iter().chain([secret, place.key()]) {
        assert!(!ended.stderr.contains(&secret) && !ended.stdout.contains(&secret), "{ended:?}");
    }
}

#[test]
fn a_key_that_is_not_the_stores_is_refused() {
    let place = Place::new();
    let (data, key_file) = (place.data(), place.key_file());
    let path = key_file.to_str().unwrap();
    let settings = ["--master-key-file", "CAMPANILE_MASTER_KEY_FILE", "CAMPANILE_MASTER_KEY"];
    let key = place.key();

    write_private(&key_file, &format!("{}\n", some_key(1)));
    let sealed = "sealed with another master key than the one in";
    place.refused(&mut serve(&data), &[&[sealed, path][..], &settings].concat());
    for text in ["", "AAAA", &some_key(1)[1..], &format!("{}\n{}\n", some_key(1), some_key(2))] {
        write_private(&key_file, text);
        place.refused(&mut serve(&data), &[path, "base64 of 32 bytes", "openssl rand"]);
    }
    write_private(&key_file, &key);
    for others in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&key_file, others);
        let words = [path, &format!("{others:03o}"), &format!("chmod 600 {path}")];
        place.refused(&mut serve(&data), &words);
    }
    set_mode(&key_file, 0o400);
    place.check_opens();

    fs::remove_file(&key_file).unwrap();
    fs::create_dir(&key_file).unwrap();
    let ended = run(&mut serve(&data));
    assert_told(&ended, Some(1), &[path, "cannot be read", "directory"]);
    fs::remove_dir(&key_file).unwrap();
    let ended = run(&mut serve(&data));
    assert_told(
        &ended,
        Some(1),
        &[&["there is none in", path, "backed up"][..], &settings].concat(),
    );
    assert_eq!(names(place.folder.path()), ["data"], "it does not get another");

    write_private(&key_file, &key);
    place.check_opens();
}

#[test]
fn the_key_is_where_the_settings_say() {
    let file = |command: &mut Command, name: &str| {
        let store = command.get_args().last().unwrap().to_str().unwrap().to_owned();
        let folder =
            Path::new(store.strip_prefix("embedded:").unwrap()).parent().unwrap().to_owned();
        command.arg("--master-key-file").arg(folder.join(name));
    };
    let place = Place::with(|command| file(command, "elsewhere"));
    assert_eq!(names(place.folder.path()), ["data", "elsewhere"]);
    let elsewhere = place.folder.path().join("elsewhere");
    assert!(place.printed.contains(elsewhere.to_str().unwrap()));
    place.check_opens_with(serve(&place.data()).env("CAMPANILE_MASTER_KEY_FILE", &elsewhere));
    // What a key file holds is what the environment may hold.
    let key = fs::read_to_string(&elsewhere).unwrap();
    place.check_opens_with(serve(&place.data()).env("CAMPANILE_MASTER_KEY", &key));

    let mut both = serve(&place.data());
    both.env("CAMPANILE_MASTER_KEY", &key).env("CAMPANILE_MASTER_KEY_FILE", &elsewhere);
    let words = ["CAMPANILE_MASTER_KEY holds", "CAMPANILE_MASTER_KEY_FILE", "Set one of them"];
    assert_told(&run(&mut both), Some(1), &words);
    let mut inside = serve(&place.data());
    inside.arg("--master-key-file").arg(place.data().join("key"));
    assert_told(&run(&mut inside), Some(1), &["inside the data folder", "outside"]);
    let mut nowhere = serve(&place.folder.path().join("other"));
    nowhere.arg("--master-key-file").arg(place.folder.path().join("no/key"));
    assert_told(&run(&mut nowhere), Some(1), &["no/key", "cannot be made", "--master-key-file"]);
}

/// Also when a start was cut off before it sealed anything: what it made is announced all the same.
#[test]
fn a_key_that_is_there_before_the_store_is_used() {
    let key = some_key(5);
    let place = Place::with(|command| {
        let store = command.get_args().last().unwrap().to_str().unwrap().to_owned();
        let data = Path::new(store.strip_prefix("embedded:").unwrap());
        write_private(&data.with_extension("key"), &key);
    });
    assert_eq!(fs::read_to_string(place.key_file()).unwrap(), key);
    assert!(place.printed.contains(place.key_file().to_str().unwrap()), "{}", place.printed);
    place.check_opens();
}

#[test]
fn the_key_can_come_from_the_environment() {
    let key = some_key(7);
    let place = Place::with(|command| {
        command.env("CAMPANILE_MASTER_KEY", &key);
    });
    assert_eq!(names(place.folder.path()), ["data"], "no file is made");
    assert!(!place.printed.contains("master key"), "{}", place.printed);
    assert_eq!(found(&place.data(), std::slice::from_ref(&key)), Vec::<String>::new());
    place.check_opens_with(serve(&place.data()).env("CAMPANILE_MASTER_KEY", &key));
    let ended = run(serve(&place.data()).env("CAMPANILE_MASTER_KEY", some_key(8)));
    assert_told(&ended, Some(1), &["another master key than the one in CAMPANILE_MASTER_KEY"]);
    let ended = run(&mut serve(&place.data()));
    assert_told(&ended, Some(1), &["there is none in", "data.key"]);
    for malformed in ["s3cret", &some_key(7)[4..]] {
        let ended = run(serve(&place.data()).env("CAMPANILE_MASTER_KEY", malformed));
        assert_told(&ended, Some(1), &["CAMPANILE_MASTER_KEY must be base64 of 32 bytes"]);
        assert!(!ended.stderr.contains(malformed), "{ended:?}");
    }
}

#[test]
fn a_store_in_memory_needs_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", "127.0.0.1:0"]);
    command.current_dir(folder.path());
    let process = Process::start_with(with_root(&mut command));
    process.client().ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    assert_eq!(process.printed, "");
    assert_eq!(process.stop().code, Some(0));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn the_folder_that_one_is_in_has_its_key_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for store in ["embedded:.", "embedded:../data/", "embedded:../data/."] {
        let mut command = campanile();
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", store]).current_dir(&data);
        Process::start_with(with_root(&mut command)).stop();
        assert_eq!(names(folder.path()), ["data", "data.key"], "{store}");
    }
}

#[test]
fn the_key_in_a_file_is_exchanged() {
    let place = Place::new();
    let (old, old_text) = (place.key(), fs::read_to_string(place.key_file()).unwrap());
    let ended = place.rotate();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for words in [place.key_file().to_str().unwrap(), "Back it up", "from before"] {
        assert!(ended.stdout.contains(words), "{ended:?}");
    }
    assert_eq!(names(place.folder.path()), ["data", "data.key"]);
    assert_eq!(mode(&place.key_file()), 0o600);
    let new = place.key();
    assert!(new != old && !ended.stdout.contains(&new), "{ended:?}");
    place.check_opens();
    let mut secrets = place.secrets();
    secrets.extend([old, new.clone()]);
    assert_eq!(found(&place.data(), &secrets), Vec::<String>::new());

    write_private(&place.key_file(), &old_text);
    place.refused(&mut serve(&place.data()), &["another master key"]);
    assert_told(
        &place.rotate(),
        GENERAL,
        &["another master key", place.key_file().to_str().unwrap()],
    );
    fs::remove_file(place.key_file()).unwrap();
    assert_told(&place.rotate(), GENERAL, &["there is none in"]);
    write_private(&place.key_file(), &new);
    assert_eq!(place.rotate().code, Some(0));
    place.check_opens();
}

#[test]
fn an_exchange_that_was_cut_off_is_finished() {
    let place = Place::new();
    let (old, copy) = (place.key(), tempfile::tempdir().unwrap());
    copy_folder(&place.data(), &copy.path().join("data"));
    assert_eq!(place.rotate().code, Some(0));
    let new = place.key();

    // After the commit, before the new file has its place.
    let cut = || {
        write_private(&place.key_file(), &old);
        write_private(&place.new_key_file(), &new);
    };
    cut();
    place.check_opens();
    assert_eq!((place.key(), names(place.folder.path()).len()), (new.clone(), 2));
    cut();
    fs::remove_file(place.key_file()).unwrap();
    place.check_opens();
    assert_eq!((place.key(), names(place.folder.path()).len()), (new.clone(), 2));
    cut();
    assert_eq!(place.rotate().code, Some(0));
    place.check_opens();
    assert!(place.key() != new && !place.new_key_file().exists());

    // Before the commit: the store is as it was, and the new file is whole or torn.
    fs::remove_dir_all(place.data()).unwrap();
    copy_folder(&copy.path().join("data"), &place.data());
    for left in [new.as_str(), &new[..20], ""] {
        write_private(&place.key_file(), &old);
        write_private(&place.new_key_file(), left);
        place.check_opens();
        assert_eq!(place.key(), old);
    }
    assert_eq!(place.rotate().code, Some(0));
    place.check_opens();
    assert!(place.key() != old && !place.new_key_file().exists());

    // Neither is the store's.
    write_private(&place.key_file(), &old);
    write_private(&place.new_key_file(), &new);
    place.refused(&mut serve(&place.data()), &["another master key"]);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn a_key_that_is_told_is_exchanged() {
    let (old, new) = (some_key(1), some_key(2));
    let place = Place::with(|command| {
        command.env("CAMPANILE_MASTER_KEY", &old);
    });
    let exchange = |old: &str, new: &str| {
        let mut command = rotate(&place.data());
        run(command.env("CAMPANILE_MASTER_KEY", old).env("CAMPANILE_NEW_MASTER_KEY", new))
    };
    let both = ["CAMPANILE_MASTER_KEY", "CAMPANILE_NEW_MASTER_KEY is not"];
    assert_told(&exchange(&old, ""), GENERAL, &both);
    assert_told(&exchange("", &new), GENERAL, &["CAMPANILE_MASTER_KEY is not"]);
    assert_told(&exchange(&old, &old), GENERAL, &["Make another"]);
    assert_told(&exchange(&some_key(3), &new), GENERAL, &["another master key"]);
    let ended = exchange(&old, "s3cret");
    assert_told(&ended, GENERAL, &["CAMPANILE_NEW_MASTER_KEY must be base64"]);
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");

    for _ in ["once", "and again, as after a cut"] {
        let ended = exchange(&old, &new);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        assert!(!ended.stdout.contains(&new) && !ended.stdout.contains(&old), "{ended:?}");
    }
    place.check_opens_with(serve(&place.data()).env("CAMPANILE_MASTER_KEY", &new));
    let ended = run(serve(&place.data()).env("CAMPANILE_MASTER_KEY", &old));
    assert_told(&ended, Some(1), &["another master key"]);
}

#[test]
fn a_store_whose_key_cannot_be_exchanged_is_left_alone() {
    let place = Place::new();
    let process = Process::start_with(&mut serve(&place.data()));
    let key = place.key();
    let data = place.data();
    assert_told(&place.rotate(), GENERAL, &["another Campanile server", data.to_str().unwrap()]);
    assert_eq!((place.key(), names(place.folder.path()).len()), (key, 2));
    place.check_serves(&process);
    process.stop();

    let missing = place.folder.path().join("missing");
    assert_told(&run(&mut rotate(&missing)), GENERAL, &["no store in", missing.to_str().unwrap()]);
    assert!(!missing.exists());
    let mut memory = campanile();
    memory.args(["keys", "rotate-master", "--store", "memory:"]);
    assert_told(&run(&mut memory), GENERAL, &["memory:", "embedded:PATH"]);
    let (folder, _) = unpacked(&fixtures()[0]);
    let data = folder.path().join("data");
    assert_told(&run(&mut rotate(&data)), GENERAL, &["sealed yet", "Start the server"]);
    assert_eq!(names(folder.path()), ["data"]);
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().ends_with(".tar.gz")).collect()
}

/// Unpacks a folder that an older release left, with what was answered then.
fn unpacked(fixture: &Path) -> (TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(GzDecoder::new(File::open(fixture).unwrap())).unpack(folder.path()).unwrap();
    let expected = fixture.to_string_lossy().replace(".tar.gz", ".json");
    (folder, serde_json::from_str(&fs::read_to_string(expected).unwrap()).unwrap())
}

/// Returns all that a folder holds as the operations would find it, and the deployment by itself.
fn entries(data: &Path) -> (Vec<Vec<u8>>, Value) {
    let engine = Embedded::open(data).unwrap();
    let transaction = engine.begin(Access::Read).unwrap();
    let all = KeyRange { start: vec![0], end: vec![255] };
    let entries = transaction.scan(&all, 1_000_000).unwrap();
    let deployment = transaction.get(Key::of(Table::Deployment).as_bytes()).unwrap().unwrap();
    let values = entries.into_iter().map(|(_, value)| value).collect();
    (values, serde_json::from_slice(&deployment).unwrap())
}

/// Without a root in the settings, so that one that was stored is used, and sealed.
#[test]
fn the_first_start_on_an_older_store_seals_its_secrets() {
    for fixture in fixtures() {
        // Opening a folder changes it, so that the secrets are looked up in another.
        let (_, before) = entries(&unpacked(&fixture).0.path().join("data"));
        let (folder, expected) = unpacked(&fixture);
        let data = folder.path().join("data");
        let key = &expected["AccessKey"];
        let value = |value: &Value| value.as_str().map(str::to_owned);
        let secrets = [
            value(&key["SecretAccessKey"]),
            value(&before["record"]["TokenSecret"]),
            value(&before["record"]["Root"]["SecretAccessKey"]),
        ];
        let secrets: Vec<_> = secrets.into_iter().flatten().collect();
        let name = fixture.display();
        assert!(secrets.len() >= 2 && found(&data, &secrets).len() >= 2, "{name}");

        let process = Process::start_with(with_root(&mut serve(&data)));
        assert!(process.printed.contains("data.key"), "{name}: {}", process.printed);
        assert_eq!(found(&data, &secrets), Vec::<String>::new(), "{name}, running");
        process.client().with_key(key).ok("ListAccounts", json!({}));
        assert_eq!(process.kill().code, None);
        assert_eq!(found(&data, &secrets), Vec::<String>::new(), "{name}, killed");

        let process = Process::start_with(with_root(&mut serve(&data)));
        assert_eq!(process.printed, "", "{name}");
        process.client().with_key(key).ok("ListAccounts", json!({}));
        assert_eq!(process.stop().code, Some(0));
        assert_eq!(found(&data, &secrets), Vec::<String>::new(), "{name}, stopped");
        let (values, deployment) = entries(&data);
        assert_eq!(
            (&deployment["version"], &deployment["record"]["Layout"]),
            (&json!(3), &json!(3))
        );
        for value in values {
            let text = String::from_utf8_lossy(&value);
            assert!(!text.contains("\"Clear\""), "{name}: {text}");
            assert!(!secrets.iter().any(|it| text.contains(it)), "{name}: {text}");
        }
    }
}
