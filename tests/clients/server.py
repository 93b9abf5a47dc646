"""Runs a client suite against a server of its own:

    python server.py memory|embedded|postgres [--as-user POLICY] COMMAND...

The suite finds the server through the environment, as every AWS client does. The run fails if the
suite does, if the server does not stop cleanly, or if it logged as much as a warning.

With `--as-user` the suite's credential is not the root's but that of a user who may do what the file
POLICY says, and nothing else. The run fails, too, if the suite did not need every action in it.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
ROOT_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOT_AWS_ACCOUNT_ID = "111122223333"
# Longer than any stop takes; a server that hangs fails the run and does not hold it up for ever.
STOP_S_MAX = 60


# The environment's names for the policy of `--as-user`, for the folder where all output of the tests is
# kept, and for the file of the secrets that must not be in it.
POLICY, LOGS, SECRETS = "TEST_POLICY", "TEST_LOGS", "TEST_SECRETS"
USER_NAME = "least"


class Credential(NamedTuple):
    """An access key, and whose it is."""

    access_key_id: str
    secret_access_key: str
    arn: str

    def environment(self):
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }


ROOT = Credential(
    ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, f"arn:aws:iam::{ROOT_AWS_ACCOUNT_ID}:root"
)


def binary():
    """Returns the path of the program under test."""
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return os.environ.get("TEST_BINARY") or str(Path(target) / "debug" / "campanile")


def note_secret(kind, value):
    """Notes a secret that no output may show, for the search that ends a run of all tests."""
    if os.environ.get(SECRETS):
        with open(os.environ[SECRETS], "a", encoding="utf-8") as file:
            file.write(f"{kind}\t{value}\n")


def campanile(environment, *command):
    """Runs a command of the program, and returns what it prints."""
    finished = subprocess.run([binary(), *command], env=environment, capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr)
    return json.loads(finished.stdout or "{}")


def new_key(environment, *options):
    """Makes an access key."""
    key = campanile(environment, "keys", "create-access-key", *options)["AccessKey"]
    note_secret("SecretAccessKey", key["SecretAccessKey"])
    return Credential(key["AccessKeyId"], key["SecretAccessKey"], key["Arn"])


def new_user(root, environment, policy, user_name=USER_NAME):
    """Makes a user of the AWS account of a root, who may do what the policy in a file says."""
    environment = environment | root.environment()
    of_user = ("--user-name", user_name)
    campanile(environment, "users", "create-user", *of_user)
    put = ("--policy-name", "least", "--policy-document", f"file://{policy}")
    campanile(environment, "users", "put-user-policy", *of_user, *put)
    return new_key(environment, *of_user)


def store(engine, folder):
    """Returns where an empty store of an engine can be, as --store names it."""
    if engine == "postgres":
        schema = f"client_{uuid.uuid4().hex}"
        # The database of tests/postgres.sh.
        return f"{os.environ['TEST_POSTGRES_URL']}?options=-c%20search_path%3D{schema}"
    return {"memory": "memory:", "embedded": f"embedded:{folder / 'data'}"}[engine]


class Server:
    """A server process over a store of its own, which is removed with it.

    Its log may have what is expected in a line, and no other warning."""

    def __init__(self, engine, host="127.0.0.1", settings=(), expected="no word"):
        self.host = host
        self.expected = expected
        self.settings = settings
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="campanile-test-"))
        self.store = store(engine, self.folder)
        self.master_key = base64.b64encode(os.urandom(32)).decode()
        self.process = None
        self.credential = ROOT
        note_secret("RootSecretAccessKey", ROOT_SECRET_ACCESS_KEY)
        note_secret("MasterKey", self.master_key)

    def __enter__(self):
        self.start()
        if os.environ.get(POLICY):
            self.credential = new_user(ROOT, self.environment(), os.environ[POLICY])
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            if os.environ.get(LOGS):
                kept = Path(os.environ[LOGS]) / "servers"
                kept.mkdir(exist_ok=True)
                shutil.copy(self.folder / "log", kept / f"{self.folder.name}.log")
            shutil.rmtree(self.folder)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self):
        """Starts the server: the first time on a free port, and then on the same one again."""
        arguments = ["serve", "--listen", f"{self.host}:{self.port}", "--store", self.store]
        log = ["--log-level", "trace", "--log-format", "json", "--access-log"]
        self.log = open(self.folder / "log", "a+")
        self.process = subprocess.Popen(
            [binary(), *arguments, *log, *self.settings],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={
                "CAMPANILE_ROOT_ACCESS_KEY_ID": ROOT_ACCESS_KEY_ID,
                "CAMPANILE_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET_ACCESS_KEY,
                "CAMPANILE_ROOT_AWS_ACCOUNT_ID": ROOT_AWS_ACCOUNT_ID,
                "CAMPANILE_MASTER_KEY": self.master_key,
            },
        )
        for line in self.process.stdout:
            if line.startswith("listening on http://"):
                self.port = int(line.rsplit(":", 1)[1])
                return
        code = self.process.wait()
        raise RuntimeError(f"the server ended with {code} before it listened: {self.warnings()}")

    def stop(self):
        """Stops the server as an operator does."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = f"nothing within {STOP_S_MAX} s"
        process.stdout.close()
        logged = self.warnings()
        self.log.close()
        if code != 0:
            raise RuntimeError(f"the server answered SIGTERM with {code}: {logged}")
        if logged:
            raise RuntimeError(f"the server logged: {logged}")

    def warnings(self):
        """Returns the lines of the log that tell of something wrong: also those that no logger wrote."""
        lines = (self.folder / "log").read_text().splitlines()
        wrong = [line for line in lines if level(line) not in ("INFO", "DEBUG", "TRACE")]
        return [line for line in wrong if self.expected not in line]

    def requests(self):
        """Returns the lines of the access log."""
        lines = (self.folder / "log").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry["target"] == "campanile::access"]

    def environment(self):
        """Returns an environment in which AWS's clients find this server, and nothing else."""
        ours = ("AWS_", "CAMPANILE_")
        kept = {
            name: value
            for name, value in os.environ.items()
            # A proxy would be asked for loopback addresses, too.
            if not name.startswith(ours) and not name.lower().endswith("_proxy")
        }
        return kept | {
            **self.credential.environment(),
            "AWS_ENDPOINT_URL_CHIME": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ENDPOINT_URL_IAM": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            # No profile of whoever runs the tests may change what the clients do.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "TEST_BINARY": binary(),
        }


def level(line):
    """Returns the level of a line of the log; None if it is no such line, as that of a panic."""
    try:
        return json.loads(line)["level"]
    except (ValueError, KeyError, TypeError):
        return None


def action(request):
    """Returns the name that policies have for what a request asked for."""
    operation = request["operation"]
    if ":" in operation:
        return operation
    service = "campanile" if request["path"].startswith("/campanile/") else "chime"
    return f"{service}:{operation}"


def unused_actions(policy, requests):
    """Returns the actions of a policy that its users never made use of."""
    (statement,) = json.loads(Path(policy).read_text())["Statement"]
    theirs = [it for it in requests if it.get("caller", "").endswith(f":user/{USER_NAME}")]
    return set(statement["Action"]) - {action(it) for it in theirs if it["status"] not in (403, 429)}


def main():
    engine, *command = sys.argv[1:]
    policy = None
    if command[0] == "--as-user":
        _, policy, *command = command
        os.environ[POLICY] = policy = str(Path(policy).resolve())
    with Server(engine) as server:
        # A suite may start servers of its own, and they are to be of the same kind.
        environment = server.environment() | {"TEST_ENGINE": engine}
        code = subprocess.run(command, env=environment).returncode
        unused = sorted(unused_actions(policy, server.requests())) if policy else []
    if unused:
        print(f"{policy} allows what the suite never did: {', '.join(unused)}", file=sys.stderr)
    sys.exit(code or bool(unused))


if __name__ == "__main__":
    main()
