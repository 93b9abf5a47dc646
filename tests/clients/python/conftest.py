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
from server import POLICY, ROOT, ROOT_AWS_ACCOUNT_ID, binary, new_key, new_user

MANY_ACCOUNTS = 250


class AwsAccount:
    """An AWS account with an access key: of its root, or of a user if the suite runs as one."""

    def __init__(self, aws_account_id, access_key_id, secret_access_key, arn=None):
        self.id = aws_account_id
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.arn = arn

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


def new_root():
    """Returns the id of an AWS account that no other test has, and an access key of its root."""
    aws_account_id = f"{random.SystemRandom().randrange(10**12):012}"
    environment = os.environ | ROOT.environment()
    return aws_account_id, new_key(environment, "--aws-account-id", aws_account_id)


def new_aws_account():
    aws_account_id, key = new_root()
    if os.environ.get(POLICY):
        key = new_user(key, os.environ, os.environ[POLICY])
    return AwsAccount(aws_account_id, *key)


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
    """Returns the deployment's root, whoever else the suite runs as."""
    return AwsAccount(ROOT_AWS_ACCOUNT_ID, *ROOT)
