"""A cluster of three database nodes and two Campanile servers on one machine.

A node is etcd, Patroni and the PostgreSQL that Patroni keeps, as they are on a machine of their own.
"""

import base64
import http.client
import json
import os
import secrets
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from string import Template

from machine import ClusterError, Network, run, send, wait_for

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
POSTGRES = Path("/usr/lib/postgresql/15/bin")
PATRONI = REPOSITORY / ".tools" / "patroni"
# The namespaces take 10.213.NUMBER.0/24. Change it where something else has that.
NETWORK = "10.213"
NODES = {"n1": 11, "n2": 12, "n3": 13}
SERVERS = {"c1": 21, "c2": 22}
SERVER_PORT = 8018
ANSWER_S_MAX = 2
ETCD_S_MAX = 60
# The first node makes the database, and the others copy it; on a busy machine, that is slow.
NODES_S_MAX = 300
SERVER_S_MAX = 60
STOP_S_MAX = 60
# No proxy is between the host and its own namespaces.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url):
    """Returns the status and the text of an answer, None if there is none."""
    try:
        with HTTP.open(url, timeout=ANSWER_S_MAX) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None


def missing():
    """Returns what has to be installed before a cluster can be brought up."""
    programs = ["ip", "unshare", "setpriv", "etcd", str(POSTGRES / "postgres")]
    lacking = [program for program in programs if not shutil.which(program)]
    return lacking if (PATRONI / "bin" / "patroni").exists() else [*lacking, "patroni"]


class Cluster:
    """The cluster of a number. What it is made of has names with the number in it."""

    def __init__(self, number=1):
        self.name = f"campanile-ha{number}"
        self.network = Network(self.name, f"{NETWORK}.{number}", NODES | SERVERS)
        self.folder = Path("/var/lib") / self.name

    def settings(self):
        """Returns the passwords and keys of the cluster."""
        return json.loads((self.folder / "settings.json").read_text())

    def url(self, server):
        return f"http://{self.network.address(server)}:{SERVER_PORT}"

    def create(self, binary):
        """Makes the network, and the folders where they were not kept."""
        self.network.create()
        self.folder.mkdir(mode=0o755, exist_ok=True)
        # The repository may be where only its owner may look.
        shutil.copy2(binary, self.folder / "campanile")
        site = next(PATRONI.glob("lib/python3*/site-packages"))
        shutil.copytree(site, self.folder / "patroni", dirs_exist_ok=True)
        if not (self.folder / "settings.json").exists():
            write_private(self.folder / "settings.json", json.dumps(new_settings(), indent=2))
        for node in NODES:
            self._configure(node)
        for server in SERVERS:
            (self.folder / server).mkdir(exist_ok=True)

    def _configure(self, node):
        folder = self.folder / node
        folder.mkdir(mode=0o700, exist_ok=True)
        # The directory of a database must not be readable by others.
        (folder / "data").mkdir(mode=0o700, exist_ok=True)
        template = Template((HERE / "patroni.yml").read_text())
        values = self.settings() | {
            "name": node,
            "address": self.network.address(node),
            "network": self.network.subnet,
            "etcd": ", ".join(f"{self.network.address(it)}:2379" for it in NODES),
            "bin": POSTGRES,
            "folder": folder,
        }
        write_private(folder / "patroni.yml", template.substitute(values))
        run("chown", "-R", "postgres:postgres", str(folder))

    def start(self, member):
        """Starts what a machine starts when it boots."""
        if member in SERVERS:
            self._start_server(member)
        else:
            self._start_etcd(member)
            self._start_patroni(member)

    def _start_etcd(self, node):
        address, folder = self.network.address(node), self.folder / node
        peers = [f"{it}=http://{self.network.address(it)}:2380" for it in NODES]
        options = {
            "name": node,
            "data-dir": folder / "etcd",
            "listen-client-urls": f"http://{address}:2379",
            "advertise-client-urls": f"http://{address}:2379",
            "listen-peer-urls": f"http://{address}:2380",
            "initial-advertise-peer-urls": f"http://{address}:2380",
            "initial-cluster": ",".join(peers),
            "initial-cluster-token": self.name,
            # Three nodes on one disk, maybe a busy one, must not take each other for dead.
            "heartbeat-interval": 250,
            "election-timeout": 2500,
            "auto-compaction-retention": 1,
            "logger": "zap",
            "log-level": "warn",
        }
        command = ["etcd", *(f"--{name}={value}" for name, value in options.items())]
        self._spawn(node, "etcd", command)

    def _start_patroni(self, node):
        folder = self.folder / node
        command = ["/usr/bin/python3", "-m", "patroni", str(folder / "patroni.yml")]
        environment = {"PYTHONPATH": str(self.folder / "patroni"), "PYTHONUNBUFFERED": "1"}
        self._spawn(node, "patroni", command, environment)

    def _start_server(self, server):
        settings = self.settings()
        environment = {
            # The password is in no command line, which everybody on the machine can read.
            "CAMPANILE_STORE": self.store_url(settings["campanile_password"]),
            "CAMPANILE_MASTER_KEY": settings["master_key"],
            "CAMPANILE_ROOT_ACCESS_KEY_ID": settings["access_key_id"],
            "CAMPANILE_ROOT_SECRET_ACCESS_KEY": settings["secret_access_key"],
            "CAMPANILE_ROOT_AWS_ACCOUNT_ID": settings["aws_account_id"],
        }
        listen = f"{self.network.address(server)}:{SERVER_PORT}"
        # The network is this machine's own: what is on it nobody else can read.
        command = [str(self.folder / "campanile"), "serve", "--listen", listen, "--insecure-http"]
        self._spawn(server, "campanile", command, environment)

    def _spawn(self, member, program, command, environment=None):
        log = self.folder / member / f"{program}.log"
        user = "postgres" if member in NODES else "nobody"
        self.network.spawn(member, command, user, log, environment or {})

    def store_url(self, password):
        hosts = ",".join(self.network.address(node) for node in NODES)
        return f"postgres://campanile:{password}@{hosts}/campanile?target_session_attrs=read-write"

    def wait_for_etcd(self):
        urls = [f"http://{self.network.address(node)}:2379/health" for node in NODES]
        what = f"etcd to be healthy on all nodes ({self.folder}/n*/etcd.log)"
        wait_for(what, ETCD_S_MAX, lambda: all((get(url) or [0])[0] == 200 for url in urls))

    def wait_for_nodes(self, seconds_max=NODES_S_MAX):
        """Waits for a leader, for two standbys that follow it, and for one of them to be synchronous."""
        what = f"a leader, a synchronous standby and another one ({self.folder}/n*/patroni.log)"
        return wait_for(what, seconds_max, self.healthy_leader)

    def wait_for_server(self, server):
        what = f"{server} to be ready ({self.folder}/{server}/campanile.log)"
        wait_for(what, SERVER_S_MAX, lambda: self.is_ready(server))

    def is_ready(self, server):
        return (get(f"{self.url(server)}/health/ready") or [0])[0] == 200

    def node_states(self):
        """Returns what the Patroni of each node says of itself now: nothing where none answers."""
        answers = {node: get(f"http://{self.network.address(node)}:8008/patroni") for node in NODES}
        return {node: json.loads(answer[1]) for node, answer in answers.items() if answer}

    def leader(self):
        """Returns the node that says that it leads, None if there is not exactly one."""
        return leader_of(self.node_states())

    def healthy_leader(self):
        """Returns the leader if it has all that it should have, and None if not."""
        states = self.node_states()
        leader = leader_of(states)
        if leader is None or any(states.get(node, {}).get("state") != "running" for node in NODES):
            return None
        # What PostgreSQL says of its standbys, and not what Patroni remembers of them.
        standbys = states[leader].get("replication", [])
        following = {it["application_name"] for it in standbys if it["state"] == "streaming"}
        synchronous = [
            it
            for it in standbys
            if it["sync_state"] == "sync" and states[it["application_name"]].get("sync_standby")
        ]
        return leader if following == set(NODES) - {leader} and synchronous else None

    def create_database(self, leader):
        """Makes Campanile's role and database, if they are not there yet."""
        if self.psql(leader, "SELECT 1 FROM pg_database WHERE datname = 'campanile'").strip():
            return
        password = self.settings()["campanile_password"]
        self.psql(leader, f"CREATE ROLE campanile LOGIN PASSWORD '{password}'")
        # A server that starts looks whether the standbys are there.
        self.psql(leader, "GRANT pg_read_all_stats TO campanile")
        self.psql(leader, "CREATE DATABASE campanile OWNER campanile")

    def psql(self, node, statement, database="postgres"):
        """Runs a statement as the superuser, and returns its rows. The statement may hold a secret."""
        socket = f"host={self.folder / node} user=postgres dbname={database}"
        command = [str(POSTGRES / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", socket]
        return run("runuser", "-u", "postgres", "--", *command, text=statement)

    def patronictl(self, *arguments):
        """Returns the command line of patronictl, which asks any node's etcd."""
        config = self.folder / "n1" / "patroni.yml"
        return [str(PATRONI / "bin" / "patronictl"), "-c", str(config), *arguments]

    def stop(self):
        """Stops everything in order, so that the data can be used again."""
        for server in SERVERS:
            self._terminate(server, "campanile")
        for node in NODES:
            self._terminate(node, "patroni")
        for node in NODES:
            self._terminate(node, "etcd")

    def _terminate(self, member, word):
        """Tells a program to stop, and waits until it has."""

        def running():
            pids = self.network.processes(member)
            return [pid for pid in pids if word in command_line(pid)]

        for pid in running():
            send(pid, signal.SIGTERM)
        wait_for(f"{word} of {member} to stop", STOP_S_MAX, lambda: not running())

    def remove(self, keep_data=False):
        """Takes down all that there is of the cluster, however much that is."""
        self.network.remove()
        if not keep_data:
            shutil.rmtree(self.folder, ignore_errors=True)


def leader_of(states):
    leaders = [node for node, state in states.items() if state.get("role") == "primary"]
    return leaders[0] if len(leaders) == 1 else None


def command_line(pid):
    """Returns the words of the command that a process is, without the folders of programs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [Path(word).name for word in words]


def new_settings():
    return {
        "superuser_password": secrets.token_urlsafe(24),
        "replication_password": secrets.token_urlsafe(24),
        "rewind_password": secrets.token_urlsafe(24),
        "campanile_password": secrets.token_urlsafe(24),
        "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "access_key_id": "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode(),
        "secret_access_key": secrets.token_urlsafe(30),
        "aws_account_id": f"{secrets.randbelow(10**12):012}",
    }


def write_private(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
