"""Clients that write by signed requests until they are told to stop, and remember what they were told."""

import random
import threading
import time
import uuid
from collections import Counter

import boto3
from botocore import exceptions
from botocore.config import Config
from verdict import Acknowledged

# What botocore itself would send again: whether the write was done is open.
RETRYABLE = (
    exceptions.ConnectionClosedError,
    exceptions.ConnectTimeoutError,
    exceptions.EndpointConnectionError,
    exceptions.ReadTimeoutError,
)
PAUSE_S = (0.05, 0.25)
STOP_S_MAX = 120


def new_client(url, settings):
    """Returns AWS's own client, but that it tries once, so that no error stays unseen."""
    return boto3.client(
        "chime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=settings["access_key_id"],
        aws_secret_access_key=settings["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


class Call:
    """What botocore does when it retries: each attempt of a call carries the id of the call."""

    def __init__(self):
        self.id, self.attempt = str(uuid.uuid4()), 0

    def count(self, request, **_):
        self.attempt += 1
        for name, value in [
            ("amz-sdk-invocation-id", self.id),
            ("amz-sdk-request", f"attempt={self.attempt}; max=1000"),
        ]:
            del request.headers[name]
            request.headers[name] = value


class Writers:
    """Writers, each with a name of its own, and what they were told."""

    def __init__(self, urls, settings, count):
        self.acknowledged = []
        self.attempted = set()
        self.errors = Counter()
        # What a client may not see, whatever happens to the servers.
        self.forbidden = Counter()
        self._stopping = threading.Event()
        self._threads = [
            # Half of them prefer one server, half the other.
            threading.Thread(target=self._write, args=(it, urls[it % 2 :] + urls[: it % 2], settings))
            for it in range(count)
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_S_MAX)
        if any(thread.is_alive() for thread in self._threads):
            self.forbidden[f"no answer within {STOP_S_MAX} s of the end"] += 1

    def count(self):
        return len(self.acknowledged)

    def _write(self, writer, urls, settings):
        clients = [new_client(url, settings) for url in urls]
        number = 0
        while not self._stopping.is_set():
            # A name is asked for by one call: a second account of it would be a write applied twice.
            name = f"writer-{writer}-{number:07}"
            number += 1
            self.attempted.add(name)
            account_id = self._create(clients, name)
            if account_id:
                told = Acknowledged(time.monotonic(), writer, name, account_id)
                self.acknowledged.append(told)

    def _create(self, clients, name):
        """Makes a call again until it is acknowledged, or the writers are to stop."""
        call = Call()
        while not self._stopping.is_set():
            events = clients[0].meta.events
            # Once the request is signed, without these headers: botocore counts for one client only.
            events.register("before-send.chime.CreateAccount", call.count)
            try:
                return clients[0].create_account(Name=name)["Account"]["AccountId"]
            except Exception as error:
                self._note(error)
                self._stopping.wait(random.uniform(*PAUSE_S))
            finally:
                events.unregister("before-send.chime.CreateAccount", call.count)
            # As behind a load balancer, the next attempt is another server's.
            clients.append(clients.pop(0))
        return None

    def _note(self, error):
        if isinstance(error, RETRYABLE):
            self.errors[type(error).__name__] += 1
        elif isinstance(error, exceptions.ClientError) and is_unavailable(error.response):
            self.errors["503 ServiceUnavailableException"] += 1
        else:
            self.forbidden[f"{type(error).__name__}: {error}"] += 1


def is_unavailable(response):
    """Tells whether an answer is the one that asks a client to come again, and says when."""
    metadata = response["ResponseMetadata"]
    return (
        metadata["HTTPStatusCode"] == 503
        and response["Error"]["Code"] == "ServiceUnavailableException"
        and "retry-after" in metadata["HTTPHeaders"]
    )


def listed(url, settings):
    """Returns the id and name of every account that a server lists."""
    pages, token = [], {}
    client = new_client(url, settings)
    while True:
        page = client.list_accounts(MaxResults=200, **token)
        pages += [(it["AccountId"], it["Name"]) for it in page["Accounts"]]
        if "NextToken" not in page:
            return pages
        token = {"NextToken": page["NextToken"]}
