"""What must be true at the end, and how long clients waited. Nothing here knows the cluster."""

from collections import Counter
from typing import NamedTuple


class Acknowledged(NamedTuple):
    """A write that a client was told had succeeded, and when it was told so."""

    at: float
    writer: int
    name: str
    account_id: str


def wrong_accounts(acknowledged, attempted, found):
    """Returns what is wrong with the accounts that were found, as pairs of id and name.

    `attempted` are the names that were asked for, each by one call, however often it was made again. One
    that was not acknowledged may be there, for then its client does not know; but no name may be there
    twice."""
    wrong = []
    names = dict(found)
    lost = [it for it in acknowledged if names.get(it.account_id) != it.name]
    wrong += [f"lost: {it.name}, acknowledged as {it.account_id}" for it in lost]
    counts = Counter(name for _, name in found)
    wrong += [f"doubled: {name} is there {count} times" for name, count in counts.items() if count > 1]
    wrong += [f"listed twice: {account_id}" for account_id in repeated(it for it, _ in found)]
    ids = repeated(it.account_id for it in acknowledged)
    wrong += [f"acknowledged twice: {account_id}" for account_id in ids]
    wrong += [f"nobody asked for {name}" for name in counts.keys() - attempted]
    return wrong


def wrong_calls(acknowledged, attempted, writers):
    """Returns what is wrong with the calls: all are made again until they are acknowledged, but for the
    last of each writer."""
    open_calls = attempted - {it.name for it in acknowledged}
    return [f"{len(open_calls)} calls were given up"] if len(open_calls) > writers else []


def repeated(values):
    return [value for value, count in Counter(values).items() if count > 1]


def stalls(acknowledged, begins, end):
    """Returns for each beginning the longest time, until the next one, in which nobody was told of a
    write, and the longest in which some writer was not."""
    found = []
    writers = {it.writer for it in acknowledged}
    for begin, until in zip(begins, [*begins, end][1:], strict=True):
        window = [it for it in acknowledged if begin < it.at <= until]
        of_each = ([it.at for it in window if it.writer == writer] for writer in writers)
        longest = longest_gap([it.at for it in window], begin, until)
        found.append((longest, max(longest_gap(times, begin, until) for times in of_each)))
    return found


def longest_gap(times, begin, until):
    moments = [begin, *sorted(times), until]
    return max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))
