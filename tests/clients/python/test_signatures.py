"""Who is let in: header and presigned signatures as botocore makes them."""

import json
import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from conftest import AwsAccount


def fetch(url, method="GET", body=None):
    """Sends a presigned request with nothing but the standard library."""
    request = urllib.request.Request(url, method=method, data=body)
    # Without the proxies of whoever runs the tests.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-4", "cn-north-1"])
def test_any_region_is_accepted(aws_account, region):
    chime = aws_account.client(region_name=region)
    assert chime.list_accounts()["Accounts"] == []
    assert chime.meta.region_name == region


def test_a_wrong_secret_is_refused(aws_account):
    secret = aws_account.secret_access_key
    chime = AwsAccount(aws_account.id, aws_account.access_key_id, secret[::-1]).client()
    with pytest.raises(ClientError) as raised:
        chime.list_accounts()
    error = raised.value.response
    assert error["Error"]["Code"] == "InvalidSignatureException"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    message = error["Error"]["Message"]
    assert message.startswith("The request signature we calculated does not match the signature")
    assert secret not in message


def test_an_unknown_key_is_refused(aws_account):
    chime = AwsAccount(aws_account.id, "AKIAUNKNOWN", aws_account.secret_access_key).client()
    with pytest.raises(ClientError) as raised:
        chime.list_accounts()
    assert raised.value.response["Error"] == {
        "Code": "UnrecognizedClientException",
        "Message": "The security token included in the request is invalid.",
    }
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("chime", "list_accounts", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ],
)
def test_a_session_token_is_refused(aws_account, service, operation, code):
    client = boto3.client(
        service,
        aws_access_key_id=aws_account.access_key_id,
        aws_secret_access_key=aws_account.secret_access_key,
        aws_session_token="FwoGZXIvYXdzEXAMPLE",
    )
    with pytest.raises(ClientError) as raised:
        getattr(client, operation)()
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_unsigned_request_is_refused(aws_account):
    with pytest.raises(ClientError) as raised:
        aws_account.client(signature_version=UNSIGNED).list_accounts()
    assert raised.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"


def test_a_presigned_url_reads(aws_account):
    chime = aws_account.client()
    created = chime.create_account(Name="Zürich + Söhne/1")["Account"]
    url = chime.generate_presigned_url(
        "get_account", Params={"AccountId": created["AccountId"]}, ExpiresIn=60
    )
    status, answer = fetch(url)
    assert (status, answer["Account"]["Name"]) == (200, created["Name"])
    url = chime.generate_presigned_url(
        "list_accounts", Params={"Name": created["Name"], "MaxResults": 1}, ExpiresIn=60
    )
    status, answer = fetch(url)
    assert (status, answer["NextToken"]) == (200, None)
    assert [account["AccountId"] for account in answer["Accounts"]] == [created["AccountId"]]


def test_a_presigned_url_deletes(aws_account):
    chime = aws_account.client()
    account_id = chime.create_account(Name="a")["Account"]["AccountId"]
    url = chime.generate_presigned_url(
        "delete_account", Params={"AccountId": account_id}, ExpiresIn=60
    )
    assert fetch(url, "GET")[0] == 403
    assert fetch(url, "DELETE") == (204, None)
    assert chime.list_accounts()["Accounts"] == []


def test_a_presigned_url_is_for_one_request(aws_account):
    chime = aws_account.client()
    ours = chime.create_account(Name="ours")["Account"]["AccountId"]
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    url = chime.generate_presigned_url("get_account", Params={"AccountId": ours}, ExpiresIn=60)
    status, answer = fetch(url.replace(ours, other))
    assert (status, answer["Code"]) == (403, "InvalidSignatureException")
    status, answer = fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    assert (status, answer["Code"]) == (403, "InvalidSignatureException")
    chime.get_account(AccountId=other)
