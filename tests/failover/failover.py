"""Shows that no acknowledged write is lost, whatever happens to the machines of deploy/postgres-ha:

    python failover.py [--acknowledged COUNT] [--rounds COUNT] [--sabotage delete|asynchronous]

Brings up the cluster, lets 8 writers create accounts through both Campanile servers while faults happen
to it one after the other, and then looks for every account that a client was told of: through both
servers, and in all three databases. It needs root, and what tests/setup.sh postgres_ha installs.

With `--sabotage` it does what must make it fail: it deletes one acknowledged account, or turns
synchronous replication off and loses what the replicas do not have yet.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "postgres-ha"), str(REPOSITORY / "tests" / "clients")]

from cluster import NODES, SERVERS, Cluster  # noqa: E402
from faults import FAULTS, Fault, outrun_replicas  # noqa: E402
from machine import ClusterError, wait_for  # noqa: E402
from server import LOGS, binary, note_secret  # noqa: E402
from verdict import stalls, wrong_accounts, wrong_calls  # noqa: E402
from writers import Writers, listed, new_client  # noqa: E402

WRITERS = 8
# Writes between faults, at the least.
BETWEEN_MIN = 300
# How long the next so many writes may take: a tenth of the slowest rate that was seen.
WRITE_S_MAX = 0.1
SAME_S_MAX = 120
SHOWN_MAX = 10
# What the databases hold, as a number that does not depend on the order of rows.
DIGEST = """
    SELECT count(*), coalesce(sum(hashtextextended(encode(key, 'hex') || encode(value, 'hex'), 0)), 0)
    FROM entries
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--acknowledged", type=int, default=BETWEEN_MIN * (len(FAULTS) + 1))
    parser.add_argument("--rounds", type=int, default=1, help="how often each fault happens")
    parser.add_argument("--sabotage", choices=["delete", "asynchronous"])
    return parser.parse_args()


def free_number():
    """Returns the number of a cluster that nobody has, and that another run would not take next."""
    first = 2 + os.getpid() % 200
    return next(it for it in range(first, 251) if not Cluster(it).network.exists())


def script(name, number, *options):
    command = [str(REPOSITORY / "deploy" / "postgres-ha" / name), "--number", str(number), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def note_secrets(settings):
    note_secret("MasterKey", settings["master_key"])
    note_secret("RootSecretAccessKey", settings["secret_access_key"])
    for name in settings:
        if name.endswith("_password"):
            note_secret("DatabasePassword", settings[name])


class Run:
    """A run of writers against a cluster that is up."""

    def __init__(self, cluster, arguments):
        self.cluster = cluster
        self.arguments = arguments
        self.settings = cluster.settings()
        self.urls = [cluster.url(server) for server in SERVERS]
        self.writers = Writers(self.urls, self.settings, WRITERS)
        self.begins, self.wrong = [], []

    def write(self):
        """Lets the writers write, and the faults happen."""
        is_outrun = self.arguments.sabotage == "asynchronous"
        faults = [outrun_replicas] if is_outrun else FAULTS * self.arguments.rounds
        between = max(BETWEEN_MIN, self.arguments.acknowledged // (len(faults) + 1))
        self.writers.start()
        try:
            for fault in faults:
                self._wait_for_writes(between)
                self._happen(fault)
            self._wait_for_writes(between)
            self._wait_for_writes(self.arguments.acknowledged - self.writers.count())
        except ClusterError as error:
            self.wrong.append(str(error))
        finally:
            self.end = time.monotonic()
            self.writers.stop()

    def _wait_for_writes(self, count):
        writers = self.writers
        goal = writers.count() + count

        def are_enough():
            if writers.forbidden:
                raise ClusterError("a client saw what it must not see")
            return writers.count() >= goal

        wait_for(f"{count} further writes", 60 + max(count, 0) * WRITE_S_MAX, are_enough)

    def _happen(self, fault):
        leader = self.cluster.wait_for_nodes()
        begin = time.monotonic()
        self.begins.append((fault.__doc__, begin))
        fault(Fault(self.cluster, self.writers.count), leader)
        leader = self.cluster.wait_for_nodes()
        count, seconds = self.writers.count(), time.monotonic() - begin
        say(f"{fault.__doc__}: healthy again after {seconds:.0f} s, {leader} leads; {count} writes")

    def sabotage(self):
        """Removes an acknowledged write on purpose."""
        if self.arguments.sabotage == "delete":
            victim = self.writers.acknowledged[len(self.writers.acknowledged) // 2]
            new_client(self.urls[0], self.settings).delete_account(AccountId=victim.account_id)

    def check(self):
        """Looks for what was acknowledged, and for what must not be."""
        writers = self.writers
        self.wrong += [f"seen by a client: {it}" for it in writers.forbidden]
        self.wrong += wrong_calls(writers.acknowledged, writers.attempted, WRITERS)
        self.cluster.wait_for_nodes()
        for server, url in zip(SERVERS, self.urls, strict=True):
            self.cluster.wait_for_server(server)
            found = listed(url, self.settings)
            wrong = wrong_accounts(self.writers.acknowledged, self.writers.attempted, found)
            self.wrong += [f"{server}: {it}" for it in wrong]
            say(f"{server} lists {len(found)} accounts")
        for server in SERVERS:
            log = (self.cluster.folder / server / "campanile.log").read_text(errors="replace")
            self.wrong += [f"{server}: {line}" for line in log.splitlines() if "panicked" in line]
        self._compare_databases()

    def _compare_databases(self):
        """Checks that the databases hold the same, when nobody writes any more."""
        for server in SERVERS:
            self.cluster.network.kill(server)

        def same():
            digests = {self.cluster.psql(node, DIGEST, "campanile") for node in NODES}
            return digests.pop() if len(digests) == 1 else None

        try:
            count = wait_for("all databases to hold the same", SAME_S_MAX, same).split("|")[0]
            say(f"{', '.join(NODES)} hold the same {count} entries")
        except ClusterError as error:
            self.wrong.append(str(error))

    def report(self):
        writers = self.writers
        begins = [begin for _, begin in self.begins]
        print(f"\n{len(writers.acknowledged)} writes acknowledged of {len(writers.attempted)}")
        for name, count in sorted(writers.errors.items()):
            print(f"  {count:6} {name}")
        print("longest without a write acknowledged: to anybody, to one writer")
        found = stalls(writers.acknowledged, begins, self.end)
        for name in dict(self.begins):
            of_fault = [it for (other, _), it in zip(self.begins, found, strict=True) if other == name]
            all_s, one_s = map(max, zip(*of_fault, strict=True))
            print(f"  {all_s:6.1f} s {one_s:6.1f} s  {len(of_fault)} times {name}")
        for line in self.wrong[:SHOWN_MAX]:
            print(f"WRONG: {line}")
        print(f"{len(self.wrong)} wrong")


def say(text):
    print(text, flush=True)


def keep_logs(cluster):
    """Keeps what the members said, for the search that ends a run of all tests."""
    if os.environ.get(LOGS):
        for log in cluster.folder.glob("*/*.log"):
            kept = Path(os.environ[LOGS]) / "servers" / f"{cluster.name}-{log.parent.name}-{log.name}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, kept)


def left_behind(cluster):
    """Returns what is there of a cluster that was taken down."""
    paths = [cluster.folder, Path("/sys/class/net", cluster.name)]
    paths += Path("/run/netns").glob(f"{cluster.name}-*")
    left = [str(path) for path in paths if path.exists()]
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{cluster.folder}/".encode() in line.read_bytes():
                left.append(str(line))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return left


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("failover.py was told to stop"))
    number = free_number()
    cluster = Cluster(number)
    try:
        script("up", number, "--campanile", binary())
        note_secrets(cluster.settings())
        run = Run(cluster, arguments)
        run.write()
        run.sabotage()
        run.check()
    finally:
        try:
            keep_logs(cluster)
        finally:
            script("down", number)
    run.wrong += [f"left behind by down: {it}" for it in left_behind(cluster)]
    run.report()
    sys.exit(bool(run.wrong))


if __name__ == "__main__":
    main()
