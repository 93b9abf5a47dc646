"""Whatever boto3 changes, or is not allowed to, is in what `campanile audit` prints."""

import json
import subprocess

import pytest
from server import binary


def audit(aws_account, *arguments):
    """Returns the events that the command prints of what the caller did."""
    command = [binary(), "audit", "--output", "json", *arguments]
    printed = subprocess.run(
        command, env=aws_account.environment(), capture_output=True, text=True, check=True
    )
    events = [json.loads(line) for line in printed.stdout.splitlines()]
    # Whoever made the AWS account's user has events there, too.
    caller = aws_account.access_key_id
    return [event for event in events if event["userIdentity"]["accessKeyId"] == caller]


def test_what_was_done_and_what_failed_is_there(aws_account, chime):
    made = chime.create_account(Name="My")
    account_id = made["Account"]["AccountId"]
    chime.list_accounts()
    chime.invite_users(AccountId=account_id, UserEmailList=["jane.doe@example.com"])
    with pytest.raises(chime.exceptions.NotFoundException) as absent:
        chime.delete_account(AccountId="absent")

    created, invited, failed = audit(aws_account)
    assert created["eventName"] == "CreateAccount"
    assert created["requestID"] == made["ResponseMetadata"]["RequestId"]
    assert created["userIdentity"]["accessKeyId"] == aws_account.access_key_id
    assert created["userIdentity"]["arn"] == aws_account.arn
    assert "Boto3/" in created["userAgent"]
    assert created["responseElements"]["account"]["accountId"] == account_id
    assert invited["requestParameters"]["userEmailList"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "jane" not in json.dumps(invited)
    assert failed["errorCode"] == "NotFoundException"
    assert failed["errorMessage"] == absent.value.response["Error"]["Message"]
    assert failed["requestParameters"] == {"accountId": "absent"}
    assert audit(aws_account, "--account", account_id) == [created, invited]


def test_what_was_denied_is_there(aws_account, other_aws_account):
    command = [binary(), "keys", "create", "--aws-account-id", other_aws_account.id]
    denied = subprocess.run(
        command, env=aws_account.environment(), capture_output=True, text=True
    )
    assert "ForbiddenException" in denied.stderr
    (event,) = audit(aws_account)
    assert event["eventName"] == "CreateAccessKey"
    assert event["errorCode"] == "ForbiddenException"
    assert event["errorMessage"] in denied.stderr
    assert event["requestParameters"] == {"awsAccountId": other_aws_account.id}
    assert audit(other_aws_account) == []
