"""A client that retries does not notice a restart."""

import random

import boto3
import pytest
from botocore.config import Config
from server import Server


@pytest.fixture
def server():
    # A loopback address of its own: no client of another server can take the port in between.
    generator = random.SystemRandom()
    host = ".".join(["127", *(str(generator.randrange(1, 255)) for _ in range(3))])
    with Server("embedded", host) as server:
        yield server


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_request_is_retried_until_the_server_is_back(server, mode):
    chime = boto3.client(
        "chime",
        endpoint_url=server.url,
        aws_access_key_id=server.credential.access_key_id,
        aws_secret_access_key=server.credential.secret_access_key,
        config=Config(retries={"mode": mode, "total_max_attempts": 5}),
    )
    created = chime.create_account(Name="before")["Account"]
    page = chime.list_accounts(MaxResults=1)
    assert page["Accounts"] == [created]
    server.stop()
    failures = []

    def start_again(caught_exception, **_):
        if server.process is None:
            failures.append(caught_exception)
            server.start()

    chime.meta.events.register_first("needs-retry.chime.GetAccount", start_again)
    answer = chime.get_account(AccountId=created["AccountId"])
    assert answer["Account"] == created
    assert answer["ResponseMetadata"]["RetryAttempts"] == len(failures) == 1
    chime.create_account(Name="after")
    assert [a["Name"] for a in chime.list_accounts()["Accounts"]] == ["after", "before"]


def test_a_page_token_outlives_the_server(server):
    chime = boto3.client(
        "chime",
        endpoint_url=server.url,
        aws_access_key_id=server.credential.access_key_id,
        aws_secret_access_key=server.credential.secret_access_key,
    )
    for name in ["a", "b", "c"]:
        chime.create_account(Name=name)
    page = chime.list_accounts(MaxResults=2)
    server.stop()
    server.start()
    rest = chime.list_accounts(MaxResults=2, NextToken=page["NextToken"])
    assert [account["Name"] for account in rest["Accounts"]] == ["c"]
