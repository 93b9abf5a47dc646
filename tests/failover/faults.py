"""What is done to the cluster while clients write.

Each fault begins with a healthy cluster, waits until what it does has taken effect and clients are
served in spite of it, and leaves everything running. The cluster is then healthy again by itself.
"""

import subprocess
import time

from cluster import NODES
from machine import ClusterError, wait_for

PAUSE_S = 30
LEADER_S_MAX = 120
SERVED_S_MAX = 120
# How many further writes show that clients are served.
SERVED_WRITES = 50


class Fault:
    """What the faults have at hand: the cluster, and how many writes were acknowledged."""

    def __init__(self, cluster, count):
        self.cluster = cluster
        self.network = cluster.network
        self.count = count

    def served(self, what):
        goal = self.count() + SERVED_WRITES
        wait_for(f"writes to go on {what}", SERVED_S_MAX, lambda: self.count() >= goal)

    def replaced(self, leader):
        """Waits until another node leads and clients are served by it."""

        def is_replaced():
            return self.cluster.leader() not in (None, leader)

        wait_for(f"another leader than {leader}", LEADER_S_MAX, is_replaced)
        self.served(f"without {leader}")

    def synchronous(self, leader):
        states = self.cluster.node_states()
        return next(it for it in NODES if it != leader and states.get(it, {}).get("sync_standby"))


def kill_leader(fault, leader):
    """kill -9 of the leader node"""
    fault.network.kill(leader)
    fault.replaced(leader)
    fault.cluster.start(leader)


def pause_leader(fault, leader):
    """SIGSTOP of the leader node for 30 s"""
    fault.network.pause(leader)
    end = time.monotonic() + PAUSE_S
    # Time is the fault itself: a node that is gone for longer than its lease, and comes back.
    while time.monotonic() < end:
        time.sleep(0.1)
    if fault.cluster.leader() in (None, leader):
        fault.network.resume(leader)
        raise ClusterError(f"nobody replaced {leader} in the {PAUSE_S} s in which it was stopped")
    fault.network.resume(leader)
    fault.replaced(leader)


def kill_replica(fault, leader):
    """kill -9 of the synchronous replica"""
    replica = fault.synchronous(leader)
    fault.network.kill(replica)
    fault.served(f"without {replica}")
    fault.cluster.start(replica)


def kill_server(fault, _leader):
    """kill -9 of a Campanile server"""
    fault.network.kill("c1")
    fault.served("without c1")
    fault.cluster.start("c1")
    fault.cluster.wait_for_server("c1")


def cut_leader(fault, leader):
    """network of the leader cut"""
    fault.network.cut(leader)
    fault.replaced(leader)
    fault.network.heal(leader)


def switch_over(fault, leader):
    """switchover"""
    replica = fault.synchronous(leader)
    patronictl(fault, "switchover", "--leader", leader, "--candidate", replica, "--force")
    fault.replaced(leader)


def outrun_replicas(fault, leader):
    """loss, on purpose, of the writes that no replica has"""
    config = ["synchronous_mode=false", "synchronous_mode_strict=false"]
    patronictl(fault, "edit-config", *(word for it in config for word in ("--set", it)), "--force")

    def is_off():
        return not fault.cluster.psql(leader, "SHOW synchronous_standby_names").strip()

    wait_for("synchronous replication to be off", LEADER_S_MAX, is_off)
    replicas = [it for it in NODES if it != leader]
    for replica in replicas:
        fault.network.cut(replica)
    fault.served("without replicas")
    fault.network.cut(leader)
    for replica in replicas:
        fault.network.heal(replica)
    fault.replaced(leader)
    fault.network.heal(leader)
    patronictl(fault, "edit-config", "--set", "synchronous_mode=true", "--force")


def patronictl(fault, *arguments):
    finished = subprocess.run(fault.cluster.patronictl(*arguments), capture_output=True, text=True)
    if finished.returncode != 0:
        raise ClusterError(f"patronictl {arguments[0]}: {finished.stdout}{finished.stderr}")


FAULTS = [kill_leader, pause_leader, kill_replica, kill_server, cut_leader, switch_over]
