//! What every engine must do, asked of each of them; and what the store makes of it.

use super::embedded::Embedded;
use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

fn on_every_engine(check: impl Fn(&dyn Engine)) {
    check(&Memory::default());
    let folder = tempfile::tempdir().unwrap();
    check(&Embedded::open(&folder.path().join("store")).unwrap());
}

fn put(engine: &dyn Engine, entries: &[(&[u8], &[u8])]) {
    let entries = entries.iter().map(|(key, value)| (key.to_vec(), Some(value.to_vec())));
    commit(engine, &entries.collect());
}

fn commit(engine: &dyn Engine, batch: &Batch) {
    engine.begin(Access::Write).unwrap().commit(batch).unwrap();
}

fn get(engine: &dyn Engine, key: &[u8]) -> Option<Vec<u8>> {
    engine.begin(Access::Read).unwrap().get(key).unwrap()
}

fn scan(engine: &dyn Engine, start: &[u8], end: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let range = KeyRange { start: start.to_vec(), end: end.to_vec() };
    engine.begin(Access::Read).unwrap().scan(&range, limit).unwrap()
}

fn keys(engine: &dyn Engine, start: &[u8], end: &[u8], limit: usize) -> Vec<Vec<u8>> {
    scan(engine, start, end, limit).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn what_is_put_is_found_until_it_is_deleted() {
    on_every_engine(|engine| {
        assert_eq!(get(engine, b"a"), None);
        put(engine, &[(b"a", b"1"), (b"b", b"2")]);
        assert_eq!(get(engine, b"a").unwrap(), b"1");
        put(engine, &[(b"a", b"3")]);
        assert_eq!(get(engine, b"a").unwrap(), b"3");
        commit(engine, &Batch::from([(b"a".to_vec(), None), (b"never".to_vec(), None)]));
        assert_eq!(get(engine, b"a"), None);
        assert_eq!(scan(engine, b"", b"z", 9), [(b"b".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn a_scan_takes_a_range_in_the_order_of_bytes() {
    on_every_engine(|engine| {
        let all: [&[u8]; 7] = [b"\0", b"\0\0", b"A", b"a", b"a\0", b"\xc3\xa9", b"\xff\xff"];
        put(engine, &all.map(|key| (key, key)));
        assert_eq!(keys(engine, b"", b"\xff\xff\xff", 9), all);
        assert_eq!(keys(engine, b"", b"\xff\xff", 9), all[..6], "the end is outside");
        assert_eq!(keys(engine, b"a", b"a\0", 9), all[3..4], "the start is inside");
        assert_eq!(keys(engine, b"B", b"b", 9), all[3..5], "neither need exist");
        assert_eq!(keys(engine, b"", b"\xff\xff\xff", 3), all[..3]);
        assert!(keys(engine, b"", b"\xff", 0).is_empty());
        assert!(keys(engine, b"a", b"a", 9).is_empty());
        assert!(keys(engine, b"b", b"a", 9).is_empty(), "a range that ends before it starts");
        let beyond = vec![b'a'; 70_000];
        assert_eq!(keys(engine, &beyond, b"\xff", 9), all[5..6], "bounds of any length");
        assert_eq!(keys(engine, b"a", &beyond, 9), all[3..5]);
        assert_eq!(get(engine, &beyond), None);
    });
}

#[test]
fn empty_and_long_ones_are_kept() {
    on_every_engine(|engine| {
        let long_key = vec![255; 60_000];
        let long_value: Vec<u8> = (0..1 << 20).map(|byte: u32| byte.to_le_bytes()[1]).collect();
        put(engine, &[(b"", b"under the empty key"), (b"a", b""), (&long_key, &long_value)]);
        assert_eq!(get(engine, b"").unwrap(), b"under the empty key");
        assert_eq!(get(engine, b"a").unwrap(), b"");
        assert_eq!(get(engine, &long_key).unwrap(), long_value);
        assert_eq!(keys(engine, b"", &vec![255; 60_001], 9), [vec![], b"a".to_vec(), long_key]);
        // More than the log's segments hold, in one batch.
        let many =
            (0..9u8).map(|key| (vec![b'm', key], Some([long_value.as_slice(), &[key]].concat())));
        commit(engine, &many.collect());
        assert_eq!(keys(engine, b"m", b"n", 99).len(), 9);
        assert_eq!(get(engine, b"m\x08").unwrap().last(), Some(&8));
        commit(engine, &Batch::new());
    });
}

#[test]
fn a_transaction_that_is_dropped_leaves_nothing() {
    on_every_engine(|engine| {
        put(engine, &[(b"a", b"1")]);
        drop(engine.begin(Access::Write).unwrap());
        let transaction = engine.begin(Access::Write).unwrap();
        assert_eq!(transaction.get(b"a").unwrap().unwrap(), b"1");
        drop(transaction);
        assert_eq!(scan(engine, b"", b"z", 9).len(), 1);
    });
}

#[test]
fn a_reading_transaction_cannot_commit() {
    on_every_engine(|engine| {
        let batch = Batch::from([(b"a".to_vec(), Some(Vec::new()))]);
        let refused = engine.begin(Access::Read).unwrap().commit(&batch);
        assert!(matches!(refused, Err(Error::ReadOnly)));
        assert_eq!(get(engine, b"a"), None);
    });
}

#[test]
fn a_reader_sees_all_of_a_batch_or_nothing_and_one_state_to_its_end() {
    on_every_engine(|engine| {
        let keys: Vec<_> = (0..20u8).map(|key| vec![key]).collect();
        let batch = |round: u8| keys.iter().map(|key| (key.clone(), Some(vec![round]))).collect();
        commit(engine, &batch(0));
        let writing = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..100 {
                    commit(engine, &batch(round));
                }
                writing.store(1, Ordering::SeqCst);
            });
            let mut last = 0;
            while writing.load(Ordering::SeqCst) == 0 {
                let transaction = engine.begin(Access::Read).unwrap();
                let range = KeyRange { start: vec![0], end: vec![99] };
                let seen = transaction.get(&keys[7]).unwrap().unwrap();
                for (_, value) in transaction.scan(&range, 99).unwrap() {
                    assert_eq!(value, seen);
                }
                assert_eq!(transaction.get(&keys[0]).unwrap().unwrap(), seen);
                assert!(seen[0] >= last, "what was seen once is not taken back");
                last = seen[0];
            }
        });
        assert_eq!(get(engine, &keys[3]).unwrap(), [99]);
    });
}

#[test]
fn writing_transactions_are_serial() {
    on_every_engine(|engine| {
        let count = || get(engine, b"count").map_or(0, |value| value[0]);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let transaction = engine.begin(Access::Write).unwrap();
                        let count = transaction.get(b"count").unwrap().map_or(0, |value| value[0]);
                        let batch = Batch::from([(b"count".to_vec(), Some(vec![count + 1]))]);
                        transaction.commit(&batch).unwrap();
                    }
                });
            }
        });
        assert_eq!(count(), 100);
    });
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Batch),
    Get(Vec<u8>),
    Scan(KeyRange, usize),
    /// Close what is in memory, so that it is written as a table.
    Seal,
    /// Close the engine, and open its folder again.
    Reopen,
    /// Open the folder as a process that died would leave it.
    Crash,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(1), Just(b'a'), Just(255), any::<u8>()];
    proptest::collection::vec(byte, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(
        0.7,
        prop_oneof![
            Just(Vec::new()),
            (any::<u8>(), 0..2000usize).prop_map(|(byte, bytes)| vec![byte; bytes]),
        ],
    );
    let batch = proptest::collection::btree_map(key(), value, 0..8);
    prop_oneof![
        8 => batch.prop_map(Step::Commit),
        8 => key().prop_map(Step::Get),
        6 => (key(), key(), 0..12usize)
            .prop_map(|(start, end, limit)| Step::Scan(KeyRange { start, end }, limit)),
        3 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn engines_give_the_same_answers(steps in proptest::collection::vec(step(), 1..60)) {
        let memory = Memory::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let mut embedded = Embedded::open(&path).unwrap();
        for step in &steps {
            match step {
                Step::Commit(batch) => {
                    commit(&memory, batch);
                    commit(&embedded, batch);
                }
                Step::Get(key) => prop_assert_eq!(get(&memory, key), get(&embedded, key)),
                Step::Scan(KeyRange { start, end }, limit) => prop_assert_eq!(
                    scan(&memory, start, end, *limit),
                    scan(&embedded, start, end, *limit)
                ),
                Step::Seal => embedded.seal_now(),
                Step::Reopen => {
                    drop(embedded);
                    embedded = Embedded::open(&path).unwrap();
                }
                Step::Crash => {
                    embedded.abandon();
                    embedded = Embedded::open(&path).unwrap();
                }
            }
        }
        prop_assert_eq!(scan(&memory, b"", &[255; 4], 999), scan(&embedded, b"", &[255; 4], 999));
    }
}

/// A record with an index, as operations have them.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
struct Item {
    id: u32,
    name: String,
}

impl Item {
    fn new(id: u32, name: &str) -> Self {
        Self { id, name: name.to_owned() }
    }

    fn key_of(id: u32) -> Key {
        Key::of(Table::Accounts).string(&format!("{id:010}"))
    }
}

impl Record for Item {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::key_of(self.id)
    }

    fn index_keys(&self) -> Vec<Key> {
        vec![Key::of(Table::AccountsByName).string(&self.name).string(&format!("{:010}", self.id))]
    }

    /// A name of two letters belongs to one item.
    fn unique_keys(&self) -> Vec<Key> {
        let is_unique = self.name.len() == 2;
        is_unique.then(|| Self::unique_key(&self.name)).into_iter().collect()
    }

    fn mark_keys(&self) -> Vec<Key> {
        let first = self.name.chars().next();
        first.map(|first| Self::mark_key(first).number(self.id.into())).into_iter().collect()
    }
}

impl Item {
    fn unique_key(name: &str) -> Key {
        Key::of(Table::UsersByEmail).string(name)
    }

    fn mark_key(first: char) -> Key {
        Key::of(Table::UsersByLicense).string(&first.to_string())
    }
}

fn by_name() -> Key {
    Key::of(Table::AccountsByName)
}

/// Walks all the pages of the index, with something to do before each.
fn walk(store: &Store, limit: usize, mut before_each: impl FnMut()) -> Vec<Item> {
    let mut all = Vec::new();
    let mut position: Option<Position> = None;
    loop {
        before_each();
        let page = store.read(|tx| tx.page(&by_name(), position.as_ref(), limit));
        let page: Page<Item> = page.unwrap();
        assert!(page.items.len() <= limit);
        assert!(page.items.len() == limit || page.next.is_none());
        all.extend(page.items);
        position = page.next;
        if position.is_none() {
            return all;
        }
    }
}

fn stores() -> impl Iterator<Item = (Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(&folder.path().join("store")).unwrap();
    let memory = (Store::over(Arc::new(Memory::default())), None);
    [memory, (Store::over(Arc::new(embedded)), Some(folder))].into_iter()
}

/// An engine that counts the writing transactions that begin on it.
#[derive(Debug, Default)]
struct Counted {
    memory: Memory,
    writes: AtomicUsize,
}

impl Engine for Counted {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        self.writes.fetch_add(usize::from(access == Access::Write), Ordering::SeqCst);
        self.memory.begin(access)
    }
}

#[tokio::test]
async fn a_group_commits_what_succeeds_and_nothing_else() {
    let engine = Arc::new(Counted::default());
    let store = Store::over(Arc::clone(&engine) as _);
    let (go, wait) = mpsc::channel::<()>();
    // The first holds the writer until the others wait, so that they become one group.
    let (first, failing, panicking, later, ()) = tokio::join!(
        store.write(move |mut tx| {
            wait.recv().ok();
            tx.insert(&Item::new(1, "first"))
        }),
        store.write(|mut tx| {
            tx.insert(&Item::new(2, "failing"))?;
            tx.delete(&Item::new(1, "first"))?;
            tx.update(&Item::new(1, "first"), &Item::new(1, "changed"))?;
            Err::<(), _>(Error::Corrupt("as it should".to_owned()))
        }),
        store.write(|mut tx| -> Result<()> {
            tx.insert(&Item::new(3, "panicking"))?;
            panic!("as it should")
        }),
        store.write(|mut tx| {
            let seen: Option<Item> = tx.get(&Item::key_of(1))?;
            let page: Page<Item> = tx.page(&by_name(), None, 9)?;
            tx.insert(&Item::new(4, "later"))?;
            Ok::<_, Error>((seen, page.items))
        }),
        async { go.send(()).unwrap() },
    );
    first.unwrap();
    assert!(matches!(failing, Err(Error::Corrupt(reason)) if reason == "as it should"));
    assert!(matches!(panicking, Err(Error::Corrupt(reason)) if reason.contains("panicked")));
    let item = Item::new(1, "first");
    assert_eq!(later.unwrap(), (Some(item.clone()), vec![item.clone()]));
    assert_eq!(walk(&store, 9, || ()), [item, Item::new(4, "later")]);
    assert!(engine.writes.load(Ordering::SeqCst) <= 2, "four writes made at most two groups");
}

#[tokio::test]
async fn a_reading_operation_cannot_write() {
    for (store, _folder) in stores() {
        let refused = store.read(|mut tx| tx.insert(&Item::new(1, "no")));
        assert!(matches!(refused, Err(Error::ReadOnly)));
        assert_eq!(walk(&store, 9, || ()), []);
    }
}

#[derive(Clone, Debug)]
enum Change {
    Insert(u32, String),
    Rename(u32, String),
    Delete(u32),
}

fn change() -> impl Strategy<Value = Change> {
    let name = || "[a-c]{0,2}";
    prop_oneof![
        (0..40u32, name()).prop_map(|(id, name)| Change::Insert(id, name)),
        (0..40u32, name()).prop_map(|(id, name)| Change::Rename(id, name)),
        (0..40u32).prop_map(Change::Delete),
    ]
}

/// Applies a change as an operation would, and to a model.
fn apply(tx: &mut Tx<'_>, model: &mut BTreeMap<u32, Item>, change: &Change) -> Result<()> {
    let (Change::Insert(id, _) | Change::Rename(id, _) | Change::Delete(id)) = change;
    let old: Option<Item> = tx.get(&Item::key_of(*id))?;
    assert_eq!(old.as_ref(), model.get(id), "a transaction sees its own writes");
    let is_taken = |name: &str| {
        name.len() == 2 && model.values().any(|item| item.name == *name && item.id != *id)
    };
    match (change, old) {
        (Change::Insert(_, name), None) if is_taken(name) => {
            let refused = tx.insert(&Item::new(*id, name));
            assert!(matches!(refused, Err(Error::Taken(key)) if key == Item::unique_key(name)));
        }
        (Change::Rename(_, name), Some(old)) if is_taken(name) => {
            let refused = tx.update(&old, &Item::new(*id, name));
            assert!(matches!(refused, Err(Error::Taken(key)) if key == Item::unique_key(name)));
        }
        (Change::Insert(id, name), None) => {
            tx.insert(&Item::new(*id, name))?;
            model.insert(*id, Item::new(*id, name));
        }
        (Change::Rename(id, name), Some(old)) => {
            tx.update(&old, &Item::new(*id, name))?;
            model.insert(*id, Item::new(*id, name));
        }
        (Change::Delete(id), Some(old)) => {
            tx.delete(&old)?;
            model.remove(id);
        }
        _ => {}
    }
    check_entries(tx, model)
}

/// Asserts that unique keys lead to the items that have them, and that marks are there for those
/// that are so.
fn check_entries(tx: &Tx<'_>, model: &BTreeMap<u32, Item>) -> Result<()> {
    for first in ["a", "b", "c"] {
        for second in ["a", "b", "c"] {
            let name = format!("{first}{second}");
            let found: Option<Item> = tx.find(&Item::unique_key(&name))?;
            assert_eq!(found.as_ref(), model.values().find(|item| item.name == name));
        }
        let marked = tx.any(&Item::mark_key(first.chars().next().unwrap()))?;
        assert_eq!(marked, model.values().any(|item| item.name.starts_with(first)));
    }
    Ok(())
}

fn listed(model: &BTreeMap<u32, Item>) -> Vec<Item> {
    let mut items: Vec<_> = model.values().cloned().collect();
    items.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    items
}

fn changed(
    store: &Store,
    model: &mut BTreeMap<u32, Item>,
    changes: &[Change],
    limit: usize,
) -> Result<()> {
    let (mut new, changes) = (model.clone(), changes.to_vec());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    *model = runtime.block_on(store.write(move |mut tx| {
        for change in &changes {
            apply(&mut tx, &mut new, change)?;
        }
        // What is written and not committed shows in its place among what is committed.
        let page: Page<Item> = tx.page(&by_name(), None, limit)?;
        let expected = listed(&new);
        assert_eq!(page.items, expected[..limit.min(expected.len())]);
        assert_eq!(page.next.is_some(), expected.len() > limit);
        Ok::<_, Error>(new)
    }))?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_shows_what_was_there_all_the_time_once(
        begin in proptest::collection::vec(change(), 0..60),
        meanwhile in proptest::collection::vec(proptest::collection::vec(change(), 0..6), 1..12),
        limit in 1..7usize,
    ) {
        for (store, _folder) in stores() {
            let mut model = BTreeMap::new();
            changed(&store, &mut model, &begin, limit).unwrap();
            prop_assert_eq!(walk(&store, limit, || ()), listed(&model));
            let mut all_the_time = listed(&model);
            let mut ever = all_the_time.clone();
            let mut changes = meanwhile.iter();
            let seen = walk(&store, limit, || {
                if let Some(changes) = changes.next() {
                    changed(&store, &mut model, changes, limit).unwrap();
                    all_the_time.retain(|item| model.get(&item.id) == Some(item));
                    ever.extend(model.values().cloned());
                }
            });
            let places: Vec<_> = seen.iter().map(|item| (&item.name, item.id)).collect();
            prop_assert!(places.is_sorted_by(|a, b| a < b), "in order, and no entry twice");
            prop_assert!(all_the_time.iter().all(|item| seen.contains(item)));
            prop_assert!(seen.iter().all(|item| ever.contains(item)));
        }
    }
}
