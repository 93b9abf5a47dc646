"""That the failover test fails where it must."""

import pytest
from verdict import Acknowledged, stalls, wrong_accounts, wrong_calls

ACKNOWLEDGED = [Acknowledged(1.0, 0, "a", "id-a"), Acknowledged(2.0, 1, "b", "id-b")]
ATTEMPTED = {"a", "b", "c"}
FOUND = [("id-a", "a"), ("id-b", "b")]


def test_nothing_is_wrong_where_all_is_there():
    assert wrong_accounts(ACKNOWLEDGED, ATTEMPTED, FOUND) == []


def test_a_write_that_nobody_was_told_of_may_be_there_once():
    assert wrong_accounts(ACKNOWLEDGED, ATTEMPTED, [*FOUND, ("id-c", "c")]) == []


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (FOUND[:1], "lost: b, acknowledged as id-b"),
        ([("id-a", "a"), ("id-x", "b")], "lost: b, acknowledged as id-b"),
        ([("id-a", "b"), ("id-b", "a")], "lost: a, acknowledged as id-a"),
        ([*FOUND, ("id-2", "b")], "doubled: b is there 2 times"),
        ([*FOUND, ("id-1", "c"), ("id-2", "c")], "doubled: c is there 2 times"),
        ([*FOUND, FOUND[0]], "listed twice: id-a"),
        ([*FOUND, ("id-d", "d")], "nobody asked for d"),
    ],
)
def test_what_is_wrong_is_named(found, wrong):
    assert wrong in wrong_accounts(ACKNOWLEDGED, ATTEMPTED, found)


def test_an_id_is_not_given_to_two():
    twice = [*ACKNOWLEDGED, Acknowledged(3.0, 1, "c", "id-b")]
    assert "acknowledged twice: id-b" in wrong_accounts(twice, ATTEMPTED, FOUND)


def test_only_the_last_call_of_each_writer_may_be_open():
    assert wrong_calls(ACKNOWLEDGED, ATTEMPTED, 1) == []
    assert wrong_calls(ACKNOWLEDGED, {*ATTEMPTED, "d"}, 1) == ["2 calls were given up"]


def test_stalls_are_of_the_fault_before_them():
    times = [(1, 0), (2, 1), (3, 0), (9, 1), (10, 0), (11, 1)]
    told = [Acknowledged(float(at), writer, f"{at}", f"{at}") for at, writer in times]
    # Nobody was told anything from 4 to 9, and writer 0 nothing until the next fault.
    assert stalls(told, [4.0, 9.5], 11.5) == [(5.0, 5.5), (1.0, 1.5)]
