"""Every test works in an AWS account of its own, so that none sees what another does."""

import json
import os
import random
import subprocess
import sys
import uuid

import boto3
import pytest
from botocore.config import Config
from server import ROOT_AWS_ACCOUNT_ID, binary

MANY_ACCOUNTS = 250


class AwsAccount:
    """An AWS account with an access key."""

    def __init__(self, aws_account_id, access_key_id, secret_access_key):
        self.id = aws_account_id
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key

    def client(self, service="chime", region_name=None, endpoint_url=None, **config):
        """Returns a boto3 client that is told nothing about the server but its environment."""
        session = boto3.Session(
            aws_access_key_id=self.access_key_id, aws_secret_access_key=self.secret_access_key
        )
        return session.client(
            service, region_name=region_name, endpoint_url=endpoint_url, config=Config(**config)
        )

    def environment(self):
        return os.environ | {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def aws(self, *arguments, **environment):
        """Runs the AWS CLI."""
        command = [sys.executable, "-m", "awscli", *arguments]
        return subprocess.run(
            command, env=self.environment() | environment, capture_output=True, text=True
        )

    def call(self, operation, **members):
        """Calls one of the operations that AWS's clients do not know, with the program itself."""
        finished = subprocess.run(
            [binary(), "call", operation, json.dumps(members)],
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout or "{}")


def new_domain():
    """Returns a domain that no other test claims: a domain belongs to one account at the most."""
    return f"{uuid.uuid4().hex}.example"


def new_aws_account():
    aws_account_id = f"{random.SystemRandom().randrange(10**12):012}"
    command = [binary(), "keys", "create", "--aws-account-id", aws_account_id]
    created = subprocess.run(command, capture_output=True, text=True, check=True)
    key = json.loads(created.stdout)["AccessKey"]
    return AwsAccount(aws_account_id, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture
def aws_account():
    return new_aws_account()


@pytest.fixture
def other_aws_account():
    return new_aws_account()


@pytest.fixture
def chime(aws_account):
    return aws_account.client()


@pytest.fixture
def team(chime):
    """Returns the id of a Team account."""
    return chime.create_account(Name="Team")["Account"]["AccountId"]


@pytest.fixture
def enterprise(aws_account, chime):
    """Returns the id of an Enterprise account: AWS's console made them of Team accounts."""
    account_id = chime.create_account(Name="Enterprise")["Account"]["AccountId"]
    claimed = aws_account.call("ClaimDomain", AccountId=account_id, DomainName=new_domain())
    assert claimed["Account"]["AccountType"] == "EnterpriseLWA"
    return account_id


@pytest.fixture(scope="session")
def many_accounts():
    """Returns an AWS account with more accounts than a page holds, which no test may change."""
    aws_account = new_aws_account()
    chime = aws_account.client()
    names = [f"Site {number:03}" for number in range(MANY_ACCOUNTS)]
    for name in random.sample(names, len(names)):
        chime.create_account(Name=name)
    return aws_account, names


@pytest.fixture
def root():
    return AwsAccount(
        ROOT_AWS_ACCOUNT_ID,
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
    )
