"""Measures what docs/operations.md says of sizing: how many bytes things take in PostgreSQL, and how
much a server does on each store. `make bench-sizing` runs it. Durable as PostgreSQL is by default."""

import hashlib
import hmac
import importlib.util
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("moving_in", Path(__file__).parent / "import.py")
moving_in = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(moving_in)

THINGS = 100_000
EVENTS = 10_000
ROUNDS = 3
SECONDS = 3
READING_CONNECTIONS = 32
WRITING_CONNECTIONS = 64
STORE_CONNECTIONS = [2, 4, 8, 16, 32]
ROOT = moving_in.ROOT
ENVIRONMENT = {**os.environ, **ROOT, "CAMPANILE_MASTER_KEY": "TU1N" * 10 + "TU0="}
NO_RATES = [
    word for kind in ["caller", "account"] for what in ["reads", "writes"]
    for word in [f"--rate-{kind}-{what}", "0"]
]


class Postgres:
    """A database server in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.owner = []
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
            self.owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.run("initdb", "-D", folder / "data", "-U", "bench", "-E", "UTF8", "--locale=C",
                 "--auth=trust")
        options = f"-c listen_addresses= -c unix_socket_directories={folder}"
        self.run("pg_ctl", "start", "-D", folder / "data", "-s", "-w", "-l", folder / "log", "-o",
                 options)

    def run(self, program, *arguments):
        found = f"/usr/lib/postgresql/15/bin/{program}"
        program = found if Path(found).exists() else program
        return subprocess.run([*self.owner, program, *arguments], cwd="/", check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def sql(self, text, database="postgres"):
        return self.run("psql", "-h", self.folder, "-U", "bench", "-Atc", text, database)

    def sizes(self, database):
        """Returns the bytes of the entries, of their index, and of all that was logged."""
        told = self.sql("SELECT pg_table_size('entries'), pg_indexes_size('entries'), "
                        "pg_current_wal_lsn() - '0/0'::pg_lsn", database)
        return [int(float(part)) for part in told.split("|")]

    def url(self, database):
        return f"postgres://bench@{str(self.folder).replace('/', '%2F')}/{database}"

    def stop(self):
        self.run("pg_ctl", "stop", "-D", self.folder / "data", "-s", "-m", "immediate")


class Server:
    """A server on a store."""

    def __init__(self, program, store, *arguments):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--store", store,
             *NO_RATES, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("listening on http://"):
                self.address = line.strip().rsplit("/", 1)[1]
                return
        raise SystemExit("the server says on standard error why it stops")

    def resident_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) >> 10

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def request(self, method, path, body=b""):
        """Returns the bytes of a signed request, which are good for five minutes."""
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/us-east-1/chime/aws4_request"
        head = f"host:{self.address}\nx-amz-date:{now}\n"
        canonical = "\n".join([method, path, "", head, "host;x-amz-date",
                               hashlib.sha256(body).hexdigest()])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + ROOT["CAMPANILE_ROOT_SECRET_ACCESS_KEY"].encode()
        for part in [*scope.split("/"), to_sign]:
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"{ROOT['CAMPANILE_ROOT_ACCESS_KEY_ID']}/{scope}"
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.address}", f"x-amz-date: {now}",
                 f"authorization: AWS4-HMAC-SHA256 Credential={credential}, "
                 f"SignedHeaders=host;x-amz-date, Signature={key.hex()}",
                 "content-type: application/json", f"content-length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def load(self, request, connections, seconds=None, count=None, expected=b"HTTP/1.1 20"):
        """Sends a request over many connections at a time; returns how many a second are answered,
        and the last answer."""
        host, port = self.address.split(":")
        selector = selectors.EpollSelector()
        for _ in range(connections):
            connection = socket.create_connection((host, int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            connection.send(request)
        begun, done, answer = time.monotonic(), 0, b""
        while (done < count) if count else (time.monotonic() - begun < seconds):
            for key, _ in selector.select():
                # An answer is short, and comes whole.
                answer = key.fileobj.recv(1 << 16)
                assert answer.startswith(expected), answer
                done += 1
                key.fileobj.send(request)
        took = time.monotonic() - begun
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        return done / took, answer

    def create_account(self):
        return self.request("POST", "/accounts", b'{"Name": "Account of a load"}')


def main(program, scratch):
    (scratch / "postgres").mkdir()
    postgres = Postgres(scratch / "postgres")
    try:
        bytes_of_things(program, postgres, scratch)
        throughput(program, postgres, scratch)
    finally:
        postgres.stop()


def bytes_of_things(program, postgres, scratch):
    postgres.sql("CREATE DATABASE sizes")
    server = Server(program, postgres.url("sizes"))
    environment = {**ENVIRONMENT, "AWS_ACCESS_KEY_ID": ROOT["CAMPANILE_ROOT_ACCESS_KEY_ID"],
                   "AWS_SECRET_ACCESS_KEY": ROOT["CAMPANILE_ROOT_SECRET_ACCESS_KEY"],
                   "AWS_ENDPOINT_URL_CHIME": f"http://{server.address}", "TMPDIR": str(scratch)}

    def bring_in(name, things):
        file = scratch / f"{name}.json"
        file.write_text(json.dumps({name: things}), encoding="utf-8")
        subprocess.run([program, "import", file], env=environment, check=True,
                       stdout=subprocess.DEVNULL)

    def measured(name, count, run):
        before, begun = postgres.sizes("sizes"), time.monotonic()
        run()
        took = time.monotonic() - begun
        grown = [(b - a) / count for a, b in zip(before, postgres.sizes("sizes"))]
        print(f"{name}: {grown[0]:.0f} bytes of table, {grown[1]:.0f} of index, "
              f"{grown[2]:.0f} of log each; {count / took:.0f} a second", flush=True)

    accounts = [moving_in.account(number) for number in range(THINGS)]
    measured("account, imported", THINGS, lambda: bring_in("Accounts", accounts))
    users = [moving_in.user(number) for number in range(THINGS)]
    measured("user, imported", THINGS, lambda: bring_in("Users", users))
    measured("account, created, with its event", EVENTS,
             lambda: server.load(server.create_account(), WRITING_CONNECTIONS, count=EVENTS))
    # Of a call that is refused, nothing is written but its event.
    delete = server.request("DELETE", "/accounts/no-such-account")
    measured("event", EVENTS, lambda: server.load(
        delete, WRITING_CONNECTIONS, count=EVENTS, expected=b"HTTP/1.1 404"))
    print("the rows of commits:", postgres.sql(
        "SELECT pg_total_relation_size('commits') / greatest(1, count(*)) FROM commits", "sizes"),
        "bytes each", flush=True)
    print(f"server: {server.resident_mib()} MiB resident", flush=True)
    private = [int(line.split()[1]) for pid in postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'campanile'").split()
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        if line.startswith("RssAnon:")]
    print(f"PostgreSQL: {statistics.mean(private) / 1024:.1f} MiB of its own for each of "
          f"{len(private)} connections", flush=True)
    server.stop()


def throughput(program, postgres, scratch):
    postgres.sql("CREATE DATABASE load")
    stores = [("memory", "memory:", []), ("embedded", f"embedded:{scratch / 'data'}", [])]
    for count in STORE_CONNECTIONS:
        arguments = ["--store-connections", str(count)]
        stores.append((f"postgres, {count} connections", postgres.url("load"), arguments))
    rates = {name: ([], [], []) for name, _, _ in stores}
    for _ in range(ROUNDS):
        for name, store, arguments in stores:
            server = Server(program, store, *arguments)
            _, answer = server.load(server.create_account(), 1, count=1)
            account = json.loads(answer.split(b"\r\n\r\n")[1])["Account"]["AccountId"]
            get = server.request("GET", f"/accounts/{account}")
            reads, _ = server.load(get, READING_CONNECTIONS, seconds=SECONDS)
            writes, _ = server.load(server.create_account(), WRITING_CONNECTIONS, seconds=SECONDS)
            for kept, value in zip(rates[name], [reads, writes, server.resident_mib()]):
                kept.append(value)
            server.stop()
    for name, kept in rates.items():
        reads, writes, memory = map(statistics.median, kept)
        print(f"{name}: {reads:.0f} GetAccount, {writes:.0f} CreateAccount a second; "
              f"{memory:.0f} MiB (lowest and highest: {min(kept[0]):.0f} to {max(kept[0]):.0f}, "
              f"{min(kept[1]):.0f} to {max(kept[1]):.0f})", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="sizing-", dir="target") as temporary:
        os.chmod(temporary, 0o755)
        main(str(Path(sys.argv[1]).resolve()), Path(temporary).resolve())
