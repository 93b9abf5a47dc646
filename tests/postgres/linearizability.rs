//! Whether what clients saw of a register can have been: some order in which each call took effect at one
//! moment between its beginning and its end.
//!
//! The search is that of Wing and Gong, which remembers where it has been in vain as Lowe's does.

use std::collections::HashSet;

/// How many calls a history may have: a bit is kept for each.
const CALLS_MAX: usize = 128;

/// What a client did with a register, and saw of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    Write(u64),
    Read(u64),
}

/// A call, from the moment at which it was made until it was answered. A write of which nobody knows what
/// became has no end: it can take effect at any time, or never.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub begin: u64,
    pub end: Option<u64>,
    pub deed: Deed,
}

/// Tells whether calls are those of a register that began with this value.
pub fn is_linearizable(initial: u64, calls: &[Call]) -> bool {
    assert!(calls.len() <= CALLS_MAX, "a history of {} calls is too long", calls.len());
    let mut been = HashSet::new();
    // The calls that have taken effect, and the value after them.
    let mut open = vec![(0_u128, initial)];
    while let Some((done, value)) = open.pop() {
        if !been.insert((done, value)) {
            continue;
        }
        let left = || calls.iter().enumerate().filter(|(index, _)| done & (1 << index) == 0);
        let Some(first_end) = left().filter_map(|(_, call)| call.end).min() else { return true };
        // Whatever began after another had ended comes after it.
        for (index, call) in left().filter(|(_, call)| call.begin < first_end) {
            match call.deed {
                Deed::Write(written) => open.push((done | 1 << index, written)),
                Deed::Read(read) if read == value => open.push((done | 1 << index, value)),
                Deed::Read(_) => {}
            }
        }
    }
    false
}

fn write(begin: u64, end: u64, value: u64) -> Call {
    Call { begin, end: Some(end), deed: Deed::Write(value) }
}

fn read(begin: u64, end: u64, value: u64) -> Call {
    Call { begin, end: Some(end), deed: Deed::Read(value) }
}

fn lost(begin: u64, value: u64) -> Call {
    Call { begin, end: None, deed: Deed::Write(value) }
}

#[test]
fn what_can_have_been_is_told_from_what_cannot() {
    for (can_be, why, calls) in [
        (true, "nothing happened", vec![]),
        (true, "one after the other", vec![read(1, 2, 0), write(3, 4, 1), read(5, 6, 1)]),
        (false, "a stale read", vec![write(1, 2, 1), read(3, 4, 0)]),
        (false, "a value from nowhere", vec![write(1, 2, 1), read(3, 4, 2)]),
        (
            true,
            "a read beside a write sees either",
            vec![write(1, 9, 1), read(2, 3, 0), read(4, 5, 1)],
        ),
        (false, "and does not go back", vec![write(1, 9, 1), read(2, 3, 1), read(4, 5, 0)]),
        (false, "a lost update", vec![write(1, 2, 1), write(3, 4, 2), read(5, 6, 1)]),
        (
            true,
            "writes at once, in either order",
            vec![write(1, 4, 1), write(2, 3, 2), read(5, 6, 1)],
        ),
        (
            false,
            "two readers who disagree about the order",
            vec![write(1, 9, 1), write(2, 9, 2), read(10, 11, 1), read(12, 13, 2)],
        ),
        (true, "an unknown write that never was", vec![lost(1, 1), read(2, 3, 0)]),
        (true, "an unknown write that was", vec![lost(1, 1), read(2, 3, 1)]),
        (true, "an unknown write that came late", vec![lost(1, 1), read(2, 3, 0), read(4, 5, 1)]),
        (false, "not before it was made", vec![read(1, 2, 1), lost(3, 1)]),
        (
            false,
            "and not twice",
            vec![lost(1, 1), read(2, 3, 1), write(4, 5, 2), read(6, 7, 1), read(8, 9, 1)],
        ),
    ] {
        assert_eq!(is_linearizable(0, &calls), can_be, "{why}");
    }
}
