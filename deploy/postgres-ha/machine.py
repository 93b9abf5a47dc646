"""Network namespaces that stand for machines, and the processes in them.

A member of a cluster is a namespace with an address of its own. All hang on one bridge, which is in a
namespace, too: so neither a firewall of the host nor its routes are between them, and cutting a member's
network is taking down its link. The host is on the bridge by an interface of the cluster's name.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

PAUSE_S = 0.1
# Longer than a process that was killed takes to be gone, also on a busy machine.
GONE_S_MAX = 30


class ClusterError(Exception):
    """What was wrong, and what to do about it."""


def run(*command, text=None):
    """Runs a command that must succeed, and returns what it prints."""
    finished = subprocess.run(command, input=text, capture_output=True, text=True)
    if finished.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {finished.stderr.strip()}")
    return finished.stdout


def wait_for(what, seconds_max, condition):
    """Waits until a condition is true, and returns what it returned."""
    end = time.monotonic() + seconds_max
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise ClusterError(f"waited {seconds_max} s, in vain, for {what}")
        time.sleep(PAUSE_S)


class Network:
    """The bridge of a cluster, and the namespaces on it."""

    def __init__(self, name, prefix, members):
        self.name = name
        self.prefix = prefix
        self.members = members

    @property
    def subnet(self):
        return f"{self.prefix}.0/24"

    def address(self, member):
        return f"{self.prefix}.{self.members[member]}"

    def create(self):
        """Makes the namespaces. That of the bridge is the first: whoever makes it owns the name."""
        taken = run("ip", "-4", "route", "show", "root", self.subnet).strip()
        if taken:
            raise ClusterError(f"{self.subnet} is in use here ({taken}): choose another --number")
        bridge = self.namespace("bridge")
        run("ip", "netns", "add", bridge)
        run("ip", "-n", bridge, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", bridge, "link", "set", "bridge", "up")
        run("ip", "link", "add", self.name, "type", "veth", "peer", "host", "netns", bridge)
        self._plug("host")
        run("ip", "address", "add", f"{self.prefix}.1/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        for member in self.members:
            self._create_member(member)

    def _create_member(self, member):
        space, bridge = self.namespace(member), self.namespace("bridge")
        run("ip", "netns", "add", space)
        run("ip", "-n", bridge, "link", "add", member, "type", "veth", "peer", "eth0", "netns", space)
        self._plug(member)
        run("ip", "-n", space, "address", "add", f"{self.address(member)}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "link", "set", "eth0", "up")

    def _plug(self, end):
        bridge = self.namespace("bridge")
        run("ip", "-n", bridge, "link", "set", end, "master", "bridge", "up")

    def remove(self):
        """Kills what runs in the namespaces, and removes those that there are."""
        there = set(os.listdir("/run/netns")) if Path("/run/netns").exists() else set()
        # That of the bridge is the last, for the same reason that it is the first.
        for member in [*self.members, "bridge"]:
            if self.namespace(member) in there:
                self.kill(member)
                run("ip", "netns", "delete", self.namespace(member))
        # A veth goes with its other end, but not always at once.
        if Path("/sys/class/net", self.name).exists():
            subprocess.run(["ip", "link", "delete", self.name], capture_output=True)

    def exists(self):
        return Path("/run/netns", self.namespace("bridge")).exists()

    def namespace(self, member):
        return f"{self.name}-{member}"

    def cut(self, member):
        """Takes a member's cable out."""
        run("ip", "-n", self.namespace("bridge"), "link", "set", member, "down")

    def heal(self, member):
        run("ip", "-n", self.namespace("bridge"), "link", "set", member, "up")

    def spawn(self, member, command, user, log, environment):
        """Starts a process of a member, which outlives this one and writes to a log.

        The memory that it shares by System V's means is its own, and goes with it."""
        inside = ["ip", "netns", "exec", self.namespace(member), "unshare", "--ipc"]
        groups = ["--init-groups", "--inh-caps=-all", "--no-new-privs"]
        drop = ["setpriv", f"--reuid={user}", f"--regid={run('id', '-gn', user).strip()}", *groups]
        with open(log, "a", encoding="utf-8") as output:
            subprocess.Popen(
                [*inside, *drop, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment},
                start_new_session=True,
            )

    def processes(self, member):
        """Returns the ids of a member's processes."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.namespace(member)).split()]

    def kill(self, member):
        """Kills a member's processes, those included that they start meanwhile."""
        self._signal_until(member, signal.SIGKILL, "end", lambda pid: False)

    def pause(self, member):
        """Stops all of a member's processes where they are."""
        self._signal_until(member, signal.SIGSTOP, "stop", lambda pid: state(pid) in "TZX")

    def resume(self, member):
        self._signal_until(member, signal.SIGCONT, "go on", lambda pid: state(pid) != "T")

    def _signal_until(self, member, number, what, is_done):
        def all_done():
            left = [pid for pid in self.processes(member) if not is_done(pid)]
            for pid in left:
                send(pid, number)
            return not left

        wait_for(f"the processes of {member} to {what}", GONE_S_MAX, all_done)


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def state(pid):
    """Returns the letter that the kernel has for what a process does: X if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
