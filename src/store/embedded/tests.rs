//! What only the engine on disk must do: survive what becomes of its files.

use super::frame::{SECTOR_BYTES, frame_bytes};
use super::*;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

impl Embedded {
    /// Closes what is in memory, so that it is written as a table.
    pub(crate) fn seal_now(&self) {
        let mut log = self.locked_log();
        if !log.is_empty() {
            self.seal(&mut log, 0).unwrap();
        }
    }

    /// Ends as if the process were killed: nothing that waits is written any more.
    pub(crate) fn abandon(self) {
        self.core.fail(&Error::Unavailable("it was abandoned".to_owned()));
    }

    fn put(&self, key: u32, value: &[u8]) {
        let batch = Batch::from([(key.to_be_bytes().to_vec(), Some(value.to_vec()))]);
        self.begin(Access::Write).unwrap().commit(&batch).unwrap();
    }

    fn keys(&self) -> Vec<u32> {
        let range = KeyRange { start: Vec::new(), end: vec![255; 5] };
        let entries = self.begin(Access::Read).unwrap().scan(&range, 99_999).unwrap();
        let number = |key: &[u8]| u32::from_be_bytes(key.try_into().unwrap());
        entries.iter().map(|(key, _)| number(key)).collect()
    }
}

/// A value that fills a bit more than two sectors, without a byte that is zero.
fn value(key: u32) -> Vec<u8> {
    vec![u8::try_from(key % 255).unwrap() + 1; 1100]
}

fn new() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    (folder, path)
}

/// A folder as a killed process leaves it, with as many batches as there are keys below `keys`.
fn killed(keys: u32) -> (TempDir, PathBuf) {
    let (folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    (0..keys).for_each(|key| engine.put(key, &value(key)));
    engine.abandon();
    (folder, path)
}

/// All that a folder holds, but for the lock, whose content means nothing.
fn content(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            all.extend(content(&entry));
            all.insert(entry, None);
        } else if entry.file_name().unwrap() != "campanile.lock" {
            let bytes = fs::read(&entry).unwrap();
            all.insert(entry, Some(bytes));
        }
    }
    all
}

/// Opens a folder that must be refused and left as it is; returns why.
fn refused(path: &Path) -> String {
    let before = content(path);
    let error = Embedded::open(path).map(Embedded::abandon).unwrap_err().to_string();
    assert!(content(path) == before, "a refused folder is left as it is: {error}");
    error
}

fn segments(path: &Path) -> Vec<PathBuf> {
    log::list(&path.join("log")).unwrap().into_iter().map(|(_, path)| path).collect()
}

/// Returns the newest segment that batches were written to.
fn written(path: &Path) -> PathBuf {
    let written = |path: &PathBuf| fs::read(path).unwrap()[SECTOR_BYTES..].iter().any(|b| *b != 0);
    segments(path).into_iter().rfind(written).unwrap()
}

fn frame_of_value() -> usize {
    let batch = Batch::from([(vec![0; 4], Some(value(1)))]);
    frame_bytes(encode_batch(&batch).unwrap().len())
}

fn tree_file(path: &Path, is_it: impl Fn(&str) -> bool) -> PathBuf {
    let found = content(&path.join("tree"))
        .into_keys()
        .find(|path| path.is_file() && is_it(path.file_name().unwrap().to_str().unwrap()));
    found.unwrap()
}

#[test]
fn what_a_killed_process_acknowledged_is_there_again_and_again() {
    let (_folder, path) = new();
    for round in 0..6 {
        let engine = Embedded::open(&path).unwrap();
        assert_eq!(engine.keys(), (0..round * 10).collect::<Vec<_>>());
        (0..10).for_each(|key| engine.put(round * 10 + key, b"value"));
        if round % 2 == 0 {
            engine.seal_now();
        }
        engine.abandon();
    }
    assert_eq!(Embedded::open(&path).unwrap().keys().len(), 60);
}

#[test]
fn a_clean_close_leaves_nothing_to_replay() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    (0..10).for_each(|key| engine.put(key, b"value"));
    drop(engine);
    for _ in 0..3 {
        let folder = Folder::claim(&path).unwrap();
        let tree = Tree::open(&folder.tree_path(), true).unwrap();
        let rest = replay::read(&folder.log_path(), folder.id()).unwrap();
        let rest = rest.behind(tree.persisted()).unwrap();
        assert_eq!((rest.batches.len(), rest.next), (0, FIRST_SEQUENCE + 10));
        assert!(rest.unused.is_some());
        drop((folder, tree));
        drop(Embedded::open(&path).unwrap());
    }
}

#[test]
fn the_log_is_forgotten_once_the_tree_holds_it_even_if_all_was_deleted() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    for round in 0..12 {
        engine.put(round, b"value");
        let batch = Batch::from([(round.to_be_bytes().to_vec(), None)]);
        engine.begin(Access::Write).unwrap().commit(&batch).unwrap();
        engine.seal_now();
    }
    drop(engine);
    assert!(segments(&path).len() <= 2, "one to go on with, and one that is prepared");
    assert!(Embedded::open(&path).unwrap().keys().is_empty());
}

#[test]
fn an_open_snapshot_outlives_flushes_and_merges() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    (0..50).for_each(|key| engine.put(key, &value(key)));
    let snapshot = engine.begin(Access::Read).unwrap();
    for round in 0..12 {
        for key in 0..50 {
            if (key + round) % 3 == 0 {
                engine.put(key, b"changed");
            } else {
                let batch = Batch::from([(key.to_be_bytes().to_vec(), None)]);
                engine.begin(Access::Write).unwrap().commit(&batch).unwrap();
            }
        }
        engine.seal_now();
        let range = KeyRange { start: Vec::new(), end: vec![255; 5] };
        let seen = snapshot.scan(&range, 999).unwrap();
        let begun = (0..50u32).map(|key| (key.to_be_bytes().to_vec(), value(key)));
        assert!(seen == begun.collect::<Vec<_>>(), "round {round}");
        assert_eq!(snapshot.get(&7u32.to_be_bytes()).unwrap().unwrap(), value(7));
    }
}

#[test]
fn a_flipped_bit_in_the_log_is_refused_wherever_it_is() {
    let (_folder, path) = killed(5);
    let segment = written(&path);
    let good = fs::read(&segment).unwrap();
    let end = SECTOR_BYTES + 5 * frame_of_value();
    for (offset, bit) in (0..end).step_by(97).zip((0..8).cycle()) {
        let mut bad = good.clone();
        bad[offset] ^= 1 << bit;
        fs::write(&segment, bad).unwrap();
        let error = refused(&path);
        let sector = offset / SECTOR_BYTES * SECTOR_BYTES;
        assert!(error.contains(segment.to_str().unwrap()), "{error}");
        assert!(error.contains("is damaged at byte"), "{offset} ({sector}): {error}");
    }
    fs::write(&segment, good).unwrap();
    assert_eq!(Embedded::open(&path).unwrap().keys(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_hole_in_the_log_is_refused_unless_it_is_in_the_last_batch() {
    let (_folder, path) = killed(5);
    let segment = written(&path);
    let good = fs::read(&segment).unwrap();
    let last = SECTOR_BYTES + 4 * frame_of_value();
    for offset in (0..last).step_by(SECTOR_BYTES) {
        let mut bad = good.clone();
        bad[offset..offset + SECTOR_BYTES].fill(0);
        fs::write(&segment, bad).unwrap();
        assert!(refused(&path).contains("is damaged at byte"), "{offset}");
    }
    fs::write(&segment, &good[..last]).unwrap();
    assert!(refused(&path).contains("is damaged at byte"), "a segment that was cut short");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// The power goes while a batch is written, some of whose sectors are on the disk; and again.
    #[test]
    fn power_may_go_in_any_write(
        rounds in proptest::collection::vec((0..4u32, 0..7u8, 0..1600usize, any::<bool>()), 1..6),
    ) {
        let (_folder, path) = new();
        let mut kept = Vec::new();
        let mut next = 0;
        for (more, sectors_lost, cut, cut_at_a_byte) in rounds {
            let engine = Embedded::open(&path).unwrap();
            prop_assert_eq!(engine.keys(), kept.clone());
            for _ in 0..more {
                engine.put(next, &value(next));
                kept.push(next);
                next += 1;
            }
            // Whether the next one stays depends on what is lost of it.
            engine.put(next, &value(next));
            engine.abandon();
            let segment = written(&path);
            let mut bytes = fs::read(&segment).unwrap();
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let begin = end - frame_of_value();
            let mut lost = sectors_lost != 0;
            if cut_at_a_byte {
                bytes[begin + cut.min(frame_of_value())..].fill(0);
                lost = cut < frame_of_value();
            } else {
                for (sector, bytes) in bytes[begin..end].chunks_mut(SECTOR_BYTES).enumerate() {
                    if sectors_lost & 1 << sector != 0 {
                        bytes.fill(0);
                    }
                }
            }
            fs::write(&segment, bytes).unwrap();
            if !lost {
                kept.push(next);
            }
            next += 1;
        }
        prop_assert_eq!(Embedded::open(&path).unwrap().keys(), kept);
    }
}

/// A killed process can leave its newest batch in the system's memory only: the next process reads
/// it, shows it, writes more, and then the power goes.
#[test]
fn a_start_writes_the_newest_batch_again() {
    let folder = tempfile::tempdir().unwrap();
    let segments = |next| Arc::new(Segments::new(folder.path().to_owned(), 7, next));
    let read = || replay::read(folder.path(), 7).unwrap().behind(None).unwrap();
    let mut log = Log::begin(segments(1), FIRST_SEQUENCE, None).unwrap();
    let batches: Vec<_> = (1..4u8).map(|byte| vec![byte; 2000]).collect();
    for batch in &batches {
        log.append(batch).unwrap();
    }
    let (_, first) = log::list(folder.path()).unwrap().remove(0);
    let rest = read();
    Log::begin(segments(rest.next_segment), rest.next, rest.last.as_deref()).unwrap();
    let mut bytes = fs::read(&first).unwrap();
    bytes[SECTOR_BYTES + 2 * frame_bytes(2000)..].fill(0);
    fs::write(&first, bytes).unwrap();
    let rest = read();
    assert_eq!(rest.next, FIRST_SEQUENCE + 3);
    assert!(rest.batches.into_iter().map(|(_, batch)| batch).eq(batches));
}

#[test]
fn a_missing_segment_is_refused() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    // Three segments, none of which the tree holds yet when the process dies.
    for key in 0..9 {
        engine.put(key, &value(key));
        if key % 3 == 2 {
            engine.locked_log().roll(0).unwrap();
        }
    }
    engine.abandon();
    let all: Vec<_> =
        segments(&path).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    for (bytes, segment) in &all[..4] {
        fs::remove_file(segment).unwrap();
        let error = refused(&path);
        assert!(error.contains("missing"), "{error}");
        fs::write(segment, vec![0; bytes.len()]).unwrap();
        let error = refused(&path);
        assert!(error.contains("missing"), "{error}");
        fs::write(segment, bytes).unwrap();
    }
    for (_, segment) in &all {
        fs::remove_file(segment).unwrap();
    }
    assert!(refused(&path).contains("segments of the log are missing"));
    for (bytes, segment) in &all {
        fs::write(segment, bytes).unwrap();
    }
    assert_eq!(Embedded::open(&path).unwrap().keys(), (0..9).collect::<Vec<_>>());
}

#[test]
fn a_segment_of_another_folder_is_refused() {
    let ((_one, one), (_other, other)) = (killed(3), killed(3));
    fs::copy(written(&one), written(&other)).unwrap();
    assert!(refused(&other).contains("is damaged at byte 0"));
}

/// A folder whose entries are in tables, closed cleanly.
fn closed() -> (TempDir, PathBuf) {
    let (folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    for key in 0..200 {
        engine.put(key, &value(key));
    }
    drop(engine);
    (folder, path)
}

#[test]
fn a_tree_without_its_list_of_tables_is_refused() {
    let (_folder, path) = closed();
    let current = tree_file(&path, |name| name == "current");
    let number = u64::from_le_bytes(fs::read(&current).unwrap()[..8].try_into().unwrap());
    let list = tree_file(&path, |name| name == format!("v{number}"));
    for file in [&current, &list] {
        let good = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        assert!(refused(&path).contains(file.to_str().unwrap()));
        fs::write(file, b"").unwrap();
        assert!(refused(&path).contains("is damaged"));
        for offset in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[offset] ^= 0x10;
            fs::write(file, bad).unwrap();
            let error = refused(&path);
            assert!(error.contains("is damaged") || error.contains("cannot be read"), "{error}");
        }
        fs::write(file, good).unwrap();
    }
    assert_eq!(Embedded::open(&path).unwrap().keys().len(), 200);
}

#[test]
fn a_damaged_table_is_refused_or_tells_so_and_never_answers_wrong() {
    let (_folder, path) = closed();
    let table = tree_file(&path, |name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let good = fs::read(&table).unwrap();
    fs::remove_file(&table).unwrap();
    assert!(refused(&path).contains("cannot be opened"));
    for offset in (0..good.len()).step_by(good.len() / 60) {
        let mut bad = good.clone();
        bad[offset] ^= 0x10;
        fs::write(&table, bad).unwrap();
        let Ok(engine) = Embedded::open(&path) else { continue };
        let range = KeyRange { start: Vec::new(), end: vec![255; 5] };
        let seen = engine.begin(Access::Read).unwrap().scan(&range, 999);
        let all: Vec<_> = (0..200u32).map(|key| (key.to_be_bytes().to_vec(), value(key))).collect();
        assert!(seen.is_err() || seen.is_ok_and(|seen| seen == all), "{offset}");
        engine.abandon();
    }
}

#[test]
fn what_is_not_campaniles_is_named_and_left_alone() {
    let (_folder, path) = closed();
    for (name, folder) in [
        ("log/notes.txt", false),
        ("log/1.log", false),
        ("log/00000000000000000009.log", true),
        ("tree/notes.txt", false),
        ("tree/tables/notes.txt", false),
        ("tree/tables/77", true),
        ("tree/v7x", false),
    ] {
        let foreign = path.join(name);
        if folder {
            fs::create_dir(&foreign).unwrap();
        } else {
            fs::write(&foreign, b"mine").unwrap();
        }
        assert!(refused(&path).contains(foreign.to_str().unwrap()));
        if folder { fs::remove_dir(&foreign) } else { fs::remove_file(&foreign) }.unwrap();
    }
    assert_eq!(Embedded::open(&path).unwrap().keys().len(), 200);
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let (_folder, path) = new();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("thesis.tex"), b"mine").unwrap();
    assert!(refused(&path).contains("thesis.tex"));
    assert!(!path.join("campanile.lock").exists());
}

#[test]
fn a_marker_that_this_release_does_not_read_is_refused() {
    let (_folder, path) = closed();
    let marker = path.join("campanile.json");
    let good = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, good.replace("\"format\":1", "\"format\":9")).unwrap();
    assert!(refused(&path).contains("format 9"));
    fs::write(&marker, "{").unwrap();
    assert!(refused(&path).contains("campanile.json is damaged"));
    fs::remove_file(&marker).unwrap();
    assert!(refused(&path).contains("no campanile.json"));
}

#[test]
fn a_making_that_was_cut_off_is_begun_again() {
    let (_folder, path) = closed();
    let marker = path.join("campanile.json");
    let begun =
        fs::read_to_string(&marker).unwrap().replace("\"created\":true", "\"created\":false");
    fs::write(&marker, begun).unwrap();
    assert!(Embedded::open(&path).unwrap().keys().is_empty());
}

#[test]
fn one_process_at_a_time_uses_a_folder() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    engine.put(1, b"value");
    let error = Embedded::open(&path).unwrap_err().to_string();
    assert!(error.contains("another Campanile server"), "{error}");
    drop(engine);
    assert_eq!(Embedded::open(&path).unwrap().keys(), [1]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (folder, _) = new();
    let file = folder.path().join("file");
    fs::write(&file, b"mine").unwrap();
    let error = Embedded::open(&file.join("store")).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn after_a_failed_write_nothing_is_answered_until_a_restart() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    engine.put(1, b"value");
    // The next segment cannot be made, whoever begins to.
    engine.core.segments.prepare().unwrap();
    fs::rename(path.join("log"), path.join("gone")).unwrap();
    engine.core.segments.take_prepared();
    let big = Batch::from([(b"key".to_vec(), Some(vec![1; 8 << 20]))]);
    // Whoever makes segments beforehand may have met it already.
    let refused = engine.begin(Access::Write).and_then(|transaction| transaction.commit(&big));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains(".log fails"), "{error}");
    for access in [Access::Read, Access::Write] {
        let error = engine.begin(access).map(drop).unwrap_err().to_string();
        assert!(error.contains("restart the server"), "{error}");
    }
    drop(engine);
    fs::rename(path.join("gone"), path.join("log")).unwrap();
    assert_eq!(Embedded::open(&path).unwrap().keys(), [1]);
}

#[test]
fn what_was_replaced_or_deleted_is_forgotten() {
    let (_folder, path) = new();
    let engine = Embedded::open(&path).unwrap();
    let is_kept = |text: &[u8]| {
        let files = content(&path).into_values().flatten();
        files.into_iter().any(|bytes| bytes.windows(text.len()).any(|it| it == text))
    };
    // Some of it is in tables that were merged, some in new ones, some in memory and the log.
    for round in 0..6 {
        for key in 0..4 {
            engine.put(round * 4 + key, b"to be forgotten");
        }
        if round < 4 {
            engine.seal_now();
        }
    }
    for key in 0..23 {
        engine.put(key, b"kept");
    }
    let delete = Batch::from([(23_u32.to_be_bytes().to_vec(), None)]);
    engine.begin(Access::Write).unwrap().commit(&delete).unwrap();
    assert!(is_kept(b"to be forgotten"));
    let reader = engine.begin(Access::Read).unwrap();
    engine.put(0, b"seen by others");
    engine.forget().unwrap();
    assert_eq!(reader.get(&[0; 4]).unwrap().unwrap(), b"kept", "whoever reads goes on");
    drop(reader);
    engine.forget().unwrap();
    assert!(!is_kept(b"to be forgotten") && is_kept(b"kept"));
    assert_eq!(engine.keys(), (0..23).collect::<Vec<_>>());
    engine.put(99, b"kept");
    engine.abandon();
    let keys = Embedded::open(&path).unwrap().keys();
    assert_eq!(keys, (0..23).chain([99]).collect::<Vec<_>>());
}

/// Whatever is done before and after, forgetting changes no answer.
#[test]
fn what_is_not_replaced_outlives_forgetting() {
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let (_folder, path) = new();
    let mut engine = Embedded::open(&path).unwrap();
    let mut expected = BTreeMap::new();
    for step in 0..120 {
        match rng.random_range(0..10) {
            0 => engine.forget().unwrap(),
            1 => engine.seal_now(),
            2 => {
                let ended: fn(Embedded) = if rng.random() { drop } else { Embedded::abandon };
                ended(engine);
                engine = Embedded::open(&path).unwrap();
            }
            3..6 => {
                let key = rng.random_range(0..20_u32);
                let batch = Batch::from([(key.to_be_bytes().to_vec(), None)]);
                engine.begin(Access::Write).unwrap().commit(&batch).unwrap();
                expected.remove(&key);
            }
            _ => {
                let key = rng.random_range(0..20);
                engine.put(key, &value(step));
                expected.insert(key, value(step));
            }
        }
        assert_eq!(engine.keys(), expected.keys().copied().collect::<Vec<_>>(), "seed {seed}");
        let transaction = engine.begin(Access::Read).unwrap();
        for (key, value) in &expected {
            let found = transaction.get(&key.to_be_bytes()).unwrap();
            assert_eq!(found.as_ref(), Some(value), "seed {seed}");
        }
    }
}
