//! What every engine must do, asked of each of them.

mod store;

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
    if let Some(postgres) = postgres::tests::engine() {
        check(&postgres);
    }
}

fn put(engine: &dyn Engine, entries: &[(&[u8], &[u8])]) {
    let entries = entries.iter().map(|(key, value)| (key.to_vec(), Some(value.to_vec())));
    commit(engine, &entries.collect());
}

fn commit(engine: &dyn Engine, batch: &Batch) {
    again(|| engine.begin(Access::Write)?.commit(batch)).unwrap();
}

/// Runs a transaction until it was in nobody's way.
fn again<T>(mut transaction: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match transaction() {
            Err(Error::Again(_)) => {}
            outcome => return outcome,
        }
    }
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
        // Nothing that an index could make shorter.
        let long_key: Vec<u8> =
            (0..KEY_BYTES_MAX).map(|byte| 255 - (byte * byte / 7).to_le_bytes()[0] / 8).collect();
        let long_value: Vec<u8> = (0..1 << 20).map(|byte: u32| byte.to_le_bytes()[1]).collect();
        put(engine, &[(b"", b"under the empty key"), (b"a", b""), (&long_key, &long_value)]);
        assert_eq!(get(engine, b"").unwrap(), b"under the empty key");
        assert_eq!(get(engine, b"a").unwrap(), b"");
        assert_eq!(get(engine, &long_key).unwrap(), long_value);
        assert_eq!(keys(engine, b"", &[255; 9], 9), [vec![], b"a".to_vec(), long_key]);
        let too_long = Batch::from([(vec![b'm'; KEY_BYTES_MAX + 1], Some(vec![]))]);
        let refused = engine.begin(Access::Write).unwrap().commit(&too_long);
        assert!(matches!(refused, Err(Error::Unavailable(_))));
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
fn what_is_counted_and_fetched_is_what_is_there() {
    on_every_engine(|engine| {
        let all: Vec<_> = (0..700u16).map(u16::to_be_bytes).collect();
        put(engine, &all.iter().map(|key| (&key[..], &key[1..])).collect::<Vec<_>>());
        for access in [Access::Read, Access::Write] {
            let transaction = engine.begin(access).unwrap();
            let range = KeyRange { start: vec![0, 10], end: vec![9] };
            let count = |max| transaction.count(&range, max).unwrap();
            assert_eq!((count(0), count(501), count(690), count(999)), (0, 501, 690, 690));
            let none = KeyRange { start: vec![9], end: vec![1] };
            assert_eq!(transaction.count(&none, 9).unwrap(), 0);
            transaction.fetch(vec![vec![0, 1], vec![9, 9], vec![0, 1]]).unwrap();
            transaction.fetch(Vec::new()).unwrap();
            assert_eq!(transaction.get(&[0, 1]).unwrap(), Some(vec![1]));
            assert_eq!(transaction.get(&[0, 2]).unwrap(), Some(vec![2]));
            assert_eq!(transaction.get(&[9, 9]).unwrap(), None);
            let keys = || vec![vec![1, 1], vec![9, 8]];
            let scan = |limit| transaction.scan(&range, limit).unwrap();
            for limit in [0, 3] {
                transaction.fetch_beside(keys(), &range, limit).unwrap();
                assert_eq!(transaction.get(&[1, 1]).unwrap(), Some(vec![1]));
                assert_eq!(transaction.get(&[9, 8]).unwrap(), None);
                assert_eq!((scan(3).len(), scan(2).len(), scan(9).len()), (3, 2, 9));
                assert_eq!(scan(limit.max(1))[0], (vec![0, 10], vec![10]));
            }
            transaction.fetch_beside(keys(), &none, 9).unwrap();
            assert_eq!(transaction.scan(&none, 9).unwrap(), []);
            transaction.finish().unwrap();
        }
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
                let looked = || {
                    let transaction = engine.begin(Access::Read)?;
                    let mut seen = vec![transaction.get(&keys[7])?.unwrap()];
                    let range = KeyRange { start: vec![0], end: vec![99] };
                    seen.extend(transaction.scan(&range, 99)?.into_iter().map(|(_, value)| value));
                    seen.push(transaction.get(&keys[0])?.unwrap());
                    transaction.finish()?;
                    Ok(seen)
                };
                let seen = again(looked).unwrap();
                assert!(seen.iter().all(|value| *value == seen[0]), "{seen:?}");
                assert!(seen[0][0] >= last, "what was seen once is not taken back");
                last = seen[0][0];
            }
        });
        assert_eq!(get(engine, &keys[3]).unwrap(), [99]);
    });
}

fn count_one(engine: &dyn Engine) -> Result<()> {
    let transaction = engine.begin(Access::Write)?;
    let count = transaction.get(b"count")?.map_or(0, |value| value[0]);
    transaction.commit(&Batch::from([(b"count".to_vec(), Some(vec![count + 1]))]))
}

#[test]
fn writing_transactions_are_serial() {
    on_every_engine(|engine| {
        let count = || get(engine, b"count").map_or(0, |value| value[0]);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        again(|| count_one(engine)).unwrap();
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
        let postgres = postgres::tests::engine();
        for step in &steps {
            let others = |embedded| {
                let postgres = postgres.as_ref().map(|it| it as &dyn Engine);
                [Some(embedded as &dyn Engine), postgres].into_iter().flatten()
            };
            match step {
                Step::Commit(batch) => {
                    commit(&memory, batch);
                    others(&embedded).for_each(|other| commit(other, batch));
                }
                Step::Get(key) => {
                    let expected = get(&memory, key);
                    prop_assert!(others(&embedded).all(|other| get(other, key) == expected));
                }
                Step::Scan(KeyRange { start, end }, limit) => {
                    let expected = scan(&memory, start, end, *limit);
                    let same = |other| scan(other, start, end, *limit) == expected;
                    prop_assert!(others(&embedded).all(same));
                }
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
        let all = |engine: &dyn Engine| scan(engine, b"", &[255; 4], 999);
        prop_assert_eq!(all(&memory), all(&embedded));
        prop_assert!(postgres.is_none_or(|postgres| all(&memory) == all(&postgres)));
    }
}
