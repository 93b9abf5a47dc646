//! Copies that are cut off anywhere, meet something else, or go wrong: what is found, and what is left.

use super::*;
use crate::store::embedded::Embedded;
use crate::store::{Access, KeyRange, Memory, Tx};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

const DEPLOYMENT: [u8; 1] = [Table::Deployment as u8];
const SMALL: Limits = Limits { page_entries_max: 3, batch_entries_max: 4, batch_bytes_enough: 64 };

/// What becomes of a commit.
#[derive(Clone)]
enum Fate {
    Committed,
    Lost(Error),
    AnswerLost(Error),
}

/// An engine that decides on each of its commits, by its number.
struct Failing<'a> {
    engine: &'a dyn Engine,
    commits: AtomicUsize,
    fate: &'a (dyn Fn(usize) -> Fate + Sync),
}

struct FailingTransaction<'a> {
    transaction: Box<dyn Transaction + 'a>,
    engine: &'a Failing<'a>,
}

impl fmt::Debug for Failing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}

impl Engine for Failing<'_> {
    fn begin(&self, access: Access) -> Result<Box<dyn Transaction + '_>> {
        let transaction = self.engine.begin(access)?;
        Ok(Box::new(FailingTransaction { transaction, engine: self }))
    }
}

impl Transaction for FailingTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.transaction.get(key)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.transaction.scan(range, limit)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.transaction.finish()
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        let number = self.engine.commits.fetch_add(1, Ordering::SeqCst);
        match (self.engine.fate)(number) {
            Fate::Committed => self.transaction.commit(batch),
            Fate::Lost(error) => Err(error),
            Fate::AnswerLost(error) => self.transaction.commit(batch).and(Err(error)),
        }
    }
}

/// Copies to an engine whose commits meet their fates.
fn copied_to_failing(
    from: &dyn Engine,
    to: &dyn Engine,
    fate: &(dyn Fn(usize) -> Fate + Sync),
) -> Result<Copied, CopyError> {
    copied(from, &Failing { engine: to, commits: AtomicUsize::new(0), fate })
}

/// A process that ends at its commit of a number, before or after the engine has applied it.
fn ends_at(last: usize, is_applied: bool) -> impl Fn(usize) -> Fate {
    let gone = Error::Unavailable("cut off".to_owned());
    move |number| match number.cmp(&last) {
        cmp::Ordering::Less => Fate::Committed,
        cmp::Ordering::Equal if is_applied => Fate::AnswerLost(gone.clone()),
        _ => Fate::Lost(gone.clone()),
    }
}

fn put(engine: &dyn Engine, entries: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) {
    engine.begin(Access::Write).unwrap().commit(&entries.into_iter().collect()).unwrap();
}

fn filled(entries: &Entries) -> Memory {
    let memory = Memory::default();
    put(&memory, entries.iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
    memory
}

/// A source of so many entries beside its deployment.
fn source(count: u8) -> Memory {
    let mut entries = Entries::from([(DEPLOYMENT.to_vec(), b"secrets".to_vec())]);
    entries.extend((0..count).map(|number| (vec![6, number], vec![number; 9])));
    filled(&entries)
}

fn all(engine: &dyn Engine) -> Entries {
    let range = KeyRange { start: Vec::new(), end: vec![255; 9] };
    engine.begin(Access::Read).unwrap().scan(&range, 1 << 20).unwrap().into_iter().collect()
}

fn copied(from: &dyn Engine, to: &dyn Engine) -> Result<Copied, CopyError> {
    copy(from, to, SMALL, &mut |_| {})
}

/// Copies until the destination fails at its commit of this number.
fn cut_off(from: &dyn Engine, to: &dyn Engine, commits: usize) {
    let error = copied_to_failing(from, to, &ends_at(commits, false)).unwrap_err();
    assert!(error.can_go_on(), "{error}");
}

/// Asserts that a copy is refused with these words, and changes nothing.
fn assert_refused(from: &dyn Engine, to: &dyn Engine, words: &str) {
    let before = (all(from), all(to));
    let error = copied(from, to).unwrap_err();
    assert!(error.to_string().contains(words), "no '{words}' in '{error}'");
    assert!(!error.can_go_on(), "{error}");
    assert!((all(from), all(to)) == before, "something was changed");
}

fn arbitrary() -> impl Strategy<Value = Entries> {
    // Few bytes, so that keys begin each other; and those at the ends of the ranges.
    let byte = prop_oneof![Just(0), Just(6), Just(31), Just(254), Just(255), any::<u8>()];
    let key = proptest::collection::vec(byte, 0..4);
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    proptest::collection::btree_map(key, value, 0..60).prop_map(|mut entries| {
        entries.remove(Note::KEY.as_slice());
        entries.insert(DEPLOYMENT.to_vec(), b"secrets".to_vec());
        entries
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_copy_that_is_cut_off_anywhere_goes_on_and_is_the_same(
        entries in arbitrary(),
        cuts in proptest::collection::vec((0..5_usize, any::<bool>()), 0..8),
        kind in 0..3,
    ) {
        let (from, folder) = (filled(&entries), tempfile::tempdir().unwrap());
        let to: Box<dyn Engine> = match (kind, (kind == 2).then(postgres::tests::engine)) {
            (_, Some(Some(postgres))) => Box::new(postgres),
            (1, _) => Box::new(Embedded::open(&folder.path().join("store")).unwrap()),
            _ => Box::new(Memory::default()),
        };
        let mut so_far = 0;
        for (last, is_applied) in cuts {
            match copied_to_failing(&from, to.as_ref(), &ends_at(last, is_applied)) {
                Ok(copied) => {
                    prop_assert!(copied.entries_before >= so_far);
                    so_far = copied.entries;
                }
                Err(error) => prop_assert!(error.can_go_on(), "{}", error),
            }
            let found = all(to.as_ref());
            let is_noted = found.contains_key(Note::KEY.as_slice());
            let is_whole = found == entries;
            prop_assert!(is_noted || is_whole || found.is_empty(), "neither copy nor nothing");
            prop_assert_eq!(is_incomplete(to.as_ref()), is_noted);
            let taken = (found.len() - usize::from(is_noted)) as u64;
            prop_assert!(taken >= so_far, "what was copied stays");
            so_far = taken;
        }
        let copied = copied(&from, to.as_ref()).unwrap();
        prop_assert_eq!(copied.entries_before, so_far);
        prop_assert_eq!(copied.entries, entries.len() as u64);
        prop_assert_eq!(copied.source_digest, copied.destination_digest);
        prop_assert!(all(to.as_ref()) == entries);
        prop_assert!(!is_incomplete(to.as_ref()));
    }
}

fn is_incomplete(engine: &dyn Engine) -> bool {
    let transaction = engine.begin(Access::Read).unwrap();
    refuse_incomplete(&Tx::reading(transaction.as_ref())).is_err()
}

/// As on a database that fails over meanwhile.
#[test]
fn commits_that_are_lost_or_whose_answers_are_lost_are_made_once() {
    let again = || Error::Again("the connection was lost".to_owned());
    let unknown = || Error::Unknown("the connection was lost".to_owned());
    let fates = [
        Fate::AnswerLost(unknown()),
        Fate::Lost(again()),
        Fate::Lost(unknown()),
        Fate::Committed,
        Fate::AnswerLost(unknown()),
    ];
    let (from, to) = (source(20), Memory::default());
    let fate = |number: usize| fates[number % fates.len()].clone();
    let copied = copied_to_failing(&from, &to, &fate).unwrap();
    assert_eq!((copied.entries_before, copied.entries), (0, 21));
    assert!(all(&to) == all(&from));
    let lost = |_| Fate::Lost(again());
    let error = copied_to_failing(&from, &Memory::default(), &lost).unwrap_err();
    assert!(error.can_go_on(), "not for ever: {error}");
}

#[test]
fn large_entries_go_in_commits_of_their_own() {
    let mut entries = Entries::from([(DEPLOYMENT.to_vec(), b"secrets".to_vec())]);
    entries.extend((0..5).map(|number| (vec![6, number], vec![number; 1 << 20])));
    let (from, to) = (filled(&entries), Memory::default());
    let limits = Limits { batch_bytes_enough: 2 << 20, ..LIMITS };
    let mut seen = Vec::new();
    copy(&from, &to, limits, &mut |progress| {
        if progress.stage == Stage::Copying {
            seen.push(progress.entries);
        }
    })
    .unwrap();
    assert_eq!(seen, [0, 3, 5, 6], "two large ones reach the limit");
    assert!(all(&to) == entries);
}

#[test]
fn only_what_was_begun_is_gone_on_with() {
    let from = source(20);
    assert_refused(&Memory::default(), &Memory::default(), "no server was ever started");
    assert_refused(&filled(&Entries::from([(vec![6], vec![])])), &Memory::default(), "no server");
    assert_refused(&from, &filled(&Entries::from([(vec![6, 1], vec![1; 9])])), "holds something");
    assert_refused(&from, &filled(&Entries::from([(vec![255], vec![])])), "holds something");
    let other = Entries::from([(DEPLOYMENT.to_vec(), b"others".to_vec())]);
    assert_refused(&from, &filled(&other), "holds something already");

    let to = Memory::default();
    cut_off(&from, &to, 2);
    assert_refused(&filled(&other), &to, "begun from another source");
    assert_refused(&to, &Memory::default(), "itself a copy that is not complete");
}

#[test]
fn a_complete_copy_is_compared_again_and_one_that_went_on_by_itself_is_left() {
    let (from, to) = (source(20), Memory::default());
    let first = copied(&from, &to).unwrap();
    assert_eq!((first.entries_before, first.entries), (0, 21));
    let again = copied(&from, &to).unwrap();
    assert_eq!((again.entries_before, again.source_digest), (21, first.source_digest));
    put(&to, [(vec![6, 99], Some(b"new".to_vec()))]);
    assert_refused(&from, &to, "holds something already");
}

#[test]
fn a_source_that_changed_meanwhile_is_not_called_copied() {
    // Memory lets nobody write while it is read.
    let folder = tempfile::tempdir().unwrap();
    let source_in = |name: &str| {
        let engine = Embedded::open(&folder.path().join(name)).unwrap();
        put(&engine, all(&source(20)).into_iter().map(|(key, value)| (key, Some(value))));
        engine
    };
    let change = |from: &Embedded| put(from, [(vec![6, 1], Some(b"changed".to_vec()))]);
    // Between two calls.
    let (from, to) = (source_in("between"), Memory::default());
    cut_off(&from, &to, 2);
    change(&from);
    assert_refused(&from, &to, "the source was changed");
    // While it is read, and after that.
    for entries in [0, 21] {
        let (from, to) = (source_in(&format!("after {entries}")), Memory::default());
        let error = copy(&from, &to, SMALL, &mut |progress| {
            if progress.stage == Stage::Copying && progress.entries == entries {
                change(&from);
            }
        })
        .unwrap_err();
        assert!(matches!(error, CopyError::SourceChanged), "{error}");
        assert!(is_incomplete(&to));
        assert_refused(&from, &to, "the source was changed");
    }
}

#[test]
fn a_difference_is_found_and_named_by_its_table() {
    let other = || Some(b"other".to_vec());
    let changes = [
        (6, vec![6, 7], other()),
        (6, vec![6, 19], None),
        (5, vec![5, 1], other()),
        (255, vec![255, 1], other()),
        (1, vec![1], None),
    ];
    for (table, key, value) in changes {
        let (from, to) = (source(20), Memory::default());
        // All is copied and noted; only the last commit is missing.
        cut_off(&from, &to, 6);
        put(&to, [(key, value)]);
        assert_refused(&from, &to, &format!("first difference is in table {table}."));
        assert!(is_incomplete(&to));
    }
}

#[test]
fn two_copies_to_one_place_do_not_mix() {
    let (from, to) = (source(20), Memory::default());
    let mut is_disturbed = false;
    let error = copy(&from, &to, SMALL, &mut |progress| {
        if progress.stage == Stage::Copying && progress.entries > 4 && !is_disturbed {
            is_disturbed = true;
            copied(&from, &to).unwrap();
        }
    })
    .unwrap_err();
    assert!(matches!(error, CopyError::Disturbed), "{error}");
    assert!(all(&to) == all(&from), "the one that was faster is complete");
}
