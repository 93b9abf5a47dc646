//! What the store makes of an engine, asked over each of them.

use super::*;
use crate::metrics::{Format, Look, Metrics};
use std::sync::Arc;

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
        let page = store.read_blocking(|tx| tx.page(&by_name(), position.as_ref(), limit));
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
    let postgres = postgres::tests::engine().map(|it| (Store::over(Arc::new(it)), None));
    [memory, (Store::over(Arc::new(embedded)), Some(folder))].into_iter().chain(postgres)
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
    let (first, failing, panicking, nothing, later, ()) = tokio::join!(
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
        store.write(|tx| tx.any(&by_name())),
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
    assert!(nothing.unwrap());
    let item = Item::new(1, "first");
    assert_eq!(later.unwrap(), (Some(item.clone()), vec![item.clone()]));
    assert_eq!(walk(&store, 9, || ()), [item, Item::new(4, "later")]);
    assert!(engine.writes.load(Ordering::SeqCst) <= 2, "four writes made at most two groups");
    let metrics =
        Metrics::new(store.commits(), "1970-01-01T00:00:00Z".to_owned().try_into().unwrap());
    let counted = metrics.written(Format::Prometheus, Look::default());
    assert!(counted.contains("campanile_store_commit_writes_sum 2"), "two wrote: {counted}");
}

/// Whoever finds out late that a record is there looks for it when it is run again.
#[test]
fn a_record_that_is_not_asked_for_is_inserted_once() {
    for (store, _folder) in stores() {
        let name = |number: u32| format!("{number:02}");
        let insert = |number: u32, id: u32| {
            let unique_key = Item::unique_key(&name(number));
            let item = Item::new(id, &name(number));
            let mut may_be_there = !store.is_shared();
            let inserted = store.write_blocking(move |mut tx| -> Result<u32> {
                if std::mem::replace(&mut may_be_there, true)
                    && let Some(found) = tx.find::<Item>(&unique_key)?
                {
                    return Ok(found.id);
                }
                tx.insert_unasked(&item)?;
                Ok(item.id)
            });
            inserted.unwrap()
        };
        for number in 0..20 {
            let ids = thread::scope(|scope| {
                let one = |id: u32| scope.spawn(move || insert(number, 100 * id + number));
                [1, 2, 3].map(one).map(|inserting| inserting.join().unwrap())
            });
            assert_eq!(ids, [ids[0]; 3]);
            let found = store.read_blocking(|tx| tx.find::<Item>(&Item::unique_key(&name(number))));
            assert_eq!(found.unwrap(), Some(Item::new(ids[0], &name(number))));
        }
        assert_eq!(walk(&store, 9, || ()).len(), 20);
        if !store.is_shared() {
            let taken = store.write_blocking(|mut tx| tx.insert_unasked(&Item::new(999, "00")));
            assert!(matches!(taken, Err(Error::Taken(_))), "{taken:?}");
        }
    }
}

#[test]
fn a_reading_operation_cannot_write() {
    for (store, _folder) in stores() {
        let refused = store.read_blocking(|mut tx| tx.insert(&Item::new(1, "no")));
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
    let (old, changes) = (model.clone(), changes.to_vec());
    *model = store.write_blocking(move |mut tx| {
        let mut new = old.clone();
        for change in &changes {
            apply(&mut tx, &mut new, change)?;
        }
        // What is written and not committed shows in its place among what is committed.
        let page: Page<Item> = tx.page(&by_name(), None, limit)?;
        let expected = listed(&new);
        assert_eq!(page.items, expected[..limit.min(expected.len())]);
        assert_eq!(page.next.is_some(), expected.len() > limit);
        Ok::<_, Error>(new)
    })?;
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

/// An engine that others use, too, and are in everybody's way a number of times.
#[derive(Debug)]
struct Crowded {
    memory: Memory,
    conflicts: AtomicUsize,
}

struct InTheWay<'a> {
    engine: &'a Crowded,
    transaction: Box<dyn Transaction + 'a>,
}

impl Crowded {
    fn store(conflicts: usize) -> Store {
        let conflicts = AtomicUsize::new(conflicts);
        Store::over(Arc::new(Self { memory: Memory::default(), conflicts }))
    }

    fn meet(&self) -> Result<()> {
        let left = self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_or(Ok(()), |_| Err(Error::Again("as it should".to_owned())))
    }
}

impl Engine for Crowded {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let transaction = self.memory.begin(access)?;
        Ok(Box::new(InTheWay { engine: self, transaction }))
    }

    fn shared(&self) -> Option<usize> {
        Some(2)
    }
}

impl Transaction for InTheWay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.transaction.get(key)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.transaction.scan(range, limit)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.engine.meet()?;
        self.transaction.finish()
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        self.engine.meet()?;
        self.transaction.commit(batch)
    }
}

/// Inserts an item, and counts how often that is run.
fn insert_counting(store: &Store, id: u32) -> (Result<()>, usize) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let inserted = store.write_blocking(move |mut tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        tx.insert(&Item::new(id, "crowded"))
    });
    (inserted, runs.load(Ordering::SeqCst))
}

#[test]
fn an_operation_that_meets_others_is_run_again_and_not_for_ever() {
    let store = Crowded::store(5);
    let (inserted, runs) = insert_counting(&store, 1);
    inserted.unwrap();
    assert_eq!(runs, 6);
    assert_eq!(walk(&store, 9, || ()), [Item::new(1, "crowded")]);
    let store = Crowded::store(usize::MAX);
    let (refused, runs) = insert_counting(&store, 1);
    assert!(
        matches!(refused, Err(Error::Unavailable(reason)) if reason.contains("tried 13 times"))
    );
    assert_eq!(runs, 13);
    // What it read counts no more than what it wrote.
    let read = store.read_blocking(|tx| tx.get::<Item>(&Item::key_of(1)));
    assert!(matches!(read, Err(Error::Unavailable(_))));
    let refusal = Error::Corrupt("as it should".to_owned());
    let refused = store.write_blocking(move |_| Err::<(), _>(refusal.clone()));
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}
