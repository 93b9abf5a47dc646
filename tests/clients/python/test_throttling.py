"""A script whose SDK retries does not notice that it asks too fast."""

import os
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from server import Server

RATE = 20
BURST = 5
CALLS = 16
THREADS = 4


@pytest.fixture
def server():
    limit = f"{RATE}/{BURST}"
    settings = ["--rate-caller-writes", limit, "--rate-account-reads", limit]
    with Server(os.environ["TEST_ENGINE"], settings=settings) as server:
        yield server


def client(server, mode, attempts, service="chime"):
    return boto3.client(
        service,
        endpoint_url=server.url,
        aws_access_key_id=server.credential.access_key_id,
        aws_secret_access_key=server.credential.secret_access_key,
        config=Config(retries={"mode": mode, "total_max_attempts": attempts}),
    )


def refusals(client, service="chime"):
    """Returns the list in which every refusal of the server will be."""
    seen = []

    def look(response_dict, **_):
        if response_dict["status_code"] in (400, 429):
            seen.append(response_dict)

    client.meta.events.register(f"before-parse.{service}", look)
    return seen


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_retries_ride_through(server, mode):
    chime = client(server, mode, 10)
    seen = refusals(chime)
    names = [f"Site {number:02}" for number in range(CALLS)]

    def create(name):
        return chime.create_account(Name=name)["ResponseMetadata"]["RetryAttempts"]

    with ThreadPoolExecutor(THREADS) as threads:
        retries = sum(threads.map(create, names))
    assert retries == len(seen) > 0
    assert {int(refusal["headers"]["retry-after"]) for refusal in seen} == {1}

    reader = client(server, mode, 10)
    seen = refusals(reader)
    for _ in range(CALLS):
        assert [account["Name"] for account in reader.list_accounts()["Accounts"]] == names
    assert len(seen) > 0


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_sts_is_ridden_through_too(server, mode):
    sts = client(server, mode, 10, "sts")
    seen = refusals(sts, "sts")
    for _ in range(CALLS):
        assert sts.get_caller_identity()["Arn"] == server.credential.arn
    assert len(seen) > 0
    assert all(refusal["status_code"] == 400 for refusal in seen)


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_who_does_not_retry_gets_the_modelled_exception(server, mode):
    chime = client(server, mode, 1)
    with pytest.raises(chime.exceptions.ThrottledClientException) as raised:
        for number in range(1000):
            chime.create_account(Name=f"Site {number}")
    answer = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert answer["Error"]["Code"] == "ThrottledClientException"
    limit = f"--rate-caller-writes lets {server.credential.arn} ask {RATE} times a second"
    assert limit in answer["Error"]["Message"]
