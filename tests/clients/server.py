"""Runs a client suite against a server of its own:

    python server.py memory|embedded COMMAND...

The suite finds the server through the environment, as every AWS client does. The run fails if the
suite does, if the server does not stop cleanly, or if it logged as much as a warning.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
ROOT_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOT_AWS_ACCOUNT_ID = "111122223333"
# Longer than any stop takes; a server that hangs fails the run and does not hold it up for ever.
STOP_S_MAX = 60


def binary():
    """Returns the path of the program under test."""
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return os.environ.get("TEST_BINARY") or str(Path(target) / "debug" / "campanile")


class Server:
    """A server process over a store of its own, which is removed with it."""

    def __init__(self, engine, host="127.0.0.1", settings=()):
        self.host = host
        self.settings = settings
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="campanile-test-"))
        stores = {"memory": "memory:", "embedded": f"embedded:{self.folder / 'data'}"}
        self.store = stores[engine]
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self):
        """Starts the server: the first time on a free port, and then on the same one again."""
        arguments = ["serve", "--listen", f"{self.host}:{self.port}", "--store", self.store]
        self.log = open(self.folder / "log", "a+")
        self.process = subprocess.Popen(
            [binary(), *arguments, *self.settings, "--log-level", "warn"],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={
                "CAMPANILE_ROOT_ACCESS_KEY_ID": ROOT_ACCESS_KEY_ID,
                "CAMPANILE_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET_ACCESS_KEY,
                "CAMPANILE_ROOT_AWS_ACCOUNT_ID": ROOT_AWS_ACCOUNT_ID,
            },
        )
        for line in self.process.stdout:
            if line.startswith("listening on http://"):
                self.port = int(line.rsplit(":", 1)[1])
                return
        code = self.process.wait()
        raise RuntimeError(f"the server ended with {code} before it listened: {self.logged()}")

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
        logged = self.logged()
        self.log.close()
        if code != 0:
            raise RuntimeError(f"the server answered SIGTERM with {code}: {logged}")
        if logged:
            raise RuntimeError(f"the server logged: {logged}")

    def logged(self):
        self.log.seek(0)
        return self.log.read()

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
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": ROOT_SECRET_ACCESS_KEY,
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


def main():
    engine, *command = sys.argv[1:]
    with Server(engine) as server:
        # A suite may start servers of its own, and they are to be of the same kind.
        environment = server.environment() | {"TEST_ENGINE": engine}
        code = subprocess.run(command, env=environment).returncode
    sys.exit(code)


if __name__ == "__main__":
    main()
